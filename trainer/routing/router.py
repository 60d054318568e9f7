"""Routing: which group a ticket belongs to, by the cheapest classifier that is as good as any.

All arms share a closed label set, the groups that the team has routed to, and give calibrated probabilities:

    majority        the most frequent group
    tfidf           words and character n-grams, logistic regression
    neighbours      the most similar past tickets, by a sentence encoder
    encoder         a sentence encoder, logistic regression
    stacked         the last three together; the encoder's part learns from the groups' names and unlabelled tickets too
    encoder_tuned   the same, on an encoder whose upper layers were fine-tuned
    tuned           the fine-tuned language model's own hidden states, logistic regression

A trained router is JSON and safetensors: nothing in a version directory is ever unpickled.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from connectors.errors import ModelError, NotEnoughDataError
from trainer.routing import calibration
from trainer.routing.arrays import Embed, Indices, Matrix, softmax
from trainer.routing.calibration import expected_calibration_error
from trainer.routing.desk import Desk, Learned
from trainer.routing.encoder import TunedEncoder
from trainer.routing.linear import Linear
from trainer.routing.neighbours import neighbour_logits
from trainer.routing.stack import agreement, fit_shares, pool
from trainer.routing.tuning import Plan
from trainer.routing.words import inverse_frequencies, word_features

__all__ = ["ARMS", "Decision", "Embed", "Matrix", "Plan", "Router", "expected_calibration_error", "train_router"]

ARMS = ("majority", "tfidf", "neighbours", "encoder", "stacked", "encoder_tuned", "tuned")
"""Cheapest first, in training and in serving."""
TOP = 3
# Tickets that take part as unlabelled ones; with more, time and memory grow and accuracy does not.
MAX_UNLABELLED = 10_000
_QUANTILES = 101


@dataclass(frozen=True, slots=True)
class Decision:
    """What a router makes of one ticket.

    Attributes:
        top: The likeliest groups with their probabilities, best first, at most three.
        abstain: The router is less confident of the best one than its group's threshold asks: a person should route.
        out_of_scope: Share of in-scope tickets that looked more familiar than this one, 0 to 1; near 1 is a ticket
            of a kind that the team has not routed before.
    """

    top: tuple[tuple[str, float], ...]
    abstain: bool
    out_of_scope: float


def _empty() -> Matrix:
    return np.zeros(0, np.float32)


@dataclass
class Router:
    """A trained classifier over some features.

    Attributes:
        arm: One of `ARMS`.
        classes: Group ids, the order of the probabilities.
        weights: Float32 of shape (classes, features); for `neighbours` the past tickets' features; for `stacked` and
            `encoder_tuned` how much each part counts.
        bias: Float32 of shape (classes,); for `neighbours` the class of each past ticket; else empty.
        temperature: Divides the logits; fitted on held-out folds so that probabilities mean what they say
            (Guo et al., ICML 2017).
        idf: Float32 of shape (features,) for `tfidf`, else empty.
        thresholds: Float32 of shape (classes,): the confidence from which a group is right often enough.
        familiarity: Float32 quantiles of the best logit over held-out tickets, for `Decision.out_of_scope`.
        tuned: The encoder of `encoder_tuned`.
        parts: The routers that `stacked` and `encoder_tuned` are made of.
    """

    arm: str
    classes: tuple[str, ...]
    weights: Matrix
    bias: Matrix
    temperature: float
    idf: Matrix
    thresholds: Matrix = field(default_factory=_empty)
    familiarity: Matrix = field(default_factory=_empty)
    tuned: TunedEncoder | None = None
    parts: tuple[Router, ...] = ()

    def probabilities(self, texts: Sequence[str], embed: Embed | None = None) -> Matrix:
        """Float32 of shape (len(texts), classes).

        Args:
            embed: The features of the arms that take them from outside: the sentence encoder's for `neighbours`,
                `encoder` and `stacked`, the language model's for `tuned`.
        """
        return softmax(self._logits(texts, embed) / self.temperature)

    def confidence(self, texts: Sequence[str], embed: Embed | None = None) -> Matrix:
        """How sure the router is of each ticket's likeliest group, 0 to 1: what the thresholds are compared with.

        Its probability, or, where the router is made of parts, its mean probability among them.

        Returns:
            Float32 of shape (len(texts),).
        """
        opinions = self._opinions(texts, embed)
        return self._confidence(opinions, self._pooled(opinions))

    def decide(self, texts: Sequence[str], embed: Embed | None = None) -> list[Decision]:
        """What to do with each ticket: the likeliest groups, and whether to leave it to a person."""
        opinions = self._opinions(texts, embed)
        logits = self._pooled(opinions)
        probabilities, confidence = softmax(logits / self.temperature), self._confidence(opinions, logits)
        order = np.argsort(-probabilities, axis=1)[:, :TOP]
        below = np.searchsorted(self.familiarity, logits.max(axis=1))
        strange = 1 - below / max(len(self.familiarity), 1) if len(self.familiarity) else np.zeros(len(texts))
        return [
            Decision(
                top=tuple((self.classes[group], float(probabilities[row, group])) for group in groups),
                abstain=bool(len(self.thresholds) and confidence[row] < self.thresholds[groups[0]]),
                out_of_scope=float(strange[row]),
            )
            for row, groups in enumerate(order)
        ]

    def save(self, folder: Path) -> None:
        """Writes `route.json` and `route.safetensors`, and the tuned encoder's folder where there is one."""
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(one) for name, one in self._arrays()}, folder / "route.safetensors")
        facts = {"arm": self.arm, "classes": list(self.classes), "temperature": self.temperature}
        if self.parts:
            facts["parts"] = [part.arm for part in self.parts]
        (folder / "route.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        if self.tuned is not None:
            self.tuned.save(folder)

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
            classes = tuple(facts["classes"])
            parts = [cls._of(arm, classes, 1.0, arrays, f"{arm}.") for arm in facts.get("parts", ())]
            router = cls._of(facts["arm"], classes, facts["temperature"], arrays, "")
            router.parts = tuple(parts)
            router.tuned = TunedEncoder.load(folder) if router.arm == "encoder_tuned" else None
            return router
        except (OSError, ValueError, KeyError, SafetensorError, ModelError) as error:
            raise ModelError(
                f"the router in {folder} cannot be read: {type(error).__name__}", hint="run: deskhand rollback"
            ) from error

    def _arrays(self, prefix: str = "") -> Iterator[tuple[str, Matrix]]:
        for name in _ARRAYS:
            if not prefix or name in _OF_PARTS:
                yield prefix + name, getattr(self, name)
        for part in self.parts:
            yield from part._arrays(f"{part.arm}.")

    @classmethod
    def _of(
        cls, arm: str, classes: tuple[str, ...], temperature: float, arrays: Mapping[str, Matrix], prefix: str
    ) -> Router:
        # Versions from before there were thresholds have neither these nor quantiles.
        weights, bias, idf = (arrays[prefix + name] for name in _OF_PARTS)
        thresholds, familiarity = (arrays.get(prefix + name, _empty()) for name in _ARRAYS[len(_OF_PARTS) :])
        return cls(arm, classes, weights, bias, temperature, idf, thresholds, familiarity)

    def _logits(self, texts: Sequence[str], embed: Embed | None) -> Matrix:
        return self._pooled(self._opinions(texts, embed))

    def _opinions(self, texts: Sequence[str], embed: Embed | None) -> Sequence[Matrix]:
        """Logits of shape (texts, classes): each part's, or, without parts, the router's own."""
        features = _features(self.arm, texts, self.idf, self.tuned or embed)
        if self.parts:
            return [part._logits(texts, lambda _: features) for part in self.parts]
        if self.arm == "neighbours":
            return [neighbour_logits(features, self.weights, self.bias.astype(np.int64), len(self.classes))]
        return [Linear(self.weights, self.bias).logits(features)]

    def _pooled(self, opinions: Sequence[Matrix]) -> Matrix:
        return pool(opinions, self.weights) if self.parts else opinions[0]

    def _confidence(self, opinions: Sequence[Matrix], logits: Matrix) -> Matrix:
        if self.parts:
            return agreement(opinions, logits.argmax(axis=1))
        return np.asarray(softmax(logits / self.temperature).max(axis=1), np.float32)


_OF_PARTS = ("weights", "bias", "idf")
_ARRAYS = (*_OF_PARTS, "thresholds", "familiarity")


def train_router(
    arm: str,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    embed: Embed | None = None,
    seed: int = 0,
    unlabelled: Sequence[str] = (),
    descriptions: Mapping[str, str] | None = None,
    encoder: Callable[[], tuple[Any, Any]] | None = None,
    plan: Plan | None = None,
    precision: float = calibration.PRECISION,
) -> Router:
    """Fits one arm.

    Args:
        arm: One of `ARMS`.
        texts: A ticket's subject and first message each.
        labels: Group ids.
        embed: The features of all arms but `majority` and `tfidf`: the sentence encoder's, for `tuned` the language
            model's.
        unlabelled: Tickets without a group, for `stacked` and `encoder_tuned`.
        descriptions: What groups are about, in words, by group id: their names, or a sentence. For the same two.
        encoder: Loads the encoder that `encoder_tuned` changes, and its tokenizer.
        plan: How that one is tuned.
        precision: Share of right ones, on held-out tickets, from which a group's tickets are routed by themselves.

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
        return Router(arm, classes, nothing, np.log(counts / counts.sum()), 1.0, _empty())
    if arm != "tfidf" and (embed is None or (arm == "encoder_tuned" and encoder is None)):
        raise ModelError(f"the {arm} router needs its encoder")
    # On matrices of this size a second BLAS thread gains nothing, and where another process wants the core, its
    # spinning takes the time: ten times as long was measured.
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if arm in ("stacked", "encoder_tuned"):
            known = {name: text for name, text in (descriptions or {}).items() if text}
            names = {index: known[name] for index, name in enumerate(classes) if name in known}
            chosen = _sample(unlabelled, MAX_UNLABELLED, seed)
            desk = Desk(texts, targets, len(classes), chosen, names, cast(Embed, embed), seed)
            learned = desk.learn() if encoder is None or arm == "stacked" else desk.learn_tuned(encoder, plan or Plan())
            router, opinions = _stack(arm, classes, targets, learned, desk.idf)
            rows = learned.rows
        else:
            router, opinions = _fit(arm, classes, texts, targets, embed, seed)
            rows = np.arange(len(targets))
    return router if opinions is None else _calibrated(router, opinions, targets[rows], precision)


def _fit(
    arm: str, classes: tuple[str, ...], texts: Sequence[str], targets: Indices, embed: Embed | None, seed: int
) -> tuple[Router, Sequence[Matrix] | None]:
    """A router of one part, and logits of all tickets by ones that had not seen them."""
    idf = inverse_frequencies(texts) if arm == "tfidf" else _empty()
    features = _features(arm, texts, idf, embed)
    if arm == "neighbours":
        own = neighbour_logits(features, features, targets, len(classes), own=True)
        return _neighbours(classes, features, targets), [own]

    def fit(rows: Indices) -> Callable[[Indices], Matrix]:
        linear = _regression(arm, seed, features[rows], targets[rows], len(classes))
        return lambda judged: linear.logits(features[judged])

    held_out = calibration.held_out_logits(fit, targets, seed)
    linear = _regression(arm, seed, features, targets, len(classes))
    return Router(arm, classes, linear.weights, linear.bias, 1.0, idf), None if held_out is None else [held_out]


def _neighbours(classes: tuple[str, ...], features: Matrix, targets: Indices) -> Router:
    return Router("neighbours", classes, features, targets.astype(np.float32), 1.0, _empty())


def _stack(
    arm: str, classes: tuple[str, ...], targets: Indices, learned: Learned, idf: Matrix
) -> tuple[Router, Sequence[Matrix] | None]:
    """Words, neighbours and a linear classifier as one router, and what each says of the tickets that were held out."""
    parts = (
        Router("tfidf", classes, learned.words.weights, learned.words.bias, 1.0, idf),
        _neighbours(classes, learned.features, targets),
        Router("encoder", classes, learned.linear.weights, learned.linear.bias, 1.0, _empty()),
    )
    # With nothing to judge by, the linear classifier alone.
    shares = np.asarray([0, 0, 1], np.float32)
    if learned.held_out is not None:
        shares = fit_shares(learned.held_out, targets[learned.rows])
    router = Router(arm, classes, shares, _empty(), 1.0, _empty(), tuned=learned.encoder, parts=parts)
    return router, learned.held_out


def _calibrated(router: Router, opinions: Sequence[Matrix], targets: Indices, precision: float) -> Router:
    """The router with its temperature, thresholds and quantiles, from logits of tickets it was not trained on."""
    held_out = router._pooled(opinions)
    router.temperature = calibration.fit_temperature(held_out, targets)
    probabilities = softmax(held_out / router.temperature)
    confidence = router._confidence(opinions, held_out)
    router.thresholds = calibration.fit_thresholds(probabilities, targets, precision, confidence=confidence)
    router.familiarity = np.quantile(held_out.max(axis=1), np.linspace(0, 1, _QUANTILES)).astype(np.float32)
    return router


def _features(arm: str, texts: Sequence[str], idf: Matrix, embed: Embed | None) -> Any:
    if arm == "majority":
        return np.zeros((len(texts), 0), np.float32)
    if arm == "tfidf":
        return word_features(texts, idf)
    if embed is None:
        raise ModelError(f"the {arm} router needs its encoder")
    return embed(texts)


def _regression(arm: str, seed: int, features: Any, targets: Indices, classes: int) -> Linear:
    """Scikit-learn's logistic regression, with a row for every class of the whole set."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=20.0 if arm == "tfidf" else 8.0, max_iter=2000, class_weight="balanced", random_state=seed
    ).fit(features, targets)
    weights, bias = model.coef_.astype(np.float32), model.intercept_.astype(np.float32)
    if len(weights) == 1:
        # scikit-learn keeps one row for two classes; two rows make the rest of the code the same for any number.
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.concatenate([np.zeros_like(bias), bias])
    every = Linear(np.zeros((classes, weights.shape[1]), np.float32), np.full(classes, -20.0, np.float32))
    every.weights[model.classes_], every.bias[model.classes_] = weights, bias
    return every


def _sample(texts: Sequence[str], count: int, seed: int) -> list[str]:
    if len(texts) <= count:
        return list(texts)
    chosen = np.random.default_rng(seed).choice(len(texts), count, replace=False)
    return [texts[index] for index in sorted(chosen.tolist())]
