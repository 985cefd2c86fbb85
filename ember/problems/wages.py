"""Earning, saving and spending over days, weeks and months."""

from .shapes import Story, piece

STORIES = (
    Story(
        "wages",
        "work",
        (
            piece(
                """
                A {job} earns {p} {money} an hour and works {h} hours.
                {name} works as a {job} for {p} {money} an hour. This week it was {h} hours.
                """,
                "x = p * h: the pay",
                "p 12-48, h 10-48",
            ),
            piece(
                """
                A {job} works {h} hours a day for {d} days and earns {p} {money} an hour.
                At {p} {money} an hour, a {job} works {d} days of {h} hours.
                """,
                """
                y = h * d: the hours
                x = y * p: the pay
                """,
                "p 10-32, h 4-9, d 3-7",
            ),
        ),
        (
            piece("How much is the pay?\nHow many {money} is that {all}?", close="The pay is {x} {money}."),
            piece(
                """
                After paying {m} {money} for a room, how much is left?
                A room costs {m} {money}. How much remains after it?
                """,
                "x = x - m: what remains",
                "m 20-90/5",
                "{x} {money} remain.",
            ),
            piece("A tenth goes to savings. How many {money} are saved?", "x = x / 10: the savings", close="{x} {money} are saved."),
        ),
        (
            piece("There is a bonus of {n} {money}.\nOn top come {n} {money} in tips.", "x = x + n: the pay with the extra", "n 5-140"),
            piece("{n} {money} go to tax.\nThe tax takes {n} {money}.", "x = x - n: the pay after tax", "n 5-25"),
        ),
        1,
        decimals=True,
    ),
    Story(
        "saving",
        "money",
        (
            piece(
                """
                {name} saves {p} {money} a week for {w} weeks.
                Every week {name} puts {p} {money} aside. This goes on for {w} weeks.
                """,
                "x = p * w: the savings",
                "p 10-60, w 4-24",
            ),
            piece(
                """
                {name} has {a} {money} and saves {p} {money} more each month for {w} months.
                {name} starts with {a} {money} and adds {p} {money} a month for {w} months.
                """,
                """
                y = p * w: what is added
                x = a + y: the savings
                """,
                "a 20-500, p 5-90, w 3-12",
            ),
        ),
        (
            piece("How much money does {name} have {now}?\nHow many {money} does {he} have {now}?", close="{name} has {x} {money}."),
            piece(
                """
                {He} wants a bike for {t} {money}. How much is missing?
                A trip costs {t} {money}. How many {money} does {he} still need?
                """,
                "x = t - x: what is missing",
                "t 1800-4000/50",
                "{x} {money} are missing.",
            ),
        ),
        (
            piece("{then} {he} spends {n} {money}.\n{He} lends {n} {money} to {friend}.", "x = x - n: what is left", "n 4-30"),
            piece("{friend} gives {him} {n} {money}.\n{then} {he} earns {n} {money} more.", "x = x + n: the new sum", "n 4-190"),
        ),
        2,
    ),
    Story(
        "saving",
        "money",
        (
            piece(
                """
                {name} wants to save {t} {money} and puts away {p} {money} a week.
                A goal of {t} {money} is to be reached with {p} {money} a week.
                """,
                "x = t / p: the weeks",
                "t 120-1800/60, p 5|10|12|15|20|30|60",
            ),
        ),
        (piece("How many weeks does it take?\nAfter how many weeks is the goal reached?", close="It takes {x} weeks."),),
    ),
)
