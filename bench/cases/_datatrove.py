"""Run by a Python that has datatrove: `_datatrove.py BENCHMARK TRAIN`: which lines its n-gram filter removes, and how fast."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    import numpy as np
    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.hashing import create_hash_func
    from datatrove.utils.text import TextNormConfig, ngrams, simplify_text
    from datatrove.utils.word_tokenizers import load_word_tokenizer

    benchmark, train = ([json.loads(line)["text"] for line in Path(path).read_text().splitlines()] for path in sys.argv[1:3])
    config = NGramsDecontConfig(n_grams=12, norm_config=TextNormConfig(norm_numbers=False))
    tokenizer, hashed = load_word_tokenizer("eng"), create_hash_func(config.hash_config)
    hashes = {
        hashed(" ".join(gram))
        for text in benchmark
        for gram in ngrams(tokenizer.word_tokenize(simplify_text(text, config.norm_config)), 12)
    }
    with tempfile.TemporaryDirectory() as folder:
        np.array(sorted(hashes), dtype=config.hash_config.np_descr).tofile(Path(folder) / "bench.index.hashes")
        judge = NGramsDecontFilter(folder, config, language="eng")
        judge.filter(Document(text=train[0], id="warm"))
        began = time.process_time()
        removed = [number for number, text in enumerate(train) if judge.filter(Document(text=text, id=str(number))) is not True]
        spent = time.process_time() - began
    print(json.dumps({"removed": removed, "seconds": spent}))


if __name__ == "__main__":
    main()
