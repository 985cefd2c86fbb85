"""What `doctor` looks at, one function a line."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from ..core.backend import Request
from ..core.endpoint import Endpoint
from ..core.errors import DatalchemyError
from ..core.home import home
from ..core.plug import build
from ..engine.store import ResponseStore
from ..eval.sandbox.local import ADVICE, probed
from .terminal import one_line, size

OLDEST = 1_767_225_600
"""1 January 2026: a clock before that is wrong."""
QUESTION = "Tom has 3 apples and buys 4 more. How many apples does he have?"
DISTRIBUTION = "datalchemy"


class Check(NamedTuple):
    status: Literal["ok", "warn", "fail"]
    what: str
    detail: str
    advice: str = ""


def checks() -> Iterator[Check]:
    """All checks, cheap ones first; the last one asks the embedded model a question."""
    yield _python()
    yield _packages()
    yield _cores()
    yield _memory()
    yield _clock()
    yield _disk()
    yield _store()
    yield _uvloop()
    yield _sandbox()
    yield _ember()


def _python() -> Check:
    detail = f"{platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}"
    return Check("ok" if sys.version_info >= (3, 11) else "fail", "python", detail, "install Python 3.11 or newer")


def _packages() -> Check:
    try:
        wanted = [name for name in metadata.requires(DISTRIBUTION) or () if "extra ==" not in name]
    except metadata.PackageNotFoundError:
        return Check("warn", "packages", "datalchemy runs from a checkout that is not installed", "pip install -e .")
    plain = [found[0] for name in wanted if (found := re.match(r"[A-Za-z0-9._-]+", name))]
    missing = [name for name in plain if not _version(name)]
    told = f"datalchemy {metadata.version(DISTRIBUTION)}; {len(plain) - len(missing)} of {len(plain)} dependencies are there"
    return Check("fail" if missing else "ok", "packages", told, f"pip install {' '.join(missing)}")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _cores() -> Check:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check(
        "ok" if count > 1 else "warn", "cores", str(count), "one core is enough for hosted models; the embedded model will be slow"
    )


def _memory() -> Check:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Check("ok" if total > 2e9 else "warn", "memory", size(total), "2 GB are little: keep `max_in_flight` low")


def _clock() -> Check:
    told = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return Check("ok" if time.time() > OLDEST else "fail", "clock", told, "set the clock: TLS and stored dates depend on it")


def _disk() -> Check:
    folder = next(path for path in (home(), *home().absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    status: Literal["ok", "warn", "fail"] = "ok" if free > 2e9 else "warn" if free > 2e8 else "fail"
    return Check(status, "disk", f"{size(free)} free at {folder}", "free some space, or set DATALCHEMY_HOME to a larger disk")


def _store() -> Check:
    try:
        found = ResponseStore().open().stats()
    except DatalchemyError as error:
        return Check("fail", "store", one_line(str(error), 200), "set DATALCHEMY_HOME to a folder that you may write to")
    mode = Path(found["path"]).stat().st_mode & 0o077
    told = f"{found['path']}: {found['responses']:,} responses, {size(found['file_bytes'])}"
    return Check("warn" if mode else "ok", "store", told, f"others on this machine can read it: chmod 600 {found['path']}")


def _uvloop() -> Check:
    version = _version("uvloop")
    return Check("ok" if version else "warn", "uvloop", version or "not there", "runs work without it, at a higher cost a call")


def _sandbox() -> Check:
    found = probed()
    advice = f"only needed by filters that run code, which refuse to start without it: {ADVICE}"
    return Check("ok" if found.tier.startswith("A") else "warn", "sandbox", found.tier or f"none: {found.why}", advice)


def _ember() -> Check:
    version = _version("xllamacpp")
    if not version:
        return Check("fail", "ember", "the package xllamacpp is not there", "pip install xllamacpp; hosted models work without it")
    started = time.monotonic()
    try:
        reply, wrote = asyncio.run(_asked())
    except (DatalchemyError, ImportError) as error:
        return Check("fail", "ember", one_line(str(error), 300), "hosted models work without it; see the message")
    took = f"{wrote} tokens in {time.monotonic() - started:.1f} s with start-up"
    return Check("ok" if reply else "fail", "ember", f"xllamacpp {version}; {took}", "the embedded model gave no answer")


async def _asked() -> tuple[str, int]:
    """One question to the embedded model: its answer and how many tokens it took."""
    endpoint = build("backends", (Endpoint,), "embedded")
    async with endpoint.open() as backend:
        (reply,) = await backend.send(Request(kind="chat", messages=({"role": "user", "content": QUESTION},)), seed=1)
    return reply.text or reply.reasoning or "", reply.usage.completion_tokens
