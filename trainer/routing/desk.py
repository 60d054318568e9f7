"""A desk's tickets as a router with few labels sees them: labelled, unlabelled, and the groups' names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trainer.routing import calibration
from trainer.routing.arrays import Embed, Indices, Matrix, one_hot, unit_rows
from trainer.routing.encoder import TunedEncoder, embed_ids
from trainer.routing.linear import Linear
from trainer.routing.neighbours import neighbour_logits
from trainer.routing.propagation import Propagated, neighbour_graph, propagate
from trainer.routing.tuning import Plan, tune
from trainer.routing.words import inverse_frequencies, word_features

# How much a group's name counts as an example of it, beside a ticket's 1.
_NAME_WEIGHT = 0.5
_FOLDS = 3
# The share of tickets that a tuned encoder is calibrated on, the most of them, and how much of the time it takes.
_HELD_OUT = 0.2
_MAX_HELD_OUT = 1_000
_HELD_OUT_TIME = 0.45

Parts = tuple[Matrix, Matrix, Matrix]
"""What words, neighbours and the linear classifier say of some tickets: logits of shape (tickets, classes) each."""


@dataclasses.dataclass(frozen=True, slots=True)
class Learned:
    """The parts of a router, and what they are calibrated on.

    Attributes:
        words: The classifier on words, `linear` the one on embeddings.
        features: The labelled tickets' embeddings, float32 of shape (tickets, dimensions).
        rows: Tickets that parts of the same making had not seen, and `held_out` what those said of them; None where
            none could be left out.
        encoder: What the embeddings come from, where that is not the encoder at hand.
    """

    words: Linear
    linear: Linear
    features: Matrix
    rows: Indices
    held_out: Parts | None
    encoder: TunedEncoder | None = None


class Desk:
    """All that is known of a desk's tickets.

    Args:
        texts: Labelled tickets.
        targets: Their classes.
        classes: How many classes there are.
        unlabelled: Tickets without a group.
        names: What a class is about, by class; those without one have no word in it.
        embed: The sentence encoder as it is.
    """

    def __init__(
        self,
        texts: Sequence[str],
        targets: Indices,
        classes: int,
        unlabelled: Sequence[str],
        names: Mapping[int, str],
        embed: Embed,
        seed: int,
    ) -> None:
        self._targets = targets
        self._seed = seed
        # Rows: the labelled tickets, the names, the unlabelled tickets.
        self._texts = [*texts, *names.values(), *unlabelled]
        self._tickets = len(texts)
        self._labelled = len(texts) + len(names)
        self._soft = one_hot(np.concatenate([targets, np.asarray(list(names), np.int64)]), classes)
        # Every group counts the same, as scikit-learn's `balanced` has it; on average a ticket counts 1.
        counts = np.bincount(targets, minlength=classes)
        balanced = len(targets) / (classes * counts[targets])
        self._weights = np.concatenate([balanced, np.full(len(names), _NAME_WEIGHT)]).astype(np.float32)
        self._embed = embed
        self.idf = inverse_frequencies(self._texts)
        self._words = word_features(self._texts, self.idf).tocsr()

    def learn(self) -> Learned:
        """Everything on the encoder as it is."""
        classes = self._soft.shape[1]
        everything = self._embed(self._texts)
        graph = neighbour_graph(everything) if len(self._texts) > self._labelled else None
        said_by_words = np.zeros((self._tickets, classes), np.float32)

        def fit(rows: Indices) -> Callable[[Indices], Matrix]:
            learned = self._propagate(rows, everything, graph)

            def logits(judged: Indices) -> Matrix:
                said_by_words[judged] = learned.words.logits(self._words[judged])
                return learned.linear.logits(everything[judged])

            return logits

        said = calibration.held_out_logits(fit, self._targets, self._seed, _FOLDS)
        learned = self._propagate(np.arange(self._tickets), everything, graph)
        features = everything[: self._tickets]
        near = neighbour_logits(features, features, self._targets, classes, own=True)
        held_out = None if said is None else (said_by_words, near, said)
        return Learned(learned.words, learned.linear, features, np.arange(self._tickets), held_out)

    def learn_tuned(self, load: Callable[[], tuple[Any, Any]], plan: Plan) -> Learned:
        """Everything on an encoder that is tuned first, on the labels and the names; its labels are then spread.

        A tuned encoder knows its tickets by heart, so that its calibration takes a training of its own: on four fifths
        of the tickets, in half of the time. The router itself is then trained on all of them.
        """
        classes = self._soft.shape[1]
        held = self._held_out()
        kept = np.setdiff1d(np.arange(self._tickets), held)
        held_out: Parts | None = None
        if len(set(self._targets[kept])) == classes:
            brief = dataclasses.replace(plan, minutes=plan.minutes * _HELD_OUT_TIME)
            encoder, learned, features = self._tune(kept, load, brief)
            unseen = encoder([self._texts[row] for row in held])
            held_out = (
                learned.words.logits(self._words[held]),
                neighbour_logits(unseen, features[kept], self._targets[kept], classes),
                learned.linear.logits(unseen),
            )
            plan = dataclasses.replace(plan, minutes=plan.minutes * (1 - _HELD_OUT_TIME))
        encoder, learned, features = self._tune(np.arange(self._tickets), load, plan)
        return Learned(learned.words, learned.linear, features[: self._tickets], held, held_out, encoder)

    def _held_out(self) -> Indices:
        share = min(_HELD_OUT, _MAX_HELD_OUT / self._tickets)
        folds = min(round(1 / share), self._tickets)
        return next(calibration.split_folds(self._targets, self._seed, folds))[1]

    def _tune(
        self, rows: Indices, load: Callable[[], tuple[Any, Any]], plan: Plan
    ) -> tuple[TunedEncoder, Propagated, Matrix]:
        chosen, labelled = self._chosen(rows)
        encoder = TunedEncoder(*load())
        ids = encoder.token_ids([self._texts[row] for row in chosen])
        taught = self._soft[chosen[:labelled]]
        prototypes = unit_rows(taught.T @ embed_ids(encoder.model, ids[:labelled]))
        # The weights that make groups equal are left out: the batches do that.
        weights = np.where(chosen[:labelled] < self._tickets, 1.0, _NAME_WEIGHT).astype(np.float32)
        tune(encoder, ids[:labelled], taught.argmax(axis=1), weights, prototypes, plan, self._seed)
        features = np.zeros((len(self._texts), prototypes.shape[1]), np.float32)
        features[chosen] = embed_ids(encoder.model, ids)
        return encoder, self._propagate(rows, features, None), features

    def _chosen(self, rows: Indices) -> tuple[Indices, int]:
        """These tickets, all names and all unlabelled tickets as rows, and how many of them are labelled."""
        rest = np.arange(self._tickets, len(self._texts))
        return np.concatenate([rows, rest]), len(rows) + self._labelled - self._tickets

    def _propagate(self, rows: Indices, features: Matrix, graph: Any) -> Propagated:
        chosen, labelled = self._chosen(rows)
        if graph is not None:
            graph = graph[chosen][:, chosen]
        return propagate(
            features[chosen],
            self._words[chosen],
            self._soft[chosen[:labelled]],
            self._weights[chosen[:labelled]],
            graph=graph,
        )
