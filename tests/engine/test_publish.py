"""From a ledger to OUT: the right rows in files that real readers read, and whole or not at all (P22)."""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from datalchemy.core.errors import StorageError
from datalchemy.core.record import (
    Conversation,
    Message,
    PlainText,
    Preference,
    Record,
    ScoredStep,
    ScoredSteps,
    ToolCall,
    Verdict,
    assistant,
    user,
)
from datalchemy.engine import publish as publishing
from datalchemy.engine.journal import Ledger
from datalchemy.engine.ledger import Settled
from datalchemy.engine.publish import PublishJob

PROMPT = Record(content=Conversation(messages=(user("What is 3 + 4?"),)), answer="7", fields={"level": 1})


def accepted(n: int, content=None, stage: int = 0, /, **labels) -> Settled:
    turns = content or [*PROMPT.messages, assistant(f"It is 7 ({n}).", "3 + 4 = 7")]
    verdicts = (Verdict(by="math_answer", outcome="keep", score=1.0), Verdict(by="language", outcome="abstain", reason="short"))
    record = PROMPT.derive("cot", turns, labels=labels or {"pass_rate": 0.5}).stamped(f"a{n}").judged(*verdicts)
    return Settled((n, *[0] * (stage + 1)), stage, "cot", "accepted", record.id, "", "", None, record.dump())


def refused(n: int, stage: int = 0) -> Settled:
    verdict = Verdict(by="math_answer", outcome="refuse", score=0.0, reason="wrong_answer: got 9, expected 7")
    record = PROMPT.derive("cot", [*PROMPT.messages, assistant("9", "guess")]).stamped(f"r{n}").judged(verdict)
    return Settled((n, 0), stage, "cot", "refused", record.id, "math_answer", verdict.reason, 0.0, record.dump())


def gave_up(n: int) -> Settled:
    note = orjson.dumps({"message": "hopeless", "replies": [{"key": "k", "text": "8?", "finish_reason": "stop"}]})
    return Settled((n, 0), 0, "cot", "refused", PROMPT.id, "cot", "hopeless: 0 of 8", None, PROMPT.dump(), note)


def failed(n: int) -> Settled:
    note = orjson.dumps({"message": "BadResponse: HTML", "raw": "<html>", "replies": []})
    return Settled((n, 0), 0, "cot", "failed", PROMPT.id, "BadResponse", "bad_response", None, PROMPT.dump(), note)


def fill(out: Path, rows: list[Settled]) -> Path:
    async def write() -> None:
        async with Ledger(out / ".run" / "ledger.db") as ledger:
            for row in rows:
                ledger.settle([row])
                if len(rows) < 100:
                    await ledger.flush()

    asyncio.run(write())
    return out


def job(out: Path, **settings) -> PublishJob:
    return PublishJob(ledger=str(out / ".run" / "ledger.db"), out=str(out), stages=["cot"], **settings)


def child(out: Path, env: dict[str, str] | None = None, **settings) -> tuple[int, dict]:
    """Exit code and answer of the process that does the job."""
    command = [sys.executable, "-m", "datalchemy.engine.publish"]
    line = orjson.dumps(job(out, **settings)) + b"\n"
    done = subprocess.run(command, input=line, capture_output=True, env={**os.environ, **(env or {})})
    return done.returncode, orjson.loads(done.stdout or b"{}")


def publish(out: Path, **settings) -> dict:
    return publishing.publish(job(out, **settings))


def rows(out: Path, name: str) -> list[dict]:
    import pyarrow.parquet as pq

    return [row for file in sorted((out / name).glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def check(out: Path) -> dict | None:
    """What a reader who honours the manifest sees: None or a whole set. AssertionError where it is neither."""
    try:
        manifest = json.loads((out / "manifest.json").read_bytes())
    except FileNotFoundError:
        return None
    for entry in manifest["files"]:
        body = (out / entry["path"]).read_bytes()
        assert hashlib.sha256(body).hexdigest() == entry["sha256"] and len(body) == entry["bytes"], entry["path"]
    listed = {entry["path"] for entry in manifest["files"]} | {"manifest.json"}
    there = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and ".run" not in p.parts}
    assert there == listed
    counts = manifest["counts"]
    assert counts["accepted"] + counts["refused"] + counts["failed"] + counts["pending"] == counts["started"]
    assert sum(e["rows"] for e in manifest["files"] if e["path"].startswith("data/")) == manifest["rows"]
    return manifest


MIXED = [accepted(3), refused(1), accepted(0), failed(4), gave_up(2), accepted(5), accepted(6), refused(7, stage=-1)]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> tuple[Path, dict]:
    out = fill(tmp_path_factory.mktemp("published") / "out", MIXED)
    code, result = child(out, target=3, formats=["parquet", "jsonl"], name="demo", seed=7, pending=2, fingerprint={"seeds": "ab"})
    assert code == 0
    return out, result


def test_the_first_n_in_seed_order_are_the_data_set(published):
    out, result = published
    ids = [accepted(n).id for n in (0, 3, 5)]
    assert [row["id"] for row in rows(out, "data")] == ids
    assert [json.loads(line)["id"] for line in (out / "train.jsonl").read_text().splitlines()] == ids
    assert [row["id"] for row in rows(out, "surplus")] == [accepted(6).id]
    assert {k: result[k] for k in ("accepted", "surplus", "refused", "failed")} == {"accepted": 3, "surplus": 1, "refused": 3, "failed": 1}


def test_the_first_n_that_arrived(tmp_path):
    out = fill(tmp_path, MIXED)
    assert publish(out, target=3, order="arrival")["accepted"] == 3
    assert [row["id"] for row in rows(out, "data")] == [accepted(n).id for n in (0, 3, 5)]
    out = fill(tmp_path / "late", [accepted(9), accepted(8), accepted(1)])
    assert publish(out, target=2, order="arrival")["surplus"] == 1
    assert [row["id"] for row in rows(out, "data")] == [accepted(n).id for n in (8, 9)]


def test_load_dataset_gives_the_train_set_and_nothing_else(published, tmp_path):
    out, _ = published
    code = "import datasets, json, sys; d = datasets.load_dataset(sys.argv[1]); print(json.dumps({k: d[k].to_list() for k in d}))"
    env = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    loaded = json.loads(subprocess.run([sys.executable, "-c", code, str(out)], check=True, capture_output=True, env=env).stdout)
    assert list(loaded) == ["train"]
    assert [row["id"] for row in loaded["train"]] == [accepted(n).id for n in (0, 3, 5)]
    row = loaded["train"][0]
    assert row["messages"][1] == {"role": "assistant", "content": "<think>\n3 + 4 = 7\n</think>\n\nIt is 7 (0)."}
    assert (row["answer"], row["scores"], row["labels"]) == ("7", {"math_answer": 1.0}, {"pass_rate": 0.5})
    assert json.loads(row["lineage"])[0]["by"] == "cot" and json.loads(row["fields"]) == {"level": 1}


def test_refused_and_failed_keep_reasons_and_what_was_said(published):
    out, _ = published
    wrong, hopeless, seed = rows(out, "refused")
    assert (wrong["filter"], wrong["reason"], wrong["score"]) == ("math_answer", "wrong_answer: got 9, expected 7", 0.0)
    assert wrong["messages"][1] == {"role": "assistant", "content": "9", "reasoning": "guess"}
    assert json.loads(hopeless["raw"])[0]["text"] == "8?" and seed["stage"] == -1
    [broken] = rows(out, "failed")
    assert (broken["error"], broken["reason"], broken["message"], broken["raw"]) == (
        "BadResponse",
        "bad_response",
        "BadResponse: HTML",
        "<html>",
    )


def test_the_manifest_accounts_for_everything(published):
    out, result = published
    manifest = check(out)
    assert manifest["counts"] == {"started": 10, "accepted": 4, "refused": 3, "failed": 1, "pending": 2}
    assert manifest["counts_by_stage"]["seeds"] == {"accepted": 0, "refused": 1, "failed": 0}
    assert (manifest["fingerprint"], manifest["seed"], manifest["status"]) == ({"seeds": "ab"}, 7, "complete")
    assert manifest["measures"] == result["measures"] and manifest["measures"]["mean_pass_rate"] == 0.5
    assert manifest["measures"]["failed_share"] == 1 / 8 and manifest["measures"]["acceptance_rate"] == 4 / 7
    assert not list((out / ".run").glob("publish-*"))


@pytest.mark.parametrize("reasoning, expected", [("field", ("It is 7 (0).", "3 + 4 = 7")), ("drop", ("It is 7 (0).", None))])
def test_where_reasoning_goes(tmp_path, reasoning, expected):
    out = fill(tmp_path, [accepted(0)])
    publish(out, reasoning=reasoning)
    turn = rows(out, "data")[0]["messages"][1]
    assert (turn["content"], turn.get("reasoning")) == expected and ("reasoning" in turn) == (reasoning == "field")


def test_every_kind_of_record_has_its_columns(tmp_path):
    pair = Preference(prompt=(user("p"),), chosen=(assistant("good", "r"),), rejected=(assistant("bad"),))
    steps = ScoredSteps(prompt=(user("p"),), steps=(ScoredStep(text="one", label=True), ScoredStep(text="two", score=0.25)))
    call = [user("add"), Message(role="assistant", tool_calls=(ToolCall(name="add", arguments="{}"),)), Message(role="tool", content="3")]
    kinds = {"pair": pair, "steps": steps, "text": PlainText(text="words"), "calls": call}
    got = {}
    for name, content in kinds.items():
        out = fill(tmp_path / name, [accepted(0, content)])
        assert publish(out)["accepted"] == 1
        [got[name]] = rows(out, "data")
    assert got["pair"]["chosen"][0]["content"] == "<think>\nr\n</think>\n\ngood" and got["pair"]["rejected"][0]["content"] == "bad"
    assert (got["steps"]["prompt"], got["steps"]["completions"], got["steps"]["labels"]) == ("p", ["one", "two"], [True, None])
    assert got["steps"]["step_scores"] == [None, 0.25] and got["steps"]["record_labels"] == {"pass_rate": 0.5}
    assert got["text"]["text"] == "words" and "messages" not in got["text"]
    assert got["calls"]["messages"][1]["tool_calls"] == [{"id": "", "name": "add", "arguments": "{}"}]


def test_labels_of_every_type_and_none(tmp_path):
    out = fill(
        tmp_path, [accepted(0, n=1, x=1, mixed=1, big=2**63, ok=True), accepted(1, n=None, x=0.5, mixed="a", topic="t"), accepted(2, n=3)]
    )
    publish(out)
    one, two, three = (row["labels"] for row in rows(out, "data"))
    assert one == {"n": 1, "x": 1.0, "mixed": "1", "big": 2.0**63, "ok": True, "topic": None}
    assert two == {"n": None, "x": 0.5, "mixed": "a", "big": None, "ok": None, "topic": "t"} and three["n"] == 3


def test_shards_hold_what_they_say(tmp_path):
    out = fill(tmp_path, [accepted(n) for n in range(25)])
    files = publish(out, shard_rows=10)["files"]
    assert [f for f in files if f.startswith("data/")] == [f"data/train-{n:05d}-of-00003.parquet" for n in range(3)]
    assert [e["rows"] for e in check(out)["files"][:3]] == [10, 10, 5]
    assert [row["id"] for row in rows(out, "data")] == [accepted(n).id for n in range(25)]


def test_an_empty_data_set_still_loads(tmp_path):
    out = fill(tmp_path, [refused(0)])
    assert publish(out, status="budget")["accepted"] == 0
    assert rows(out, "data") == [] and check(out)["rows"] == 0


def test_text_that_is_no_text_is_repaired_and_counted(tmp_path):
    """P14: the ledger's writers refuse such values; a ledger that holds them anyway still gives strict files."""
    good = accepted(0)
    odd = good.body.replace(b"It is 7", b"It is \\ud800 7").replace(b'"score":1.0', b'"score":NaN')
    assert odd != good.body
    out = fill(tmp_path, [good._replace(body=odd), refused(1)._replace(score=float("inf"))])
    assert publish(out, formats=["jsonl", "parquet"])["accepted"] == 1
    assert check(out)["repaired"] == 1
    [row] = rows(out, "data")
    assert row["messages"][1]["content"].endswith("It is ? 7 (0).") and row["scores"] is None
    assert rows(out, "refused")[0]["score"] is None
    for file in (out / "train.jsonl", out / "manifest.json"):
        json.loads(file.read_text().splitlines()[0] if file.suffix == ".jsonl" else file.read_text(), parse_constant=pytest.fail)


def test_a_ledger_that_cannot_be_read_is_an_error_and_leaves_the_old_set(tmp_path):
    out = fill(tmp_path, [accepted(0)])
    publish(out)
    code, result = child(out / "nowhere")
    assert code == 1 and "does not exist" in result["error"]
    import sqlite3

    with sqlite3.connect(out / ".run" / "ledger.db") as connection:
        connection.execute("UPDATE candidates SET body = x'00'")
    connection.close()
    with pytest.raises(StorageError, match="corrupt"):
        publish(out)
    assert check(out)["rows"] == 1


def test_without_a_job_it_ends_quietly():
    done = subprocess.run([sys.executable, "-m", "datalchemy.engine.publish"], input=b"", capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


CRASHES = """
import json, os, shutil, signal, sys
from pathlib import Path
import pyarrow.parquet
from datalchemy.core import crashpoints
from datalchemy.engine import publish as p

def in_place(build, out, manifest):
    for piece in sorted(build.iterdir()):
        if piece.is_dir():
            shutil.copytree(piece, out / piece.name, dirs_exist_ok=True)
        else:
            shutil.copy(piece, out / piece.name)
        p.crashpoint(piece.name)
    (out / "manifest.json").write_bytes(manifest)

if sys.argv[2] == "in place":
    p.install = in_place

def publish(target):
    p.publish(p.PublishJob(ledger=sys.argv[1] + "/.run/ledger.db", out=sys.argv[1], target=target, formats=["parquet", "jsonl"]))

def run(target, at):
    pid = os.fork()
    if not pid:
        p.crashpoint = crashpoints._bomb(at)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        publish(target)
        os._exit(0)
    return os.waitpid(pid, 0)[1]

publish(2)
print(flush=True)
for line in sys.stdin:
    print(run(*json.loads(line)), flush=True)
"""


class Crashing:
    """A process that publishes in forks, each dying at the crash point asked for."""

    def __init__(self, out: Path, how: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-c", CRASHES, str(out), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.child.stdout.readline(), "the old set is there"

    def publish(self, target: int | None, crash_at: int = 0) -> bool:
        """Whether it ran to its end; False where it was killed."""
        print(json.dumps([target, crash_at]), file=self.child.stdin, flush=True)
        status = int(self.child.stdout.readline())
        assert status in (0, signal.SIGKILL)
        return status == 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.child.communicate()


def states(out: Path, how: str) -> list[int | None]:
    """Rows that a reader sees after a crash at each point in turn, on top of an older and smaller set."""
    seen: list[int | None] = []
    old = out.with_name("old")
    with Crashing(out, how) as crashing:
        shutil.copytree(out, old)
        for at in range(1, 100):
            shutil.rmtree(out)
            shutil.copytree(old, out)
            ended = crashing.publish(None, at)
            manifest = check(out)
            seen.append(manifest and manifest["rows"])
            assert crashing.publish(4), "the next attempt must go through"
            assert check(out)["rows"] == 4 and not list((out / ".run").glob("publish-*"))
            if ended:
                return seen
    raise AssertionError("it never ran to its end")


def test_a_set_appears_whole_or_not_at_all(tmp_path):
    """P22: killed at every step in turn, a reader sees the old set, none, or the new one."""
    seen = states(fill(tmp_path / "out", [*MIXED, accepted(8)]), "as it is")
    first_none, first_new = seen.index(None), seen.index(5)
    assert first_none >= 5 and first_new - first_none >= 10, seen
    assert seen == [2] * first_none + [None] * (first_new - first_none) + [5] * (len(seen) - first_new)


def test_the_checker_catches_a_publisher_that_writes_in_place(tmp_path):
    with pytest.raises(AssertionError, match=r"train|README|report"):
        states(fill(tmp_path / "out", [*MIXED, accepted(8)]), "in place")


def test_a_crash_asked_for_by_the_environment(tmp_path):
    out = fill(tmp_path, [accepted(0)])
    assert child(out, env={"DATALCHEMY_CRASH_AT": "6"}) == (-signal.SIGKILL, {})
    assert check(out) is None
    assert publish(out)["accepted"] == 1 and check(out)["rows"] == 1


MEMORY = """
import resource, sys, pyarrow.parquet
from datalchemy.engine import publish as p
for out in sys.argv[1:]:
    p.publish(p.PublishJob(ledger=out + "/.run/ledger.db", out=out, formats=["parquet", "jsonl"]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """P21, of the publisher: four times the rows (40 MB of text more) take no more memory."""
    body = accepted(0, [user("q"), assistant("x" * 1500)])
    for name, n in (("few", 12_000), ("many", 40_000)):
        fill(tmp_path / name, [body._replace(path=(i, 0), id=f"{i:016x}") for i in range(n)])
    outs = [str(tmp_path / name) for name in ("few", "many")]
    done = subprocess.run([sys.executable, "-c", MEMORY, *outs], check=True, capture_output=True, text=True)
    few, many = map(int, done.stdout.split())
    assert many - few < 25, (few, many)
