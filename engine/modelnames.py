"""`--model`: a model named on the command line, in one word."""

from __future__ import annotations

import re
from typing import Any

from ..core.errors import RecipeError

FORMS = "ember, gguf:FILE, vllm:MODEL, vllm-server:MODEL, openai:NAME, litellm:PROVIDER/NAME, http://HOST/v1#NAME (or https)"
KEPT = ("sampling", "price", "max_in_flight", "rpm", "tpm", "attempts", "patience_s", "deadlines", "identity")
"""What a model's settings keep when another model takes its place."""
NAMED_MODEL = re.compile(r"([A-Za-z_][\w-]*)=(.+)")
"""A model for one of several: `teacher=ember`."""


def settings(name: str) -> dict[str, Any]:
    """The `models:` entry for a name as `--model` takes it. Raises RecipeError with the forms there are."""
    if name == "ember":
        return {"use": "embedded"}
    if name.startswith("gguf:"):
        return {"use": "embedded", "path": name.removeprefix("gguf:")}
    if name.startswith("openai:"):
        return {"use": "openai", "name": name.removeprefix("openai:")}
    if name.startswith("vllm-server:"):
        return {"use": "vllm_server", "path": name.removeprefix("vllm-server:")}
    if name.startswith("vllm:"):
        return {"use": "vllm", "path": name.removeprefix("vllm:")}
    if name.startswith("litellm:"):
        return {"use": "litellm", "name": name.removeprefix("litellm:")}
    if re.match(r"https?://", name):
        url, _, model = name.partition("#")
        return {"use": "http", "url": url, **({"name": model} if model else {})}
    raise RecipeError(f"no model {name!r}; a model is written as {FORMS}")


def replace_models(data: dict[str, Any], word: str) -> None:
    """Put the model of `--model` in place: `teacher=ember` for one of several, a bare name for all."""
    found = NAMED_MODEL.match(word)
    name, wanted = (found[1], found[2]) if found else (None, word)
    new = settings(wanted)
    models = data.setdefault("models", {})
    if not isinstance(models, dict) or (name is not None and name not in models):
        raise RecipeError(f"--model {word}: the recipe's models are: {', '.join(models) or 'none'}")
    for key in [name] if name else list(models) or ["teacher"]:
        old = models.get(key) or {}
        same = isinstance(old, dict) and old.get("use") == new["use"]
        kept = (
            {k: v for k, v in old.items() if k in KEPT and (same or k not in ("identity", "max_in_flight"))}
            if isinstance(old, dict)
            else {}
        )
        models[key] = {**kept, **new}
