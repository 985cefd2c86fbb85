"""What `clean` does to one text: each kind of damage has a function, the order of kinds is the order of work."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from ._verbatim import outside

Kind = Literal["mojibake", "controls", "invisible", "markup", "unicode", "spaces"]
KINDS: tuple[Kind, ...] = ("mojibake", "controls", "invisible", "markup", "unicode", "spaces")

_ATTRIBUTES = r"(?:\s{1,9}[\w:-]{1,40}=(?:\"[^\"<>]{0,500}\"|'[^'<>]{0,500}'|[^\s\"'<>]{1,300})){0,20}\s{0,9}/?>"
"""Only attributes with a value: `a<b and c>d` is no tag."""
_BLOCK = re.compile(
    rf"</?(?:p|div|h[1-6]|ul|ol|table|tr|blockquote|section|article|header|footer|hr|br|li){_ATTRIBUTES}[ \t]*", re.IGNORECASE
)
_INLINE = re.compile(
    r"</?(?:a|abbr|b|big|body|center|cite|del|dfn|em|font|head|html|i|img|ins|mark|q|s|small|span|strike|strong|tbody|td|th|thead|u|wbr|meta|link)"
    + _ATTRIBUTES,
    re.IGNORECASE,
)
_DOCTYPE = re.compile(r"<!doctype\b[^<>]{0,200}>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_LIKE_ENTITY = re.compile(r"#?\w{1,31};")
_SHOWN_TAG = re.compile(r"&lt;[a-z/!?]", re.IGNORECASE)
_LIKE_TAG = re.compile(r"[a-z/!?]", re.IGNORECASE)

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]{0,30}[ -/]{0,5}[@-~]|\][^\x07\x1b\n]{0,300}(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_RETURNS = re.compile(r"\r\n?|[\u2028\u2029\x85]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_JOINER = re.compile("[\u200c\u200d]")
_SELECTOR = re.compile("[\ufe00-\ufe0f]")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t\x0b]")
_TRAILING = re.compile(r"(?<![ \t])[ \t]++(?=\n)")
_EMPTY = re.compile(r"\n{3,}")
_DOUBLED = re.compile(r"(?<=\S) {2,}(?=\S)")
_TABLE = re.compile(r"^\s*\|.*\|", re.MULTILINE)


def mended(text: str, kinds: Sequence[Kind], form: str) -> tuple[str, Counter[str]]:
    """The mended text and how many places were mended, by kind."""
    counts: Counter[str] = Counter()
    for kind in (kind for kind in KINDS if kind in kinds):
        if kind == "unicode":
            text = _normal(text, form, counts)
        elif kind == "mojibake":
            text = _mojibake(text, counts)
        elif kind == "controls":
            text = _controls(text, counts)
        else:
            work = partial(_WORK[kind], counts=counts)
            text = outside(text, work, partial(_dropped, counts=counts) if kind == "markup" else str)
    if "spaces" in kinds and (ended := text.rstrip(" \t")) != text:
        text = ended
        counts["spaces"] += 1
    return text, counts


def mended_all(question: dict[str, Any]) -> list[tuple[str, dict[str, int]]]:
    """In a worker process: several texts."""
    answers = [mended(text, question["kinds"], question["form"]) for text in question["texts"]]
    return [(text, dict(counts)) for text, counts in answers]


def _counted(pattern: re.Pattern[str], new: str | Callable[[re.Match[str]], str], text: str, kind: Kind, counts: Counter[str]) -> str:
    text, times = pattern.subn(new, text)
    if times:
        counts[kind] += times
    return text


def _mojibake(text: str, counts: Counter[str]) -> str:
    """ftfy, line by line where a line looks bad: its own caution decides."""
    if text.isascii():
        return text
    from ftfy import TextFixerConfig, fix_encoding
    from ftfy.badness import is_bad

    rules = TextFixerConfig(unescape_html=False, restore_byte_a0=True)
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if len(line) < 20_000 and not line.isascii() and is_bad(line) and (fixed := fix_encoding(line, rules)) != line:
            lines[at] = fixed
            counts["mojibake"] += 1
    return "\n".join(lines)


def _controls(text: str, counts: Counter[str]) -> str:
    text = _counted(_ESCAPES, "", text, "controls", counts)
    text = _counted(_RETURNS, "\n", text, "controls", counts)
    return _counted(_CONTROLS, "", text, "controls", counts)


def _invisible(text: str, counts: Counter[str]) -> str:
    if text.isascii():
        return text
    text = _counted(_INVISIBLE, "", text, "invisible", counts)
    for pattern in (_JOINER, _SELECTOR):
        kept = pattern.sub(lambda match: match.group() if _needed(match) else "", text)
        if kept != text:
            counts["invisible"] += len(text) - len(kept)
            text = kept
    return text


def _needed(match: re.Match[str]) -> bool:
    """Joiners belong between letters of the scripts that shape with them, and inside of emoji; selectors follow a symbol or an ideograph."""
    text, at = match.string, match.start()
    before, after = text[at - 1 : at], text[match.end() : match.end() + 1]
    if not before:
        return False
    if "\ufe00" <= match.group() <= "\ufe0f":
        return unicodedata.category(before) in ("So", "Sm", "Lo", "Po", "Nd", "Sk")
    if not after:
        return False
    emoji = unicodedata.category(before) in ("So", "Sk", "Mn") and unicodedata.category(after) == "So"
    shaping = all("\u0600" <= c <= "\u0dff" or "\u1780" <= c <= "\u18af" or "\ua840" <= c <= "\uabff" for c in (before, after))
    return emoji or shaping


def _dropped(markup: str, counts: Counter[str]) -> str:
    """Comments, scripts and styles say nothing to a reader."""
    counts["markup"] += 1
    return ""


def _markup(text: str, counts: Counter[str]) -> str:
    if "<" in text:
        text = _counted(_DOCTYPE, "", text, "markup", counts)
        text = _counted(_BLOCK, _broken, text, "markup", counts)
        text = _counted(_INLINE, "", text, "markup", counts)
    if "&" in text:
        text = _counted_entities(text, counts)
    return text


def _broken(tag: re.Match[str]) -> str:
    """What a block tag leaves: a line break, or nothing where there is one already."""
    name = tag.group().strip("</> \t").split()[0].rstrip("/").casefold()
    if name == "li" and not tag.group().startswith("</"):
        return "\n- "
    closes_text = tag.end() == len(tag.string) or not tag.string[: tag.start()].strip()
    return "" if name == "li" or closes_text else "\n"


def _counted_entities(text: str, counts: Counter[str]) -> str:
    shows_tags = _SHOWN_TAG.search(text) is not None

    def unescaped(match: re.Match[str]) -> str:
        said = html.unescape(match.group())
        after = text[match.end() : match.end() + 33]
        written = (said == "&" and _LIKE_ENTITY.match(after)) or (said == "<" and _LIKE_TAG.match(after)) or (said == ">" and shows_tags)
        if said == match.group() or written or _CONTROLS.search(said) or said == "\r":
            return match.group()  # what is escaped twice, or shows a tag to the reader, is meant so
        counts["markup"] += 1
        return said

    return _ENTITY.sub(unescaped, text)


def _normal(text: str, form: str, counts: Counter[str]) -> str:
    if text.isascii():
        return text
    new = unicodedata.normalize(form, text)  # type: ignore[arg-type]
    if new != text:
        counts["unicode"] += 1
    return new


def _spaces(text: str, counts: Counter[str]) -> str:
    """Odd spaces become plain ones; a tab or several spaces at the start of a line (lists, quotes) and tables stay."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if line.isascii() and "  " not in line and "\t" not in line:
            continue
        start = len(line) - len(line.lstrip(" \t")) if at else 0
        head, body = line[:start], line[start:]
        body = _counted(_SPACES, " ", body, "spaces", counts)
        lines[at] = head + (body if _TABLE.match(line) else _counted(_DOUBLED, " ", body, "spaces", counts))
    text = _counted(_TRAILING, "", "\n".join(lines), "spaces", counts)
    return _counted(_EMPTY, "\n\n", text, "spaces", counts)


_WORK: dict[Kind, Callable[..., str]] = {"invisible": _invisible, "markup": _markup, "spaces": _spaces}
