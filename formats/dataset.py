"""What a record looks like as a row of the output, and the Arrow schemas of those rows.

Records come as the JSON values that the ledger holds (`Record.dump()`), not as objects: a million of them pass through here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import orjson

from ..core import think
from ..core.errors import StorageError

if TYPE_CHECKING:
    import pyarrow as pa

Body = Mapping[str, Any]
"""A record as JSON values, defaults left out."""
Reasoning = Literal["inline", "field", "drop"]
"""Where a model's thinking goes: into the text in front of the answer, into a field of the message, or nowhere."""
INT64 = 2**63 - 1
EXTRAS = ("reasoning", "tool_calls", "tool_call_id", "name")


def load(data: bytes) -> tuple[Any, bool]:
    """A JSON value, and whether it had to be repaired: lone surrogates become `?`, numbers that are not finite null.

    Raises StorageError where it is no JSON at all.
    """
    try:
        return orjson.loads(data or b"{}"), False
    except orjson.JSONDecodeError:
        try:
            value = json.loads(data.decode("utf-8", "replace"), parse_constant=lambda _: None, parse_float=_finite)
            return orjson.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")), True
        except (ValueError, RecursionError) as error:
            raise StorageError(f"the ledger holds a record that is not JSON: {error}") from error


def kind(content: Body) -> str:
    """conversation | preference | steps | text."""
    if "chosen" in content:
        return "preference"
    return "steps" if "steps" in content else "text" if "text" in content else "conversation"


def turns(content: Body) -> list[Body]:
    """All messages of a content: of a preference pair, prompt and chosen; of scored steps, prompt and the steps as one answer."""
    match kind(content):
        case "preference":
            return [*content.get("prompt", ()), *content["chosen"]]
        case "steps":
            steps = "\n".join(step.get("text", "") for step in content["steps"])
            return [*content.get("prompt", ()), {"role": "assistant", "content": steps}]
        case "text":
            return []
    return content.get("messages", [])  # type: ignore[no-any-return]


def plain(content: Any) -> str:
    """The text of a message's content, without media."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


class Shape:
    """The columns of a data set, found by looking at each of its records once (`see`); then `row` and `schema`."""

    def __init__(self, reasoning: Reasoning) -> None:
        self.reasoning = reasoning
        self.kinds: set[str] = set()
        self.columns: set[str] = set()
        self.scores: dict[str, None] = {}
        self.labels: dict[str, set[type]] = {}
        self.turn_keys: set[str] = {"reasoning"} if reasoning == "field" else set()
        self.media = False

    def see(self, body: Body) -> None:
        self.columns.update(body)
        content = body.get("content", {})
        self.kinds.add(kind(content))
        if content.get("tools"):
            self.columns.add("tools")
        for turn in [*turns(content), *content.get("rejected", ())]:
            self.turn_keys.update(turn)
            self.media = self.media or not isinstance(turn.get("content", ""), str)
        for verdict in body.get("verdicts", ()):
            if verdict.get("score") is not None:
                self.scores[verdict["by"]] = None
        for name, value in body.get("labels", {}).items():
            if value is not None:
                self.labels.setdefault(name, set()).add(_label_type(value))

    def row(self, id_: str, body: Body) -> dict[str, Any]:
        """One row of the output; every column that `schema` names, and no other."""
        content = body.get("content", {})
        row: dict[str, Any] = {"id": id_, **self._content(content), "answer": body.get("answer")}
        row["scores"] = {v["by"]: v["score"] for v in body.get("verdicts", ()) if v.get("score") is not None} if self.scores else None
        if self.labels:
            row[self._labels] = {name: self._label(name, value) for name, value in body.get("labels", {}).items() if name in self.labels}
        for name in ("fields", "tests"):
            if name in self.columns:
                row[name] = _json(body[name]) if name in body and name == "fields" else body.get(name)
        if "tools" in self.columns:
            row["tools"] = _json(content["tools"]) if content.get("tools") else None
        return {**row, "lineage": _json(body.get("lineage", []))}

    def schema(self) -> pa.Schema:
        import pyarrow as pa

        text, messages = pa.string(), pa.list_(self._message())
        fields: dict[str, pa.DataType] = {"id": text}
        if "preference" in self.kinds or "steps" in self.kinds:
            fields["prompt"] = messages if "preference" in self.kinds else text
        if "preference" in self.kinds:
            fields |= {"chosen": messages, "rejected": messages}
        if "steps" in self.kinds:
            fields |= {"completions": pa.list_(text), "labels": pa.list_(pa.bool_()), "step_scores": pa.list_(pa.float64())}
        if "text" in self.kinds:
            fields["text"] = text
        if not self.kinds or "conversation" in self.kinds:
            fields["messages"] = messages
        fields["answer"] = text
        fields["scores"] = pa.struct([(name, pa.float64()) for name in self.scores]) if self.scores else pa.null()
        if self.labels:
            fields[self._labels] = pa.struct([(name, _arrow(types)) for name, types in self.labels.items()])
        fields |= {name: text for name in ("tests", "tools", "fields") if name in self.columns}
        return pa.schema([*fields.items(), ("lineage", text)])

    @property
    def _labels(self) -> str:
        """`labels`, unless scored steps need that name for their own (as trainers of process rewards expect)."""
        return "record_labels" if "steps" in self.kinds else "labels"

    def _message(self) -> pa.DataType:
        import pyarrow as pa

        part = pa.struct([(name, pa.string()) for name in ("type", "text", "url", "sha256")])
        fields = [("role", pa.string()), ("content", pa.list_(part) if self.media else pa.string())]
        call = pa.struct([("id", pa.string()), ("name", pa.string()), ("arguments", pa.string())])
        for name in EXTRAS:
            if name in self.turn_keys and (name != "reasoning" or self.reasoning == "field"):
                fields.append((name, pa.list_(call) if name == "tool_calls" else pa.string()))
        return pa.struct(fields)

    def _content(self, content: Body) -> dict[str, Any]:
        match kind(content):
            case "preference":
                return {name: self._turns(content.get(name, ())) for name in ("prompt", "chosen", "rejected")}
            case "steps":
                prompt, steps = content.get("prompt", ()), content["steps"]
                return {
                    "prompt": self._turns(prompt)
                    if "preference" in self.kinds
                    else "\n\n".join(plain(t.get("content", "")) for t in prompt),
                    "completions": [step.get("text", "") for step in steps],
                    "labels": [step.get("label") for step in steps],
                    "step_scores": [step.get("score") for step in steps],
                }
            case "text":
                return {"text": content["text"]}
        return {"messages": self._turns(content.get("messages", ()))}

    def _turns(self, messages: Sequence[Body]) -> list[dict[str, Any]]:
        return [self._turn(message) for message in messages]

    def _turn(self, message: Body) -> dict[str, Any]:
        content, reasoning = message.get("content", ""), message.get("reasoning")
        if reasoning is not None and self.reasoning == "inline":
            block = f"{think.OPEN}\n{reasoning}\n{think.CLOSE}\n\n"
            content = block + content if isinstance(content, str) else [{"type": "text", "text": block}, *content]
        if self.media and isinstance(content, str):
            content = [{"type": "text", "text": content}] if content else []
        turn = {"role": message["role"], "content": content}
        for name in EXTRAS:
            if name in self.turn_keys and (name != "reasoning" or self.reasoning == "field"):
                turn[name] = _calls(message) if name == "tool_calls" else message.get(name)
        return turn

    def _label(self, name: str, value: Any) -> Any:
        types = self.labels[name]
        if value is None or types == {int} or types == {bool}:
            return value
        if types <= {int, float}:
            return float(value)
        return value if isinstance(value, str) else _json(value)


def _calls(message: Body) -> list[dict[str, str]] | None:
    calls = message.get("tool_calls")
    return calls and [{"id": call.get("id", ""), "name": call["name"], "arguments": call.get("arguments", "{}")} for call in calls]


def refused_schema() -> pa.Schema:
    import pyarrow as pa

    turn = pa.struct([("role", pa.string()), ("content", pa.string()), ("reasoning", pa.string())])
    names = ("id", "stage", "strategy", "filter", "reason", "score", "messages", "answer", "raw", "content", "verdicts", "lineage")
    types = {"stage": pa.int32(), "score": pa.float64(), "messages": pa.list_(turn)}
    return pa.schema([(name, types.get(name, pa.string())) for name in names])


def failed_schema() -> pa.Schema:
    import pyarrow as pa

    turn = pa.struct([("role", pa.string()), ("content", pa.string()), ("reasoning", pa.string())])
    names = ("id", "stage", "strategy", "error", "reason", "message", "raw", "messages", "lineage")
    types = {"stage": pa.int32(), "messages": pa.list_(turn)}
    return pa.schema([(name, types.get(name, pa.string())) for name in names])


def refused_row(settled: Any, body: Body, note: Any) -> dict[str, Any]:
    """A refused candidate (a row of the ledger); `content` is there where `messages` cannot hold all of it.

    Where a strategy refused before there was a record, `messages` are those of its seed and `raw` holds the replies.
    """
    content = body.get("content", {})
    messages = turns(content)
    whole = kind(content) == "conversation" and not content.get("tools") and all(_simple(m) for m in messages)
    return {
        "id": settled.id,
        "stage": settled.stage,
        "strategy": settled.strategy,
        "filter": settled.filter,
        "reason": settled.reason,
        "score": settled.score if settled.score is not None and math.isfinite(settled.score) else None,
        "messages": _flat(messages),
        "answer": body.get("answer"),
        "raw": _json(note["replies"]) if isinstance(note, dict) and note.get("replies") else None,
        "content": None if whole else _json(content),
        "verdicts": _json(body.get("verdicts", [])),
        "lineage": _json(body.get("lineage", [])),
    }


def failed_row(settled: Any, body: Body, note: Any) -> dict[str, Any]:
    """A failed candidate: `messages` are those of the seed that it started from."""
    note = note if isinstance(note, dict) else {"message": note}
    return {
        "id": settled.id,
        "stage": settled.stage,
        "strategy": settled.strategy,
        "error": settled.filter,
        "reason": settled.reason,
        "message": _string(note.get("message")),
        "raw": _string(note.get("raw") or note.get("replies")),
        "messages": _flat(turns(body.get("content", {}))),
        "lineage": _json(body.get("lineage", [])),
    }


def _flat(messages: Sequence[Body]) -> list[dict[str, Any]]:
    return [{"role": m.get("role"), "content": plain(m.get("content", "")), "reasoning": m.get("reasoning")} for m in messages]


def _simple(message: Body) -> bool:
    return message.keys() <= {"role", "content", "reasoning"} and isinstance(message.get("content", ""), str)


def _string(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _finite(text: str) -> float | None:
    return value if math.isfinite(value := float(text)) else None


def _label_type(value: Any) -> type:
    return float if type(value) is int and abs(value) > INT64 else type(value)


def _arrow(types: set[type]) -> pa.DataType:
    import pyarrow as pa

    if types == {int, float}:
        return pa.float64()
    simple = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    return simple.get(next(iter(types)), pa.string()) if len(types) == 1 else pa.string()
