"""Routing: which group a ticket belongs to, by the cheapest classifier that is as good as any.

Four arms over the same closed label set: the most frequent group; TF-IDF and logistic regression; a sentence encoder
and logistic regression; and a head on the fine-tuned model's own hidden states. All give calibrated probabilities.
A trained router is two files, JSON and safetensors: nothing in a version directory is ever unpickled.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from connectors.errors import ModelError, NotEnoughDataError

Matrix = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], Matrix]

FOLDS = 5
_FEATURES = 2**15


class Featurizer(Protocol):
    """Texts to a float32 matrix, a row a text."""

    def __call__(self, texts: Sequence[str]) -> Any: ...  # noqa: D102


@dataclass
class Router:
    """A trained linear classifier over some features.

    Attributes:
        arm: `majority`, `tfidf`, `encoder` or `tuned`.
        classes: Group ids, the order of the probabilities.
        weights: Float32 of shape (classes, features).
        bias: Float32 of shape (classes,).
        temperature: Divides the logits; fitted on held-out folds so that probabilities mean what they say
            (Guo et al., ICML 2017).
        idf: Float32 of shape (features,) for `tfidf`, else empty.
    """

    arm: str
    classes: tuple[str, ...]
    weights: Matrix
    bias: Matrix
    temperature: float
    idf: Matrix

    def probabilities(self, texts: Sequence[str], embed: Embed | None = None) -> Matrix:
        """Float32 of shape (len(texts), classes); `embed` gives the features of the `encoder` and `tuned` arms."""
        logits = _features(self.arm, texts, self.idf, embed) @ self.weights.T + self.bias
        return _softmax(np.asarray(logits, np.float32) / self.temperature)

    def save(self, folder: Path) -> None:
        """Writes `route.json` and `route.safetensors`."""
        from safetensors.numpy import save_file

        arrays = {"weights": self.weights, "bias": self.bias, "idf": self.idf}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "route.safetensors")
        facts = {"arm": self.arm, "classes": list(self.classes), "temperature": self.temperature}
        (folder / "route.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Router:
        """Reads what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            facts = json.loads((folder / "route.json").read_text(encoding="utf-8"))
            arrays = load_file(folder / "route.safetensors")
            return cls(
                facts["arm"],
                tuple(facts["classes"]),
                arrays["weights"],
                arrays["bias"],
                facts["temperature"],
                arrays["idf"],
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelError(
                f"the router in {folder} cannot be read: {type(error).__name__}", hint="run: deskhand rollback"
            ) from error


def train_router(
    arm: str, texts: Sequence[str], labels: Sequence[str], *, embed: Embed | None = None, seed: int = 0
) -> Router:
    """Fits one arm.

    Args:
        arm: `majority`, `tfidf`, `encoder` or `tuned`.
        texts: A ticket's subject and first message each.
        labels: Group ids.
        embed: The features of the `encoder` and `tuned` arms.

    Raises:
        NotEnoughDataError: All tickets are of one group.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    classes = tuple(sorted(set(labels)))
    if len(classes) < 2:
        raise NotEnoughDataError("all tickets are in one group: there is nothing to route", hint="sync more history")
    targets = np.asarray([classes.index(label) for label in labels])
    if arm == "majority":
        counts = np.bincount(targets, minlength=len(classes)).astype(np.float32)
        nothing = np.zeros((len(classes), 0), np.float32)
        return Router(arm, classes, nothing, np.log(counts / counts.sum()), 1.0, np.zeros(0, np.float32))
    idf = _idf(texts) if arm == "tfidf" else np.zeros(0, np.float32)
    features = _features(arm, texts, idf, embed)
    # On matrices of this size a second BLAS thread gains nothing, and where another process wants the core, its
    # spinning takes the time: ten times as long was measured.
    with threadpool_limits(1):
        temperature = _temperature(features, targets, arm, seed)
        model = _regression(arm, seed).fit(features, targets)
    weights, bias = _both_classes(model.coef_.astype(np.float32), model.intercept_.astype(np.float32))
    return Router(arm, classes, weights, bias, temperature, idf)


def _features(arm: str, texts: Sequence[str], idf: Matrix, embed: Embed | None) -> Any:
    if arm == "majority":
        return np.zeros((len(texts), 0), np.float32)
    if arm != "tfidf":
        if embed is None:
            raise ModelError(f"the {arm} router needs its encoder")
        return embed(texts)
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


def _idf(texts: Sequence[str]) -> Matrix:
    seen = np.asarray((_counts(texts) > 0).sum(axis=0)).ravel()
    return (np.log((1 + len(texts)) / (1 + seen)) + 1).astype(np.float32)


def _regression(arm: str, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        C=20.0 if arm == "tfidf" else 8.0, max_iter=2000, class_weight="balanced", random_state=seed
    )


def _both_classes(weights: Matrix, bias: Matrix) -> tuple[Matrix, Matrix]:
    # scikit-learn keeps one row for two classes; two rows make the rest of the code the same for any number.
    if len(weights) > 1:
        return weights, bias
    return np.vstack([np.zeros_like(weights), weights]), np.concatenate([np.zeros_like(bias), bias])


def _temperature(features: Any, targets: npt.NDArray[np.int64], arm: str, seed: int) -> float:
    """The temperature with the lowest log loss on held-out folds."""
    from sklearn.model_selection import KFold, StratifiedKFold

    smallest = int(np.bincount(targets).min())
    folds = (
        StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        if smallest >= FOLDS
        else KFold(min(FOLDS, len(targets)), shuffle=True, random_state=seed)
    )
    count = int(targets.max()) + 1
    logits = np.full((len(targets), count), -20.0, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for train, held_out in folds.split(features, targets):
            if len(set(targets[train])) < 2:
                return 1.0
            model = _regression(arm, seed).fit(features[train], targets[train])
            weights, bias = _both_classes(model.coef_, model.intercept_)
            logits[np.ix_(held_out, model.classes_)] = features[held_out] @ weights.T + bias
    grid = np.geomspace(0.2, 8.0, 60)
    rows = np.arange(len(targets))
    losses = [-np.log(_softmax(logits / t)[rows, targets] + 1e-9).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def _softmax(logits: Any) -> Matrix:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)


def expected_calibration_error(probabilities: Matrix, correct: npt.NDArray[np.bool_], bins: int = 10) -> float:
    """Mean gap between stated confidence and accuracy, weighted by bin size (Naeini et al., AAAI 2015)."""
    confidence = probabilities.max(axis=1)
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (index == b).mean() * abs(correct[index == b].mean() - confidence[index == b].mean())
        for b in range(bins)
        if (index == b).any()
    ]
    return float(sum(gaps))
