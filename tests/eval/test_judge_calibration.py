"""A judge gates only after it was measured: against labels, and with canaries."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import yaml
from datalchemy.backends.scripted import Scripted
from datalchemy.core.errors import RecipeError
from datalchemy.core.record import Conversation, Preference, Record, assistant, user
from datalchemy.engine.filtering import Judgement, open_filters
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.engine.fingerprint import fingerprint
from datalchemy.engine.ledger import LedgerReader
from datalchemy.engine.recipe import Recipe
from datalchemy.engine.run import run
from datalchemy.eval._agreement import agreement
from datalchemy.eval._judge_calibration import Calibration
from datalchemy.eval.judge import Judge
from hypothesis import given
from hypothesis import strategies as st
from judge_double import Double, quality


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def answer(text: str) -> Record:
    return Record(content=Conversation(messages=(user("How many?"), assistant(text))))


def write(place: Path, rows: Sequence[dict[str, Any]]) -> str:
    place.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(place)


def rows(n: int = 40, *, good: float = 0.5) -> list[dict[str, Any]]:
    """Right and wrong answers, labelled as a person would."""
    right = [i % 10 < 10 * good for i in range(n)]
    return [
        {"prompt": f"{i}?", "response": "It is 7." if ok else "It is 9.", "label": "keep" if ok else "refuse"} for i, ok in enumerate(right)
    ]


async def through(
    double: Any, records: Sequence[Record], *, endpoint: dict[str, Any] | None = None, base: Path | None = None, **part: Any
) -> list[Judgement]:
    """A filter opened as a run opens it, with a response store, and the double as its model."""
    model = Scripted(name="double", function=double, **(endpoint or {}))
    recipe = FilterRecipe.build(
        {"filters": [{"use": "judge", "model": "teacher", **part}], "models": {"teacher": model}}, base=base or Path()
    )
    async with open_filters(recipe) as opened:
        return await opened.judge(records)


async def test_a_judge_that_agrees_may_remove(tmp_path: Path) -> None:
    path = write(tmp_path / "set.jsonl", rows())
    right, wrong = await through(Double(), [answer("It is 7."), answer("It is 8.")], enforce=True, calibration={"path": path})
    assert (right.keep, wrong.keep, wrong.filter) == (True, False, "judge")
    evidence = right.verdicts[0].evidence
    assert evidence["calibration"] == {"n": 40, "agreement": 1.0, "kappa": 1.0}
    assert evidence["canaries"] == "0 of 37 bad ones taken, 3 of 3 good ones"


async def test_without_calibration_it_labels_and_says_so() -> None:
    (wrong,) = await through(Double(), [answer("It is 8.")])
    assert wrong.keep
    assert (wrong.verdicts[0].outcome, wrong.verdicts[0].evidence["calibration"]) == ("refuse", "none")


def test_enforcing_without_calibration_is_refused_before_anything_is_spent() -> None:
    with pytest.raises(RecipeError, match=r"add `calibration: \{path: labelled.jsonl\}`"):
        FilterRecipe.build({"filters": [{"use": "judge", "model": "m", "enforce": True}], "models": {"m": {"use": "scripted"}}})


async def test_a_lazy_judge_does_not_gate_however_good_the_set_is(tmp_path: Path) -> None:
    """It always says 10: on a set of nine good rows in ten it agrees with 90 % of the labels, by doing nothing."""
    path = write(tmp_path / "set.jsonl", rows(good=0.9))
    lazy = Double(lambda _: 10.0)
    (wrong,) = await through(lazy, [answer("It is 8.")], enforce=True, calibration={"path": path})
    assert wrong.keep
    verdict = wrong.verdicts[0]
    assert verdict.evidence["calibration"] == {"n": 40, "agreement": 0.9, "kappa": 0.0}
    assert verdict.reason.startswith("uncalibrated: ")
    assert "its kappa with 40 labels is 0.00, 0.4 is wanted (keep 36 of 36, refuse 0 of 4)" in verdict.reason
    assert "of the canaries" in verdict.reason
    with pytest.raises(RecipeError, match="judge may not judge here: it took"):
        await through(lazy, [answer("It is 8.")], enforce=True, calibration={"path": path, "below": "stop"})


async def test_a_judge_that_is_wrong_says_what_it_would_have_done(tmp_path: Path) -> None:
    path = write(tmp_path / "set.jsonl", rows())
    strict = Double(lambda text: 2.0)
    (right,) = await through(strict, [answer("It is 7.")], enforce=True, calibration={"path": path})
    verdict = right.verdicts[0]
    assert (verdict.outcome, verdict.score) == ("keep", 2.0)
    assert "agrees with 50% of 40 labels, 80% are wanted" in verdict.reason
    assert "it would refuse: low_score: 2 of 10" in verdict.reason


async def test_what_needs_no_judge_is_refused_all_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "set.jsonl", rows())
    (empty,) = await through(Double(lambda _: 10.0), [answer("Solution:")], enforce=True, calibration={"path": path})
    assert (empty.keep, empty.reason.partition(":")[0]) == (False, "too_little_text")


async def test_it_is_measured_once_for_a_judge_a_wording_and_a_set(tmp_path: Path, home: Path) -> None:
    path = write(tmp_path / "set.jsonl", rows())
    settings = {"enforce": True, "calibration": {"path": path}}
    await through(first := Double(), [], **settings)
    assert len(first.prompts) > 40
    await through(stored := Double(), [], **settings)
    assert stored.prompts == []
    (kept,) = (home / "calibrations").iterdir()
    told = json.loads(kept.read_text())
    assert (told["models"][0], told["settings"]["use"], told["found"]["classes"]) == (
        "double",
        "judge",
        {"keep": [20, 20], "refuse": [20, 20]},
    )
    assert kept.stat().st_mode & 0o777 == 0o600

    (home / "responses.db").unlink(missing_ok=True)
    for file in home.rglob("*"):
        if file.is_file() and file.parent.name != "calibrations":
            file.unlink()
    await through(forgotten := Double(), [], **settings)
    assert 0 < len(forgotten.prompts) < 40, "canaries and the row that tells which model it is, but not the whole set"

    await through(other_set := Double(), [], enforce=True, calibration={"path": write(tmp_path / "other.jsonl", rows(50))})
    await through(other_rubric := Double(), [], min_score=8, **settings)
    await through(other_model := Double(), [], endpoint={"identity": "another"}, **settings)
    kept.write_text("{cut")
    assert len(list((home / "calibrations").iterdir())) == 4
    assert "found" not in kept.read_text()
    assert other_set.prompts and other_model.prompts
    assert other_rubric.prompts == [], "the same calls, and another measure of them"
    (again,) = await through(Double(), [answer("It is 7.")], **settings)
    assert again.verdicts[0].evidence["calibration"]["agreement"] == 1.0


async def test_the_set_is_looked_for_from_the_recipes_folder(tmp_path: Path) -> None:
    write(tmp_path / "set.jsonl", rows())
    (right,) = await through(Double(), [answer("It is 7.")], base=tmp_path, enforce=True, calibration={"path": "set.jsonl"})
    assert right.verdicts[0].evidence["calibration"]["n"] == 40
    with pytest.raises(RecipeError, match=r"set.jsonl cannot be read \(No such file"):
        await through(Double(), [], base=tmp_path / "elsewhere", enforce=True, calibration={"path": "set.jsonl"})


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": "a", "response": "b"}, "a `label`, a `score`, `preferred` or `best`"),
        ({"prompt": "a", "response": "b", "label": "good"}, "keep or refuse, not 'good'"),
        ({"prompt": "a", "label": "keep"}, "a row needs 'response'"),
        ({"prompt": 3, "response": "b", "label": "keep"}, "valid string"),
        ({"prompt": "a", "candidates": ["x"], "best": 1}, "position of the best"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "preferred": "a"}, "chosen, rejected or tie"),
        ([1], "expected an object"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: Any, told: str) -> None:
    path = write(tmp_path / "set.jsonl", [*rows(30), row])
    with pytest.raises(RecipeError, match=told) as raised:
        Calibration(path=path).read(7.0)
    assert raised.value.where.endswith("set.jsonl:31")


def test_too_small_a_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="has 29 rows; a judge is measured on 30 at least"):
        Calibration(path=write(tmp_path / "set.jsonl", rows(29))).read(7.0)


def test_rows_may_have_scores_pairs_candidates_or_whole_records(tmp_path: Path) -> None:
    whole = answer("x").model_dump(mode="json", exclude_defaults=True)
    given = [
        {"prompt": "a", "response": "b", "score": 7, "answer": 3},
        {"prompt": "a", "response": "b", "score": 6.9},
        {"prompt": "a", "chosen": "b", "rejected": "c", "preferred": "tie"},
        {"prompt": "a", "candidates": ["b", "c"], "best": 1},
        {"record": whole, "label": "keep"},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "label": "refuse"},
    ]
    read, digest = Calibration(path=write(tmp_path / "set.jsonl", given), min_rows=2).read(7.0)
    assert [(row.kind, row.wanted, len(row.records)) for row in read] == [
        ("label", "keep", 1),
        ("label", "refuse", 1),
        ("preferred", "tie", 1),
        ("best", "1", 2),
        ("label", "keep", 1),
        ("label", "refuse", 1),
    ]
    assert read[0].records[0].answer == "3"
    assert isinstance(read[2].records[0].content, Preference)
    assert len(digest) == 16
    with pytest.raises(RecipeError, match="no score on a scale"):
        Calibration(path=tmp_path / "set.jsonl", min_rows=2).read(None)


async def test_pairs_and_rankings_are_measured_by_what_they_prefer(tmp_path: Path) -> None:
    sides = [("It is 7.", "It is 9.", "chosen"), ("It is 9.", "It is 7.", "rejected"), ("It is 8.", "It is 9.", "tie")]
    pairs = [{"prompt": f"{i}?", "chosen": a, "rejected": b, "preferred": said} for i in range(12) for a, b, said in sides]
    ranked = [{"prompt": f"{i}?", "candidates": ["It is 9.", "It is 7.", "It is 8."], "best": 1} for i in range(30)]
    ranked += [{"prompt": f"{i}?", "candidates": ["It is 7.", "It is 3.", "It is 8."], "best": 0} for i in range(30)]
    pair = Record(content=Preference(prompt=(user("How many?"),), chosen=(assistant("It is 7."),), rejected=(assistant("It is 1."),)))
    for use, labelled, records in (("pairwise", pairs, [pair]), ("bsm_judge", pairs, [pair]), ("listwise", ranked, [answer("It is 7.")])):
        calibration = {"path": write(tmp_path / f"{use}.jsonl", labelled)}
        (fair,) = await through(Double(), records, use=use, enforce=True, calibration=calibration)
        assert fair.verdicts[0].evidence["calibration"] == {"n": len(labelled), "agreement": 1.0, "kappa": 1.0}
        (biased,) = await through(
            Double(first=True), records, use=use, endpoint={"identity": "biased"}, enforce=True, calibration=calibration
        )
        assert biased.verdicts[0].reason.startswith("uncalibrated: it agrees with")


async def test_a_canary_that_the_server_will_not_read_was_not_taken(tmp_path: Path) -> None:
    from datalchemy.core.errors import Rejected

    class Filtered(Double):
        def __call__(self, request: Any, seed: int | None = None) -> str:
            if "EXCELSIOR" in str(request.messages[-1]["content"]):
                raise Rejected("content filter", reason="content_filter")
            return super().__call__(request, seed)

    path = write(tmp_path / "set.jsonl", [*rows(39), {"prompt": "a", "response": "EXCELSIOR", "label": "refuse"}])
    (right,) = await through(Filtered(), [answer("It is 7.")], enforce=True, calibration={"path": path})
    assert right.verdicts[0].evidence["canaries"].startswith("0 of 37")
    assert right.verdicts[0].evidence["calibration"]["agreement"] == 0.975


async def test_the_embedded_model_cannot_judge_and_is_not_let(tmp_path: Path) -> None:
    """A real model: ember solves word problems and writes no verdicts, so it abstains and agrees with nothing."""
    path = write(tmp_path / "set.jsonl", rows(2))
    settings = {"use": "judge", "model": "ember", "tries": 1, "canaries": False, "calibration": {"path": path, "min_rows": 2}}
    models = {"ember": {"use": "embedded", "sampling": {"max_tokens": 48}}}
    async with open_filters(FilterRecipe.build({"filters": [settings], "models": models})) as opened:
        (wrong,) = await opened.judge([answer("It is 8.")])
    assert (wrong.keep, wrong.verdicts[0].outcome) == (True, "abstain")
    assert wrong.verdicts[0].evidence["calibration"] == {"n": 2, "agreement": 0.0, "kappa": 0.0}


def test_the_page_shows_a_recipe_that_holds(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "judges.md").read_text()
    (recipe,) = re.findall(r"```yaml\n(models:.*?)```", page, re.DOTALL)
    (labelled,) = re.findall(r"```jsonl\n(.*?)```", page, re.DOTALL)
    built = FilterRecipe.build(yaml.safe_load(recipe), base=tmp_path)
    (tmp_path / "labelled.jsonl").write_text(labelled)
    (part,) = built.filters
    assert isinstance(part, Judge)
    assert part.enforce and part.calibration
    read, _ = part.calibration.model_copy(update={"min_rows": 2}).read(part.threshold())
    assert len(read) == len(labelled.splitlines()) >= 3


LABELS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("abc")), max_size=30)


@given(LABELS)
def test_agreement_is_between_its_bounds(pairs: list[tuple[str, str]]) -> None:
    found = agreement([one for one, _ in pairs], [other for _, other in pairs])
    assert 0 <= found.agreement <= 1
    assert -1 <= found.kappa <= 1
    assert sum(n for _, n in found.classes.values()) == len(pairs)
    same = agreement([one for one, _ in pairs], [one for one, _ in pairs])
    assert same.agreement == (1 if pairs else 0)
    assert same.kappa == (1 if len({one for one, _ in pairs}) == 2 else 0)


def test_kappa_of_a_textbook_table() -> None:
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: 0.7 agreement, 0.5 by chance, 0.4."""
    wanted, got = "y" * 25 + "n" * 25, "y" * 20 + "n" * 5 + "y" * 10 + "n" * 15
    found: Callable[..., Any] = agreement
    assert (round(found(wanted, got).agreement, 9), round(found(wanted, got).kappa, 9)) == (0.7, 0.4)


def test_in_a_run_a_measured_judge_gates_and_a_budget_that_is_too_small_ends_it_in_good_order(tmp_path: Path) -> None:
    path = write(tmp_path / "set.jsonl", rows())
    double = Double(lambda text: quality(text) if len(text) != 16 else crc32(text.encode()) % 10 + 1.0)

    def recipe(**more: Any) -> Recipe:
        judge = {"use": "judge", "model": "judge", "enforce": True, "calibration": {"path": path}}
        return Recipe.build(
            {
                "models": {"teacher": {"use": "scripted", "mode": "digest"}, "judge": Scripted(name="double", function=double)},
                "seeds": {"inline": [f"question {n}" for n in range(400)]},
                "generate": [{"use": "answer", "model": "teacher"}],
                "filters": [judge, {"use": "select", "share": 0.25, "by": "judge"}],
                "output": {"dir": str(tmp_path / "out")},
                "checks": {"sample": 0},
                "target": 20,
                **more,
            }
        )

    broke = run(recipe(budget={"tokens": 3000}))
    assert (broke.status, broke.accepted, broke.counts.failed) == ("budget", 0, 0)
    before = fingerprint(recipe())
    write(tmp_path / "set.jsonl", rows(50))
    assert {name for name, value in fingerprint(recipe()).items() if before[name] != value} == {"judge.calibration"}
    write(tmp_path / "set.jsonl", rows())
    whole = run(recipe())
    assert (whole.status, whole.accepted) == ("complete", 20)
    with LedgerReader(tmp_path / "out" / ".run" / "ledger.db") as reader:
        accepted = [Record.load(row.body) for row in reader.rows("accepted")]
        refused = {row.reason.partition(":")[0] for row in reader.rows("refused")}
    assert refused == {"low_score", "not_selected"}
    assert all((record.verdicts[0].score or 0) >= 7 for record in accepted)
    assert accepted[0].verdicts[0].evidence["calibration"] == {"n": 40, "agreement": 1.0, "kappa": 1.0}
