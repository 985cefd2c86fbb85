"""Recipe files: guarded YAML (T5), lines of every value, errors that point there, `--set`."""

import json
from typing import Annotated, Any, Literal

import pytest
import yaml
from datalchemy.core.errors import RecipeError, ResumeError
from datalchemy.core.frozen import Frozen
from datalchemy.core.part import Check
from datalchemy.core.record import Record, Verdict
from datalchemy.engine.reading import dotted, explain, located, read, set_path
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BeforeValidator, Field, ValidationError

HOSTILE = {
    "object": ("a: 1\nb: !!python/object/apply:os.system [echo]\n", 2, "tag"),
    "alias bomb": ("a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n", 1, "anchor"),
    "alias": ("a: 1\nb: *a\n", 2, "alias"),
    "duplicate keys": ("target: 1\nname: x\ntarget: 1000\n", 3, "written twice; the first is on line 1"),
    "too deep": ("a: 1\nb: " + "[" * 60 + "]" * 60, 2, "deeper than 50"),
    "far too deep": ("[" * 5000, 1, "deeper than 50"),
    "deep mappings": ("{a: " * 5000, 1, "deeper than 50"),
    "deep blocks": ("\n".join(" " * i + "a:" for i in range(60)), 51, "deeper than 50"),
    "two documents": ("a: 1\n---\nb: 2\n", 2, "second document"),
    "a list": ("- a\n- b\n", 1, "mapping"),
    "a scalar": ("hello", 1, "mapping"),
    "empty": ("# nothing\n", 1, "empty"),
    "no YAML": ("a: [1\nb: 2\n", 2, "not YAML"),
    "tab": ("a:\n\t- 1\n", 2, "YAML is indented by spaces"),
    "control character": ("a: \x07\n", 1, "not YAML"),
    "surrogate": ("a: \ud800\n", 1, "not YAML"),
    "octal": ("a: 1\nport: 010\n", 2, "octal"),
    "list as key": ("[a, b]: 1\n", 1, "key"),
    "huge number": (f"a: {'9' * 5000}\n", 1, "number"),
    "infinite number": ("a: 1e999\n", 1, "too large"),
    "custom tag": ("a: !secret x\n", 1, "tag"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_t5_hostile_files_are_refused_with_file_and_line(name: str) -> None:
    text, line, told = HOSTILE[name]
    with pytest.raises(RecipeError, match=told) as caught:
        read(text, "hostile.yaml")
    assert str(caught.value).startswith(f"hostile.yaml:{line}: ")


def test_t5_more_than_a_megabyte_is_refused_before_it_is_parsed() -> None:
    read("a: " + "x" * 999_000)
    with pytest.raises(RecipeError, match="at most 1,000,000"):
        read("a: " + "x" * 1_000_000)


def test_t5_control_plain_yaml_would_have_taken_the_duplicate() -> None:
    assert yaml.safe_load("target: 1\ntarget: 1000\n") == {"target": 1000}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20_000_000", 20_000_000),
        ("1e6", 1e6),
        ("-2.5e-3", -2.5e-3),
        (".5", 0.5),
        ("0", 0),
        ("-7", -7),
        ("0x1F", 31),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("1:30", "1:30"),
        ("1__0", "1__0"),
        ("1_", "1_"),
        (".inf", ".inf"),
        ("nan", "nan"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("'1e6'", "1e6"),
        ('"010"', "010"),
        ("|\n  1\n", "1\n"),
    ],
)
def test_scalars_mean_what_a_recipes_author_means(text: str, value: Any) -> None:
    found = read(f"a: {text}").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_keys_stay_as_they_are_written() -> None:
    assert read("on: 1\n2: x\ntrue: y\n1.0: z\n").data == {"on": 1, "2": "x", "true": "y", "1.0": "z"}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=9), values, max_size=5), st.booleans(), st.integers(20, 120))
def test_what_yaml_writes_is_read_back(data: dict[str, Any], flow: bool, width: int) -> None:
    dumper = type("Quoting", (yaml.SafeDumper,), {})
    dumper.ignore_aliases = lambda self, value: True
    dumper.add_representer(str, lambda d, text: d.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    assert read(yaml.dump(data, Dumper=dumper, default_flow_style=flow, width=width, allow_unicode=True)).data == data


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#,?~ \n\t01e._\\\x00\u2028é"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(read(text).data, dict)
    except RecipeError as error:
        assert str(error).startswith("recipe.yaml:")


RECIPE = """\
name: trial
output:
  dir: out
  formats: [parquet]
filters:
  - use: think_format
  - use: language
    target: no
prompts:
  cot.solve: my.j2
"""


def test_every_value_knows_its_line() -> None:
    document = read(RECIPE, "trial.yaml")
    assert document.line(("name",)) == 1
    assert document.line(("output", "formats", 0)) == 4
    assert document.line(("filters", 1)) == 7
    assert document.line(("filters", 1, "target")) == 8
    assert document.line(("filters", 1, "missing", 3)) == 7
    assert document.line(("nowhere",)) is None
    assert document.where(("filters", 1, "target")) == "trial.yaml:8 filters[1].target"
    assert dotted(("prompts", "cot.solve")) == 'prompts["cot.solve"]'


def _part(raw: Any) -> Any:
    return Word.model_validate({name: value for name, value in raw.items() if name != "use"}) if isinstance(raw, dict) else raw


class Word(Check):
    """A filter for these tests."""

    target: str
    level: int = 3

    @classmethod
    def part_name(cls) -> str:
        return "word"

    def check(self, record: Record) -> Verdict:
        return self.kept()


class Place(Frozen):
    dir: str = "out"
    formats: tuple[Literal["parquet", "jsonl"], ...] = ("parquet",)


class Plan(Frozen):
    name: str = Field(pattern="^[a-z]+$")
    rollouts: int | Literal["all"] = 1
    output: Place = Place()
    filters: tuple[Annotated[Check, BeforeValidator(_part)], ...] = ()


def wrong(text: str) -> str:
    document = read(text, "trial.yaml")
    with pytest.raises(ValidationError) as caught:
        Plan.model_validate(document.data)
    error = explain(caught.value, document)
    assert error.exit_code == 2
    return str(error)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: a\nrolouts: 3", "trial.yaml:2 rolouts: there is no such field; did you mean 'rollouts'? There are: filters, name, output,"),
        ("rollouts: 3", "trial.yaml name: is required and not there"),
        ("name: a\nrollouts: many", "trial.yaml:2 rollouts: expected a whole number or 'all', got 'many'"),
        ("name: a\nrollouts: [1]", "trial.yaml:2 rollouts: expected a whole number or 'all', got a list"),
        ("name: 1.10", 'trial.yaml:1 name: expected text, got 1.1; write "1.10" with quotes'),
        ("name: A", "trial.yaml:1 name: expected text that matches ^[a-z]+$, got 'A'"),
        ("name: a\noutput:\n  dirr: x", "trial.yaml:3 output.dirr: there is no such field; did you mean 'dir'?"),
        ("name: a\noutput: x", "trial.yaml:2 output: expected a mapping, got 'x'"),
        (
            "name: a\noutput:\n  formats:\n    - parqet",
            "trial.yaml:4 output.formats[0]: expected 'parquet' or 'jsonl', got 'parqet'; did you mean 'parquet'?",
        ),
        (
            "name: a\nfilters:\n  - {use: word, target: x}\n  - use: word\n    levels: 2\n    target: y",
            "trial.yaml:5 filters[1].levels: there is no such field; did you mean 'level'?",
        ),
        ("name: a\nfilters:\n  - use: word", "trial.yaml:3 filters[0].target: is required and not there"),
        ("name: a\nfilters: [{use: word, target: no, level: x}]", "trial.yaml:2 filters[0].level: expected a whole number, got 'x'"),
    ],
)
def test_an_error_names_file_line_field_and_the_nearest_name(text: str, told: str) -> None:
    assert wrong(text).startswith(told)


def test_all_problems_are_told_in_the_order_of_the_file() -> None:
    told = wrong("name: A\nrollouts: x\noutput: {dirr: 1}\n").splitlines()
    assert [line.split()[0] for line in told] == ["trial.yaml:1", "trial.yaml:2", "trial.yaml:3"]


def test_a_secret_value_is_not_repeated() -> None:
    class Keyed(Frozen):
        api_key: Literal["none"] = "none"

    document = read("api_key: sk-123")
    with pytest.raises(ValidationError) as caught:
        Keyed.model_validate(document.data)
    assert "sk-123" not in str(explain(caught.value, document))


def test_a_recipe_built_in_python_is_explained_without_lines() -> None:
    with pytest.raises(ValidationError) as caught:
        Plan.model_validate({"name": "a", "output": {"dirr": 1}})
    assert str(explain(caught.value, None)).startswith("output.dirr: there is no such field; did you mean 'dir'?")


def test_an_error_of_our_own_gets_its_place() -> None:
    document = read(RECIPE, "trial.yaml")
    assert str(located(RecipeError("no such thing"), document, ("filters", 1))) == "trial.yaml:7 filters[1]: no such thing"
    named = located(RecipeError("no such thing", "filters[1].target"), document, ())
    assert str(named) == "trial.yaml:8 filters[1].target: no such thing"
    assert str(located(named, document, ())) == str(named)
    assert isinstance(located(ResumeError("another run"), document, ()), ResumeError)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("target", "50", {"target": 50}),
        ("target", "20_000", {"target": 20_000}),
        ("output.dir", "elsewhere", {"output": {"dir": "elsewhere", "formats": ["parquet"]}}),
        ("output.formats", "[parquet, jsonl]", {"output": {"dir": "out", "formats": ["parquet", "jsonl"]}}),
        ("filters[1].target", "de", {"filters": ["exact", {"use": "language", "target": "de"}]}),
        ("filters[0].enforce", "false", {"filters": [{"use": "exact", "enforce": False}, {"use": "language", "target": "no"}]}),
        ("budget.tokens", "1e6", {"budget": {"tokens": 1e6}}),
        ('prompts["cot.solve"]', "my.j2", {"prompts": {"cot.solve": "my.j2"}}),
        ("task", "write: this #1", {"task": "write: this #1"}),
        ("language", "no", {"language": "no"}),
        ("name", "'010'", {"name": "010"}),
        ("task", "*not an alias", {"task": "*not an alias"}),
    ],
)
def test_set_changes_one_field(path: str, text: str, expected: dict[str, Any]) -> None:
    data = {"output": {"dir": "out", "formats": ["parquet"]}, "filters": ["exact", {"use": "language", "target": "no"}]}
    set_path(data, path, text)
    assert {name: data[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("filters[7].x", "1", r"filters has 2 items; the last is \[1\]"),
        ("name.x", "1", "name is text, it has no 'x'"),
        ("name[0]", "1", "name is text, not a list"),
        ("[0]", "1", "expected a path"),
        ("a..b", "1", "expected a path"),
        ("", "1", "expected a path"),
        ("a", "[1", "not YAML"),
        ("a", "{x: &y 1}", "anchor"),
        ("a", "010", "octal"),
    ],
)
def test_set_says_what_is_wrong(path: str, text: str, told: str) -> None:
    data = {"name": "a", "filters": [1, 2]}
    before = json.dumps(data)
    with pytest.raises(RecipeError, match=told) as caught:
        set_path(data, path, text)
    assert f"--set {path}" in str(caught.value)
    assert json.dumps(data) == before
