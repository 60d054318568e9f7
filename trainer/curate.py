"""Curation: which answered turns are worth learning from, and why the others are not.

Quality over volume: what a machine wrote (out-of-office, bounces), what nobody answered, what the customer rated badly,
what is too short to show how the team writes, and what is there already, all teach the wrong thing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from rapidfuzz import fuzz

from connectors import clock
from connectors.records import Ticket, User
from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.history import Turn
from trainer import conversation
from trainer.conversation import Block
from trainer.privacy import Slots
from trainer.text import language_of, words

MIN_REPLY_WORDS = 12
MAX_REPLY_WORDS = 320
DUPLICATE_WITHIN_S = 7 * 86_400
DUPLICATE_SIMILARITY = 85.0
SAME_REPLY_SIMILARITY = 96.0
MAX_WEIGHT = 3.0

_MACHINE_SENDER = re.compile(r"(?i)^(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?|notifications?)\b")
_BOUNCE = re.compile(
    r"(?i)\b(?:undeliver(?:able|ed)|delivery (?:status notification|has failed|failure)"
    r"|mail delivery (?:failed|system|subsystem)|returned mail|onbestelbaar|unzustellbar"
    r"|niet (?:worden )?afgeleverd|could not be delivered to one or more)"
)
_AUTO_REPLY = re.compile(
    r"(?i)\b(?:auto(?:matic|matische?|matisch)?[ -]?(?:reply|response|antwoord|antwort)|out of (?:the )?office"
    r"|abwesenheits\w+|afwezigheids\w+|automatische? (?:antwoord|antwort|melding|nachricht)"
    r"|this is an automat(?:ed|ic) (?:message|reply|response)"
    r"|dit is een automatisch|dies ist eine automatisch|do not reply to this (?:message|mail|e-mail))"
)
# Customers are away too, and say so to ask what becomes of their parcel; a machine asks nothing.
_AWAY = re.compile(
    r"(?i)\b(?:i am (?:currently )?(?:out|away)\b.{0,40}\b(?:office|until|leave)"
    r"|ich bin .{0,40}nicht im (?:büro|haus)|ik ben .{0,40}(?:afwezig|niet op kantoor))"
)
_PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}")


@dataclass
class CurationReport:
    """What a curation did: answered turns kept, and dropped by reason; `tickets` were looked at."""

    tickets: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


def curate(store: Store, helpdesk: str, *, progress: Callable[[int], None] = lambda _: None) -> CurationReport:
    """Makes the data set of a helpdesk anew from its solved tickets, and stores it with a verdict on every turn."""
    curator = _Curator(store, helpdesk)
    report = CurationReport()
    examples: list[Example] = []
    for ticket in store.history.solved_tickets(helpdesk):
        report.tickets += 1
        examples += curator.examples_of(ticket)
        progress(report.tickets)
    examples = _merge_same_replies(examples)
    report.kept = sum(example.kept for example in examples)
    report.dropped = Counter(example.reason for example in examples if not example.kept)
    store.examples.replace(helpdesk, examples)
    return report


class _Curator:
    def __init__(self, store: Store, helpdesk: str) -> None:
        self._store = store
        self._helpdesk = helpdesk
        self._agents = store.history.agents(helpdesk)
        self._earlier: dict[str, list[tuple[int, str]]] = {}

    def examples_of(self, ticket: Ticket) -> Iterator[Example]:
        turns = self._store.history.turns(self._helpdesk, ticket.id)
        found = conversation.blocks(turns)
        requester = self._store.history.user(self._helpdesk, ticket.requester_id)
        reason = self._ticket_reason(ticket, requester, turns, found)
        pairs = list(conversation.answered(found))
        if not pairs:
            yield self._unanswered(ticket, reason or "nobody answered it", turns)
        for number, (before, answer) in enumerate(pairs):
            yield self._example(ticket, requester, number, before, answer, reason)

    def _ticket_reason(self, ticket: Ticket, requester: User | None, turns: list[Turn], found: list[Block]) -> str:
        opening = found[0].text if found else ""
        head = f"{ticket.subject}\n{opening[:600]}"
        sender = requester.email if requester else ""
        if "closed_by_merge" in ticket.tags:
            return "merged into another ticket"
        if _BOUNCE.search(head):
            return "a mail server's bounce"
        away = _AWAY.search(head) and "?" not in opening
        if _AUTO_REPLY.search(head) or away or _MACHINE_SENDER.search(sender):
            return "an automatic reply"
        if self._is_duplicate(ticket, opening):
            return "the same customer had just asked the same"
        if ticket.satisfaction == "bad":
            return "rated bad by the customer"
        return ""

    def _is_duplicate(self, ticket: Ticket, opening: str) -> bool:
        moment = clock.to_epoch(ticket.created_at)
        earlier = self._earlier.setdefault(ticket.requester_id, [])
        found = any(
            moment - at <= DUPLICATE_WITHIN_S and fuzz.token_set_ratio(opening, text) >= DUPLICATE_SIMILARITY
            for at, text in earlier
        )
        earlier.append((moment, opening))
        return found

    def _unanswered(self, ticket: Ticket, reason: str, turns: list[Turn]) -> Example:
        comment_id = turns[0].comment.id if turns else f"ticket-{ticket.id}"
        return Example(
            helpdesk=self._helpdesk, ticket_id=ticket.id, comment_id=comment_id, turn=0, kept=False, reason=reason,
            weight=0.0, question="", reply="", language="", group_id=ticket.group_id or "",
            requester_id=ticket.requester_id, agent_id="", created_at=ticket.created_at,
        )  # fmt: skip

    def _example(
        self, ticket: Ticket, requester: User | None, number: int, before: list[Block], answer: Block, reason: str
    ) -> Example:
        agent = next((user for user in self._agents if user.id == answer.author_id), None)
        slots = Slots(requester, self._agents, agent)
        question = slots.hide(conversation.written(ticket.subject, before))
        reply = slots.hide(answer.text)
        length = len(words(reply))
        if not reason and length < MIN_REPLY_WORDS:
            reason = "the reply is too short to learn from"
        if not reason and length > MAX_REPLY_WORDS:
            reason = "the reply is too long to learn from"
        return Example(
            helpdesk=self._helpdesk, ticket_id=ticket.id, comment_id=answer.comment_id, turn=number, kept=not reason,
            reason=reason, weight=1.0, question=question, reply=reply,
            language=language_of(answer.text), group_id=ticket.group_id or "", requester_id=ticket.requester_id,
            agent_id=answer.author_id, created_at=ticket.created_at,
        )  # fmt: skip


def _merge_same_replies(examples: list[Example]) -> list[Example]:
    """Keeps one of several replies that are the same but for slots, with their weight up to `MAX_WEIGHT`.

    Macros pasted unchanged fall under this: one paste is a lesson, thirty are a habit the model need not be taught.
    The newest one stays, since policies in it are the most likely to hold.
    """
    kept = [index for index, example in enumerate(examples) if example.kept]
    keeper_of: dict[int, int] = {}
    bare = {index: _PLACEHOLDER.sub("", examples[index].reply) for index in kept}
    for position, index in enumerate(reversed(kept)):
        for keeper in kept[len(kept) - position :]:
            if keeper in keeper_of or abs(len(bare[keeper]) - len(bare[index])) > 0.1 * len(bare[index]) + 5:
                continue
            if fuzz.ratio(bare[index], bare[keeper], score_cutoff=SAME_REPLY_SIMILARITY):
                keeper_of[index] = keeper
                break
    merged = list(examples)
    for index, keeper in keeper_of.items():
        merged[index] = replace(merged[index], kept=False, reason="the same reply stands for it elsewhere")
        merged[keeper] = replace(merged[keeper], weight=min(MAX_WEIGHT, merged[keeper].weight + 1.0))
    return merged
