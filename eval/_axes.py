"""The axes that ship for `tag`, and those of a recipe's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator

from ..core.errors import nearest
from ..core.frozen import Frozen

BuiltIn = Literal["task", "topic", "difficulty", "quality", "safety", "language"]

VALUES: Mapping[str, tuple[str, ...]] = {
    "task": ("question", "reasoning", "maths", "coding", "writing", "editing", "summary", "translation", "extraction", "classification",
             "planning", "advice", "role_play", "chat", "tool_use", "other"),
    "topic": ("mathematics", "natural_science", "medicine", "computing", "engineering", "business", "law", "history", "society", "language",
              "arts", "sports", "travel_and_food", "everyday_life", "other"),
    "difficulty": ("very_easy", "easy", "medium", "hard", "very_hard"),
    "quality": ("poor", "fair", "good", "excellent"),
    "safety": ("safe", "sensitive", "unsafe"),
    "language": ("en", "zh", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk", "tr", "ar", "fa", "hi", "bn", "id", "vi", "th", "ja", "ko", "other"),
}  # fmt: skip
ABOUT: Mapping[str, Mapping[str, str]] = {
    "en": {
        "task": "what the user wants done",
        "topic": "the field that the matter belongs to",
        "difficulty": "how much skill and how many steps a right answer takes",
        "quality": "how good the answer is (without an answer: how clear and answerable the request is)",
        "safety": "sensitive: health, law, money, violence or sex in a harmless way; unsafe: it asks for or gives help to do harm",
        "language": "the language that most of it is written in, as an ISO 639 code",
    },
    "zh": {
        "task": "用户想要完成什么",
        "topic": "内容所属的领域",
        "difficulty": "给出正确回答所需的能力和步骤有多少",
        "quality": "回答有多好（没有回答时：请求是否清楚、能否回答）",
        "safety": "sensitive：无害地涉及健康、法律、金钱、暴力或性；unsafe：请求或提供有害的帮助",
        "language": "主要使用的语言，用 ISO 639 代码",
    },
}
_APART = re.compile(r"[\s_\-/]+")


class Axis(Frozen):
    """One label, and what it can be."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    """The column."""
    values: tuple[str, ...] = Field(min_length=2)
    """What it can be; anything else that is said becomes null."""
    about: str = ""
    """What it tells, in a sentence, for the model."""
    examples: Mapping[str, tuple[str, ...]] = {}
    """Texts by value: the axis is then decided by the nearest of them, without a model call."""

    @field_validator("values")
    @classmethod
    def _no_twins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if len({plain(value) for value in values}) != len(values) or not all(plain(value) for value in values):
            raise ValueError("values must differ by more than case and blanks, and none may be empty")
        return values

    @field_validator("examples")
    @classmethod
    def _some(cls, examples: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        if any(not texts or not all(text.strip() for text in texts) for texts in examples.values()):
            raise ValueError("every value in `examples` needs a text")
        return examples

    def unknown(self) -> str:
        """What is wrong with the examples' values; empty where nothing is."""
        wrong = next((value for value in self.examples if value not in self.values), None)
        return "" if wrong is None else f"examples of {wrong!r}, which is no value of {self.name}; {nearest(wrong, self.values)}"

    def told(self) -> str:
        """As a line of the wording."""
        return f"- {self.name}{f' ({self.about})' if self.about else ''}: {', '.join(self.values)}"

    def value(self, said: object) -> str | None:
        """The value that is meant, whatever its case and blanks; None where it is none of them."""
        if isinstance(said, list) and len(said) == 1:
            said = said[0]
        if not isinstance(said, str | int | float) or isinstance(said, bool):
            return None
        wanted = plain(str(said)[:200])
        return next((value for value in self.values if plain(value) == wanted), None)


def built_in(name: BuiltIn, language: str) -> Axis:
    return Axis(name=name, values=VALUES[name], about=ABOUT.get(language, ABOUT["en"])[name])


def plain(value: str) -> str:
    return _APART.sub(" ", value).strip(" .'\"`*").casefold()
