"""The words that fill the slots of a story: names, nouns with their plurals, and synonyms."""

from types import MappingProxyType


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SHE = _names("Anna Mia Emma Lena Sara Nora Ella Lily Maya Zoe Ruth Clara Julia Alice Grace Rosa Eva Leah Amy Ivy Priya Fatima Mei Yuki")
HE = _names("Tom Ben Sam Max Leo Paul Noah Jack Omar Felix David Adam Peter Mark Luis Ivan Carlos Hugo Finn Oscar Ravi Ali Kenji Daniel")
PEOPLE = SHE + HE


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Plural and singular of each noun: `apples`, `boxes/box`, `story books/story book`."""
    pairs = []
    for part in text.split(","):
        plural, _, single = part.strip().partition("/")
        pairs.append((plural, single or plural.removesuffix("s")))
    return tuple(pairs)


NOUNS = MappingProxyType(
    {
        "thing": _pairs(
            "apples, pears, plums, marbles, stickers, shells, stamps, cards, beads, buttons, coins, pencils, stones, badges,"
            "crayons, postcards, nuts, balloons, oranges, lemons, toy cars, figs, eggs, books, magnets, tickets"
        ),
        "good": _pairs(
            "pens, notebooks, shirts, caps, mugs, plates, candles, belts, scarves/scarf, sandwiches/sandwich, cakes, lamps, books, plants,"
            "chairs, games, brushes/brush, towels, bags, toys, hats, pillows, bowls, kites, rulers, folders"
        ),
        "crop": _pairs(
            "apples, potatoes/potato, tomatoes/tomato, carrots, melons, onions, pumpkins, peaches/peach, peppers, cabbages, lemons, pears"
        ),
        "box": _pairs("boxes/box, bags, crates, baskets, jars, trays, packs, cartons, bins, tins, shelves/shelf, drawers"),
        "food": _pairs("muffins, cookies/cookie, rolls, pies/pie, pancakes, buns, tarts, biscuits, waffles, pretzels, bagels, loaves/loaf"),
        "group": _pairs("children/child, friends, students, players, guests, teams, families/family, classes/class, neighbours, cousins"),
        "room": _pairs("garden, yard, field, park, hall, room, court, lawn, playground, terrace"),
        "seat": _pairs("chairs, seats, benches/bench, desks, plants, trees, tiles, lamps, flowers, parking spots"),
        "money": _pairs("dollars, euros, pounds, francs"),
        "ride": _pairs("car, train, bus, truck, boat, van, ship, tram"),
        "maker": _pairs("machine, printer, robot, worker, press, baker, oven, factory, team"),
        "made": _pairs("toys, bottles, parts, cups, boxes/box, posters, cakes, bricks, screws, labels, leaflets, chairs"),
        "mix": _pairs("red/red, blue/blue, green/green, white/white, yellow/yellow, black/black"),
        "place": _pairs("school/school, library/library, farm/farm, museum/museum, factory/factory, club/club, theatre/theatre, zoo/zoo"),
        "stuff": _pairs("flour/flour, sugar/sugar, rice/rice, butter/butter, milk/milk, salt/salt, cheese/cheese, honey/honey, oats/oats"),
        "animal": _pairs("cows, sheep/sheep, goats, pigs, horses/horse, hens, ducks, geese/goose, rabbits, donkeys"),
        "act": _pairs("reads/reading, walks/walking, runs/running, trains/training, swims/swimming, practises/practising, cycles/cycling"),
        "job": _pairs("baker/baker, gardener/gardener, waiter/waiter, driver/driver, painter/painter, nurse/nurse, cook/cook, tutor/tutor"),
        "metal": _pairs("wire/wire, rope/rope, ribbon/ribbon, string/string, cloth/cloth, pipe/pipe, cable/cable, chain/chain"),
    }
)

SYNONYMS = MappingProxyType(
    {
        "then": ("Then", "Later", "After that", "Next", "The next day", "In the evening"),
        "buys": ("buys", "gets", "picks up", "orders"),
        "all": ("in all", "altogether", "in total"),
        "now": ("now", "at the end", "in the end"),
        "much": ("How much money does", "How much does", "What amount does"),
        "each": ("each", "apiece"),
        "evenly": ("equally", "evenly", "fairly"),
        "find": ("Find", "Work out", "What is"),
        "per": ("per", "each", "every"),
        "several": ("several", "some", "a few"),
    }
)

FRACTIONS = MappingProxyType(
    {
        "half": (1, 2),
        "a third": (1, 3),
        "a quarter": (1, 4),
        "a fifth": (1, 5),
        "two thirds": (2, 3),
        "three quarters": (3, 4),
        "a tenth": (1, 10),
    }
)
TIMES = MappingProxyType(
    {"twice": 2, "three times": 3, "four times": 4, "five times": 5, "six times": 6, "3 times": 3, "4 times": 4, "5 times": 5, "6 times": 6}
)
DIGITS = MappingProxyType(
    {word: number for number, word in enumerate(_names("two three four five six seven eight nine ten eleven twelve"), start=2)}
)
