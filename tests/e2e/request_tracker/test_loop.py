"""The whole loop with a real Request Tracker, as a user sets it up: from the customer's mail to the internal note."""

from __future__ import annotations

import re
import time

import pytest

from connectors.sandbox.company import Ticket

from .conftest import Site
from .rt import INTAKE

pytestmark = [pytest.mark.e2e, pytest.mark.weights, pytest.mark.request_tracker]

WAIT_S = 180


def mail_in(site: Site, ticket: Ticket) -> str:
    """A customer's mail reaches RT."""
    subject = f"{ticket.subject} ({ticket.id})".replace("'", "")
    return site.rt.mail(ticket.requester.email, subject, ticket.comments[0].body)


def state(site: Site, ticket_id: str) -> tuple[list[str], str]:
    """The ticket's internal notes and the queue that it is in."""
    notes = [text for kind, text in site.rt.comments(ticket_id) if kind == "Comment"]
    item = site.rt.call("marit", "GET", f"/ticket/{ticket_id}?fields[Queue]=Name")
    return notes, item["Queue"]["Name"]


def wait_for_answers(site: Site, ticket_ids: list[str]) -> dict[str, tuple[list[str], str]]:
    """The tickets, once each has left the intake queue; a note is not given on each."""
    deadline = time.monotonic() + WAIT_S
    while True:
        states = {ticket_id: state(site, ticket_id) for ticket_id in ticket_ids}
        if all(queue != INTAKE for _, queue in states.values()) or time.monotonic() > deadline:
            return states
        time.sleep(0.5)


def check(site: Site, states: dict[str, tuple[list[str], str]], mails_before: str) -> None:
    """What Deskhand put on the tickets, and that no customer got any of it."""
    queues = {group.name for group in site.company.groups}
    assert all(queue in queues for _, queue in states.values()), "each was moved to a queue of the company's"
    notes = [note for found, _ in states.values() for note in found]
    assert notes
    assert all("deskhand:" in note for note in notes)
    assert all(len(found) <= 1 for found, _ in states.values()), "one note a customer turn"
    new_mails = site.rt.mails().removeprefix(mails_before)
    assert "deskhand:" not in site.rt.mails()
    # RT's own acknowledgement of each mail that came in, and nothing else.
    assert new_mails.count("\n===\n") == new_mails.count("Subject: [fernway.example") == len(states)
    for ticket_id in states:
        assert [kind for kind, _ in site.rt.comments(ticket_id) if kind != "Comment"] == ["Create"]


def test_everything_was_read(site: Site) -> None:
    assert "Connected as agent" in site.said["init"]
    assert "It may read: groups, ticket_fields, articles, tickets." in site.said["init"]
    tickets = len(site.rt.company.tickets)
    assert re.search(rf"^tickets +{tickets} new or changed", site.said["sync"], re.MULTILINE)
    assert "skipped" not in site.said["sync"]


def test_a_mail_is_answered_by_a_note(site: Site) -> None:
    before = site.rt.mails()
    unheard = site.rt.log().count("[error]: Deskhand: ticket")
    with site.serve():
        made = [mail_in(site, ticket) for ticket in site.company.live_pool[:3]]
        states = wait_for_answers(site, made)
    check(site, states, before)
    assert site.rt.log().count("[error]: Deskhand: ticket") == unheard, "the Scrip got through each time"


def test_a_mail_is_found_by_looking(site: Site) -> None:
    """Without the webhook: mails that came in while nothing listened are found by polling."""
    before = site.rt.mails()
    made = [mail_in(site, ticket) for ticket in site.company.live_pool[3:6]]
    site.run("watch", "--once")
    with site.serve():
        states = wait_for_answers(site, made)
    check(site, states, before)


def test_nothing_personal_is_in_what_was_said(site: Site) -> None:
    said = "".join(site.said.values())
    addresses = {ticket.requester.email for ticket in (*site.rt.company.tickets, *site.company.live_pool)}
    assert not [address for address in addresses if address in said]
    assert site.rt.tokens["deskhand"] not in said
