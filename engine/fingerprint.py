"""What makes two runs the same: recipe, parts' versions, prompts, models, seeds; not target, budget, formats, speed, URL."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

from ..prompts import Wordings
from .recipe import Recipe

FREE = {
    "target",
    "shares",
    "budget",
    "output",
    "accept",
    "measures",
    "checks",
    "reuse",
    "name",
    "task",
    "purpose",
    "policy",
    "base",
    "models",
    "seeds",
    "generate",
    "filters",
    "prompts",
}
"""Fields of a recipe that may change, or that are looked at one by one below."""


def fingerprint(recipe: Recipe) -> dict[str, str]:
    """Short hashes by the name of what they cover, so that a mismatch can be named."""
    dumped = recipe.model_dump(mode="json")
    out = {key: _hash(value) for key, value in dumped.items() if key not in FREE}
    for name, endpoint in recipe.models.items():
        out[f"models.{name}"] = _hash([endpoint.stored_as, endpoint.sampling.model_dump(mode="json")])
    if recipe.seeds is not None:
        out["seeds"] = recipe.seeds.fingerprint(recipe.base)
        _parts(out, "seeds.filters", dumped["seeds"]["filters"])
    for i, stage in enumerate(dumped["generate"]):
        for b, branch in enumerate(stage["branches"]):
            place = f"generate[{i}]" if len(stage["branches"]) == 1 else f"generate[{i}].mix[{b}]"
            out[f"{place}.{branch['generator']['use']}"] = _hash(branch)
        _parts(out, f"generate[{i}].filters", stage["filters"])
    _parts(out, "filters", dumped["filters"])
    names = sorted({name for part in recipe.parts() for name in part.prompts})
    for name, hashed in Wordings(recipe.language, recipe.prompts).hashes(names).items():
        out[f"prompts.{name}"] = hashed
    for part in recipe.parts():
        out[f"version.{part.part_name()}"] = part.version
        out |= {f"{part.part_name()}.{what}": hashed for what, hashed in part.reads().items()}
    return out


def _parts(out: dict[str, str], where: str, parts: list[dict[str, Any]]) -> None:
    for i, part in enumerate(parts):
        out[f"{where}[{i}].{part['use']}"] = _hash(part)


def _hash(value: Any) -> str:
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()
