"""JSON objects in what a model wrote: behind preambles, in fences, with trailing commas or bare LaTeX in their strings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

EFFORT = 400_000
"""Characters looked at in all, over false starts: braces within braces that lead nowhere."""
_TRAILING = re.compile(r",\s{0,9}([\]}])")
_LATEX = re.compile(
    r"(?<!\\)\\(?=(?:"
    r"begin|bar|beta|big[lr]?|binom|boldsymbol|bot|boxed|breve|bullet|"
    r"flat|forall|frac|frown|"
    r"nabla|natural|nearrow|neg|neq?|newline|ni|nmid|not(?:in)?|nu|nwarrow|"
    r"rangle|rceil|rfloor|rho|right(?:arrow)?|rm|root|"
    r"tan|tanh|tau|tfrac|text(?:bf|it|rm|tt)?|theta|tilde|times|to|top|triangle|"
    r"underbrace|underline|uparrow|uplus|upsilon"
    r")(?![a-z]))"
)
"""Commands whose first letter makes a JSON escape of them: `\\frac` would be read as a form feed and `rac`."""
_OTHER = re.compile(r"(?<!\\)\\(?=[^\"\\/bfnrtu])")
"""A backslash that is no JSON escape at all: `\\sqrt`, `\\(`."""


def objects(text: str) -> Iterator[tuple[dict[str, Any], str]]:
    """JSON objects in a text with their raw form; one within another only where the outer one cannot be read."""
    decoder = json.JSONDecoder(strict=False)
    at, effort = text.find("{"), 0
    while at >= 0 and effort < EFFORT:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            value, end = _mended(decoder, text, at)
            effort += (error.pos if isinstance(error, json.JSONDecodeError) else len(text)) - at + 2 * (end - at)
        if isinstance(value, dict):
            yield value, text[at:end]
            at = end - 1
        at = text.find("{", at + 1)


def escaped(text: str) -> str:
    """Text of JSON in which bare LaTeX commands keep their backslash when it is decoded."""
    return _OTHER.sub(r"\\\\", _LATEX.sub(r"\\\\", text))


def _mended(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    """The object with its trailing commas taken out, where that is what is wrong with it; None otherwise."""
    end = text.find("}", at) + 1
    if not end:
        return None, len(text)
    try:
        return decoder.decode(_TRAILING.sub(r"\1", text[at:end])), end
    except (ValueError, RecursionError):
        return None, end
