"""`python bench/calibrate.py [RECIPE]`: precision and recall by threshold of an encoder on the labelled pairs, and the threshold that follows.

Without a recipe: of the static encoder that ships, whose result is written beside its weights. A recipe's model `encoder` is
measured otherwise.
"""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack

from datalchemy.backends.static_encoder import folder
from datalchemy.engine.filterrecipe import FilterRecipe
from datalchemy.engine.loops import to_completion
from datalchemy.engine.opening import open_tools
from datalchemy.engine.toolbox import Toolbox
from datalchemy.eval._calibration import curve, pairs, similarities, threshold

STEPS = [step / 100 for step in range(50, 100, 2)]


async def measured(recipe: FilterRecipe) -> tuple[str, list[float]]:
    """Who the encoder is, and the similarity of each pair."""
    async with AsyncExitStack() as stack:
        shared = await open_tools(recipe, stack, None)
        cosines = await similarities(Toolbox(shared, "calibrate").model("encoder"))
        return shared.askers["encoder"].identity, cosines


def main() -> None:
    data = {"filters": ["semantic_duplicates"]}
    own = len(sys.argv) < 2
    recipe = FilterRecipe.build(data) if own else FilterRecipe.build({**data, "models": FilterRecipe.load(sys.argv[1]).models})
    who, cosines = to_completion(measured(recipe))
    same = [pair.same for pair in pairs()]
    chosen = threshold(cosines, same)
    print(f"{who}: {len(same)} pairs, {sum(same)} of them the same\n\n| cosine from | precision | recall |\n|---|---|---|")
    for point in curve(cosines, same, STEPS):
        print(f"| {point.threshold:.2f} | {point.precision:.2f} | {point.recall:.2f} |")
    print(f"\nthreshold: {chosen.threshold:.2f} (precision {chosen.precision:.2f}, recall {chosen.recall:.2f})")
    if own:
        told = {"encoder": who, "pairs": len(same), **chosen._asdict()}
        (folder() / "calibration.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
