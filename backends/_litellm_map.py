"""What LiteLLM's own table says about a model: its price and its context. Read from the file that comes with it, without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

TABLE = "model_prices_and_context_window_backup.json"


def entry(name: str) -> Mapping[str, Any]:
    """The row of PROVIDER/NAME; empty where there is none, or no LiteLLM."""
    found = find_spec("litellm")
    if found is None or not found.submodule_search_locations:
        return {}
    file = Path(found.submodule_search_locations[0]) / TABLE
    try:
        table = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    provider, _, model = name.partition("/")
    row = table.get(name)
    if row is None:
        row = table.get(model)
        if not isinstance(row, dict) or not str(row.get("litellm_provider", "")).startswith(provider):
            return {}  # a model of the same name, elsewhere
    return row if isinstance(row, dict) else {}


def price(name: str) -> dict[str, float]:
    """Dollars a million tokens, as `price` has them; empty where the table does not tell both."""
    row = entry(name)
    sent, said, cached = (row.get(key) for key in ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost"))
    if not isinstance(sent, int | float) or not isinstance(said, int | float):
        return {}
    told = {"input": _million(sent), "output": _million(said)}
    return {**told, "cached": _million(cached)} if isinstance(cached, int | float) else told


def _million(dollars: float) -> float:
    return round(dollars * 1e6, 6)
