"""The checks behind the instruction types of IFEval: text and parameters in, what is wrong out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ._sentences import sentences, shouted, words

Given = Mapping[str, Any]
Flaw = str
"""What is wrong, in a few words; empty where the instruction is followed."""


class Unreadable(Exception):
    """The parameters are missing or of the wrong type."""


def number(given: Given, name: str) -> int:
    """A whole number, also where a table has made a float of it."""
    value = given.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Unreadable(f"{name} must be a whole number, not {_named(value)}")
    return value


def string(given: Given, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Unreadable(f"{name} must be a text, not {_named(value)}")
    return value.strip()


def strings(given: Given, name: str) -> list[str]:
    value = given.get(name)
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not value or not all(isinstance(one, str) and one.strip() for one in value):
        raise Unreadable(f"{name} must be a list of texts, not {_named(value)}")
    return [one.strip() for one in value]


def _named(value: object) -> str:
    return "missing" if value is None else repr(value)[:40]


def _compared(count: int, given: Given, relation: str, limit: str, what: str) -> Flaw:
    wanted, most = string(given, relation), number(given, limit)
    if wanted not in ("less than", "at least"):
        raise Unreadable(f"{relation} must be 'less than' or 'at least', not {wanted[:40]!r}")
    followed = count < most if wanted == "less than" else count >= most
    return "" if followed else f"{count} {what}, {wanted} {most} wanted"


def _equal(count: int, wanted: int, what: str) -> Flaw:
    return "" if count == wanted else f"{count} {what}, exactly {wanted} wanted"


def _least(count: int, wanted: int, what: str) -> Flaw:
    return "" if count >= wanted else f"{count} {what}, at least {wanted} wanted"


def _existence(text: str, given: Given) -> Flaw:
    lowered = text.lower()
    absent = [word for word in strings(given, "keywords") if word.lower() not in lowered]
    return f"without {absent[0][:40]!r}" if absent else ""


def _frequency(text: str, given: Given) -> Flaw:
    keyword = string(given, "keyword")
    return _compared(text.lower().count(keyword.lower()), given, "relation", "frequency", f"times {keyword[:40]!r}")


def _forbidden(text: str, given: Given) -> Flaw:
    for word in strings(given, "forbidden_words"):
        if re.search(f"{_edge(word[0])}{re.escape(word)}{_edge(word[-1])}", text, re.IGNORECASE):
            return f"holds {word[:40]!r}"
    return ""


def _edge(letter: str) -> str:
    """A word's boundary; none is asked for in scripts that put no space between words."""
    return "" if "\u0e00" <= letter <= "\u0eff" or "\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff" else r"\b"


def _letters(text: str, given: Given) -> Flaw:
    letter = string(given, "letter")
    if len(letter) > 1:
        raise Unreadable(f"letter must be one character, not {letter[:40]!r}")
    return _compared(text.lower().count(letter.lower()), given, "let_relation", "let_frequency", f"times the letter {letter!r}")


def _sentence_count(text: str, given: Given) -> Flaw:
    return _compared(len(sentences(text)), given, "relation", "num_sentences", "sentences")


def _word_count(text: str, given: Given) -> Flaw:
    return _compared(words(text), given, "relation", "num_words", "words")


def _paragraphs(text: str, given: Given) -> Flaw:
    pieces = [piece.strip() for piece in text.split("***")]
    if not all(pieces[1:-1]):
        return "two dividers with nothing between them"
    return _equal(sum(map(bool, pieces)), number(given, "num_paragraphs"), "paragraphs with *** between them")


def _nth_paragraph(text: str, given: Given) -> Flaw:
    wanted, nth = number(given, "num_paragraphs"), number(given, "nth_paragraph")
    first = string(given, "first_word").lower()
    if not 1 <= nth <= wanted:
        raise Unreadable(f"nth_paragraph is {nth}, of {wanted} paragraphs")
    pieces = [piece for piece in text.split("\n\n") if piece.strip()]
    if flaw := _equal(len(pieces), wanted, "paragraphs"):
        return flaw
    got = re.split(r"[.,?!'\"]", pieces[nth - 1].split(maxsplit=1)[0].lstrip("'\""), maxsplit=1)[0].lower()
    return "" if got == first else f"paragraph {nth} begins with {got[:40]!r}, not {first[:40]!r}"


def _placeholders(text: str, given: Given) -> Flaw:
    count = 0
    for line in text.split("\n"):
        at = line.find("[")
        while at >= 0 and (end := line.find("]", at)) >= 0:
            count += 1
            at = line.find("[", end)
    return _least(count, number(given, "num_placeholders"), "placeholders")


def _postscript(text: str, given: Given) -> Flaw:
    marker = string(given, "postscript_marker")
    pattern = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}.get(marker, re.escape(marker.lower()))
    return "" if re.search(pattern, text.lower()) else f"without {marker[:40]!r}"


def _bullets(text: str, given: Given) -> Flaw:
    lines = [line.lstrip() for line in text.split("\n")]
    count = sum(line.startswith("-") or (line.startswith("*") and len(line) > 1 and line[1] != "*") for line in lines)
    return _equal(count, number(given, "num_bullets"), "bullet points")


def _highlights(text: str, given: Given) -> Flaw:
    single = re.findall(r"\*[^\n*]*\*", text)
    double = re.findall(r"\*\*[^\n*]*\*\*", text)
    count = sum(bool(one.strip("* \t")) for one in single) + sum(bool(one[2:-2].strip()) for one in double)
    return _least(count, number(given, "num_highlights"), "highlighted passages")


def _sections(text: str, given: Given) -> Flaw:
    name = string(given, "section_spliter")
    count = len(re.findall(rf"{re.escape(name)}\s?\d+", text))
    return _least(count, number(given, "num_sections"), f"sections headed {name[:40]!r}")


OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def _constrained(text: str, given: Given) -> Flaw:
    return "" if any(option in text for option in OPTIONS) else "none of the three answers allowed"


def _json(text: str, given: Given) -> Flaw:
    body = text.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        body = body.removeprefix(fence)
    try:
        json.loads(body.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return "not JSON"
    return ""


def _title(text: str, given: Given) -> Flaw:
    for line in text.split("\n"):
        at, end = line.find("<<"), line.rfind(">>")
        if 0 <= at < end and line[at:end].lstrip("<").rstrip(">").strip():
            return ""
    return "without a title in <<>>"


def _two_responses(text: str, given: Given) -> Flaw:
    pieces = [piece.strip() for piece in text.split("******")]
    if not all(pieces[1:-1]):
        return "two dividers with nothing between them"
    held = [piece for piece in pieces if piece]
    return _equal(len(held), 2, "responses") or ("both responses are the same" if held[0] == held[1] else "")


def _repeated(text: str, given: Given) -> Flaw:
    wanted = string(given, "prompt_to_repeat").lower()
    return "" if text.strip().lower().startswith(wanted) else "does not begin with the request"


def _end(text: str, given: Given) -> Flaw:
    wanted = string(given, "end_phrase")
    return "" if text.strip().strip('"').strip().lower().endswith(wanted.lower()) else f"does not end with {wanted[:40]!r}"


def _quoted(text: str, given: Given) -> Flaw:
    body = text.strip()
    return "" if len(body) > 1 and body[0] == body[-1] == '"' else "not in double quotation marks"


def _shouted(text: str, given: Given) -> Flaw:
    return _compared(shouted(text), given, "capital_relation", "capital_frequency", "words in capitals")


def _upper(text: str, given: Given) -> Flaw:
    return "" if text.isupper() else "holds small letters" if any(map(str.islower, text)) else "holds no letters"


def _lower(text: str, given: Given) -> Flaw:
    return "" if text.islower() else "holds capital letters" if any(map(str.isupper, text)) else "holds no letters"


def _no_comma(text: str, given: Given) -> Flaw:
    return "holds a comma" if "," in text or "，" in text else ""


def _language(text: str, given: Given) -> Flaw:
    string(given, "language")
    return ""


CHECKS: dict[str, Callable[[str, Given], Flaw]] = {
    "keywords:existence": _existence,
    "keywords:frequency": _frequency,
    "keywords:forbidden_words": _forbidden,
    "keywords:letter_frequency": _letters,
    "language:response_language": _language,
    "length_constraints:number_sentences": _sentence_count,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_words": _word_count,
    "length_constraints:nth_paragraph_first_word": _nth_paragraph,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:constrained_response": _constrained,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _json,
    "detectable_format:title": _title,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeated,
    "startend:end_checker": _end,
    "startend:quotation": _quoted,
    "change_case:capital_word_frequency": _shouted,
    "change_case:english_capital": _upper,
    "change_case:english_lowercase": _lower,
    "punctuation:no_comma": _no_comma,
}
"""By instruction type, without the language that `language:response_language` and two others also want."""


def language_of(name: str, given: Given) -> str:
    """The language that the instruction wants the text in, `""` for any."""
    if name == "language:response_language":
        return string(given, "language")
    return "en" if name in ("change_case:english_capital", "change_case:english_lowercase") else ""


def variants(text: str) -> list[str]:
    """What the loose reading takes: as it is, without its first line, last line or both; each also without asterisks."""
    lines = text.split("\n")
    kept = [text, *("\n".join(some).strip() for some in (lines[1:], lines[:-1], lines[1:-1]))]
    return list(dict.fromkeys([*kept, *(one.replace("*", "") for one in kept)]))
