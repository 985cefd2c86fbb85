"""Ratios, mixtures and recipes: quantities that keep their proportion."""

from .shapes import Story, piece

STORIES = (
    Story(
        "mixtures",
        "cooking",
        (
            piece(
                """
                A cake needs {a} parts of {stuff} and {b} parts of {stuff2}. There are {t} grams of {stuff}.
                {stuff} and {stuff2} are mixed in the ratio {a} to {b}. {name} takes {t} grams of {stuff}.
                """,
                "y = t / a: one part\nx = y * b: the {stuff2}",
                "a 2|3|4|5|6|10|12, b 2-12, t 60-960/60",
            ),
        ),
        (
            piece(
                "How many grams of {stuff2} are needed?\nHow much {stuff2} goes with it, in grams?", close="It takes {x} grams of {stuff2}."
            ),
            piece(
                "How many grams is the whole mix?\nWhat does the mix weigh in grams?",
                "x = t + x: the whole mix",
                close="The mix weighs {x} grams.",
            ),
        ),
    ),
    Story(
        "recipes",
        "cooking",
        (
            piece(
                """
                A recipe for {a} people takes {t} grams of {stuff}.
                For {a} guests a cook needs {t} grams of {stuff}.
                """,
                "y = t / a: the {stuff} for one",
                "a 2|3|4|5|6|10|12, t 120-600/60",
            ),
        ),
        (
            piece(
                "How many grams are needed for {k} people?\nHow much is it for {k} guests, in grams?",
                "x = y * k: the {stuff} for {k}",
                "k 3-20",
                "It takes {x} grams.",
            ),
            piece(
                "There are {m} grams in the kitchen. How many grams remain after cooking for {k}?",
                "z = y * k: the {stuff} for {k}\nx = m - z: the rest",
                "k 2-6, m 2000-5000/50",
                "{x} grams remain.",
            ),
        ),
    ),
    Story(
        "sorts",
        "farm",
        (
            piece(
                """
                A farmer has {t} {crop} and {crop2} {all}. There are {n} more {crop} than {crop2}.
                """,
                "y = t - n: twice the {crop2}\nx = y / 2: the {crop2}",
                "t 300-900/2, n 2-200/2",
            ),
        ),
        (
            piece("How many {crop2} are there?\nWhat is the number of {crop2}?", close="There are {x} {crop2}."),
            piece(
                "Each {crop2_s} is sold for {p} {money}. How much do the {crop2} bring?",
                "x = x * p: the money",
                "p 2-12",
                "They bring {x} {money}.",
            ),
        ),
    ),
)
