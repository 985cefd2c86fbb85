"""`tag`: records a second by examples over the encoder that ships, and around a model that answers at once; topics found by examples."""

from __future__ import annotations

from collections.abc import Iterator

from datalchemy.engine.filtering import open_filters
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.engine.loops import to_completion
from gauge import Line, above, plain, rate

from ._records import worked
from ._topics import axis, held_out


def speed() -> Iterator[Line]:
    yield above("by examples (30 of 6 topics)", rate({"use": "tag", "axes": [axis()]}, worked()), 1000)
    model = {"use": "scripted", "script": [{"match": "", "reply": '{"difficulty": "easy", "quality": "good"}'}]}
    part = {"use": "tag", "model": "m", "axes": ["difficulty", "quality"]}
    yield plain("around a model that answers at once, stored answers", rate(part, worked(1000), models={"m": model}))


def accuracy() -> Iterator[Line]:
    """Topic of questions that are no examples; one in six would be right by chance."""
    pairs = held_out()

    async def told() -> list[object]:
        async with open_filters(FilterRecipe.build({"filters": [{"use": "tag", "axes": [axis()]}]})) as opened:
            return [record.labels["topic"] async for _, record in opened.stream([record for record, _ in pairs])]

    right = [said == wanted for said, (_, wanted) in zip(to_completion(told()), pairs, strict=True)]
    yield above(f"topics by five examples each ({len(right)} questions)", sum(right) / len(right), 0.7, "")
