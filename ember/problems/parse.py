"""Reads a question back into the story it tells, and computes its exact answer."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

from .asides import ASIDES, LEAD
from .catalog import STORIES
from .reckon import Unsound, carry_out
from .shapes import Piece, Story
from .slots import Value, is_local, pattern, read, show

UNKNOWN = r"\text{unknown}"
DEEPEST = 8


@dataclass(frozen=True)
class State:
    """Where a reading stands: position in the text, and all that is known so far."""

    at: int
    known: dict[str, Value] = field(default_factory=dict)
    values: dict[str, Fraction | None] = field(default_factory=dict)


def truth(question: str) -> str | None:
    """The exact answer of a question in the corpus's forms; None where it is not a well-formed problem of the domain."""
    found = recognise(question)
    return found[1] if found else None


def recognise(question: str) -> tuple[Story, str] | None:
    """The story a question tells, and its exact answer; the first one where several stories can be told so."""
    text = " ".join(question.split())
    for story in STORIES:
        starts = [State(0), *_step(text, State(0), (LEAD,), story)]
        starts += [after for start in starts for after in _step(text, start, ASIDES, story)]
        for start in starts:
            for opened in _step(text, start, story.openings, story):
                answer = _finish(text, opened, story, story.most + 2)
                if answer is not None:
                    return story, answer
    return None


def _finish(text: str, state: State, story: Story, left: int) -> str | None:
    for asked in _step(text, state, story.asks, story):
        if asked.at >= len(text):
            value = asked.values["x"]
            return UNKNOWN if value is None else show(value)
    if left:
        for moved in _step(text, state, (*story.events, *ASIDES), story):
            answer = _finish(text, moved, story, left - 1)
            if answer is not None:
                return answer
    return None


def _step(text: str, state: State, pieces: tuple[Piece, ...], story: Story) -> Iterator[State]:
    """Every state that reading one of the pieces at the present place leads to."""
    for part in pieces:
        for template in part.texts:
            if not text.startswith(_head(template), state.at):
                continue
            match = pattern(template).match(text, state.at)
            found = read(match, state.known) if match else None
            if match is None or found is None:
                continue
            try:
                yield _advance(state, part, found, match.end() + 1, story)
            except (Unsound, KeyError):
                continue


@cache
def _head(template: str) -> str:
    return template.split("{", 1)[0]


def _advance(state: State, part: Piece, found: dict[str, Value], end: int, story: Story) -> State:
    values = dict(state.values)
    if part not in ASIDES:
        values |= {key: value for key, value in found.items() if value is None or isinstance(value, Fraction)}
    for step in part.steps:
        values[step.key] = carry_out(step, values, story.decimals).value
    words = {key: value for key, value in found.items() if isinstance(value, str) and not is_local(key)}
    return State(end, {**state.known, **words}, values)
