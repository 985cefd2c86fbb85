"""The embedded model: a small chat model for word problems, trained from scratch by this folder, and its files."""

from importlib.resources import files
from pathlib import Path


def weights() -> Path:
    """The GGUF file that llama.cpp serves."""
    return Path(str(files(__name__))) / "weights" / "ember.gguf"


def checkpoint() -> Path:
    """The folder that transformers and vLLM load."""
    return Path(str(files(__name__))) / "weights" / "hf"
