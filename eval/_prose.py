"""Natural language in a text: what is left without formulas, code and names, in pieces, and the scripts it is written in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_CODE = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`|https?://\S+|www\.\S+|[\w.+-]{1,64}@[\w-]+\.[\w.-]+|<[^<>\n]{1,80}>", re.DOTALL
)
_MATHS = re.compile(
    r"\$\$.{0,1000}?\$\$|\\\[.{0,1000}?\\\]|\\\(.{0,400}?\\\)|\$[^$\n]{1,200}\$|\\begin\{(\w{1,20}\*?)\}.{0,2000}?\\end\{\1\}", re.DOTALL
)
_SYMBOLS = re.compile(r"\\[A-Za-z]+|[A-Za-z]{0,20}\d[A-Za-z\d]*|[_^{}\\|=+*/<>~#&@$%]|(?<!\w)[A-Za-z](?=\()")
_SENTENCE = re.compile(r"(?<=[.!?;:])[\"')*\]]*\s+|(?<=[。！？；：])|\n+")
_LETTERS = re.compile(r"[^\W\d_]")

_RANGES = {
    "latin": "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff",
    "cyrillic": "\u0400-\u052f\u1c80-\u1c8f",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "arabic": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "hebrew": "\u0590-\u05ff",
    "han": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f",
    "kana": "\u3041-\u3096\u30a1-\u30fa\u30fc",
    "hangul": "\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e",
    "devanagari": "\u0900-\u097f",
    "bengali": "\u0980-\u09ff",
    "gurmukhi": "\u0a00-\u0a7f",
    "gujarati": "\u0a80-\u0aff",
    "oriya": "\u0b00-\u0b7f",
    "tamil": "\u0b80-\u0bff",
    "telugu": "\u0c00-\u0c7f",
    "kannada": "\u0c80-\u0cff",
    "malayalam": "\u0d00-\u0d7f",
    "sinhala": "\u0d80-\u0dff",
    "thai": "\u0e01-\u0e3a\u0e40-\u0e4e",
    "lao": "\u0e80-\u0eff",
    "burmese": "\u1000-\u109f",
    "georgian": "\u10a0-\u10ff",
    "ethiopic": "\u1200-\u137f",
    "khmer": "\u1780-\u17ff",
    "armenian": "\u0530-\u058f",
}
_WORDS = re.compile("|".join(f"(?P<{name}>[{letters}]+)" for name, letters in _RANGES.items()))
_SCRIPTS = {name: re.compile(f"[{letters}]+") for name, letters in _RANGES.items()}
_UNSPACED = frozenset({"han", "kana", "thai", "lao", "burmese", "khmer"})
_LETTERS_PER_WORD = 2
"""Of scripts without spaces, for counting words."""

LANGUAGES = {
    "latin": "af az br bs ca cs cy da de en eo es et eu fi fo fr fy ga gl ha hr ht hu id ig is it jv ku la lb lt lv mg ms mt nl nn no oc pl pt qu ro rw sk sl sn so sq sr st sv sw tk tl tr uz vi xh yo zu",
    "cyrillic": "ba be bg kk ky mk mn ru sr tg tt uk",
    "greek": "el",
    "arabic": "ar fa ps ug ur",
    "hebrew": "he",
    "han": "zh ja",
    "kana": "ja",
    "hangul": "ko",
    "devanagari": "hi mr ne sa",
    "bengali": "as bn",
    "gurmukhi": "pa",
    "gujarati": "gu",
    "oriya": "or",
    "tamil": "ta",
    "telugu": "te",
    "kannada": "kn",
    "malayalam": "ml",
    "sinhala": "si",
    "thai": "th",
    "lao": "lo",
    "burmese": "my",
    "georgian": "ka",
    "ethiopic": "am",
    "khmer": "km",
    "armenian": "hy",
}
"""ISO 639 codes by the script they are written in; all of them are known to the language model."""


_RIVALS = {
    "latin": "af ca cs cy da de en es et eu fi fr ga gl hr hu id is it lt lv ms nb nl nn no pl pt ro sk sl sq sv sw tl tr vi",
    "cyrillic": "be bg kk mk ru sr uk",
    "arabic": "ar fa ps ur",
    "devanagari": "hi mr ne",
}
"""Languages that a clause in the same script is looked for in: the widely used ones, as each further one adds to what chance finds."""


def rivals(language: str) -> list[str]:
    """Other languages in the scripts of this one whose clauses are looked for."""
    return [code for script in sorted(scripts_of(language)) for code in _RIVALS.get(script, "").split() if code != language]


class Span(NamedTuple):
    """A run of words in one foreign script."""

    script: str
    text: str
    words: float


def scripts_of(language: str) -> frozenset[str]:
    """The scripts a language is written in; empty for a code that is not in LANGUAGES."""
    return frozenset(script for script, codes in LANGUAGES.items() if language in codes.split())


def without_code(text: str) -> str:
    """The text without code, URLs and tags."""
    return _CODE.sub(" ", text)


def foreign_spans(text: str, native: frozenset[str]) -> list[Span]:
    """Runs of words in other scripts than `native` that are more than a symbol, a name or an abbreviation."""
    if "latin" in native and text.isascii():
        return []
    spans = []
    for script, words in _runs(text):
        if script not in native and _counts(script, words):
            spans.append(Span(script, " ".join(words), sum(word_count(script, word) for word in words)))
    return spans


def without_script(text: str, script: str) -> str:
    """The text without the letters of one script."""
    return _SCRIPTS[script].sub(" ", text)


def _runs(text: str) -> Iterator[tuple[str, list[str]]]:
    script, words = "", list[str]()
    for match in _WORDS.finditer(text):
        if match.lastgroup != script:
            if words:
                yield script, words
            script, words = match.lastgroup or "", []
        words.append(match.group())
    if words:
        yield script, words


def _counts(script: str, words: list[str]) -> bool:
    """Latin terms are at home in every script up to three in a row; Greek letters are symbols up to three in a word."""
    if script == "latin":
        return sum(len(word) > 1 and not word.isupper() for word in words) > 3
    least = 4 if script == "greek" else 2
    return any(len(word) >= least for word in words)


def word_count(script: str, word: str) -> float:
    return len(word) / _LETTERS_PER_WORD if script in _UNSPACED else 1.0


def pieces(text: str, *, names: bool, most_words: int = 12) -> list[str]:
    """Sentences of the natural language in a text, long ones cut; formulas, numbers and (unless `names`) names left out."""
    bare = _SYMBOLS.sub(" ", _MATHS.sub(" ", text))
    found = []
    for sentence in _SENTENCE.split(bare):
        words = [word for at, word in enumerate(sentence.split()) if names or not at or not _is_name(word)]
        count = -(-len(words) // most_words) or 1
        step = -(-len(words) // count) or 1
        found += [" ".join(words[at : at + step]) for at in range(0, len(words), step)]
    return [piece for piece in found if _LETTERS.search(piece)]


def _is_name(word: str) -> bool:
    """A capital letter within a sentence."""
    bare = word.strip(".,;:!?()\"'’").removesuffix("'s").removesuffix("’s")
    return len(bare) > 1 and bare.istitle()


def size(piece: str) -> int:
    """Letters, those of unspaced scripts counted threefold."""
    if piece.isascii():
        return sum(map(str.isalpha, piece))
    return sum(len(m.group()) * (3 if m.lastgroup in _UNSPACED else 1) for m in _WORDS.finditer(piece))


def words_in(piece: str) -> float:
    """Words of a piece, those of unspaced scripts by their letters."""
    if piece.isascii():
        return float(len(piece.split()))
    return sum(word_count(m.lastgroup or "", m.group()) for m in _WORDS.finditer(piece))
