"""Learning priority and tags from what the team has set, and how well that works on later tickets.

A head learns what stands on the tickets today, whoever set it: an agent, a trigger or the customer's form. How likely a
label must be to be suggested comes from tickets that a head of the same making had not seen. A tag that is never right
often enough is never suggested, nor is a priority where the head is no better than naming the most frequent one: on
many desks both depend less on the words of a ticket than on who asks and who answers.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.conversation import latest_turn
from trainer.routing import calibration
from trainer.routing.arrays import Embed, Flags, Indices, Matrix, one_hot, softmax
from trainer.routing.heads import PRIORITY, TAGS, Head, Heads, HeadScore, features_of, sigmoid
from trainer.routing.linear import Linear
from trainer.routing.words import inverse_frequencies

PRECISION = 0.85
# A label needs so many tickets, and a tag this share of them. With 8 tickets a tag instead of 5, half as many tags were
# suggested on the sample company, and no more of them were right.
LEAST_OF_A_PRIORITY, LEAST_OF_A_TAG, LEAST_SHARE = 8, 5, 0.02
# What is on nearly every ticket says nothing about this one.
MOST_SHARE = 0.9
# The most frequent tags and the newest tickets; more take time and teach little.
MAX_TAGS, MAX_TICKETS = 30, 2000
# What programs set: Deskhand itself, and Zendesk on a ticket that was merged into another.
_TECHNICAL = ("deskhand", "closed_by_merge")
_C = 16.0
# A tag's own curve counts as many tickets as it was guessed for, the curve of all tags as many as these: with 10, as in
# routing, fewer than half as many tags were suggested, and no more of them were right.
_POOLED = 4.0
_GRID = np.linspace(0.2, 1.0, 161, dtype=np.float32)
# The chance that a head which is no better than the control passes for better.
_LEVEL = 0.05
_NEVER = np.inf
_UNKNOWN = -20.0


def train_heads(store: Store, helpdesk: str, examples: Sequence[Example], embed: Embed, *, seed: int = 0) -> Heads:
    """Learns priority and tags as they stand on the examples' tickets.

    Args:
        examples: What may be trained on, oldest first; a ticket counts once, by its first turn.
        embed: The frozen sentence encoder's features.
        seed: Of the folds.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    opening = [example for example in examples if example.turn == 0]
    tickets = _labelled(store, helpdesk, opening[-MAX_TICKETS:])
    priorities = [name for name, count in _counted(one.priority for one in tickets) if count >= LEAST_OF_A_PRIORITY]
    tags = _tags_to_learn(tickets)
    if len(priorities) < 2 and not tags:
        return Heads()
    texts = [ticket.text for ticket in tickets]
    idf = inverse_frequencies(texts)
    # As in `train_router`: on matrices of this size a second BLAS thread gains nothing.
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features = features_of(texts, embed, idf)
        priority = (
            _fit_priority(features, [one.priority for one in tickets], priorities, seed) if priorities[1:] else None
        )
        return Heads(priority, _fit_tags(features, [one.tags for one in tickets], tags, seed) if tags else None, idf)


def score_heads(
    heads: Heads, store: Store, helpdesk: str, examples: Sequence[Example], embed: Embed
) -> list[HeadScore]:
    """Judges the heads on held-out tickets, each by its first turn; nothing of a head that is not there."""
    tickets = _labelled(store, helpdesk, [example for example in examples if example.turn == 0])
    scores = []
    if heads.priority and heads.idf is not None and (judged := [one for one in tickets if one.priority]):
        features = features_of([ticket.text for ticket in judged], embed, heads.idf)
        scores.append(_score_priority(heads.priority, features, [ticket.priority for ticket in judged]))
    if heads.tags and heads.idf is not None and tickets:
        features = features_of([ticket.text for ticket in tickets], embed, heads.idf)
        scores.append(_score_tags(heads.tags, features, [ticket.tags for ticket in tickets]))
    return scores


def tag_thresholds(probabilities: Matrix, truth: Flags, precision: float = PRECISION) -> Matrix:
    """For each tag, the least probability from which at least `precision` of its suggestions are right.

    As `calibration.fit_thresholds`: a risk-coverage curve for each tag, drawn towards the curve of all. Infinite where
    no probability is enough.

    Args:
        probabilities: Float32 of shape (tickets, tags), of held-out tickets.
        truth: Whether a ticket has a tag, of the same shape.

    Returns:
        Float32 of shape (tags,).
    """
    likely = np.stack([probabilities >= least for least in _GRID])
    given, right = likely.sum(axis=1), (likely & truth).sum(axis=1)
    pooled = right.sum(axis=1) / np.maximum(given.sum(axis=1), 1)
    shrunk = (right + _POOLED * pooled[:, None]) / (given + _POOLED)
    enough = (shrunk >= precision) & (given > 0)
    return np.where(enough.any(axis=0), _GRID[enough.argmax(axis=0)], _NEVER).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Labelled:
    text: str
    priority: str
    tags: frozenset[str]


def _labelled(store: Store, helpdesk: str, opening: Sequence[Example]) -> list[_Labelled]:
    pairs = [(latest_turn(one.question), store.history.ticket(helpdesk, one.ticket_id)) for one in opening]
    return [_Labelled(text, ticket.priority or "", frozenset(ticket.tags)) for text, ticket in pairs if ticket]


def _counted(names: Iterable[str]) -> list[tuple[str, int]]:
    """Names and how often they are there, most frequent first; without the empty one."""
    return sorted(Counter(name for name in names if name).items(), key=lambda pair: (-pair[1], pair[0]))


def _tags_to_learn(tickets: Sequence[_Labelled]) -> list[str]:
    least, most = max(LEAST_OF_A_TAG, LEAST_SHARE * len(tickets)), MOST_SHARE * len(tickets)
    counts = _counted(tag for ticket in tickets for tag in ticket.tags if not tag.startswith(_TECHNICAL))
    return [tag for tag, count in counts if least <= count <= most][:MAX_TAGS]


def _fit_priority(features: Any, priorities: Sequence[str], labels: Sequence[str], seed: int) -> Head:
    rows = np.asarray([row for row, priority in enumerate(priorities) if priority in labels])
    targets = np.asarray([labels.index(priority) for priority in priorities if priority in labels])
    # Each ticket counts the same, unlike in routing: with rare priorities weighed up, they are named too often.
    linear, held_out = _fit(features[rows], one_hot(targets, len(labels)) > 0, seed, balanced=False)
    temperature = calibration.fit_temperature(held_out, targets)
    thresholds = np.full(len(labels), _NEVER, np.float32)
    # The most frequent label is the first one.
    if _is_better(held_out.argmax(axis=1) == targets, targets == 0):
        thresholds = calibration.fit_thresholds(softmax(held_out / temperature), targets, PRECISION)
    return Head(tuple(labels), linear, temperature, thresholds, exclusive=True)


def _fit_tags(features: Any, tags: Sequence[frozenset[str]], labels: Sequence[str], seed: int) -> Head:
    truth = np.asarray([[label in one for label in labels] for one in tags])
    linear, held_out = _fit(features, truth, seed, balanced=True)
    slope, offset = _fit_sigmoid(held_out, truth)
    thresholds = tag_thresholds(sigmoid(slope * held_out + offset), truth)
    shifted = Linear(linear.weights, linear.bias + np.float32(offset / slope))
    return Head(tuple(labels), shifted, 1 / slope, thresholds, exclusive=False)


def _fit(features: Any, truth: Flags, seed: int, *, balanced: bool) -> tuple[Linear, Matrix]:
    """Each label against the rest, and logits of shape (rows, labels) by classifiers that had not seen the row.

    Args:
        truth: Whether a row has a label, of shape (rows, labels).
        balanced: Whether the rows with a label count as much in all as those without it.
    """
    from sklearn.linear_model import LogisticRegression

    linear = Linear(np.zeros((truth.shape[1], features.shape[1]), np.float32), np.zeros(truth.shape[1], np.float32))
    held_out = np.full(truth.shape, _UNKNOWN, np.float32)
    for label, targets in enumerate(truth.T.astype(np.int64)):

        def fit(rows: Indices, targets: Indices = targets) -> Any:
            # In the dual, as in `labels`: on so many words a tenth of the time that `fit_linear` takes.
            return LogisticRegression(
                C=_C, solver="liblinear", dual=True, tol=1e-2, max_iter=200, random_state=seed,
                class_weight="balanced" if balanced else None,
            ).fit(features[rows], targets[rows])  # fmt: skip

        def judge(rows: Indices, fit: Callable[[Indices], Any] = fit) -> Callable[[Indices], Matrix]:
            model = fit(rows)

            def logits(judged: Indices) -> Matrix:
                found = model.decision_function(features[judged])
                return np.stack([np.zeros_like(found), found], axis=1)

            return logits

        model = fit(np.arange(len(targets)))
        linear.weights[label], linear.bias[label] = model.coef_[0], model.intercept_[0]
        unseen = calibration.held_out_logits(judge, targets, seed)
        if unseen is not None:
            held_out[:, label] = unseen[:, 1]
    return linear, held_out


def _fit_sigmoid(logits: Matrix, truth: Flags) -> tuple[float, float]:
    """Slope and offset that make logits probabilities, the same for all tags: a rare one has too few for its own.

    With an offset, since the classifiers were trained as if every tag were on half of the tickets (Platt, 1999).
    """
    from sklearn.linear_model import LogisticRegression

    known = logits.ravel() > _UNKNOWN
    if len(set(truth.ravel()[known])) < 2:
        return 1.0, 0.0
    model = LogisticRegression(C=1e6).fit(logits.reshape(-1, 1)[known], truth.ravel()[known])
    slope = float(model.coef_[0, 0])
    # Logits that point the wrong way are no better than none: all tags stay as unlikely as they are rare.
    return max(slope, 1e-3), float(model.intercept_[0])


def _is_better(hits: Flags, control: Flags) -> bool:
    """Whether a classifier beats the control on the same tickets: McNemar's exact test, one-sided."""
    from scipy.stats import binomtest

    wins, losses = int((hits & ~control).sum()), int((control & ~hits).sum())
    return wins > losses and bool(binomtest(wins, wins + losses, alternative="greater").pvalue < _LEVEL)


def _score_priority(head: Head, features: Any, priorities: Sequence[str]) -> HeadScore:
    truth = np.asarray([[label == priority for label in head.labels] for priority in priorities])
    best = one_hot(head.probabilities(features).argmax(axis=1), len(head.labels)) > 0
    given = head.suggested(features)
    right = int((given & truth).sum())
    return HeadScore(
        head=PRIORITY,
        tickets=len(priorities),
        metric="accuracy",
        value=float((best & truth).any(axis=1).mean()),
        control=float(truth[:, 0].mean()),
        suggested=float(given.any(axis=1).mean()),
        precision=right / max(int(given.sum()), 1),
        recall=right / len(priorities),
    )


def _score_tags(head: Head, features: Any, tags: Sequence[frozenset[str]]) -> HeadScore:
    truth = np.asarray([[label in one for label in head.labels] for one in tags])
    given = head.suggested(features)
    right, wanted = int((given & truth).sum()), int(truth.sum())

    def f1(right: int, given: int) -> float:
        return 2 * right / max(given + wanted, 1)

    return HeadScore(
        head=TAGS,
        tickets=len(tags),
        metric="micro-F1",
        value=f1(right, int(given.sum())),
        control=f1(int(truth[:, 0].sum()), len(tags)),
        suggested=float(given.any(axis=1).mean()),
        precision=right / max(int(given.sum()), 1),
        recall=right / max(wanted, 1),
    )
