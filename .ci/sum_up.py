# ruff: noqa: S314, T201 (the XML is pytest's own)
"""Adds up what .ci/run did: the steps and all tests that they counted. Ends with 1 where anything failed, or a real part did not run.

`python sum_up.py FOLDER`: FOLDER/steps holds a line `NAME EXIT_CODE` a step, FOLDER/NAME.xml the JUnit results of those that ran pytest.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

COUNTED = {"test": 1200, "sandbox": 130, "crashes": 14, "openai2": 165, "vllm": 84, "litellm": 70, "page": 4}
"""Steps that run pytest, with the number of tests that must have run at least: fewer means that something was left out."""
REAL = ("sandbox", "vllm", "litellm", "page")
"""Here a skipped test is a failed one."""
INFORMS = ("bench",)
"""Not counted."""


def counts(report: Path) -> tuple[int, int, int]:
    """Tests that passed, failed (or broke), were skipped."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    return tests - failures - errors - skipped, failures + errors, skipped


def step(folder: Path, name: str, code: int) -> tuple[int, int, str]:
    """Passed, failed, and a remark. A step counts as one check, and where it ran pytest as its tests."""
    if name in INFORMS:
        return 0, 0, "for information"
    if name not in COUNTED:
        return (1, 0, "") if code == 0 else (0, 1, f"exit code {code}")
    report = folder / f"{name}.xml"
    if not report.exists():
        return 0, 1, f"no test ran (exit code {code})"
    passed, failed, skipped = counts(report)
    remarks = [f"{skipped} skipped"] if skipped else []
    if name in REAL:
        failed += skipped
    if passed + failed < COUNTED[name]:
        remarks.append(f"{COUNTED[name]} tests were expected at least")
        failed += 1
    if code and not failed:
        remarks.append(f"exit code {code}")
        failed = 1
    return passed, failed, ", ".join(remarks)


def main(folder: Path) -> int:
    passed = failed = 0
    for line in (folder / "steps").read_text().splitlines():
        name, code = line.split()
        good, bad, remark = step(folder, name, int(code))
        passed, failed = passed + good, failed + bad
        print(f"{name:8} {good:5} passed {bad:5} failed  {remark}".rstrip())
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
