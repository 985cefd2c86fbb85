"""Shipped recipes through the installed command against a real vLLM: exactly N, and nothing paid twice."""

from __future__ import annotations

import hashlib
import re

import pytest
from runs import Command

pytestmark = pytest.mark.real


@pytest.fixture
def model(url: str) -> tuple[str, ...]:
    """A server that ends in the middle is told after some seconds, not minutes."""
    return ("--model", f"{url}#ember", "--set", "models.teacher.patience_s=10")


def checked_manifest(command: Command, out: str) -> dict:
    """The manifest, after every file it lists was compared with it."""
    manifest = command.manifest(out)
    for entry in manifest["files"]:
        assert hashlib.sha256((command.folder / out / entry["path"]).read_bytes()).hexdigest() == entry["sha256"], entry["path"]
    counts = manifest["counts"]
    assert counts["accepted"] + counts["refused"] + counts["failed"] + counts["pending"] == counts["started"]
    assert manifest["repaired"] == 0
    return manifest


def boxed(text: str) -> str:
    """What the last `\\boxed{}` holds."""
    return re.findall(r"\\boxed\{([^{}]*)\}", text)[-1]


def test_the_demos_recipe_from_end_to_end(model: tuple[str, ...], command: Command) -> None:
    words = ("cold-start-cot", *model, "--out", "out")
    first = command.run(*words, "--target", "40")
    assert first.code == 0, first.told
    assert (first.result["status"], first.result["accepted"], first.result["counts"]["failed"]) == ("complete", 40, 0)
    assert first.spent["calls"] > 40
    rows = command.rows("out")
    assert len({row["id"] for row in rows}) == len(rows) == 40
    assert all("<think>" in row["messages"][-1]["content"] for row in rows)
    manifest = checked_manifest(command, "out")
    assert (manifest["rows"], manifest["status"]) == (40, "complete")
    assert manifest["totals"]["models"]["teacher"]["calls"] == first.spent["calls"]

    again = command.run(*words, "--target", "40")
    assert (again.code, again.spent["calls"]) == (0, first.spent["calls"]), "the finished run was paid for again"
    assert command.rows("out") == rows

    elsewhere = command.run(*words[:-1], "copy", "--target", "40")
    assert (elsewhere.code, elsewhere.spent["reused"] > 40) == (0, True)
    assert elsewhere.spent["calls"] < first.spent["calls"] / 4, "only seeds that timing has it start beyond the target may cost anything"
    assert first.spent["calls"] + elsewhere.spent["calls"] == command.stored(), "an answer was paid for that the store already had"
    assert [row["messages"] for row in command.rows("copy")] == [row["messages"] for row in rows]

    raised = command.run(*words, "--target", "60")
    assert raised.code == 0, raised.told
    assert command.rows("out")[:40] == rows
    assert checked_manifest(command, "out")["rows"] == 60
    fresh = raised.spent["calls"] - first.spent["calls"]
    assert fresh < first.spent["calls"], "the raised target paid for more than the difference"
    assert fresh + raised.spent["reused"] > 0
    assert raised.spent["calls"] + elsewhere.spent["calls"] == command.stored(), "an answer was paid for that the store already had"


def test_models_m_looks_at_vllm(url: str, command: Command) -> None:
    ended = command.end(command.start("models", f"{url}#ember"))
    assert ended.code == 0, ended.told
    found = ended.result
    assert (found["reachable"], found["server"], found["models"], found["context"]) == (True, "vllm", ["ember"], 1024)
    assert (found["reasoning"], found["reasoning_by"], found["probe_failed"]) == ("inline", "probe", "")
    assert found["speed"]["together"] > 0
    assert found["speed"]["first_token_s"] > 0


def test_magpie_draws_its_questions_from_vllm(model: tuple[str, ...], command: Command) -> None:
    ended = command.run("magpie", *model, "--target", "8", "--out", "out")
    assert ended.code == 0, ended.told
    rows = command.rows("out")
    assert len(rows) == checked_manifest(command, "out")["rows"] == 8
    assert len({row["messages"][0]["content"] for row in rows}) == 8
    for row in rows:
        asked, answered = row["messages"]
        assert (asked["role"], answered["role"]) == ("user", "assistant")
        assert not asked["content"].lower().startswith("user")
        for turn in (asked, answered):
            assert turn["content"].strip()
            assert "<|" not in turn["content"]


def test_a_wrong_model_name_stops_the_run_and_names_what_is_there(url: str, command: Command) -> None:
    ended = command.run("cold-start-cot", "--model", f"{url}#embr", "--target", "4", "--out", "out")
    assert ended.code == 5
    assert "'embr'" in ended.told
    assert "ember" in ended.told.replace("'embr'", "")
    assert ended.result["counts"]["failed"] == 0
    assert "Traceback" not in ended.told
