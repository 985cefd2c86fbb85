"""Replies that have several parts: how they are asked for, and how what models really write is read.

Where the backend keeps to a JSON schema, JSON is asked for; elsewhere tags, which models of any size write more reliably than JSON and
which need no escapes. Either way both are read, whatever stands around them. What cannot be read is a refused record, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..core.backend import Reply, Sampling
from ..core.errors import Refused
from ..core.loose_json import escaped, objects
from ..core.part import Rendered, Tools
from ..core.record import Message, user
from ..core.think import split

FORMS = ("form.json", "form.tags")
"""Wordings of the closing lines; a strategy that fills forms names them in its `prompts`."""
Kind = Literal["text", "texts", "number", "choice"]
LONGEST = 200_000
"""Characters of a reply that are read."""
_DOTS = frozenset({"", "...", "…"})
_NUMBERED = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.):])\s+")
_FENCE = re.compile(r"\A```[\w-]*[ \t]*\n(.*?)\n?```\Z", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,12})?")


@dataclass(frozen=True, slots=True)
class Field:
    """One part of a reply. `name` is its tag and its key: small letters and underscores."""

    name: str
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    """Of a `choice`, which is read without regard to case."""
    required: bool = True
    """Else it is None (of `texts`: empty) where it is missing."""


@dataclass(frozen=True, slots=True)
class Form:
    """The parts of a reply, in the order in which they are written: what comes first is thought of first."""

    fields: tuple[Field, ...]

    def schema(self) -> dict[str, Any]:
        """As JSON Schema; all is required, since a grammar that may leave things out does."""
        kinds: dict[Kind, dict[str, Any]] = {
            "text": {"type": "string"}, "texts": {"type": "array", "items": {"type": "string"}}, "number": {"type": "number"},
        }  # fmt: skip
        parts = {one.name: {"enum": list(one.choices)} if one.kind == "choice" else kinds[one.kind] for one in self.fields}
        return {"type": "object", "properties": parts, "required": [*parts], "additionalProperties": False}

    def shown(self, *, as_json: bool) -> str:
        """The form as a model is shown it, empty."""
        if as_json:
            return "{" + ", ".join(f'"{one.name}": {_blank_json(one)}' for one in self.fields) + "}"
        return "\n".join(_blank_tags(one) for one in self.fields)

    def read(self, text: str, *, whole: bool = True) -> dict[str, Any] | None:
        """Its values by name, from the last JSON object that holds all that is required, else from tags; None: neither is there.

        Of a text that is not `whole` (cut at the token limit) a part without its closing tag is none.
        """
        text = text[:LONGEST]
        for value, _ in reversed(list(objects(escaped(text)))):
            if (found := self._taken(value)) is not None:
                return found
        return self._taken({one.name: self._tagged(one, text, whole) for one in self.fields})

    def _taken(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        keys = {key.strip().casefold().replace(" ", "_"): value for key, value in given.items() if isinstance(key, str)}
        found = {one.name: _value(one, keys.get(one.name)) for one in self.fields}
        missing = any(one.required and not found[one.name] and found[one.name] != 0 for one in self.fields)
        return None if missing else found

    def _tagged(self, one: Field, text: str, whole: bool) -> Any:
        """What stands between its tags: of `texts` all of them, else the first that is filled in."""
        names = "|".join(re.escape(other.name) for other in self.fields)
        inner = [part for part in (found.strip() for found in _between(one.name, text, names, whole)) if part not in _DOTS]
        if one.kind == "texts":
            return inner[0] if len(inner) == 1 and "\n" in inner[0] else inner
        return inner[0] if inner else None


@dataclass(frozen=True, slots=True)
class Filled:
    """A form that was filled in."""

    values: Mapping[str, Any]
    reply: Reply
    wording: Rendered


async def filled(
    tools: Tools,
    model: str,
    form: Form,
    wording: str,
    *,
    path: str,
    sample: int = 0,
    sampling: Sampling | None = None,
    before: Sequence[Message] = (),
    **values: Any,
) -> Filled:
    """Ask with a wording (its variable `form` is the closing lines), behind the turns `before`, and read the reply.

    Raises Refused: `empty_reply`, `cut` (at the token limit, and not whole), `unreadable`.
    """
    asked = tools.model(model)
    as_json = "json_schema" in asked.capabilities
    closing = tools.render(FORMS[0] if as_json else FORMS[1], form=form.shown(as_json=as_json))
    rendered = tools.render(wording, form=closing.text, **values)
    schema = form.schema() if as_json else None
    reply = await asked.chat((*before, user(rendered.text)), path=path, sample=sample, sampling=sampling, json_schema=schema)
    return Filled(read(form, reply), reply, rendered)


def read(form: Form, reply: Reply) -> dict[str, Any]:
    """The values of a reply. Raises Refused as `filled` does."""
    said = split(reply).answer
    found = form.read(said, whole=reply.finish_reason != "length")
    if found is not None:
        return found
    if reply.finish_reason == "length":
        raise Refused("cut", "the reply reached the token limit before it was whole")
    if not said.strip():
        raise Refused("empty_reply", "the model wrote nothing")
    names = ", ".join(one.name for one in form.fields if one.required)
    raise Refused("unreadable", f"no {names} in {' '.join(said.split())[:120]!r}")


def _blank_json(one: Field) -> str:
    if one.kind == "choice":
        return " | ".join(f'"{choice}"' for choice in one.choices)
    return {"text": '"..."', "texts": '["...", "..."]', "number": "0"}[one.kind]


def _blank_tags(one: Field) -> str:
    inner = " | ".join(one.choices) if one.kind == "choice" else "..."
    line = f"<{one.name}>{inner}</{one.name}>"
    return f"{line}\n{line}" if one.kind == "texts" else line


def _between(name: str, text: str, names: str, whole: bool) -> list[str]:
    """Each stretch after an opening tag, up to its closing one, or (forgotten) to the next tag of the form or the end."""
    end = r"|\Z" if whole else ""
    pattern = (
        rf"<\s{{0,3}}{re.escape(name)}\s{{0,3}}>(.*?)(?:<\s{{0,3}}/\s{{0,3}}{re.escape(name)}\s{{0,3}}>|(?=<\s{{0,3}}/?(?:{names})>){end})"
    )
    return re.findall(pattern, text, re.DOTALL | re.IGNORECASE)


def _value(one: Field, given: Any) -> Any:
    """What was given, as the field's kind; None (of `texts` an empty list) where it is none."""
    match one.kind:
        case "texts":
            lines = given.splitlines() if isinstance(given, str) else given if isinstance(given, list) else ()
            return [text for text in (_text(_NUMBERED.sub("", line) if isinstance(line, str) else line) for line in lines) if text]
        case "number":
            if isinstance(given, bool):
                return None
            match = _NUMBER.search(given) if isinstance(given, str) else None
            return float(match[0]) if match else float(given) if isinstance(given, int | float) and abs(given) < 1e12 else None
        case "choice":
            said = (_text(given) or "").casefold().strip(" .*\"'`")
            return next((choice for choice in one.choices if choice.casefold() == said), None)
    return _text(given)


def _text(given: Any) -> str | None:
    """A text without the fence or the quotes around all of it; None where it is none or only dots."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(given, str):
        return None
    text = given.strip()
    if fenced := _FENCE.match(text):
        text = fenced[1].strip()
    return None if text in _DOTS else text
