"""The labelled set that a judge is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
from pydantic import Field, ValidationError, ValidationInfo, model_validator

from ..core.errors import RecipeError
from ..core.frozen import Frozen
from ..core.record import Conversation, Preference, Record, assistant, user


class Labelled(NamedTuple):
    """One row: the records it holds, and what a person said of them."""

    records: tuple[Record, ...]
    kind: Literal["label", "preferred", "best"]
    wanted: str


class Calibration(Frozen):
    """A JSON lines file of labelled records, and how far the judge must agree with it."""

    path: Path
    """Rows with `prompt` and `response` (or `chosen` and `rejected`, or `candidates`) and a `label`, `score`, `preferred` or `best`."""
    min_agreement: float = Field(default=0.8, ge=0, le=1)
    """Share of rows at least on which the judge says what the label says."""
    min_kappa: float = Field(default=0.4, ge=-1, le=1)
    """Cohen's kappa at least: a judge that always says the same has 0, however many labels it meets."""
    min_rows: int = Field(default=30, ge=2)
    """A smaller set proves nothing and is refused."""
    below: Literal["label", "stop"] = "label"
    """What happens below these bounds: the judge only labels, or the run stops before anything is spent on it."""
    base: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _placed(cls, raw: Any, info: ValidationInfo) -> Any:
        base = (info.context or {}).get("base")
        return {"base": base, **raw} if base is not None and isinstance(raw, dict) else raw

    def read(self, threshold: float | None) -> tuple[list[Labelled], str]:
        """The rows, and a hash of the file. Raises RecipeError."""
        place = self.base / self.path
        try:
            body = place.read_bytes()
        except OSError as error:
            raise RecipeError(f"the labelled set {place} cannot be read ({error.strerror})", "calibration.path") from error
        rows = [(n, line) for n, line in enumerate(body.split(b"\n"), 1) if line.strip()]
        if len(rows) < self.min_rows:
            raise RecipeError(f"{place} has {len(rows)} rows; a judge is measured on {self.min_rows} at least", "calibration.path")
        return [_labelled(line, threshold, f"{place}:{n}") for n, line in rows], blake2b(body, digest_size=8).hexdigest()


def _labelled(line: bytes, threshold: float | None, where: str) -> Labelled:
    try:
        row = orjson.loads(line)
        if not isinstance(row, dict):
            raise ValueError("expected an object")
        kind, wanted = _wanted(row, threshold)
        return Labelled(_records(row), kind, wanted)
    except ValidationError as error:
        raise RecipeError(f"{error.errors()[0]['msg']}", where) from error
    except (ValueError, KeyError, TypeError) as error:
        text = f"a row needs {error}" if isinstance(error, KeyError) else str(error)
        raise RecipeError(text, where) from error


def _wanted(row: Mapping[str, Any], threshold: float | None) -> tuple[Literal["label", "preferred", "best"], str]:
    if "label" in row:
        if row["label"] not in ("keep", "refuse"):
            raise ValueError(f"`label` is keep or refuse, not {row['label']!r}")
        return "label", row["label"]
    if "preferred" in row:
        if row["preferred"] not in ("chosen", "rejected", "tie"):
            raise ValueError(f"`preferred` is chosen, rejected or tie, not {row['preferred']!r}")
        return "preferred", row["preferred"]
    if "best" in row:
        if not isinstance(row["best"], int) or not 0 <= row["best"] < len(row["candidates"]):
            raise ValueError("`best` is the position of the best of `candidates`, from 0")
        return "best", str(row["best"])
    if "score" not in row:
        raise ValueError("a row needs a `label`, a `score`, `preferred` or `best`")
    if threshold is None:
        raise ValueError("this judge gives no score on a scale: label rows with keep or refuse, or with `preferred`")
    return "label", "keep" if float(row["score"]) >= threshold else "refuse"


def _records(row: Mapping[str, Any]) -> tuple[Record, ...]:
    gold = None if row.get("answer") is None else str(row["answer"])
    if "record" in row:
        return (Record.model_validate(row["record"]),)
    if "messages" in row:
        return (Record(content=Conversation(messages=row["messages"]), answer=gold),)
    prompt = (user(row["prompt"]),)
    if "chosen" in row:
        pair = Preference(prompt=prompt, chosen=(assistant(row["chosen"]),), rejected=(assistant(row["rejected"]),))
        return (Record(content=pair, answer=gold),)
    answers = row["candidates"] if "candidates" in row else [row["response"]]
    return tuple(
        Record(content=Conversation(messages=(*prompt, assistant(text))), answer=gold, origin=str(n)) for n, text in enumerate(answers)
    )
