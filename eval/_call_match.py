"""Tool calls against the calls that were wanted, as the Berkeley Function Calling Leaderboard compares them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ._call_forms import Call, called
from ._strict_json import Flawed

_IGNORED = re.compile(r"[ ,./\-_*^]")


class Gold(NamedTuple):
    """A call that was wanted."""

    name: str
    allowed: dict[str, list[Any]]
    """The values that each argument may have; `""` among them: it may be left out."""
    exact: bool = False
    """Whether values nested in objects are themselves, and not lists of allowed ones."""


def wanted(raw: Any) -> list[Gold]:
    """The wanted calls from what a record holds: BFCL's shape, or plain calls. Raises Flawed."""
    if isinstance(raw, dict):
        raw = [raw]
    if not isinstance(raw, list):
        raise Flawed("no_gold: the reference is no list of calls")
    return [_gold(one) for one in raw]


def _gold(one: Any) -> Gold:
    if isinstance(one, dict) and ("name" in one or isinstance(one.get("function"), dict)):
        try:
            call = called(one)
        except Flawed as error:
            raise Flawed(f"no_gold: in the reference: {error}") from error
        return Gold(call.name, {name: [value] for name, value in call.arguments.items()}, exact=True)
    if not isinstance(one, dict) or len(one) != 1:
        raise Flawed("no_gold: a wanted call is {name: {argument: [allowed values]}}")
    ((name, allowed),) = one.items()
    if not isinstance(allowed, dict) or not all(isinstance(values, list) for values in allowed.values()):
        raise Flawed(f"no_gold: the arguments of {str(name)[:40]} are no lists of allowed values")
    return Gold(name, allowed)


def same_name(one: str, other: str) -> bool:
    """Names are equal, dots counting as underscores (some servers take no dots)."""
    return one.replace(".", "_") == other.replace(".", "_")


def matched(calls: Sequence[Call], golds: Sequence[Gold], *, loose: bool) -> tuple[int, str]:
    """How many calls can be paired with a wanted one at most, in any order, and what is wrong with the first that cannot."""
    flaws = [[flaw(call, gold, loose=loose) for gold in golds] for call in calls]
    taken: dict[int, int] = {}

    def pair(at: int, seen: set[int]) -> bool:
        for number, reason in enumerate(flaws[at]):
            if reason or number in seen:
                continue
            seen.add(number)
            if number not in taken or pair(taken[number], seen):
                taken[number] = at
                return True
        return False

    alone = [at for at in range(len(calls)) if not pair(at, set())]
    if not alone:
        return len(taken), ""
    free = [number for number in range(len(golds)) if number not in taken]
    reasons = [flaws[alone[0]][number] for number in free if flaws[alone[0]][number]]
    named = [reason for reason in reasons if not reason.startswith("wrong_name")]
    return len(taken), next(iter(named or reasons), f"extra_call: {calls[alone[0]].name[:40]} was not wanted")


def flaw(call: Call, gold: Gold, *, loose: bool) -> str:
    """What is wrong with a call, measured by a wanted one; empty where nothing is."""
    if not same_name(call.name, gold.name):
        return f"wrong_name: {call.name[:40]}, wanted {gold.name[:40]}"
    for name, value in call.arguments.items():
        if name not in gold.allowed:
            return f"unexpected_argument: {gold.name[:40]}.{name[:40]}"
        if not any(_same(value, one, loose, gold.exact) for one in gold.allowed[name]):
            return f"wrong_value: {gold.name[:40]}.{name[:40]} is {_shown(value)}, wanted {_shown(gold.allowed[name])}"
    for name, values in gold.allowed.items():
        if name not in call.arguments and (gold.exact or "" not in values):
            return f"missing_argument: {gold.name[:40]}.{name[:40]}"
    return ""


def _same(got: Any, allowed: Any, loose: bool, exact: bool) -> bool:
    """Equality with exact types; a whole number may stand for a float, a boolean never for a number."""
    if isinstance(got, bool) or isinstance(allowed, bool):
        return got is allowed
    if isinstance(got, int | float) and isinstance(allowed, int | float):
        return got == allowed
    if type(got) is not type(allowed):
        return False
    if isinstance(got, str):
        return normal(got) == normal(allowed) if loose else got == allowed
    if isinstance(got, list):
        return len(got) == len(allowed) and all(_same(one, other, loose, exact) for one, other in zip(got, allowed, strict=True))
    if isinstance(got, dict):
        return _same_object(got, allowed, loose, exact)
    return bool(got == allowed)


def _same_object(got: dict[str, Any], allowed: dict[str, Any], loose: bool, exact: bool) -> bool:
    values = {name: [one] if exact or not isinstance(one, list) else one for name, one in allowed.items()}
    if any(name not in got and (exact or "" not in values[name]) for name in values):
        return False
    return all(name in values and any(_same(value, one, loose, exact) for one in values[name]) for name, value in got.items())


def normal(text: str) -> str:
    """A text without spaces and the marks `, . / - _ * ^`, in small letters, with one kind of quotes."""
    return _IGNORED.sub("", text).lower().replace("'", '"')


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
