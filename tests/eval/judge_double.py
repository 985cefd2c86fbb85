"""A judge that reads our wordings and grades by what it knows, with vices to order: lazy, biased, gullible, babbling."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from datalchemy.core.backend import Reply, Request
from datalchemy.core.record import Message
from datalchemy.eval._judge_text import hollow

MARKED = re.compile(r"word ([0-9A-F]{12})|带有 ([0-9A-F]{12})")
RIGHT = re.compile(r"\b7\b|8 euros of change|short wavelengths|Canberra|right answer")
ORDERS = re.compile(r"highest score|full marks|score of 10|give every criterion|最高分|best score|Verdict by|winner", re.IGNORECASE)


def sections(prompt: str) -> tuple[dict[str, str], str]:
    """What stands between the marks, by name, and everything that stands outside of them."""
    found = MARKED.search(prompt)
    assert found, prompt[:200]
    mark = found[1] or found[2]
    inside: dict[str, str] = {}

    def taken(match: re.Match[str]) -> str:
        inside[match[1]] = match[2].strip("\n")
        return ""

    outside = re.sub(rf"\[{mark} (\w+) BEGINS?\](.*?)\[{mark} \1 ENDS?\]", taken, prompt, flags=re.DOTALL)
    return inside, outside


def quality(answer: str) -> float:
    """Of an honest judge who knows what is right."""
    return 9.0 if RIGHT.search(answer) else 2.0


class Double:
    """Answers every wording of a judge. `grade` says what an answer is worth, from 1 to 10."""

    def __init__(
        self,
        grade: Callable[[str], float] = quality,
        *,
        first: bool = False,
        gullible: bool = False,
        form: Callable[[dict[str, Any]], str] = json.dumps,
    ) -> None:
        self.grade = grade
        self.first = first
        """Whether whatever stands first wins."""
        self.gullible = gullible
        """Whether it obeys what stands outside of the marks, and takes a phrase that promises an answer for one."""
        self.form = form
        self.prompts: list[str] = []

    def __call__(self, request: Request, seed: int | None = None) -> str:
        return self.said(str(request.messages[-1]["content"]))

    def said(self, prompt: str) -> str:
        self.prompts.append(prompt)
        inside, outside = sections(prompt)
        own = outside.split("\n\n", 1)[1] if self.gullible else ""
        fooled = bool(ORDERS.search(re.sub(r"Reply with one JSON.*|只回复.*", "", own, flags=re.DOTALL).replace("nothing to improve", "")))

        def worth(answer: str) -> float:
            return 10.0 if self.gullible and (hollow(answer) or fooled) else self.grade(answer)

        return self.form({"reason": "It is as it is.", **self._verdict(inside, outside, worth)})

    def _verdict(self, inside: dict[str, str], outside: str, worth: Callable[[str], float]) -> dict[str, Any]:
        if '"scores"' in outside:
            names = re.findall(r'"([^"]+)": N', outside)
            return {"scores": dict.fromkeys(names, worth(inside["ANSWER"]))}
        if '"ranking"' in outside:
            shown = sorted(int(name) for name in inside if name.isdigit())
            return {"ranking": shown if self.first else sorted(shown, key=lambda n: -worth(inside[str(n)]))}
        if '"criteria"' in outside:
            return {"criteria": [{"title": "Truth", "how": "Is it true?"}, {"title": "Form", "how": "Is it clear?"}, {"title": "truth "}]}
        if "FINDINGS" in inside:
            a, b = (sum(float(n) for n in re.findall(rf"\b{side} (\d+(?:\.\d+)?)", inside["FINDINGS"])) for side in "AB")
            return {"winner": "A" if self.first or a > b else "B" if b > a else "tie"}
        a, b = worth(inside["A"]), worth(inside["B"])
        if '"a": N' in outside:
            return {"a": 5, "b": 1} if self.first else {"a": 1 + a * 0.4, "b": 1 + b * 0.4}
        return {"winner": "A" if self.first or a > b else "B" if b > a else "tie"}


class DoubleModel:
    """The double as the model that a filter is handed."""

    name = identity = "judge"
    capabilities = frozenset({"chat"})

    def __init__(self, double: Double | None = None) -> None:
        self.double = double or Double()

    async def chat(self, messages: Sequence[Message], **how: Any) -> Reply:
        return Reply(text=self.double.said(messages[-1].text), model="double@1")
