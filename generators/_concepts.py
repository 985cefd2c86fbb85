"""Words that a text has to hold: where a seed names them, whether a text holds them in any form, how they were put into groups."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..core.errors import Refused
from ..core.record import Record
from ._overlap import units

MOST = 40
"""Words of a seed."""
LONGEST = 60
"""Characters of one of them."""
_SPLIT = re.compile(r"[,;，；、|\n]")
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0eff]")
_BARE = " \t.:*-•\"'“”‘’`<>[](){}"
_ENDINGS = (("ies", "y"), ("ied", "y"), ("ying", "ie"), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("es", ""), ("s", ""))
_IRREGULAR = (
    "begin began begun|bite bit bitten|blow blew blown|break broke broken|bring brought|build built|buy bought|catch caught|choose chose chosen|"
    "come came|dig dug|do does did done|draw drew drawn|drink drank drunk|drive drove driven|eat ate eaten|fall fell fallen|feed fed|feel felt|fight fought|"
    "find found|fly flew flown|forget forgot forgotten|freeze froze frozen|get got gotten|give gave given|go goes went gone|grow grew grown|hang hung|"
    "have had has|hear heard|hide hid hidden|hold held|keep kept|know knew known|lay laid|lead led|leave left|lend lent|lie lay lain|light lit|lose lost|"
    "make made|mean meant|meet met|pay paid|ride rode ridden|ring rang rung|rise rose risen|run ran|say said|see saw seen|sell sold|send sent|"
    "shake shook shaken|shine shone|shoot shot|sing sang sung|sink sank sunk|sit sat|sleep slept|speak spoke spoken|spend spent|stand stood|"
    "steal stole stolen|stick stuck|strike struck|sweep swept|swim swam swum|swing swung|take took taken|teach taught|tear tore torn|tell told|"
    "think thought|throw threw thrown|understand understood|wake woke woken|wear wore worn|win won|wind wound|write wrote written|"
    "child children|foot feet|goose geese|knife knives|leaf leaves|life lives|loaf loaves|man men|mouse mice|person people|shelf shelves|thief thieves|"
    "tooth teeth|wife wives|wolf wolves|woman women"
)
_BASES = {form: base for base, *forms in (group.split() for group in _IRREGULAR.split("|")) for form in forms}


def concepts_of(seed: Record, column: str, least: int) -> tuple[str, ...]:
    """The words that a column of the seed names, as a list or a text with commas.

    Raises Refused: `no_concepts` (fewer than `least`), `too_many_concepts`, `long_concept`.
    """
    found = tuple({_key(word): word for word in _listed(seed.fields.get(column)) if _key(word)}.values())
    if len(found) < least:
        raise Refused("no_concepts", f"{len(found)} words in the column {column!r}, {least} are needed: a list, or a text with commas")
    if len(found) > MOST:
        raise Refused("too_many_concepts", f"{len(found)} words in the column {column!r}, at most {MOST}")
    if long := next((word for word in found if len(word) > LONGEST), ""):
        raise Refused("long_concept", f"{long[:80]!r} is no word")
    return found


def holds(text: str, concept: str) -> bool:
    """Whether the text has the word (or the words, one behind the other) in any form: `ran` for `run`, `leaves` for `leaf`.

    Endings and common irregular forms are those of English; in scripts without spaces the concept itself must stand there.
    """
    if _IDEOGRAPH.search(concept):
        return concept.casefold() in text.casefold()
    wanted = [_bases(word) for word in units(concept)]
    there = [_bases(word) for word in units(text)]
    places = range(len(there) - len(wanted) + 1)
    return bool(wanted) and any(all(wanted[at] & there[start + at] for at in range(len(wanted))) for start in places)


def missing(text: str, concepts: Sequence[str]) -> list[str]:
    """Those that the text does not hold."""
    return [concept for concept in concepts if not holds(text, concept)]


def grouped(groups: Sequence[Sequence[str]], concepts: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The groups in the seed's own spelling, once it is sure that each concept stands in exactly one of them.

    Raises Refused: `empty_group`, `unknown_concept`, `overlapping_groups`, `incomplete_groups`.
    """
    told = tuple(tuple(_known(word, concepts) for line in group for word in _words(line, concepts)) for group in groups)
    if not all(told):
        raise Refused("empty_group", f"group {next(at for at, group in enumerate(told, 1) if not group)} of {len(told)} holds no word")
    flat = [word for group in told for word in dict.fromkeys(group)]
    if twice := next((word for word, other in pairwise(sorted(flat)) if word == other), ""):
        raise Refused("overlapping_groups", f"{twice!r} stands in two groups")
    if lost := [word for word in concepts if word not in flat]:
        raise Refused("incomplete_groups", f"{len(lost)} of {len(concepts)} words are in no group: {', '.join(lost)[:200]}")
    return tuple(tuple(dict.fromkeys(group)) for group in told)


def _listed(value: Any) -> list[str]:
    if isinstance(value, str):
        text = value.strip()
        if not text.startswith("["):
            return [word.strip() for word in _SPLIT.split(text)]
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return []
    return [" ".join(word.split()) for word in value if isinstance(word, str)] if isinstance(value, list | tuple) else []


def _words(line: str, concepts: Sequence[str]) -> list[str]:
    """The words of one line of a reply: the line itself where it is a concept, else what stands between its commas."""
    keys = {_key(concept) for concept in concepts}
    parts = [line] if _key(line) in keys else _SPLIT.split(line)
    return [part for part in parts if _key(part)]


def _known(word: str, concepts: Sequence[str]) -> str:
    """The concept that a word of the reply is: itself, or another form of it."""
    key = _key(word)
    if same := next((concept for concept in concepts if _key(concept) == key), ""):
        return same
    alike = [concept for concept in concepts if _alike(key, concept)]
    if len(alike) != 1:
        raise Refused("unknown_concept", f"{word.strip()[:80]!r} is none of the words")
    return alike[0]


def _alike(word: str, concept: str) -> bool:
    mine, theirs = units(word), units(concept)
    return bool(mine) and len(mine) == len(theirs) and all(_bases(a) & _bases(b) for a, b in zip(mine, theirs, strict=True))


def _key(word: str) -> str:
    return " ".join(word.casefold().strip(_BARE).split())


def _bases(word: str) -> frozenset[str]:
    """What a word may be a form of, itself included."""
    word = word.removesuffix("'s").removesuffix("’s")
    cut = {word.removesuffix(ending) + put for ending, put in _ENDINGS if word.isascii() and word.endswith(ending)}
    single = {form[:-1] for form in cut if form[-2:-1] == form[-1:]}
    return frozenset({word, _BASES.get(word, word)} | {form for form in cut | single if len(form) >= 3})
