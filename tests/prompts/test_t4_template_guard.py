"""T4: wordings that come with a recipe can neither reach Python nor eat the machine."""

from __future__ import annotations

import tracemalloc

import pytest
from datalchemy.core.errors import RecipeError, Refused
from datalchemy.prompts import Wordings
from datalchemy.prompts._guard import MAX_CHARS, MAX_ITEMS, compiled
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

NAMES = frozenset({"problem", "items", "row"})


def fill(text: str, **values) -> str:
    return compiled("cot.solve", text, NAMES)(**values)


ESCAPES = {
    "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ problem.__init__.__globals__ }}",
    "cve-2016-10745 format": "{{ '{0.__class__}'.format(problem) }}",
    "cve-2019-10906 format_map": "{{ '{a.__class__}'.format_map({'a': problem}) }}",
    "cve-2024-56326 stored format": "{% set f = '{0.__class__}'.format %}{{ f(problem) }}",
    "cve-2024-56326 through a filter": "{{ ['{0.__class__}'.format]|map('first') }}",
    "cve-2025-27516 attr": "{{ (problem|attr('format'))(problem) }}",
    "cve-2024-56201 include": "{% include 'x/../y' %}",
    "cve-2024-22195 xmlattr": "{{ {'a b': 1}|xmlattr }}",
    "attr with escapes": "{{ problem|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "subscript": "{{ problem['__class__'] }}",
    "computed subscript": "{{ problem['__cl' ~ 'ass__'] }}",
    "lipsum": "{{ lipsum.__globals__['os'] }}",
    "cycler": "{{ cycler.__init__.__globals__ }}",
    "self": "{{ self._TemplateReference__context }}",
    "undefined's insides": "{{ nothing.__init__ }}",
    "loop's insides": "{% for x in items %}{{ loop._iterator }}{% endfor %}",
    "loop's methods": "{% for x in items %}{{ loop.changed(x) }}{% endfor %}",
    "loop's other attributes": "{% for x in items %}{{ loop.cycle }}{% endfor %}",
    "method of a value": "{{ problem.upper }}",
    "method of a mapping": "{{ row.items }}",
    "call": "{{ problem() }}",
    "map": "{{ items|map(attribute='__class__') }}",
    "filter block": "{% filter upper %}x{% endfilter %}",
    "the guard's own filter": "{{ items|_items }}",
}
STATEMENTS = {
    "import": "{% import 'x' as y %}",
    "from import": "{% from 'x' import y %}",
    "extends": "{% extends 'x' %}",
    "block": "{% block x %}{% endblock %}",
    "macro": "{% macro x() %}{% endmacro %}",
    "call block": "{% call problem() %}{% endcall %}",
    "set": "{% set x = 1 %}",
    "set block": "{% set x %}y{% endset %}",
    "with": "{% with x = 1 %}{{ x }}{% endwith %}",
    "autoescape": "{% autoescape true %}x{% endautoescape %}",
    "do": "{% do problem %}",
}
BOMBS = {
    "repetition": "{{ 'x' * 10**8 }}",
    "a repeated value": "{{ problem * 100000000 }}",
    "percent": "{{ '%0100000000d' % 1 }}",
    "percent of a value": "{{ problem % 1 }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "range": "{% for a in range(3000000) %}x{% endfor %}",
    "nested loops": "{% for a in items %}{% for b in items %}x{% endfor %}{% endfor %}",
    "nested loops through a condition": "{% for a in items %}{% if a %}{% for b in items %}x{% endfor %}{% endif %}{% endfor %}",
    "a loop in the else of a loop's body": "{% for a in items %}{% if a %}{% else %}{% for b in items %}x{% endfor %}{% endif %}{% endfor %}",
    "recursive loop without a call": "{% for a in items recursive %}{{ a }}{% endfor %}",
    "starred arguments": "{{ problem|default(*items) }}",
    "starred keywords": "{{ problem|default(**row) }}",
    "a key that is computed": "{{ row[problem] }}",
    "recursive loop": "{% for a in items recursive %}{{ loop(items) }}{% endfor %}",
    "format filter": "{{ '%0100000000d'|format(1) }}",
    "centre": "{{ 'x'|center(100000000) }}",
    "indent": "{{ problem|indent(100000000) }}",
    "replace": "{{ problem|replace('', problem) }}",
    "join": "{{ problem|join(problem) }}",
    "batch": "{{ items|batch(100000000, 'x') }}",
    "slice": "{{ items|slice(100000000) }}",
    "tojson": "{{ problem|tojson(indent=100000000) }}",
    "wordwrap": "{{ problem|wordwrap(1, wrapstring='xxxxxxxx') }}",
    "concatenation": "{{ problem ~ problem }}",
    "sum": "{{ problem + problem }}",
    "many nodes": "{{ problem }}" * 700,
    "deep": "{{ " + "not " * 12 + "problem }}",
    "deep in the parser": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep ifs": "{% if problem %}" * 60 + "{% endif %}" * 60,
    "a long number": "{{ " + "9" * 5000 + " }}",
    "a long hexadecimal number": "{{ 0x" + "f" * 50_000 + " }}",
    "a long source": "x" * 64_001,
    "extended slice": "{{ problem[::1] }}",
}
MISTAKES = {
    "empty": " \n",
    "not closed": "{{ problem",
    "unknown tag": "{% nope %}",
    "unknown test": "{{ problem is divisibleby(3) }}",
    "another name": "{{ question }}",
}
REFUSED = ESCAPES | STATEMENTS | BOMBS | MISTAKES


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_refused(text):
    """Refused before compiling; the few that only a value can show, at the value."""
    tracemalloc.start()
    try:
        with pytest.raises(RecipeError) as refused:
            fill(text, problem="x", items=["a"], row={"a": "b"})
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert refused.value.exit_code == 2
    assert refused.value.where.startswith("prompts.cot.solve")


def test_control_the_sandbox_alone_lets_the_bombs_through():
    bare = ImmutableSandboxedEnvironment()
    assert len(bare.from_string("{{ 'x' * 10**6 }}").render()) == 10**6
    assert len(bare.from_string("{{ '%01000000d' % 1 }}").render()) == 10**6
    assert len(bare.from_string(BOMBS["nested loops"]).render(items=list(range(1000)))) == 10**6


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("a\nb\n{{ lipsum }}", 3, "variable"),
        ("{{ problem }}\n{{ problem|indent }}", 2, "filter"),
        ("a\n{{ problem == 1\n and 'a' in problem }}", 3, "operator"),
        ("\n\n\n{% set x = 1 %}", 4, "assign"),
        ("\n{{ problem.__class__ }}", 2, "attribute"),
        ("\n{{ problem[problem] }}", 2, "index"),
        ("\n{{ problem is divisibleby(3) }}", 2, "test"),
        ("a\n{% for a in items %}\n{% for b in items %}{% endfor %}{% endfor %}", 3, "nested loop"),
        ("{{ problem }}\n{{ problem", 2, "syntax"),
    ],
)
def test_the_error_says_which_rule_and_which_line(text, line, rule):
    with pytest.raises(RecipeError) as refused:
        Wordings(overrides={"cot.solve": text.replace("items", "problem")})
    assert refused.value.where == f"prompts.cot.solve line {line}"
    assert f"({rule})" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Solve {{ problem }}", "Solve x"),
        ("{{ problem|upper }} {{ problem|default('y', true) }}", "X x"),
        ("{% if problem == 'x' and not items %}a{% elif problem %}b{% else %}c{% endif %}", "b"),
        ("{% for item in items if item != 'q' %}{{ loop.index }}. {{ item }}{% if not loop.last %}, {% endif %}{% endfor %}", "1. p, 2. r"),
        ("{% for item in items %}{{ item }}{% endfor %}{% for item in items %}{{ item }}{% endfor %}", "pqrpqr"),
        ("{{ row.name }} {{ row['name'] }} {{ items[0] }} {{ row.nope is defined }}", "n n p False"),
        ("{{ 'long' if items|length > 2 else 'short' }}{# a note #}{% raw %}{{ }}{% endraw %}", "long{{ }}"),
        ("\\boxed{} <b> & 100 %", "\\boxed{} <b> & 100 %"),
    ],
)
def test_what_a_wording_needs_is_allowed(text, expected):
    assert fill(text, problem="x", items=["p", "q", "r"], row={"name": "n"}) == expected


def test_a_key_that_is_called_like_a_method_is_the_key():
    assert fill("{{ row.items }}", row={"items": "seven"}) == "seven"


class Spy:
    def __str__(self) -> str:
        raise AssertionError("an object was rendered")


@pytest.mark.parametrize("value", [Spy(), {"a": Spy()}, [Spy()], {1: "x"}, b"x", {"a"}, len])
def test_only_plain_json_values_go_in(value):
    with pytest.raises(RecipeError, match="plain JSON"):
        fill("{{ problem }}", problem=value)


def test_the_output_is_bounded():
    big = "x" * (MAX_CHARS // 2)
    assert len(fill("{{ problem }}{{ problem }}", problem=big)) == MAX_CHARS
    with pytest.raises(Refused, match="grows beyond"):
        fill("{{ problem }}" * 100, problem=big)
    with pytest.raises(Refused) as refused:
        fill("{{ problem }}", problem="x" * (MAX_CHARS + 1))
    assert refused.value.reason == "prompt_too_long"


def test_loops_go_through_lists_of_bounded_length():
    assert fill("{% for x in items %}{{ x }}{% endfor %}", items=["a"] * MAX_ITEMS) == "a" * MAX_ITEMS
    with pytest.raises(RecipeError, match="256 items at most"):
        fill("{% for x in items %}{% endfor %}", items=["a"] * (MAX_ITEMS + 1))
    with pytest.raises(RecipeError, match="goes through a list"):
        fill("{% for x in problem %}{% endfor %}", problem="abc")


def test_comparing_what_cannot_be_compared_is_an_error_of_the_template():
    with pytest.raises(RecipeError, match="template fails"):
        fill("{{ problem < 3 }}", problem="x")


PIECES = st.sampled_from(
    [
        *REFUSED.values(),
        *(
            "{{ ",
            " }}",
            "{% ",
            " %}",
            "problem",
            "items",
            "row",
            ".",
            "|",
            "'",
            "(",
            ")",
            "[",
            "]",
            "upper",
            "first",
            "last",
            "length",
            "0",
            "\n",
            "~",
        ),
        *(
            "for x in items",
            "endfor",
            "if problem",
            "elif",
            "else",
            "endif",
            "x",
            "loop",
            "loop.index",
            "loop(items)",
            "not",
            "and",
            "==",
            "<",
            "*",
        ),
        *(
            "{{ problem }}",
            "{% for x in items %}",
            "{{ x }}",
            "{% endfor %}",
            "{% if items %}",
            "{% endif %}",
            "{{ items|first|upper }}",
            "{#",
            "#}",
            "-",
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join) | st.text(alphabet="{}%#|.()[]'\" \nabx_*~", max_size=60))
@example("{{ problem }}{% for x in items %}{{ x }}{% endfor %}")
def test_any_template_is_refused_or_bounded(text):
    try:
        out = fill(text, problem="p" * 1000, items=["i" * 100] * 50, row={"a": "b"})
    except (RecipeError, Refused):
        return
    assert len(out) <= MAX_CHARS
    assert "<class" not in out
    assert "object at 0x" not in out
    assert "built-in" not in out
