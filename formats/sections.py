"""Further sections of a report: a table of measures with a sentence that says how to read it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Section:
    """One table. Cells are text or numbers; the page escapes them."""

    title: str
    lead: str
    head: tuple[str, ...]
    rows: list[tuple[str | int | float | None, ...]]
    numbers: dict[str, float] = field(default_factory=dict)
    """Measures that `accept:` can name."""

    def numeric(self, column: int) -> bool:
        """Whether a column holds numbers."""
        return any(isinstance(row[column], (int, float)) for row in self.rows)
