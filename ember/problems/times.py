"""Minutes, hours and days: durations added, converted and repeated."""

from .shapes import Story, piece

STORIES = (
    Story(
        "durations",
        "time",
        (
            piece(
                """
                {name} {act} for {a} minutes a day on {d} days.
                On each of {d} days {name} {act} for {a} minutes.
                """,
                "x = a * d: all the minutes",
                "a 10-60/5, d 4-10",
            ),
            piece(
                """
                {name} {act} {a} minutes in the morning and {b} minutes in the evening.
                First {name} {act} for {a} minutes, and later for {b} minutes.
                """,
                "x = a + b: all the minutes",
                "a 15-180, b 15-180",
            ),
            piece(
                """
                {name} {act} for {h} hours and {m} minutes.
                """,
                """
                y = h * 60: the hours in minutes
                x = y + m: all the minutes
                """,
                "h 2-9, m 5-55/5",
            ),
        ),
        (
            piece("How many minutes is that {all}?\nHow long is that in minutes?", close="It is {x} minutes."),
            piece(
                "How many full hours is that?\nHow long is that in full hours?",
                "x = x // 60: the full hours",
                close="It is {x} full hours.",
            ),
            piece(
                """
                The plan was {t} minutes. How many minutes are missing?
                """,
                "x = t - x: the missing minutes",
                "t 800-1500/10",
                "{x} minutes are missing.",
            ),
        ),
        (
            piece(
                "{then} {he} goes on for {n} more minutes.\nThe last part takes another {n} minutes.", "x = x + n: the new sum", "n 3-120"
            ),
            piece("Of this, {n} minutes were a break and do not count.", "x = x - n: the minutes that count", "n 3-25"),
        ),
        1,
    ),
    Story(
        "calendar",
        "time",
        (
            piece(
                "{name} is away for {w} weeks.\nA course lasts {w} weeks.\nA ship is at sea for {w} weeks.", "x = w * 7: the days", "w 2-52"
            ),
            piece(
                "{name} is away for {w} weeks and {d} days.\nA course lasts {w} weeks and {d} days.",
                "y = w * 7: the days of the weeks\nx = y + d: all the days",
                "w 2-40, d 2-6",
            ),
        ),
        (
            piece("How many days is that?\nHow long is that in days?", close="It is {x} days."),
            piece("How many hours is that?\nHow long is that in hours?", "x = x * 24: the hours", close="It is {x} hours."),
            piece(
                "After {k} days, how many days are left?\n{k} days are over. How many are left?",
                "x = x - k: the days left",
                "k 3-13",
                "{x} days are left.",
            ),
        ),
        (piece("It is made {n} days longer.\nA storm adds {n} days.", "x = x + n: the longer time", "n 2-30"),),
        1,
    ),
)
