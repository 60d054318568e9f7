"""What speaks against learning from one ticket or one answer. What takes the whole data set to see is in `curate`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from connectors import clock
from connectors.records import Group, Ticket, User
from connectors.settings import TrainerSettings
from connectors.store.history import Turn
from trainer.conversation import Block
from trainer.privacy.slots import REFERENCE
from trainer.text import words

MIN_REPLY_WORDS = 12
MAX_REPLY_WORDS = 320
DUPLICATE_WITHIN_S = 7 * 86_400
DUPLICATE_SIMILARITY = 85.0
# Who says that they wrote before, or names the same parcel again on the same day, need not use the same words.
REPEATED_SIMILARITY = 50.0
SAME_MATTER_WITHIN_S = 86_400
CAME_BACK_WITHIN_S = 7 * 86_400

BOUNCE = "a mail server's bounce"
AUTOMATIC = "an automatic reply"
SPAM = "spam"
MERGED = "merged into another ticket"
DUPLICATE = "the same customer had just asked the same"
RATED_BAD = "rated bad by the customer"
UNANSWERED = "nobody answered it"
TOO_SHORT = "the reply is too short to learn from"
TOO_LONG = "the reply is too long to learn from"
ELSEWHERE = "the reply points to another ticket"
CAME_BACK = "the customer came back: it had not helped"
OTHER_LANGUAGE = "the reply is in another language than the question"

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
_SPAM_TAGS = frozenset({"spam", "junk", "phishing", "scam"})
_SPAM_SIGNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bseo\b|search engine|page (?:one|1)\b|backlinks?",
        r"\bfree (?:audit|quote|trial|consultation)\b",
        r"\b(?:answer|reply|respond|write) (?:yes|stop)\b|unsubscribe|opt[ -]out",
        r"\b(?:beneficiary|next of kin|inheritance|consignment box|million (?:usd|dollars|euro))",
        r"\b(?:crypto|bitcoin|forex|casino|lottery|jackpot)\b",
        r"\b(?:guest post|sponsored (?:post|article)|link exchange|lead generation)\b",
        r"\b(?:verify|confirm) your (?:account|mailbox|password)\b",
    )
)
_WROTE_BEFORE = re.compile(
    r"(?i)\b(?:(?:second|2nd|third|3rd) (?:time|message|mail|e-?mail)|(?:i|we) (?:already |have )*"
    r"(?:wrote|mailed|e-?mailed|asked|sent (?:this|you))\b.{0,40}\b(?:morning|before|already|yesterday|today|mail)"
    r"|sent also by|also (?:sent|wrote) by|(?:al|eerder|vanochtend|gisteren) (?:gemaild|geschreven|gevraagd)"
    r"|tweede (?:keer|mail|bericht)|bereits (?:geschrieben|gemailt|gefragt)|zweite (?:mail|nachricht|anfrage))"
)
_POINTS_ELSEWHERE = re.compile(
    r"(?i)\b(?:(?:our|your|the|my) (?:other|first|previous|earlier) (?:e-?mail|mail|ticket|message)"
    r"|answer of \d{1,2}[:.]\d\d|(?:in|op) (?:je|jouw|uw|onze|de) (?:andere|eerste|vorige) (?:e-?mail|mail|bericht)"
    r"|(?:in|auf) (?:ihrer|unserer|der|ihre|unsere) (?:anderen|ersten|andere|erste) (?:e-?mail|mail|nachricht)"
    r"|merged into (?:ticket|request))"
)
_POINTER_WORDS = 60
_DID_NOT_HELP = re.compile(
    r"(?i)\b(?:(?:does|do|did|is|was)(?: not|n't) (?:work|help|true|right|correct|possible)"
    r"|still (?:not|no|nothing|the same)"
    r"|(?:you|your colleague) (?:said|wrote|writes|promised|told)|(?:that|this|it)(?:'s| is| was) (?:not|wrong)"
    r"|werkt (?:dus |nog )*niet|klopt (?:dus |nog )*niet|nog (?:steeds|altijd) (?:niet|geen|niets)"
    r"|funktioniert (?:aber |immer noch )*nicht|stimmt (?:aber )?nicht|immer noch (?:nicht|kein|nichts))"
)
_TAKEN_BACK = re.compile(
    r"(?i)\b(?:(?:our|my|the) (?:first |last |previous )?(?:answer|reply|mail)(?: of \w+)? was"
    r" (?:wrong|not right|incomplete)"
    r"|you(?:'re| are) right|(?:ons|mijn) (?:eerste |vorige )?antwoord (?:was|klopte) (?:fout|niet|verkeerd)"
    r"|(?:je|u) hebt gelijk|sie haben recht|unsere (?:erste )?antwort war (?:falsch|nicht))"
)


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What an admin does not want to be learned from; see `[trainer] exclude_…`.

    Attributes:
        unknown: What the settings name and the helpdesk does not have, such as a misspelt group.
    """

    tags: frozenset[str]
    groups: frozenset[str]
    agents: frozenset[str]
    tickets: frozenset[str]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, settings: TrainerSettings, groups: Sequence[Group], agents: Sequence[User]) -> Exclusions:
        """The settings' names and addresses as ids."""
        group_ids = {group.name.lower(): group.id for group in groups} | {group.id: group.id for group in groups}
        agent_ids = {agent.email.lower(): agent.id for agent in agents} | {agent.id: agent.id for agent in agents}
        unknown = [
            f"exclude_groups: there is no group '{one}'"
            for one in settings.exclude_groups
            if one.lower() not in group_ids
        ]
        # Not the address itself: what is said here may end up in a log.
        strangers = sum(one.lower() not in agent_ids for one in settings.exclude_agents)
        unknown += (
            [f"exclude_agents: {strangers} of {len(settings.exclude_agents)} are not of the team"] if strangers else []
        )
        return cls(
            frozenset(tag.lower() for tag in settings.exclude_tags),
            frozenset(group_ids[one.lower()] for one in settings.exclude_groups if one.lower() in group_ids),
            frozenset(agent_ids[one.lower()] for one in settings.exclude_agents if one.lower() in agent_ids),
            frozenset(settings.exclude_tickets),
            tuple(unknown),
        )

    def reason(self, ticket: Ticket) -> str:
        """Why this ticket is excluded, empty where it is not."""
        if ticket.id in self.tickets:
            return "excluded by [trainer] exclude_tickets"
        if ticket.group_id in self.groups:
            return "excluded by [trainer] exclude_groups"
        if any(tag.lower() in self.tags for tag in ticket.tags):
            return "excluded by [trainer] exclude_tags"
        return ""


class RecentQuestions:
    """What each customer asked in the last days. Tickets must come oldest first."""

    def __init__(self) -> None:
        self._of: dict[str, list[tuple[int, str]]] = {}
        self._order: deque[tuple[int, str]] = deque()

    def is_repeated(self, ticket: Ticket, opening: str) -> bool:
        """Whether the same customer has just asked the same; remembers the question."""
        moment = clock.to_epoch(ticket.created_at)
        while self._order and moment - self._order[0][0] > DUPLICATE_WITHIN_S:
            requester = self._order.popleft()[1]
            del self._of[requester][0]
            if not self._of[requester]:
                del self._of[requester]
        earlier = self._of.setdefault(ticket.requester_id, [])
        says_so = _WROTE_BEFORE.search(f"{ticket.subject}\n{opening}") is not None
        numbers = set(REFERENCE.findall(f"{ticket.subject}\n{opening}"))
        found = any(self._alike(opening, text, says_so, numbers, moment - at) for at, text in earlier)
        earlier.append((moment, f"{ticket.subject}\n{opening}"))
        self._order.append((moment, ticket.requester_id))
        return found

    @staticmethod
    def _alike(opening: str, text: str, says_so: bool, numbers: set[str], apart_s: int) -> bool:
        others = set(REFERENCE.findall(text))
        if numbers and others and not numbers & others:
            return False  # the same question about another parcel
        similarity = fuzz.token_set_ratio(opening, text)
        if similarity >= DUPLICATE_SIMILARITY:
            return True
        same_matter = apart_s <= SAME_MATTER_WITHIN_S and bool(numbers & others)
        return similarity >= REPEATED_SIMILARITY and says_so and (same_matter or not numbers)


def ticket_reason(ticket: Ticket, requester: User | None, turns: Sequence[Turn], found: Sequence[Block]) -> str:
    """Why nothing of a ticket is worth learning; empty where it may be."""
    opening = found[0].text if found else ""
    head = f"{ticket.subject}\n{opening[:600]}"
    if ticket.merged or "closed_by_merge" in ticket.tags:
        return MERGED
    if _BOUNCE.search(head):
        return BOUNCE
    away = _AWAY.search(head) and "?" not in opening
    if _AUTO_REPLY.search(head) or away or _MACHINE_SENDER.search(requester.email if requester else ""):
        return AUTOMATIC
    if _is_spam(ticket, turns, opening):
        return SPAM
    return ""


def _is_spam(ticket: Ticket, turns: Sequence[Turn], opening: str) -> bool:
    if _SPAM_TAGS.intersection(tag.lower() for tag in ticket.tags):
        return True
    notes = (set(words(turn.comment.text.lower())) for turn in turns if not turn.comment.public)
    if any(len(note) <= 3 and note & _SPAM_TAGS for note in notes):
        return True
    text = f"{ticket.subject}\n{opening}"
    return sum(sign.search(text) is not None for sign in _SPAM_SIGNS) >= 2 and not REFERENCE.search(text)


def reply_reason(reply: str) -> str:
    """Why an answer itself shows nothing of how the team writes; empty where it may."""
    length = len(words(reply))
    if length < MIN_REPLY_WORDS:
        return TOO_SHORT
    if length > MAX_REPLY_WORDS:
        return TOO_LONG
    if length < _POINTER_WORDS and _POINTS_ELSEWHERE.search(reply):
        return ELSEWHERE
    return ""


def came_back(answer: Block, later: Sequence[Block]) -> bool:
    """Whether the customer came back after an answer since it had not helped.

    Args:
        later: The conversation after the answer. A customer who only thanks, or sends what was asked for, is not meant:
            they say that it does not work, or the team takes it back.
    """
    back = next((index for index, block in enumerate(later) if block.by_customer), None)
    if back is None or _seconds(answer, later[back]) > CAME_BACK_WITHIN_S:
        return False
    if _DID_NOT_HELP.search(later[back].text):
        return True
    return back + 1 < len(later) and _TAKEN_BACK.search(later[back + 1].text) is not None


def _seconds(earlier: Block, later: Block) -> int:
    return clock.to_epoch(later.created_at) - clock.to_epoch(earlier.created_at)
