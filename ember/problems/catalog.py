"""All stories the corpus knows, gathered from the files of the kinds."""

from . import (
    ages,
    comparing,
    figures,
    means,
    measures,
    outings,
    parts,
    percents,
    riddles,
    rows,
    sharing,
    shopping,
    stock,
    times,
    travel,
    wages,
    work,
)
from .shapes import Story

STORIES: tuple[Story, ...] = tuple(
    story
    for kind in (
        ages,
        comparing,
        figures,
        means,
        measures,
        outings,
        parts,
        percents,
        riddles,
        rows,
        sharing,
        shopping,
        stock,
        times,
        travel,
        wages,
        work,
    )
    for story in kind.STORIES
)
KINDS: tuple[str, ...] = tuple(dict.fromkeys(story.kind for story in STORIES))
TOPICS: tuple[str, ...] = tuple(dict.fromkeys(story.topic for story in STORIES))

__all__ = ["KINDS", "STORIES", "TOPICS"]
