"""Personas from the recipe or a file: read whole before a token is spent, a bad line named."""

from __future__ import annotations

from pathlib import Path

import pytest
from datalchemy.personas.listed import Listed
from pydantic import ValidationError


def listed(folder: Path, **fields: object) -> Listed:
    return Listed.model_validate(fields, context={"base": folder})


def test_texts_go_round_and_equal_ones_count_once() -> None:
    some = Listed(texts=("a nurse", " a baker ", "a nurse", ""))
    assert len(some) == 2
    assert [some.persona(number).text for number in range(3)] == ["a nurse", "a baker", "a nurse"]
    assert some.reads() == {}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("p.txt", "a nurse\n\na baker\r\n"),
        ("p.jsonl", '{"persona": "a nurse", "n": 1}\n\n{"persona": "a baker"}\n'),
        ("p.csv", "id,persona\n1,a nurse\n2,a baker\n"),
        ("p.tsv", "\ufeffpersona\tid\na nurse\t1\na baker\t2\n"),
    ],
)
def test_files(name: str, body: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(body, newline="")
    some = listed(tmp_path, path=name)
    assert [some.persona(number).text for number in range(2)] == ["a nurse", "a baker"]
    before = some.reads()["personas"]
    (tmp_path / name).write_text(body.replace("baker", "butcher"))
    assert listed(tmp_path, path=name).reads()["personas"] != before


def test_another_column_and_another_order(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text("".join(f'{{"who": "person {n}"}}\n' for n in range(20)))
    plain = listed(tmp_path, path="p.jsonl", column="who")
    mixed = listed(tmp_path, path="p.jsonl", column="who", shuffle_seed=1)
    texts = [mixed.persona(number).text for number in range(20)]
    assert texts != [plain.persona(number).text for number in range(20)]
    assert sorted(texts) == sorted(plain.persona(number).text for number in range(20))


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("p.jsonl", '{"persona": "a"}\n{"name": "b"}\n', r"p\.jsonl:2: no text in the column 'persona'; there are: name"),
        ("p.jsonl", '{"persona": "a"}\nnope\n', r"p\.jsonl:2: not valid JSON"),
        ("p.jsonl", '{"persona": 3}\n', "no text in the column"),
        ("p.jsonl", "[1]\n", "there are: list"),
        ("p.csv", "id,who\n1,a\n", "there are: id, who"),
        ("p.txt", "\n \n", "no persona in"),
        ("p.parquet", "PAR1", "read from .txt, .jsonl"),
        ("p.txt", "x" * 5000, "longer than 4000"),
    ],
)
def test_a_bad_file_is_named(name: str, body: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(body)
    with pytest.raises(ValidationError, match=message):
        listed(tmp_path, path=name)


def test_no_file_no_utf8_and_no_choice(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"a\xff")
    for fields, message in (({"path": "none.txt"}, "cannot be read"), ({"path": "bad.txt"}, "not valid UTF-8 at byte 1")):
        with pytest.raises(ValidationError, match=message):
            listed(tmp_path, **fields)
    for fields in ({}, {"texts": ["a"], "path": "p.txt"}):
        with pytest.raises(ValidationError, match="exactly one"):
            Listed.model_validate(fields)
