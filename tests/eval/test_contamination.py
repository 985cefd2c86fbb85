from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datalchemy.core.backend import Reply
from datalchemy.core.errors import RecipeError
from datalchemy.core.record import Conversation, Message, PlainText, Preference, Record, Verdict, assistant, user
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.eval import _benchmarks
from datalchemy.eval._ngrams import ngrams, tokens
from datalchemy.eval.contamination import Contamination, tally
from hypothesis import given
from hypothesis import strategies as st

Judge = Callable[..., Any]

QUESTION = (
    "A lighthouse keeper climbs one hundred and ninety two steps every morning and every evening, resting on each landing, "
    "of which there is one after every sixteen steps. How many landings does she pass in a week of seven days?"
)
SOLUTION = (
    "There are twelve landings on one way up, since one hundred and ninety two divided by sixteen is twelve, so she passes 168 going up."
)
SHORT = "Who painted the blue door?"
CHINESE = "小明有三个苹果，又买了五个梨，然后把其中的一半分给了小红，请问他现在还剩下多少个水果？"
ROWS: list[Any] = [
    {"question": QUESTION, "answer": "168", "solution": SOLUTION},
    {"question": SHORT, "answer": "Nobody"},
    {"question": CHINESE, "answer": "4"},
    {"question": "What is 2?", "answer": "2"},
]
BENCHMARK = {"name": "lighthouse", "inline": ROWS}


def made(**settings: Any) -> Contamination:
    return Contamination.model_validate({"against": [BENCHMARK], **settings})


def asked(text: str, reply: str = "I do not know.", **more: Any) -> Record:
    return Record(content=Conversation(messages=(user(text), assistant(reply))), **more)


def changed(text: str, every: int = 10) -> str:
    """One word in `every` is another one."""
    return " ".join("otherwise" if n % every == every - 1 else word for n, word in enumerate(text.split()))


def rules(verdict: Verdict) -> str:
    return f"{verdict.evidence['rule']} {verdict.evidence['item']}" if verdict.outcome == "refuse" else verdict.outcome


async def one(judge: Judge, record: Record, **settings: Any) -> Verdict:
    (verdict,) = await judge(made(**settings), [record])
    return verdict


@pytest.mark.parametrize("rule", ["8gram", "10gram", "13gram", "share", "exact"])
async def test_a_planted_item_is_found_by_every_rule(judge: Judge, rule: str) -> None:
    verdict = await one(judge, asked(QUESTION), rules=[rule])
    assert rules(verdict) == f"{rule} 1"
    assert verdict.score == 1.0
    assert verdict.reason.startswith(f"contaminated: {rule} in the prompt with lighthouse item 1: a lighthouse keeper climbs")
    assert verdict.evidence["hits"] == [["lighthouse", 1]]
    assert (await one(judge, asked("How many steps does a lighthouse have?"), rules=[rule])).keep


async def test_one_word_in_ten_changed_defeats_13_words_in_a_row_and_not_8(judge: Judge) -> None:
    record = asked(changed(QUESTION))
    assert (await one(judge, record, rules=["13gram"])).keep
    assert (await one(judge, record, rules=["10gram"])).keep
    assert rules(await one(judge, record, rules=["8gram"])) == "8gram 1"
    assert rules(await one(judge, record, rules=["share"])) == "share 1"
    assert (await one(judge, asked(changed(QUESTION, 7)), rules=["8gram"])).keep


async def test_the_share_of_the_item_that_one_text_holds(judge: Judge) -> None:
    words = QUESTION.split()
    half = asked("Consider this: " + " ".join(words[: len(words) // 2 - 2]) + " and so on.")
    verdict = await one(judge, half, rules=["share"])
    assert verdict.keep
    assert 0.3 < verdict.score < 0.5
    assert rules(await one(judge, half, rules=["share"], share=0.3)) == "share 1"


async def test_items_shorter_than_n_words_are_found_whole(judge: Judge) -> None:
    assert (await one(judge, asked(SHORT), rules=["10gram"])).keep
    assert rules(await one(judge, asked("  WHO painted the “blue” door ??"), rules=["exact"])) == "exact 2"
    assert rules(await one(judge, asked(f"Please answer.\n{SHORT}\nThank you."), rules=["exact"])) == "exact 2"
    assert (await one(judge, asked("I wonder who painted the blue door yesterday."), rules=["exact"])).keep
    assert (await one(judge, asked("What is 2?", "2"), rules=["exact"])).keep
    assert rules(await one(judge, asked("What is 2?", "2"), rules=["exact"], min_words=3)) == "exact 4"
    assert (await one(judge, asked("Guess.", "Nobody", answer="168"), rules=["exact"])).keep


async def test_case_punctuation_width_and_line_breaks_make_no_difference(judge: Judge) -> None:
    shouted = QUESTION.upper().replace(",", " --").replace(" ", "\n ")
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in QUESTION)
    for text in (shouted, wide, f"**{QUESTION}**"):
        assert rules(await one(judge, asked(text), rules=["13gram"])) == "13gram 1"


async def test_in_scripts_without_spaces_each_character_is_a_word(judge: Judge) -> None:
    assert rules(await one(judge, asked("请看：" + CHINESE[2:24] + "……"), rules=["13gram"])) == "13gram 3"
    assert (await one(judge, asked(CHINESE[:12]), rules=["13gram"])).keep


async def test_swapped_numbers(judge: Judge) -> None:
    swapped = "There are 13 landings, and 1,250.5 steps"
    row = {"name": "n", "inline": [{"question": "There are 7 landings, and 12 steps"}]}
    assert (await one(judge, asked(swapped), rules=["exact", "5gram"], against=[row])).keep
    assert rules(await one(judge, asked(swapped), rules=["exact"], against=[row], mask_numbers=True)) == "exact 1"
    assert rules(await one(judge, asked(swapped), rules=["5gram"], against=[row], mask_numbers=True)) == "5gram 1"


async def test_every_turn_is_looked_at_and_responses_too(judge: Judge) -> None:
    thinking = Record(content=Conversation(messages=(user("?"), Message(role="assistant", content="x", reasoning=SOLUTION))))
    raw = asked("?", f"<think>{SOLUTION}</think>x")
    pair = Preference(prompt=(user("?"),), chosen=(assistant("x"),), rejected=(assistant(SOLUTION),))
    early = Record(content=Conversation(messages=(user(QUESTION), assistant("x"), user("and?"), assistant("y"))))
    hidden = Record(content=Conversation(messages=(Message(role="system", content=QUESTION), user("and?"))))
    page = Record(content=PlainText(text=f"A page. {QUESTION} More."))
    records = [asked("?", SOLUTION), thinking, raw, Record(content=pair), early, hidden, page, asked("?", "x", answer=SOLUTION)]
    verdicts = await judge(made(), records)
    assert [rules(verdict) for verdict in verdicts] == ["10gram 1"] * 8
    assert [v.evidence["part"] for v in verdicts] == ["answer", "reasoning", "reasoning", "answer", "prompt", "prompt", "answer", "answer"]
    only = await judge(made(parts=["prompt"]), records)
    assert [rules(verdict) for verdict in only] == ["keep"] * 4 + ["10gram 1"] * 3 + ["keep"]


async def test_boilerplate_of_a_benchmark_does_not_count(judge: Judge) -> None:
    ask = "Choose the one correct answer from the four options that are given below."
    rows = [{"question": f"{ask} Which {n}th letter follows {'abcdefghijklmnop'[n]} in this list of letters here?"} for n in range(12)]
    record = asked(f"{ask} What colour is the sky?")
    against = [{"name": "letters", "inline": rows}]
    assert (await one(judge, record, against=against)).keep
    assert not (await one(judge, record, against=against, common=12)).keep


async def test_hits_are_tallied_by_benchmark(judge: Judge) -> None:
    other = {"name": "other", "inline": [{"question": QUESTION}]}
    part = made(against=[BENCHMARK, other], rules=["10gram", "exact"])
    verdicts = await judge(part, [asked(QUESTION), asked(SHORT), asked("Hello?"), asked(f"Now: {QUESTION}")])
    assert tally(verdicts) == {"lighthouse": {1: 2, 2: 1}, "other": {1: 2}}


async def test_n_grams_do_not_reach_from_one_text_into_the_next(judge: Judge) -> None:
    words = QUESTION.split()
    halves = [asked(" ".join(words[i : i + 6]), " ".join(words[i + 6 : i + 12])) for i in range(0, 24, 12)]
    assert all(verdict.keep for verdict in await judge(made(rules=["8gram"]), halves))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
async def test_a_benchmark_is_any_file_beside_the_recipe(judge: Judge, tmp_path: Path, suffix: str) -> None:
    rows = [{"problem": QUESTION, "gold": "168"}, {"problem": SHORT, "gold": "x"}]
    path = tmp_path / f"bench{suffix}"
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == ".csv":
        path.write_text("problem,gold\n" + "".join(f'"{row["problem"]}",{row["gold"]}\n' for row in rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    against = [{"name": "mine", "path": path.name, "fields": {"prompt": "problem", "answer": "gold"}}]
    part = FilterRecipe.build({"filters": [{"use": "contamination", "against": against}]}, base=tmp_path).filters[0]
    assert [rules(v) for v in await judge(part, [asked(QUESTION), asked(SHORT)])] == ["10gram 1", "exact 2"]
    before = part.reads()
    assert list(before) == ["against.mine"]
    if suffix == ".jsonl":
        path.write_text(path.read_text() + json.dumps(rows[0]))
        assert part.reads() != before


async def test_a_benchmark_that_cannot_be_read_whole_is_an_error(judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match="no file"):
        made(against=[{"name": "x", "path": str(tmp_path / "none.jsonl")}])
    (tmp_path / "bad.jsonl").write_text('{"question": "Fine?"}\n{"question": \n')
    with pytest.raises(RecipeError, match=r"'x' cannot be read: bad\.jsonl:2"):
        await one(judge, asked("Hello"), against=[{"name": "x", "path": str(tmp_path / "bad.jsonl")}])
    monkeypatch.setattr(_benchmarks, "MOST_CHARS", 100)
    (tmp_path / "bomb.jsonl").write_text('{"question": "again and again"}\n' * 50)
    with pytest.raises(RecipeError, match=r"'x' has more than 100 characters by row 7; give it a `limit`"):
        await one(judge, asked("Hello"), against=[{"name": "x", "path": str(tmp_path / "bomb.jsonl")}])
    assert (await one(judge, asked("Hello"), against=[{"name": "x", "path": str(tmp_path / "bomb.jsonl"), "limit": 6}])).keep
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(RecipeError, match=r"the benchmark 'x': .*bad\.parquet cannot be read"):
        await one(judge, asked("Hello"), against=[{"name": "x", "path": str(tmp_path / "bad.parquet")}])
    with pytest.raises(ValueError, match="unknown rule 'minhash'"):
        made(rules=["minhash"])


class Encoder:
    """Embeds by which of a few words a text has: a stand-in for meaning that can be computed by hand."""

    words = ("lighthouse", "landings", "door", "apples")

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(word in text.lower()) for word in self.words] for text in texts]


class SaysSame:
    """Says what it is told to, call by call."""

    def __init__(self, *said: str) -> None:
        self.said, self.asked = list(said), list[str]()

    async def chat(self, messages: Sequence[Message], *, path: str) -> Reply:
        self.asked.append(messages[-1].text)
        return Reply(text=self.said.pop(0))


async def near(tools: Any, text: str, judge: SaysSame | None = None) -> Verdict:
    models = {"encoder": Encoder(), "arbiter": judge}
    async with made(rules=["embedding"], judge="arbiter" if judge else "").open(replace(tools, models=models)) as judged:
        (verdict,) = await judged([asked(text)])
    return verdict


async def test_paraphrases_are_found_by_meaning(tools: Any) -> None:
    paraphrase = "Landings in a lighthouse: count those passed in seven days by somebody who walks up twice daily."
    assert made(rules=["embedding"], judge="arbiter").needs() == {"encoder": {"embed"}, "arbiter": {"chat"}}
    assert made().needs() == {}
    assert rules(await near(tools, paraphrase)) == "embedding 1"
    assert (await near(tools, "Apples.")).keep
    assert (await near(tools, "")).keep


YES, NO = 'The same.\n{"same": true}', 'Other numbers.\n{"same": false}'


@pytest.mark.parametrize(
    ("said", "expected", "calls"),
    [
        ((YES, YES), "embedding 1", 2),
        ((YES, NO), "keep", 2),
        ((NO,), "keep", 1),
        (("Yes, the same!",), "keep", 1),
        (('<think>{"same": true}</think>Hm.',), "keep", 1),
        ((f"<think>Not? {NO}</think>{YES}", YES), "embedding 1", 2),
    ],
)
async def test_a_judge_must_say_yes_in_both_orders(tools: Any, said: tuple[str, ...], expected: str, calls: int) -> None:
    text = "Landings in a lighthouse."
    judge = SaysSame(*said)
    assert rules(await near(tools, text, judge)) == expected
    assert len(judge.asked) == calls
    assert judge.asked[0].index(text) < judge.asked[0].index("climbs one hundred")
    if calls == 2:
        assert judge.asked[1].index(text) > judge.asked[1].index("climbs one hundred")


@pytest.mark.parametrize(
    "text",
    ["", "\ud800" * 9, "\x00\x01\n" * 50, "1 " * 100_000, "a" * 500_000, (QUESTION + "\n") * 3000, "\n" * 200_000, "۷ ٣ ½ ǅ ß İ" * 999],
)
async def test_hostile_texts_get_a_verdict(judge: Judge, text: str) -> None:
    ones = {"name": "ones", "inline": [{"question": "1 " * 400}]}
    verdicts = await judge(made(against=[BENCHMARK, ones], rules=["8gram", "share", "exact"]), [asked(text, text)])
    assert verdicts[0].outcome in ("keep", "refuse")
    assert len(verdicts[0].model_dump_json()) < 2000


async def test_an_overlap_in_the_middle_of_a_long_text_is_found(judge: Judge) -> None:
    noise = " ".join(f"w{n}" for n in range(60_000))
    for at in range(190_000, 206_000, 2000):
        assert rules(await one(judge, asked(f"{noise[:at]} {QUESTION} {noise[at:]}"))) == "10gram 1"


TEXTS = st.lists(st.text(alphabet="ab 1.,\n中é", max_size=30), min_size=1, max_size=6)


@given(TEXTS, st.integers(1, 4))
def test_n_grams_are_those_of_a_plain_reading(texts: list[str], n: int) -> None:
    """Equal stretches have equal hashes, different ones different hashes, wherever they stand."""
    read = tokens(texts)
    words = [read.joined[start:end] for start, end in zip(read.starts, read.ends, strict=True)]
    expected = []
    for number in range(len(texts)):
        own = [word for word, owner in zip(words, read.owner, strict=True) if owner == number]
        expected += [tuple(own[i : i + n]) for i in range(len(own) - n + 1)]
        plain = "".join(f" {char} " if char == "中" else char for char in texts[number])
        for mark in ".,\n":
            plain = plain.replace(mark, " ")
        assert own == plain.split()
    hashes = ngrams(read, n)[0].tolist()
    assert len(hashes) == len(expected)
    assert len(set(hashes)) == len(set(expected)) == len(set(zip(hashes, expected, strict=True)))


def test_hashes_spread_over_all_bits() -> None:
    rng = random.Random(1)
    hashes = ngrams(tokens([" ".join(str(rng.randrange(50)) for _ in range(50_000))]), 8)[0]
    assert len(set((hashes & 0xFFFFFFFF).tolist())) > 49_900
    assert len(set((hashes >> 32).tolist())) > 49_900
