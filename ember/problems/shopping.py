"""Buying several of something: cost, two sorts of goods, change, what is left to spend."""

from dataclasses import replace

from .shapes import Story, piece

_PAY = piece(
    """
        {much} {name} pay {all}?
        {much} {he} spend {all}?
        What is the total price in {money}?
        """,
    close="""
        {name} pays {x} {money} {all}.
        The total is {x} {money}.
        """,
)
_CHANGE = piece(
    """
        {He} pays with {m} {money}. How much change does {he} get?
        {name} hands over {m} {money}. How much does {he} get back?
        If {he} starts with {m} {money}, how much is left?
        """,
    "x = m - x: the money left",
    "m 700-1500/50",
    """
        {name} has {x} {money} left.
        {He} gets back {x} {money}.
        """,
)
_SMALL = replace(_CHANGE, ranges=piece("", numbers="m 120-500/10").ranges)

STORIES = (
    Story(
        "shopping",
        "money",
        (
            piece(
                """
                {name} {buys} {a} {good} at {p} {money} {each}.
                {name} {buys} {a} {good}. Every {good_s} costs {p} {money}.
                A {good_s} costs {p} {money}. {name} {buys} {a} of them.
                In a shop, {good} sell for {p} {money} {each} and {name} takes {a} {good}.
                """,
                "x = a * p: the price of the {good}",
                "a 4-20, p 5-30",
            ),
            piece(
                """
                {name} {buys} {a} {good} at {p} {money} {each} and {b} {good2} at {q} {money} {each}.
                A {good_s} costs {p} {money} and a {good2_s} costs {q} {money}. {name} {buys} {a} {good} and {b} {good2}.
                """,
                """
                y = a * p: the price of the {good}
                z = b * q: the price of the {good2}
                x = y + z: both together
                """,
                "a 2-12, p 5-25, b 2-12, q 5-25",
            ),
        ),
        (_PAY, _CHANGE),
        (
            piece(
                """
                {He} also {buys} a {good2_s} for {n} {money}.
                {then} {he} adds one {good2_s} for {n} {money}.
                Delivery costs {n} {money} more.
                """,
                "x = x + n: the new total",
                "n 2-95",
            ),
            piece(
                """
                A coupon takes {n} {money} off the bill.
                The seller lowers the total by {n} {money}.
                """,
                "x = x - n: the lowered price",
                "n 2-18",
            ),
        ),
        1,
    ),
    Story(
        "shopping",
        "money",
        (
            piece(
                """
                {a} {good} cost {t} {money} {all}.
                {name} paid {t} {money} for {a} {good}, all at one price.
                """,
                "x = t / a: the price of one {good_s}",
                "a 2|3|4|5|6|10|12|15, t 120-960/60",
            ),
        ),
        (
            piece(
                """
                How many {money} does one {good_s} cost?
                What is the price of a single {good_s}?
                """,
                close="One {good_s} costs {x} {money}.",
            ),
            piece(
                """
                What do {b} {good} cost at that price?
                How many {money} would {b} {good} cost?
                """,
                "x = b * x: the price of {b} {good}",
                "b 3-30",
                "They cost {x} {money}.",
            ),
        ),
    ),
    Story(
        "prices",
        "money",
        (
            piece(
                """
                A {good_s} costs {p} {money}. {name} {buys} {a} {good}.
                {name} {buys} {a} {good} for {p} {money} {each}.
                """,
                "x = a * p: the price of the {good}",
                "a 2-12, p 0.5-9.5/0.5",
            ),
            piece(
                """
                A {good_s} costs {p} {money} and a {good2_s} costs {q} {money}. {name} takes one of each.
                {name} pays {p} {money} for a {good_s} and {q} {money} for a {good2_s}.
                """,
                "x = p + q: both together",
                "p 1.25-19.75/0.25, q 1.25-19.75/0.25",
            ),
        ),
        (_PAY, _SMALL),
        decimals=True,
    ),
)
