"""What a ticket gets: by the switches, only while it still fits, one note a turn, and drafts anew with told facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import OvertakenError
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.suggestions import SHOWN, SILENT, SUPERSEDED, SWITCHED_OFF, WITHHELD, Route, Suggestion
from connectors.zendesk.client import Zendesk
from plugin.switches import Switches
from plugin.worker import Worker

NAME = "sandbox"
PARCELS, MONEY = "2101", "2104"
Act = Callable[[], Any]


class Drafter:
    """Stands in for the predictor: drafts what the test says, for the turn that it is given, while somebody acts."""

    def __init__(self, make: Callable[..., Suggestion]) -> None:
        self._make = make
        self.changes: dict[str, Any] = {}
        self.acts: list[Act] = []
        self.drafted: list[str] = []

    def __call__(self) -> Any:
        return self

    def suggest(self, ticket: Any, requester: Any, turns: Any, agents: Any, **wishes: Any) -> Suggestion:
        turn = [turn.comment.id for turn in turns if turn.comment.public][-1]
        number = len(self.drafted) + 1
        facts = wishes["facts"]
        made = self._make(
            **({"id": f"s-{number}", "ticket_id": ticket.id, "turn_id": turn, "told_facts": facts} | self.changes)
        )
        if not wishes["wants_draft"](made.route):
            return dataclasses.replace(
                made, state=SILENT, silence=SWITCHED_OFF, draft="", claims=(), sources=(), alternatives=()
            )
        self.drafted.append(turn)
        if wishes["on_text"]:
            wishes["on_text"]("Hi Deniz,")
        if self.acts:
            self.acts.pop(0)()
        if wishes["stopped"]():
            raise OvertakenError(f"ticket {ticket.id}: something newer came")
        return made


@pytest.fixture
def drafter(suggestion: Callable[..., Suggestion]) -> Drafter:
    return Drafter(suggestion)


@pytest.fixture
def worker(store: Store, zendesk: Zendesk, settings: Settings, drafter: Drafter) -> Worker:
    return Worker(store, zendesk, drafter, settings.plugin)


@pytest.fixture
def switch(store: Store, settings: Settings) -> Callable[..., None]:
    """Changes switches while the worker runs."""

    def switch(**values: Any) -> None:
        for name, value in values.items():
            Switches.change(settings.plugin, store, name, value, by="ada")

    return switch


def work(worker: Worker, store: Store, ticket_id: str, delivery: str = "d-1") -> dict[str, Any]:
    assert store.inbox.put(NAME, delivery, ticket_id)
    assert worker.step()
    (row,) = store.rows("select * from inbox where delivery_id = ?", (delivery,))
    return row


def latest(store: Store, ticket_id: str) -> Suggestion:
    found = store.suggestions.latest(NAME, ticket_id)
    assert found is not None
    return found


# ---- switches


def test_a_group_that_is_off_gets_nothing_and_is_counted(
    worker: Worker, store: Store, desk: Any, drafter: Drafter, switch: Any
) -> None:
    switch(groups={MONEY: "off"})
    ticket_id = desk.open_ticket()
    desk.change(ticket_id, group_id=int(MONEY))
    work(worker, store, ticket_id)
    assert (drafter.drafted, desk.notes(ticket_id)) == ([], [])
    found = latest(store, ticket_id)
    assert (found.state, found.silence, found.route) == (SILENT, "switched_off", None)
    assert store.suggestions.silences(NAME) == {"switched_off": 1}
    work(worker, store, ticket_id, "d-2")
    assert store.suggestions.silences(NAME) == {"switched_off": 1}
    switch(groups={})
    work(worker, store, ticket_id, "d-3")
    assert len(desk.notes(ticket_id)) == 1, "no restart is needed"
    assert store.suggestions.silences(NAME) == {}


@pytest.mark.parametrize(("mode", "group"), [("off", None), ("route", int(PARCELS)), ("draft", int(PARCELS))])
def test_a_ticket_without_a_group_goes_by_the_one_that_is_predicted(
    mode: str, group: int | None, worker: Worker, store: Store, desk: Any, drafter: Drafter, switch: Any
) -> None:
    switch(groups={PARCELS: mode, MONEY: "off" if mode == "draft" else "draft"})
    ticket_id = desk.open_ticket()
    work(worker, store, ticket_id)
    assert desk.ticket(ticket_id)["group_id"] == group
    assert len(desk.notes(ticket_id)) == len(drafter.drafted) == (mode == "draft")
    assert latest(store, ticket_id).silence == ("" if mode == "draft" else "switched_off")


def test_a_ticket_in_the_shadow_is_drafted_for_and_routed_and_shows_nothing(
    worker: Worker, store: Store, desk: Any, switch: Any
) -> None:
    switch(shadow_share=1.0)
    ticket_id = desk.open_ticket()
    work(worker, store, ticket_id)
    found = latest(store, ticket_id)
    assert (found.state, found.draft != "") == (WITHHELD, True)
    assert (desk.notes(ticket_id), desk.ticket(ticket_id)["group_id"]) == ([], int(PARCELS))
    desk.answer(ticket_id)
    desk.reply(ticket_id, "Thank you. And the other one?")
    switch(shadow_share=0.0)
    work(worker, store, ticket_id, "d-2")
    stored = store.suggestions.get(found.id)
    assert stored is not None
    assert stored.state == WITHHELD, "what was never shown is not superseded"
    assert latest(store, ticket_id).state == SHOWN


# ---- only while it still fits


@pytest.mark.parametrize("meanwhile", ["answered", "solved"])
def test_what_is_answered_or_solved_meanwhile_gets_nothing(
    meanwhile: str, worker: Worker, store: Store, desk: Any, drafter: Drafter
) -> None:
    ticket_id = desk.open_ticket()
    act: Act = {
        "answered": lambda: desk.answer(ticket_id),
        "solved": lambda: desk.change(ticket_id, status="solved"),
    }[meanwhile]
    drafter.acts = [act]
    assert work(worker, store, ticket_id)["status"] == "done"
    assert (desk.notes(ticket_id), desk.ticket(ticket_id)["group_id"]) == ([], None)
    assert store.suggestions.latest(NAME, ticket_id) is None, "nor does the sidebar show it"


def test_a_burst_that_goes_on_while_we_draft_becomes_one_draft(
    worker: Worker, store: Store, desk: Any, drafter: Drafter
) -> None:
    ticket_id = desk.open_ticket()
    drafter.acts = [lambda: desk.reply(ticket_id, "It is a blue box, by the way.")]  # its webhook has not come yet
    work(worker, store, ticket_id)
    assert len(drafter.drafted) == 2
    assert latest(store, ticket_id).turn_id == drafter.drafted[-1] != drafter.drafted[0]
    (note,) = desk.notes(ticket_id)
    assert "this replaces" not in note["plain_body"], "the first draft was never posted"


def test_a_newer_message_stops_the_draft_and_is_answered_instead(
    worker: Worker, store: Store, desk: Any, drafter: Drafter
) -> None:
    ticket_id = desk.open_ticket()

    def write_again() -> None:
        desk.reply(ticket_id, "It is a blue box, by the way.")
        store.inbox.put(NAME, "d-2", ticket_id)

    drafter.acts = [write_again]
    assert work(worker, store, ticket_id)["status"] == "done"
    assert store.suggestions.latest(NAME, ticket_id) is None
    assert worker.step()
    assert not worker.step()
    assert len(desk.notes(ticket_id)) == 1
    assert latest(store, ticket_id).turn_id == drafter.drafted[-1]


def test_a_group_that_is_switched_off_meanwhile_gets_nothing(
    worker: Worker, store: Store, desk: Any, drafter: Drafter, switch: Any
) -> None:
    switch(groups={MONEY: "off"})
    ticket_id = desk.open_ticket()
    drafter.acts = [lambda: desk.change(ticket_id, group_id=int(MONEY))]
    work(worker, store, ticket_id)
    assert desk.notes(ticket_id) == []


# ---- one note a turn


def test_a_second_message_gets_a_note_that_says_which_one_counts(worker: Worker, store: Store, desk: Any) -> None:
    ticket_id = desk.open_ticket()
    work(worker, store, ticket_id)
    desk.reply(ticket_id, "It is a blue box, by the way.")
    work(worker, store, ticket_id, "d-2")
    first, second = desk.notes(ticket_id)
    assert "this replaces the earlier suggested reply" in second["plain_body"]
    assert "this replaces" not in first["plain_body"]
    desk.answer(ticket_id)
    desk.reply(ticket_id, "Thank you. And the other one?")
    work(worker, store, ticket_id, "d-3")
    assert "this replaces" not in desk.notes(ticket_id)[-1]["plain_body"], "the team has answered the one before"


def test_where_the_earlier_draft_was_silent_nothing_is_said_of_it(
    worker: Worker, store: Store, desk: Any, drafter: Drafter
) -> None:
    drafter.changes = {"state": SILENT, "silence": "unsure", "draft": "", "claims": (), "sources": ()}
    ticket_id = desk.open_ticket()
    work(worker, store, ticket_id)
    assert desk.notes(ticket_id) == []
    drafter.changes = {}
    desk.reply(ticket_id, "It is a blue box, by the way.")
    work(worker, store, ticket_id, "d-2")
    (note,) = desk.notes(ticket_id)
    assert "this replaces" not in note["plain_body"]


# ---- drafts on their way


def test_the_draft_on_its_way_can_be_read_and_is_gone_when_it_is_ready(
    worker: Worker, store: Store, desk: Any, drafter: Drafter
) -> None:
    ticket_id = desk.open_ticket()
    seen: list[str] = []
    drafter.acts = [lambda: seen.append(store.drafting.text(NAME, ticket_id))]
    work(worker, store, ticket_id)
    assert seen == ["Hi Deniz,"]
    assert store.drafting.text(NAME, ticket_id) == ""


def test_in_the_shadow_nothing_can_be_read(
    worker: Worker, store: Store, desk: Any, drafter: Drafter, switch: Any
) -> None:
    switch(shadow_share=1.0)
    ticket_id = desk.open_ticket()
    seen: list[str] = []
    drafter.acts = [lambda: seen.append(store.drafting.text(NAME, ticket_id))]
    work(worker, store, ticket_id)
    assert seen == [""]


# ---- told facts


def test_a_told_fact_makes_a_new_draft_of_the_same_suggestion_and_no_second_note(
    worker: Worker, store: Store, desk: Any, drafter: Drafter
) -> None:
    ticket_id = desk.open_ticket()
    work(worker, store, ticket_id)
    first = latest(store, ticket_id)
    store.drafting.tell(NAME, ticket_id, first.turn_id, "It comes on Friday.")
    drafter.changes = {"draft": "Hi Deniz, it comes on Friday.", "claims": (), "route": Route(MONEY, "FIN", 0.99)}
    work(worker, store, ticket_id, "asked-1")
    second = latest(store, ticket_id)
    assert (second.id, second.draft) == (first.id, "Hi Deniz, it comes on Friday.")
    assert second.told_facts == ("It comes on Friday.",)
    assert (second.note_posted_at, second.route) == (first.note_posted_at, first.route)
    assert (second.alternatives[0].draft, second.alternatives[0].origin) == (first.draft, "draft")
    assert len(desk.notes(ticket_id)) == 1
    assert desk.ticket(ticket_id)["group_id"] == int(PARCELS)
    work(worker, store, ticket_id, "asked-2")
    assert len(drafter.drafted) == 2, "the same facts again change nothing"


def test_a_fact_that_spoils_the_draft_leaves_the_one_that_was_there(
    worker: Worker, store: Store, desk: Any, drafter: Drafter
) -> None:
    ticket_id = desk.open_ticket()
    work(worker, store, ticket_id)
    first = latest(store, ticket_id)
    store.drafting.tell(NAME, ticket_id, first.turn_id, "It comes on Friday.")
    drafter.changes = {"state": SILENT, "silence": "leak", "draft": "", "claims": (), "sources": ()}
    work(worker, store, ticket_id, "asked-1")
    found = latest(store, ticket_id)
    assert (found.state, found.draft, found.unused_facts) == (SHOWN, first.draft, ("It comes on Friday.",))


# ---- chats


@pytest.mark.parametrize(("chat_note", "notes"), [(False, 0), (True, 1)])
def test_a_chat_gets_its_route_and_a_draft_for_the_sidebar_and_notes_only_where_wanted(
    chat_note: bool, notes: int, worker: Worker, store: Store, zendesk: Zendesk, desk: Any, switch: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    switch(chat_note=chat_note)
    ticket_id = desk.open_ticket()
    read = zendesk.ticket
    monkeypatch.setattr(zendesk, "ticket", lambda wanted: dataclasses.replace(read(wanted), channel="native_messaging"))
    work(worker, store, ticket_id)
    assert len(desk.notes(ticket_id)) == notes
    assert desk.ticket(ticket_id)["group_id"] == int(PARCELS)
    first = latest(store, ticket_id)
    assert first.state == SHOWN
    desk.reply(ticket_id, "Hello?")
    work(worker, store, ticket_id, "d-2")
    stored = store.suggestions.get(first.id)
    assert stored is not None
    assert stored.state == SUPERSEDED
    assert len(desk.notes(ticket_id)) == 2 * notes
    public = [one for one in zendesk.comments(ticket_id)[0] if one.public]
    assert len(public) == 2, "the customer is never written to"
