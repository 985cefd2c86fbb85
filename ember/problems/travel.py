"""Speed, time and distance."""

from .shapes import Story, piece

STORIES = (
    Story(
        "travel",
        "travel",
        (
            piece(
                """
                A {ride} goes {v} km {per} hour for {h} hours.
                A {ride} travels at {v} km an hour for {h} hours.
                {name} drives for {h} hours at {v} km per hour.
                """,
                "x = v * h: the distance",
                "v 15-100, h 2-9",
            ),
            piece(
                """
                A {ride} goes {v} km an hour for {h} hours and then {w} km an hour for {k} hours.
                First {name} drives {h} hours at {v} km an hour, then {k} hours at {w} km an hour.
                """,
                """
                y = v * h: the first part
                z = w * k: the second part
                x = y + z: the whole way
                """,
                "v 20-100/5, h 2-6, w 20-100/5, k 2-6",
            ),
        ),
        (
            piece(
                """
                How far is that {all}?
                How many km is that {all}?
                What is the whole distance in km?
                """,
                close="The distance is {x} km.",
            ),
            piece(
                """
                The whole trip is {t} km long. How many km are left?
                How many km are left of a trip of {t} km?
                """,
                "x = t - x: the rest of the trip",
                "t 2900-6000/50",
                "{x} km are left.",
            ),
        ),
        (
            piece(
                """
                After a break there are {n} km more.
                Then there are {n} more km to the harbour.
                """,
                "x = x + n: the longer way",
                "n 4-190",
            ),
            piece(
                """
                The way back is just as long and is travelled too.
                Then the same way is travelled back.
                """,
                "x = x * 2: there and back",
            ),
        ),
        1,
    ),
    Story(
        "speed",
        "travel",
        (
            piece(
                """
                A {ride} covers {d} km in {h} hours.
                {name} drives {d} km in {h} hours.
                It takes a {ride} {h} hours to go {d} km.
                """,
                "x = d / h: the speed",
                "d 120-1200/60, h 2|3|4|5|6|10|12",
            ),
        ),
        (
            piece("What is the speed in km per hour?\nHow many km is that {per} hour?", close="The speed is {x} km per hour."),
            piece(
                "How many km is that in {k} hours at the same speed?\nAt the same speed, how many km is it in {k} hours?",
                "x = x * k: the way in {k} hours",
                "k 3-20",
                "It is {x} km.",
            ),
        ),
    ),
)
