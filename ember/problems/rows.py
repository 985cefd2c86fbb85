"""Rows, boxes and groups of equal size."""

from .shapes import Story, piece

STORIES = (
    Story(
        "rows",
        "places",
        (
            piece(
                """
                A {room} has {a} rows of {b} {seat}.
                In a {room} there are {a} rows with {b} {seat} each.
                The {seat} in a {room} stand in {a} rows of {b}.
                """,
                "x = a * b: all the {seat}",
                "a 8-48, b 8-48",
            ),
            piece(
                """
                One {room} has {a} rows of {b} {seat}, another has {c} rows of {d} {seat}.
                """,
                "y = a * b: the {seat} of the first\nz = c * d: the {seat} of the second\nx = y + z: all the {seat}",
                "a 6-25, b 6-25, c 6-25, d 6-25",
            ),
        ),
        (
            piece("How many {seat} are there {all}?\nHow many {seat} is that?", close="There are {x} {seat}."),
            piece(
                "{k} of them are taken. How many {seat} are free?\nIf {k} are in use, how many {seat} are not?",
                "x = x - k: the free ones",
                "k 4-40",
                "{x} {seat} are free.",
            ),
            piece("Each costs {p} {money}. What do all of them cost?", "x = x * p: the price", "p 2-30", "They cost {x} {money}."),
        ),
        (
            piece("{n} more {seat} are brought in.\nThen {n} {seat} are added.", "x = x + n: the {seat} now", "n 3-150"),
            piece("{n} {seat} are broken and taken away.\nThen {n} of the {seat} are removed.", "x = x - n: the {seat} now", "n 3-12"),
            piece("{n} new rows of {m} {seat} are added.", "w = n * m: the new {seat}\nx = x + w: the {seat} now", "n 2-9, m 3-20"),
        ),
        2,
    ),
    Story(
        "animals",
        "farm",
        (
            piece(
                """
                A farm has {a} {animal} and {b} {animal2}.
                On a meadow there are {a} {animal} and {b} {animal2}.
                {name} keeps {a} {animal} and {b} {animal2}.
                """,
                "x = a + b: all the animals",
                "a 5-300, b 5-300",
            ),
            piece(
                """
                A farm has {a} {animal} and {times} as many {animal2}.
                {name} keeps {a} {animal} and {times} as many {animal2}.
                """,
                "b = times * a: the {animal2}\nx = a + b: all the animals",
                "a 3-90",
            ),
        ),
        (
            piece("How many animals are there {all}?\nHow many animals is that?", close="There are {x} animals."),
            piece(
                "Each animal eats {k} kg of hay a week. How many kg is that a week?",
                "x = x * k: the hay",
                "k 2-14",
                "They eat {x} kg a week.",
            ),
        ),
        (
            piece("{n} animals are sold.\nThen {n} of the animals run away.", "x = x - n: the animals left", "n 2-9"),
            piece("In spring {n} animals are born.\nThen {n} new animals come.", "x = x + n: the animals now", "n 2-120"),
        ),
        1,
    ),
    Story(
        "legs",
        "farm",
        (
            piece(
                """
                In a barn there are {a} spiders with 8 legs each and {b} hens with 2 legs each.
                """,
                "y = a * 8: the legs of the spiders\nz = b * 2: the legs of the hens\nx = y + z: all the legs",
                "a 2-60, b 2-90",
            ),
            piece(
                """
                There are {a} stools with 3 legs and {b} tables with 4 legs.
                """,
                "y = a * 3: the legs of the stools\nz = b * 4: the legs of the tables\nx = y + z: all the legs",
                "a 2-90, b 2-60",
            ),
        ),
        (piece("How many legs is that {all}?\nHow many legs are there?", close="There are {x} legs."),),
    ),
)
