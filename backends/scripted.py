"""The shipped test double: a model that answers from a script, the same way every time, and fails by plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import blake2b
from pathlib import Path
from typing import ClassVar, Literal

import orjson
from pydantic import Field, PrivateAttr, field_validator

from ..core.backend import Backend, Capability, Reply, Request
from ..core.endpoint import Endpoint
from ..core.errors import RecipeError, Rejected
from ..core.frozen import Frozen
from ._scripted_backend import Function, ScriptedBackend, check_fault, fault, question, said_by


class Rule(Frozen):
    """An answer, or a fault, for prompts that hold `match`."""

    match: str
    """A substring of the prompt (of the last user turn, for a chat); `""` matches everything."""
    reply: str = ""
    fault: str = ""
    """Instead of an answer, every time: the name of a fault (`rejected` makes a poison prompt)."""

    @field_validator("fault")
    @classmethod
    def _known(cls, name: str) -> str:
        return check_fault(name) if name else name


class Scripted(Endpoint):
    """A deterministic stand-in for a model. The first matching rule answers, then `file`, then `mode`.

    Without rules, file and mode it echoes. A prompt that a script without a mode does not know is `rejected`.
    Tokens are UTF-8 bytes. In Python, `function` answers instead, and `attempts_by_key` and `calls` count per key
    (`key(request, seed)`) what was tried and what was answered, over all connections of this endpoint.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            "chat",
            "complete",
            "token_ids",
            "prompt_logprobs",
            "logprobs",
            "embed",
            "score",
            "steps",
            "json_schema",
            "tools",
            "n",
            "seed",
            "template",
        }
    )

    name: str = "scripted"
    script: tuple[Rule, ...] = ()
    file: str = ""
    """A JSONL file of {"prompt", "reply"}: whole prompts and their answers."""
    mode: Literal["echo", "upper", "digest", "think"] | None = None
    """`echo` the prompt, in `upper` case, a `digest` of prompt and seed, or `think` (a closed thinking block, then a boxed number)."""
    faults: Mapping[str, float] = {}
    """Shares of attempts that fail, by fault; drawn for each attempt anew, so that a retry meets a new fate."""
    fault_seed: int = 0
    latency_s: float = Field(default=0, ge=0)
    """Seconds an answer takes on average: between half and one and a half of it, the same for the same request."""
    can: tuple[Capability, ...] | None = None
    """What the open backend says it can do, where that is to be less than everything."""
    dimensions: int = Field(default=16, ge=1)
    """Of embeddings."""
    function: Function | None = Field(default=None, exclude=True)
    """Python only: answers instead of the script; no part of dumps, so give another `name` for another function."""

    _calls: Counter[str] = PrivateAttr(default_factory=Counter)
    _tried: Counter[str] = PrivateAttr(default_factory=Counter)

    @field_validator("faults")
    @classmethod
    def _shares(cls, faults: Mapping[str, float]) -> Mapping[str, float]:
        for name in faults:
            check_fault(name)
        if any(share < 0 for share in faults.values()) or sum(faults.values()) > 1 + 1e-9:
            raise ValueError("faults are shares of attempts: each at least 0, together at most 1")
        return faults

    @property
    def calls(self) -> Counter[str]:
        """Answers given, by key."""
        return self._calls

    @property
    def attempts_by_key(self) -> Counter[str]:
        """Requests made, by key."""
        return self._tried

    def open(self) -> AbstractAsyncContextManager[Backend]:
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Backend]:
        yield ScriptedBackend(
            name=self.name,
            answer=self.function or self._answer(),
            capabilities=self.capabilities if self.can is None else frozenset(self.can),
            faults=self.faults,
            fault_seed=self.fault_seed,
            latency_s=self.latency_s,
            dimensions=self.dimensions,
            context=self.context_length or 8192,
            calls=self._calls,
            tried=self._tried,
        )

    def who(self) -> str:
        """The name with a hash of the script, so that another script shares no stored answers."""
        said = orjson.dumps([[rule.match, rule.reply, rule.fault] for rule in self.script] + [self.mode, self._lines()])
        return f"{self.name}@{blake2b(said, digest_size=6).hexdigest()}"

    def _answer(self) -> Function:
        """The script as a function."""
        lines = dict(self._lines())
        mode = self.mode or (None if self.script or self.file else "echo")

        def answer(request: Request, seed: int | None) -> str | Reply:
            prompt = question(request)
            for rule in self.script:
                if rule.match in prompt:
                    if rule.fault:
                        raise fault(rule.fault)
                    return rule.reply
            if prompt in lines:
                return lines[prompt]
            if mode is None:
                raise Rejected(f"the script holds no answer to {prompt[:80]!r}", reason="rejected")
            return said_by(mode, prompt, seed)

        return answer

    def _lines(self) -> list[tuple[str, str]]:
        """Prompts and replies of `file`. Raises RecipeError."""
        if not self.file:
            return []
        try:
            rows = [orjson.loads(line) for line in Path(self.file).read_bytes().split(b"\n") if line.strip()]
            return [(str(row["prompt"]), str(row["reply"])) for row in rows]
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise RecipeError(f"the script {self.file} must hold one object with `prompt` and `reply` a line: {error!r}") from error
