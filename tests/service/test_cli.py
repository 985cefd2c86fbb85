"""The command line: exit codes, messages, what goes to stdout and what to stderr."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from datalchemy.core.errors import BudgetExhausted, DatalchemyError
from datalchemy.engine import snapshot
from datalchemy.service import summary
from datalchemy.service.cli import VERBS, cli
from datalchemy.service.session import command_again

MAIN = [sys.executable, "-c", "from datalchemy.service.cli import main; main()"]

PLAIN = """\
name: trial
models:
  teacher: {use: scripted}
seeds: {inline: [one, two, three]}
generate: [{use: answer, model: teacher}]
"""
SLOW = """\
name: slow
models:
  teacher: {use: scripted, mode: digest, latency_s: 0.3, max_in_flight: 2}
generate: [{use: answer, model: teacher}]
seeds:
  inline:
""" + "".join(f"    - seed{n}\n" for n in range(400))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATALCHEMY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(text: str, name: str = "trial.yaml") -> str:
    Path(name).write_text(text)
    return name


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, words, prog_name="datalchemy")


def test_help_lists_every_verb_with_a_line() -> None:
    told = call("--help")
    assert told.exit_code == 0
    for verb in VERBS:
        line = next(line for line in told.stdout.splitlines() if line.strip().startswith(verb + " "))
        assert len(line.split()) > 3


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    assert call(verb, "--help").exit_code == 0


def test_a_run_is_0_and_tells_where_things_are() -> None:
    done = call("run", written(PLAIN), "--out", "out/a", "--quiet")
    assert done.exit_code == 0
    assert "accepted  3" in done.stdout
    assert "out/a/report.html" in done.stdout
    assert done.stderr == ""
    assert Path("out/a/report.html").is_file()
    assert list(Path("out/a/data").glob("*.parquet"))


def test_json_is_one_object_on_stdout_and_all_else_on_stderr() -> None:
    done = call("run", written(PLAIN), "--json")
    result = json.loads(done.stdout)
    assert (result["status"], result["accepted"], result["exit_code"]) == ("complete", 3, 0)
    assert result["path"] == "out/trial"
    assert "accepted  3" in done.stderr


def test_the_same_command_goes_on_and_pays_nothing_twice() -> None:
    call("run", written(PLAIN), "--target", "2", "--quiet")
    result = json.loads(call("run", "trial.yaml", "--target", "3", "--quiet", "--json").stdout)
    assert (result["accepted"], result["spent"]["calls"]) == (3, 3)


def test_seeds_that_run_out_are_3_with_a_usable_dataset() -> None:
    done = call("run", written(PLAIN), "--target", "10", "--quiet")
    assert done.exit_code == 3
    assert "seeds exhausted" in done.stdout
    assert list(Path("out/trial/data").glob("*.parquet"))


def test_a_spent_budget_is_3() -> None:
    done = call("run", written(PLAIN), "--set", "budget={tokens: 1}", "--quiet")
    assert done.exit_code == 3
    assert "budget" in done.stdout


def test_nothing_accepted_is_never_0() -> None:
    done = call("run", written(PLAIN + "filters: [{use: think_format}]\n"), "--quiet")
    assert done.exit_code == 3
    assert "nothing was accepted; most often: think_format: " in done.stdout


def test_a_missed_threshold_is_4() -> None:
    done = call("run", written(PLAIN), "--set", "accept={acceptance_rate: {min: 2}}", "--quiet")
    assert done.exit_code == 4


def test_a_fatal_backend_is_5() -> None:
    script = "models.teacher.script=[{match: '', fault: fatal}]"
    done = call("run", written(PLAIN), "--set", script, "--quiet")
    assert done.exit_code == 5, done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "nowhere.yaml"], "neither a file nor a shipped recipe"),
        (["validate", "bad.yaml"], "bad.yaml:3 models.teacher.names: there is no such field; did you mean 'name'?"),
        (["rnu", "x"], "did you mean 'run'?"),
        (["run"], "Missing argument"),
        (["run", "trial.yaml", "--taget", "3"], "--target"),
        (["run", "trial.yaml", "--set", "target"], "expected PATH=VALUE"),
        (["run", "trial.yaml", "--set", "filters[3].x=1"], "filters"),
        (["run", "trial.yaml", "--model", "gpt"], "http://HOST/v1#NAME"),
        (["run", "trial.yaml", "--model", "judge=ember"], "the recipe's models are: teacher"),
        (["parts", "cott"], "did you mean 'cot'?"),
        (["prompts", "cot.slove"], "did you mean 'cot.solve'?"),
        (["explain", "out", "xyz"], "no record id"),
        (["init", "../x"], "letters, digits"),
    ],
)
def test_bad_recipes_and_usage_are_2_and_say_what_was_expected(words: list[str], told: str) -> None:
    written(PLAIN)
    written(PLAIN.replace("{use: scripted}", "{use: scripted, names: x}"), "bad.yaml")
    done = call(*words)
    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.output


def test_every_wrong_part_is_told_at_once_each_with_its_place() -> None:
    text = """\
name: trial
models:
  teacher: {use: htpp}
generate:
  - mix:
      - {use: cot, model: teacher}
      - use: cott
        model: teacher
filters:
  - exact
  - thinkformat
"""
    told = call("validate", written(text)).stderr
    assert "trial.yaml:3 models.teacher: no endpoint named 'htpp'; did you mean 'http'?" in told
    assert "trial.yaml:7 generate[0].mix[1]: no generator named 'cott'; did you mean 'cot'?" in told
    assert "trial.yaml:11 filters[1]: no filter or edit named 'thinkformat'; did you mean 'think_format'?" in told


def test_an_unexpected_error_is_1_and_leaves_its_details_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise ZeroDivisionError("oh \x1b[31mno")

    monkeypatch.setattr(summary, "summary", broken)
    done = call("run", written(PLAIN), "--quiet")
    assert done.exit_code == 1
    assert "internal error: ZeroDivisionError: oh no" in done.stderr
    details = Path(next(word for word in done.stderr.split() if word.endswith(".txt:")).rstrip(":"))
    assert "Traceback" in details.read_text()
    details.unlink()


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALCHEMY_DEBUG", "1")
    assert "Traceback" in call("validate", "nowhere").stderr


def test_an_error_of_ours_ends_with_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> str:
        raise BudgetExhausted("spent")

    monkeypatch.setattr(summary, "summary", stopped)
    done = call("run", written(PLAIN), "--quiet")
    assert (done.exit_code, done.stderr) == (BudgetExhausted.exit_code, "error: spent\n")
    assert DatalchemyError.exit_code == 1


def test_exit_codes_are_the_documented_ones() -> None:
    assert dict(snapshot.EXIT_CODES) == {
        "complete": 0,
        "budget": 3,
        "seeds_exhausted": 3,
        "interrupted": 130,
        "paused": 2,
        "backend": 5,
        "accept": 4,
    }


@pytest.mark.parametrize(
    ("words", "changes", "again"),
    [
        (["run", "a b.yaml"], {}, "datalchemy run 'a b.yaml'"),
        (["run", "x", "--resume", "never", "--out", "o"], {}, "datalchemy run x --out o"),
        (["run", "x", "--resume=never", "--retry-failed"], {}, "datalchemy run x"),
        (["run", "x", "--target", "5", "--quiet"], {"target": "10"}, "datalchemy run x --quiet --target 10"),
    ],
)
def test_the_command_that_goes_on(words: list[str], changes: dict[str, str], again: str) -> None:
    assert command_again(words, **changes) == again


def started(*words: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*MAIN, *words], stdout=pipe, stderr=pipe, text=True, start_new_session=True, preexec_fn=_heeds_ctrl_c)


def _heeds_ctrl_c() -> None:
    """A shell that runs tests in the background has its children ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def signalled(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """As it comes: Ctrl-C on a terminal goes to every process of the group, SIGTERM from a supervisor to the one."""
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def until_accepted(process: subprocess.Popen[str]) -> str:
    """Reads progress until something is accepted."""
    assert process.stderr is not None
    seen = ""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        line = process.stderr.readline()
        seen += line
        if " accepted | " in line and not line.startswith("0 "):
            return seen
    raise AssertionError(seen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_p13_the_first_signal_drains_and_prints_how_to_go_on(number: signal.Signals) -> None:
    process = started("run", written(SLOW, "slow.yaml"), "--json")
    until_accepted(process)
    signalled(process, number)
    out, err = process.communicate(timeout=60)
    result = json.loads(out)
    assert process.returncode == 130
    assert result["status"] == "interrupted"
    assert 0 < result["accepted"] < 400
    assert result["counts"]["pending"] == 0
    assert "datalchemy run slow.yaml --json" in err
    assert list(Path("out/slow/data").glob("*.parquet"))
    paid = result["spent"]["calls"]
    again = json.loads(call("run", "slow.yaml", "--json", "--quiet", "--target", str(result["accepted"] + 4)).stdout)
    assert again["accepted"] == result["accepted"] + 4
    assert again["spent"]["calls"] <= paid + 4 + 2 * 2


def test_the_second_signal_aborts_and_what_was_paid_for_is_kept() -> None:
    process = started("run", written(SLOW.replace("0.3", "20"), "slow.yaml"))
    assert process.stderr is not None
    while " in flight" not in (line := process.stderr.readline()):
        assert line
    signalled(process, signal.SIGINT)
    while "Finishing" not in (line := process.stderr.readline()):
        assert line
    signalled(process, signal.SIGINT)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 130
    assert "datalchemy run slow.yaml" in err
    assert out == ""
    assert "Traceback" not in err


def test_nothing_heavy_is_imported_for_help() -> None:
    heavy = ["pydantic", "rich", "aiohttp", "pyarrow", "openai", "datasets", "numpy", "jinja2", "asyncio"]
    code = (
        "import sys\nfrom datalchemy.service.cli import cli\ntry:\n cli.main(['--help'])\nexcept SystemExit:\n"
        f" print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
