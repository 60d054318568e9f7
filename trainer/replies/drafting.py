"""The reply arms: five ways to come to a draft, from the cheapest on, the same in evaluation and in serving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from connectors.store.passages import Passage
from trainer.conversation import latest_turn
from trainer.privacy.slots import borrowed
from trainer.replies import prompt
from trainer.replies.claims import Support, blank_unsupported
from trainer.replies.prompt import Prompt
from trainer.replies.writer import Draft, Writer, whole_sentences
from trainer.retrieval.retriever import FOR_EVERYBODY, Hit, Retriever, Scope

# In the order of what they cost to run and to keep; the cheapest one that is as good as any is recommended.
ARMS = ("nearest", "prompt_only", "retrieval", "tuned", "tuned_retrieval")
WITH_PASSAGES = frozenset({"nearest", "retrieval", "tuned_retrieval"})
WITH_ADAPTER = frozenset({"tuned", "tuned_retrieval"})

ARTICLES = 2
TICKETS = 1
_WIDER = 12


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
    preferred: Callable[[Hit], bool] | None = None,
) -> Evidence:
    """Looks for articles and solved tickets on a conversation's newest turn, as `Retriever.search` does.

    Args:
        preferred: Which solved tickets come before all others, such as chats for a chat; among more than are taken.
    """
    query = latest_turn(conversation)
    articles = retriever.search(query, "article", ARTICLES + 1, scope=scope, allowed=allowed)
    wanted = _WIDER if preferred else TICKETS + 2
    tickets = retriever.search(query, "ticket", wanted, scope=scope, allowed=allowed)
    if preferred:
        tickets.sort(key=preferred, reverse=True)
    return Evidence(tuple(articles), tuple(tickets[: TICKETS + 2]))


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
    writer: Writer,
    arm: str,
    conversations: Sequence[str],
    evidence: Sequence[Evidence],
    *,
    max_tokens: int,
    told: Sequence[Passage] = (),
) -> list[Prompt]:
    """The prompts of one arm; what was told comes first, so that it is left out last."""
    return [
        prompt.build(
            writer.tokenizer,
            conversation,
            [*told, *(found.passages(conversation) if arm in WITH_PASSAGES else [])],
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
        return [nearest(conversation, found) for conversation, found in zip(conversations, evidence, strict=True)]
    prompts = build_prompts(writer, arm, conversations, evidence, max_tokens=max_prompt_tokens)
    drafts = writer.write(prompts, sent=sent, adapter=arm in WITH_ADAPTER, progress=progress)
    return [
        _drafted(one.text, built.passages, support_of(conversation, built.passages), one)
        for one, built, conversation in zip(drafts, prompts, conversations, strict=True)
    ]


def draft_one(
    arm: str,
    conversation: str,
    found: Evidence,
    writer: Writer | None,
    *,
    max_prompt_tokens: int,
    told: Sequence[Passage] = (),
    on_draft: Callable[[Drafted], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Drafted:
    """A draft that somebody waits for.

    Args:
        told: What an agent told for it, as passages: they go into the prompt and support claims.
        on_draft: Given the draft so far, whenever a sentence is finished. Not asked for `nearest`, which is there at
            once.
        stopped: As for `Writer.write`.
    """
    if arm == "nearest" or writer is None:
        return nearest(conversation, found, told=told)
    [built] = build_prompts(writer, arm, [conversation], [found], max_tokens=max_prompt_tokens, told=told)
    support = support_of(conversation, built.passages)
    shown = ""

    def on_text(text: str) -> None:
        nonlocal shown
        # A number or a date is read together with what follows it, so an unfinished sentence is kept back.
        if on_draft and (finished := whole_sentences(text)) != shown:
            shown = finished
            on_draft(_drafted(finished, built.passages, support))

    [one] = writer.write(
        [built], adapter=arm in WITH_ADAPTER, on_text=on_text if on_draft else None, stopped=stopped
    )  # fmt: skip
    return _drafted(one.text, built.passages, support, one)


def nearest(conversation: str, found: Evidence, *, told: Sequence[Passage] = ()) -> Drafted:
    """The most similar ticket's reply, its own facts as blanks: nobody should send another customer's dates."""
    if not found.tickets:
        return Drafted("", ())
    passages = found.passages(conversation)
    return Drafted(passages[0].reply, (*told, *passages))


def _drafted(text: str, passages: tuple[Passage, ...], support: Support, written: Draft | None = None) -> Drafted:
    # A made-up date with a warning beside it is still the date that a hurried agent sends.
    return Drafted(blank_unsupported(text, support), passages, written)
