"""What a ticket gets: decided by the switches, drafted, and written only where it still fits once it is ready."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.channels import is_chat
from connectors.errors import StaleTicketError
from connectors.helpdesk import Helpdesk
from connectors.records import Thread, Ticket, WriteBack
from connectors.settings import GroupMode, PluginSettings
from connectors.store.database import Store
from connectors.store.history import Turn
from connectors.store.inbox import Job
from connectors.store.suggestions import DRAFT, SHOWN, SILENT, SWITCHED_OFF, WITHHELD, Alternative, Route, Suggestion
from plugin import note
from plugin.partials import Overtaken, Partials
from plugin.switches import Switches
from trainer.predictor import MOST_ALTERNATIVES, Predictor

_SKIPPED_STATES = frozenset({"solved", "closed", "deleted"})


@dataclass(frozen=True, slots=True)
class Standing:
    """A ticket as it stands.

    Attributes:
        unanswered: Ids of the customer's comments since the team's last one, newest last.
        over: Why nobody waits for an answer; empty where somebody does.
    """

    ticket: Ticket
    turns: list[Turn]
    unanswered: tuple[str, ...]
    over: str

    @property
    def turn_id(self) -> str:
        """The customer's newest comment."""
        return self.unanswered[-1]


class Answering:
    """Answers one ticket after the other; arguments as for `Worker`."""

    def __init__(
        self, store: Store, helpdesk: Helpdesk, predictor: Callable[[], Predictor], settings: PluginSettings
    ) -> None:
        self._store = store
        self._helpdesk = helpdesk
        self._predictor = predictor
        self._settings = settings

    def answer(self, job: Job) -> str:
        """Does what there is to do on a job's ticket, and says what that was, without a word of the ticket.

        Raises:
            StaleTicketError: Somebody wrote in between: what is right may have changed.
            OvertakenError: Something newer on the ticket waits.
        """
        now = self._look(job.ticket_id)
        if now.over:
            return f"nothing to do, {now.over}"
        switches = Switches.of(self._settings, self._store)
        mode = self._mode(now.ticket, switches)
        ready = self._store.suggestions.for_turn(self._helpdesk.name, job.ticket_id, now.turn_id)
        if mode == "off":
            if ready is None:
                self._store.suggestions.save(self._switched_off(now))
            return "nothing to do, its group is switched off"
        facts = tuple(self._store.drafting.facts(self._helpdesk.name, job.ticket_id, now.turn_id))
        if ready is None or not _is_settled(ready, mode, facts, switches):
            made = self._draft(job, now, switches, mode, facts)
            # Minutes may have passed.
            then, now = now, self._look(job.ticket_id)
            if now.over:
                return f"nothing written, {now.over} meanwhile"
            if now.unanswered != then.unanswered or self._mode(now.ticket, switches) != mode:
                raise StaleTicketError(f"ticket {job.ticket_id} changed while it was drafted for")
            ready = made if ready is None else _anew(ready, made, facts)
            self._store.suggestions.save(ready)
            if ready.note_posted_at:
                return "drafted anew"
        if ready.note_posted_at:
            return "nothing to do, its note is there"
        return self._write(now, ready, switches)

    def _look(self, ticket_id: str) -> Standing:
        """The ticket and its comments as they are now, also into the store."""
        name = self._helpdesk.name
        ticket = self._helpdesk.ticket(ticket_id)
        comments, authors = self._helpdesk.comments(ticket_id)
        self._store.mirror.save_conversation(name, ticket, Thread(ticket_id, tuple(comments), tuple(authors)))
        turns = self._store.history.turns(name, ticket_id)
        unanswered: list[str] = []
        for turn in (turn for turn in turns if turn.comment.public):
            if turn.author.role == "requester":
                unanswered.append(turn.comment.id)
            else:
                unanswered.clear()
        over = "" if unanswered else "the team has answered"
        if ticket.deleted or ticket.status in _SKIPPED_STATES:
            over = f"it is {ticket.status}"
        return Standing(ticket, turns, tuple(unanswered), over)

    def _mode(self, ticket: Ticket, switches: Switches) -> GroupMode | None:
        """What the ticket's group gets; None where it has none yet, so that the predicted one counts."""
        if self._is_unsorted(ticket) and ticket.group_id not in switches.groups:
            return None
        return switches.mode(ticket.group_id)

    def _draft(
        self, job: Job, now: Standing, switches: Switches, mode: GroupMode | None, facts: tuple[str, ...]
    ) -> Suggestion:
        name, ticket = self._helpdesk.name, now.ticket
        withheld = switches.is_shadow(name, ticket.id)

        def group_mode(route: Route | None) -> GroupMode:
            return mode or switches.mode(route.group_id if route else None)

        with Partials(self._store, name, ticket.id, now.turn_id) as partials:
            made = self._predictor().suggest(
                ticket,
                self._store.history.user(name, ticket.requester_id),
                now.turns,
                self._store.history.agents(name),
                wants_draft=lambda route: group_mode(route) == "draft",
                max_effort=switches.max_effort,
                facts=facts,
                on_text=None if withheld else partials.show,
                stopped=Overtaken(self._store, job),
            )
        if group_mode(made.route) == "off":
            return replace(made, route=None)
        return replace(made, state=WITHHELD) if withheld and made.state == SHOWN else made

    def _switched_off(self, now: Standing) -> Suggestion:
        """Counted as silence; no model was asked."""
        return Suggestion(
            id=uuid.uuid4().hex,
            helpdesk=self._helpdesk.name,
            ticket_id=now.ticket.id,
            turn_id=now.turn_id,
            model_version="",
            state=SILENT,
            silence=SWITCHED_OFF,
        )

    def _write(self, now: Standing, suggestion: Suggestion, switches: Switches) -> str:
        ticket, name = now.ticket, self._helpdesk.name
        route = self._route_to_set(ticket, suggestion.route, switches)
        # In a chat notes would pile up between the messages: there the draft is in the sidebar.
        has_note = switches.write_note and (switches.chat_note or not is_chat(ticket.channel))
        shows = suggestion.state == SHOWN and has_note
        what = "note" if shows else f"silent, {suggestion.silence}" if suggestion.silence else suggestion.state
        if not shows and route is None:
            return what
        update = WriteBack(
            note_html=note.render(
                suggestion,
                applied=route is not None,
                least=switches.min_route_probability,
                replaces=self._has_older_note(now),
            )
            if shows
            else "",
            marker=note.marker(suggestion),
            group_id=route.group_id if route else None,
            draft=suggestion.draft if shows else "",
        )
        written = self._helpdesk.write_back(ticket, update)
        if written and route:
            # So that the sidebar says 'set' at once and not after the next sync.
            self._store.mirror.save(name, [replace(ticket, group_id=route.group_id)])
        if shows:
            self._store.suggestions.note_posted(suggestion.id)
        return what + (f", routed to {route.group_name}" if route else "")

    def _has_older_note(self, now: Standing) -> bool:
        """Whether an earlier message that nobody has answered yet has a note that still asks to be sent."""
        older = (
            self._store.suggestions.for_turn(self._helpdesk.name, now.ticket.id, turn) for turn in now.unanswered[:-1]
        )
        return any(one is not None and one.note_posted_at for one in older)

    def _route_to_set(self, ticket: Ticket, route: Route | None, switches: Switches) -> Route | None:
        """The route to set: only on tickets that nobody has put into a group, and only where nothing is in doubt."""
        if route is None or not switches.write_route or not self._is_unsorted(ticket):
            return None
        return None if route.doubt(switches.min_route_probability) else route

    def _is_unsorted(self, ticket: Ticket) -> bool:
        """Whether it has no group, or only the one that new tickets land in."""
        if ticket.group_id is None:
            return True
        intake = {name.casefold() for name in self._settings.intake_groups}
        groups = self._store.history.groups(self._helpdesk.name) if intake else []
        return any(group.id == ticket.group_id and {group.id, group.name.casefold()} & intake for group in groups)


def _is_settled(ready: Suggestion, mode: GroupMode | None, facts: tuple[str, ...], switches: Switches) -> bool:
    """Whether a turn's suggestion is still what would be made today."""
    if ready.silence == SWITCHED_OFF:
        return (mode or (switches.mode(ready.route.group_id) if ready.route else "draft")) != "draft"
    return ready.told_facts == facts


def _anew(ready: Suggestion, made: Suggestion, facts: tuple[str, ...]) -> Suggestion:
    """What a turn's suggestion becomes when it is drafted once more: its note and, with facts told, its route stay."""
    if ready.state != SILENT and made.state == SILENT:
        # The fact has made it worse; the draft that is there still helps.
        fresh = [fact for fact in facts if fact not in ready.told_facts or fact in ready.unused_facts]
        return replace(ready, told_facts=facts, unused_facts=tuple(fresh))
    before = Alternative(ready.draft, ready.claims, ready.sources, DRAFT)
    others = made.alternatives if ready.draft in ("", made.draft) else (before, *made.alternatives)
    return replace(
        made,
        id=ready.id,
        note_posted_at=ready.note_posted_at,
        route=ready.route if ready.silence != SWITCHED_OFF else made.route,
        alternatives=others[:MOST_ALTERNATIVES],
    )
