"""Hashed words and character n-grams, weighted by how rare they are: the features of the `tfidf` router."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.routing.arrays import Matrix

_FEATURES = 2**15


def inverse_frequencies(texts: Sequence[str]) -> Matrix:
    """Smoothed inverse document frequencies, float32 of shape (features,)."""
    seen = np.asarray((_counts(texts) > 0).sum(axis=0)).ravel()
    return (np.log((1 + len(texts)) / (1 + seen)) + 1).astype(np.float32)


def word_features(texts: Sequence[str], idf: Matrix) -> Any:
    """A sparse float32 matrix of shape (len(texts), features), rows of unit length."""
    from scipy import sparse
    from sklearn.preprocessing import normalize

    return normalize(_counts(texts) @ sparse.diags(idf)).astype(np.float32)


def _counts(texts: Sequence[str]) -> Any:
    # Hashed features need no vocabulary file; 32,768 columns keep collisions rare for a desk's language.
    from scipy import sparse
    from sklearn.feature_extraction.text import HashingVectorizer

    half = _FEATURES // 2
    options = {"n_features": half, "norm": None, "alternate_sign": False}
    counted = [
        HashingVectorizer(ngram_range=(1, 2), **options).transform(texts),
        # Character n-grams carry over typing errors and the compounds of Dutch and German.
        HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), **options).transform(texts),
    ]
    counts = sparse.hstack(counted).tocsr()
    counts.data = 1.0 + np.log(counts.data)
    return counts
