"""`use: transformers_reward` where it must say no; its scores are compared with a real model in tests/real/test_vllm_reward.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from datalchemy.backends._transformers_backend import TransformersBackend
from datalchemy.backends.transformers_reward import TransformersReward
from datalchemy.core.backend import Request
from datalchemy.core.errors import BackendFatal, RecipeError, Rejected
from pydantic import ValidationError


async def test_without_transformers_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(RecipeError, match=r"pip install 'datalchemy\[transformers\]'"):
        async with TransformersReward(path="org/model").open():
            pass


def test_importing_it_loads_nothing_heavy(tmp_path: Path) -> None:
    import subprocess

    code = "import sys, datalchemy.backends.transformers_reward; print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]", done.stderr


def test_identity_and_settings() -> None:
    assert TransformersReward(path="org/m").who() == "org/m"
    assert TransformersReward(path="org/m", revision="abc").who() == "org/m@abc"
    assert TransformersReward(path="org/m", max_batch=3).most_items() == 3
    assert TransformersReward.capabilities == {"score"}
    with pytest.raises(ValidationError):
        TransformersReward(path="org/m", trust_remote_code=True)


class Tokenizer:
    """Bytes, with BOS (1) in front of what begins with `<s>`."""

    bos_token_id = 1
    fail = False

    def apply_chat_template(self, messages: list[dict[str, str]], tokenize: bool) -> str:
        if self.fail:
            raise TypeError("roles must alternate")
        return "".join(message["content"] for message in messages)

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        ids = []
        while text.startswith("<s>"):
            ids, text = [*ids, 1], text[3:]
        return {"input_ids": [*ids, *text.encode()]}


def loaded(longest: int = 0) -> TransformersBackend:
    backend = TransformersBackend(TransformersReward(path="m"))
    backend._tokenizer, backend._longest = Tokenizer(), longest
    return backend


def test_trap_one_bos_is_left_of_two() -> None:
    for text, expected in [("ab", [97, 98]), ("<s>ab", [1, 97, 98]), ("<s><s>ab", [1, 97, 98]), ("<s><s><s>", [1])]:
        assert loaded()._ids([{"role": "user", "content": text}]) == expected


def test_what_does_not_fit_or_cannot_be_rendered_is_rejected_not_cut() -> None:
    with pytest.raises(Rejected, match="has 5 tokens; the model takes 4"):
        loaded(4)._ids([{"role": "user", "content": "abcde"}])
    odd = loaded()
    odd._tokenizer.fail = True
    with pytest.raises(Rejected, match="roles must alternate"):
        odd._ids([{"role": "user", "content": "a"}])


async def test_it_does_nothing_else() -> None:
    backend = loaded()
    for call in (
        backend.send(Request(kind="chat"), seed=None),
        backend.embed(["a"]),
        backend.tokenize("a"),
        backend.score([Request(kind="steps", step_tag="#")]),
    ):
        with pytest.raises(BackendFatal):
            await call
    assert await backend.score([]) == []
    assert (await backend.probe()).reachable
