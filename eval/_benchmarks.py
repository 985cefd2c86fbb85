"""Benchmarks as an index: which n-grams and short texts stand in which item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from ..core.errors import RecipeError
from ..core.record import PlainText, Record
from ..formats.seeds import BadSeed, SeedSource
from ._ngrams import ngrams, stretches, tokens

if TYPE_CHECKING:
    from ._ngrams import Tokens, Words

CHUNK = 512
"""Texts of a benchmark that are read together."""
MOST_CHARS = 250_000_000
"""Of one benchmark: what is larger is none (a file of a few kilobytes can unfold to that, and its index would take all memory)."""
FURTHER = ("solution", "rationale", "explanation", "reference_solution")
"""Columns beside question and answer that hold text worth knowing."""
_TABLE_BITS = (16, 26)
"""Least and most bits of the table that says whether an n-gram can be in the index at all."""


class Benchmark(SeedSource):
    """One benchmark: a file, a folder, a hub name (`path`, with `split`, `fields`, `limit` as of seeds) or `inline` rows."""

    name: str = Field(min_length=1, max_length=100)
    """What verdicts and the hit list call it."""

    def check(self, base: Path) -> None:
        """Raises RecipeError, which names the benchmark, where `path` is no file, no folder with data and no hub name."""
        with self._named(""):
            super().check(base)

    def items(self, base: Path) -> Iterator[tuple[int, Item]]:
        """Row number and texts of each item. Raises RecipeError: a benchmark that cannot be read whole is no guard."""
        size = 0
        with self._named("against"):
            for number, row in enumerate(self.judged(base), 1):
                if isinstance(row, BadSeed):
                    raise RecipeError(f"cannot be read: {row.reason}")
                item = _item(row)
                size += len(item.question) + sum(map(len, item.answers))
                if size > MOST_CHARS:
                    raise RecipeError(f"has more than {MOST_CHARS:,} characters by row {number}; give it a `limit`")
                yield number, item

    @contextmanager
    def _named(self, where: str) -> Iterator[None]:
        try:
            yield
        except RecipeError as error:
            text = str(error).removeprefix(f"{error.where}: ")
            raise RecipeError(f"the benchmark {self.name!r}{':' if error.where else ''} {text}", where) from error


class Item(NamedTuple):
    """The texts of one item."""

    question: str
    answers: tuple[str, ...]


class Place(NamedTuple):
    """An item of a benchmark."""

    benchmark: str
    item: int


class Hit(NamedTuple):
    """What a text shares with one item."""

    place: int
    """Number of the item among all items."""
    n: int
    """Words of the n-grams it was found by; 0: the whole text."""
    share: float
    """Of the words of the item's text that stand in such n-grams."""
    begin: int
    end: int
    """The first shared stretch, in the text that was looked at."""


def _item(row: Record) -> Item:
    reply = row.response.text if row.response is not None else ""
    more = [row.fields[name] for name in FURTHER if isinstance(row.fields.get(name), str)]
    question = row.content.text if isinstance(row.content, PlainText) else "\n".join(m.text for m in row.messages if m.role == "user")
    return Item(question, tuple(text for text in (row.answer, reply, *more) if text))


class _Grams:
    """N-grams of one length: a sorted list of hashes, and for each the places where it stands."""

    def __init__(self, n: int, hashes: Words, texts: Words, at: Words) -> None:
        import numpy as np

        order = np.argsort(hashes, kind="stable")
        self.n, self.hashes, self.texts, self.at = n, hashes[order], texts[order], at[order]
        bits = min(max((16 * len(hashes)).bit_length(), _TABLE_BITS[0]), _TABLE_BITS[1])
        self._mask = np.uint64((1 << bits) - 1)
        self._maybe = np.zeros(1 << bits, dtype=bool)
        self._maybe[self.hashes & self._mask] = True

    def found(self, hashes: Words) -> tuple[Words, Words, Words]:
        """Which of these hashes are here (their numbers), and the stretch of places of each."""
        import numpy as np

        at = np.flatnonzero(self._maybe[hashes & self._mask])
        wanted = hashes[at]
        left, right = (np.searchsorted(self.hashes, wanted, side=side) for side in ("left", "right"))
        there = right > left
        return at[there], left[there], right[there]


class Index:
    """All benchmarks together."""

    def __init__(self, lengths: Sequence[int], *, exact: bool, min_words: int, common: int, mask_numbers: bool) -> None:
        self.places: list[Place] = []
        self.questions: list[str] = []
        self._lengths, self._exact = tuple(sorted(set(lengths))), exact
        self._min_words, self._common, self._mask_numbers = min_words, common, mask_numbers
        self._words: list[int] = []
        """Words of each text."""
        self._of: list[int] = []
        """The item that each text belongs to."""
        self._parts: dict[int, list[tuple[Words, Words, Words]]] = {n: [] for n in self._lengths}
        self._whole: dict[int, int] = {}
        self._grams: list[_Grams] = []

    def add(self, benchmark: str, items: Sequence[tuple[int, Item]]) -> None:
        """Take in items of one benchmark."""
        first = len(self._of)
        texts: list[tuple[str, int]] = []
        for number, item in items:
            place = len(self.places)
            self.places.append(Place(benchmark, number))
            self.questions.append(item.question)
            texts += [(item.question, 0), *((text, 8) for text in item.answers)]
            self._of += [place] * (1 + len(item.answers))
        read = tokens([text for text, _ in texts], mask_numbers=self._mask_numbers)
        begin, end = bounds(read, len(texts))
        self._words += (end - begin).tolist()
        for n in self._lengths:
            hashes, at = ngrams(read, n)
            owner = read.owner[at]
            self._parts[n].append((hashes, owner + first, at - begin[owner]))
        if self._exact:
            for number, hashed in enumerate(stretches(read, begin, end).tolist()):
                if end[number] - begin[number] >= max(self._min_words, texts[number][1]):
                    self._whole.setdefault(hashed, first + number)

    def close(self) -> None:
        """No more items: sort what there is, and leave out n-grams that stand in more than `common` items (boilerplate)."""
        import numpy as np

        of = np.array(self._of, dtype=np.int64)
        for n, parts in self._parts.items():
            if not parts:
                continue
            hashes, texts, at = (np.concatenate([part[i] for part in parts]) for i in range(3))
            pairs = np.unique(np.stack((hashes, of[texts].astype(np.uint64))), axis=1)[0]
            known, times = np.unique(pairs, return_counts=True)
            keep = ~np.isin(hashes, known[times > self._common])
            self._grams.append(_Grams(n, hashes[keep], texts[keep].astype(np.int32), at[keep].astype(np.int32)))
        self._parts.clear()

    def hits(self, read: Tokens, count: int) -> list[list[Hit]]:
        """What each of the `count` texts shares with items: one hit for each item and way of finding it."""
        found: list[list[Hit]] = [[] for _ in range(count)]
        for grams in self._grams:
            hashes, at = ngrams(read, grams.n)
            which, left, right = _once(read, at, *grams.found(hashes))
            self._gather(found, read, grams, at[which].tolist(), left.tolist(), right.tolist())
        if self._whole:
            self._equal(found, read, count)
        return found

    def _gather(self, found: list[list[Hit]], read: Tokens, grams: _Grams, at: list[int], left: list[int], right: list[int]) -> None:
        """Hits of one length: for each text and item, the words of the item that are covered."""
        covered: dict[tuple[int, int], set[int]] = {}
        first: dict[tuple[int, int], tuple[int, int]] = {}
        for word, begin, end in zip(at, left, right, strict=True):
            owner = int(read.owner[word])
            for text, place in zip(grams.texts[begin:end].tolist(), grams.at[begin:end].tolist(), strict=True):
                key = owner, text
                covered.setdefault(key, set()).update(range(place, place + grams.n))
                start, stop = first.get(key, (word, word))
                first[key] = (start, word + grams.n) if word <= stop else (start, stop)
        best: dict[tuple[int, int], Hit] = {}
        for (owner, text), words in covered.items():
            begin, end = first[owner, text]
            hit = Hit(self._of[text], grams.n, len(words) / self._words[text], int(read.starts[begin]), int(read.ends[end - 1]))
            key = owner, hit.place
            best[key] = max(best.get(key, hit), hit, key=lambda one: one.share)
        for (owner, _), hit in best.items():
            found[owner].append(hit)

    def _equal(self, found: list[list[Hit]], read: Tokens, count: int) -> None:
        """Texts, and lines of texts, that are an item's text as a whole."""
        begins, ends = _whole_or_line(read, count)
        for number, hashed in enumerate(stretches(read, begins, ends).tolist()):
            text = self._whole.get(hashed)
            if text is not None:
                begin, end = int(begins[number]), int(ends[number])
                hit = Hit(self._of[text], 0, 1.0, int(read.starts[begin]), int(read.ends[end - 1]))
                if hit not in found[read.owner[begin]]:
                    found[read.owner[begin]].append(hit)


def _once(read: Tokens, at: Words, which: Words, left: Words, right: Words) -> tuple[Words, Words, Words]:
    """Each n-gram once a text: a text that says one thing a thousand times costs no more than once."""
    import numpy as np

    pairs = np.stack((read.owner[at[which]], left))
    first = np.sort(np.unique(pairs, axis=1, return_index=True)[1])
    return which[first], left[first], right[first]


def bounds(read: Tokens, count: int) -> tuple[Words, Words]:
    """The first word of each text, and the one after its last."""
    import numpy as np

    numbers = np.arange(count)
    return np.searchsorted(read.owner, numbers, side="left"), np.searchsorted(read.owner, numbers, side="right")


def _whole_or_line(read: Tokens, count: int) -> tuple[Words, Words]:
    """Stretches of words that are a text or a line of it; none of them empty."""
    import numpy as np

    whole = bounds(read, count)
    chars = np.frombuffer(read.joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    line = np.searchsorted(np.flatnonzero(chars == 10), read.starts)
    cuts = np.flatnonzero(np.diff(line, prepend=-1, append=-1))
    begin, end = np.concatenate((whole[0], cuts[:-1])), np.concatenate((whole[1], cuts[1:]))
    some = end > begin
    return begin[some], end[some]
