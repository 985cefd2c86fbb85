"""The page that benches write to, and what their figures depend on."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
PACKAGES = ("aiohttp", "openai", "uvloop", "orjson", "pydantic", "pyarrow", "zstandard")


def verdict(ok: bool | None) -> str:
    return {True: "ok", False: "**MISSED**", None: "not run"}[ok]


def machine(folder: Path, load: float | None = None) -> str:
    """What the figures depend on."""
    load = os.getloadavg()[0] if load is None else load
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    commit = subprocess.run(["git", "-C", str(HERE), "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    packages = ", ".join(f"{name} {installed(name)}" for name in PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {cores} cores, load {load:.1f} at the start, {platform.system()} {platform.release()}, "
        f"files on {filesystem(folder)}; commit {commit or 'unknown'}, Python {platform.python_version()}, {packages}"
    )


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def filesystem(folder: Path) -> str:
    """The type of the file system that holds a folder: on tmpfs a commit costs nothing."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "an unknown file system"
    holding = [(len(at), kind) for at, kind in mounts if folder.resolve().is_relative_to(at)]
    return max(holding)[1] if holding else "an unknown file system"


def write(section: str, title: str, text: str) -> None:
    """Into docs/benchmarks.md, between the section's markers; all else on the page stays."""
    opening, closing = f"<!-- {section} -->", f"<!-- /{section} -->"
    page = PAGE.read_text() if PAGE.exists() else "# Benchmarks\n"
    if opening not in page or closing not in page:
        page += f"\n## {title}\n{opening}\n{closing}\n"
    before, _, rest = page.partition(opening)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(f"{before}{opening}\n{text}\n{closing}{rest.partition(closing)[2]}")
