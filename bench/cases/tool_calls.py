"""tool_calls: one to three calls a record; right ones (in all written forms) and mutations of each kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from datalchemy.core.record import Conversation, Message, Record, ToolCall, user
from gauge import Line, above, plain, rate, scored, verdicts

Call = tuple[str, dict[str, Any]]
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "find_train",
            "parameters": {
                "type": "object",
                "properties": {
                    "start": {"type": "string"},
                    "goal": {"type": "string"},
                    "seats": {"type": "integer"},
                    "class": {"type": "string", "enum": ["first", "second"]},
                    "direct": {"type": "boolean"},
                },
                "required": ["start", "goal"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "get_time",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    },
)
CITIES = ("New York", "St. Louis", "Aix-en-Provence", "Rio de Janeiro", "Graz")


def _calls(rng: Random) -> list[Call]:
    made: list[Call] = []
    for _ in range(rng.randint(1, 3)):
        start, goal = rng.sample(CITIES, 2)
        train = {"start": start, "goal": goal, "seats": rng.randint(2, 9), "class": rng.choice(("first", "second"))}
        made.append(("find_train", train) if not made or rng.random() < 0.5 else ("get_time", {"city": start}))
    return made


def _gold(calls: list[Call]) -> str:
    return json.dumps([{name: {key: [value, ""] if key == "class" else [value] for key, value in given.items()}} for name, given in calls])


def _right(calls: list[Call], rng: Random) -> list[Call]:
    """The same calls as another model might write them."""
    made = []
    for name, given in rng.sample(calls, len(calls)):
        given = {
            key: value.lower().replace("-", " ") if isinstance(value, str) and key != "class" else value for key, value in given.items()
        }
        if rng.random() < 0.3:
            given.pop("class", None)
        made.append((name, given))
    return made


def _wrong(calls: list[Call], kind: int) -> list[Call]:
    """The calls with one thing wrong; the first is always a train."""
    name, given = calls[0]
    given = dict(given)
    match kind:
        case 0:
            return calls[1:]
        case 1:
            return [*calls, ("get_time", {"city": "Bonn"})]
        case 2:
            return [*calls, calls[0]]
        case 3:
            name = "find_trains"
        case 4:
            del given["goal"]
        case 5:
            del given["seats"]
        case 6:
            given["date"] = "today"
        case 7:
            given["seats"] = str(given["seats"])
        case 8:
            given["seats"] = float(given["seats"])
        case 9:
            given["seats"] = True
        case 10:
            given["seats"] += 1
        case 11:
            given["start"], given["goal"] = given["goal"], given["start"]
        case 12:
            given["class"] = "third"
        case _:
            given["goal"] = [given["goal"]]
    return [(name, given), *calls[1:]]


KINDS = 14


def _turn(calls: list[Call], form: int) -> Message:
    if form == 0 or not calls:
        made = tuple(ToolCall(name=name, arguments=json.dumps(given)) for name, given in calls)
        return Message(role="assistant", content="" if made else "I cannot help with that.", tool_calls=made)
    if form == 1:
        text = "\n".join(f"<tool_call>\n{json.dumps({'name': name, 'arguments': given})}\n</tool_call>" for name, given in calls)
    elif form == 2:
        text = "; ".join(json.dumps({"name": name, "parameters": given}) for name, given in calls)
    else:
        text = "".join(f"<function={name}>{json.dumps(given)}</function>" for name, given in calls)
    return Message(role="assistant", content=text)


def _record(wanted: list[Call], made: list[Call], number: int) -> Record:
    content = Conversation(messages=(user("Trains?"), _turn(made, number // 7 % 4)), tools=TOOLS)
    return Record(content=content, tests=_gold(wanted), origin=str(number))


def speed() -> Iterator[Line]:
    rngs = [Random(number) for number in range(4000)]
    records = [_record(calls := _calls(rng), _right(calls, rng), number) for number, rng in enumerate(rngs)]
    yield plain("4,000 answers with one to three calls", rate({"use": "tool_calls"}, records))


def accuracy() -> Iterator[Line]:
    rows = []
    for number in range(1120):
        rng = Random(number)
        calls = _calls(rng)
        rows.append(
            (_record(calls, _right(calls, rng), number), False)
            if number % 2
            else (_record(calls, _wrong(calls, number // 2 % KINDS), number), True)
        )
    found = verdicts({"use": "tool_calls"}, [record for record, _ in rows])
    share = scored([verdict.outcome == "refuse" for verdict in found], [bad for _, bad in rows]).accuracy
    yield above("560 right answers and 560 with one of 14 faults, in four written forms", share, 1.0, "")
    none = [
        Record(content=Conversation(messages=(user("Hi"), _turn(_calls(Random(n)) if n % 2 else [], n % 4))), tests="[]", origin=str(n))
        for n in range(200)
    ]
    share = scored(
        [verdict.outcome == "refuse" for verdict in verdicts({"use": "tool_calls"}, none)], [n % 2 == 1 for n in range(200)]
    ).accuracy
    yield above("200 questions that want no call, half answered with one", share, 1.0, "")
