"""Lessons: what the model is trained on, as token ids.

A lesson is a prompt as serving would build it, with what retrieval would have found at the time, and the reply that
the team sent. Facts that nothing in the prompt holds are blanks in it, and slots that the conversation does not have
are as well: the model is not to learn to make them up.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.settings import TrainerSettings
from connectors.store.examples import Example
from connectors.store.passages import Passage
from trainer.privacy.slots import sourced
from trainer.replies import prompt
from trainer.replies.claims import blank_unsupported
from trainer.replies.drafting import Evidence, gather, support_of
from trainer.retrieval.retriever import Retriever

# Trained without passages: so that a draft is possible where retrieval finds nothing.
WITHOUT_PASSAGES_SHARE = 0.2
# The newest training tickets choose the epoch; they are neither trained on nor judged by.
VALIDATION_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class TokenExample:
    """A prompt and the reply to learn, as token ids; `weight` scales its loss."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    weight: float = 1.0

    @property
    def ids(self) -> tuple[int, ...]:
        """Prompt and reply."""
        return self.prompt + self.reply


def evidence_of(
    examples: Sequence[Example], retriever: Retriever, *, progress: Callable[[int], None] = lambda _: None
) -> list[Evidence]:
    """What retrieval would have found for each training example among these, its own ticket and customer left out."""
    own = {example.ticket_id: example.requester_id for example in examples}
    found = []
    for done, example in enumerate(examples, start=1):

        def allowed(passage: Passage, example: Example = example) -> bool:
            return passage.kind == "article" or (
                passage.source_id in own and own[passage.source_id] != example.requester_id
            )

        found.append(gather(retriever, example.question, allowed=allowed))
        progress(done)
    return found


def known_from(train: Sequence[Example]) -> Callable[[Passage], bool]:
    """What drafts for held-out turns may see: articles, and the tickets that were trained on."""
    tickets = {example.ticket_id for example in train}
    return lambda passage: passage.kind == "article" or passage.source_id in tickets


def tokenised(
    examples: Sequence[Example], evidence: Sequence[Evidence], tokenizer: Any, settings: TrainerSettings
) -> list[TokenExample | None]:
    """A lesson for each example, None where the reply is too long."""
    rng = random.Random(settings.seed)  # noqa: S311
    found: list[TokenExample | None] = []
    for example, known in zip(examples, evidence, strict=True):
        passages = [] if rng.random() < WITHOUT_PASSAGES_SHARE else known.passages(example.question)
        built = prompt.build(tokenizer, example.question, passages, max_tokens=settings.max_prompt_tokens)
        reply = sourced(example.reply, example.question)
        reply = blank_unsupported(reply, support_of(example.question, built.passages))
        ids = prompt.encode_reply(tokenizer, reply)
        fits = len(ids) <= settings.max_reply_tokens
        found.append(TokenExample(built.ids, tuple(ids), example.weight) if fits else None)
    return found


def with_validation(
    examples: Sequence[Example], lessons: Sequence[TokenExample | None]
) -> tuple[list[TokenExample], list[TokenExample]]:
    """Lessons to train on, and those of the newest tickets, which choose the epoch."""
    tickets = sorted({(example.created_at, example.ticket_id) for example in examples})
    newest = {ticket_id for _, ticket_id in tickets[len(tickets) - max(1, int(len(tickets) * VALIDATION_SHARE)) :]}
    pairs = [(example, ids) for example, ids in zip(examples, lessons, strict=True) if ids is not None]
    return (
        [ids for example, ids in pairs if example.ticket_id not in newest],
        [ids for example, ids in pairs if example.ticket_id in newest],
    )
