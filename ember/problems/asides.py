"""Sentences that change nothing: asides with a number that is not needed, and words that lead up to a problem."""

from .shapes import piece

ASIDES = (
    piece("{friend} is {n} years old.", numbers="n 5-80", close="The age of {friend} does not matter."),
    piece("It is {n} degrees outside.", numbers="n 3-35", close="The weather does not matter."),
    piece("The shop opens at {n} in the morning.", numbers="n 6-11", close="The hour does not matter."),
    piece("{friend} lives {n} km away.", numbers="n 2-60", close="Where {friend} lives does not matter."),
    piece("There are {n} people in the street.", numbers="n 3-99", close="The people in the street do not matter."),
    piece("{friend} has a phone number that ends in {n}.", numbers="n 11-99", close="The phone number does not matter."),
    piece("Last year {friend} read {n} books.", numbers="n 3-70", close="What {friend} read does not matter."),
    piece("The sun is shining.", close="The sun does not matter."),
    piece("A coffee there costs {n} {money2}.", numbers="n 2-9", close="The coffee does not matter."),
    piece("{friend} has {n} cousins.", numbers="n 2-20", close="The cousins of {friend} do not matter."),
    piece("The bus number is {n}.", numbers="n 2-120", close="The bus number does not matter."),
    piece("It takes place on day {n} of the month.", numbers="n 2-30", close="The day does not matter."),
    piece("{friend} watches and says nothing.", close="That {friend} watches does not matter."),
)

LEAD = piece(
    """
    Here is a problem.
    Please solve this problem.
    Can you help me with this?
    Read carefully.
    A question for you.
    I have a question.
    Try this one.
    """
)
