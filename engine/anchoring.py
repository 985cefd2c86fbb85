"""Feature activation coverage of a data set, against the features of an anchor set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.plug import admitted
from ..core.record import Record
from ..eval.measures.activation import Extractor, activation, centres, hashed_ngrams, nearest_clusters
from ..formats.sections import Section
from ..formats.seeds import SeedSource

if TYPE_CHECKING:
    from ..eval.measures.spread import Vectors

MOST = 20_000
"""Anchor texts that are read."""


def activated(texts: Sequence[str], anchor: Mapping[str, Any], base: Path, vectors: Vectors | None, seed: int) -> Section:
    """The table of one anchor. Raises RecipeError where the anchor cannot be read."""
    source = SeedSource(path=anchor["path"], fields=dict(anchor.get("fields", {})))
    records = (record for record in source.judged(base) if isinstance(record, Record))
    wanted = [record.response.text if record.response else record.prompt for record in islice(records, MOST)]
    name = anchor.get("extractor", "ngrams")
    if name == "clusters":
        mine, theirs = _by_clusters(texts, wanted, vectors, anchor.get("clusters", 256), seed)
    else:
        extract = hashed_ngrams if name == "ngrams" else extractor(name)
        mine, theirs = extract(texts), extract(wanted)
    found = activation(mine, theirs, anchor.get("least", 2))
    lead = (
        f"Of the {found.features:,} features ({name}) that at least {anchor.get('least', 2)} of {len(wanted):,} anchor texts have, the data set has {found.covered:,}."
        if found.features
        else "The anchor has no features that count: nothing can be said."
    )
    rows: list[tuple[str | int | float | None, ...]] = [(feature,) for feature in found.missing[:20]]
    return Section(
        "Feature activation",
        lead,
        ("Missing features, most frequent first",),
        rows,
        {} if found.share is None else {"activation_coverage": found.share},
    )


def extractor(name: str) -> Extractor:
    """`module:function`, where the operator admits the module. Raises RecipeError."""
    module, _, function = name.partition(":")
    found: Extractor = getattr(import_module(admitted(module)), function)
    return found


def _by_clusters(
    texts: Sequence[str], wanted: Sequence[str], vectors: Vectors | None, k: int, seed: int
) -> tuple[list[set[int]], list[set[int]]]:
    from .extras import embedded

    anchors = embedded(wanted)
    centroids = centres(anchors, k, seed)
    return nearest_clusters(embedded(texts) if vectors is None else vectors, centroids), nearest_clusters(anchors, centroids)
