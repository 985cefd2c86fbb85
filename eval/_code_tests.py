"""Tests of code as data sets have them, read into one shape. Nothing is unpickled and nothing is run here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..core.record import Record
from ._code_asserts import split

Mode = Literal["program", "call", "check"]
LARGEST = 32 << 20
"""Characters of tests; larger ones are not read."""

CODE = re.compile(r"\s*(?:from|import|def|async def|class)\s|\s*(?:@\w|#|\"\"\"|''\'|[A-Z_]+ *=)")
"""How a text begins that is a program."""


class BadTests(Exception):
    """Tests that cannot be used; the message is the reason of the abstention."""


@dataclass(frozen=True)
class Case:
    """One case: what the sandbox is told, and what stays here."""

    ask: Any
    """Of a program, its stdin; of a function, the call; of a check, the text of the test."""
    expected: Any = None
    how: Literal["output", "value", "wrapped", "python", "true", "false", "inside"] = "value"
    """How the answer is compared; `inside`: the test itself says."""


@dataclass(frozen=True)
class Suite:
    """All cases of a record."""

    mode: Mode
    cases: Sequence[Case]
    entry: str = ""
    prompt: str = ""
    """Code that comes before the candidate's (HumanEval)."""
    setup: str = ""
    """Code that the tests need before them."""
    marks: Sequence[str] = field(default=())


def suite_of(record: Record) -> Suite:
    """The tests of a record: `tests`, else its fields. Raises BadTests."""
    try:
        around = {"prompt": record.prompt, **record.fields}
        if record.tests is not None and record.tests.strip():
            return _read(_parsed(record.tests), around)
        return _read(dict(record.fields), around)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadTests(f"bad_tests: the tests cannot be read: {type(error).__name__}: {str(error)[:120]}") from error


def _parsed(text: str) -> Any:
    """JSON; anything else is Python (asserts, or a test function)."""
    if len(text) > LARGEST:
        raise BadTests(f"bad_tests: {len(text)} characters of tests, at most {LARGEST}")
    if text.lstrip()[:1] not in ("{", "["):
        return [text]
    return json.loads(text)


def _read(raw: Any, around: Mapping[str, Any]) -> Suite:
    """One of the known shapes; `around` are the record's other columns, where some keep a part of it."""
    if isinstance(raw, list):
        return _of_list(raw, around)
    if not isinstance(raw, dict):
        raise BadTests(f"bad_tests: neither an object nor a list: {type(raw).__name__}")
    for name in ("input_output", "verification_info", "tests"):  # APPS, TACO; SYNTHETIC-1; a column of tests
        if raw.get(name):
            inner = raw[name]
            return _read(_parsed(inner) if isinstance(inner, str) else inner, {**around, **raw})
    if "inputs" in raw and "outputs" in raw:
        return _of_columns(raw)
    if raw.get("public_test_cases") or raw.get("private_test_cases"):
        return _of_livecodebench(raw)
    if raw.get("test_cases") or raw.get("assert_case"):
        language = str(raw.get("language") or "python").lower()
        if not language.startswith("py"):
            raise BadTests(f"other_language: the tests are for {language[:30]}, only Python is run")
        return _read(raw.get("test_cases") or raw["assert_case"], {**around, **raw})
    if isinstance(raw.get("test"), str) and raw.get("entry_point"):
        return _of_humaneval(raw, around)
    if raw.get("test_list"):
        return _of_asserts([*raw["test_list"], *(raw.get("challenge_test_list") or ())], raw)
    raise BadTests("no_tests: the record has no tests of a known shape (docs/filters/unit_tests.md)")


def _of_list(raw: list[Any], around: Mapping[str, Any]) -> Suite:
    if not raw:
        raise BadTests("no_tests: the list of tests is empty")
    if all(isinstance(one, str) for one in raw):
        return _of_asserts(raw, around)
    if not all(isinstance(one, dict) and "input" in one and "output" in one for one in raw):
        raise BadTests("bad_tests: a list of tests holds either asserts or objects with input and output")
    entry = next((str(one["fn_name"]) for one in raw if one.get("fn_name")), "") or _function_name(around)
    kinds = {_kind(one) or ("call" if entry else "program") for one in raw}
    if len(kinds) > 1:
        raise BadTests("bad_tests: programs and functions in one list")
    if kinds == {"program"}:
        return Suite("program", [Case(_text(one["input"]), _text(one["output"]), "output") for one in raw])
    if not entry:
        raise BadTests("bad_tests: the tests call a function and do not name it (fn_name, metadata.func_name)")
    return Suite("call", [Case({"args": _arguments(one["input"])}, _value(one["output"])) for one in raw], entry)


def _kind(one: Mapping[str, Any]) -> str:
    word = str(one.get("testtype") or one.get("type") or "").lower()
    return "program" if word.startswith("stdin") else "call" if word.startswith("func") else ""


def _function_name(around: Mapping[str, Any]) -> str:
    """Where LiveCodeBench keeps it: `metadata`, itself JSON."""
    metadata = around.get("metadata")
    metadata = json.loads(metadata) if isinstance(metadata, str) and metadata.strip() else metadata
    found = metadata.get("func_name") if isinstance(metadata, dict) else None
    return str(found or around.get("fn_name") or around.get("entry_point") or "")


def _arguments(raw: Any) -> list[Any]:
    """A list of arguments, or text with one JSON value a line."""
    if isinstance(raw, str):
        return [json.loads(line) for line in raw.splitlines() if line.strip()]
    return list(raw) if isinstance(raw, (list, tuple)) else [raw]


def _value(raw: Any) -> Any:
    """An expected value; text is JSON where it can be read as such."""
    if not isinstance(raw, str):
        return raw
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def _text(raw: Any) -> str:
    """Input or output of a program: text, or a list of lines."""
    if isinstance(raw, list):
        return "\n".join(_text(one) for one in raw)
    return raw if isinstance(raw, str) else json.dumps(raw)


def _of_columns(raw: Mapping[str, Any]) -> Suite:
    """APPS, TACO: inputs and outputs beside each other."""
    inputs, outputs, entry = raw["inputs"], raw["outputs"], str(raw.get("fn_name") or "")
    if len(inputs) != len(outputs) or not inputs:
        raise BadTests(f"bad_tests: {len(inputs)} inputs and {len(outputs)} outputs")
    if not entry:
        return Suite("program", [Case(_text(one), _text(out), "output") for one, out in zip(inputs, outputs, strict=True)])
    cases = [Case({"args": _arguments(one)}, out, "wrapped") for one, out in zip(inputs, outputs, strict=True)]
    return Suite("call", cases, entry)


def _of_livecodebench(raw: Mapping[str, Any]) -> Suite:
    found: list[Any] = []
    for name in ("public_test_cases", "private_test_cases"):
        cases = raw.get(name) or []
        if isinstance(cases, str) and cases.lstrip()[:1] != "[":
            raise BadTests(f"pickled_tests: {name} is compressed and pickled, and what is pickled is not opened here; convert it to JSON")
        found += json.loads(cases) if isinstance(cases, str) else list(cases)
    return _of_list(found, raw)


def _of_humaneval(raw: Mapping[str, Any], around: Mapping[str, Any]) -> Suite:
    entry = str(raw["entry_point"]).rpartition(".")[2]
    prompt = raw.get("prompt") or around.get("prompt") or ""
    test = raw["test"]
    call = f"\ncheck({entry})\n" if "def check" in test and not re.search(r"^check\(", test, re.MULTILINE) else "\n"
    return Suite("check", [Case(test + call, how="inside")], entry, prompt=prompt if _is_code(prompt, entry) else "")


def _is_code(prompt: Any, entry: str) -> bool:
    """Whether it is the head of the function, as HumanEval has it, and not a request in words."""
    if not isinstance(prompt, str) or not CODE.match(prompt):
        return False
    return re.search(rf"^(?:async )?def {re.escape(entry)}\b", prompt, re.MULTILINE) is not None


def _of_asserts(tests: Sequence[str], around: Mapping[str, Any]) -> Suite:
    """MBPP and lists of asserts. Plain ones are taken apart, so that what they expect stays here; else all run in the sandbox."""
    texts = [test.replace("\r\n", "\n").strip() for test in tests if test.strip()]
    if not texts:
        raise BadTests("no_tests: the list of tests is empty")
    imports = around.get("test_imports") or ()
    parts = [*([imports] if isinstance(imports, str) else imports), str(around.get("test_setup_code") or "")]
    setup = "\n".join(part.replace("\r\n", "\n") for part in parts if part)
    apart = [split(text) for text in texts]
    if all(apart):
        cases = [Case({"eval": expression}, expected, how) for pieces in apart for expression, expected, how in pieces or ()]
        return Suite("call", cases, setup=setup)
    entry = str(around.get("entry_point") or "").rpartition(".")[2]
    return Suite("check", [Case(text, how="inside") for text in texts], entry, setup=setup)
