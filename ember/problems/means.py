"""Averages, and what is missing for one."""

from .shapes import Story, piece

STORIES = (
    Story(
        "means",
        "school",
        (
            piece(
                """
                {name} scores {a}, {b}, {c}, {d} and {e} points in five games.
                In five tests {name} gets {a}, {b}, {c}, {d} and {e} points.
                """,
                "y = a + b + c + d + e: the sum\nx = y / 5: the mean",
                "a 4-60, b 4-60, c 4-60, d 4-60, e 4-60",
            ),
            piece(
                """
                {name} scores {a} and {b} points in two games.
                In two tests {name} gets {a} and {b} points.
                """,
                "y = a + b: the sum\nx = y / 2: the mean",
                "a 4-99, b 4-99",
            ),
            piece(
                """
                {name} scores {a}, {b}, {c} and {d} points in four games.
                """,
                "y = a + b + c + d: the sum\nx = y / 4: the mean",
                "a 4-99, b 4-99, c 4-99, d 4-99",
            ),
        ),
        (
            piece("What is the average?\nWhat is the mean?\nHow many points is that on average?", close="The average is {x} points."),
            piece(
                "{other} has an average of {k}. By how much is it above that of {name}?",
                "x = k - x: the difference",
                "k 100-200",
                "It is {x} points above.",
            ),
            piece(
                "{other} has {k} points more on average. What is the average of {other}?",
                "x = x + k: the average of {other}",
                "k 2-40",
                "The average of {other} is {x} points.",
            ),
        ),
        decimals=True,
    ),
    Story(
        "totals",
        "school",
        (
            piece(
                "The average of {k} tests is {a} points.\nIn {k} tests {name} has an average of {a} points.",
                "x = k * a: all the points",
                "k 3-12, a 5-95",
            ),
        ),
        (
            piece("How many points is that {all}?\nWhat is the sum of the points?", close="The sum is {x} points."),
            piece(
                "The next test brings {m} points. What is the sum of the points then?",
                "x = x + m: the sum then",
                "m 4-99",
                "The sum is {x} points.",
            ),
        ),
    ),
)
