"""What a call is to vLLM: prompt ids and sampling parameters out of a frame, an answer out of its outputs.

Part of the process of `_vllm_host.py`; nothing of ours can be imported here.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

_CONTROL = ("<|", "<｜", "<s>", "<bos>", "[INST]")
"""A text that opens with one already has what its template wants: no BOS is put before it."""
_RAW_DEFAULT = 16
"""Tokens of a raw completion where nobody says: as vLLM's server has it."""
_TEMPLATE = ("chat_template_kwargs", "reasoning_effort", "add_generation_prompt", "continue_final_message", "model")
"""Fields that are not for the sampler."""


class Refused(Exception):
    """This call cannot be answered as it stands."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class GivenUp(Exception):
    """By vLLM; asking again may help."""


class Asks:
    """Answers calls with one engine."""

    def __init__(self, engine: Any, settings: dict[str, Any]) -> None:
        from vllm.lora.request import LoRARequest

        self.engine = engine
        self.tokenizer = engine.get_tokenizer()
        self.context = int(engine.model_config.max_model_len)
        self.defaults: dict[str, Any] = dict(engine.model_config.get_diff_sampling_param())
        self.lora = {name: LoRARequest(name, at, path) for at, (name, path) in enumerate(settings["lora"].items(), start=1)}
        self.adapter, self.task, self.served = settings["adapter"], settings["task"], settings["served"]
        self.parser = self._parser_class(settings["tool_parser"])

    def about(self) -> dict[str, Any]:
        import vllm

        template = getattr(self.tokenizer, "chat_template", None) or ""
        return {
            "context": self.context,
            "version": vllm.__version__,
            "template": template if isinstance(template, str) else json.dumps(template),
        }

    async def answer(self, frame: dict[str, Any], name: str) -> dict[str, Any]:
        kind = frame["kind"]
        if kind == "tokenize":
            return {"ids": self._text(frame["text"], special=False) if "text" in frame else self._chat(frame)}
        if kind == "embed":
            prompts = [self._text(text, special=True) for text in frame["texts"]]
            return await self._pooled(prompts, name, "embed", None)
        if kind == "score":
            prompts = [self._chat({"messages": messages, "open": False}) for messages in frame["chats"]]
            return await self._pooled(prompts, name, "classify", False)
        return await self._generated(frame, name)

    async def _generated(self, frame: dict[str, Any], name: str) -> dict[str, Any]:
        fields, prompt = frame["fields"], frame.get("prompt") or []
        ids: list[int] = prompt
        if frame["kind"] == "chat":
            ids = self._chat(frame)
        elif isinstance(prompt, str):
            ids = self._text(prompt, special=not prompt.startswith(_CONTROL))
        if not ids:
            raise Refused("rejected", "the prompt has no tokens")
        params = self._params(frame, len(ids))
        last = await _last(self.engine.generate(_prompt(ids), params, name, lora_request=self._adapter(fields.get("model"))))
        if frame["kind"] == "prompt_logprobs":
            values = [None, *(_finite(row[token].logprob) for token, row in zip(ids[1:], last.prompt_logprobs[1:], strict=True))]
            return {"replies": [{"text": "", "finish_reason": "stop", "prompt": len(ids), "made": 0, "ids": ids, "logprobs": values}]}
        outputs = sorted(last.outputs, key=lambda output: output.index)
        replies = [self._reply(output, frame) for output in outputs]
        replies[0] |= {"prompt": len(ids), "cached": last.num_cached_tokens or 0}
        return {"replies": replies}

    def _reply(self, output: Any, frame: dict[str, Any]) -> dict[str, Any]:
        if output.finish_reason in ("abort", "error", None):
            raise GivenUp(f"vLLM gave this call up ({output.finish_reason})")
        made: dict[str, Any] = {"text": output.text, "finish_reason": output.finish_reason, "made": len(output.token_ids)}
        if frame.get("logprobs"):
            made["ids"] = list(output.token_ids)
            made["logprobs"] = [_finite(row[token].logprob) for token, row in zip(output.token_ids, output.logprobs, strict=True)]
        if frame.get("tools") and (calls := self._calls(made["text"], frame)) is not None:
            made |= calls
        return made

    def _params(self, frame: dict[str, Any], length: int) -> Any:
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

        if frame["kind"] == "prompt_logprobs":
            return SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=0, output_kind=RequestOutputKind.FINAL_ONLY)
        given = {**self.defaults, **{name: value for name, value in frame["fields"].items() if name not in _TEMPLATE}}
        given["max_tokens"] = self._room(frame, length)
        given |= {"n": frame["n"], "seed": frame["seed"], "output_kind": RequestOutputKind.FINAL_ONLY}
        if frame.get("logprobs"):
            given["logprobs"] = 0
        if frame.get("schema") is not None:
            given["structured_outputs"] = StructuredOutputsParams(json=frame["schema"])
        elif isinstance(given.get("structured_outputs"), dict):
            given["structured_outputs"] = StructuredOutputsParams(**given["structured_outputs"])
        if frame.get("tools"):  # models have tokens of their own for calls, which the parser wants to see
            given.setdefault("skip_special_tokens", False)
        if unknown := sorted(set(given) - set(SamplingParams.__struct_fields__)):
            raise Refused("rejected", f"vLLM's sampler knows no {', '.join(unknown)}")
        return SamplingParams(**given)

    def _room(self, frame: dict[str, Any], length: int) -> int:
        """`max_tokens`; where it is left out, what a chat has room for, at most what the model's own configuration says."""
        room, asked = self.context - length, frame["fields"].get("max_tokens")
        if room < 1 or (asked or 0) > room:
            raise Refused(
                "context_length", f"the prompt has {length} tokens, {asked or 1} more are asked for, and the context holds {self.context}"
            )
        if asked is not None:
            return int(asked)
        most = self.defaults.get("max_tokens") or room
        return min(room, most) if frame["kind"] == "chat" or frame["auto"] else min(room, _RAW_DEFAULT)

    def _adapter(self, wanted: Any) -> Any:
        name = wanted or self.adapter
        if name is None or (name == self.served and name not in self.lora):
            return None
        if name not in self.lora:
            raise Refused("rejected", f"there is no model {name!r}; there are: {', '.join([self.served, *self.lora])}")
        return self.lora[name]

    async def _pooled(self, prompts: list[list[int]], name: str, task: str, activation: bool | None) -> dict[str, Any]:
        from vllm.pooling_params import PoolingParams

        async def one(at: int, ids: list[int]) -> list[float]:
            if not 0 < len(ids) <= self.context:
                raise Refused("context_length", f"a text has {len(ids)} tokens, and the context holds {self.context}")
            params = PoolingParams(task=task, use_activation=activation)
            last = await _last(self.engine.encode(_prompt(ids), params, f"{name}-{at}", lora_request=self._adapter(None)))
            row: list[float] = last.outputs.data.float().flatten().tolist()
            return row

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(at, ids)) for at, ids in enumerate(prompts)]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        rows = [task.result() for task in tasks]
        if not all(math.isfinite(value) for row in rows for value in row):
            raise Refused("bad_number", "the model gave a value that is no finite number")
        return {"rows": rows, "tokens": [len(ids) for ids in prompts]}

    def _text(self, text: str, *, special: bool) -> list[int]:
        try:
            ids: list[int] = self.tokenizer(text, add_special_tokens=special)["input_ids"]
        except Exception as error:  # lone surrogates
            raise Refused("rejected", f"the text cannot be tokenized: {type(error).__name__}: {error}") from error
        return list(ids)

    def _chat(self, frame: dict[str, Any]) -> list[int]:
        """Ids of a chat, as the tokenizer's template writes it; no BOS beside the template's own."""
        fields = frame.get("fields") or {}
        told = {name: fields[name] for name in ("reasoning_effort", "continue_final_message") if name in fields}
        told |= fields.get("chat_template_kwargs") or {}
        told.setdefault("add_generation_prompt", fields.get("add_generation_prompt", frame.get("open", True)))
        try:
            turns = [_turn(message) for message in frame["messages"]]
            text = self.tokenizer.apply_chat_template(turns, tools=frame.get("tools") or None, tokenize=False, **told)
        except Refused:
            raise
        except Exception as error:  # a template may raise anything for turns that it does not know
            raise Refused("rejected", f"the model's chat template cannot render this: {type(error).__name__}: {error}") from error
        return self._text(text, special=False)

    def _parser_class(self, name: str | None) -> Any:
        if name is None:
            return None
        try:
            from vllm.tool_parsers import ToolParserManager
        except ImportError:  # before 0.13
            from vllm.entrypoints.openai.tool_parsers import ToolParserManager
        return ToolParserManager.get_tool_parser(name)

    def _calls(self, text: str, frame: dict[str, Any]) -> dict[str, Any] | None:
        """Text and calls apart, as vLLM's own parser reads them; None where it finds no call."""
        from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest

        asked = ChatCompletionRequest(model=self.served, messages=[{"role": "user", "content": ""}], tools=frame["tools"])
        read = self.parser(self.tokenizer, asked.tools).extract_tool_calls(text, request=asked)
        if not read.tools_called:
            return None
        calls = [{"id": call.id, "name": call.function.name, "arguments": call.function.arguments} for call in read.tool_calls]
        return {"text": read.content or "", "tool_calls": calls, "finish_reason": "tool_calls"}

    def told(self, error: Exception, frame: dict[str, Any]) -> dict[str, Any]:
        """An error as the other side reads it. (Of a schema that it cannot follow, xgrammar says so with a RuntimeError.)"""
        if isinstance(error, Refused):
            return {"error": error.reason, "message": str(error)}
        cause = error.__cause__ or error
        name = type(cause).__name__
        theirs = isinstance(cause, ValueError | TypeError) or name in ("VLLMValidationError", "VLLMNotFoundError", "VLLMClientError")
        theirs |= frame.get("schema") is not None and isinstance(cause, RuntimeError)
        return {"error": "rejected" if theirs else "fault", "message": f"{name}: {str(cause)[:2000]}"}


def _prompt(ids: list[int]) -> Any:
    """Ready for the engine: nothing is tokenized, nothing is put before it."""
    return {"type": "token", "prompt_token_ids": ids}


async def _last(outputs: Any) -> Any:
    found = None
    async for output in outputs:
        found = output
    return found


def _turn(message: dict[str, Any]) -> dict[str, Any]:
    """A message as templates want it: text as one string, arguments of calls as objects."""
    turn, content = dict(message), message.get("content")
    if isinstance(content, list):
        if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            raise Refused("rejected", "only text can be sent to `vllm`: serve a model that sees pictures, and use `http`")
        turn["content"] = "".join(str(part.get("text") or "") for part in content)
    elif content is not None and not isinstance(content, str):
        raise Refused("rejected", f"the content of a message is no text but {type(content).__name__}")
    if calls := message.get("tool_calls"):
        turn["tool_calls"] = [_call(call) for call in calls]
    return turn


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = dict(call["function"])
    if isinstance(function.get("arguments"), str):
        function["arguments"] = json.loads(function["arguments"] or "{}")
    return {**call, "function": function}


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise Refused("bad_number", "a log-probability is no finite number")
    return float(value)
