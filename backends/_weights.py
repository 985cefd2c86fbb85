"""What a folder with a model is known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ._gguf_header import digest

_HASHED = ("*.safetensors", "*.bin", "config.json", "generation_config.json", "tokenizer*", "chat_template*")


def folder_of(path: str) -> Path | None:
    """The folder with the model, where `path` is one and no name on the hub."""
    found = Path(path).expanduser()
    return found if found.is_dir() else None


def template_in(folder: Path) -> str:
    """The chat template of a folder with a model, from its own file or its tokenizer's settings; empty where there is none to read."""
    try:
        own = folder / "chat_template.jinja"
        if own.exists():
            return own.read_text()
        settings = json.loads((folder / "tokenizer_config.json").read_text())
    except (OSError, ValueError, RecursionError):
        return ""
    found = settings.get("chat_template") if isinstance(settings, dict) else None
    if isinstance(found, list):  # several by name
        named = {one["name"]: one.get("template") for one in found if isinstance(one, dict) and isinstance(one.get("name"), str)}
        found = named.get("default")
    return found if isinstance(found, str) else ""


def identity(path: str, revision: str | None, quantization: str | None, adapter: str | None, lora: Mapping[str, Path]) -> str:
    """What the response store knows a model by: the name on the hub (with the revision), as any server has it too; of a
    folder its name and a hash of what is in it. What the weights are quantized to while they load, and an adapter with
    its own hash, are named behind it. The same for vLLM in a process and as a server, so that they share stored answers.
    """
    folder = folder_of(path)
    name = f"{folder.resolve().name}@{hashed(folder)}" if folder else f"{path}@{revision}" if revision else path
    name = f"{name}+{quantization}" if quantization else name
    return f"{name}+{adapter}@{hashed(lora[adapter].expanduser())}" if adapter else name


def hashed(folder: Path) -> str:
    """16 hex digits over the files that answers depend on: names, and of each file what `digest` takes."""
    found = hashlib.sha256()
    for file in sorted({file for pattern in _HASHED for file in folder.glob(pattern) if file.is_file()}):
        found.update(f"{file.name}\0{digest(file)}\0".encode())
    return found.hexdigest()[:16]
