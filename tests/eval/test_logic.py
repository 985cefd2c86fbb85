from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from datalchemy.core.errors import WorkerFault
from datalchemy.core.record import Conversation, Record, Verdict, user
from datalchemy.eval._assignments import same, stated
from datalchemy.eval._logic_worker import solve
from datalchemy.eval.logic import Logic
from hypothesis import given, settings
from hypothesis import strategies as st

Judge = Callable[..., Any]
Reply = Callable[..., Record]

ISLAND = {
    "variables": {"Ada": ["knight", "knave"], "Ben": ["knight", "knave"]},
    "constraints": [{"says": ["Ada", {"and": [{"knave": "Ada"}, {"knight": "Ben"}]}]}],
}
"""Ada says: I am a knave and Ben is a knight. So both are knaves."""
ROW = {
    "variables": {name: {"from": 1, "to": 3} for name in ("cat", "dog", "owl")},
    "constraints": [{"all_different": ["cat", "dog", "owl"]}, {"just_before": ["owl", "cat"]}, {"not_equal": ["dog", 1]}],
}
"""owl 1, cat 2, dog 3."""


def word(verdict: Verdict) -> str:
    return verdict.reason.partition(":")[0] or verdict.outcome


def puzzle(constraints: list[Any], variables: dict[str, Any] | None = None, **more: Any) -> str:
    return json.dumps({"variables": variables or {name: {"from": 1, "to": 3} for name in "abc"}, "constraints": constraints, **more})


def found(*constraints: Any, **variables: Any) -> int | str:
    """How many solutions (2: more than one), or why the puzzle cannot be read."""
    told = solve(puzzle(list(constraints), variables or None))
    return str(told["fault"]) if "fault" in told else len(told["solutions"])


async def one(judge: Judge, record: Record, **settings: Any) -> Verdict:
    (verdict,) = await judge(Logic(**settings), [record])
    return verdict


def seed(tests: str | None, **fields: Any) -> Record:
    return Record(content=Conversation(messages=(user("Who is what?"),)), tests=tests, fields=fields)


@pytest.mark.parametrize(
    ("constraints", "expected", "reason"),
    [
        (ISLAND["constraints"], "keep", ""),
        ([], "several_solutions", "several_solutions: Ben is knave in one and knight in another"),
        ([{"knight": "Ada"}, {"knave": "Ada"}], "no_solution", "no_solution: the constraints contradict each other"),
        ([{"says": ["Ada", {"knave": "Ada"}]}], "no_solution", "no_solution: the constraints contradict each other"),
    ],
)
async def test_a_puzzle_must_have_one_solution(judge: Judge, constraints: list[Any], expected: str, reason: str) -> None:
    verdict = await one(judge, seed(json.dumps({**ISLAND, "constraints": constraints})))
    assert word(verdict) == expected
    assert verdict.reason == reason
    assert verdict.score == float(expected == "keep")
    if expected == "keep":
        assert verdict.evidence == {"solution": "Ada: knave, Ben: knave"}


@pytest.mark.parametrize(
    ("text", "expected", "score"),
    [
        ('{"Ada": "knave", "Ben": "knave"}', "keep", 1.0),
        ('So\n```json\n{"ada": "Knave", "BEN": "a knave"}\n```\nIndeed.', "keep", 1.0),
        ('{"answer": {"Ada": "knave", "Ben": "knave"}}', "keep", 1.0),
        ("Ada: knave\nBen: knave", "keep", 1.0),
        ("- **Ada**: knave\n- **Ben** = *knave*.", "keep", 1.0),
        ("Ada is a knave, Ben is a knave.", "keep", 1.0),
        ("\\boxed{\\text{Ada} = \\text{knave}, \\text{Ben} = \\text{knave}}", "keep", 1.0),
        ("<answer>Ada -> knave; Ben -> knave</answer>", "keep", 1.0),
        ('First {"Ada": "knight", "Ben": "knave"}, no: {"Ada": "knave", "Ben": "knave"}', "keep", 1.0),
        ("Suppose Ada is a knight.\n\n\\boxed{Ada: knave, Ben: knave}", "keep", 1.0),
        ('{"Ada": "knight", "Ben": "knave"}', "wrong_answer", 0.5),
        ("Ada: knave", "incomplete", 0.5),
        ("Ada: knave, Ben: knave, Ben: knight", "several_answers", 0.5),
        ("Ada: knave, Ben: knight, Ben: spy", "wrong_answer", 0.5),
        ("They are both knaves.", "no_answer", 0.0),
        ("", "no_answer", 0.0),
        ("<think>Ada: knave, Ben: knave", "no_answer", 0.0),
        ("<think>Ada: knight</think>Ada: knave, Ben: knave", "keep", 1.0),
    ],
)
async def test_an_answer_must_be_the_solution(judge: Judge, reply: Reply, text: str, expected: str, score: float) -> None:
    verdict = await one(judge, reply(text, tests=json.dumps(ISLAND)))
    assert (word(verdict), verdict.score) == (expected, score)


async def test_reason_and_evidence(judge: Judge, reply: Reply) -> None:
    verdict = await one(judge, reply("owl: 1, cat: 3, dog: 2", tests=json.dumps(ROW)))
    assert verdict.reason == "wrong_answer: cat is 3, expected 2"
    assert verdict.evidence == {"solution": "cat: 2, dog: 3, owl: 1"}
    assert verdict.score == 1 / 3


async def test_only_what_is_asked_counts(judge: Judge, reply: Reply) -> None:
    asked = json.dumps({**ROW, "ask": "dog"})
    for text in ("dog = 3", "\\boxed{3}", "\\boxed{\\text{dog}: 3.0}", "<answer>3</answer>", "dog: 3, cat: 1"):
        assert word(await one(judge, reply(text, tests=asked))) == "keep"
    assert word(await one(judge, reply("\\boxed{2}", tests=asked))) == "wrong_answer"
    assert word(await one(judge, reply("cat: 2", tests=asked))) == "no_answer"


async def test_where_the_puzzle_is(judge: Judge) -> None:
    assert word(await one(judge, seed(None))) == "no_puzzle"
    assert (await one(judge, seed("  "))).outcome == "abstain"
    assert Logic().on_abstain == "refuse"
    assert (await one(judge, seed(None, puzzle=ISLAND), column="puzzle")).keep
    assert (await one(judge, seed(None, puzzle=json.dumps(ISLAND)), column="puzzle")).keep
    assert word(await one(judge, seed(json.dumps(ISLAND)), column="puzzle")) == "no_puzzle"


@pytest.mark.parametrize(
    ("constraints", "expected"),
    [
        ([{"equal": ["a", 1]}, {"equal": ["b", "a"]}, {"equal": ["c", {"value": 3}]}], 1),
        ([{"all_equal": ["a", "b", "c"]}, {"at_least": ["a", 3]}], 1),
        ([{"less": ["a", "b"]}, {"before": ["b", "c"]}], 1),
        ([{"greater": ["a", "b"]}, {"greater": ["b", "c"]}], 1),
        ([{"at_most": ["a", 1]}, {"at_most": ["b", 1]}, {"at_most": ["c", 1]}], 1),
        ([{"all_different": ["a", "b", "c"]}, {"between": ["a", "b", "c"]}, {"just_before": ["b", "a"]}], 1),
        ([{"apart": ["a", "b", 2]}, {"less": ["a", "b"]}, {"next_to": ["c", "a"]}], 1),
        ([{"sum": {"of": ["a", "b", "c"], "equals": 9}}], 1),
        ([{"sum": {"of": ["a", "b", "c"], "equals": 8}}], 2),
        ([{"sum": {"of": ["a", "b", "c"], "equals": 10}}], 0),
        ([{"sum": {"of": ["a", "b", "c"], "at_most": 3}}], 1),
        ([{"sum": {"of": ["a", "b", "c"], "weights": [1, 1, -2], "at_least": 4}}], 1),
        ([{"sum": {"of": ["a", "a"], "equals": "b"}}, {"equal": ["c", 1]}], 1),
        ([{"product": {"of": ["a", "b", "c"], "equals": 27}}], 1),
        ([{"in": ["a", [2]]}, {"in": ["b", [3, 9]]}, {"in": ["c", [1]]}], 1),
        ([{"not": {"in": [v, [1, 2]]}} for v in "abc"], 1),
        ([{"count": {"of": [{"equal": [v, 3]} for v in "abc"], "equals": 3}}], 1),
        ([{"count": {"of": [{"equal": [v, 3]} for v in "abc"], "at_least": 3}}], 1),
        ([{"count": {"of": [{"less": [v, 3]} for v in "abc"], "at_most": 0}}], 1),
        ([{"xor": [{"equal": ["a", 1]}, {"equal": ["a", 1]}, {"equal": ["a", 1]}]}], 0),
        ([{"equal": [1, 2]}], 0),
        ([{"equal": [1, 1]}], 2),
    ],
)
def test_the_vocabulary(constraints: list[Any], expected: int) -> None:
    assert found(*constraints) == expected


def test_truths_and_spies() -> None:
    boolean = {name: [True, False] for name in "pq"}
    assert found("p", {"implies": ["p", {"not": "q"}]}, **boolean) == 1
    assert found({"iff": ["p", "q"]}, {"or": ["p", "q"]}, **boolean) == 1
    assert found({"says": ["p", {"not": "q"}]}, "q", **boolean) == 1
    three = {name: ["knight", "knave", "spy"] for name in ("A", "B")}
    assert found({"spy": "A"}, {"says": ["A", {"knight": "A"}]}, {"says": ["B", {"spy": "A"}]}, {"not": {"spy": "B"}}, **three) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "Expecting value"),
        ("[]", "an object with variables"),
        ("NaN", "NaN"),
        ('{"variables": {"a": [1, NaN]}, "constraints": []}', "NaN is no value"),
        (puzzle([], more=1), "an object with variables"),
        (puzzle([], {"a": []}), "the domain of 'a'"),
        (puzzle([], {"a": [1, "x"]}), "must all be texts"),
        (puzzle([], {"a": [[1]]}), "must all be texts"),
        (puzzle([], {"a": {"from": 1, "to": 10**9}}), "wider than"),
        (puzzle([], {str(n): [1, 2] for n in range(201)}), "1 to 200 names"),
        (puzzle([{"equal": ["a", "b"]}] * 2001), "more than 2000"),
        (puzzle([{"eval": "__import__('os')"}]), "no constraint named 'eval'"),
        (puzzle([{"equal": ["a", "nobody"]}]), "'nobody' is neither"),
        (puzzle([{"equal": ["a"]}]), "a list of 2"),
        (puzzle([{"equal": ["a", None]}]), "a value is"),
        (puzzle([{"equal": ["a", 1], "less": ["a", 1]}]), "one key"),
        (puzzle([{"sum": {"of": ["a"], "weights": ["x"], "equals": 1}}]), "weights"),
        (puzzle(["a"]), "cannot be compared"),
        (puzzle([{"less": ["a", "b"]}], {"a": ["x"], "b": [1]}), "cannot be compared"),
        (puzzle([], ask=["z"]), "ask must name variables"),
        ('{"a":' * 5000 + "1" + "}" * 5000, ""),
        (json.dumps({"variables": {"a": [1]}, "constraints": [json.loads('{"not":' * 40 + '"a"' + "}" * 40)]}), "nested deeper"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_place(judge: Judge, text: str, why: str) -> None:
    verdict = await one(judge, seed(text))
    assert word(verdict) == "unreadable"
    assert why in verdict.reason


async def test_a_puzzle_that_takes_too_long_costs_its_time_once(judge: Judge, tools: Any) -> None:
    """Eleven pigeons in ten holes, which backtracking cannot see through."""
    pigeons = [f"p{n}" for n in range(11)]
    pairs = [{"not_equal": list(pair)} for pair in itertools.combinations(pigeons, 2)]
    hard = puzzle(pairs, {name: {"from": 1, "to": 10} for name in pigeons})
    hard_record = seed(hard)
    asked = []

    class Counting:
        async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
            asked.append(argument)
            return await tools.workers.call(function, argument, timeout_s=timeout_s)

    async with Logic(timeout_s=0.3).open(replace(tools, workers=Counting())) as judged:
        verdicts = [*await judged([hard_record, hard_record, seed(json.dumps(ISLAND))]), *await judged([hard_record])]
    assert [word(verdict) for verdict in verdicts] == ["solver_timeout", "solver_timeout", "keep", "solver_timeout"]
    assert {verdict.outcome for verdict in verdicts} == {"abstain", "keep"}
    assert len(asked) == 2


async def test_a_solver_that_dies_is_an_abstention_and_is_tried_again(tools: Any) -> None:
    faults = [WorkerFault("died", "so it went"), None]

    class Dying:
        async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
            if fault := faults.pop(0):
                raise fault
            return await tools.workers.call(function, argument, timeout_s=timeout_s)

    async with Logic().open(replace(tools, workers=Dying())) as judged:
        assert [word(verdict) for verdict in await judged([seed(json.dumps(ROW))])] == ["solver_died"]
        assert [word(verdict) for verdict in await judged([seed(json.dumps(ROW))])] == ["keep"]


@pytest.mark.parametrize(
    "text", ["{" * 50_000, "\ud800", "Ada: " * 20_000, '{"Ada":' * 3000, "\\boxed{" * 9000, "Ada is " + "a " * 90_000, "\x00\x01"]
)
async def test_hostile_answers_and_puzzles_get_a_verdict(judge: Judge, reply: Reply, text: str) -> None:
    verdicts = await judge(Logic(), [reply(text, tests=json.dumps(ISLAND)), seed(text), reply(text, tests=text)])
    assert not any(verdict.keep for verdict in verdicts)
    assert all(len(verdict.model_dump_json()) < 2000 for verdict in verdicts)


NAMES = ["x", "y", "z"]
TERM = st.sampled_from([*NAMES, 0, 1, 2])
RELATION = st.tuples(st.sampled_from(["equal", "not_equal", "less", "at_most", "next_to"]), TERM, TERM).map(lambda t: {t[0]: [t[1], t[2]]})
TOTAL = st.tuples(
    st.lists(st.sampled_from([-2, -1, 1, 3]), min_size=3, max_size=3),
    st.integers(-6, 9),
    st.sampled_from(["equals", "at_most", "at_least"]),
)
STATEMENT = st.recursive(
    RELATION | TOTAL.map(lambda t: {"sum": {"of": NAMES, "weights": t[0], t[2]: t[1]}}) | st.just({"all_different": NAMES}),
    lambda inner: st.one_of(
        inner.map(lambda one: {"not": one}),
        st.tuples(st.sampled_from(["and", "or", "xor", "implies", "iff"]), inner, inner).map(lambda t: {t[0]: [t[1], t[2]]}),
    ),
    max_leaves=5,
)


def holds(said: Any, a: dict[str, int]) -> bool:
    """The meaning of a statement, written a second time."""
    ((kind, body),) = said.items()
    if kind == "sum":
        total = sum(w * a[name] for w, name in zip(body["weights"], NAMES, strict=True))
        bound = next(word for word in ("equals", "at_most", "at_least") if word in body)
        return {"equals": total == body[bound], "at_most": total <= body[bound], "at_least": total >= body[bound]}[bound]
    if kind == "all_different":
        return len({a[name] for name in body}) == 3
    if kind == "not":
        return not holds(body, a)
    if kind in ("and", "or", "xor", "implies", "iff"):
        p, q = holds(body[0], a), holds(body[1], a)
        return {"and": p and q, "or": p or q, "xor": p != q, "implies": q or not p, "iff": p == q}[kind]
    left, right = (a.get(term, term) for term in body)
    return {
        "equal": left == right,
        "not_equal": left != right,
        "less": left < right,
        "at_most": left <= right,
        "next_to": abs(left - right) == 1,
    }[kind]


@settings(max_examples=300)
@given(st.lists(STATEMENT, max_size=5))
def test_solutions_are_those_found_by_trying_everything(constraints: list[Any]) -> None:
    told = solve(puzzle(constraints, {name: [0, 1, 2] for name in NAMES}))["solutions"]
    every = [dict(zip(NAMES, values, strict=True)) for values in itertools.product(range(3), repeat=3)]
    right = [a for a in every if all(holds(one, a) for one in constraints)]
    assert len(told) == min(2, len(right))
    assert all(one in right for one in told)


@given(st.text(max_size=300), st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4))
def test_reading_an_answer_never_raises(text: str, names: list[str]) -> None:
    assert set(stated(text, dict.fromkeys(names, (1, True, "a")))) <= set(names)
    assert same("**3.0**", 3)
    assert not same(text[:0] + "3 apples", 3)
