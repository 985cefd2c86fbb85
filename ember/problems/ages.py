"""Ages now, earlier and later."""

from .shapes import Story, piece

STORIES = (
    Story(
        "ages",
        "families",
        (
            piece(
                """
                {name} is {a} years old. {other} is {n} years older.
                {other} is {n} years older than {name}, who is {a}.
                """,
                "x = a + n: the age of {other}",
                "a 8-60, n 2-35",
            ),
            piece(
                """
                {name} is {a} years old. {other} is {n} years younger.
                {other} is {n} years younger than {name}, who is {a}.
                """,
                "x = a - n: the age of {other}",
                "a 45-90, n 2-35",
            ),
            piece(
                """
                {name} is {a} years old. {other} is {times} as old.
                {other} is {times} as old as {name}, who is {a}.
                """,
                "x = times * a: the age of {other}",
                "a 6-22",
            ),
            piece(
                """
                {name} is {a} years old. {other} is half as old.
                {other} is half as old as {name}, who is {a}.
                """,
                "x = a / 2: the age of {other}",
                "a 20-90/2",
            ),
            piece(
                """
                {name} is {a} years old. {other} is a third as old.
                """,
                "x = a / 3: the age of {other}",
                "a 24-90/3",
            ),
        ),
        (
            piece("How old is {other}?\nWhat is the age of {other}?", close="{other} is {x} years old."),
            piece(
                """
                How old will {other} be in {m} years?
                What will be the age of {other} {m} years from now?
                """,
                "x = x + m: the age in {m} years",
                "m 2-30",
                "{other} will be {x} years old.",
            ),
            piece("How old was {other} {m} years ago?", "x = x - m: the age then", "m 2-6", "{other} was {x} years old."),
            piece(
                """
                How old are they together?
                What do the ages of both add up to?
                """,
                "x = a + x: both ages together",
                close="Together they are {x} years old.",
            ),
            piece(
                """
                How old will both be together in {m} years?
                """,
                """
                y = a + x: both ages now
                z = 2 * m: the years added
                x = y + z: both ages then
                """,
                "m 2-25",
                "Together they will be {x} years old.",
            ),
            piece(
                """
                {third} is as old as both together. How old is {third} in {m} years?
                """,
                """
                y = a + x: the age of {third}
                x = y + m: the age in {m} years
                """,
                "m 2-25",
                "{third} will be {x} years old.",
            ),
        ),
    ),
)
