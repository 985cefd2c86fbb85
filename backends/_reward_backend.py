"""The connection behind `use: reward_server`: conversations out, raw scores in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yarl import URL

from ..core.backend import Capability, Reply, Request
from ..core.errors import BackendFatal, CallError, RecipeError, Refused, Rejected
from ._http_backend import HttpBackend
from ._openai_shape import bad
from ._reward_wire import CHAT, PAIRS, PATHS, RAW_FIELDS, Protocol, chances, pairs_body, read_scores, read_steps, shared_out, texts_body

if TYPE_CHECKING:
    from .reward_server import RewardServer

_WHAT = "write `protocol` and `name`, or start the server"


class RewardBackend(HttpBackend):
    """One session with one scoring server; `find` tells which protocol it speaks where the recipe does not."""

    def __init__(self, endpoint: RewardServer, *, render: Callable[..., str], key: str) -> None:
        root = endpoint.url.removesuffix("/v1")
        super().__init__(endpoint, url=f"{root}/v1", name=endpoint.name, key=key, key_name=endpoint.api_key_env or "")
        self._urls |= {path: URL(root + path) for path in (*PATHS.values(), "/info")}
        self._label, self._render = endpoint.label, render
        self._protocol: Protocol | None = None if endpoint.protocol == "auto" else endpoint.protocol
        self._raw: asyncio.Future[Mapping[str, Any]] | None = None
        self._old_names = False
        self._tags: dict[str, int] = {}

    async def find(self) -> tuple[Protocol, str]:
        """The protocol and the model's name, asked of the server. Raises BackendFatal."""
        try:
            told = await self._look()
            info = {} if told.server else await self._aside("/info")
        except CallError as error:
            raise BackendFatal(f"{self._url} cannot tell what it serves: {error}; {_WHAT}") from error
        if not self._name and len(told.models) == 1:
            self._name = told.models[0]
        kind = info.get("model_type")
        if isinstance(kind, dict):
            self._name = self._name or str(info.get("model_id") or "")
            found: Protocol | None = "tei_predict" if "classifier" in kind else "tei_rerank" if "reranker" in kind else None
        else:
            found = {"vllm": "vllm_classify", "sglang": "sglang_classify"}.get(told.server)  # type: ignore[assignment]
        self._protocol = self._protocol or found
        if self._protocol is None:
            raise BackendFatal(f"{self._url} is not known to be vLLM, SGLang or TEI with a scoring model; {_WHAT}")
        if not self._name:
            raise BackendFatal(f"{self._url} serves {len(told.models)} models: {', '.join(told.models[:20])}; {_WHAT}")
        if self._protocol not in CHAT:
            self.capabilities = frozenset[Capability]({"score"})
        return self._protocol, self._name

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        if not requests:
            return []
        protocol = self._protocol or (await self.find())[0]
        if requests[0].kind == "steps":
            return list(await asyncio.gather(*map(self._steps, requests)))
        if protocol in CHAT:
            return list(await asyncio.gather(*(self._chat(protocol, request) for request in requests)))
        if protocol in PAIRS:
            return await self._pairs(protocol, requests)
        texts = [self._text(request.messages) for request in requests]
        return await self._many(protocol, texts_body(protocol, texts, self._name), len(texts))

    async def _chat(self, protocol: Protocol, request: Request) -> Reply:
        body: dict[str, Any] = {"model": self._name, "messages": request.messages}
        if protocol == "vllm_pooling":
            body["task"] = "classify"
        return (await self._many(protocol, body, 1))[0]

    async def _pairs(self, protocol: Protocol, requests: Sequence[Request]) -> list[Reply]:
        """In the order asked; a reranker takes the answers to one question a call."""
        prompts = [self._text(request.messages[:-1]) for request in requests]
        answers = [self._text(request.messages[-1:]) for request in requests]
        if protocol == "vllm_score":
            return await self._scored_pairs(prompts, answers)
        groups: dict[str, list[int]] = {}
        for at, prompt in enumerate(prompts):
            groups.setdefault(prompt, []).append(at)
        bodies = [pairs_body(protocol, [prompt], [answers[at] for at in group], self._name, False) for prompt, group in groups.items()]
        ranked = await asyncio.gather(*(self._many(protocol, body, len(body["texts"])) for body in bodies))
        found = {
            at: reply for group, replies in zip(groups.values(), ranked, strict=True) for at, reply in zip(group, replies, strict=True)
        }
        return [found[at] for at in range(len(requests))]

    async def _scored_pairs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Reply]:
        try:
            return await self._many("vllm_score", pairs_body("vllm_score", prompts, answers, self._name, self._old_names), len(answers))
        except Rejected as error:
            if self._old_names or "text_1" not in str(error):
                raise
        self._old_names = True  # a vLLM of before the names changed
        return await self._scored_pairs(prompts, answers)

    async def _many(self, protocol: Protocol, body: dict[str, Any], count: int) -> list[Reply]:
        fields: Mapping[str, Any] = {}
        if protocol.startswith(("vllm", "v1")):
            if self._raw is None or (self._raw.done() and (self._raw.cancelled() or self._raw.exception())):
                self._raw = asyncio.ensure_future(self._find_raw(protocol, body, count))
            fields = await asyncio.shield(self._raw)
        answer = await self._post(PATHS[protocol], {**body, **fields})
        rows, usage = read_scores(protocol, answer, count, self._label)
        usages = shared_out(usage, count)
        return [Reply(values=row, usage=each, model=self._name) for row, each in zip(rows, usages, strict=True)]

    async def _find_raw(self, protocol: Protocol, body: dict[str, Any], count: int) -> Mapping[str, Any]:
        """The field that makes the server leave a score as the model gave it.

        A score outside of 0 to 1 was not squashed. One inside may have been, by a server that does not know the field:
        then the other spellings are tried, and the one that makes a difference is taken.
        """

        async def first(fields: Mapping[str, Any]) -> float:
            return read_scores(protocol, await self._post(PATHS[protocol], {**body, **fields}), count, self._label)[0][0][0]

        newest = RAW_FIELDS[0]
        raw = await first(newest)
        if not 0 <= raw <= 1:
            return newest
        plain = await first({})
        for fields in RAW_FIELDS:
            if (raw if fields is newest else await first(fields)) != plain:
                return fields
        if plain == 1.0:
            advice = "use `protocol: sglang_classify`" if protocol == "v1_classify" else "update it, or use another `protocol`"
            raise BackendFatal(f"{self._url} squashes every score to 1 (a softmax over one label) and cannot be told not to: {advice}")
        return newest

    async def _steps(self, request: Request) -> Reply:
        """How likely each step is good, read where its tag stands."""
        if self._protocol not in CHAT:
            raise BackendFatal(f"{self._url} does not score steps: only vLLM does (`protocol: vllm_pooling`)")
        body = {"model": self._name, "messages": request.messages, "task": "token_classify", "use_activation": True}
        answer = await self._post("/pooling", body)
        rows, usage = read_steps(answer)
        last = request.messages[-1].get("content") if request.messages else ""
        count = str(last).count(request.step_tag)
        if len(rows) != count:
            tag, ids = await self._tag(request.step_tag), await self.tokenize(request.messages, add_generation_prompt=False)
            if len(ids) != len(rows) or ids.count(tag) < count:
                raise bad("wrong_n", f"{len(rows)} rows for {count} steps and {len(ids)} tokens", answer)
            rows = [row for row, token in zip(rows, ids, strict=True) if token == tag]
            rows = rows[len(rows) - count :]  # what stands before are tags of the turns before
        return Reply(values=chances(rows, self._label), usage=usage, model=self._name)

    async def _tag(self, text: str) -> int:
        """The token of a step tag. Raises BackendFatal where it is no single one."""
        if text not in self._tags:
            ids = await self.tokenize(text)
            if len(ids) != 1:
                raise BackendFatal(
                    f"the step tag {text!r} is {len(ids)} tokens of {self._name}: a process reward model has one token for it (`step_tag`)"
                )
            self._tags[text] = ids[0]
        return self._tags[text]

    def _text(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Turns as one text; the server has no template for them, or is not asked to use it. Raises Rejected."""
        turns = [{"role": str(message.get("role")), "content": _plain(message.get("content"))} for message in messages]
        if len(turns) == 1 and self._protocol in PAIRS:
            return turns[0]["content"]
        try:
            return self._render(messages=turns)
        except (Refused, RecipeError) as error:
            raise Rejected(f"the template cannot render the conversation: {error}") from error


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in content or () if isinstance(part, dict))
