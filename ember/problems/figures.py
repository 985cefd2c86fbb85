"""Geometry: rectangles, squares, triangles and boxes."""

from .shapes import Story, piece

STORIES = (
    Story(
        "areas",
        "shapes",
        (
            piece(
                """
                A rectangular {room} is {a} m long and {b} m wide.
                A {room} has the shape of a rectangle with sides of {a} m and {b} m.
                The length of a {room} is {a} m and its width is {b} m.
                """,
                numbers="a 4-90, b 3-60",
            ),
            piece(
                """
                A {room} is {a} m wide and {times} as long.
                The width of a {room} is {a} m and its length is {times} the width.
                """,
                "b = times * a: the length",
                "a 3-45",
            ),
            piece("A square {room} has a side of {a} m.\nEach side of a square {room} is {a} m long.", "b = a: the other side", "a 4-80"),
        ),
        (
            piece(
                "What is its area in square metres?\nHow many square metres is that?",
                "x = a * b: the area",
                close="The area is {x} square metres.",
            ),
            piece(
                """
                What is its perimeter in metres?
                How many metres of fence go around it?
                """,
                "y = a + b: two sides\nx = y * 2: all four sides",
                close="It is {x} metres around.",
            ),
            piece(
                "A fence around it costs {p} {money} a metre. How many {money} is that?",
                "y = a + b: two sides\nz = y * 2: all four sides\nx = z * p: the price of the fence",
                "p 3-30",
                "The fence costs {x} {money}.",
            ),
            piece(
                "Seeds for one square metre cost {p} {money}. What do the seeds for all of it cost?",
                "y = a * b: the area\nx = y * p: the price of the seeds",
                "p 2-9",
                "The seeds cost {x} {money}.",
            ),
            piece(
                """
                A pool of {k} square metres is inside it. How many square metres are around the pool?
                """,
                "y = a * b: the whole area\nx = y - k: the area around",
                "k 4-12",
                "{x} square metres are around the pool.",
            ),
        ),
    ),
    Story(
        "sides",
        "shapes",
        (
            piece(
                """
                A {room} has an area of {t} square metres and is {a} m wide.
                The area of a rectangular {room} is {t} square metres and its width is {a} m.
                """,
                "x = t / a: the length",
                "t 120-1800/60, a 3|4|5|6|10|12|15|20",
            ),
        ),
        (
            piece("How long is it in metres?\nWhat is its length in metres?", close="It is {x} m long."),
            piece(
                "How many metres is it around?\nWhat is its perimeter in metres?",
                "y = x + a: two sides\nx = y * 2: all four sides",
                close="It is {x} metres around.",
            ),
        ),
    ),
    Story(
        "volumes",
        "shapes",
        (
            piece(
                """
                A {box_s} is {a} cm long, {b} cm wide and {c} cm high.
                The sides of a {box_s} are {a} cm, {b} cm and {c} cm.
                """,
                "y = a * b: the base\nx = y * c: the volume",
                "a 3-30, b 3-24, c 2-20",
            ),
        ),
        (
            piece(
                "What is its volume in cubic centimetres?\nHow many cubic centimetres does it hold?",
                close="The volume is {x} cubic centimetres.",
            ),
            piece(
                "How many cubic centimetres do {k} of them hold?",
                "x = x * k: the volume of {k}",
                "k 2-9",
                "They hold {x} cubic centimetres.",
            ),
        ),
    ),
    Story(
        "triangles",
        "shapes",
        (
            piece(
                "Two angles of a triangle are {a} and {b} degrees.\nA triangle has angles of {a} and {b} degrees.",
                "y = a + b: the two angles",
                "a 15-85, b 15-85",
            ),
        ),
        (
            piece(
                "How large is the third angle in degrees?\nWhat is the third angle?",
                "x = 180 - y: the third angle",
                close="The third angle has {x} degrees.",
            ),
        ),
    ),
)
