"""Writes problems: a story with its slots filled, the worked thinking, and the answer."""

from dataclasses import dataclass
from fractions import Fraction
from random import Random

from .asides import ASIDES, LEAD
from .catalog import STORIES
from .reckon import Done, Unsound, carry_out, worked
from .shapes import Piece, Story
from .slots import Style, Value, draw, fill, is_number, show, slots
from .words import FRACTIONS, SYNONYMS, TIMES

UNKNOWN = r"\text{unknown}"
LONGEST = 5
TRIES = 60
OPENINGS = ("", "", "", "Step by step.", "Let me work it out.", "One thing at a time.")
SHAPES = ("{label}: {work}.", "To get {label}: {work}.", "First {work}, {label}.", "{work}. That gives {label}.", "{work}.")
NEXT = ("Then", "Next", "Now")


@dataclass(frozen=True)
class Problem:
    """A word problem with its exact answer and one way of working it out."""

    question: str
    answer: str
    thinking: str
    solution: str
    kind: str
    topic: str
    steps: int

    @property
    def reply(self) -> str:
        """The assistant's whole turn."""
        return f"<think>\n{self.thinking}\n</think>\n\n{self.solution} \\boxed{{{self.answer}}}"


@dataclass(frozen=True)
class _Part:
    piece: Piece
    text: str
    bound: dict[str, Value]
    aside: bool = False


def problem(rng: Random, topic: str | None = None) -> Problem:
    """Compose one problem, of any kind or on a topic; every kind is as likely as every other."""
    stories = [story for story in STORIES if topic in (None, story.topic)]
    kind = rng.choice(list(dict.fromkeys(story.kind for story in stories)))
    return compose(rng.choice([story for story in stories if story.kind == kind]), rng)


def compose(story: Story, rng: Random) -> Problem:
    """Compose one problem of a story: draw its parts, then numbers until all steps make sense."""
    while True:
        parts = _parts(story, rng)
        for _ in range(TRIES):
            made = _attempt(story, parts, rng)
            if made is not None:
                return made


def _parts(story: Story, rng: Random) -> list[tuple[Piece, bool]]:
    events = [rng.choice(story.events) for _ in range(rng.randint(0, story.most))] if story.events else []
    parts = [(rng.choice(story.openings), False), *((event, False) for event in events), (rng.choice(story.asks), False)]
    if rng.random() < 0.12:
        parts.insert(rng.choice((0, len(parts) - 1, len(parts) - 1)), (rng.choice(ASIDES), True))
    if rng.random() < 0.06:
        parts.insert(0, (LEAD, True))
    return parts


def _attempt(story: Story, parts: list[tuple[Piece, bool]], rng: Random) -> Problem | None:
    known: dict[str, Value] = {}
    bound = []
    for piece, aside in parts:
        text = rng.choice(piece.texts)
        closes = [rng.choice(piece.closes)] if piece.closes else []
        local = _numbers(piece, text, rng)
        for slot in slots(" ".join((text, *closes, *(step.label for step in piece.steps)))):
            new = draw(slot, {**known, **local}, rng)
            (local if slot == "friend" else known).update(new)
        bound.append(_Part(piece, text, local, aside))
    try:
        count = sum(len(done.step.expr) > 1 for done in _reckon(story, bound, None))
    except Unsound:
        return None
    if not 1 <= count <= LONGEST:
        return None
    hidden = _hidden(bound, rng) if rng.random() < 0.06 else None
    return _write(story, bound, known, hidden, rng)


def _numbers(piece: Piece, text: str, rng: Random) -> dict[str, Value]:
    """Draw the numbers of one piece; those in words have their own few values."""
    local: dict[str, Value] = {}
    for span in piece.ranges:
        local[span.slot] = rng.choice(span.values)
    for slot in slots(text):
        if slot == "times":
            local[slot] = Fraction(rng.choice(list(TIMES.values())))
        elif slot == "frac":
            local[slot] = Fraction(*rng.choice(list(FRACTIONS.values())))
    return local


def _hidden(bound: list[_Part], rng: Random) -> tuple[int, str] | None:
    places = [(i, slot) for i, part in enumerate(bound) if not part.aside for slot in slots(part.text) if len(slot) == 1]
    return rng.choice(places) if places else None


def _reckon(story: Story, bound: list[_Part], hidden: tuple[int, str] | None) -> list[Done]:
    values: dict[str, Fraction | None] = {}
    done = []
    for index, part in enumerate(bound):
        for key, value in () if part.aside else part.bound.items():
            if is_number(key) and not isinstance(value, str):
                values[key] = None if hidden == (index, key) else value
        for step in part.piece.steps:
            done.append(carry_out(step, values, story.decimals))
            values[step.key] = done[-1].value
    return done


def _write(story: Story, bound: list[_Part], known: dict[str, Value], hidden: tuple[int, str] | None, rng: Random) -> Problem | None:
    words = rng.random() < 0.15
    vague = rng.choice(SYNONYMS["several"])
    texts = []
    for index, part in enumerate(bound):
        slot = hidden[1] if hidden and hidden[0] == index else ""
        texts.append(_capital(fill(part.text, {**known, **part.bound}, rng, Style(words, slot, vague))))
    done = _reckon(story, bound, hidden)
    value = done[-1].value
    lines = [fill(part.piece.closes[0], {**known, **part.bound}, rng) for part in bound if part.aside and part.piece.closes]
    lines += _thinking(bound, done, known, rng, vague)
    if value is None:
        answer, solution = UNKNOWN, rng.choice(("This cannot be worked out from what is given.", "Not enough is given to answer this."))
    else:
        close = rng.choice(bound[-1].piece.closes)
        answer, solution = show(value), fill(close, {**known, **bound[-1].bound, "x": value}, rng)
    opening = rng.choice(OPENINGS)
    thinking = "\n".join(line for line in (opening, *lines) if line)
    return Problem(" ".join(texts), answer, thinking, solution, story.kind, story.topic, sum(len(item.step.expr) > 1 for item in done))


def _thinking(bound: list[_Part], done: list[Done], known: dict[str, Value], rng: Random, vague: str) -> list[str]:
    shape = rng.choice(SHAPES)
    lines: list[str] = []
    left = iter(done)
    for part in bound:
        for step in part.piece.steps:
            item = next(left)
            if len(step.expr) == 1:
                continue
            label = fill(step.label, {**known, **part.bound}, rng)
            work = worked(item, rng)
            if item.value is None:
                lines.append(f'For {label} there is {work}, but "{vague}" is no number. So it is unknown.')
                return lines
            line = shape.format(label=label, work=work)
            if lines and line.startswith("First"):
                line = rng.choice(NEXT) + line.removeprefix("First")
            lines.append(_capital(line))
    return lines


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
