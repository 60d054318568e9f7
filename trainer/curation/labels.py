"""Which tickets stand in a group that they probably do not belong in: confident learning.

A classifier that has not seen a ticket says how likely each group is. Where another group is more likely than that
group is, on average, for its own tickets, the label is doubted (Northcutt, Jiang and Chuang, Confident Learning, JAIR
2021). The reply stays an example of how the team writes; only routing leaves the ticket out.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDS = 5
# With few tickets, how they fall into folds matters.
ROUNDS, ROUNDS_FROM_1000 = 2, 1
# Enough to tell the groups of a desk apart; what is older is judged by a classifier of these.
MAX_FITTED = 5000
_BATCH = 2000
# Fewer tickets than this in a group, or in all, say nothing about what belongs there.
_FEWEST_OF_A_GROUP = 10
_FEWEST = 100


def doubted(texts: Sequence[str], labels: Sequence[str], *, seed: int = 0) -> list[bool]:
    """Whether each label is doubted.

    Args:
        texts: What the customer asked together with what the team answered: the answer tells best what it was about.
        labels: Group ids, in the order of the texts, oldest first.
        seed: Of the folds.
    """
    names, counts = np.unique(np.asarray(labels, dtype=object).astype(str), return_counts=True)
    known = {str(name) for name, count in zip(names, counts, strict=True) if count >= _FEWEST_OF_A_GROUP}
    chosen = [index for index, label in enumerate(labels) if label in known]
    found = [False] * len(labels)
    if len(known) < 2 or len(chosen) < _FEWEST:
        return found
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # a fit that has not converged is good enough to doubt by
        flags = _flags([texts[index] for index in chosen], np.asarray([labels[index] for index in chosen]), seed)
    for index, flag in zip(chosen, flags, strict=True):
        found[index] = bool(flag)
    return found


def _flags(texts: Sequence[str], labels: npt.NDArray[Any], seed: int) -> npt.NDArray[np.bool_]:
    from sklearn.model_selection import StratifiedKFold

    newest = slice(max(0, len(texts) - MAX_FITTED), len(texts))
    features = _features(texts[newest])
    train, fitted = features.fit_transform(texts[newest]), labels[newest]
    classes, targets = np.unique(labels, return_inverse=True)
    probabilities = np.zeros((len(texts), len(classes)), np.float32)
    if newest.start:
        model = _classifier(seed).fit(train, fitted)
        for start in range(0, newest.start, _BATCH):
            older = slice(start, min(start + _BATCH, newest.start))
            probabilities[np.ix_(range(older.start, older.stop), np.searchsorted(classes, model.classes_))] = (
                model.predict_proba(features.transform(texts[older]))
            )
    smallest = int(np.unique(fitted, return_counts=True)[1].min())
    rounds = ROUNDS if len(fitted) < 1000 else ROUNDS_FROM_1000
    for number in range(rounds):
        folds = StratifiedKFold(min(FOLDS, max(2, smallest)), shuffle=True, random_state=seed + number)
        for inside, outside in folds.split(train, fitted):
            model = _classifier(seed).fit(train[inside], fitted[inside])
            columns = np.searchsorted(classes, model.classes_)
            rows = outside + newest.start
            probabilities[np.ix_(rows, columns)] += model.predict_proba(train[outside]) / rounds
    usual = np.asarray([probabilities[targets == one, one].mean() for one in range(len(classes))])
    confident = probabilities >= usual
    best = np.where(confident, probabilities, -1.0).argmax(axis=1)
    return np.asarray(confident.any(axis=1) & (best != targets))


def _features(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    fewest = 2 if len(texts) < MAX_FITTED else 5
    return make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=fewest),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=fewest, max_features=60_000),
    )


def _classifier(seed: int) -> Any:
    # A group against the rest, in the dual: a quarter of the time of one multinomial fit, and it doubts nearly the same
    # tickets (docs/experiments.md).
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(
        LogisticRegression(
            C=20.0, solver="liblinear", dual=True, tol=1e-2, max_iter=200, class_weight="balanced", random_state=seed
        )
    )
