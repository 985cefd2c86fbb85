"""Slots in a template: which there are, how one is written, and how a text is read back into them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from random import Random
from types import MappingProxyType

from .words import DIGITS, FRACTIONS, HE, NOUNS, PEOPLE, SYNONYMS, TIMES

Value = Fraction | str | None
Bindings = Mapping[str, Value]

PERSONS = ("name", "other", "third", "friend")
PRONOUNS = MappingProxyType(
    {
        f"{short}{form}": (person, pair)
        for short, person in (("", "name"), ("o", "other"))
        for form, pair in (("he", ("she", "he")), ("He", ("She", "He")), ("his", ("her", "his")), ("him", ("her", "him")))
    }
)
_SLOT = re.compile(r"\{(\w+)\}")
_NUMBER = r"\d+(?:\.\d+)?|" + "|".join(DIGITS) + "|" + "|".join(SYNONYMS["several"])


@dataclass(frozen=True)
class Style:
    """Choices that hold for a whole question: small numbers in words, and which slot is left without a number."""

    words: bool = False
    hidden: str = ""
    vague: str = "several"


def slots(text: str) -> tuple[str, ...]:
    """The slots of a template, in order of appearance."""
    return tuple(_SLOT.findall(text))


def is_number(slot: str) -> bool:
    """Whether a slot holds a number."""
    return len(slot) == 1 or slot in ("times", "frac")


def is_local(slot: str) -> bool:
    """Whether a slot belongs to one piece alone, so that the next piece may fill it anew."""
    return is_number(slot) or slot == "friend"


def _noun(slot: str) -> tuple[str, int] | None:
    stem = slot.removesuffix("_s")
    return (stem, int(stem != slot)) if stem.rstrip("2") in NOUNS else None


def draw(slot: str, taken: Bindings, rng: Random) -> dict[str, Value]:
    """Choose the word that a slot needs and `taken` does not hold yet."""
    if slot in PRONOUNS:
        slot = PRONOUNS[slot][0]
    noun = _noun(slot)
    key = noun[0] if noun else slot
    if key in taken or (slot not in PERSONS and not noun):
        return {}
    used = set(taken.values())
    pool = [pair[0] for pair in NOUNS[key.rstrip("2")]] if noun else list(PEOPLE)
    return {key: rng.choice([word for word in pool if word not in used])}


def show(value: Fraction) -> str:
    """A number as the corpus writes it: an integer, or a decimal without trailing zeros."""
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.6f}".rstrip("0")


def fill(text: str, bound: Bindings, rng: Random, style: Style = Style()) -> str:
    """Write a template with its slots filled; synonyms are chosen here, as nothing depends on them."""

    def word(match: re.Match[str]) -> str:
        slot = match[1]
        if slot in SYNONYMS:
            return rng.choice(SYNONYMS[slot])
        if slot in PRONOUNS:
            person, forms = PRONOUNS[slot]
            return forms[bound[person] in HE]
        noun = _noun(slot)
        if noun:
            return _inflect(*noun, str(bound[noun[0]]))
        value = bound[slot]
        return _written(slot, value, rng, style) if isinstance(value, Fraction) else str(value)

    return _SLOT.sub(word, text)


def _inflect(stem: str, number: int, plural: str) -> str:
    return next(pair[number] for pair in NOUNS[stem.rstrip("2")] if pair[0] == plural)


def _written(slot: str, value: Fraction, rng: Random, style: Style) -> str:
    if slot == style.hidden:
        return style.vague
    if slot == "times":
        return rng.choice([word for word, times in TIMES.items() if times == value])
    if slot == "frac":
        return next(word for word, (top, low) in FRACTIONS.items() if Fraction(top, low) == value)
    if style.words and value in DIGITS.values():
        return next(word for word, number in DIGITS.items() if number == value)
    return show(value)


@cache
def pattern(text: str) -> re.Pattern[str]:
    """The regular expression that reads a template back; each slot's first use is a named group."""
    seen: dict[str, int] = {}
    parts = []
    for index, part in enumerate(_SLOT.split(text)):
        if index % 2 == 0:
            parts.append(re.escape(part))
            continue
        name = part if part not in seen else f"{part}__{seen[part]}"
        seen[part] = seen.get(part, 0) + 1
        parts.append(f"(?P<{name}>{_alternatives(part)})")
    return re.compile("".join(parts) + r"(?=\s|$)")


def _alternatives(slot: str) -> str:
    noun = _noun(slot)
    if noun:
        words = [pair[noun[1]] for pair in NOUNS[noun[0].rstrip("2")]]
    elif slot in SYNONYMS:
        words = list(SYNONYMS[slot])
    elif slot in PRONOUNS:
        words = list(PRONOUNS[slot][1])
    elif slot in PERSONS:
        words = list(PEOPLE)
    elif slot == "times":
        words = list(TIMES)
    elif slot == "frac":
        words = list(FRACTIONS)
    else:
        return f"(?i:{_NUMBER})"
    choices = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return choices if slot in (*PERSONS, *PRONOUNS, *SYNONYMS) else f"(?i:{choices})"


def read(match: re.Match[str], known: Bindings) -> dict[str, Value] | None:
    """The slots a match fills, or None where one contradicts another or what is `known`."""
    found: dict[str, Value] = {}
    later = []
    for group, word in match.groupdict().items():
        slot = group.split("__")[0]
        if slot in PRONOUNS:
            later.append((slot, word))
        elif slot not in SYNONYMS:
            key, value = _value(slot, word)
            if found.setdefault(key, value) != value or (key in known and not is_local(key) and known[key] != value):
                return None
    everyone = {**known, **found}
    words = [value for value in everyone.values() if isinstance(value, str)]
    if len(set(words)) < len(words):
        return None
    for slot, word in later:
        person, forms = PRONOUNS[slot]
        if person not in everyone or forms[everyone[person] in HE] != word:
            return None
    return found


def _value(slot: str, word: str) -> tuple[str, Value]:
    noun = _noun(slot)
    if slot in PERSONS:
        return slot, word
    word = word.lower()
    if noun:
        stem, number = noun
        return stem, next(pair[0] for pair in NOUNS[stem.rstrip("2")] if pair[number] == word)
    if word in SYNONYMS["several"]:
        return slot, None
    if slot == "frac":
        return slot, Fraction(*FRACTIONS[word])
    number_word = TIMES.get(word) if slot == "times" else DIGITS.get(word)
    return slot, Fraction(number_word) if number_word else Fraction(word)
