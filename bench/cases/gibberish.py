"""gibberish: mash, blobs and shuffled words made by a program, and real sentences in 29 languages."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator

from gauge import Line, above, plain, rate

from ._answered import judged, paragraphs, questions, sentences, shuffled
from ._records import worked

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "йцукенгшщзх", "фывапролджэ")


def speed() -> Iterator[Line]:
    yield plain("4,000 worked solutions", rate({"use": "gibberish"}, worked()))


def _mash(rng: random.Random) -> str:
    row = rng.choice(ROWS)
    return " ".join("".join(rng.choices(row, k=rng.randrange(4, 10))) for _ in range(rng.randrange(5, 20)))


def _blob(rng: random.Random) -> str:
    packed = rng.randbytes(rng.randrange(60, 300))
    return f"Here it is: {rng.choice([base64.b64encode(packed).decode(), packed.hex()])}"


def accuracy() -> Iterator[Line]:
    rng = random.Random(4)
    real = (
        [(text, False) for _, text in sentences()] + [(text, False) for _, text in paragraphs()] + [(text, False) for text in questions()]
    )
    score = judged({"use": "gibberish"}, real)
    yield above(f"{score.n} real texts in 29 languages, kept", score.accuracy, 0.995, "")
    for what, made in (("keyboard mash", _mash), ("base64 and hex", _blob)):
        yield above(f"300 texts of {what}, found", judged({"use": "gibberish"}, [(made(rng), True) for _ in range(300)]).recall, 0.95, "")
    texts = questions()
    for words, each in ((60, 2), (180, 6), (360, 12)):
        joined = [" ".join(texts[at : at + each]) for at in range(0, 600, each)]
        score = judged({"use": "gibberish"}, [(shuffled(text, rng), True) for text in joined] + [(text, False) for text in joined])
        yield plain(f"shuffled English of about {words} words, found", score.recall, "")
        yield above("the same texts in order, kept", score.right_no / len(joined), 0.99, "")
