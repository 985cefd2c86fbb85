from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from datalchemy.core.errors import PartError, WorkerFault
from datalchemy.core.record import Conversation, Message, Record, Verdict
from datalchemy.eval import _language_worker, _prose
from datalchemy.eval.language import Language
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

Judge = Callable[..., Any]
Reply = Callable[..., Record]

ENGLISH = [
    "First we compute the sum.", "Let x be the number of {thing}.", "{name} has {a} {thing} and buys {b} more.", "So the total is {a} + {b} = {c} {thing}.",
    "Now subtract {b} from both sides.", "We get x = {a}.", "Multiply by {b} to find the area.", "Wait, let me check that again.", "Hmm, that is not right.",
    "By symmetry, the two angles are equal.", "Since the triangle is isosceles, AB = AC.", "In total that makes {c} {thing}.", "Note that n is even.",
    "Apply induction on n.", "It takes {a} minutes to fill the tank.", "At this rate {name} needs {a} hours.", "Ratio of boys to girls is {a} to {b}.",
    "Distance = speed × time.", "Take logs of both sides.", "{name}, {other} and {name} share {a} {thing} equally.", "The vertex is at the origin.",
    "Hence $\\frac{{{a}}}{{{b}}}$ of the {thing} remain, i.e. \\({c}\\).", "Suppose not.", "Plug in x = {a}.", "A dozen eggs costs {a} cents.",
    "Modulo {b} the remainder is {a}.", "Without loss of generality a ≤ b ≤ c.", "QED.", "Solve for y: y = {a}x + {b}.", "Per capita income is {a} euros.",
    "The base camp in {place} lies {a} km from {other}.", "A kilo of tomatoes costs {a} pesos at the bodega.", "Via Pythagoras we find c = {c}.",
    "Data: mass {a} kg, volume {b} l.", "Simplify via a common factor.", "An integer n is prime iff it has no divisor but 1 and n.", "Area of {name}'s patio: {c} m^2.",
]  # fmt: skip
NAMES = ["Anna", "Giulia", "Wei", "Priya", "Jürgen", "François", "Siobhán", "Nguyễn", "Olga", "Carlos"]
THINGS = ["apples", "tacos", "croissants", "marbles", "tickets", "kimonos", "euros", "pierogi", "litres of milk", "pretzels"]
FOREIGN = {
    "de": ["Wir berechnen zuerst die Summe der beiden Zahlen.", "Also kostet das insgesamt zwölf Euro.", "Danach ziehen wir die Hälfte wieder ab."],
    "fr": ["Nous cherchons d'abord combien coûtent les deux livres.", "Donc nous avons encore trois pommes.", "Ensuite on divise le tout par quatre."],
    "es": ["Primero calculamos la suma de los dos números.", "Entonces le quedan tres manzanas."],
    "it": ["Per prima cosa contiamo i libri sul tavolo.", "Quindi abbiamo ancora quattro mele."],
    "nl": ["Eerst berekenen we hoeveel appels er zijn.", "Dus heeft hij nog drie appels over."],
    "pl": ["Najpierw obliczamy sumę wszystkich liczb.", "Zatem zostały mu trzy jabłka."],
    "vi": ["Trước tiên chúng ta tính tổng của các số.", "Vậy anh ấy còn lại ba quả táo."],
    "han": ["首先我们计算总和。", "因此"],
    "cyrillic": ["Сначала вычислим сумму.", "итак"],
    "hangul": ["먼저 합을 계산합니다."],
    "arabic": ["أولا نحسب المجموع"],
}  # fmt: skip


def composed(seed: int) -> str:
    rng = random.Random(seed)
    said = []
    for _ in range(rng.randrange(2, 14)):
        a, b = rng.randrange(2, 90), rng.randrange(2, 90)
        words = {"name": rng.choice(NAMES), "other": rng.choice(NAMES), "thing": rng.choice(THINGS), "place": rng.choice(["Peru", "Tirol"])}
        said.append(rng.choice(ENGLISH).format(a=a, b=b, c=a + b, **words))
    return " ".join(said)


def word(verdict: Verdict) -> str:
    return verdict.reason.partition(":")[0] or verdict.outcome


async def test_clean_english_mathematics_is_not_refused(judge: Judge, reply: Reply) -> None:
    """Less than 0.5 % of false refusals, over texts full of foreign names, dishes and formulas."""
    verdicts = await judge(Language(target="en"), [reply(composed(seed)) for seed in range(2000)])
    refused = [(seed, verdict.reason) for seed, verdict in enumerate(verdicts) if verdict.outcome == "refuse"]
    assert len(refused) < 10, refused


@pytest.mark.parametrize("part", ["reasoning", "answer"])
async def test_a_foreign_sentence_in_the_middle_is_found(judge: Judge, reply: Reply, part: str) -> None:
    cases = [(language, sentence, seed) for language, sentences in FOREIGN.items() for sentence in sentences for seed in range(3)]
    mixed = [f"{composed(seed)} {sentence} {composed(seed + 100)}" for _, sentence, seed in cases]
    records = [reply(text) if part == "answer" else reply("\\boxed{7}", reasoning=text) for text in mixed]
    for (language, sentence, seed), verdict in zip(cases, await judge(Language(), records), strict=True):
        assert word(verdict) in ("mixed_language", "wrong_language"), f"{sentence} missed between seeds {seed} and {seed + 100}"
        assert (verdict.evidence["part"], verdict.evidence["language"]) == (part, language)
        assert verdict.score < 1


async def test_a_clause_within_a_long_sentence_is_found(judge: Judge, reply: Reply) -> None:
    text = "So we add the two numbers and get twelve and then we see that und danach teilen wir das Ergebnis noch einmal durch drei und addieren sieben"
    assert word((await judge(Language(), [reply(text)]))[0]) == "mixed_language"


CLAUSES = {
    "de": "und danach teilen wir das Ergebnis durch drei",
    "fr": "donc la réponse doit être plus petite",
    "es": "porque la suma de los dos es par",
    "it": "quindi la risposta deve essere più piccola",
    "nl": "omdat de som van de twee even is",
}


@pytest.mark.parametrize(("language", "clause"), CLAUSES.items())
@pytest.mark.parametrize("joint", [", ", " ", " — "])
async def test_switches_within_a_sentence_are_found_word_by_word(
    judge: Judge, reply: Reply, language: str, clause: str, joint: str
) -> None:
    """No punctuation mark tells where the other language starts, and none is needed."""
    text = (
        joint.join(["We add the two numbers", clause, "so that leaves only three of them $x = 3$", "which is what we wanted to show"]) + "."
    )
    (verdict,) = await judge(Language(target="en"), [reply(text)])
    assert (word(verdict), verdict.evidence["language"]) == ("mixed_language", language)
    assert len(set(clause.split()) & set(verdict.evidence["found"][0]["text"].split())) >= len(clause.split()) - 2
    assert 0.5 < verdict.score < 0.9
    assert word((await judge(Language(target="en", clauses=False), [reply(text)]))[0]) in ("keep", "mixed_language")
    others = joint.join([CLAUSES[language], "we can divide both sides by four", CLAUSES[language].swapcase().lower()])
    assert word((await judge(Language(target=language), [reply(others)]))[0]) in ("mixed_language", "wrong_language")


def test_other_words_are_no_evidence() -> None:
    """What made clauses of nothing: variables, one word said again and again, symbols, words across the end of a sentence."""
    rivals = _prose.rivals("en")
    for text in (
        "y . Plug in x . Plug in x . x y z",
        "kwargs kwargs kwargs kwargs",
        "- - - Y Y - - -",
        "QED. Olga has tacos.",
        "",
        "a",
        "\ud800 \ud800 x",
        "per capita",
    ):
        assert _language_worker.spans(text, "en", rivals, 12) == []


@pytest.mark.parametrize("target", ["de", "fr", "es", "it", "nl", "pl", "vi"])
async def test_other_targets(judge: Judge, reply: Reply, target: str) -> None:
    text = " ".join(FOREIGN[target])
    own, mixed, english = await judge(
        Language(target=target), [reply(text), reply(f"{text} Now we compute the sum of the numbers."), reply(composed(1))]
    )
    assert (word(own), own.score) == ("keep", 1.0)
    assert word(mixed) in ("mixed_language", "wrong_language")
    assert word(english) in ("mixed_language", "wrong_language")


async def test_chinese_and_japanese(judge: Judge, reply: Reply) -> None:
    chinese, japanese = "首先我们计算总和,然后除以三,所以答案是七。GDP 增长 x 倍。", "まず合計を計算して、三で割ります。"
    records = [
        reply(chinese),
        reply(chinese + japanese),
        reply(chinese + "So we get the answer now."),
        reply("首先 use Python and 计算总和,然后除以三"),
    ]
    assert [word(v) for v in await judge(Language(target="zh"), records)] == ["keep", "mixed_language", "mixed_language", "keep"]
    assert [word(v) for v in await judge(Language(target="ja"), [reply(japanese), reply(chinese)])] == ["keep", "wrong_language"]


@pytest.mark.parametrize(
    "text",
    [
        "7",
        "$x^2$",
        "\\boxed{7}",
        "Let α + β = γ, ∠αβγ.",
        "Δx → 0",
        "```python\nprint('首先计算总和')\n```",
        "https://example.org/首先计算总和",
        "OK.",
    ],
)
async def test_nothing_to_judge_is_an_abstention(judge: Judge, reply: Reply, text: str) -> None:
    verdict = (await judge(Language(), [reply(text)]))[0]
    assert (verdict.outcome, word(verdict)) == ("abstain", "too_little_text")
    assert Language().on_abstain == "keep"


async def test_share_and_spans_can_be_tolerated(judge: Judge, reply: Reply) -> None:
    text = " ".join(composed(seed) for seed in range(10)) + " Wir berechnen zuerst die Summe der beiden Zahlen."
    assert word((await judge(Language(), [reply(text)]))[0]) == "mixed_language"
    (verdict,) = await judge(Language(max_spans=1), [reply(text)])
    assert word(verdict) == "keep"
    assert 0.95 < verdict.score < 1
    assert word((await judge(Language(max_spans=1, min_share=0.999), [reply(text)]))[0]) == "mixed_language"


async def test_the_target_is_the_recipes_language_by_default(reply: Reply, tools: Any) -> None:
    german = reply(" ".join(FOREIGN["de"]))
    for language, expected in (("de", "keep"), ("en", "wrong_language")):
        async with Language().open(type(tools)(workers=tools.workers, language=language)) as judge:
            assert word((await judge([german]))[0]) == expected


async def test_questions_are_judged_by_their_prompt(judge: Judge) -> None:
    ask = [Record(content=Conversation(messages=(Message(role="user", content=text),))) for text in (composed(3), FOREIGN["de"][0])]
    assert [word(v) for v in await judge(Language(), ask)] == ["keep", "wrong_language"]


@pytest.mark.parametrize("target", ["english", "xx", "EN", "zxx"])
def test_an_unknown_language_is_refused(target: str) -> None:
    with pytest.raises(ValidationError, match="unknown language"):
        Language(target=target)


async def test_the_model_knows_every_target(tools: Any) -> None:
    for codes in _prose.LANGUAGES.values():
        for code in codes.split():
            question = {"target": code, "texts": ["a"]}
            assert len(await tools.workers.call("datalchemy.eval._language_worker:look", question, timeout_s=60)) == 1


async def test_a_model_that_dies_is_an_abstention_and_a_missing_one_an_error(reply: Reply) -> None:
    class Broken:
        def __init__(self, error: Exception) -> None:
            self.error = error

        async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
            raise self.error

    records = [reply(composed(1)), reply("7"), reply("首先计算总和")]
    async with Language().open(type("T", (), {"workers": Broken(WorkerFault("died", "so it went")), "language": "en"})()) as judge:
        assert [word(v) for v in await judge(records)] == ["detector_failed", "too_little_text", "wrong_language"]
    async with Language().open(type("T", (), {"workers": Broken(PartError("no library")), "language": "en"})()) as judge:
        with pytest.raises(PartError):
            await judge(records)


TEXTS = st.lists(
    st.sampled_from([*ENGLISH, *(said for some in FOREIGN.values() for said in some), "$", "```", "\\[", "\\begin{a}", "`", " ", "\n"])
    | st.text()
).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(TEXTS, st.none() | TEXTS), max_size=4))
async def test_any_text_gets_a_verdict(texts: list[tuple[str, str | None]]) -> None:
    class Guess:
        async def call(self, function: str, argument: Any, *, timeout_s: float) -> Any:
            if "runs" in argument:
                return [[("fr", 0, len(run.split()))] if len(run) % 3 == 0 else [] for run in argument["runs"]]
            return [("de" if len(text) % 2 else "en", 0.9, 0.001) for text in argument["texts"]]

    records = [Record(content=Conversation(messages=(Message(role="assistant", content=text, reasoning=how),))) for text, how in texts]
    async with Language(target="en").open(type("T", (), {"workers": Guess(), "language": "en"})()) as judge:
        verdicts = await judge(records)
    assert len(verdicts) == len(records)
    assert all(verdict.score is None or 0 <= verdict.score <= 1 for verdict in verdicts)


@pytest.mark.parametrize(
    "text",
    [
        "$" * 50_000,
        "\\[" * 20_000,
        "\\begin{a}" * 5_000,
        "`" * 50_001,
        "总" * 50_000,
        "a" * 100_000,
        "a@" * 30_000,
        "<" * 50_000,
        "1a" * 30_000,
    ],
)
def test_hostile_texts_take_no_time(text: str) -> None:
    bare = _prose.without_code(text)
    _prose.foreign_spans(bare, frozenset({"latin"}))
    _prose.pieces(bare, names=False)
