"""Material between tags: nothing within it may open or close them."""

from __future__ import annotations

import re


def sealed(text: str, *tags: str) -> str:
    """The text with the tags of those names broken, so that a reader sees them and no mark is closed by them."""
    return re.sub(rf"<(?=\s{{0,3}}/?\s{{0,3}}(?:{'|'.join(map(re.escape, tags))})\b)", "< ", text, flags=re.IGNORECASE)
