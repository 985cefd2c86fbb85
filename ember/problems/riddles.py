"""Bare numbers: sums, sequences, and thinking of a number."""

from .shapes import Story, piece

STORIES = (
    Story(
        "riddles",
        "numbers",
        (
            piece(
                """
                {name} thinks of a number, adds {n} and gets {t}.
                When {n} is added to a number, the result is {t}.
                """,
                "x = t - n: the number",
                "n 3-300, t 320-2000",
            ),
            piece(
                """
                {name} thinks of a number, multiplies it by {m} and gets {t}.
                A number times {m} is {t}.
                """,
                "x = t / m: the number",
                "m 2|3|4|5|6|10|12, t 120-960/60",
            ),
            piece(
                """
                {name} thinks of a number, divides it by {m}, adds {n} and gets {t}.
                A number is divided by {m}, then {n} is added, and the result is {t}.
                """,
                "y = t - n: before adding\nx = y * m: the number",
                "m 2-9, n 2-90, t 100-900",
            ),
            piece(
                """
                {name} thinks of a number, takes away {n} and gets {t}.
                When {n} is taken away from a number, {t} is left.
                """,
                "x = t + n: the number",
                "n 3-500, t 5-1500",
            ),
        ),
        (
            piece("Which number is it?\nWhat is the number?\n{find} the number.", close="The number is {x}."),
            piece("What is {k} more than the number?", "x = x + k: the answer", "k 3-90", "It is {x}."),
            piece("What is {times} the number?", "x = times * x: the answer", close="It is {x}."),
        ),
    ),
    Story(
        "sums",
        "numbers",
        (
            piece("Take the sum of {a} and {b}.\nAdd {a} and {b}.", "x = a + b: the sum", "a 20-2500, b 20-2500"),
            piece("Take the product of {a} and {b}.\nMultiply {a} by {b}.", "x = a * b: the product", "a 20-99, b 5-60"),
            piece(
                "Take the difference between {a} and {b}.\nTake {b} away from {a}.", "x = a - b: the difference", "a 2500-5000, b 20-2400"
            ),
        ),
        (
            piece("What is the result?\nWhich number is that?", close="The result is {x}."),
            piece("What is {k} less than that?", "x = x - k: the answer", "k 3-30", "It is {x}."),
            piece("What is half of that, rounded down?", "x = x // 2: the answer", close="It is {x}."),
        ),
        (
            piece("Then add {n}.\nAdd {n} to that.", "x = x + n: the new number", "n 5-900"),
            piece("Then take away {n}.\nSubtract {n} from that.", "x = x - n: the new number", "n 5-60"),
            piece("Then double it.\nMultiply that by 2.", "x = x * 2: the double"),
            piece("Multiply that by {m}.", "x = x * m: the product", "m 3-9"),
            piece("Divide that by {m} and drop the rest.", "x = x // m: the quotient", "m 2-9"),
        ),
        2,
    ),
    Story(
        "patterns",
        "training",
        (
            piece(
                """
                {name} {act} {a} minutes on the first day and {n} minutes more each day after.
                On day 1 {name} {act} for {a} minutes, and every day it is {n} minutes more.
                """,
                numbers="a 3-60, n 2-15",
            ),
        ),
        (
            piece(
                "How many minutes is it on day {d}?\nHow long is it on day {d}, in minutes?",
                "k = d - 1: the days after the first\ny = k * n: what is added\nx = a + y: the minutes on day {d}",
                "d 3-30",
                "On day {d} it is {x} minutes.",
            ),
        ),
    ),
)
