"""Comparing two or three people's holdings: more than, fewer than, times as many, together."""

from .shapes import Story, piece

_TWO = (
    piece(
        """
        {name} has {a} {thing}. {other} has {n} more than {name}.
        {other} has {n} more {thing} than {name}, who has {a}.
        """,
        "x = a + n: the {thing} of {other}",
        "a 8-900, n 3-600",
    ),
    piece(
        """
        {name} has {a} {thing}. {other} has {n} fewer than {name}.
        {other} has {n} {thing} fewer than {name}, who has {a}.
        """,
        "x = a - n: the {thing} of {other}",
        "a 200-1200, n 3-190",
    ),
    piece(
        """
        {name} has {a} {thing}. {other} has {times} as many.
        {name} collects {a} {thing} and {other} collects {times} as many.
        """,
        "x = times * a: the {thing} of {other}",
        "a 4-250",
    ),
    piece(
        """
        {name} has {a} {thing}. {other} has {frac} as many.
        {name} picks {a} {thing} and {other} picks {frac} as many.
        """,
        "x = a * frac: the {thing} of {other}",
        "a 60-900/60",
    ),
    piece(
        """
        {name} has {a} {thing}, which is {n} more than {other} has.
        {name} has {a} {thing}. That is {n} more than {other} has.
        """,
        "x = a - n: the {thing} of {other}",
        "a 200-900, n 3-190",
    ),
)

STORIES = (
    Story(
        "comparing",
        "everyday things",
        _TWO,
        (
            piece(
                """
                How many {thing} does {other} have?
                What is the number of {thing} that {other} has?
                """,
                close="{other} has {x} {thing}.",
            ),
            piece(
                """
                How many {thing} do they have together?
                How many {thing} do {name} and {other} have {all}?
                """,
                "x = a + x: the {thing} of both",
                close="Together they have {x} {thing}.",
            ),
            piece(
                """
                {third} has {m} more than {other}. How many {thing} does {third} have?
                {third} has {m} {thing} more than {other}. How many does {third} have?
                """,
                "x = x + m: the {thing} of {third}",
                "m 3-200",
                "{third} has {x} {thing}.",
            ),
            piece(
                """
                {third} has as many as {name} and {other} together. How many {thing} do all three have?
                """,
                """
                y = a + x: the {thing} of the first two
                x = y * 2: the {thing} of all three
                """,
                close="All three have {x} {thing}.",
            ),
            piece(
                """
                {third} has {times} as many as {other}. How many {thing} do the three have {all}?
                """,
                """
                z = times * x: the {thing} of {third}
                y = a + x: the {thing} of the first two
                x = y + z: the {thing} of all three
                """,
                close="The three have {x} {thing}.",
            ),
        ),
    ),
)
