"""What a folder with a model is known by."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ._gguf_header import digest

_HASHED = ("*.safetensors", "*.bin", "config.json", "generation_config.json", "tokenizer*", "chat_template*")


def hashed(folder: Path) -> str:
    """16 hex digits over the files that answers depend on: names, and of each file what `digest` takes."""
    found = hashlib.sha256()
    for file in sorted({file for pattern in _HASHED for file in folder.glob(pattern) if file.is_file()}):
        found.update(f"{file.name}\0{digest(file)}\0".encode())
    return found.hexdigest()[:16]
