"""A reward model behind vLLM, SGLang or TEI (text-embeddings-inference)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import blake2b
from typing import ClassVar, Literal

from pydantic import Field, PrivateAttr, field_validator

from ..core.backend import Backend, Capability
from ..core.endpoint import Endpoint
from ..core.errors import RecipeError
from ._address import checked_url, checked_variable, key_of
from ._reward_wire import CHAT, Protocol

TEMPLATES = {
    "plain": "{% for message in messages %}{% if not loop.first %}\n\n{% endif %}{{ message.content }}{% endfor %}",
    "chatml": "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}",
    "llama3": "{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n{{ message.content }}<|eot_id|>{% endfor %}",
}
"""For servers that take texts, not turns. None writes BOS: those servers put it there themselves."""


class RewardServer(Endpoint):
    """A reward model that is served: raw scores of conversations, or of the steps of an answer."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset({"score", "steps"})

    url: str
    """Where the server is (`http://127.0.0.1:8000`); `/v1` may stand behind it."""
    name: str = ""
    """The model's name as the server knows it; may be left out where the server offers exactly one."""
    protocol: Literal["auto"] | Protocol = "auto"
    """How it is asked; `auto` looks which server it is when the model is opened."""
    template: str = "plain"
    """How turns become a text, for SGLang and TEI: `plain`, `chatml`, `llama3`, or Jinja over `messages` (without BOS)."""
    label: int | str | None = None
    """The label that counts where the model has several: its number, with TEI its name. Of steps, absent, the second of two."""
    max_batch: int = Field(default=32, ge=1)
    """Conversations in one call, where a server takes several; TEI takes 32 unless it is told otherwise."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; without it no key is sent, whatever the environment holds."""

    _found: tuple[Protocol, str] | None = PrivateAttr(default=None)

    @field_validator("url")
    @classmethod
    def _checked(cls, url: str) -> str:
        return checked_url(url)

    @field_validator("api_key_env")
    @classmethod
    def _a_name(cls, name: str | None) -> str | None:
        return checked_variable(name)

    @field_validator("template")
    @classmethod
    def _compiles(cls, template: str) -> str:
        try:
            _renderer(template)
        except RecipeError as error:
            raise ValueError(str(error)) from error
        return template

    def open(self) -> AbstractAsyncContextManager[Backend]:
        """Raises RecipeError where the key's variable is not set; BackendFatal where the server must be asked what it is, and cannot tell."""
        return self._open(key_of(self.api_key_env))

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncGenerator[Backend]:
        from ._reward_backend import RewardBackend

        async with RewardBackend(self, render=_renderer(self.template), key=key) as backend:
            if self.protocol == "auto" or not self.name:
                self._found = await backend.find()
            yield backend

    def known(self) -> bool:
        return bool(self.protocol != "auto" and self.name) or self._found is not None

    def who(self) -> str:
        """The model's name, and the template where it makes the text. Raises RecipeError where only the server knows and was not asked yet."""
        if not self.known():
            raise RecipeError(
                f"the model behind {self.url} is not known yet: write its `name` and `protocol` (or `identity`), or open it first"
            )
        protocol, name = self._found or (self.protocol, self.name)
        if protocol in CHAT:
            return name if self.label is None else f"{name}#{self.label}"
        template = blake2b(TEMPLATES.get(self.template, self.template).encode(), digest_size=4).hexdigest()
        return f"{name}#{protocol}-{template}-{self.label}"

    def most_items(self) -> int:
        protocol = self._found[0] if self._found else self.protocol
        return 1 if protocol in CHAT else self.max_batch


def _renderer(template: str) -> Callable[..., str]:
    """Fills a template with `messages`. Raises RecipeError where it breaks the rules of wordings."""
    from ..prompts._guard import compiled

    return compiled("template", TEMPLATES.get(template, template), frozenset({"messages"}))
