"""The static encoder that ships: one vector a token, distilled from all-MiniLM-L6-v2 by `distill.py` beside this file."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """Where the weights are: `vectors.npy` (float16, one row a token), `tokenizer.json`, `calibration.json`."""
    return Path(__file__).with_name("weights")
