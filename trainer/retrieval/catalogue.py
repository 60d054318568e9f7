"""What a process holds of the index: whom each passage is for, and its vector, whole or as one bit a dimension.

Up to `EXACT_BELOW` passages every vector is compared. Above, the signs of all vectors are compared first (Hamming
distance: 48 bytes a passage of 384 dimensions, and it is XOR and popcount), and the nearest of them by their vectors,
which stay in the store. docs/adr/0006-retrieval-index.md has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from connectors.store.database import Store
from connectors.store.passages import Embeddings, Entries

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]

EXACT_BELOW = 32_768
RESCORED = 1_000
_BATCH = 20_000
# In blocks that stay in a core's cache.
_BLOCK = 32_768
# Passages that are gone keep their place until there are this many of them, as a share.
_GONE_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be found at all.

    Attributes:
        brand: The brand's id: passages of other brands stay out, those of none stay in. Empty for all.
        languages: ISO 639-1 codes; passages whose language is not known stay in. Empty for all.
        segments: Ids of the groups of readers whose articles may be used, beside those that everybody may read.
    """

    brand: str = ""
    languages: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()


class Catalogue:
    """The embedded passages of one helpdesk, in the order of their ids; a position is an index into all arrays.

    Attributes:
        ids: int64 of shape (n,), ascending.
        lengths: In words, float32 of shape (n,).
        generation: Changes when positions do.
    """

    def __init__(
        self, store: Store, helpdesk: str, encoder: str, *, exact_below: int = EXACT_BELOW, rescored: int = RESCORED
    ) -> None:
        self._store = store.passages
        self._helpdesk = helpdesk
        self._encoder = encoder
        self._exact_below = exact_below
        self._rescored = rescored
        self._version: tuple[int, int, int] | None = None
        self.generation = 0
        self._clear()

    def _clear(self) -> None:
        self.generation += 1
        self.ids = np.zeros(0, np.int64)
        self.lengths = np.zeros(0, np.float32)
        self._alive = np.zeros(0, np.bool_)
        self._codes: dict[str, npt.NDArray[np.uint16]] = {name: np.zeros(0, np.uint16) for name in _SCOPED}
        self._names: dict[str, list[str]] = {name: [""] for name in _SCOPED}
        self._vectors: Embeddings | None = np.zeros((0, 0), np.float32)
        self._centre: Embeddings = np.zeros(0, np.float32)
        self._planes: npt.NDArray[np.uint64] = np.zeros((0, 0), np.uint64)
        self._masks: dict[tuple[str, Scope], Mask] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def exact(self) -> bool:
        """Whether every vector is compared."""
        return self._vectors is not None

    def refresh(self) -> bool:
        """Takes over what has changed, by us or by another process; returns whether anything did."""
        version = self._store.version(self._helpdesk)
        if version == (self._version or (0, 0, 0)):
            return False
        before = len(self)
        self._read_on()
        if self._version is not None:
            added = len(self) - before
            if version[2] != self._version[2] or version[1] - self._version[1] != added:
                self._compare()
        self._version = version
        self._masks = {}
        return True

    def _read_on(self) -> None:
        while True:
            after = int(self.ids[-1]) if len(self) else 0
            entries = self._store.entries(self._helpdesk, self._encoder, after, _BATCH)
            if entries.ids:
                self._append(entries)
            if len(entries.ids) < _BATCH:
                return

    def _compare(self) -> None:
        """Marks what is gone; reads everything anew where something has come in between, or much is gone."""
        there = self._store.embedded_ids(self._helpdesk, self._encoder)
        self._alive = np.isin(self.ids, there, assume_unique=True)
        if self._alive.sum() < len(there) or len(there) < (1 - _GONE_SHARE) * len(self):
            self._clear()
            self._read_on()

    def _append(self, entries: Entries) -> None:
        vectors = entries.vectors.astype(np.float32)
        if not len(self):
            self._centre = vectors.mean(axis=0)
            self._vectors = np.zeros((0, vectors.shape[1]), np.float32)
            self._planes = np.zeros((-(-vectors.shape[1] // 64), 0), np.uint64)
        self.ids = np.concatenate([self.ids, np.array(entries.ids, np.int64)])
        self.lengths = np.concatenate([self.lengths, np.array(entries.words, np.float32)])
        self._alive = np.concatenate([self._alive, np.ones(len(vectors), np.bool_)])
        for name, values in zip(
            _SCOPED, (entries.kinds, entries.brands, entries.languages, entries.audiences), strict=True
        ):
            self._codes[name] = np.concatenate([self._codes[name], self._coded(name, values)])
        if self._vectors is not None:
            self._vectors = np.concatenate([self._vectors, vectors])
            if len(self) <= self._exact_below:
                return
            vectors, self._vectors = self._vectors, None
        self._planes = np.concatenate([self._planes, self._signs(vectors)], axis=1)

    def _coded(self, name: str, values: list[str]) -> npt.NDArray[np.uint16]:
        names = self._names[name]
        codes = {value: code for code, value in enumerate(names)}
        for value in values:
            if value not in codes:
                codes[value] = len(names)
                names.append(value)
        return np.array([codes[value] for value in values], np.uint16)

    def _signs(self, vectors: Embeddings) -> npt.NDArray[np.uint64]:
        """One bit a dimension, of shape (ceil(dimensions / 64), n): each row is gone through in one piece."""
        bits = np.packbits(vectors > self._centre, axis=1)
        padded = np.zeros((len(vectors), 8 * len(self._planes)), np.uint8)
        padded[:, : bits.shape[1]] = bits
        return np.ascontiguousarray(padded.view(np.uint64).T)

    def mask(self, kind: str, scope: Scope) -> Mask:
        """Which positions hold a passage of a kind that is in scope."""
        known = self._masks.get((kind, scope))
        if known is not None:
            return known
        mask = self._alive & self._is("kind", {kind})
        if scope.brand:
            mask &= self._is("brand", {"", scope.brand})
        if scope.languages:
            mask &= self._is("language", {"", *scope.languages})
        readable = {one for one in self._names["audience"] if not one or scope.segments & set(one.split())}
        mask &= self._is("audience", readable)
        if len(self._masks) >= _KEPT_MASKS:
            self._masks = {}
        self._masks[kind, scope] = mask
        return mask

    def _is(self, name: str, values: set[str]) -> Mask:
        chosen = np.array([value in values for value in self._names[name]], np.bool_)
        return chosen[self._codes[name]]

    def nearest(self, query: Embeddings, mask: Mask, n: int) -> tuple[Positions, Embeddings]:
        """The `n` positions of a mask most similar to a query of shape (dimensions,), best first, and their cosines."""
        positions = np.flatnonzero(mask)
        if not len(positions):
            return positions, np.zeros(0, np.float32)
        wanted = max(self._rescored, 4 * n)
        if not self.exact and len(positions) > wanted:
            positions = self._likely(query, positions, wanted)
        similarities = self.similarities(query, positions)
        best = _highest(similarities, n)
        return positions[best], similarities[best]

    def similarities(self, query: Embeddings, positions: Positions) -> Embeddings:
        """Cosines of positions, in ascending order; -1 for what has just been deleted."""
        if self._vectors is not None:
            everything = 2 * len(positions) > len(self)
            return (self._vectors @ query)[positions] if everything else self._vectors[positions] @ query
        found = np.full(len(positions), -1.0, np.float32)
        ids, vectors = self._store.vectors(self.ids[positions])
        if len(ids):
            found[np.searchsorted(self.ids[positions], ids)] = vectors @ query
        return found

    def _likely(self, query: Embeddings, positions: Positions, n: int) -> Positions:
        """About `n` of the positions with the fewest signs that differ from the query's, ascending."""
        signs = self._signs(query[None, :])[:, 0]
        # What is out of scope is gone over, too, unless it is much: picking costs more than counting.
        few = 8 * len(positions) < len(self)
        planes = self._planes[:, positions] if few else self._planes
        distances = _distances(planes, signs)
        if not few:
            distances = distances[positions]
        upto = int(np.searchsorted(np.cumsum(np.bincount(distances)), n))
        return positions[distances <= upto]


_SCOPED = ("kind", "brand", "language", "audience")
_KEPT_MASKS = 16


def _distances(planes: npt.NDArray[np.uint64], signs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint16]:
    distances = np.zeros(planes.shape[1], np.uint16)
    differ, count = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint8)
    for start in range(0, len(distances), _BLOCK):
        block = distances[start : start + _BLOCK]
        for plane, sign in zip(planes, signs, strict=True):
            np.bitwise_xor(plane[start : start + _BLOCK], sign, out=differ[: len(block)])
            np.bitwise_count(differ[: len(block)], out=count[: len(block)])
            block += count[: len(block)]
    return distances


def _highest(scores: npt.NDArray[np.float32], n: int) -> Positions:
    """Indices of the `n` highest, best first, the first ones first where several are equal."""
    if n < len(scores):
        least = np.partition(scores, len(scores) - n)[len(scores) - n]
        chosen = np.flatnonzero(scores >= least)
    else:
        chosen = np.arange(len(scores))
    return chosen[np.argsort(-scores[chosen], kind="stable")][:n]
