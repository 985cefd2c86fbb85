"""Machines and helpers that work at a steady rate."""

from .shapes import Story, piece

STORIES = (
    Story(
        "work",
        "work",
        (
            piece(
                """
                A {maker} makes {r} {made} an hour and runs for {h} hours.
                In one hour a {maker} makes {r} {made}. It works for {h} hours.
                """,
                "x = r * h: all the {made}",
                "r 10-60, h 4-20",
            ),
            piece(
                """
                {k} {maker} units make {r} {made} an hour each and run for {h} hours.
                There are {k} units of a {maker}, each makes {r} {made} an hour, and they run for {h} hours.
                """,
                "y = k * r: the {made} in one hour\nx = y * h: all the {made}",
                "k 2-5, r 10-40, h 2-8",
            ),
            piece(
                """
                A {maker} makes {t} {made} in {h} hours. It goes on for {g} hours at this rate.
                """,
                "y = t / h: the {made} in one hour\nx = y * g: the {made} after that",
                "t 120-600/60, h 2|3|4|5|6, g 2-8",
            ),
        ),
        (
            piece("How many {made} is that {all}?\nHow many {made} are made?", close="{x} {made} are made."),
            piece(
                "{n} of them are faulty. How many good {made} are there?",
                "x = x - n: the good {made}",
                "n 2-35",
                "There are {x} good {made}.",
            ),
            piece(
                "They are sold at {p} {money} {each}. How much do they bring?", "x = x * p: the money", "p 2-9", "They bring {x} {money}."
            ),
            piece(
                "An order asks for {m} {made}. How many are missing?",
                "x = m - x: the missing ones",
                "m 2500-5000/50",
                "{x} {made} are missing.",
            ),
        ),
    ),
    Story(
        "jobs",
        "work",
        (
            piece(
                """
                {k} {group} need {h} hours for a job.
                A job takes {k} {group} {h} hours.
                """,
                "y = k * h: the hours of one alone",
                "k 2|3|4|6|12, h 12|24|36|48|60",
            ),
        ),
        (
            piece("How many hours would one alone need?", "x = y: the hours of one", close="One alone needs {x} hours."),
            piece(
                "How many hours do {m} of them need?\nHow long would it take {m} of them, in hours?",
                "x = y / m: the hours of {m}",
                "m 2|3|4|6|12",
                "They need {x} hours.",
            ),
        ),
    ),
    Story(
        "fuel",
        "travel",
        (
            piece(
                """
                A {ride} needs {a} litres of fuel for 100 km and goes {t} km.
                On 100 km a {ride} burns {a} litres, and the trip is {t} km.
                """,
                "y = t / 100: the hundreds of km\nx = y * a: the fuel",
                "a 3-20, t 100-1500/50",
            ),
        ),
        (
            piece("How many litres is that?\nHow much fuel is that in litres?", close="It is {x} litres."),
            piece(
                "A litre costs {p} {money}. What does the fuel cost?",
                "x = x * p: the price of the fuel",
                "p 2-5",
                "The fuel costs {x} {money}.",
            ),
            piece("The tank holds {m} litres. How many litres are left?", "x = m - x: the rest", "m 320-600/10", "{x} litres are left."),
        ),
        decimals=True,
    ),
)
