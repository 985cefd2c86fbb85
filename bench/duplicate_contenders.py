"""One way to remove duplicates, in a process of its own: `python duplicate_contenders.py NAME TEXTS.json` prints what it cost and found.

Each takes a list of texts (ours: of records, as a run has them) and gives the positions of those it would drop, the first of each group kept. All are set alike:
words folded to lower case, sets of word 3-grams, 14 bands of 8 rows, similarity 0.8; cosine 0.95 with the same static encoder.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

N, BANDS, ROWS, JACCARD, COSINE = 3, 14, 8, 0.8, 0.95
WEIGHTS = Path(__file__).parents[1] / "backends" / "static_encoder" / "weights"


def grams(text: str) -> list[str]:
    words = text.lower().split()
    return list({" ".join(words[at : at + N]) for at in range(max(1, len(words) - N + 1))})


def datasketch(texts: list[str]) -> list[int]:
    from datasketch import MinHash, MinHashLSH

    lsh, dropped = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS)), []
    for at, text in enumerate(texts):
        sketch = MinHash(num_perm=BANDS * ROWS)
        sketch.update_batch([gram.encode() for gram in grams(text)])
        if lsh.query(sketch):
            dropped.append(at)
        else:
            lsh.insert(at, sketch, check_duplication=False)
    return dropped


def rensa(texts: list[str]) -> list[int]:
    from rensa import RMinHash, RMinHashLSH

    lsh, dropped = RMinHashLSH(JACCARD, BANDS * ROWS, BANDS), []
    for begin in range(0, len(texts), 256):
        sketches = RMinHash.from_token_sets([grams(text) for text in texts[begin : begin + 256]], BANDS * ROWS, 42)
        for at, sketch in enumerate(sketches, begin):
            if lsh.query(sketch):
                dropped.append(at)
            else:
                lsh.insert(at, sketch)
    return dropped


def rensa_bulk(texts: list[str]) -> list[int]:
    """All at once, and nobody is told whose twin he is: both of a pair are flagged (the later one is counted here)."""
    from rensa import RMinHash, RMinHashLSH

    matrix = RMinHash.digest_matrix_from_token_sets([grams(text) for text in texts], BANDS * ROWS, 42)
    flags = RMinHashLSH(JACCARD, BANDS * ROWS, BANDS).query_duplicate_flags_matrix_one_shot(matrix)
    return [at for at, flag in enumerate(flags) if flag]


def semhash(texts: list[str]) -> list[int]:
    import numpy as np
    from model2vec import StaticModel
    from semhash import SemHash
    from tokenizers import Tokenizer

    vectors = np.load(WEIGHTS / "vectors.npy").astype(np.float32)
    model = StaticModel(vectors=vectors, tokenizer=Tokenizer.from_file(str(WEIGHTS / "tokenizer.json")), normalize=True)
    rows = [{"text": text, "at": at} for at, text in enumerate(texts)]
    kept = SemHash.from_records(rows, columns=["text"], model=model).self_deduplicate(threshold=COSINE)
    stay = {row["at"] for row in kept.selected}
    return [at for at in range(len(texts)) if at not in stay]


def records(texts: list[str]) -> list[Any]:
    """Texts as a run has them in memory."""
    from datalchemy.core.record import PlainText, Record

    made = [Record(content=PlainText(text=text), origin=str(at)) for at, text in enumerate(texts)]
    return made if all(record.id for record in made) else []


def ours(part: dict[str, Any], texts: list[Any]) -> list[int]:
    """The filter as a run holds it, in batches as a run brings them: verdicts that name the twin, verified, in seed order."""
    from contextlib import AsyncExitStack

    from datalchemy.engine.filterrecipe import FilterRecipe
    from datalchemy.engine.loops import to_completion
    from datalchemy.engine.opening import open_tools
    from datalchemy.engine.toolbox import Toolbox

    async def run() -> list[int]:
        recipe, outcomes = FilterRecipe.build({"filters": [part]}), []
        (gate,) = recipe.filters
        async with AsyncExitStack() as stack:
            judge = await stack.enter_async_context(gate.open(Toolbox(await open_tools(recipe, stack, None), "bench")))
            for begin in range(0, len(texts), gate.batch):
                outcomes += [verdict.outcome for verdict in await judge(texts[begin : begin + gate.batch])]
        return [at for at, outcome in enumerate(outcomes) if outcome == "refuse"]

    return to_completion(run())


def near(texts: list[Any]) -> list[int]:
    return ours({"use": "near_duplicates"}, texts)


def bloom(texts: list[Any]) -> list[int]:
    return ours({"use": "near_duplicates", "bloom": 100_000}, texts)


def semantic(texts: list[Any]) -> list[int]:
    return ours({"use": "semantic_duplicates", "similarity": COSINE}, texts)


OURS = ("near_duplicates", "near_duplicates, bloom", "semantic_duplicates")
CONTENDERS = {
    "near_duplicates": near,
    "near_duplicates, bloom": bloom,
    "datasketch": datasketch,
    "rensa": rensa,
    "rensa, bulk flags": rensa_bulk,
    "semantic_duplicates": semantic,
    "semhash": semhash,
}


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def main() -> None:
    name, file = sys.argv[1:]
    texts = json.loads(Path(file).read_text())
    given = records(texts) if name in OURS else texts
    CONTENDERS[name](given[:300])  # imports, and tables that are made once
    gc.collect()
    gc.freeze()  # what the texts are made of is not walked through again and again while they are compared
    before, began, cpu = resident_mb(), time.perf_counter(), time.process_time()
    dropped = CONTENDERS[name](given)
    spent = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({**spent, "grown_mb": max(0.0, peak - before), "dropped": dropped}))


if __name__ == "__main__":
    main()
