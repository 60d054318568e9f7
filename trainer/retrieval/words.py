"""Search by words: BM25 over the words of a query, the rare ones first, as many as the time allows.

SQLite's own bm25() goes over every passage that has any of the words: 0.6 s for a question of 60 words over 200,000
tickets. Here a word's passages are read in one piece, kept while they are in use, and scored in numpy within the scope
of the search; how often a word is in one passage is not counted, since passages are short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from connectors.store.database import Store
from connectors.store.passage_words import terms
from trainer.retrieval.catalogue import Catalogue, Mask, Positions, _highest

# Robertson and Zaragoza, The Probabilistic Relevance Framework (2009); SQLite's FTS5 has the same constants.
K1, B = 1.2, 0.75
# How many passages the words of a query may have together: a whole index of this size, and all of a larger one once.
ROWS = 50_000
_CACHED_POSITIONS = 16_000_000
_WORTH_CACHING = 256


@dataclass(slots=True)
class _Postings:
    """Where a word is: positions, complete up to an id."""

    positions: npt.NDArray[np.int32]
    through: int


class WordSearch:
    """The words of a catalogue's passages."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store.passages.words
        self._catalogue = catalogue
        self._generation = -1
        self._known: dict[str, _Postings] = {}
        self._cached = 0
        self._frequencies: dict[tuple[str, str], int] = {}

    def best(self, query: str, kind: str, mask: Mask, n: int) -> Positions:
        """The `n` positions of a mask that match a query best, best first; only such as have a word of it."""
        if self._generation != self._catalogue.generation:
            self._known, self._cached, self._frequencies = {}, 0, {}
            self._generation = self._catalogue.generation
        words = self._rarest(query, kind)
        return self._articles(words, mask, n) if kind == "article" else self._tickets(words, mask, n)

    def _rarest(self, query: str, kind: str) -> list[str]:
        ranked = sorted((count, word) for word in terms(query, kind) if (count := self._frequency(kind, word)))
        room = max(ROWS, len(self._catalogue))
        chosen: list[str] = []
        for count, word in ranked:
            room -= count
            if room < 0 and chosen:
                break
            chosen.append(word)
        return chosen

    def _frequency(self, kind: str, word: str) -> int:
        # Kept as it once was: it only decides which words are left out.
        known = self._frequencies.get((kind, word))
        if known is None:
            known = self._store.frequency(kind, word)
            if known >= _WORTH_CACHING:
                self._frequencies[kind, word] = known
        return known

    def _articles(self, words: list[str], mask: Mask, n: int) -> Positions:
        ids, scores = self._store.articles_with(words)
        positions, there = self._positions(ids)
        scores = scores[there]
        inside = mask[positions]
        positions, scores = positions[inside], scores[inside]
        return positions[_highest(scores, n)]

    def _tickets(self, words: list[str], mask: Mask, n: int) -> Positions:
        total = int(mask.sum())
        if not total:
            return np.zeros(0, np.intp)
        scores = np.zeros(len(self._catalogue), np.float32)
        for word in words:
            positions = self._tickets_with(word)
            inside = int(np.count_nonzero(mask[positions]))
            scores[positions] += max(1e-6, np.log((total - inside + 0.5) / (inside + 0.5)))
        touched = np.flatnonzero((scores > 0) & mask)
        lengths = self._catalogue.lengths[touched]
        average = float(self._catalogue.lengths[mask].mean()) or 1.0
        found = scores[touched] * (K1 + 1) / (1 + K1 * (1 - B + B * lengths / average))
        return touched[_highest(found, n)]

    def _tickets_with(self, word: str) -> npt.NDArray[np.int32]:
        known = self._known.pop(word, None)
        top = int(self._catalogue.ids[-1])
        if known is None or known.through < top:
            after = known.through if known else 0
            positions = self._positions(self._store.tickets_with(word, after))[0].astype(np.int32)
            if known:
                self._cached -= len(known.positions)
                positions = np.concatenate([known.positions, positions])
            known = _Postings(positions, top)
            self._cached += len(positions)
        if len(known.positions) < _WORTH_CACHING:
            self._cached -= len(known.positions)
            return known.positions
        # The one used last is the last to go.
        self._known[word] = known
        while self._cached > _CACHED_POSITIONS:
            oldest = next(iter(self._known))
            self._cached -= len(self._known.pop(oldest).positions)
        return known.positions

    def _positions(self, ids: npt.NDArray[np.int64]) -> tuple[Positions, Mask]:
        """Positions of those ids that the catalogue has, and which ones that are."""
        places = np.searchsorted(self._catalogue.ids, ids)
        there = places < len(self._catalogue)
        there[there] = self._catalogue.ids[places[there]] == ids[there]
        return places[there], there
