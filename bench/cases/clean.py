"""clean: texts damaged by a program in known ways, and clean ones that must not change."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from datalchemy.eval._mend import KINDS, mended
from gauge import Line, above, per_core, plain

from ._answered import paragraphs, questions

CODE = "\n\n```python\nx  = 1\t# <b>\n```\n\nIt holds $a  <b$ and x < 3."


def speed() -> Iterator[Line]:
    texts = questions()
    yield plain("600 clean texts, of this process", per_core(lambda text: mended(text, KINDS, "NFC"), texts))
    rng = random.Random(6)
    yield plain("the same, damaged", per_core(lambda text: mended(text, KINDS, "NFC"), [_damaged(text, rng)[0] for text in texts]))
    long = "".join(texts * 10)[:1_000_000]
    began = time.perf_counter()
    mended(long, KINDS, "NFC")
    yield plain(f"a text of {len(long):,} characters", (time.perf_counter() - began) * 1000, " ms")


def _damaged(text: str, rng: random.Random) -> tuple[str, str]:
    """(damaged, what it was)."""
    words = text.split()
    at = rng.randrange(1, len(words))
    before, after = " ".join(words[:at]), " ".join(words[at:])
    whole = f"{before} {after}"
    return rng.choice(
        [
            (f"<p>{before} <b>{after}</b></p>", whole),
            (f"{before}   {after}  ", whole),
            (f"{before} \u200b{after}\ufeff", whole),
            (f"{before}\u00a0{after}", whole),
            (f"{before} \x1b[1m{after}\x1b[0m", whole),
            (f"{before} \u202e{after}\u202c", whole),
            (f"{before} &quot;{after}&quot;", f'{before} "{after}"'),
            (f"{whole} Itâ€™s cafÃ© crÃ¨me.", f"{whole} It’s café crème."),
        ]
    )


def accuracy() -> Iterator[Line]:
    rng = random.Random(7)
    pairs = [_damaged(text, rng) for text in questions()]
    right = sum(mended(damaged, KINDS, "NFC")[0] == was for damaged, was in pairs)
    yield above("600 texts damaged in one of eight ways, restored to the letter", right / len(pairs), 0.99, "")
    clean = [text + CODE for text in questions()] + [text for _, text in paragraphs()]
    same = sum(mended(text, KINDS, "NFC")[0] == text for text in clean)
    yield above(f"{len(clean)} clean texts in 29 languages, with code and formulas, left as they are", same / len(clean), 1.0, "")
