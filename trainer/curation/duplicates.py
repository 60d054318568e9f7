"""Near-duplicates in linear time: MinHash finds which texts may be alike, edit distance decides.

Comparing every text with every other one takes hours from some 50,000 on. Texts that share most of their word
trigrams share a bucket with near certainty (Broder, 1997; banding as in Leskovec, Rajaraman and Ullman, Mining of
Massive Datasets, chapter 3), and only texts of one bucket are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz

# A pair is seen with probability 1 - (1 - J^3)^32, J being the share of trigrams in common: 0.99 at 0.5, 0.14 at 0.17.
_BANDS, _ROWS = 32, 3
_FEATURES = 2**20
_PRIME = 2**31 - 1
_BATCH = 2000
# Trigrams in more texts than this share are the house's greeting and closing: they would put all into one bucket.
_COMMON_SHARE, _COMMON_LEAST = 0.01, 20
_FEW = 6
# A bucket may hold thousands of versions of one macro; each is compared with so many that were kept before.
_COMPARED = 40
_SLOT = re.compile(r"\{\{[^{}]*\}\}")
_GAPS = re.compile(r"\s+")

Signatures = npt.NDArray[np.uint32]


def bare(text: str) -> str:
    """What is compared: slots, which stand for anybody's data, and runs of blanks left out."""
    return _GAPS.sub(" ", _SLOT.sub("", text)).strip()


def leaders(texts: Sequence[str], similarity: float) -> list[int]:
    """For each text, the index of the first one that it is a near-duplicate of; its own where it is the first.

    Args:
        texts: As `bare` makes them, in order of precedence: of several that are alike, the first one leads.
        similarity: Least `fuzz.ratio` to the leader, 0 to 100.
    """
    found = list(range(len(texts)))
    first: dict[str, int] = {}
    for index, text in enumerate(texts):
        found[index] = first.setdefault(text, index)
    distinct = list(first.values())
    # Bucket by bucket would be in no order: a text's candidates are collected first.
    buckets: dict[int, list[int]] = {}
    near: list[list[int]] = [[] for _ in distinct]
    for members in _buckets(_signatures([texts[index] for index in distinct])):
        number = len(buckets)
        buckets[number] = []
        for member in members:
            near[member].append(number)
    for place, index in enumerate(distinct):
        seen = dict.fromkeys(leader for number in near[place] for leader in buckets[number][-_COMPARED:])
        match = next((leader for leader in seen if _alike(texts[index], texts[leader], similarity)), None)
        if match is not None:
            found[index] = match
            continue
        for number in near[place]:
            buckets[number].append(index)
    return [found[leader] for leader in found]


def twins(texts: Sequence[str], known: Sequence[str], similarity: float) -> set[int]:
    """Indices of those texts that have a near-duplicate among the known ones."""
    same = set(known)
    found = {index for index, text in enumerate(texts) if text in same}
    asked = [index for index in range(len(texts)) if index not in found]
    others = list(same)
    for members in _buckets(_signatures([texts[index] for index in asked] + others)):
        left = [asked[member] for member in members if member < len(asked) and asked[member] not in found]
        right = [others[member - len(asked)] for member in members if member >= len(asked)][:_COMPARED]
        found |= {index for index in left if any(_alike(texts[index], other, similarity) for other in right)}
    return found


def _alike(one: str, other: str, similarity: float) -> bool:
    return fuzz.ratio(one, other, score_cutoff=similarity) > 0


def _signatures(texts: Sequence[str]) -> Signatures:
    """MinHash values of the texts' word trigrams, uint32 of shape (len(texts), bands * rows)."""
    if not texts:
        return np.zeros((0, _BANDS * _ROWS), np.uint32)
    rng = np.random.default_rng(1)
    # The number of a trigram is below 2^20 and the factors below 2^31: their product fits 64 bits.
    factors = rng.integers(1, _PRIME, _BANDS * _ROWS, dtype=np.uint64)
    shifts = rng.integers(0, _PRIME, _BANDS * _ROWS, dtype=np.uint64)
    in_texts = np.zeros(_FEATURES, np.int64)
    for batch in _batches(texts):
        in_texts += np.bincount(_trigrams(batch).indices, minlength=_FEATURES)
    common = in_texts > max(_COMMON_LEAST, _COMMON_SHARE * len(texts))
    rows = []
    for batch in _batches(texts):
        trigrams = _trigrams(batch)
        for start, end in zip(trigrams.indptr[:-1], trigrams.indptr[1:], strict=True):
            numbers = trigrams.indices[start:end]
            rare = numbers[~common[numbers]]
            # A text of nothing but common trigrams, such as a macro in a thousand tickets, is compared by them.
            chosen = (rare if len(rare) >= _FEW else numbers).astype(np.uint64)
            if not len(chosen):
                rows.append(np.full(_BANDS * _ROWS, _PRIME, np.uint32))
                continue
            hashed = (chosen[:, None] * factors + shifts) % np.uint64(_PRIME)
            rows.append(hashed.min(axis=0).astype(np.uint32))
    return np.stack(rows)


def _trigrams(texts: Sequence[str]) -> Any:
    """Sparse matrix of shape (len(texts), 2^20): which word trigrams are in a text; shorter texts by their words."""
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        analyzer=_shingles, n_features=_FEATURES, norm=None, binary=True, alternate_sign=False
    )
    return vectorizer.transform(texts)


def _shingles(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[at : at + 3]) for at in range(len(words) - 2)] or words


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))


def _buckets(signatures: Signatures) -> Iterator[list[int]]:
    """Rows that agree in a band, ascending, band by band; rows that are alone are left out."""
    for band in range(_BANDS):
        part = np.ascontiguousarray(signatures[:, band * _ROWS : (band + 1) * _ROWS])
        keys = part.view(np.dtype((np.void, part.dtype.itemsize * _ROWS))).ravel()
        order = np.argsort(keys, kind="stable")
        ends = np.flatnonzero(keys[order][1:] != keys[order][:-1]) + 1
        yield from (group.tolist() for group in np.split(order, ends) if len(group) > 1)
