"""Texts of one or two languages, put together from clauses written for this (data/clauses.jsonl), with what is foreign in them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data"
JOINTS = (", ", " ", ". ", "; ", " — ")
FILLERS = ("$x = {n}$", "{n} + 3 = 9", "`f({n})`", "\\(\\frac{{1}}{{{n}}}\\)", "https://example.org/{n}", "Anna Kowalska", "{n}")
"""What belongs to no language."""


@dataclass(frozen=True)
class Mixture:
    """One text; `foreign` is the clause of another language in it, `""` where there is none."""

    target: str
    other: str
    text: str
    foreign: str


def clauses() -> dict[str, list[str]]:
    rows = (json.loads(line) for line in (DATA / "clauses.jsonl").read_text("utf-8").splitlines())
    return {row["language"]: row["clauses"] for row in rows}


LATIN = ["cs", "da", "de", "en", "es", "fi", "fr", "hu", "id", "it", "nl", "pl", "pt", "ro", "sv", "tr", "vi"]


def sentences() -> dict[str, list[str]]:
    """Sentences in Latin script without their capital and full stop."""
    rows = [json.loads(line) for line in (DATA / "languages.jsonl").read_text("utf-8").splitlines()]
    return {row["language"]: [_within(one) for one in row["everyday"] + row["maths"]] for row in rows if row["language"] in LATIN}


def _within(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].rstrip(".")


def mixtures(n: int = 600, *, seed: int = 1, joints: tuple[str, ...] = JOINTS, unseen: bool = False) -> Iterator[Mixture]:
    """Half of them with one clause of another Latin-script language, anywhere but at the start.

    The thresholds of `language` were chosen with seed 7; `unseen` takes what is foreign from languages.jsonl, which they were not chosen with.
    """
    rng, known = random.Random(seed), clauses()
    others = sentences() if unseen else known
    for number in range(n):
        target = rng.choice(sorted(known))
        other = rng.choice(sorted(set(others) - {target}))
        said = rng.sample(known[target], rng.randrange(4, 8))
        foreign = rng.choice(others[other]) if number % 2 else ""
        if foreign:
            said[rng.randrange(1, len(said))] = foreign
        said.insert(rng.randrange(1, len(said)), rng.choice(FILLERS).format(n=rng.randrange(2, 90)))
        text = "".join(piece for clause in said for piece in (clause, rng.choice(joints))).rstrip(" ,;—.") + "."
        yield Mixture(target, other, text[0].upper() + text[1:], foreign)
