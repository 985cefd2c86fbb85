"""Parts of a whole: percent, discounts, rises and fractions."""

from .shapes import Story, piece

STORIES = (
    Story(
        "percent",
        "school",
        (
            piece(
                """
                {p} percent of {t} {group} at a {place} come by bus.
                At a {place} there are {t} {group}, and {p} percent of them come by bus.
                Of {t} {group} at a {place}, {p} percent come by bus.
                """,
                "y = t / 100: one percent\nx = y * p: those who come by bus",
                "t 20-2400/20, p 5-95/5",
            ),
        ),
        (
            piece("How many {group} come by bus?\nHow many is that?", close="{x} {group} come by bus."),
            piece(
                "How many {group} do not come by bus?\nHow many come in another way?",
                "x = t - x: the others",
                close="{x} {group} come in another way.",
            ),
        ),
        decimals=True,
    ),
    Story(
        "discount",
        "money",
        (
            piece(
                """
                A {good_s} for {t} {money} is sold {p} percent cheaper.
                The price of a {good_s} is {t} {money}. There is a discount of {p} percent.
                """,
                "y = t / 100: one percent\nz = y * p: the discount\nx = t - z: the lower price",
                "t 20-600/10, p 5-60/5",
            ),
            piece(
                """
                A {good_s} for {t} {money} becomes {p} percent dearer.
                The price of a {good_s} is {t} {money}. It rises by {p} percent.
                """,
                "y = t / 100: one percent\nz = y * p: the rise\nx = t + z: the higher price",
                "t 20-600/10, p 5-60/5",
            ),
        ),
        (
            piece("What is the new price?\nHow many {money} is it now?", close="The new price is {x} {money}."),
            piece("What do {k} {good} cost now?", "x = x * k: the price of {k}", "k 2-9", "They cost {x} {money}."),
        ),
        decimals=True,
    ),
    Story(
        "fractions",
        "school",
        (
            piece(
                """
                There are {t} {group} at a {place}, and {frac} of them wear a cap.
                A {place} has {t} {group}, and {frac} of the {group} wear a cap.
                """,
                "x = t * frac: those with a cap",
                "t 120-960/60",
            ),
        ),
        (
            piece("How many {group} wear a cap?\nHow many caps is that?", close="{x} {group} wear a cap."),
            piece(
                "How many {group} wear no cap?\nHow many are without a cap?", "x = t - x: those without", close="{x} {group} wear no cap."
            ),
            piece(
                "Each cap costs {p} {money}. What do the caps cost?",
                "x = x * p: the price of the caps",
                "p 3-19",
                "The caps cost {x} {money}.",
            ),
        ),
        (piece("{n} more {group} put on a cap.\nThen {n} others get a cap too.", "x = x + n: those with a cap now", "n 2-60"),),
        1,
    ),
)
