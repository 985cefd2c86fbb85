# ruff: noqa: T201
"""Whether a folder holds the whole demo: `python check_demo.py OUT N`. Ends with an AssertionError where it does not."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path


def main(out: Path, wanted: int) -> None:
    from datasets import load_dataset

    manifest = json.loads((out / "manifest.json").read_bytes())
    assert (manifest["status"], manifest["rows"]) == ("complete", wanted), (manifest["status"], manifest["rows"])
    counts = manifest["counts"]
    assert counts["accepted"] + counts["refused"] + counts["failed"] + counts["pending"] == counts["started"], counts
    assert counts["failed"] == 0, counts
    for entry in manifest["files"]:
        assert hashlib.sha256((out / entry["path"]).read_bytes()).hexdigest() == entry["sha256"], entry["path"]
    rows = load_dataset(str(out), split="train")
    assert len(rows) == len(set(rows["id"])) == wanted, len(rows)
    assert (out / "report.html").is_file()
    print(f"{wanted} records, {len(manifest['files'])} files as the manifest says; {counts}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
