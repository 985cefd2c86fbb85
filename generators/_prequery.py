"""The tokens that come before a user's words, and the ones that end them, read off a model's own chat template.

The template is rendered around sentinels: what the renderings have in common before them is the pre-query, what they
have in common after them begins with the token that ends the turn. Ids only:
a rendered text would be tokenized again by the server, which may put a second BOS before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..core.backend import Model
from ..core.errors import RecipeError
from ..core.record import Message, user
from ._turns import together

SENTINELS = ("What now?", "I see.", "Can quokkas jump", "a hazel 73", "9 tundras!")
"""Each begins as questions do, and all begin and end differently: a tokenizer may merge the header's last character
with the first of the question, and then only what comes before that is common to all of them."""
PLAIN = ("\n", "\n\n", "\nAssistant:", "\n\nAssistant:", " ASSISTANT:", "\nASSISTANT:", "\n### Assistant:", "\n\n### Response:", " [x]")
"""How chat templates without special tokens end a user turn: tokens that also occur in any text."""


@dataclass(frozen=True, slots=True)
class PreQuery:
    """What to send so that the model writes a user turn, and where that turn ends."""

    ids: tuple[int, ...]
    stop: tuple[int, ...]


async def prequery(model: Model, before: Sequence[Message] = ()) -> PreQuery:
    """The pre-query behind the given turns (a system turn or none).

    Raises RecipeError where the template shows no user content, puts nothing before or behind it, or ends the turn
    with ordinary text: a model that stops at a line break, say, writes one-line questions only.
    """
    turns = [(*before, user(sentinel)) for sentinel in SENTINELS]
    whole = await together([model.tokenize(turn) for turn in turns])
    ids = _common(whole)
    behind = _common([list(reversed(rendering)) for rendering in whole])[::-1]
    if any(len(rendering) <= len(ids) + len(behind) for rendering in whole):
        raise RecipeError(f"the chat template of {model.name!r} does not show what the user says: magpie cannot read a pre-query off it")
    if not ids or not behind:
        where = "before" if not ids else "behind"
        raise RecipeError(f"the chat template of {model.name!r} puts no tokens {where} a user turn: magpie needs an aligned chat model")
    ordinary = await together([model.tokenize(text) for text in PLAIN])
    if any(behind[0] in row for row in ordinary):
        raise RecipeError(
            f"the chat template of {model.name!r} ends a user turn with ordinary text, not with a token of its own: magpie cannot tell where a question ends"
        )
    return PreQuery(ids=ids, stop=await _stops(model, turns[0], whole[0], ids, behind[0]))


async def _stops(model: Model, turn: Sequence[Message], whole: Sequence[int], ids: tuple[int, ...], end: int) -> tuple[int, ...]:
    """The token that ends the turn, and the one that opens the next (a model may skip the end); EOS stops by itself."""
    bare = await model.tokenize(turn, add_generation_prompt=False)
    header = list(whole[len(bare) :]) if list(whole[: len(bare)]) == list(bare) else []
    opener = header[:1] if header and header[0] in ids else []
    return tuple(dict.fromkeys((end, *opener)))


def _common(rows: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The longest common beginning."""
    return tuple(column[0] for column in takewhile(lambda column: len(set(column)) == 1, zip(*rows, strict=False)))
