"""Seeds: what users have, read as they mean it; what is broken or hostile, named by file and row and survived."""

import csv
import json
import os
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import orjson
import pytest
from datalchemy.core.errors import RecipeError
from datalchemy.core.record import Record
from datalchemy.formats.seeds import BadSeed, SeedSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError


def read(base: Path, path: str | None = None, **settings) -> list[Record | BadSeed]:
    return list(SeedSource(path=path, **settings).records(base))


def prompts(records: list[Record | BadSeed]) -> list[str]:
    return [r.prompt for r in records if isinstance(r, Record)]


def test_the_recipe_of_the_readme(tmp_path):
    (tmp_path / "problems.jsonl").write_text('{"question": "1+1?", "answer": 2, "level": "easy"}\n')
    [seed] = read(tmp_path, "problems.jsonl", fields={"prompt": "question", "answer": "answer"})
    assert (seed.prompt, seed.answer, seed.fields, seed.origin) == ("1+1?", "2", {"level": "easy"}, "")


@pytest.mark.parametrize("prompt", ["prompt", "question", "instruction", "problem", "input"])
@pytest.mark.parametrize("answer", ["answer", "solution", "final_answer", "gold"])
def test_usual_column_names_need_no_mapping(tmp_path, prompt, answer):
    (tmp_path / "a.jsonl").write_text(json.dumps({prompt: "p", answer: "a", "k": [1]}))
    [seed] = read(tmp_path, "a.jsonl")
    assert (seed.prompt, seed.answer, seed.fields) == ("p", "a", {"k": [1]})


def test_an_unknown_layout_says_which_columns_there_are(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"frage": "p", "antwort": "a"}')
    with pytest.raises(RecipeError, match=r"frage, antwort; map them .*fields"):
        read(tmp_path, "a.jsonl")
    with pytest.raises(RecipeError, match=r"no column 'fragen' \(for 'prompt'\) in a.jsonl; its columns: frage, antwort"):
        read(tmp_path, "a.jsonl", fields={"prompt": "fragen"})


def test_a_column_that_only_later_rows_have_is_found(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two", "gold_label": 2}')
    one, two = read(tmp_path, "a.jsonl", fields={"answer": "gold_label"})
    assert (one.answer, two.answer) == (None, "2")


@pytest.mark.parametrize("given", ["7.50", "1e3", "10000000000000000000000000000000000000001", "-0.10"])
def test_a_gold_number_stays_as_its_row_spells_it(tmp_path, given):
    (tmp_path / "a.jsonl").write_text(f'{{"prompt": "p", "answer": {given}}}')
    assert read(tmp_path, "a.jsonl")[0].answer == given


def test_conversations_in_both_shapes(tmp_path):
    share = {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "<think>\nhm\n</think>\n\nhello"}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(share))
    [seed] = read(tmp_path, "a.jsonl")
    assert [(m.role, m.content, m.reasoning) for m in seed.messages] == [("user", "hi", None), ("assistant", "hello", "hm")]
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    openai = [
        {"role": "user", "content": [{"type": "text", "text": "what is "}, {"type": "image_url", "image_url": {"url": "http://h/a.png"}}]},
        {"role": "assistant", "content": None, "reasoning_content": "r", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
    ]
    (tmp_path / "b.jsonl").write_text(json.dumps({"messages": openai, "system": "be brief", "tools": [{"name": "add"}]}))
    [seed] = read(tmp_path, "b.jsonl")
    system, user, assistant, tool = seed.messages
    assert system.content == "be brief" and user.content[1].url == "http://h/a.png"
    assert assistant.reasoning == "r" and assistant.tool_calls[0].arguments == '{"a": 1}' and tool.tool_call_id == "c1"
    assert seed.content.tools == ({"name": "add"},)


def test_tests_system_and_renamed_columns(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"q": "p", "cases": [[1, 2]], "who": "sys", "nr": 5}))
    [seed] = read(tmp_path, "a.jsonl", fields={"prompt": "q", "tests": "cases", "system": "who", "id": "nr"})
    assert seed.tests == "[[1,2]]" and seed.messages[0].content == "sys" and seed.fields == {"id": 5}


def test_an_alpaca_row_is_its_instruction_with_its_input(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instruction": "Translate.", "input": "Hund"}\n{"instruction": "Joke.", "input": ""}')
    assert prompts(read(tmp_path, "a.jsonl")) == ["Translate.\n\nHund", "Joke."]


HOSTILE = {
    "cut": (b'{"prompt": "a', "not valid JSON"),
    "nan": (b'{"prompt": "a", "answer": NaN}', "not valid JSON"),
    "infinity": (b'{"prompt": "a", "x": 1e999}', "not valid JSON"),
    "lone surrogate": (b'{"prompt": "\\ud800"}', "not valid JSON"),
    "latin-1": (b'{"prompt": "\xe9"}', "not valid JSON"),
    "bottomless": (b'{"prompt": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not valid JSON"),
    "deep": (b'{"prompt": "a", "x": ' + b"[" * 100 + b"]" * 100 + b"}", "nested more than 32"),
    "no object": (b"[1, 2]", "expected an object"),
    "empty prompt": (b'{"prompt": " "}', "is empty"),
    "no prompt": (b'{"other": "x"}', "no 'prompt'; it has 'other'"),
    "null prompt": (b'{"prompt": null}', "no 'prompt'"),
    "number prompt": (b'{"prompt": 5}', "must be text"),
    "unknown role": (b'{"prompt": [{"role": "wizard", "content": "x"}]}', "unknown role 'wizard'"),
    "role is a list": (b'{"prompt": [{"role": [], "content": "x"}]}', "unknown role"),
    "no messages": (b'{"prompt": []}', "no messages"),
    "message is text": (b'{"prompt": ["x"]}', "message 1: expected an object"),
    "inline image": (b'{"prompt": [{"role": "user", "content": [{"type": "image_url", "image_url": "data:xx"}]}]}', "by reference"),
    "17 MB": (b'{"prompt": "' + b"x" * (17 << 20) + b'"}', "longer than 16 MiB"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_bad_row_is_named_and_costs_only_itself(tmp_path, case):
    row, reason = HOSTILE[case]
    (tmp_path / "p.jsonl").write_bytes(b'{"prompt": "before"}\n\n' + row + b'\n{"prompt": "after"}\n')
    before, bad, after = read(tmp_path, "p.jsonl")
    assert prompts([before, after]) == ["before", "after"]
    assert isinstance(bad, BadSeed) and bad.row == 3 and bad.reason.startswith("p.jsonl:3: ") and reason in bad.reason
    assert len(bad.reason) < 400 and bad.raw[:5] == row[:5] and len(bad.raw) <= 65536


def test_what_is_odd_but_legal_is_read(tmp_path):
    odd = ["a\u2028b", "c\x85d", "e\u0000f", "x" * (10 << 20), "🜍"]
    lines = [json.dumps({"prompt": text}, ensure_ascii=False) for text in odd]
    (tmp_path / "p.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode())
    assert prompts(read(tmp_path, "p.jsonl")) == odd


def test_splitlines_would_have_cut_that_row():
    """The control: the obvious way to read lines breaks on U+2028."""
    assert len(json.dumps({"prompt": "a\u2028b"}, ensure_ascii=False).splitlines()) == 2


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda s: s.strip())
scalar = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | text


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.fixed_dictionaries({"prompt": text, "answer": st.none() | text, "extra": scalar}), min_size=1, max_size=5))
def test_jsonl_round_trip(tmp_path, rows):
    (tmp_path / "p.jsonl").write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    seeds = read(tmp_path, "p.jsonl")
    assert [(s.prompt, s.answer, s.fields.get("extra")) for s in seeds] == [(r["prompt"], r["answer"], r["extra"]) for r in rows]
    assert [Record.load(s.dump()).prompt for s in seeds] == [r["prompt"] for r in rows]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    junk=st.lists(
        st.binary(max_size=40)
        | st.recursive(
            scalar, lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["prompt", "role", "content", "messages", "tools"]), x)
        ).map(orjson.dumps),
        max_size=6,
    )
)
def test_any_bytes_give_a_record_or_a_named_bad_row(tmp_path, junk):
    (tmp_path / "p.jsonl").write_bytes(b'{"prompt": "first", "tools": [], "system": ""}\n' + b"\n".join(junk))
    for item in read(tmp_path, "p.jsonl"):
        assert (isinstance(item, Record) and Record.load(item.dump())) or item.reason.startswith(f"p.jsonl:{item.row}: ")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(text, st.text(st.characters(exclude_categories=["Cs"]))), min_size=1, max_size=5))
def test_csv_round_trip(tmp_path, rows):
    with (tmp_path / "p.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("question", "answer"), *rows])
    assert [(s.prompt, s.answer) for s in read(tmp_path, "p.csv")] == rows


def test_csv_rows_that_are_broken(tmp_path):
    (tmp_path / "p.csv").write_bytes(b'\xef\xbb\xbfquestion,answer\r\n"two\r\nlines",1\r\nx,1,2\r\n\xff,2\r\nlast,3\r\n')
    first, wide, bytes_, last = read(tmp_path, "p.csv")
    assert prompts([first, last]) == ["two\r\nlines", "last"]
    assert wide.reason == "p.csv:4: 3 values for 2 columns" and bytes_.reason == "p.csv:5: not valid UTF-8" and bytes_.raw == b"\xff\t2"


def test_csv_with_an_unclosed_quote_ends_at_the_cap(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"question,answer\nq,a\n" + b'"' + b"x" * (17 << 20) + b"\nlast,3\n")
    first, bad, last = read(tmp_path, "p.csv")
    assert prompts([first, last]) == ["q", "last"] and "not valid CSV" in bad.reason


def test_a_list_in_a_json_file(tmp_path):
    (tmp_path / "p.json").write_text(' [{"prompt": "a"}, 5, {"prompt": "b"}]')
    a, bad, b = read(tmp_path, "p.json")
    assert prompts([a, b]) == ["a", "b"] and bad.reason == "p.json:2: expected an object with columns, got a number"
    (tmp_path / "lines.json").write_text('{"prompt": "a"}\n{"prompt": "b"}')
    assert prompts(read(tmp_path, "lines.json")) == ["a", "b"]


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    """Written in a process of its own: this one shows that reading Parquet imports no pyarrow."""
    base = tmp_path_factory.mktemp("parquet")
    code = """
import sys, datetime, decimal, pyarrow as pa, pyarrow.parquet as pq, datasets
rows = [{"question": f"q{i}", "answer": float("nan") if i == 1 else i, "raw": b"x", "day": datetime.date(2026, 1, 1), "d": decimal.Decimal("1.5")} for i in range(1000)]
pq.write_table(pa.Table.from_pylist(rows), "p.parquet", row_group_size=100)
d = datasets.Dataset.from_dict({"question": ["a", "b"], "answer": ["1", "2"]})
d.save_to_disk("saved"); datasets.DatasetDict(train=d, test=d.select([1])).save_to_disk("splits")
import os; os.makedirs("folder/data")
pq.write_table(pa.table({"prompt": ["x"]}), "folder/data/train-00000-of-00001.parquet")
pq.write_table(pa.table({"prompt": ["no"]}), "folder/data/test-00000-of-00001.parquet")
"""
    subprocess.run([sys.executable, "-c", code], cwd=base, check=True, capture_output=True)
    return base


def test_parquet_is_read_in_a_child(parquet):
    seeds = read(parquet, "p.parquet", limit=500)
    assert len(seeds) == 500 and seeds[7].prompt == "q7" and seeds[7].answer == "7.0" and seeds[1].answer is None
    assert seeds[0].fields == {"day": "2026-01-01", "d": "1.5"}


def test_reading_parquet_imports_no_pyarrow(parquet):
    code = (
        "import sys, pathlib; from datalchemy.formats.seeds import SeedSource; "
        "print(sum(1 for _ in SeedSource(path='p.parquet').records(pathlib.Path())), {'pyarrow', 'numpy', 'datasets'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=parquet, check=True, capture_output=True, text=True)
    assert done.stdout == "1000 set()\n"


def test_what_datasets_saved_and_folders_of_parquet(parquet):
    assert prompts(read(parquet, "saved")) == ["a", "b"]
    assert prompts(read(parquet, "splits", split="test")) == ["b"]
    assert prompts(read(parquet, "folder")) == ["x"]
    with pytest.raises(RecipeError, match="no split 'val'"):
        read(parquet, "splits", split="val")


def test_stopping_early_ends_the_child(parquet):
    rows = SeedSource(path="p.parquet").records(parquet)
    next(rows)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text().split() if children.exists() else []
    rows.close()
    assert not before or len(children.read_text().split()) == len(before) - 1


@pytest.mark.parametrize("damage", ["cut", "footer", "not parquet", "empty"])
def test_a_damaged_parquet_file_is_one_clear_error(parquet, tmp_path, damage):
    good = (parquet / "p.parquet").read_bytes()
    cases = {
        "cut": good[:-20],
        "footer": good[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1",
        "not parquet": b"hello",
        "empty": b"",
    }
    (tmp_path / "p.parquet").write_bytes(cases[damage])
    with pytest.raises(RecipeError, match=r"p.parquet cannot be read: "):
        read(tmp_path, "p.parquet")


@pytest.mark.parametrize(
    "how, says", [("os.abort()", "killed by signal 6"), ("os._exit(3)", "exit code 3"), ("x = bytearray(1 << 40)", "more memory")]
)
def test_a_reader_that_dies_does_not_take_us_along(parquet, tmp_path, monkeypatch, how, says):
    """A native abort, as a hostile file can cause it: pyarrow.parquet is replaced by something that dies while it reads."""
    (tmp_path / "pyarrow").mkdir()
    (tmp_path / "pyarrow" / "__init__.py").write_text("")
    (tmp_path / "pyarrow" / "parquet.py").write_text(f"import os\ndef ParquetFile(path):\n    {how}\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(RecipeError, match=says):
        read(parquet, "p.parquet")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the address space")
def test_parquet_is_read_where_memory_is_limited_already(parquet):
    """Under `ulimit -v`: the child cannot raise the limit, and need not."""
    import resource

    job = {"kind": "parquet", "paths": [str(parquet / "p.parquet")], "name": "", "config": None, "revision": None, "split": ""}
    ran = subprocess.run(
        [sys.executable, "-m", "datalchemy.formats._rows", json.dumps(job)],
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30)),
    )
    assert ran.stdout.endswith(b".\n"), ran.stderr[-300:]


def test_inline_and_its_mistakes(tmp_path):
    assert prompts(read(tmp_path, inline=["a", {"prompt": "b", "answer": 1}])) == ["a", "b"]
    for wrong in ({}, {"path": "a", "inline": ["b"]}, {"inline": ["a"], "limit": 0}, {"where": "x"}):
        with pytest.raises(ValidationError):
            SeedSource(**wrong)


def test_missing_and_unknown_files(tmp_path):
    (tmp_path / "problems.jsonl").write_text("")
    with pytest.raises(RecipeError, match=r"no file .*did you mean 'problems.jsonl'"):
        read(tmp_path, "problem.jsonl")
    with pytest.raises(RecipeError, match="no file"):
        read(tmp_path, "data/problems.jsonl")
    with pytest.raises(RecipeError, match="holds no rows"):
        read(tmp_path, "problems.jsonl")
    (tmp_path / "x.pkl").write_text("")
    with pytest.raises(RecipeError, match=r"read from \.jsonl"):
        read(tmp_path, "x.pkl")


def test_a_hub_name_without_network_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(RecipeError, match="the data set hf:nobody/nothing:main@v1 cannot be read"):
        read(tmp_path, "hf:nobody/nothing:main@v1")
    with pytest.raises(RecipeError, match="the data set nobody/nothing cannot be read"):
        SeedSource(path="nobody/nothing").fingerprint(tmp_path)


def test_limit_and_shuffle(tmp_path):
    (tmp_path / "p.jsonl").write_text("\n".join([f'{{"prompt": "{n}"}}' for n in range(200)] + ["broken"]))
    source = SeedSource(path="p.jsonl", shuffle=True)
    one, again, other = ([*source.records(tmp_path, seed=s)] for s in (1, 1, 2))
    assert one == again != other and sorted(prompts(one)) == sorted(map(str, range(200)))
    assert [b.reason.split(": ")[0] for b in one if isinstance(b, BadSeed)] == ["p.jsonl:201"]
    assert prompts(read(tmp_path, "p.jsonl", limit=3)) == ["0", "1", "2"]


def test_the_fingerprint_is_of_what_is_read(tmp_path):
    (tmp_path / "p.jsonl").write_text('{"prompt": "a"}')
    source = SeedSource(path="p.jsonl")
    first = source.fingerprint(tmp_path)
    (tmp_path / "q.jsonl").write_text('{"prompt": "a"}')
    assert SeedSource(path="q.jsonl").fingerprint(tmp_path) == first, "a renamed file holds the same seeds"
    changed = [SeedSource(path="p.jsonl", limit=1), SeedSource(path="p.jsonl", fields={"prompt": "prompt"}), SeedSource(inline=["a"])]
    (tmp_path / "p.jsonl").write_text('{"prompt": "b"}')
    assert len({first, source.fingerprint(tmp_path), *(s.fingerprint(tmp_path) for s in changed)}) == 5


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(rows: int) -> int:
        with (tmp_path / "p.jsonl").open("w") as file:
            file.writelines(f'{{"prompt": "{n} {"x" * 200}"}}\n' for n in range(rows))
        tracemalloc.start()
        for _ in SeedSource(path="p.jsonl").records(tmp_path):
            pass
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(8000) < peak(1000) + 100_000
