from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from datalchemy.core.record import Record, Verdict
from datalchemy.eval.jury import Jury
from judge_double import Double, DoubleModel
from pydantic import ValidationError

Reply = Callable[..., Record]


async def verdict_of(tools: Any, record: Record, part: Jury, **jurors: Double) -> Verdict:
    models = {name: DoubleModel(double) for name, double in jurors.items()}
    async with part.open(type(tools)(workers=tools.workers, models=models)) as judge:
        return (await judge([record]))[0]


def fixed(score: float) -> Double:
    return Double(lambda _: score)


THREE = Jury(models=("one", "two", "three"), canaries=False)


@pytest.mark.parametrize(
    ("given", "outcome", "share"), [((9, 9, 9), "keep", 1.0), ((9, 9, 2), "keep", 2 / 3), ((9, 2, 2), "refuse", 1 / 3)]
)
async def test_the_share_of_votes_is_the_score(tools: Any, reply: Reply, given: tuple[int, ...], outcome: str, share: float) -> None:
    one, two, three = map(fixed, given)
    verdict = await verdict_of(tools, reply("It is 7."), THREE, one=one, two=two, three=three)
    assert (verdict.outcome, verdict.score) == (outcome, pytest.approx(share))
    assert verdict.evidence["votes"] == list(map(float, given))
    assert verdict.evidence["agreement"] == pytest.approx(max(share, 1 - share), abs=1e-3)
    if outcome == "refuse":
        assert verdict.reason == "outvoted: 1 of 3 jurors are for it, 60% are wanted: It is as it is."


async def test_the_quorum_is_met_exactly(tools: Any, reply: Reply) -> None:
    part = THREE.model_copy(update={"quorum": 2 / 3})
    assert (await verdict_of(tools, reply("It is 7."), part, one=fixed(9), two=fixed(9), three=fixed(2))).keep
    part = THREE.model_copy(update={"quorum": 0.7})
    assert not (await verdict_of(tools, reply("It is 7."), part, one=fixed(9), two=fixed(9), three=fixed(2))).keep


async def test_who_cannot_be_read_has_no_vote(tools: Any, reply: Reply) -> None:
    mute = Double(form=lambda _: "Hm.")
    verdict = await verdict_of(tools, reply("It is 7."), THREE, one=fixed(9), two=fixed(2), three=mute)
    assert (verdict.outcome, verdict.score, len(verdict.evidence["votes"])) == ("refuse", 0.5, 2)
    verdict = await verdict_of(tools, reply("It is 7."), THREE, one=fixed(9), two=mute, three=mute)
    assert (verdict.outcome, verdict.reason) == ("abstain", "no_quorum: 1 of 3 jurors gave a verdict that can be read")


async def test_samples_of_one_model_are_different_calls(tools: Any, reply: Reply) -> None:
    class Counting(DoubleModel):
        calls: list[tuple[str, int]] = []

        async def chat(self, messages: Any, **how: Any) -> Any:
            self.calls.append((how["path"], how["sample"]))
            return await super().chat(messages)

    part = Jury(models=("one", "two"), samples=3, temperature=0.7, canaries=False)
    models = {"one": Counting(), "two": DoubleModel()}
    async with part.open(type(tools)(workers=tools.workers, models=models)) as judge:
        (verdict,) = await judge([reply("It is 7.")])
    assert len(set(Counting.calls)) == 3
    assert len(verdict.evidence["votes"]) == 6


async def test_an_empty_answer_needs_no_jury(tools: Any, reply: Reply) -> None:
    verdict = await verdict_of(tools, reply("Solution:"), THREE)
    assert (verdict.outcome, verdict.score, verdict.reason.partition(":")[0]) == ("refuse", 0.0, "too_little_text")


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValidationError, match="named twice"):
        Jury(models=("one", "one"))
    with pytest.raises(ValidationError, match="all alike"):
        Jury(models=("one",), samples=3)
    with pytest.raises(ValidationError):
        Jury(models=())
    assert Jury(models=("one", "two")).needs() == {"one": frozenset({"chat"}), "two": frozenset({"chat"})}
