"""Whether a judge has earned that its refusals remove records: canaries first, then the labelled set."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import CallError, RecipeError, StorageError
from ..core.home import home
from ..core.part import Tools
from ..core.record import Verdict
from ._agreement import Agreement, agreement
from ._judge_calibration import Calibration, Labelled
from ._judge_canaries import BAD, CANARIES, GOOD
from ._judging import RULES, Judging

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_TAKEN = 0.01
"""Share of canaries that a judge may take for good answers."""
_BLANK: Mapping[str, Any] = dict.fromkeys(
    ("mark", "task", "answer", "gold", "rubric", "low", "high", "a", "b", "candidates", "title", "how", "scores", "most", "n", "names"), ""
)
"""Something for every value that a wording of a judge takes, to learn the hash of its template."""


class Trust(NamedTuple):
    """What was found out about a judge when it was opened."""

    against: str
    """Why it may not gate; empty: it may."""
    enforce: bool
    evidence: Mapping[str, Any]

    def applied(self, verdict: Verdict) -> Verdict:
        """The verdict with what is known of its judge; without trust it only labels."""
        evidence = {**verdict.evidence, **self.evidence}
        if not self.enforce or not self.against or verdict.reason.partition(":")[0] in RULES:
            return verdict.model_copy(update={"evidence": evidence})
        would = "" if verdict.keep else f"; it would {verdict.outcome}: {verdict.reason}"
        reason = f"uncalibrated: {self.against}{would}"
        return verdict.model_copy(update={"outcome": "keep", "reason": reason, "evidence": evidence})


async def trusted(part: Judging, tools: Tools) -> Trust:
    """Measure a judge. Raises RecipeError where the labelled set cannot be read, or where the judge is below a bound that stops."""
    rows, digest = part.calibration.read(part.threshold()) if part.calibration else ([], "")
    against: list[str] = []
    evidence: dict[str, Any] = {"calibration": "none"}
    if part.canaries:
        taken, evidence["canaries"] = await _canaries(part, tools)
        if taken > MOST_TAKEN:
            against.append(f"it took {taken:.0%} of the canaries for good answers")
    if part.calibration is not None:
        found = await _calibrated(part, tools, rows, digest)
        evidence["calibration"] = {"n": found.n, "agreement": round(found.agreement, 3), "kappa": round(found.kappa, 3)}
        against += _below(part.calibration, found)
        if against and part.enforce and part.calibration.below == "stop":
            raise RecipeError(f"{part.part_name()} may not judge here: {'; '.join(against)}", "calibration")
    return Trust("; ".join(against), part.enforce, evidence)


def _below(bounds: Calibration, found: Agreement) -> list[str]:
    classes = ", ".join(f"{label} {hits} of {n}" for label, (hits, n) in found.classes.items())
    if found.agreement < bounds.min_agreement:
        return [f"it agrees with {found.agreement:.0%} of {found.n} labels, {bounds.min_agreement:.0%} are wanted ({classes})"]
    if found.kappa < bounds.min_kappa:
        return [f"its kappa with {found.n} labels is {found.kappa:.2f}, {bounds.min_kappa:g} is wanted ({classes})"]
    return []


async def _canaries(part: Judging, tools: Tools) -> tuple[float, str]:
    """Share of attacks and bad answers that the judge takes for good ones, and the same in words with known good answers."""
    foul = [*CANARIES, *BAD]
    taken = await asyncio.gather(*(_takes(part, tools, *one) for one in foul))
    good = await asyncio.gather(*(_takes(part, tools, task, answer, answer) for task, answer in GOOD))
    words = f"{sum(taken)} of {len(foul)} bad ones taken, {sum(good)} of {len(good)} good ones"
    return sum(taken) / len(foul), words


async def _takes(part: Judging, tools: Tools, task: str, answer: str, good: str) -> bool:
    try:
        return part.takes(await part.judged_all(part.probe(task, answer, good), tools))
    except CallError:  # a server that will not even read it (a content filter) took nothing for good
        return False


async def _calibrated(part: Judging, tools: Tools, rows: Sequence[Labelled], digest: str) -> Agreement:
    """The agreement with the rows; measured once for each judge, wording and set, and then remembered."""
    got: list[str] = []
    who: dict[str, Any] = {}
    for row in rows:
        label, model = await _label(part, tools, row)
        got.append(label)
        if model:  # the first reply tells which model this is
            who = _who(part, tools, model, digest)
            break
    if who and (known := await asyncio.to_thread(_remembered, who)) is not None:
        return known
    got += [label for label, _ in await asyncio.gather(*(_label(part, tools, row) for row in rows[len(got) :]))]
    found = agreement([row.wanted for row in rows], got)
    if who:
        await asyncio.to_thread(_remember, who, found)
    return found


async def _label(part: Judging, tools: Tools, row: Labelled) -> tuple[str, str]:
    try:
        verdicts = await part.judged_all(row.records, tools)
    except CallError:
        return "abstain", ""
    return part.label(row, verdicts), str(verdicts[0].evidence.get("judge", ""))


def _who(part: Judging, tools: Tools, model: str, digest: str) -> dict[str, Any]:
    """What a measurement holds for: these settings, models, wordings, this language and set."""
    return {
        "settings": part.model_dump(mode="json", exclude={"enforce", "on_abstain", "calibration", "canaries", "outranked_by"}),
        "version": part.version,
        "models": [model, *(tools.model(name).identity for name in part.needs())],
        "wordings": {name: tools.render(name, **_BLANK).template for name in part.prompts},
        "language": tools.language,
        "set": digest,
    }


def _place(who: Mapping[str, Any]) -> Path:
    said = json.dumps(who, sort_keys=True).encode()
    return home() / "calibrations" / f"{who['settings']['use']}-{blake2b(said, digest_size=12).hexdigest()}.json"


def _remembered(who: Mapping[str, Any]) -> Agreement | None:
    try:
        return Agreement.model_validate(json.loads(_place(who).read_bytes())["found"])
    except (OSError, ValueError, KeyError, TypeError):  # never measured, or cut by a crash: it is measured (again)
        return None


def _remember(who: Mapping[str, Any], found: Agreement) -> None:
    place = _place(who)
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = place.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({**who, "found": found.model_dump(mode="json")}, indent=1), "utf-8")
        draft.chmod(0o600)
        draft.replace(place)
    except OSError as error:
        raise StorageError(f"the calibration cannot be kept in {place} ({error})") from error
