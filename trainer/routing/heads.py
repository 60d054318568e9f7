"""Further heads beside the router: the priority and the tags that the team would give a ticket.

Both are linear classifiers on the frozen sentence encoder's features and on words. The priority is one label of a
closed set; tags are any number of them, each against the rest. They are only ever suggested; what is, was right often
enough on held-out tickets (see `head_training`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from connectors.errors import ModelError
from trainer.routing.arrays import Embed, Flags, Matrix, one_hot, softmax
from trainer.routing.linear import Linear
from trainer.routing.words import word_features

FOLDER = "heads"
PRIORITY, TAGS = "priority", "tags"
_FACTS, _ARRAYS = "heads.json", "heads.safetensors"


@dataclass(frozen=True, slots=True)
class Head:
    """A calibrated linear classifier of tickets.

    Attributes:
        labels: Priorities or tags, most frequent first: the order of the probabilities. The first one is the control.
        linear: Weights of shape (labels, features), on `features_of`.
        temperature: Divides the logits (Guo et al., ICML 2017).
        thresholds: Float32 of shape (labels,): the probability from which a label is suggested; infinite for never.
        exclusive: Whether a ticket has exactly one of the labels, or any number of them.
    """

    labels: tuple[str, ...]
    linear: Linear
    temperature: float
    thresholds: Matrix
    exclusive: bool

    def probabilities(self, features: Any) -> Matrix:
        """Float32 of shape (rows, labels); where the labels are exclusive, each row sums to 1."""
        logits = self.linear.logits(features) / self.temperature
        return softmax(logits) if self.exclusive else sigmoid(logits)

    def suggested(self, features: Any) -> Flags:
        """Which labels are likely enough to be suggested, of shape (rows, labels)."""
        probabilities = self.probabilities(features)
        flags = probabilities >= self.thresholds
        if self.exclusive:
            flags &= one_hot(probabilities.argmax(axis=1), len(self.labels)) > 0
        return np.asarray(flags)


@dataclass(frozen=True, slots=True)
class Guess:
    """What the heads suggest for one ticket; empty where they are not sure enough."""

    priority: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeadScore:
    """How a head does on tickets that it was not trained on.

    Attributes:
        head: `priority` or `tags`.
        tickets: How many were judged; for `priority` those that have one.
        metric: What `value` and `control` are. For `priority` the accuracy of the likeliest label, suggested or not;
            for `tags` micro-F1 of what is suggested, over the tags that the head knows.
        control: The same for the most frequent label, on every ticket.
        suggested: Share of tickets that get a suggestion.
        precision: Share of suggestions that are right; 0 where there are none.
        recall: Share of the tickets' labels that are suggested; of tags, those that the head knows.
    """

    head: str
    tickets: int
    metric: str
    value: float
    control: float
    suggested: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of a version; None for one that had too little to learn from.

    Attributes:
        idf: Inverse frequencies of words, float32 of shape (words,); None where there is no head.
    """

    priority: Head | None = None
    tags: Head | None = None
    idf: Matrix | None = None

    def guess(self, texts: Sequence[str], embed: Embed) -> list[Guess]:
        """What is suggested for each ticket.

        Args:
            texts: A ticket's subject and the customer's newest turn each.
            embed: The sentence encoder that the heads were trained with.
        """
        if self.idf is None:
            return [Guess()] * len(texts)
        features = features_of(texts, embed, self.idf)
        priorities, tags = _suggested(self.priority, features), _suggested(self.tags, features)
        return [Guess("".join(one), tuple(sorted(some))) for one, some in zip(priorities, tags, strict=True)]

    def save(self, folder: Path) -> None:
        """Writes `heads/heads.json` and `heads/heads.safetensors` into a version's folder; nothing without a head."""
        if self.idf is None:
            return
        from safetensors.numpy import save_file

        facts: dict[str, Any] = {}
        arrays = {"idf": self.idf}
        for name, head in ((PRIORITY, self.priority), (TAGS, self.tags)):
            if head is not None:
                facts[name] = {"labels": list(head.labels), "temperature": head.temperature}
                arrays |= {
                    f"{name}.weights": head.linear.weights,
                    f"{name}.bias": head.linear.bias,
                    f"{name}.thresholds": head.thresholds,
                }
        (folder / FOLDER).mkdir(exist_ok=True)
        save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, folder / FOLDER / _ARRAYS)
        (folder / FOLDER / _FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Heads:
        """Reads what `save` wrote; no heads where a version's folder has none.

        Raises:
            ModelError: A file is missing or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        if not (folder / FOLDER).exists():
            return cls()
        try:
            facts = json.loads((folder / FOLDER / _FACTS).read_text(encoding="utf-8"))
            arrays = load_file(folder / FOLDER / _ARRAYS)
            heads = {name: _head(name, facts[name], arrays) for name in (PRIORITY, TAGS) if name in facts}
            return cls(heads.get(PRIORITY), heads.get(TAGS), arrays["idf"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
            raise ModelError(
                f"the heads in {folder} cannot be read: {type(error).__name__}", hint="run: deskhand rollback"
            ) from error


def features_of(texts: Sequence[str], embed: Embed, idf: Matrix) -> Any:
    """Embeddings and words side by side: a sparse float32 matrix of shape (len(texts), dimensions + words)."""
    from scipy import sparse

    return sparse.hstack([sparse.csr_matrix(embed(texts)), word_features(texts, idf)]).tocsr()


def sigmoid(logits: Matrix) -> Matrix:
    """Probabilities of labels that do not exclude each other."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))), np.float32)


def _suggested(head: Head | None, features: Any) -> list[list[str]]:
    if head is None:
        return [[] for _ in range(features.shape[0])]
    return [[head.labels[index] for index in np.flatnonzero(row)] for row in head.suggested(features)]


def _head(name: str, facts: Mapping[str, Any], arrays: Mapping[str, Matrix]) -> Head:
    labels = tuple(map(str, facts["labels"]))
    weights, bias, thresholds = (arrays[f"{name}.{part}"] for part in ("weights", "bias", "thresholds"))
    if not len(labels) == len(weights) == len(bias) == len(thresholds):
        raise ValueError("as many labels as weights")
    return Head(labels, Linear(weights, bias), float(facts["temperature"]), thresholds, exclusive=name == PRIORITY)
