"""Suggestions: the draft, the route, what they rest on, and what people did with them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from connectors import clock
from connectors.store.part import Part, to_json

SHOWN, SILENT, SUPERSEDED, WITHHELD = "shown", "silent", "superseded", "withheld"
NO_SIMILAR, LEAK, LANGUAGE, EMPTY, SWITCHED_OFF = "no_similar", "leak", "language", "empty", "switched_off"
"""Why a suggestion is silent: nothing like it was answered before, the draft held somebody else's data, it was not in
the customer's language, nothing was written, an admin wants none; or `UNSURE`, it would probably be rewritten."""
PAST_REPLY, DRAFT = "past_reply", "draft"
UNSURE, UNFAMILIAR = "unsure", "unfamiliar"
STRANGE = 0.99
"""From this `Route.out_of_scope` on, a ticket is unlike anything the team has routed before."""
ACTIONS = ("inserted", "copied", "edited", "thumb_up", "thumb_down")
WITHOUT_TEXT = """draft = '', claims = '[]', sources = '[]', alternatives = '[]', told_facts = '[]',
    unused_facts = '[]', route = json_replace(route, '$.reasons', json('[]'))"""
"""What becomes of the suggestions of a ticket that was deleted; where it was routed stays."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A checkable statement in a draft: a number, date, time, amount, link or an identifier.

    Attributes:
        text: As it stands in the draft, at `start`:`end` (characters).
        supported: Whether it stands in the ticket or in a retrieved passage.
        source: What supports it: `ticket`, or a passage's title. Empty where nothing does.
    """

    text: str
    start: int
    end: int
    supported: bool
    source: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that the draft was written with."""

    kind: str
    id: str
    title: str
    url: str
    excerpt: str
    updated_at: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where the ticket belongs, and what else the team would set on it.

    Attributes:
        alternatives: (group id, name, probability), best first, without the chosen one.
        abstain: The group is less likely than it has to be for a ticket to be put there without a person.
        out_of_scope: Share of the team's tickets that looked more familiar than this one, 0 to 1.
        priority, tags: What else is suggested; empty for nothing, or where the ticket has it. Never set by itself.
    """

    group_id: str
    group_name: str
    probability: float
    reasons: tuple[str, ...] = ()
    alternatives: tuple[tuple[str, str, float], ...] = ()
    abstain: bool = False
    out_of_scope: float = 0.0
    priority: str = ""
    tags: tuple[str, ...] = ()

    def doubt(self, least: float = 0.0) -> str:
        """Why the group is not set without a person: `unfamiliar` or `unsure`; empty where it can be.

        Args:
            least: A probability that the group must have besides.
        """
        if not self.abstain and self.probability >= least:
            return ""
        return UNFAMILIAR if self.out_of_scope >= STRANGE else UNSURE


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another reply to the same turn, for an agent who does not like the draft.

    Attributes:
        origin: `past_reply`, or `draft` for what the model wrote where that is not what is shown first.
    """

    draft: str
    claims: tuple[Claim, ...] = ()
    sources: tuple[Source, ...] = ()
    origin: str = PAST_REPLY


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What one customer turn got. `id` is stable: it is also the marker of the note.

    Attributes:
        turn_id: The newest public customer comment that was answered.
        state: `shown`, `silent` (see `silence`), `withheld` (shadow mode: kept for comparison, shown to no agent), or
            `superseded`: was shown, until a newer turn had its own.
        confidence: 1 less the predicted edit effort, 0 to 1; None where it is not calibrated.
        silence: Why it is silent; empty where it is not.
        alternatives: Other replies, best first; at most two.
        told_facts: What agents told for it, see `Drafting.tell`.
        unused_facts: Those of them that the draft does not say.
    """

    id: str
    helpdesk: str
    ticket_id: str
    turn_id: str
    model_version: str
    state: str
    draft: str = ""
    language: str = ""
    claims: tuple[Claim, ...] = ()
    sources: tuple[Source, ...] = ()
    route: Route | None = None
    confidence: float | None = None
    latency_s: float = 0.0
    created_at: str = field(default_factory=clock.now)
    note_posted_at: str | None = None
    silence: str = ""
    alternatives: tuple[Alternative, ...] = ()
    told_facts: tuple[str, ...] = ()
    unused_facts: tuple[str, ...] = ()


class Suggestions(Part):
    """Keeps one suggestion a customer turn."""

    def save(self, suggestion: Suggestion) -> None:
        """Stores a suggestion, once: the same turn again replaces it, and the ticket's older drafts become superseded.

        Where the ticket was deleted while it was drafted for, the text is not kept.
        """
        row = asdict(suggestion)
        for column in ("claims", "sources", "route", "alternatives", "told_facts", "unused_facts"):
            row[column] = to_json(row[column])
        with self._store.transaction():
            self._store.execute(
                # What was silent or withheld stays so: it is counted.
                "update suggestions set state = ? where helpdesk = ? and ticket_id = ? and turn_id != ? and state = ?",
                (SUPERSEDED, suggestion.helpdesk, suggestion.ticket_id, suggestion.turn_id, SHOWN),
            )
            self._store.upsert("suggestions", [row], "id")
            self._store.execute(
                f"""update suggestions set {WITHOUT_TEXT} where id = ? and exists (
                    select 1 from tickets t where t.helpdesk = suggestions.helpdesk and t.id = ticket_id
                    and t.deleted = 1)""",  # noqa: S608
                (suggestion.id,),
            )

    def note_posted(self, suggestion_id: str) -> None:
        """The note stands in the helpdesk."""
        self._store.execute("update suggestions set note_posted_at = ? where id = ?", (clock.now(), suggestion_id))

    def for_turn(self, helpdesk: str, ticket_id: str, turn_id: str) -> Suggestion | None:
        """The suggestion of one customer turn."""
        sql = "select * from suggestions where helpdesk = ? and ticket_id = ? and turn_id = ?"
        return _suggestion(self._store.row(sql, (helpdesk, ticket_id, turn_id)))

    def latest(self, helpdesk: str, ticket_id: str) -> Suggestion | None:
        """The ticket's newest suggestion."""
        sql = """select * from suggestions where helpdesk = ? and ticket_id = ?
                 order by created_at desc, rowid desc limit 1"""
        return _suggestion(self._store.row(sql, (helpdesk, ticket_id)))

    def get(self, suggestion_id: str) -> Suggestion | None:
        """By id."""
        return _suggestion(self._store.row("select * from suggestions where id = ?", (suggestion_id,)))

    def silences(self, helpdesk: str) -> dict[str, int]:
        """Silent suggestions by reason."""
        sql = "select silence, count(*) as n from suggestions where helpdesk = ? and state = ? group by silence"
        return {row["silence"]: row["n"] for row in self._store.rows(sql, (helpdesk, SILENT))}

    def counts(self, helpdesk: str) -> dict[str, int]:
        """Suggestions per state."""
        sql = "select state, count(*) as n from suggestions where helpdesk = ? group by state"
        return {SHOWN: 0, SILENT: 0, SUPERSEDED: 0, WITHHELD: 0} | {
            row["state"]: row["n"] for row in self._store.rows(sql, (helpdesk,))
        }

    def add_feedback(self, suggestion_id: str, action: str, reason: str = "") -> None:
        """Keeps what a person did with a suggestion; `action` is one of `ACTIONS`."""
        row = {"suggestion_id": suggestion_id, "action": action, "reason": reason, "created_at": clock.now()}
        self._store.insert("feedback", [row])

    def feedback(self, suggestion_id: str) -> list[dict[str, Any]]:
        """What people did with a suggestion, oldest first."""
        sql = "select action, reason, created_at from feedback where suggestion_id = ? order by id"
        return list(self._store.rows(sql, (suggestion_id,)))


def _suggestion(row: dict[str, Any] | None) -> Suggestion | None:
    if row is None:
        return None
    route = json.loads(row["route"] or "null")
    values = row | {
        "claims": _claims(json.loads(row["claims"] or "[]")),
        "sources": _sources(json.loads(row["sources"] or "[]")),
        "route": _route(route) if route else None,
        "alternatives": tuple(
            Alternative(one["draft"], _claims(one["claims"]), _sources(one["sources"]), one["origin"])
            for one in json.loads(row["alternatives"])
        ),
        "told_facts": tuple(json.loads(row["told_facts"])),
        "unused_facts": tuple(json.loads(row["unused_facts"])),
    }
    return Suggestion(**values)


def _claims(items: list[dict[str, Any]]) -> tuple[Claim, ...]:
    return tuple(Claim(**item) for item in items)


def _sources(items: list[dict[str, Any]]) -> tuple[Source, ...]:
    return tuple(Source(**item) for item in items)


def _route(values: dict[str, Any]) -> Route:
    # Suggestions from before there were thresholds and heads have fewer fields.
    lists = {
        "reasons": tuple(values["reasons"]),
        "alternatives": tuple((str(group), str(name), float(p)) for group, name, p in values["alternatives"]),
        "tags": tuple(values.get("tags", ())),
    }
    return Route(**(values | lists))
