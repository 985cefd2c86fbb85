"""Tickets, seats in buses and reading: outings and pastimes."""

from .shapes import Story, piece

STORIES = (
    Story(
        "tickets",
        "outings",
        (
            piece(
                """
                A ticket to the {place} costs {p} {money} for adults and {q} {money} for children. {a} adults and {b} children go.
                At the {place}, adults pay {p} {money} and children pay {q} {money}. A group has {a} adults and {b} children.
                """,
                """
                y = a * p: the tickets of the adults
                z = b * q: the tickets of the children
                x = y + z: all the tickets
                """,
                "p 6-30, q 2-15, a 2-10, b 2-20",
            ),
            piece(
                """
                A ticket to the {place} costs {p} {money}. {a} {group} go.
                {a} {group} visit the {place}. Every ticket is {p} {money}.
                """,
                "x = a * p: all the tickets",
                "p 3-30, a 3-20",
            ),
        ),
        (
            piece("How much do they pay {all}?\nWhat do the tickets cost {all}?", close="They pay {x} {money}."),
            piece("They have {m} {money}. How many {money} are left?", "x = m - x: what is left", "m 850-2000/50", "{x} {money} are left."),
        ),
        (
            piece("Lunch adds {n} {money}.\nThe bus costs {n} {money} more.", "x = x + n: the sum now", "n 10-220"),
            piece("As a group they pay {n} {money} less.", "x = x - n: the lowered sum", "n 2-8"),
        ),
        1,
    ),
    Story(
        "buses",
        "outings",
        (
            piece(
                """
                A {ride} starts with {a} people on board.
                There are {a} people on a {ride}.
                """,
                "x = a: the people",
                "a 60-300",
            ),
        ),
        (piece("How many people are on board {now}?\nHow many people are there {now}?", close="{x} people are on board."),),
        (
            piece(
                "At a stop {n} get off and {m} get on.\n{n} people leave and {m} come in.",
                "y = x - n: those who stay\nx = y + m: the people now",
                "n 2-20, m 2-80",
            ),
            piece("At the next stop {n} people get on.\nThen {n} people come in.", "x = x + n: the people now", "n 2-70"),
            piece("Then as many people again get on.\nThe number of people doubles.", "x = x * 2: the people now"),
        ),
        3,
    ),
    Story(
        "books",
        "books",
        (
            piece(
                """
                A book has {t} pages. {name} reads {a} pages a day for {d} days.
                {name} reads {a} pages a day for {d} days in a book of {t} pages.
                """,
                """
                y = a * d: the pages read
                x = t - y: the pages left
                """,
                "t 450-990/2, a 4-25, d 2-14",
            ),
            piece(
                """
                A book has {t} pages. {name} has read {frac} of it.
                {name} has read {frac} of a book with {t} pages.
                """,
                "y = t * frac: the pages read\nx = t - y: the pages left",
                "t 120-960/60",
            ),
        ),
        (
            piece("How many pages are left?\nHow many pages does {he} still have to read?", close="{x} pages are left."),
            piece(
                "Of the rest, {k} pages have pictures only. How many pages with text are left?",
                "x = x - k: the pages with text",
                "k 2-12",
                "{x} pages with text are left.",
            ),
        ),
        (piece("{then} {he} reads {n} pages more.", "x = x - n: the pages left now", "n 3-18"),),
        1,
    ),
)
