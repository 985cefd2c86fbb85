"""json_schema: an order a record; valid ones and mutations of each kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Line, above, plain, rate, scored, verdicts

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "count": {"type": "integer", "minimum": 1},
                    "price": {"type": "number"},
                },
                "required": ["name", "count"],
                "additionalProperties": False,
            },
        },
        "paid": {"type": "boolean"},
        "ship": {"enum": ["post", "pickup"]},
    },
    "required": ["order", "items", "ship"],
    "additionalProperties": False,
}


def _order(rng: Random) -> dict[str, Any]:
    items = [
        {"name": rng.choice(("rope", "nail", "saw")), "count": rng.randint(1, 9), "price": rng.randint(1, 999) / 4}
        for _ in range(rng.randint(1, 4))
    ]
    return {"order": f"AB-{rng.randint(1000, 9999)}", "items": items, "paid": rng.random() < 0.5, "ship": rng.choice(("post", "pickup"))}


def _broken(order: dict[str, Any], kind: int) -> str:
    """The order with one thing wrong."""
    first = order["items"][0]
    match kind:
        case 0:
            del order["ship"]
        case 1:
            first["count"] = str(first["count"])
        case 2:
            first["count"] = True
        case 3:
            first["count"] += 0.5
        case 4:
            order["extra"] = None
        case 5:
            order["ship"] = "Post"
        case 6:
            order["order"] = order["order"].lower()
        case 7:
            order["items"] = []
        case 8:
            first["name"] = ""
        case 9:
            order["paid"] = "yes"
        case 10:
            return json.dumps([order])
        case 11:
            return json.dumps(order)[:-1]
        case 12:
            return json.dumps(order).replace('"', "'")
        case 13:
            return json.dumps(order)[:-1] + ', "ship": "post"}'
        case 14:
            return json.dumps(order) + "\nIs there anything else?"
        case 15:
            return "Here is the order: " + json.dumps(order)
        case 16:
            first["price"] = float("nan")
        case _:
            return f"```json\n{json.dumps(order)}"
    return json.dumps(order)


KINDS = 18


def _good(order: dict[str, Any], rng: Random) -> str:
    body = json.dumps(order, indent=rng.choice((None, 2)))
    return rng.choice((body, f"\n{body}\n", f"```json\n{body}\n```", f"```\n{body}\n```"))


def _record(text: str, number: int, **fields: Any) -> Record:
    return Record(content=Conversation(messages=(user("The order as JSON?"), assistant(text))), origin=str(number), fields=fields)


def speed() -> Iterator[Line]:
    texts = [_good(_order(Random(number)), Random(number)) for number in range(4000)]
    part = {"use": "json_schema", "json_schema": SCHEMA}
    yield plain("4,000 orders, one schema", rate(part, [_record(text, number) for number, text in enumerate(texts)]))
    own = [_record(text, number, schema={**SCHEMA, "title": f"order {number}"}) for number, text in enumerate(texts)]
    yield plain("the same, each with a schema of its own", rate({"use": "json_schema"}, own))


def accuracy() -> Iterator[Line]:
    rows = []
    for number in range(1080):
        rng = Random(number)
        rows.append((_good(_order(rng), rng), False) if number % 2 else (_broken(_order(rng), number // 2 % KINDS), True))
    found = verdicts({"use": "json_schema", "json_schema": SCHEMA}, [_record(text, number) for number, (text, _) in enumerate(rows)])
    share = scored([verdict.outcome == "refuse" for verdict in found], [bad for _, bad in rows]).accuracy
    yield above("540 valid orders and 540 with one of 18 faults", share, 1.0, "")
