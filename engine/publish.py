"""From a ledger to a data set: the child process that writes OUT.

    python -m datalchemy.engine.publish < job

A process of its own because pyarrow takes 90 MB, which the run itself must not. It is started early and warms up; then it
reads one PublishJob as a line of JSON, answers with one line ({"accepted", "surplus", "refused", "failed", "files",
"measures"} or {"error"} with exit code 1) and ends. A closed stdin without a job ends it quietly.

OUT holds a whole data set or none: everything is written and synced in OUT/.run/publish-*, the old manifest is removed,
the pieces are renamed into place, and the new manifest comes last. Who reads the manifest first never sees half a set.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import orjson

from ..core.crashpoints import crashpoint
from ..core.errors import StorageError
from ..formats.dataset import Body, Reasoning, Shape, failed_row, failed_schema, load, refused_row, refused_schema
from ..formats.measures import Measures
from ..formats.report import card, render, template
from ..formats.shards import JsonLines, ParquetShards, Written
from .extras import Extras
from .ledger import LedgerReader, Path_, Settled, unpack
from .pieces import MANIFEST, PIECES
from .quota import Picking, Quota


@dataclass(frozen=True, slots=True)
class PublishJob:
    """What to publish, and what the manifest and the report say about it. No pydantic: its import costs as much as publishing."""

    ledger: str
    out: str
    target: int | None = None
    by: str = ""
    """The label by which the target is divided, with the numbers wanted in `quotas`."""
    quotas: dict[str, int] = field(default_factory=dict)
    order: Literal["seed", "arrival"] = "seed"
    """Which of too many accepted records are the data set; it is written in seed order in any case."""
    stages: list[str] = field(default_factory=list)
    """Names of the strategies, one entry a stage."""
    last_stage: int = 0
    formats: list[str] = field(default_factory=lambda: ["parquet"])
    """`parquet` (always written), `jsonl`."""
    reasoning: Reasoning = "inline"
    shard_rows: int = 100_000
    name: str = ""
    recipe: Any = None
    """The recipe as JSON values."""
    fingerprint: str | dict[str, str] = ""
    seed: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    status: str = "complete"
    """complete | budget | seeds_exhausted | interrupted ..."""
    message: str = ""
    pending: int = 0
    """Candidates that were started and are not settled."""
    totals: dict[str, dict[str, float | None]] = field(default_factory=dict)
    """By model: calls, reused, prompt_tokens, completion_tokens, dollars (None or absent: the price is unknown)."""
    seconds: float = 0.0
    task: str = ""
    purpose: Any = None
    policy: Any = None
    """The recipe's policy, where it states one."""
    measures: dict[str, Any] = field(default_factory=dict)
    """What is measured beside counts and lengths (engine/measuring.py as JSON values)."""
    base: str = ""
    """Folder that relative paths of the recipe start from."""


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _warm_up()
    line = sys.stdin.buffer.readline()
    if not line.strip():
        return 0
    try:
        result, code = publish(PublishJob(**orjson.loads(line))), 0
    except (StorageError, OSError, TypeError, ValueError) as error:
        result, code = {"error": str(error)}, 1
    except Exception as error:
        result, code = {"error": f"publishing failed: {type(error).__name__}: {error}"}, 1
        traceback.print_exc()
    sys.stdout.buffer.write(orjson.dumps(result) + b"\n")
    return code


def _warm_up() -> None:
    """Import what the job will need, while there is time."""
    import_module("pyarrow.json")
    import_module("pyarrow.parquet")
    template()


def publish(job: PublishJob) -> dict[str, Any]:
    """Write OUT. Raises StorageError or OSError; OUT then has the old set or none, and the same job can be done again."""
    out = Path(job.out)
    with _alone(out / ".run") as build, LedgerReader(Path(job.ledger)) as reader:
        files, measures = _write(job, reader, build)
        thresholds = measures.thresholds(job.target, job.totals)
        thresholds |= {name: value for section in measures.sections for name, value in section.numbers.items()}
        entries = [_entry(build, file) for file in files]
        for folder in [build, *(path for path in build.rglob("*") if path.is_dir())]:
            _sync(folder)
        manifest = _manifest(job, measures, thresholds, entries)
        crashpoint("publish: built")
        install(build, out, manifest)
        return {
            "accepted": measures.published,
            "surplus": measures.surplus,
            "refused": measures.total("refused"),
            "failed": measures.total("failed"),
            "files": [entry["path"] for entry in entries],
            "measures": thresholds,
        }


def install(build: Path, out: Path, manifest: bytes) -> None:
    """Swap the pieces in `build` for those in `out`; without a manifest in between."""
    (out / MANIFEST).unlink(missing_ok=True)
    _sync(out)
    crashpoint("publish: old manifest gone")
    old = Path(tempfile.mkdtemp(prefix="publish-old-", dir=out / ".run"))
    for name in PIECES:
        if (out / name).exists():
            (out / name).rename(old / name)
            crashpoint(f"publish: old {name} gone")
        if (build / name).exists():
            (build / name).rename(out / name)
            crashpoint(f"publish: new {name} there")
    _sync(out)
    crashpoint("publish: pieces synced")
    draft = build / MANIFEST
    draft.write_bytes(manifest)
    _sync(draft)
    crashpoint("publish: manifest written")
    draft.rename(out / MANIFEST)
    crashpoint("publish: manifest there")
    _sync(out)


@contextmanager
def _alone(run: Path) -> Iterator[Path]:
    """An empty folder to build in, while no other process publishes here; what dead ones left behind is removed."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / "publish.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _sweep(run)
        try:
            yield Path(tempfile.mkdtemp(prefix="publish-", dir=run))
        finally:
            _sweep(run)


def _sweep(run: Path) -> None:
    for left in run.glob("publish-*"):
        shutil.rmtree(left)


def _write(job: PublishJob, reader: LedgerReader, build: Path) -> tuple[list[Written], Measures]:
    """All pieces, in one pass over the ledger (and one before it, over what was accepted, to find the columns)."""
    shape = Shape(job.reasoning)
    for settled in reader.rows("accepted", job.last_stage):
        shape.see(load(settled.body)[0])
    over = _surplus(job, reader)
    sinks = _Sinks(job, shape, build)
    measures = Measures(job.seed, job.last_stage)
    extras = Extras(job.measures, job.seed)
    picking = Picking(None if job.target is None or job.order == "arrival" else Quota(job.quotas or {"": job.target}, job.by))
    for settled in reader.rows():
        body, repaired = load(settled.body)
        measures.repaired += repaired
        final = settled.status == "accepted" and settled.stage == job.last_stage
        published = final and settled.path not in over and picking.takes(body.get("labels", {}), body.get("fields", {}))
        note, repaired = load(settled.note) if settled.note else (None, False)
        measures.repaired += repaired
        measures.add(settled, body, note, published=published)
        if published:
            extras.add(settled.id, body)
        if final:
            sinks.accept(settled, body, published)
        elif settled.status != "accepted":
            sinks.reject(settled, body, note)
    files = sinks.close() + _missing(extras, build)
    measures.sections = list(extras.sections(measures.verdicts_by_filter(), Path(job.base)))
    told = asdict(job) | {"content": _digest(files)}
    for name, text in (("README.md", card(told, measures)), ("report.html", render(told, measures))):
        (build / name).write_text(text, encoding="utf-8", errors="replace")
        files.append(Written(build / name, 0))
    return files, measures


def _missing(extras: Extras, build: Path) -> list[Written]:
    """missing.jsonl: combinations of labels that no record has, as seeds of a next run."""
    rows = extras.missing()
    if not rows:
        return []
    path = build / "missing.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return [Written(path, len(rows))]


def _digest(files: list[Written]) -> str:
    """A hash of the data files. It stands in the card: `datasets` caches by the card's words, not by the files' contents."""
    digest = hashlib.sha256()
    for file in files:
        if file.path.parent.name == "data" or file.path.name == "train.jsonl":
            digest.update(hashlib.sha256(file.path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _surplus(job: PublishJob, reader: LedgerReader) -> frozenset[Path_]:
    """With `order: arrival`, the accepted candidates that came after the target was reached."""
    if job.order != "arrival" or job.target is None:
        return frozenset()
    query = "SELECT path FROM candidates WHERE status = 'accepted' AND stage = ? ORDER BY row LIMIT -1 OFFSET ?"
    return frozenset(unpack(path) for (path,) in reader.connection.execute(query, (job.last_stage, job.target)))


class _Sinks:
    """Where rows go."""

    def __init__(self, job: PublishJob, shape: Shape, build: Path) -> None:
        schema = shape.schema()
        self.shape = shape
        self.train = ParquetShards(build / "data", "train", schema, job.shard_rows) if "parquet" in job.formats else None
        self.lines = JsonLines(build / "train.jsonl") if "jsonl" in job.formats else None
        self.surplus = ParquetShards(build / "surplus", "part", schema, job.shard_rows)
        self.refused = ParquetShards(build / "refused", "part", refused_schema(), job.shard_rows)
        self.failed = ParquetShards(build / "failed", "part", failed_schema(), job.shard_rows)

    def accept(self, settled: Settled, body: Body, published: bool) -> None:
        row = orjson.dumps(self.shape.row(settled.id, body))
        if not published:
            self.surplus.add(row)
            return
        if self.train:
            self.train.add(row)
        if self.lines:
            self.lines.add(row)

    def reject(self, settled: Settled, body: Body, note: Any) -> None:
        if settled.status == "refused":
            self.refused.add(orjson.dumps(refused_row(settled, body, note)))
        else:
            self.failed.add(orjson.dumps(failed_row(settled, body, note)))

    def close(self) -> list[Written]:
        files = []
        for sink in (self.train, self.lines, self.surplus, self.refused, self.failed):
            if sink is not None:
                written = sink.close()
                if sink is self.train and not written:
                    self.train.empty()
                    written = self.train.close()
                files += written
        return files


def _entry(build: Path, file: Written) -> dict[str, Any]:
    """A line of the manifest; the file is on the disk when this returns."""
    with file.path.open("rb+") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        os.fsync(opened.fileno())
    crashpoint(f"publish: {file.path.name} synced")
    rows = {"rows": file.rows} if file.path.suffix in (".parquet", ".jsonl") else {}
    return {"path": file.path.relative_to(build).as_posix(), **rows, "bytes": file.path.stat().st_size, "sha256": digest}


def _manifest(job: PublishJob, measures: Measures, thresholds: dict[str, float], entries: list[dict[str, Any]]) -> bytes:
    counts = {status: measures.total(status) for status in ("accepted", "refused", "failed")} | {"pending": job.pending}
    stages = {"seeds" if stage < 0 else str(stage): counts for stage, counts in measures.by_stage().items()}
    whole = asdict(job)
    names = (
        "target",
        "by",
        "quotas",
        "order",
        "stages",
        "name",
        "fingerprint",
        "seed",
        "versions",
        "status",
        "message",
        "task",
        "purpose",
        "policy",
    )
    told = {name: whole[name] for name in names}
    body = {
        **told,
        "rows": measures.published,
        "surplus": measures.surplus,
        "repaired": measures.repaired,
        "counts": {"started": sum(counts.values()), **counts},
        "counts_by_stage": stages,
        "measures": thresholds,
        "totals": {"models": job.totals, "seconds": job.seconds},
        "files": entries,
        "recipe": job.recipe,
    }
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    answered = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(answered)  # all files are closed and synced; taking the interpreter apart would make the parent wait
