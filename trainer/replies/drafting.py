"""The reply arms: five ways to come to a draft, from the cheapest on, the same in evaluation and in serving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from connectors.store.passages import Passage
from trainer.conversation import latest_turn
from trainer.privacy.slots import borrowed
from trainer.replies import prompt
from trainer.replies.claims import Support, blank_unsupported
from trainer.replies.prompt import Prompt
from trainer.retrieval.retriever import FOR_EVERYBODY, Hit, Retriever, Scope

if TYPE_CHECKING:
    from trainer.replies.writer import Draft, Writer

# In the order of what they cost to run and to keep; the cheapest one that is as good as any is recommended.
ARMS = ("nearest", "prompt_only", "retrieval", "tuned", "tuned_retrieval")
WITH_PASSAGES = frozenset({"nearest", "retrieval", "tuned_retrieval"})
WITH_ADAPTER = frozenset({"tuned", "tuned_retrieval"})

ARTICLES = 2
TICKETS = 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """What retrieval found for a customer turn, best first."""

    articles: tuple[Hit, ...]
    tickets: tuple[Hit, ...]

    @property
    def similarity(self) -> float:
        """Of the most similar passage; 0 where nothing was found."""
        return max((hit.similarity for hit in (*self.articles, *self.tickets)), default=0.0)

    def passages(self, conversation: str) -> list[Passage]:
        """For the prompt of a conversation: how a similar ticket was answered is worth most, so it is left out last.

        Facts in that answer were another customer's, or may have changed since: those that neither this ticket nor an
        article of today states are blanks, so that a draft can copy the answer's shape but not its facts.
        """
        articles = [hit.passage for hit in self.articles[:ARTICLES]]
        support = support_of(conversation, articles)
        tickets = [
            replace(hit.passage, reply=blank_unsupported(borrowed(hit.passage.reply, conversation), support))
            for hit in self.tickets[:TICKETS]
        ]
        return [*tickets, *articles]


def gather(
    retriever: Retriever,
    conversation: str,
    *,
    scope: Scope = FOR_EVERYBODY,
    allowed: Callable[[Passage], bool] | None = None,
) -> Evidence:
    """Looks for articles and solved tickets on a conversation's newest turn, as `Retriever.search` does."""
    query = latest_turn(conversation)
    return Evidence(
        tuple(retriever.search(query, "article", ARTICLES + 1, scope=scope, allowed=allowed)),
        tuple(retriever.search(query, "ticket", TICKETS + 2, scope=scope, allowed=allowed)),
    )


def support_of(conversation: str, passages: Sequence[Passage]) -> Support:
    """What a draft may state: what the ticket and the articles say.

    Solved tickets support nothing: their dates and amounts were other customers', and their policies yesterday's.
    """
    articles = [(passage.title, passage.text) for passage in passages if passage.kind == "article"]
    return Support([("ticket", conversation), *articles])


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft, slots not yet filled, and the passages it was written with.

    Attributes:
        text: As it may be shown: facts that neither the ticket nor an article holds are blanks.
        draft: What the model wrote; None for the nearest reply.
    """

    text: str
    passages: tuple[Passage, ...]
    draft: Draft | None = None


def build_prompts(
    writer: Writer, arm: str, conversations: Sequence[str], evidence: Sequence[Evidence], *, max_tokens: int
) -> list[Prompt]:
    """The prompts of one arm."""
    return [
        prompt.build(
            writer.tokenizer,
            conversation,
            found.passages(conversation) if arm in WITH_PASSAGES else [],
            max_tokens=max_tokens,
        )
        for conversation, found in zip(conversations, evidence, strict=True)
    ]


def draft(
    arm: str,
    conversations: Sequence[str],
    evidence: Sequence[Evidence],
    writer: Writer | None,
    *,
    max_prompt_tokens: int,
    sent: Sequence[str] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Drafted]:
    """Drafts of one arm for conversations, in order.

    Args:
        writer: Not needed for `nearest`.
        sent: What the team replied, as for `Writer.write`.
    """
    if arm == "nearest" or writer is None:
        return [_nearest(conversation, found) for conversation, found in zip(conversations, evidence, strict=True)]
    prompts = build_prompts(writer, arm, conversations, evidence, max_tokens=max_prompt_tokens)
    drafts = writer.write(prompts, sent=sent, adapter=arm in WITH_ADAPTER, progress=progress)
    return [
        # A made-up date with a warning beside it is still the date that a hurried agent sends.
        Drafted(blank_unsupported(one.text, support_of(conversation, built.passages)), built.passages, one)
        for one, built, conversation in zip(drafts, prompts, conversations, strict=True)
    ]


def _nearest(conversation: str, found: Evidence) -> Drafted:
    """The most similar ticket's reply, its own facts as blanks: nobody should send another customer's dates."""
    passages = found.passages(conversation)
    if not found.tickets:
        return Drafted("", ())
    return Drafted(passages[0].reply, tuple(passages))
