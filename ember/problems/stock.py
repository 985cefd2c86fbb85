"""Having things and getting, losing or giving some: running sums, halves and multiples."""

from .shapes import Story, piece

STORIES = (
    Story(
        "stock",
        "everyday things",
        (
            piece(
                """
                {name} has {a} {thing}.
                {name} owns {a} {thing}.
                There are {a} {thing} in the bag of {name}.
                At first {name} has {a} {thing}.
                """,
                numbers="a 500-2400",
                steps="x = a: the start",
            ),
            piece(
                """
                {name} has {a} boxes with {b} {thing} in every box.
                {name} keeps {thing} in {a} boxes, {b} in each.
                """,
                "x = a * b: all the {thing} in boxes",
                "a 10-30, b 20-40",
            ),
            piece(
                """
                {name} has {a} {thing} at home and {b} {thing} at school.
                {name} found {a} {thing} on Monday and {b} {thing} on Tuesday.
                """,
                "x = a + b: the {thing} of {name}",
                "a 100-900, b 100-900",
            ),
        ),
        (
            piece(
                """
                How many {thing} does {name} have {now}?
                How many {thing} does {he} have {now}?
                What number of {thing} does {name} have {now}?
                """,
                close="""
                {name} has {x} {thing} {now}.
                {He} has {x} {thing}.
                """,
            ),
            piece(
                """
                {He} puts them into boxes of {k}. How many boxes are full?
                How many full boxes of {k} {thing} is that?
                """,
                "x = x // k: the full boxes",
                "k 3-12",
                "{x} boxes are full.",
            ),
            piece(
                """
                {He} puts them into boxes of {k}. How many {thing} are left over?
                How many {thing} are left over when boxes of {k} are filled?
                """,
                "x = x % k: the rest",
                "k 3-12",
                "{x} {thing} are left over.",
            ),
        ),
        (
            piece(
                """
                {then} {he} gives {n} to {friend}.
                {He} loses {n} of them.
                {friend} borrows {n} {thing} from {him}.
                {He} sells {n} {thing}.
                """,
                "x = x - n: what is left",
                "n 3-60",
            ),
            piece(
                """
                {friend} gives {him} {n} more.
                {then} {he} finds another {n}.
                {He} gets {n} more {thing} from {friend}.
                """,
                "x = x + n: the new number",
                "n 3-700",
            ),
            piece(
                """
                By summer {he} has {times} as many.
                {then} the number of {thing} grows to {times} as many.
                """,
                "x = times * x: the grown number",
            ),
        ),
        3,
    ),
)
