"""Lengths, weights and temperatures, and changing their units."""

from .shapes import Story, piece

STORIES = (
    Story(
        "lengths",
        "measuring",
        (
            piece(
                """
                A piece of {metal} is {a} m long.
                {name} has {a} m of {metal}.
                """,
                "x = a * 100: the length in cm",
                "a 4-60",
            ),
            piece(
                """
                A piece of {metal} is {a} m and {b} cm long.
                {name} has {a} m and {b} cm of {metal}.
                """,
                "y = a * 100: the metres in cm\nx = y + b: the length in cm",
                "a 4-40, b 5-95/5",
            ),
        ),
        (
            piece("How many cm is that?\nHow long is that in cm?", close="It is {x} cm."),
            piece(
                "It is cut into {k} equal pieces. How many cm is each?", "x = x / k: one piece", "k 2|4|5|10", "Each piece is {x} cm long."
            ),
            piece(
                "How many pieces of {k} cm can be cut?\nHow many full pieces of {k} cm is that?",
                "x = x // k: the pieces",
                "k 6-90",
                "{x} pieces can be cut.",
            ),
        ),
        (
            piece("{n} cm are cut off.\n{friend} takes {n} cm of it.", "x = x - n: what is left in cm", "n 5-180"),
            piece("{n} cm are added.", "x = x + n: the new length in cm", "n 5-180"),
        ),
        1,
        decimals=True,
    ),
    Story(
        "weights",
        "measuring",
        (
            piece(
                """
                A sack of {stuff} weighs {a} kg and {b} grams.
                {name} has {a} kg and {b} grams of {stuff}.
                """,
                "y = a * 1000: the kg in grams\nx = y + b: the weight in grams",
                "a 2-30, b 50-950/50",
            ),
            piece(
                """
                {a} bags of {stuff} weigh {p} kg each.
                There are {a} bags of {stuff}, and each weighs {p} kg.
                """,
                "y = a * p: the weight in kg\nx = y * 1000: the weight in grams",
                "a 2-20, p 0.5-6/0.5",
            ),
        ),
        (
            piece("How many grams is that?\nWhat is the weight in grams?", close="It is {x} grams."),
            piece(
                "{name} fills jars of {k} grams. How many full jars is that?\nHow many jars of {k} grams can be filled?",
                "x = x // k: the full jars",
                "k 100-750/50",
                "{x} jars are full.",
            ),
        ),
        (piece("Of this, {n} grams are used up.\n{friend} takes {n} grams away.", "x = x - n: what is left in grams", "n 50-900/50"),),
        1,
        decimals=True,
    ),
    Story(
        "weather",
        "weather",
        (
            piece(
                """
                In the morning it is {a} degrees.
                At sunrise a thermometer shows {a} degrees.
                """,
                "x = a: the temperature",
                "a 14-35",
            ),
        ),
        (
            piece("How many degrees is it {now}?\nWhat does the thermometer show {now}?", close="It is {x} degrees."),
            piece("How much below {k} degrees is that?", "x = k - x: the difference", "k 80-100", "It is {x} degrees below."),
        ),
        (
            piece("By noon it is {n} degrees warmer.\nThen it becomes {n} degrees warmer.", "x = x + n: the temperature then", "n 2-15"),
            piece("{then} it falls by {n} degrees.\nAt night it is {n} degrees colder.", "x = x - n: the temperature then", "n 2-6"),
            piece("In each of {m} hours it rises by {n} degrees.", "r = m * n: the rise\nx = x + r: the temperature then", "m 2-5, n 2-4"),
        ),
        3,
    ),
)
