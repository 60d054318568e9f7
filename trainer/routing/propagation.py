"""Labels carried from labelled tickets to unlabelled ones, along a graph of nearest neighbours.

Label spreading (Zhou et al., NIPS 2003) over the embeddings of all tickets, the labelled and the unlabelled; what it
finds is then learned by ordinary linear classifiers, so that routing needs no graph. There are two, one on embeddings
and one on words, and each learns from what both think (co-training: Blum and Mitchell, COLT 1998): they err in
different places. With few labels this is worth more than a better classifier; how much is in docs/experiments.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.routing.arrays import Matrix, softmax
from trainer.routing.linear import Linear, fit_linear
from trainer.routing.stack import pool

NEIGHBOURS = 10
# How much of a label comes from the neighbours, a step; the rest is what the ticket itself says.
_SPREAD = 0.8
_STEPS = 30
# Similarities are raised to this power: near neighbours count more (Iscen et al., CVPR 2019).
_SHARPNESS = 3
_ROUNDS = 3
# What the classifiers say of an unlabelled ticket, beside a label's 1, and how much such a ticket counts in training,
# at full confidence, beside a labelled one's 1.
_GUESS = 0.2
_UNLABELLED_WEIGHT = 0.3
# How much the words' opinion counts beside the embedding's.
_WORDS_SHARE = 0.3
_C = 16.0
_WORDS_C = 20.0
# Many features and sparse ones: the first iterations do nearly all, and a next round goes on from the last one.
_WORDS_ITERATIONS = 40
_MORE_ITERATIONS = 15
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Propagated:
    """What was learned from labelled and unlabelled tickets.

    Attributes:
        linear: A classifier on embeddings.
        words: A classifier on words.
        targets: The distributions that the unlabelled rows were given, float32 of shape (unlabelled, classes).
    """

    linear: Linear
    words: Linear
    targets: Matrix


def neighbour_graph(features: Matrix, neighbours: int = NEIGHBOURS) -> Any:
    """The symmetrically normalised graph of each row's nearest neighbours, a sparse matrix.

    Args:
        features: Float32 of shape (rows, dimensions), rows of unit length.
    """
    from scipy import sparse

    rows = len(features)
    count = min(neighbours, rows - 1)
    nearest = np.zeros((rows, count), np.int64)
    values = np.zeros((rows, count), np.float32)
    for start in range(0, rows, _BLOCK):
        block = features[start : start + _BLOCK] @ features.T
        here = np.arange(len(block))
        block[here, start + here] = -2.0
        nearest[start : start + _BLOCK] = np.argpartition(-block, count - 1, axis=1)[:, :count]
        values[start : start + _BLOCK] = np.take_along_axis(block, nearest[start : start + _BLOCK], axis=1)
    weights = np.maximum(values, 0.0) ** _SHARPNESS
    graph = sparse.csr_matrix((weights.ravel(), (np.repeat(np.arange(rows), count), nearest.ravel())), (rows, rows))
    graph = graph + graph.T
    root = sparse.diags(1.0 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel() + 1e-9))
    return (root @ graph @ root).tocsr().astype(np.float32)


def propagate(features: Matrix, words: Any, targets: Matrix, weights: Matrix, *, graph: Any = None) -> Propagated:
    """Learns from labelled and unlabelled rows.

    Args:
        features: Embeddings, float32 of shape (labelled + unlabelled, dimensions), labelled first, rows of unit length.
        words: `word_features` of the same rows, a sparse matrix.
        targets: Float32 of shape (labelled, classes).
        weights: Float32 of shape (labelled,): how much a label counts; 1 for an ordinary ticket's.
        graph: `neighbour_graph(features)`, where it is at hand.
    """
    labelled, classes = targets.shape
    linear = fit_linear(features[:labelled], targets, weights, c=_C)
    by_words = fit_linear(words[:labelled], targets, weights, c=_WORDS_C, iterations=_WORDS_ITERATIONS)
    if len(features) == labelled:
        return Propagated(linear, by_words, np.zeros((0, classes), np.float32))
    graph = neighbour_graph(features) if graph is None else graph
    # The words alone know too little yet to be asked.
    guesses = linear.probabilities(features[labelled:])
    for _ in range(_ROUNDS):
        fixed = np.vstack([targets * weights[:, None], _GUESS * guesses])
        found = fixed
        for _ in range(_STEPS):
            found = _SPREAD * (graph @ found) + (1 - _SPREAD) * fixed
        # Squared: a student of soft labels is less sure than its teacher, and the next round less still.
        spread = (found[labelled:] + 1e-9) ** 2
        spread /= spread.sum(axis=1, keepdims=True)
        everything = np.vstack([targets, spread])
        counts = np.concatenate([weights, _UNLABELLED_WEIGHT * spread.max(axis=1)])
        linear = fit_linear(features, everything, counts, c=_C, start=linear)
        by_words = fit_linear(words, everything, counts, c=_WORDS_C, start=by_words, iterations=_MORE_ITERATIONS)
        opinions = [linear.logits(features[labelled:]), by_words.logits(words[labelled:])]
        guesses = softmax(pool(opinions, np.asarray([1.0, _WORDS_SHARE], np.float32)))
    both = np.sqrt(spread * guesses)
    return Propagated(linear, by_words, np.asarray(both / both.sum(axis=1, keepdims=True), np.float32))
