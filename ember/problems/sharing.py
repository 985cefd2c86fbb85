"""Sharing and packing: equal shares, full boxes, what is left over."""

from .shapes import Story, piece

_PACKS = (
    piece(
        """
        How many full {box} is that?
        How many {box} can be filled?
        """,
        "x = x // k: the full {box}",
        close="{x} {box} are full.",
    ),
    piece(
        """
        How many {food} are left over?
        How many {food} do not fit into a full {box_s}?
        """,
        "x = x % k: the rest",
        close="{x} {food} are left over.",
    ),
)

STORIES = (
    Story(
        "packing",
        "food",
        (
            piece(
                """
                {name} bakes {a} {food} and packs {k} into each {box_s}.
                A baker has {a} {food} to pack into {box} of {k}.
                {k} {food} go into one {box_s}, and {name} has {a} {food}.
                """,
                "x = a: the {food}",
                "a 70-400, k 3-15",
            ),
            piece(
                """
                {name} bakes {a} trays of {b} {food} and packs {k} {food} into each {box_s}.
                There are {a} trays with {b} {food} each, to be packed into {box} of {k}.
                """,
                "x = a * b: all the {food}",
                "a 4-15, b 10-24, k 3-15",
            ),
        ),
        _PACKS,
        (
            piece(
                """
                Before that, {n} {food} are eaten.
                First {n} of the {food} are sold.
                """,
                "x = x - n: the {food} to pack",
                "n 2-30",
            ),
            piece("Before that, {friend} brings {n} more {food}.", "x = x + n: the {food} to pack", "n 2-90"),
        ),
        1,
    ),
    Story(
        "sharing",
        "food",
        (
            piece(
                """
                {a} {thing} are shared {evenly} by {k} {group}.
                {name} shares {a} {thing} {evenly} among {k} {group}.
                {k} {group} split {a} {thing} {evenly}.
                """,
                "x = a / k: the share of each {group_s}",
                "a 120-960/60, k 2|3|4|5|6|10|12|15",
            ),
            piece(
                """
                {name} has {a} {box} with {b} {thing} each and shares all {thing} {evenly} among {k} {group}.
                {k} {group} share {a} {box} of {b} {thing} {evenly}.
                """,
                """
                y = a * b: all the {thing}
                x = y / k: the share of each {group_s}
                """,
                "a 4-18, b 12|24|36|48, k 2|3|4|6|12",
            ),
        ),
        (
            piece(
                "How many {thing} does each {group_s} get?\nWhat is the share of one {group_s}?", close="Each {group_s} gets {x} {thing}."
            ),
            piece(
                "One {group_s} gives {n} away again. How many {thing} does that {group_s} keep?",
                "x = x - n: what is kept",
                "n 2-4",
                "The {group_s} keeps {x} {thing}.",
            ),
            piece(
                "How many {thing} do {m} of the {group} get together?",
                "x = x * m: the share of {m} {group}",
                "m 2-9",
                "Together they get {x} {thing}.",
            ),
        ),
    ),
)
