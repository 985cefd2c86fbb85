"""docs/backends.md: what each kind of model can do, and which strategies it can therefore run, as the code has it.

DATALCHEMY_WRITE_DOCS=1 writes the tables anew instead of comparing them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import get_args

import datalchemy
import pytest
from datalchemy.core import plug
from datalchemy.core.backend import Capability
from datalchemy.core.endpoint import Endpoint
from datalchemy.core.part import Generator

PAGE = Path(datalchemy.__file__).resolve().parent / "docs" / "backends.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="documentation is not part of the wheel")
LEFT_OUT = ("scripted",)
"""Doubles."""
WITH = {"persona": {"task": "math_problem"}}
"""What strategies need besides a model."""


def capabilities() -> dict[str, frozenset[Capability]]:
    return {name: plug.find("backends", (Endpoint,), name).capabilities for name in plug.names("backends") if name not in LEFT_OUT}


def needs(name: str) -> frozenset[Capability]:
    """Of all models that the strategy names."""
    strategy = plug.build("generators", (Generator,), {"use": name, "model": "m", **WITH.get(name, {})})
    return frozenset().union(*strategy.needs().values())


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


def tables() -> dict[str, str]:
    able = capabilities()
    columns = [word for word in get_args(Capability) if any(word in can for can in able.values())]
    kinds = [[f"`{name}`", *("yes" if word in can else "" for word in columns)] for name, can in able.items()]
    writers = {name: can for name, can in able.items() if "chat" in can}
    strategies = [
        [f"`{name}`", ", ".join(sorted(wanted)), *("yes" if wanted <= can else "no" for can in writers.values())]
        for name in plug.names("generators")
        for wanted in [needs(name)]
    ]
    return {
        "capabilities": table(["`use:`", *columns], kinds),
        "strategies": table(["strategy", "needs", *(f"`{name}`" for name in writers)], strategies),
    }


def test_the_tables_are_what_the_code_says() -> None:
    text, fresh = PAGE.read_text(), tables()
    new = text
    for name, body in fresh.items():
        new = re.sub(
            rf"<!-- {name} -->\n.*?<!-- end of {name} -->", f"<!-- {name} -->\n{body}\n<!-- end of {name} -->", new, flags=re.DOTALL
        )
        assert f"<!-- {name} -->\n" in new
    if os.environ.get("DATALCHEMY_WRITE_DOCS"):
        PAGE.write_text(new)
    else:
        assert text == new, "run DATALCHEMY_WRITE_DOCS=1 pytest tests/service/test_backend_table.py and look at the difference"


def test_magpie_needs_what_hosted_models_lack() -> None:
    """The control: the table tells models apart."""
    able = capabilities()
    assert needs("magpie") <= able["vllm"]
    assert not needs("magpie") <= able["openai"]
    assert needs("answer") <= able["openai"]
