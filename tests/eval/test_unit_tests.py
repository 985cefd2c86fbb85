"""Code against its tests: the shapes that data sets have, what counts as right, and who cheats."""

from __future__ import annotations

import base64
import json
import marshal
import pickle
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from code_cheats import CHEATS, ORACLE, TESTS
from conftest import FilterTools
from datalchemy.core.record import Conversation, Message, PlainText, Record, Verdict, assistant, user
from datalchemy.core.sandbox import Program, Ran
from datalchemy.eval import _code_answer, _code_asserts, _code_compare
from datalchemy.eval._code_candidate import quoted
from datalchemy.eval._code_tests import suite_of
from datalchemy.eval.sandbox.local import LocalSandbox, probed
from datalchemy.eval.unit_tests import UnitTests
from hypothesis import given
from hypothesis import strategies as st

needs_sandbox = pytest.mark.skipif(probed().room is None, reason=f"no sandbox here: {probed().why}")
Run = Callable[..., Any]


def record(code: str, tests: Any = None, *, fence: bool = True, **fields: Any) -> Record:
    text = f"Here it is:\n```python\n{code}\n```\nDone." if fence else code
    turns = (Message(role="user", content="Write it."), Message(role="assistant", content=text))
    return Record(content=Conversation(messages=turns), tests=tests if isinstance(tests, str | None) else json.dumps(tests), fields=fields)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def many(tools: FilterTools) -> AsyncIterator[FilterTools]:
    """Tools with a sandbox that runs more at a time than there are cores: most cheats wait."""
    async with LocalSandbox(at_once=8) as sandbox:
        yield FilterTools(workers=tools.workers, sandbox=sandbox)


@pytest.fixture
def run(many: FilterTools) -> Run:
    async def run(*records: Record, **settings: Any) -> list[Verdict]:
        async with UnitTests(**settings).open(many) as judge:  # type: ignore[arg-type]
            return list(await judge(records))

    return run


@needs_sandbox
class TestCheats:
    async def test_every_cheat_scores_0_and_every_oracle_1_in_every_form(self, run: Run) -> None:
        programs = {"oracle": ORACLE, **CHEATS}
        asked = [(form, name) for form in TESTS for name in programs]
        verdicts = await run(*(record(programs[name], TESTS[form]) for form, name in asked), timeout_s=1, total_s=1.2)
        wrong = {key: verdict for key, verdict in zip(asked, verdicts, strict=True) if verdict.score != float(key[1] == "oracle")}
        assert not wrong
        assert {verdict.outcome for verdict in verdicts} == {"keep", "refuse"}

    async def test_what_is_expected_is_never_in_the_sandbox(self, many: FilterTools) -> None:
        seen: list[bytes] = []

        class Spy:
            async def tier(self) -> str:
                return await many.sandbox.tier()

            async def run(self, program: Program) -> Ran:
                seen.append(program.stdin + b"".join(program.files.values()) + " ".join(program.argv).encode())
                return await many.sandbox.run(program)

        tests = [
            {"inputs": [["a"]], "outputs": ["CANARY"], "fn_name": "f"},
            {"inputs": ["a"], "outputs": ["CANARY"]},
            ["assert f('a') == 'CANARY'", "assert 'CANARY' == f('b')"],
        ]
        async with UnitTests().open(FilterTools(workers=many.workers, sandbox=Spy())) as judge:  # type: ignore[arg-type]
            verdicts = await judge([record("def f(x): return 'CAN' + 'ARY'\nprint(f(1))", one) for one in tests])
        assert [verdict.score for verdict in verdicts] == [1, 1, 1]
        assert len(seen) == 4
        assert not any(b"CANARY" in body for body in seen)

    async def test_two_candidates_never_share_a_sandbox(self, run: Run) -> None:
        writes = record("open('/tmp/answer', 'w').write('4')\ndef f(): return 4", ["assert f() == 4"])
        reads = record("def f(): return int(open('/tmp/answer').read())", ["assert f() == 4"])
        for verdicts in (await run(writes, reads), await run(reads, writes)):
            assert sorted(verdict.score for verdict in verdicts) == [0, 1]


@needs_sandbox
class TestShapes:
    @pytest.mark.parametrize(
        ("code", "tests"),
        [
            ("n = int(input())\nprint(*range(n))", {"inputs": ["3\n", "1"], "outputs": ["0 1 2\n", "0"]}),
            ("print(input() + input())", {"inputs": [["a", "b"]], "outputs": [["ab"]]}),
            ("def add(a, b): return a + b", {"inputs": [[1, 2]], "outputs": [[3]], "fn_name": "add"}),
            ("def pair(a): return [a, a]", {"inputs": [[1]], "outputs": [[1, 1]], "fn_name": "pair"}),
            (
                "class Solution:\n    def add(self, a: List[int]) -> int: return sum(a)",
                {"inputs": [[[1, 2]]], "outputs": [3], "fn_name": "add"},
            ),
            ("def add(a, b): return a + b", {"input_output": '{"inputs": [[1, 2]], "outputs": [3], "fn_name": "add"}'}),
            ("print(int(input()) + 1)", [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]),
            (
                "print(int(input()) + 1)",
                {"public_test_cases": '[{"input": "1", "output": "2", "testtype": "stdin"}]', "private_test_cases": "[]"},
            ),
            (
                "class Solution:\n    def f(self, a, b): return {str(a): b}",
                {
                    "public_test_cases": [{"input": '1\n[2, "x"]', "output": '{"1": [2, "x"]}', "testtype": "functional"}],
                    "metadata": '{"func_name": "f"}',
                },
            ),
            ("    return a + b\n", {"prompt": "def add(a, b):\n", "entry_point": "add", "test": "def check(f):\n    assert f(1, 2) == 3"}),
            (
                "def add(a, b):\r\n    return a + b\r\n",
                {"test_list": ["assert add(1, 2) == 3", "assert add(a=1, b=1) == 2"], "test_setup_code": ""},
            ),
            (
                "def area(r): return math.pi * r * r",
                {"test_list": ["assert math.isclose(area(1), 3.14159, rel_tol=0.01)"], "test_setup_code": "import math"},
            ),
            ("def add(a, b): return a + b", "assert add(1, 2) == 3\nassert add(2, 2) == 4"),
            ("def add(a, b): return a + b", {"assert_case": ["assert add(1, 2) == 3"]}),
            (
                "def add(a, b): return a + b",
                {"language": "python", "test_cases": [{"type": "function_call", "fn_name": "add", "input": [1, 2], "output": 3}]},
            ),
            (
                "print(input())",
                {"verification_info": {"language": "python", "test_cases": [{"type": "stdin_stdout", "input": "a", "output": "a"}]}},
            ),
            ("from __future__ import annotations\ndef f(x: Optional[int]): return x", ["assert f(3) == 3"]),
        ],
    )
    async def test_is_read_as_it_is(self, run: Run, code: str, tests: Any) -> None:
        fence = not code.startswith("    ")
        (from_tests,) = await run(record(code, tests, fence=fence))
        assert from_tests.keep, from_tests.reason
        if isinstance(tests, dict):
            (from_fields,) = await run(record(code, None, fence=fence, **tests))
            assert from_fields.keep, from_fields.reason
        (control,) = await run(record("def add(*a, **b): return 99\nf = pair = area = add\nprint(99)", tests))
        assert control.score == 0

    @pytest.mark.parametrize(
        "body",
        [
            "    total = a + b\n    return total\n", "total = a + b\n    return total", "total = a + b\nreturn total", "return a + b",
            "```python\ntotal = a + b\nreturn total\n```", "def add(a, b):\n    return plain(a + b)\n", "if a:\n    a = a + 0\nreturn a + b",
        ],
    )  # fmt: skip
    async def test_the_head_of_a_function_may_be_the_user_turn(self, run: Run, body: str) -> None:
        prompt = 'def plain(x):\n    return x\n\n\ndef add(a, b):\n    """The sum."""\n'
        tests = {"entry_point": "add", "test": "def check(f):\n    assert f(1, 2) == 3 and f(0, 2) == 2"}
        asked = Record(content=Conversation(messages=(user(prompt), assistant(body))), fields=tests)
        stripped = Record(content=Conversation(messages=(user(prompt.strip()), assistant(body))), fields=tests)
        wrong = Record(content=Conversation(messages=(user(prompt), assistant("return a - b"))), fields=tests)
        words = Record(
            content=Conversation(
                messages=(user("Write def add(a, b).\ndef add is what is called"), assistant("def add(a, b): return a + b"))
            ),
            fields=tests,
        )
        assert [verdict.score for verdict in await run(asked, stripped, wrong, words)] == [1, 1, 0, 1]

    async def test_helpers_of_the_prompt_are_there_for_the_tests_and_are_not_the_candidates(self, run: Run) -> None:
        prompt = "def poly(cs, x):\n    return sum(c * x ** i for i, c in enumerate(cs))\n\ndef root(cs):\n    '''A root.'''\n"
        tests = {"prompt": prompt, "entry_point": "root", "test": "def check(f):\n    assert abs(poly([-4, 2], f([-4, 2]))) < 1e-4\n"}
        right = "def root(cs):\n    return -cs[0] / cs[1]"
        cheat = "def poly(cs, x):\n    return 0\ndef root(cs):\n    return 0"
        assert [verdict.score for verdict in await run(record(right, tests), record(cheat, tests))] == [1, 0]

    async def test_arguments_changed_in_place_exceptions_and_iterators_reach_the_tests(self, run: Run) -> None:
        code = """
def sort(a): a.sort()
def fails(x):
    raise ValueError("no")
def steps(n):
    yield from range(n)
"""
        tests = [
            "a = [3, 1, 2]\nsort(a)\nassert a == [1, 2, 3]",
            "try:\n    fails(1)\n    assert False\nexcept ValueError as error:\n    assert str(error) == 'no'",
            "assert list(steps(3)) == [0, 1, 2]",
        ]
        (verdict,) = await run(record(code, tests))
        assert verdict.keep, verdict.reason

    async def test_pickled_tests_are_never_opened(self, run: Run) -> None:
        class Bomb:
            def __reduce__(self) -> Any:
                return (print, ("unpickled",))

        packed = base64.b64encode(zlib.compress(pickle.dumps(Bomb()))).decode()
        (verdict,) = await run(record("print(1)", {"public_test_cases": "[]", "private_test_cases": packed}))
        assert (verdict.outcome, verdict.reason.split(":")[0]) == ("abstain", "pickled_tests")

    @pytest.mark.parametrize(
        ("tests", "word"),
        [
            (None, "no_tests"), ("[]", "no_tests"), ("{}", "no_tests"), ("{", "bad_tests"), ("[1]", "bad_tests"), ("[" * 100_000, "bad_tests"),
            ({"inputs": ["1", "2"], "outputs": ["1"]}, "bad_tests"), ({"inputs": [], "outputs": []}, "bad_tests"),
            ({"inputs": 3, "outputs": 4}, "bad_tests"), ({"test_list": "\ud800"}, "unsupported_tests"), ({"language": "cpp", "test_cases": [{"input": "1", "output": "1"}]}, "other_language"),
            ([{"input": "[1]", "output": "1", "testtype": "functional"}], "bad_tests"), (["assert ("], "unsupported_tests"),
            (["assert f(lambda: 1) == 1"], "unsupported_tests"), ({"entry_point": "f", "test": "x = 1"}, "unsupported_tests"),
        ],
    )  # fmt: skip
    async def test_tests_that_cannot_be_used_are_an_abstention(self, run: Run, tests: Any, word: str) -> None:
        (verdict,) = await run(record("def f(x): return 1", tests))
        assert (verdict.outcome, verdict.reason.split(":")[0]) == ("abstain", word), verdict.reason


@needs_sandbox
class TestWhatIsRight:
    @pytest.mark.parametrize(
        ("returned", "expected", "score"),
        [
            ("1", 1, 1), ("True", 1, 0), ("1", True, 0), ("1.0", 1, 1), ("2", 2.0, 1), ("0.1 + 0.2", 0.3, 1), ("0.31", 0.3, 0), ("'1'", 1, 0),
            ("None", None, 1), ("0", None, 0), ("(1, 2)", [1, 2], 1), ("{1, 2}", [1, 2], 0), ("{1: 'a'}", {"1": "a"}, 1), ("[]", {}, 0),
            ("2 ** 200", 2**200, 1), ("2 ** 200 + 1", 2**200, 0), ("[1, 2]", [1, 2, 3], 0), ("[1, 2, 3]", [1, 2], 0), ("'é'", "é", 1),
            ("[[1, (2,)], {'a': [None]}]", [[1, [2]], {"a": [None]}], 1), ("float('inf')", 1, 0), ("object()", 1, 0), ("b'a'", "a", 0),
        ],
    )  # fmt: skip
    async def test_values_are_compared_with_their_types(self, run: Run, returned: str, expected: Any, score: float) -> None:
        tests = [{"type": "function_call", "fn_name": "f", "input": [], "output": [expected]}]
        tests[0]["output"] = expected
        (verdict,) = await run(record(f"def f(): return {returned}", tests))
        assert verdict.score == score, verdict.reason

    async def test_an_assert_knows_tuples_and_sets(self, run: Run) -> None:
        code = "def t(): return (1, 2)\ndef l(): return [1, 2]\ndef s(): return {2, 1}\ndef b(): return 0"
        good = ["assert t() == (1, 2)", "assert l() == [1, 2]", "assert s() == {1, 2}", "assert not b()", "assert t()"]
        bad = ["assert t() == [1, 2]", "assert l() == (1, 2)", "assert s() == {1}", "assert b()", "assert not t()", "assert b() == False"]
        verdicts = await run(*(record(code, [one]) for one in good + bad))
        assert [verdict.score for verdict in verdicts] == [1] * len(good) + [0] * len(bad)

    async def test_each_program_is_fresh_and_its_own_exit_is_heard(self, run: Run) -> None:
        leaves = "import os, time\nif os.fork() == 0:\n    time.sleep(30)\nprint(1)"
        counts = "import builtins\nbuiltins.n = getattr(builtins, 'n', 0) + 1\nprint(builtins.n)"
        tests = {"inputs": ["", "", ""], "outputs": ["1", "1", "1"]}
        ends = "import os, sys\nprint(1)\nsys.stdout.flush()\nos._exit({0})"
        thread = "import threading\ndef main(): print(1)\nthreading.Thread(target=main).start()"
        verdicts = await run(
            *(record(code, tests) for code in (counts, ends.format(0), ends.format(1), "import sys\nprint(1)\nsys.exit(1)", thread, leaves))
        )
        assert [verdict.score for verdict in verdicts] == [1, 1, 0, 0, 1, 1]

    async def test_kinds_are_told_apart_and_a_share_is_the_score(self, run: Run) -> None:
        code = "def f(x):\n    if x == 1: return 1\n    if x == 2: return 0\n    if x == 3: raise KeyError('k')\n    while True: pass"
        tests = {"inputs": [[1], [2], [3], [4], [1]], "outputs": [1, 2, 3, 4, 1], "fn_name": "f"}
        ((verdict,), (half,), (broken,)) = [
            await run(record(code, tests), timeout_s=2),
            await run(record(code, tests), timeout_s=2, min_share=0.4),
            await run(record("def f(:", tests)),
        ]
        assert verdict.score == half.score == 0.4
        assert (verdict.outcome, half.outcome) == ("refuse", "keep")
        assert verdict.evidence == {"mode": "call", "cases": 5, "passed": 2, "wrong": 1, "runtime_error": 1, "timeout": 1}
        assert verdict.reason == "wrong: 2 of 5 cases passed; case 2: gave 0, expected 2"
        assert broken.reason.startswith("compile_error: ")

    async def test_a_sandbox_that_fails_is_an_abstention_never_a_0(self, many: FilterTools) -> None:
        class Broken:
            runs = 0

            async def tier(self) -> str:
                return "none"

            async def run(self, program: Program) -> Ran:
                self.runs += 1
                compiled = Ran(status=0, stdout=marshal.dumps([b"", b""], 2))
                return Ran(infrastructure="bwrap: no space left") if self.runs > 1 else compiled

        broken = Broken()
        async with UnitTests().open(FilterTools(workers=many.workers, sandbox=broken)) as judge:  # type: ignore[arg-type]
            (verdict,) = await judge([record("def f(): return 1", ["assert f() == 1"])])
        assert (verdict.outcome, verdict.score) == ("abstain", None)
        assert verdict.reason == "infrastructure: bwrap: no space left"
        assert broken.runs == 3  # compiled once, tried twice

    async def test_why_a_candidate_was_not_loaded_is_told_whoever_is_faster(self, run: Run) -> None:
        broken, ends = record("def f(:\n", ["assert f() == 1"]), record("raise SystemExit", ["assert f() == 1"])
        verdicts = await run(*(one for at in range(30) for one in (broken, ends)))
        assert {verdict.reason.partition(":")[0] for verdict in verdicts[::2]} == {"compile_error"}
        assert all("SystemExit" in verdict.reason for verdict in verdicts[1::2])

    async def test_what_a_candidate_says_cannot_break_a_verdict(self, run: Run) -> None:
        deep = "[" * 900 + "]" * 900
        forged = (
            f"import os\nfor reply in (b'[\"loaded\",[\"l\"]]', b'[\"value\",{deep}]'): os.write(4, len(reply).to_bytes(4, 'big') + reply)"
        )
        forged_kinds = [
            f"import os\nfor reply in (b'[\"loaded\",[\"l\"]]', b'{body}'): os.write(4, len(reply).to_bytes(4, 'big') + reply)"
            for body in (
                f'["raised",{deep},{deep}]',
                f'["o",{deep}]',
                f'["value",["o",{deep}]]',
                '["value"]',
                '["died",[]]',
                "[[]]",
                '["value",["d",1]]',
                "7",
            )
        ]
        says = "def f(): raise ValueError('\\ud800 \\x1b[31m \\n' + 'x' * 1000)"
        for verdict in await run(
            *(record(code, ["assert f() == 1"]) for code in (forged, *forged_kinds, says, f"def f(): return {deep[850:950]}"))
        ):
            assert (verdict.outcome, verdict.score) == ("refuse", 0)
            assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
            assert verdict.reason.isprintable()

    async def test_hostile_texts_are_verdicts(self, run: Run) -> None:
        texts = [
            "",
            "\0",
            "\ud800 = 1",
            "```python\n\ud800\n```",
            "```" * 1000,
            "(" * 100_000,
            "x" * (2 << 20),
            "```cpp\nint main() {}\n```",
            "\x1b[31m",
        ]
        verdicts = await run(*(record(text, ["assert f() == 1"], fence=False) for text in texts), PLAIN)
        assert {verdict.outcome for verdict in verdicts[:-1]} == {"refuse"}
        assert verdicts[7].reason.startswith("wrong_language: ")
        assert verdicts[-1].outcome == "abstain"


PLAIN = Record(content=PlainText(text="A page."))


class TestReading:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("```python\na\n```\ntext\n```\nb\n```", "a\n"), ("```\na\n```\n```py\nb\n```\n```text\nc\n```", "b\n"), ("```\na\n```\n```\nb\n```", "b\n"),
            ("```python\na\n\nb", "a\n\nb\n"), ("a\r\nb", "a\nb"), ("~~~python3\na\n~~~", "a\n"), ("````python\na\n```\nb\n````", "a\n```\nb\n"),
            ("```Python title=x\na\n```", "a\n"), ("x = '''```'''", "x = '''```'''"),
        ],
    )  # fmt: skip
    def test_the_code_is_the_last_block_that_can_be_python(self, text: str, code: str) -> None:
        assert _code_answer.code_of(text) == (code, "")

    def test_plain_asserts_are_taken_apart_and_others_are_not(self) -> None:
        assert _code_asserts.split("assert f(1, [2]) == (3,)\nassert 4 == f(x=5)") == [
            ("f(1, [2])", (3,), "python"),
            ("f(x=5)", 4, "python"),
        ]
        for text in (
            "assert f(1) == g(1)",
            "assert sorted(f(1)) == [1]",
            "x = f(1)\nassert x == 1",
            "assert f(a) == 1",
            "assert f(1) != 2",
            "(",
            "",
        ):
            assert _code_asserts.split(text) is None

    def test_outputs_of_other_lengths_never_agree(self) -> None:
        assert not _code_compare.same_output("1", "1\n2\n3", 1e-9)
        assert not _code_compare.same_output("1\n2\n3", "1", 1e-9)
        assert not _code_compare.same_output("1 2", "1", 1e-9)
        assert not _code_compare.same_output("", "1", 1e-9)
        assert _code_compare.same_output("1  2 \r\n\n", "1 2\n", 1e-9)

    def test_numbers_of_an_output_are_compared_by_value(self) -> None:
        for got, expected, same in [
            ("0.50", "0.5", True), ("1e3", "1000", True), ("100000000000000000001", "100000000000000000000", False), ("0.3333333333", "0.33333333333", True),
            ("0.33", "0.34", False), ("nan", "1", False), ("1e999999999", "1", False), ("1_0", "10", False), ("9" * 500, "9" * 499 + "8", False), ("007", "7", True),
        ]:  # fmt: skip
            assert _code_compare.same_output(got, expected, 1e-9) is same, (got, expected)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
            lambda one: st.lists(one) | st.dictionaries(st.text(), one),
        )
    )
    def test_a_value_is_the_same_as_itself_after_the_way_through_the_sandbox(self, value: Any) -> None:
        from datalchemy.eval._code_candidate import encoded

        assert _code_compare.same_value(json.loads(encoded(value)), value, 0, python=True)
        assert not _code_compare.same_value(json.loads(encoded([value])), value, 0, python=True) or value == [value]

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one, max_size=4)))
    def test_no_reply_breaks_the_comparison(self, reply: Any) -> None:
        for expected in (1, [1], {"a": 1}, {1}, b"a", 1j, None, "a", (1,)):
            assert _code_compare.same_value(reply, expected, 0, python=True) in (True, False)
        assert _code_compare.truthy(reply) in (True, False)

    @given(st.text())
    def test_no_text_breaks_the_reading(self, text: str) -> None:
        code, _ = _code_answer.code_of(text)
        assert isinstance(_code_answer.program_of(code, "", "f", ""), str)
        _code_asserts.split(text)

    def test_fields_are_read_where_there_are_no_tests(self) -> None:
        made = Record(fields={"input_output": '{"inputs": ["1"], "outputs": ["2"]}', "question": "?"})
        assert [(case.ask, case.expected) for case in suite_of(made).cases] == [("1", "2")]


@given(st.one_of(st.text(), st.text(st.characters(max_codepoint=127), max_size=1200)))
def test_what_a_candidate_says_is_json_in_ascii(text: str) -> None:
    said = quoted(text)
    assert said.isascii()
    assert json.loads(said) == text
