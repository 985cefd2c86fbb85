"""datalchemy: seeds in, verified training data out.

from datalchemy import Recipe, run

result = run(Recipe.load("cold-start-cot", target=100, out="out/cold-start"))
print(result.accepted, result.path)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.record import Message, Record, Verdict
    from .engine.filtering import Judgement, ajudge, judge
    from .engine.recipe import Recipe
    from .engine.run import Result, arun, run

__version__ = "0.1.0"
__all__ = ["Judgement", "Message", "Recipe", "Record", "Result", "Verdict", "__version__", "ajudge", "arun", "judge", "run"]

_HOMES = {
    "Message": "core.record",
    "Record": "core.record",
    "Verdict": "core.record",
    "Recipe": "engine.recipe",
    "Result": "engine.run",
    "Judgement": "engine.filtering",
    "ajudge": "engine.filtering",
    "judge": "engine.filtering",
    "arun": "engine.run",
    "run": "engine.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562): `import datalchemy` itself stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
