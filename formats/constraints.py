"""Constraints that a program can check: what strategies draw and put into words, and what `use: instructions` verifies.

The 25 instruction types of IFEval (arXiv 2311.07911), named as there, with the parameters they have there. The texts and the
draws are ours; the checks are in eval/instructions.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import Any

from ..core.frozen import Frozen
from ._constraint_words import DRAWS, ENGLISH_ONLY, LANGUAGE_NAMES, TEXTS, VALUES

IDS: tuple[str, ...] = tuple(TEXTS)
"""All instruction types."""

_ANYTHING = frozenset(IDS)
_SENTENCES = "length_constraints:number_sentences"
_LANGUAGE = "language:response_language"
_TOGETHER: dict[str, frozenset[str]] = {
    "detectable_format:constrained_response": frozenset(),
    "detectable_format:json_format": frozenset({"keywords:existence", "keywords:forbidden_words"}),
    "combination:two_responses": frozenset(
        {"keywords:existence", "keywords:forbidden_words", _LANGUAGE, "detectable_format:title", "punctuation:no_comma"}
    ),
    "combination:repeat_prompt": frozenset({"keywords:existence", "detectable_format:title"}),
}
"""Types that stand with hardly any other one: with which."""
_APART: dict[str, frozenset[str]] = {
    _LANGUAGE: frozenset(
        {
            "change_case:capital_word_frequency",
            "change_case:english_capital",
            "change_case:english_lowercase",
            "detectable_content:postscript",
            "detectable_format:multiple_sections",
            "keywords:existence",
            "keywords:forbidden_words",
            "keywords:frequency",
            "keywords:letter_frequency",
            "length_constraints:nth_paragraph_first_word",
            "length_constraints:number_words",
            _SENTENCES,
            "startend:end_checker",
        }
    ),
    "length_constraints:number_paragraphs": frozenset({"length_constraints:nth_paragraph_first_word", _SENTENCES}),
    _SENTENCES: frozenset(
        {
            "detectable_content:postscript",
            "detectable_format:multiple_sections",
            "detectable_format:number_bullet_lists",
            "length_constraints:nth_paragraph_first_word",
        }
    ),
    "detectable_format:multiple_sections": frozenset(
        {"change_case:english_lowercase", "change_case:english_capital", "detectable_format:number_highlighted_sections"}
    ),
    "change_case:capital_word_frequency": frozenset({"change_case:english_capital", "change_case:english_lowercase"}),
    "change_case:english_capital": frozenset({"change_case:english_lowercase", "startend:end_checker"}),
    "change_case:english_lowercase": frozenset({"detectable_content:postscript", "startend:end_checker"}),
    "length_constraints:nth_paragraph_first_word": frozenset({"detectable_format:multiple_sections", "detectable_format:title"}),
    "startend:quotation": frozenset({"detectable_format:title"}),
}
"""Pairs of types that cannot stand together, either way round."""


class Constraint(Frozen):
    """One instruction whose keeping can be checked."""

    id: str
    """Instruction type (`length_constraints:number_words`)."""
    kwargs: Mapping[str, Any] = {}
    """Its parameters (`{"relation": "at least", "num_words": 200}`)."""


def draw(
    rng: Random, k: int, *, language: str = "en", words: Sequence[str] = (), ids: Collection[str] = IDS, prompt: str = ""
) -> list[Constraint]:
    """Up to `k` constraints that can all be kept together; fewer where no further type fits.

    `words`: keywords that suit the topic (otherwise common ones are taken). `prompt`: the question, which `repeat_prompt`
    needs and is not drawn without. Types that make no sense in the language are left out.
    """
    left = [name for name in IDS if name in ids and (prompt or name != "combination:repeat_prompt")]
    if language != "en":
        left = [name for name in left if name not in ENGLISH_ONLY]
    pool = [word for word in dict.fromkeys(words) if word.strip()] or list(VALUES[language if language in VALUES else "en"]["words"])
    drawn: list[Constraint] = []
    rng.shuffle(left)
    for name in left:
        if len(drawn) >= k:
            break
        one = Constraint(id=name, kwargs=DRAWS[name](rng, pool, language, prompt))
        if not any(conflicts(one, other) for other in drawn):
            drawn.append(one)
    return drawn


def conflicts(a: Constraint, b: Constraint) -> bool:
    """Whether no answer could sensibly keep both: by their types, or by their parameters."""
    return _types_apart(a.id, b.id) or _parameters_apart(a, b) or _parameters_apart(b, a)


def describe(constraint: Constraint, language: str = "en") -> str:
    """The constraint in words, as a user would ask for it; English where there is no text in the language."""
    text = TEXTS[constraint.id]["zh" if language == "zh" else "en"]
    values = dict(constraint.kwargs)
    values.update({name: _relation(values[name], language) for name in values if name.endswith("relation")})
    for name, value in values.items():
        if isinstance(value, list | tuple):
            values[name] = ("、" if language == "zh" else ", ").join(f"“{item}”" if language == "zh" else f'"{item}"' for item in value)
    if constraint.id == _LANGUAGE:
        code = str(values["language"])
        values["language"] = LANGUAGE_NAMES.get(code, (code, code))[language == "zh"]
    return text.format(**values)


def dump(constraints: Sequence[Constraint]) -> str:
    """The constraints as JSON text for a record's `tests`, in the shape of IFEval's rows."""
    return json.dumps(
        {"instruction_id_list": [one.id for one in constraints], "kwargs": [dict(one.kwargs) for one in constraints]}, ensure_ascii=False
    )


def _relation(relation: object, language: str) -> str:
    if language != "zh":
        return "fewer than" if relation == "less than" else str(relation)
    return "少于" if relation == "less than" else "至少"


def _types_apart(a: str, b: str) -> bool:
    pairs = ((a, b), (b, a))
    return a == b or any(other in _ANYTHING - _TOGETHER.get(one, _ANYTHING) or other in _APART.get(one, ()) for one, other in pairs)


def _parameters_apart(a: Constraint, b: Constraint) -> bool:
    """Whether what `a` asks to be written is what `b` forbids."""
    wanted = [text.casefold() for text in _wanted(a)]
    match b.id:
        case "keywords:forbidden_words":
            return any(_overlap(word, text) for word in b.kwargs["forbidden_words"] for text in wanted)
        case "keywords:frequency" if b.kwargs["relation"] == "less than":
            return any(_overlap(b.kwargs["keyword"], text) for text in wanted)
        case "keywords:letter_frequency" if b.kwargs["let_relation"] == "less than":
            return any(b.kwargs["letter"].casefold() in text for text in wanted)
        case "punctuation:no_comma":
            return any("," in text for text in wanted)
    return False


def _overlap(word: str, text: str) -> bool:
    word = word.casefold()
    return word in text or text in word


def _wanted(one: Constraint) -> list[str]:
    """Texts that an answer must contain to keep the constraint."""
    given = one.kwargs
    match one.id:
        case "keywords:existence":
            return list(given["keywords"])
        case "keywords:frequency" if given["relation"] == "at least":
            return [given["keyword"]]
        case "length_constraints:nth_paragraph_first_word":
            return [given["first_word"]]
        case "startend:end_checker":
            return [given["end_phrase"]]
        case "combination:repeat_prompt":
            return [given["prompt_to_repeat"]]
        case "detectable_format:constrained_response":
            return ["My answer is yes.", "My answer is no.", "My answer is maybe."]
        case "detectable_content:postscript":
            return [given["postscript_marker"]]
        case "detectable_format:multiple_sections":
            return [given["section_spliter"]]
        case "keywords:letter_frequency" if given["let_relation"] == "at least":
            return [given["letter"]]
    return []
