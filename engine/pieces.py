"""What a run writes into OUT: the publisher replaces these and nothing else."""

from __future__ import annotations

MANIFEST = "manifest.json"
PIECES = ("data", "surplus", "refused", "failed", "train.jsonl", "missing.jsonl", "README.md", "report.html")
"""What publishing owns in OUT, besides the manifest."""
