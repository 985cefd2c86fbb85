"""Text on its way to a terminal: model output made harmless, numbers made readable."""

from __future__ import annotations

import re

_HARMFUL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, links, clipboard
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b.?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # other control characters
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # direction overrides
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Text without anything that a terminal would obey: escape sequences, control characters, direction overrides (T11).

    Line feeds and tabs stay; lone surrogates become U+FFFD.
    """
    return _SURROGATE.sub("\ufffd", _HARMFUL.sub("", text))


def one_line(text: str, limit: int = 100) -> str:
    """Clean, on one line, cut at `limit` characters."""
    flat = " ".join(clean(text).split())
    return flat if len(flat) <= limit else flat[: limit - 3] + "..."


def indented(text: str, by: str = "    ") -> str:
    """Clean, every line behind `by`."""
    return "\n".join(by + line for line in clean(text).splitlines() or [""])


def columns(rows: list[tuple[str, ...]], gap: str = "  ") -> str:
    """Rows as left-aligned columns; the last column is not padded."""
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in rows if len(row) > i) for i in range(max(map(len, rows)))]
    return "\n".join(gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows)


def duration(seconds: float) -> str:
    """`48 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def money(dollars: float | None) -> str:
    """`$0.0123`; says so where no price is known."""
    if dollars is None:
        return "no price given"
    return f"${dollars:,.2f}" if dollars >= 1 or dollars == 0 else f"${dollars:.4f}"


def size(count: float) -> str:
    """Bytes as `3.2 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
