"""What the stub server answers, and when it fails: all of it a pure function of the prompt and the options."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import Any, NamedTuple

import orjson

TOKENS = (50, 150)

_VOCABULARY = re.findall(
    r"\w+",
    "the a one some many water stone river light field road house garden winter summer morning evening quiet early small large "
    "old new plain warm cold open long short north south with under over beside before after while because and but so "
    "then here there turns keeps holds makes finds gives takes leaves opens closes follows carries measures counts answers ",
)
_SIZE = 4096
_WORDS = random.Random(20).choices(_VOCABULARY, k=_SIZE + 8192)
_TEXT = " ".join(_WORDS)
_STARTS = list(accumulate((len(word) + 1 for word in _WORDS), initial=0))

SAMPLED = ("ok", "length", "cut", "badjson", "html", "empty", "null", "nan", "wrongn")
"""Fates that first take a slot for the time of an answer; the others come at once."""
STUCK = ("slow", "drip", "huge")
"""Fates that never end by themselves."""
ANSWERED = ("ok", "length")
"""Fates that are an answer one pays for and keeps."""


class Asked(NamedTuple):
    """One request, as far as the stub cares."""

    text: str
    """Contents of all messages joined by blank lines (one message: its content); a raw prompt; token ids joined by spaces."""
    last: str
    """The last user message, or the text."""
    seed: Any
    n: int
    chat: bool


def asked(body: Mapping[str, Any], chat: bool) -> Asked:
    """Raises ValueError where a server would say 400."""
    if body.get("stream"):
        raise ValueError("the stub does not stream")
    n = body.get("n") or 1
    seed = body.get("seed")
    if not chat:
        prompt = body["prompt"]
        text = prompt if isinstance(prompt, str) else " ".join(str(int(token)) for token in prompt)
        return Asked(text, text, seed, n, chat)
    messages = body["messages"]
    if not messages:
        raise ValueError("messages is empty")
    if len(messages) == 1:
        text = plain(messages[0].get("content"))
        return Asked(text, text, seed, n, chat)
    texts = [plain(m.get("content")) for m in messages]
    last = next((t for m, t in zip(reversed(messages), reversed(texts), strict=True) if m.get("role") == "user"), texts[-1])
    return Asked("\n\n".join(texts), last, seed, n, chat)


def plain(content: Any) -> str:
    """Text of a message's content: a string, absent, or a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())


def digest(text: str) -> bytes:
    """16 bytes. A lone surrogate is hashed, not refused."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def length(mark: bytes, tokens: tuple[int, int] = TOKENS) -> int:
    """Tokens (words) of the answer to the prompt with this digest: even between the two bounds, both included."""
    return tokens[0] + int.from_bytes(mark[:4], "big") % (tokens[1] - tokens[0] + 1)


def expected(prompt: str, *, tokens: tuple[int, int] = TOKENS, sample: int = 0) -> str:
    """The whole answer to a prompt (see `Asked.text`) in plain mode; `sample` numbers the choices of one request."""
    return answer(digest(prompt if sample == 0 else f"{prompt}#{sample}"), tokens)


def answer(mark: bytes, tokens: tuple[int, int] = TOKENS) -> str:
    """ASCII letters, digits and blanks only, so that it needs no escaping in JSON."""
    start = int.from_bytes(mark[4:8], "big") % _SIZE
    return f"{mark.hex()[:16]} {_TEXT[_STARTS[start] : _STARTS[start + length(mark, tokens) - 1] - 1]}"


def number(last_user_message: str) -> int:
    """What the stub calls the right result in reasoning mode: the sum of all whole numbers in the last user message."""
    return sum(int(digits) for digits in re.findall(r"\d{1,15}", last_user_message))


def reasoned(ask: Asked, mark: bytes, tokens: tuple[int, int], sample: int, wrong: float) -> str:
    """Thinking, then the boxed number; off by one for the share `wrong` of (prompt, seed, sample), and worded by seed and sample."""
    own = digest(f"{mark.hex()} {ask.seed} {sample}")
    value = number(ask.last) + (share(own, b"wrong") < wrong)
    return f"<think>\n{answer(own, tokens)}\n</think>\n\n{mark.hex()[:16]}: the answer is \\boxed{{{value}}}."


def key(prompt: str, seed: Any = None) -> str:
    """What the stub takes for one and the same question: 24 hex digits over prompt and `seed` field."""
    return question(digest(prompt), seed)


def question(mark: bytes, seed: Any) -> str:
    return blake2b(mark + repr(seed).encode(), digest_size=12).hexdigest()


def share(mark: bytes, salt: bytes, seed: int = 0) -> float:
    """A number in [0, 1), the same for the same arguments."""
    return int.from_bytes(blake2b(mark + salt, digest_size=7, key=seed.to_bytes(8, "big", signed=True)).digest(), "big") / 2**56


class Voice(NamedTuple):
    """How the stub answers."""

    name: str
    tokens: tuple[int, int]
    reasoning: bool
    wrong: float

    def body(self, ask: Asked, mark: bytes, key: str, number: int) -> bytes:
        """The answer's JSON, put together by hand: nothing in it needs escaping but reasoning's line ends and backslashes."""
        start, end = ('"message":{"role":"assistant","content":"', '"}') if ask.chat else ('"text":"', '"')
        choices = ",".join(
            f'{{"index":{i},{start}{self.words(ask, mark, i)}{end},"logprobs":null,"finish_reason":"stop"}}' for i in range(ask.n)
        )
        prompt, made = len(ask.text) // 4 + 1, length(mark, self.tokens) * ask.n
        kind = "chat.completion" if ask.chat else "text_completion"
        return (
            f'{{"id":"stub-{key}-{number}","object":"{kind}","created":0,"model":"{self.name}","choices":[{choices}],'
            f'"usage":{{"prompt_tokens":{prompt},"completion_tokens":{made},"total_tokens":{prompt + made}}}}}'
        ).encode()

    def words(self, ask: Asked, mark: bytes, sample: int) -> str:
        if self.reasoning:
            return reasoned(ask, mark, self.tokens, sample, self.wrong).replace("\\", "\\\\").replace("\n", "\\n")
        return answer(mark if sample == 0 else digest(f"{ask.text}#{sample}"), self.tokens)


HTML = b"<html><body><h1>Welcome to the captive portal</h1></body></html>"


def spoiled(fate: str, body: bytes) -> bytes:
    """The body of a 200 that is not what was asked for."""
    if fate == "html":
        return HTML
    if fate == "badjson":
        return body[: len(body) // 2]
    if fate == "nan":
        return body.replace(b'"prompt_tokens":', b'"score":NaN,"prompt_tokens":')
    whole = orjson.loads(body)
    choices = whole["choices"]
    if fate == "empty":
        whole["choices"] = []
    elif fate == "wrongn":
        whole["choices"] = choices[:-1] if len(choices) > 1 else choices * 2
    for choice in choices:
        if fate == "length":
            choice["finish_reason"] = "length"
        elif fate == "null" and "message" in choice:
            choice["message"]["content"] = None
        elif fate == "null":
            choice["text"] = None
    return orjson.dumps(whole)


class Plan:
    """Which requests fail, and how: fates are drawn for each prompt and for each of its requests anew."""

    def __init__(self, faults: Mapping[str, float] | str = "", poison: float = 0, script: Sequence[str] | str = (), seed: int = 1) -> None:
        if isinstance(faults, str):
            faults = {name: float(value) for name, _, value in (part.partition("=") for part in faults.split(",") if part)}
        self.script = tuple(part for part in script.split(",") if part) if isinstance(script, str) else tuple(script)
        for name in (*faults, *self.script):
            if name not in (*SAMPLED, *STUCK, "drop") and not (name.isdigit() and 400 <= int(name) < 600):
                raise ValueError(f"no fault named {name!r}: a status from 400 to 599, drop, {', '.join((*SAMPLED, *STUCK))}")
        self.thresholds = list(zip(accumulate(faults.values()), faults, strict=True))
        if self.thresholds and self.thresholds[-1][0] > 1 + 1e-9:
            raise ValueError("the shares of the faults add up to more than 1")
        self.poison, self.seed = poison, seed

    def fate(self, mark: bytes, number: int) -> str:
        """`ok` or the fault of the request with this number (0, 1, ...) for the prompt with this digest."""
        if self.poison and share(mark, b"poison", self.seed) < self.poison:
            return "500"
        if number < len(self.script):
            return self.script[number]
        if not self.thresholds:
            return "ok"
        drawn = share(mark, b"%d" % number, self.seed)
        return next((name for bound, name in self.thresholds if drawn < bound), "ok")

    def least(self, mark: bytes) -> int | None:
        """Requests until the first answer at the least; None for a prompt that never heals (none in 1,000)."""
        if self.poison and share(mark, b"poison", self.seed) < self.poison:
            return None
        return next((number + 1 for number in range(1000) if self.fate(mark, number) in ANSWERED), None)
