"""Splitting: by time, with near-duplicates and one customer's threads on one side only.

A random split would put a ticket's twin of the day before into training and flatter every arm; what counts is how the
model does on tickets that come after all it has seen. The tickets that judge the first version are frozen: no later
version is trained on them, so that all versions can be compared on the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from connectors.errors import NotEnoughDataError
from connectors.settings import TrainerSettings
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.conversation import customer_turns
from trainer.curation.duplicates import twins

NEAR_DUPLICATE = 92.0
# Two customers who both write 'Thank you, that is clear' are no twins.
_TWIN_WORDS = 8


@dataclass(frozen=True, slots=True)
class Split:
    """Examples to train on, and examples to judge by.

    Attributes:
        evaluation: The frozen tickets and, newer than all that is trained on, those that come on top.
        at: The moment of the split: evaluation tickets that are not frozen were created at or after it.
        left_out: Examples that are in neither: newer ones whose customer or text is in training or that were sent as
            Deskhand had drafted them, and older ones whose customer or text is among the frozen.
        frozen: Ids of the frozen tickets that are in `evaluation`.
    """

    train: tuple[Example, ...]
    evaluation: tuple[Example, ...]
    at: str
    left_out: int
    frozen: frozenset[str] = frozenset()

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


def split_of(store: Store, helpdesk: str, settings: TrainerSettings) -> Split:
    """The split for a training; the first one of a helpdesk freezes the tickets that judge it.

    Raises:
        NotEnoughDataError: As for `split_by_time`.
    """
    frozen = store.examples.frozen(helpdesk)
    split = split_by_time(
        store.examples.kept(helpdesk),
        eval_share=settings.eval_share,
        min_examples=settings.min_examples,
        max_train_tickets=settings.max_train_tickets,
        frozen=frozen,
    )
    if not frozen:
        store.examples.freeze(helpdesk, {example.ticket_id for example in split.evaluation})
    return split


def split_by_time(
    examples: Sequence[Example],
    *,
    eval_share: float,
    min_examples: int,
    max_train_tickets: int = 0,
    frozen: Collection[str] = (),
) -> Split:
    """Cuts a data set at a moment.

    Args:
        examples: Kept examples, in any order.
        eval_share: Share of the tickets, the newest ones, that is held out.
        min_examples: Fewer examples than this are not worth training on.
        max_train_tickets: Only the newest so many tickets before the cut are trained on; 0 means all.
        frozen: Ids of tickets that judge, however old they are.

    Raises:
        NotEnoughDataError: Fewer than `min_examples`, all tickets are of one moment, or nothing is left to judge by.
    """
    if len(examples) < min_examples:
        raise NotEnoughDataError(
            f"{len(examples)} good examples, {min_examples} are needed to learn from",
            hint="sync more history, or see what was dropped: deskhand curate",
        )
    examples = sorted(examples, key=lambda one: (one.created_at, one.ticket_id, one.turn))
    created = sorted({(example.created_at, example.ticket_id) for example in examples})
    at = created[int(len(created) * (1 - eval_share))][0]
    judges = [example for example in examples if example.ticket_id in frozen]
    earlier = _apart([one for one in examples if one.created_at < at and one.ticket_id not in frozen], judges)
    earlier_tickets = list(dict.fromkeys(example.ticket_id for example in earlier))
    chosen = frozenset(earlier_tickets[-max_train_tickets:])
    train = [example for example in earlier if example.ticket_id in chosen]
    if not train:
        raise NotEnoughDataError("all tickets were created at one moment: nothing is older than the rest")
    newer = [example for example in examples if example.created_at >= at and example.ticket_id not in frozen]
    # What was sent as one of the arms had drafted it would measure that arm against its own words.
    on_top = _apart([example for example in newer if not example.weight_reason], train)
    evaluation = sorted([*judges, *on_top], key=lambda one: (one.created_at, one.ticket_id, one.turn))
    if not evaluation:
        raise NotEnoughDataError(
            f"none of the {len(newer)} newest examples can judge: their customers or texts are in training as well",
            hint="sync more history, or raise [trainer] eval_share",
        )
    older = sum(example.created_at < at and example.ticket_id not in frozen for example in examples)
    left_out = older - len(earlier) + len(newer) - len(on_top)
    return Split(tuple(train), tuple(evaluation), at, left_out, frozenset(one.ticket_id for one in judges))


def _apart(examples: Sequence[Example], others: Sequence[Example]) -> list[Example]:
    """Examples of tickets that share neither a customer nor a text with the others."""
    if not others:
        return list(examples)
    customers = {example.requester_id for example in others}
    left = [example for example in examples if example.requester_id not in customers]
    texts = [(example.ticket_id, text) for example in left for text in _texts(example)]
    known = [text for example in others for text in _texts(example)]
    twin_tickets = {texts[index][0] for index in twins([text for _, text in texts], known, NEAR_DUPLICATE)}
    return [example for example in left if example.ticket_id not in twin_tickets]


def _texts(example: Example) -> list[str]:
    """What makes a twin: the whole conversation, and what the customer wrote in any turn of it."""
    turns = (turn for turn in customer_turns(example.question) if len(turn.split()) >= _TWIN_WORDS)
    return [example.question, *turns]
