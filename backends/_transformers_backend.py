"""The model behind `use: transformers_reward`: loaded once, computed on a thread, one batch at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from ..core.backend import Capability, Probe, Reply, Request, Usage, Vector
from ..core.errors import BackendFatal, BadResponse, RecipeError, Rejected

if TYPE_CHECKING:
    from .transformers_reward import TransformersReward

_MISSING = "`transformers_reward` needs torch and transformers: pip install 'datalchemy[transformers]'"


class TransformersBackend:
    """A Backend that scores and does nothing else."""

    def __init__(self, endpoint: TransformersReward) -> None:
        self.capabilities: frozenset[Capability] = endpoint.capabilities
        self._endpoint = endpoint
        self._thread = ThreadPoolExecutor(1, "reward-model")
        """One thread: torch itself uses all cores."""
        self._model: Any = None
        self._tokenizer: Any = None
        self._longest = 0

    async def __aenter__(self) -> Self:
        try:
            await self._on_thread(self._load)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._model = self._tokenizer = None

    async def _on_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _load(self) -> None:
        """Raises RecipeError."""
        try:
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise RecipeError(f"{_MISSING} ({error})") from error
        told = self._endpoint
        common = {"revision": told.revision, "local_files_only": told.offline, "trust_remote_code": False}
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(told.path, **common)
            dtype = told.dtype if told.dtype == "auto" else getattr(torch, told.dtype)
            self._model = AutoModelForSequenceClassification.from_pretrained(told.path, dtype=dtype, **common).eval()
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise RecipeError(f"the reward model {told.path!r} cannot be loaded: {str(error)[:500]}") from error
        if (labels := self._model.config.num_labels) != 1:
            raise RecipeError(f"{told.path!r} has {labels} labels; a reward model has one")
        if not getattr(self._tokenizer, "chat_template", None):
            raise RecipeError(f"the tokenizer of {told.path!r} has no chat template, so nobody knows how it wants a conversation written")
        if self._model.config.pad_token_id is None:  # without it the last token of a padded batch is not found
            self._model.config.pad_token_id = self._tokenizer.pad_token_id or self._tokenizer.eos_token_id
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        device = ("cuda" if torch.cuda.is_available() else "cpu") if told.device == "auto" else told.device
        self._model.to(device)
        self._longest = int(told.context_length or getattr(self._model.config, "max_position_embeddings", 0) or 0)

    async def score(self, requests: Sequence[Request]) -> list[Reply]:
        if any(request.kind != "score" for request in requests):
            raise BackendFatal("`transformers_reward` scores whole conversations, not steps (`reward_server` does)")
        replies: list[Reply] = await self._on_thread(self._scored, requests) if requests else []
        return replies

    def _scored(self, requests: Sequence[Request]) -> list[Reply]:
        """On the thread. Raises Rejected for a conversation that does not fit, BadResponse for a logit that is none."""
        import torch

        ids = [self._ids(request.messages) for request in requests]
        batch = self._tokenizer.pad({"input_ids": ids}, padding=True, return_tensors="pt").to(self._model.device)
        try:
            with torch.inference_mode():
                logits = self._model(**batch).logits[:, 0].float().tolist()
        except torch.OutOfMemoryError as error:
            raise Rejected(f"no memory for {len(ids)} conversations of up to {max(map(len, ids))} tokens: lower `max_batch`") from error
        if not all(value == value and abs(value) != float("inf") for value in logits):
            raise BadResponse("bad_number: the model gave a score that is no finite number", reason="bad_number", retryable=False)
        return [
            Reply(values=(value,), usage=Usage(prompt_tokens=len(one)), model=self._endpoint.who())
            for value, one in zip(logits, ids, strict=True)
        ]

    def _ids(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Token ids of a conversation; nothing is cut off: half an answer has another worth."""
        try:
            text = self._tokenizer.apply_chat_template([dict(message) for message in messages], tokenize=False)
            ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        except Exception as error:  # a template may raise anything for turns that it does not know
            raise Rejected(f"the model's chat template cannot render the conversation: {type(error).__name__}: {error}") from error
        bos = self._tokenizer.bos_token_id
        if bos is not None:
            start = next((at for at, token in enumerate(ids) if token != bos), len(ids))
            ids = ids[max(0, start - 1) :]
        if not ids or (self._longest and len(ids) > self._longest):
            raise Rejected(f"the conversation has {len(ids)} tokens; the model takes {self._longest}")
        return ids

    async def send(self, request: Request, *, seed: int | None, n: int = 1) -> list[Reply]:
        raise BackendFatal("`transformers_reward` writes no text: it lacks the capability `chat`")

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        raise BackendFatal("`transformers_reward` lacks the capability `embed`")

    async def tokenize(self, messages: Sequence[Mapping[str, Any]] | str, *, add_generation_prompt: bool = True) -> list[int]:
        raise BackendFatal("`transformers_reward` lacks the capability `template`")

    async def probe(self) -> Probe:
        return Probe(reachable=True, models=(self._endpoint.who(),), context=self._longest or None, server="transformers")
