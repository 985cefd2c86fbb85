"""What a run came to, in a few lines: figures, places, and the command to try next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .progress import top
from .session import command_again
from .terminal import clean, columns, duration, money, one_line

if TYPE_CHECKING:
    from ..engine.recipe import Recipe
    from ..engine.snapshot import Result


def exit_code(result: Result) -> int:
    """As documented; a run that accepted nothing is never 0."""
    return 3 if result.accepted == 0 and result.exit_code == 0 else result.exit_code


def as_json_line(result: Result) -> str:
    """The result as one JSON object on one line, with `exit_code` and `report`."""
    body = result.model_dump(mode="json")
    return json.dumps({**body, "exit_code": exit_code(result), "report": str(result.report)})


def summary(recipe: Recipe, result: Result, words: Sequence[str]) -> str:
    """For a person. `words`: the command line, from which the next ones are made."""
    places = [("dataset", str(result.path)), ("report", str(result.report))] if result.accepted else []
    blocks = [f"{recipe.name}: {_headline(result)}", columns(_figures(result)), columns([*places, ("next", _next(recipe, result, words))])]
    return clean("\n\n".join(blocks))


def _headline(result: Result) -> str:
    if result.accepted == 0 and result.status == "complete":
        why = top(result.reasons, 1)
        return f"nothing was accepted{f'; most often: {why}' if why else ''}"
    status = result.status.replace("_", " ")
    return result.message if result.message.startswith(status) else f"{status}{f': {result.message}' if result.message else ''}"


def _figures(result: Result) -> list[tuple[str, ...]]:
    counts, spent = result.counts, result.spent
    target = f" of {result.target:,}" if result.target else ""
    refused = sum(stage.refused for stage in result.stages.values()) or counts.refused
    failed = sum(stage.failed for stage in result.stages.values()) or counts.failed
    rows: list[tuple[str, ...]] = [
        ("accepted", f"{result.accepted:,}{target}"),
        ("refused", f"{refused:,}"),
        ("failed", f"{failed:,}"),
    ]
    rows += [("", f"{number:,} {one_line(reason, 90)}") for reason, number in _ranked(result)]
    rows += [
        ("calls", f"{spent.calls:,} paid, {spent.reused:,} reused, {spent.retries:,} retries"),
        ("tokens", f"{spent.prompt_tokens:,} in, {spent.completion_tokens:,} out"),
        ("money", money(spent.dollars)),
        ("time", duration(spent.seconds)),
    ]
    return rows


def _ranked(result: Result, count: int = 5) -> list[tuple[str, int]]:
    return sorted(result.reasons.items(), key=lambda reason: (-reason[1], reason[0]))[:count]


def _next(recipe: Recipe, result: Result, words: Sequence[str]) -> str:
    if result.status in ("interrupted", "backend", "budget"):
        return command_again(words)
    if result.accepted == 0 or result.status == "paused":
        return f"datalchemy preview {_recipe_word(words)}"
    if result.status == "complete" and result.target:
        return f"{command_again(words, target=str(result.target * 2))}    (goes on from here: what is paid for is not paid again)"
    return f"datalchemy explain {result.path} ID    (the whole story of one record)"


def _recipe_word(words: Sequence[str]) -> str:
    return next((word for word in words[1:] if not word.startswith("-")), "RECIPE")
