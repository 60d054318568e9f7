"""Confidence: how much of a draft will be changed, predicted before anybody has changed it.

What is predicted is edit effort (`trainer.evaluation.scores`), by ridge regression (Hoerl and Kennard, Technometrics
1970) on a few features that are known once the draft is made. Squared loss makes the prediction a mean, which is what
calibrated means here: on 70 to 344 drafts of `nearest`, a further linear or monotone map, fitted on cross-fitted
predictions, made it no better, and a random forest found little more than the straight lines do.

Left out: the margin between the first ticket and the second and the question's length, without which it predicted as
well; whether the languages differ, since such drafts are withheld anyway; and claims that nothing supports, which are
blanks by then.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from connectors.errors import ModelError
from trainer.conversation import customer_turns
from trainer.replies.claims import BLANK
from trainer.replies.drafting import Drafted, Evidence
from trainer.text import words

FILE = "confidence.json"
FEATURES = (
    "ticket_similarity", "article_similarity", "log_probability", "draft_words", "later_turns", "blanks", "overlap",
    "agreement", "nearest_agreement",
)  # fmt: skip
"""The columns of a feature matrix.

    ticket_similarity, article_similarity   cosine of the best ticket and of the best article to the question; 0 without
    log_probability     mean over the draft's tokens; 0 for `nearest`, which has no model
    draft_words         natural logarithm of 1 and their number
    later_turns         how often the customer had written before in this ticket
    blanks              how many the agent has to fill in
    overlap             word-level similarity of the draft and the best ticket's reply, 0 to 1
    agreement           mean similarity of the found tickets' replies to each other: near 1, the case is a standard one
    nearest_agreement   similarity of the best ticket's reply to the one of the others that is most like it
"""

# Beside a mean square of 1 for every feature; without an end to it, every draft is predicted the mean.
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, math.inf)
# From fewer even the mean is too uncertain to show, let alone to withhold drafts by.
MIN_TURNS = 20
FOLDS = 10
_PENALTY_FOLDS = 5
# Serving meets drafts unlike any that it was fitted on; beyond this many standard deviations a line says nothing.
_FURTHEST = 3.0

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


def features_of(question: str, evidence: Evidence, drafted: Drafted) -> Floats:
    """What is known of a draft before an agent edits it, float64 of shape (len(FEATURES),).

    Args:
        question: The whole conversation, personal data as slots, as retrieval and prompt saw it.
        drafted: The draft, slots not yet filled.
    """
    replies = [_lowered(hit.passage.reply) for hit in evidence.tickets]
    # The pairs with the best ticket's reply come first.
    alike = [_similarity(one, other) for one, other in itertools.combinations(replies, 2)]
    draft = _lowered(drafted.text)
    named = {
        "ticket_similarity": max((hit.similarity for hit in evidence.tickets[:1]), default=0.0),
        "article_similarity": max((hit.similarity for hit in evidence.articles), default=0.0),
        "log_probability": drafted.draft.log_probability if drafted.draft else 0.0,
        "draft_words": math.log1p(len(draft)),
        "later_turns": max(0, len(customer_turns(question)) - 1),
        "blanks": len(BLANK.findall(drafted.text)),
        "overlap": _similarity(draft, replies[0]) if replies else 0.0,
        "agreement": float(np.mean(alike)) if alike else 0.0,
        "nearest_agreement": max(alike[: len(replies) - 1], default=0.0),
    }
    return np.asarray([named[name] for name in FEATURES], np.float64)


def _lowered(text: str) -> list[str]:
    return words(text.lower())


def _similarity(one: Sequence[str], other: Sequence[str]) -> float:
    return float(Levenshtein.normalized_similarity(one, other))


@dataclass(frozen=True, slots=True)
class Confidence:
    """Predicts the edit effort of drafts of one arm.

    Attributes:
        mean: Mean effort of the turns it was fitted on.
        centres, scales: Mean and standard deviation of each feature, float64 of shape (len(FEATURES),).
        weights: Of the features in standard deviations, of the same shape; all 0 where nothing predicts.
        turns: How many it was fitted on.
    """

    mean: float
    centres: Floats
    scales: Floats
    weights: Floats
    turns: int

    @classmethod
    def fit(
        cls, features: Floats, efforts: Floats, groups: Sequence[str] | None = None, *, seed: int = 0
    ) -> Confidence | None:
        """Fits to drafts whose tickets the arm was not trained on.

        The penalty is the one that does best on groups left out; where that is none of the finite ones, every draft is
        predicted the mean.

        Args:
            features: Of shape (turns, len(FEATURES)).
            efforts: Real edit effort of each turn, 0 to 1.
            groups: The customer or ticket of each turn: one's turns are left out together. None for turns that have
                nothing to do with each other.

        Returns:
            None for fewer than `MIN_TURNS` turns, or where all are of one group.
        """
        labels = _labels(len(efforts), groups)
        return cls._fit(features, efforts, labels, seed) if _enough(labels) else None

    @classmethod
    def _fit(cls, features: Floats, efforts: Floats, labels: Sequence[str], seed: int) -> Confidence:
        errors = np.zeros(len(PENALTIES))
        for train, judged in _folds(labels, _PENALTY_FOLDS, seed):
            for index, one in enumerate(cls._path(features[train], efforts[train], PENALTIES)):
                errors[index] += float(((one._raw(features[judged]) - efforts[judged]) ** 2).sum())
        # Of equal errors the last one: the strongest penalty.
        best = PENALTIES[len(PENALTIES) - 1 - int(np.argmin(errors[::-1]))]
        return next(cls._path(features, efforts, (best,)))

    @classmethod
    def _path(cls, features: Floats, efforts: Floats, penalties: Sequence[float]) -> Iterator[Confidence]:
        """A model for each penalty, all of them from one decomposition."""
        centres, scales = features.mean(axis=0), features.std(axis=0)
        # A feature that never varies, such as the log-probability of `nearest`, has a weight of 0.
        scales = np.where(scales > 1e-9, scales, 1.0)
        columns, mean = (features - centres) / scales, float(efforts.mean())
        values, vectors = np.linalg.eigh(columns.T @ columns / len(efforts))
        projected = vectors.T @ (columns.T @ (efforts - mean)) / len(efforts)
        for penalty in penalties:
            yield cls(mean, centres, scales, vectors @ (projected / (values + penalty)), len(efforts))

    def predict(self, features: Floats) -> Floats:
        """Predicted edit effort, 0 to 1, float64 of shape (turns,).

        Args:
            features: Of shape (turns, len(FEATURES)).
        """
        return np.asarray(np.clip(self._raw(features), 0.0, 1.0))

    def _raw(self, features: Floats) -> Floats:
        columns = np.clip((features - self.centres) / self.scales, -_FURTHEST, _FURTHEST)
        return np.asarray(self.mean + columns @ self.weights)

    def save(self, folder: Path) -> None:
        """Writes `confidence.json`."""
        facts = {
            "turns": self.turns,
            "mean": self.mean,
            "features": {
                name: {"centre": centre, "scale": scale, "weight": weight}
                for name, centre, scale, weight in zip(
                    FEATURES, self.centres.tolist(), self.scales.tolist(), self.weights.tolist(), strict=True
                )
            },
        }
        (folder / FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Confidence | None:
        """Reads what `save` wrote.

        Returns:
            None for a version that has no such file, or one over other features than those of today: its drafts are
            shown without a confidence.

        Raises:
            ModelError: The file is damaged.
        """
        try:
            facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
            if tuple(facts["features"]) != FEATURES:
                return None
            centres, scales, weights = (
                np.asarray([facts["features"][name][key] for name in FEATURES], np.float64)
                for key in ("centre", "scale", "weight")
            )
            found = cls(float(facts["mean"]), centres, scales, weights, int(facts["turns"]))
            if not np.isfinite([found.mean, *centres, *scales, *weights]).all() or not (scales > 0).all():
                raise ValueError("a number is none")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"the confidence in {folder} cannot be read: {type(error).__name__}", hint="run: deskhand rollback"
            ) from error
        return found


def cross_fitted(
    features: Floats, efforts: Floats, groups: Sequence[str] | None = None, *, folds: int = FOLDS, seed: int = 0
) -> Floats | None:
    """What models that have not seen a turn's group predict for it, float64 of shape (turns,): for figures in a report.

    Args:
        features, efforts, groups: As for `Confidence.fit`.

    Returns:
        None where `Confidence.fit` has none.
    """
    labels = _labels(len(efforts), groups)
    if not _enough(labels):
        return None
    predicted = np.zeros(len(efforts))
    for train, judged in _folds(labels, folds, seed):
        model = Confidence._fit(features[train], efforts[train], [labels[row] for row in train], seed)
        predicted[judged] = model.predict(features[judged])
    return predicted


def _labels(turns: int, groups: Sequence[str] | None) -> list[str]:
    return [str(row) for row in range(turns)] if groups is None else list(groups)


def _enough(labels: Sequence[str]) -> bool:
    return len(labels) >= MIN_TURNS and len(set(labels)) > 1


def _folds(labels: Sequence[str], folds: int, seed: int) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of rows to fit on and rows to judge, a group on one side only; none where there is but one group."""
    from sklearn.model_selection import GroupKFold

    folds = min(folds, len(set(labels)))
    if folds >= 2:
        yield from GroupKFold(folds, shuffle=True, random_state=seed).split(np.zeros((len(labels), 1)), groups=labels)
