"""Curation: which answered turns are worth learning from, how much each counts, and why the others are left out.

Quality over volume: what a machine wrote (out-of-office, bounces), what nobody answered, what the customer rated badly,
what is too short to show how the team writes, and what is there already, all teach the wrong thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from rapidfuzz import fuzz

from connectors.records import Ticket, User
from connectors.settings import TrainerSettings
from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.history import Turn
from trainer import conversation
from trainer.conversation import Block, latest_turn
from trainer.curation import rules
from trainer.curation.agents import AgentQuality, Agents
from trainer.curation.duplicates import bare, leaders
from trainer.curation.labels import doubted
from trainer.curation.rules import Exclusions, RecentQuestions
from trainer.curation.signatures import Signatures
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.slots import Slots
from trainer.text import in_another_language, language_of

SAME_REPLY_SIMILARITY = 96.0
STANDARD_TEXT_SIMILARITY = 80.0
MAX_WEIGHT = 3.0
# What was sent as we had drafted it, or with a word or two changed, teaches the model little but its own habits.
OWN_DRAFT_EFFORT = 0.05
# No group is cut to fewer examples than this: `max_group_share` is for large desks.
LEAST_PER_GROUP = 500
# Below these, a language is not one that the desk writes in, but a mistake of the detector's or a guest.
RARE_LANGUAGE_SHARE, RARE_LANGUAGE_EXAMPLES = 0.01, 10

SAME_REPLY = "the same reply stands for it elsewhere"
SAME_MACRO = "a macro pasted unchanged stands for it elsewhere"
STANDARD_TEXT = "enough versions of this standard text are in"
GROUP_FULL = "its group has its share already"
RARE_LANGUAGE = "in a language that the desk hardly uses"
OWN_DRAFT = "sent as Deskhand had drafted it"
DISLIKED_DRAFT = "sent as Deskhand had drafted it, and rated as not useful"
AGENT_EXCLUDED = "excluded by [trainer] exclude_agents"


@dataclass
class CurationReport:
    """What a curation did.

    Attributes:
        tickets: Solved tickets that were looked at.
        kept, dropped: Answered turns kept, and dropped by reason.
        own_drafts: Kept answers that were sent as Deskhand had drafted them; they count for less.
        doubted_groups: Kept tickets that routing does not learn from.
        languages: Kept examples by language.
        agents: Everybody who answered, with the weight of their examples.
        problems: Settings that name what is not there.
    """

    tickets: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    own_drafts: int = 0
    doubted_groups: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    agents: list[AgentQuality] = field(default_factory=list)
    problems: tuple[str, ...] = ()


def curate(
    store: Store,
    helpdesk: str,
    settings: TrainerSettings | None = None,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> CurationReport:
    """Makes the data set of a helpdesk anew from its solved tickets, and stores it with a verdict on every turn."""
    settings = settings or TrainerSettings()
    curator = _Curator(store, helpdesk, settings)
    report = CurationReport(problems=curator.exclusions.unknown)
    examples: list[Example] = []
    for ticket in store.history.solved_tickets(helpdesk):
        report.tickets += 1
        examples += curator.examples_of(ticket)
        progress(report.tickets)
    report.agents = curator.agents.quality()
    # What judges every version stays as it was when it was chosen, and stands for nothing else.
    frozen = store.examples.frozen(helpdesk)
    _drop_rare_languages(examples)
    _merge_same_replies(examples, frozen, [bare(macro.text) for macro in store.history.macros(helpdesk)])
    _cap_standard_texts(examples, frozen, settings.max_similar_replies)
    _cap_groups(examples, frozen, settings.max_group_share)
    _doubt_groups(examples, settings.seed)
    _weigh(examples, report.agents if settings.agent_weights else [])
    _weigh_own_drafts(examples, curator.own_drafts, settings.own_draft_weight)
    kept = [example for example in examples if example.kept]
    report.kept = len(kept)
    report.dropped = Counter(example.reason for example in examples if not example.kept)
    report.own_drafts = sum(example.weight_reason == OWN_DRAFT for example in kept)
    report.doubted_groups = sum(example.turn == 0 and not example.route_label for example in kept)
    report.languages = Counter(example.language for example in kept)
    store.examples.replace(helpdesk, examples)
    return report


def explain(store: Store, helpdesk: str, ticket_id: str) -> str:
    """Why curation has said nothing on a ticket; empty where it has."""
    if store.examples.of_ticket(helpdesk, ticket_id):
        return ""
    ticket = store.history.ticket(helpdesk, ticket_id)
    if ticket is None:
        return "out, it is not in the database: run deskhand sync"
    if ticket.deleted:
        return "out, it was deleted in the helpdesk, or its customer was forgotten"
    if ticket.status not in ("solved", "closed"):
        return f"out, it is {ticket.status}: only solved and closed tickets are learned from"
    return "not looked at yet: run deskhand curate"


class _Curator:
    """What can be said ticket by ticket."""

    def __init__(self, store: Store, helpdesk: str, settings: TrainerSettings) -> None:
        self._store = store
        self._helpdesk = helpdesk
        self._team = store.history.agents(helpdesk)
        self._agent_of = {agent.id: agent for agent in self._team}
        self._recent = RecentQuestions()
        self._lexicon = Lexicon.of_desk(store, helpdesk)
        self._signatures = Signatures.of_desk(store, helpdesk)
        self.exclusions = Exclusions.of(settings, store.history.groups(helpdesk), self._team)
        self.agents = Agents()
        self.own_drafts = store.outcomes.own_drafts(helpdesk, most_effort=OWN_DRAFT_EFFORT)

    def examples_of(self, ticket: Ticket) -> Iterator[Example]:
        turns = self._store.history.turns(self._helpdesk, ticket.id)
        found = conversation.blocks(turns, unsigned=self._signatures.strip)
        requester = self._store.history.user(self._helpdesk, ticket.requester_id)
        opening = found[0].text if found else ""
        # Also where another reason comes first: the next ticket may repeat this one.
        repeated = self._recent.is_repeated(ticket, opening)
        reason = (
            self.exclusions.reason(ticket)
            or rules.ticket_reason(ticket, requester, turns, found)
            or (rules.DUPLICATE if repeated else "")
        )
        pairs = list(conversation.answered(found))
        if not pairs:
            yield self._unanswered(ticket, reason or rules.UNANSWERED, turns)
            return
        reopened = self._store.examples.was_reopened(self._helpdesk, ticket.id) is not False
        for number, (before, answer) in enumerate(pairs):
            back = reopened and rules.came_back(answer, found[found.index(answer) + 1 :])
            if not reason:
                self.agents.add(answer.author_id, satisfaction=ticket.satisfaction, came_back=back)
            verdict = reason or self._turn_reason(ticket, before, answer, back)
            if verdict:
                yield self._dropped(ticket, number, answer, verdict)
            else:
                yield self._example(ticket, requester, number, before, answer)

    def _turn_reason(self, ticket: Ticket, before: Sequence[Block], answer: Block, came_back: bool) -> str:
        if answer.author_id in self.exclusions.agents:
            return AGENT_EXCLUDED
        # The words are the model's, and the agent did not like them. What an agent wrote instead is as good as any.
        if self.own_drafts.get(answer.comment_id):
            return DISLIKED_DRAFT
        if ticket.satisfaction == "bad":
            return rules.RATED_BAD
        if reason := rules.reply_reason(answer.text):
            return reason
        if came_back:
            return rules.CAME_BACK
        return rules.OTHER_LANGUAGE if in_another_language(answer.text, before[-1].text) else ""

    def _unanswered(self, ticket: Ticket, reason: str, turns: list[Turn]) -> Example:
        comment_id = turns[0].comment.id if turns else f"ticket-{ticket.id}"
        nobody = Block(by_customer=False, text="", comment_id=comment_id, author_id="", created_at=ticket.created_at)
        return self._dropped(ticket, 0, nobody, reason)

    def _dropped(self, ticket: Ticket, number: int, answer: Block, reason: str) -> Example:
        # Without the texts: nothing is made of them, and finding what is personal in them takes most of the time.
        return Example(
            helpdesk=self._helpdesk, ticket_id=ticket.id, comment_id=answer.comment_id, turn=number, kept=False,
            reason=reason, weight=0.0, question="", reply="", language="", group_id=ticket.group_id or "",
            requester_id=ticket.requester_id, agent_id=answer.author_id, created_at=ticket.created_at,
        )  # fmt: skip

    def _example(
        self, ticket: Ticket, requester: User | None, number: int, before: list[Block], answer: Block
    ) -> Example:
        slots = Slots(requester, self._team, self._agent_of.get(answer.author_id), lexicon=self._lexicon)
        return Example(
            helpdesk=self._helpdesk, ticket_id=ticket.id, comment_id=answer.comment_id, turn=number, kept=True,
            reason="", weight=1.0, question=slots.hide(conversation.written(ticket.subject, before)),
            reply=slots.hide(answer.text), language=language_of(answer.text), group_id=ticket.group_id or "",
            requester_id=ticket.requester_id, agent_id=answer.author_id, created_at=ticket.created_at,
        )  # fmt: skip


def _drop_rare_languages(examples: list[Example]) -> None:
    counts = Counter(example.language for example in examples if example.kept)
    rare = {
        language
        for language, count in counts.items()
        if count < RARE_LANGUAGE_EXAMPLES and count < RARE_LANGUAGE_SHARE * counts.total()
    }
    _drop(examples, (at for at, one in enumerate(examples) if one.kept and one.language in rare), RARE_LANGUAGE)


def _merge_same_replies(examples: list[Example], frozen: frozenset[str], macros: Sequence[str]) -> None:
    """Keeps one of several replies that are the same but for slots, with their weight up to `MAX_WEIGHT`.

    Macros pasted unchanged fall under this: one paste is a lesson, thirty are a habit the model need not be taught.
    The newest one stays, since policies in it are the most likely to hold.
    """
    places = _newest_first(examples, frozen)
    texts = [bare(examples[place].reply) for place in places]
    for position, leader in enumerate(leaders(texts, SAME_REPLY_SIMILARITY)):
        if leader == position:
            continue
        place, keeper = places[position], places[leader]
        is_macro = any(fuzz.partial_ratio(macro, texts[position], score_cutoff=90) for macro in macros)
        _drop(examples, [place], SAME_MACRO if is_macro else SAME_REPLY)
        examples[keeper] = replace(examples[keeper], weight=min(MAX_WEIGHT, examples[keeper].weight + 1.0))


def _cap_standard_texts(examples: list[Example], frozen: frozenset[str], most: int) -> None:
    """Of a text that is sent again and again with small changes, only so many versions stay: the newest."""
    places = _newest_first(examples, frozen)
    had: Counter[int] = Counter()
    for place, leader in zip(
        places, leaders([bare(examples[place].reply) for place in places], STANDARD_TEXT_SIMILARITY), strict=True
    ):
        had[leader] += 1
        if had[leader] > most:
            _drop(examples, [place], STANDARD_TEXT)


def _cap_groups(examples: list[Example], frozen: frozenset[str], share: float) -> None:
    places = _newest_first(examples, frozen)
    counts = Counter(examples[place].group_id for place in places)
    if len(counts) < 2 or share == 1:
        return
    limit = float(counts.total())
    while limit > LEAST_PER_GROUP:
        # A group that is cut makes the whole smaller, and with it everybody's share.
        shrunk = share * sum(min(count, limit) for count in counts.values())
        if limit - shrunk < 0.01:
            break
        limit = shrunk
    limit = max(LEAST_PER_GROUP, round(limit))
    had: Counter[str] = Counter()
    for place in places:
        had[examples[place].group_id] += 1
        if had[examples[place].group_id] > limit:
            _drop(examples, [place], GROUP_FULL)


def _doubt_groups(examples: list[Example], seed: int) -> None:
    """Marks the tickets whose group routing should not learn from; all their turns, since they are one ticket."""
    first: dict[str, Example] = {}
    for example in examples:
        if example.kept and example.group_id:
            first.setdefault(example.ticket_id, example)
    texts = [f"{latest_turn(one.question)}\n{one.reply}" for one in first.values()]
    flags = doubted(texts, [one.group_id for one in first.values()], seed=seed)
    wrong = {ticket_id for ticket_id, flag in zip(first, flags, strict=True) if flag}
    for place, example in enumerate(examples):
        if example.ticket_id in wrong:
            examples[place] = replace(example, route_label=False)


def _weigh(examples: list[Example], agents: Sequence[AgentQuality]) -> None:
    weight_of = {agent.agent_id: agent.weight for agent in agents}
    for place, example in enumerate(examples):
        factor = weight_of.get(example.agent_id, 1.0)
        if example.kept and factor != 1.0:
            examples[place] = replace(example, weight=round(example.weight * factor, 4))


def _weigh_own_drafts(examples: list[Example], own_drafts: Collection[str], weight: float) -> None:
    for place, example in enumerate(examples):
        if example.kept and example.comment_id in own_drafts:
            less = round(example.weight * weight, 4)
            examples[place] = replace(example, weight=less, weight_reason=OWN_DRAFT)


def _newest_first(examples: Sequence[Example], frozen: frozenset[str]) -> list[int]:
    return [
        place
        for place in range(len(examples) - 1, -1, -1)
        if examples[place].kept and examples[place].ticket_id not in frozen
    ]


def _drop(examples: list[Example], places: Iterable[int], reason: str) -> None:
    for place in list(places):
        examples[place] = replace(examples[place], kept=False, reason=reason)
