"""Splitting: by time, with near-duplicates and one customer's threads on one side only.

A random split would put a ticket's twin of the day before into training and flatter every arm; what counts is how the
model does on tickets that come after all it has seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from connectors.errors import NotEnoughDataError
from connectors.store.examples import Example

NEAR_DUPLICATE = 92.0


@dataclass(frozen=True, slots=True)
class Split:
    """Examples to train on and, newer than all of them, examples to judge by.

    Attributes:
        at: The moment of the split: evaluation tickets were created at or after it.
        left_out: Newer examples that are in neither, since their customer or their text is in training.
    """

    train: tuple[Example, ...]
    evaluation: tuple[Example, ...]
    at: str
    left_out: int

    @property
    def train_tickets(self) -> frozenset[str]:
        """Ids of the tickets that may be seen in training and retrieval."""
        return frozenset(example.ticket_id for example in self.train)

    @property
    def data_hash(self) -> str:
        """Of everything that is trained on: equal hashes mean equal data."""
        digest = hashlib.sha256()
        for example in self.train:
            digest.update(
                f"{example.comment_id}\x1f{example.question}\x1f{example.reply}\x1f{example.weight}\x1e".encode()
            )
        return digest.hexdigest()[:16]


def split_by_time(
    examples: Sequence[Example], *, eval_share: float, min_examples: int, max_train_tickets: int = 0
) -> Split:
    """Cuts a data set at a moment.

    Args:
        examples: Kept examples, in any order.
        eval_share: Share of the tickets, the newest ones, that is held out.
        min_examples: Fewer examples than this are not worth training on.
        max_train_tickets: Only the newest so many tickets before the cut are trained on; 0 means all.

    Raises:
        NotEnoughDataError: Fewer than `min_examples`, all tickets are of one moment, or nothing is left to judge by.
    """
    if len(examples) < min_examples:
        raise NotEnoughDataError(
            f"{len(examples)} good examples, {min_examples} are needed to learn from",
            hint="sync more history, or see what was dropped: deskhand curate",
        )
    created = sorted({(example.created_at, example.ticket_id) for example in examples})
    at = created[int(len(created) * (1 - eval_share))][0]
    earlier = [ticket_id for moment, ticket_id in created if moment < at]
    chosen = frozenset(earlier[-max_train_tickets:])
    train = [example for example in examples if example.ticket_id in chosen]
    if not train:
        raise NotEnoughDataError("all tickets were created at one moment: nothing is older than the rest")
    customers = {example.requester_id for example in train}
    questions = [example.question for example in train]
    newer = [example for example in examples if example.created_at >= at]
    evaluation = [
        example
        for example in newer
        if example.requester_id not in customers and not _is_near_duplicate(example, questions)
    ]
    if not evaluation:
        raise NotEnoughDataError(
            f"none of the {len(newer)} newest examples can judge: their customers or texts are in training as well",
            hint="sync more history, or raise [trainer] eval_share",
        )
    key = lambda example: (example.created_at, example.ticket_id, example.turn)  # noqa: E731
    return Split(tuple(sorted(train, key=key)), tuple(sorted(evaluation, key=key)), at, len(newer) - len(evaluation))


def _is_near_duplicate(example: Example, questions: Sequence[str]) -> bool:
    return process.extractOne(example.question, questions, scorer=fuzz.ratio, score_cutoff=NEAR_DUPLICATE) is not None
