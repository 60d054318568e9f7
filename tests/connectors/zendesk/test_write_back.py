"""Writing back: one private note, never twice, never over somebody's change, and not too often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import (
    CredentialError,
    FatalError,
    NotFoundError,
    RetriableError,
    StaleTicketError,
    TicketClosedError,
)
from connectors.records import WriteBack
from connectors.zendesk import writing
from connectors.zendesk.client import Zendesk

Connect = Callable[..., Zendesk]
MARKER = "Deskhand s-4711"
UPDATE = WriteBack(
    "<p>Suggested <b>reply</b>: it is in Tilburg &amp; safe.</p>", MARKER, group_id="2104", tags=("deskhand",)
)


@pytest.fixture
def ticket_id(desk: Any) -> str:
    return str(desk.open_ticket("Where is my parcel?"))


def notes(desk: Any, ticket_id: str) -> list[dict[str, Any]]:
    comments = desk.call("GET", f"/api/v2/tickets/{ticket_id}/comments")["comments"]
    return [comment for comment in comments if MARKER in comment["plain_body"]]


def test_note_group_and_tags_are_put_on_the_ticket_in_one_update(zendesk: Zendesk, desk: Any, ticket_id: str) -> None:
    before = zendesk.ticket(ticket_id)
    audits = len(desk.call("GET", f"/api/v2/tickets/{ticket_id}/audits")["audits"])
    assert zendesk.write_back(before, UPDATE)
    (note,) = notes(desk, ticket_id)
    assert note["public"] is False
    assert note["plain_body"].startswith("Suggested reply: it is in Tilburg & safe.")
    after = zendesk.ticket(ticket_id)
    assert (after.group_id, after.tags, after.subject) == ("2104", ("deskhand",), before.subject)
    assert after.raw["description"] == "Where is my parcel?", "the customer's words stay"
    assert len(desk.call("GET", f"/api/v2/tickets/{ticket_id}/audits")["audits"]) == audits + 1


def test_priority_and_tags_are_set_and_nothing_is_sent_where_nothing_changes(
    zendesk: Zendesk, ticket_id: str, asked: list[str]
) -> None:
    assert zendesk.write_back(zendesk.ticket(ticket_id), WriteBack("", MARKER, priority="high", tags=("deskhand",)))
    ticket = zendesk.ticket(ticket_id)
    assert (ticket.priority, ticket.tags, ticket.group_id) == ("high", ("deskhand",), None)
    asked.clear()
    assert zendesk.write_back(ticket, WriteBack("", MARKER, priority="high", group_id=ticket.group_id))
    assert asked == []


def test_a_draft_is_never_put_on_the_ticket(zendesk: Zendesk, desk: Any, ticket_id: str) -> None:
    assert zendesk.write_back(zendesk.ticket(ticket_id), WriteBack("", MARKER, draft="It is in Tilburg."))
    assert zendesk.write_back(zendesk.ticket(ticket_id), WriteBack("<p>x</p>", MARKER, draft="It is in Tilburg."))
    comments, _ = zendesk.comments(ticket_id)
    assert [one.public for one in comments] == [True, False]
    assert not any("Tilburg" in one.text for one in comments)


def test_tags_are_added_to_those_that_are_there(zendesk: Zendesk, desk: Any) -> None:
    assert zendesk.write_back(zendesk.ticket("1"), WriteBack("<p>x</p>", MARKER, tags=("deskhand",)))
    assert zendesk.ticket("1").tags == ("delay", "deskhand")
    assert zendesk.ticket("1").group_id == "2101", "and the group is left where none was given"


def test_the_marker_keeps_the_same_note_from_being_posted_twice(zendesk: Zendesk, desk: Any, ticket_id: str) -> None:
    assert zendesk.write_back(zendesk.ticket(ticket_id), UPDATE)
    assert not zendesk.write_back(zendesk.ticket(ticket_id), UPDATE)
    assert not zendesk.write_back(zendesk.ticket(ticket_id), WriteBack("<p>another text</p>", MARKER))
    assert len(notes(desk, ticket_id)) == 1
    assert zendesk.write_back(zendesk.ticket(ticket_id), WriteBack("<p>next turn</p>", "Deskhand s-4712"))


def test_a_route_alone_leaves_no_comment(zendesk: Zendesk, desk: Any, ticket_id: str) -> None:
    before = len(zendesk.comments(ticket_id)[0])
    for _ in range(2):
        assert zendesk.write_back(zendesk.ticket(ticket_id), WriteBack("", MARKER, group_id="2104"))
    assert zendesk.ticket(ticket_id).group_id == "2104"
    assert len(zendesk.comments(ticket_id)[0]) == before


def test_a_note_that_got_through_although_the_answer_did_not_is_not_repeated(
    zendesk: Zendesk, desk: Any, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = zendesk.http.request

    def cut_off(method: str, path: str, **options: Any) -> Any:
        answer = request(method, path, **options)
        if method == "PUT":
            raise RetriableError("the answer was lost")
        return answer

    monkeypatch.setattr(zendesk.http, "request", cut_off)
    with pytest.raises(RetriableError):
        zendesk.write_back(zendesk.ticket(ticket_id), UPDATE)
    monkeypatch.undo()
    assert not zendesk.write_back(zendesk.ticket(ticket_id), UPDATE)
    assert len(notes(desk, ticket_id)) == 1


def test_a_customer_who_quotes_the_marker_does_not_stop_the_note(zendesk: Zendesk, desk: Any) -> None:
    ticket_id = desk.open_ticket(f"What is {MARKER}?")
    assert zendesk.write_back(zendesk.ticket(ticket_id), UPDATE)


def test_a_ticket_that_somebody_changed_meanwhile_is_left_alone(zendesk: Zendesk, desk: Any) -> None:
    seen = zendesk.ticket("1")  # last changed in April
    desk.reply(1, "Forget it, it has come.")
    with pytest.raises(StaleTicketError, match=r"tickets/1\.json"):
        zendesk.write_back(seen, UPDATE)
    assert notes(desk, "1") == []
    assert zendesk.write_back(zendesk.ticket("1"), UPDATE), "read again, it can be decided again"


def test_a_closed_ticket_takes_no_note(zendesk: Zendesk, desk: Any) -> None:
    made = zendesk.http.requests_made
    closed = zendesk.ticket(str(desk.closed_ticket))
    with pytest.raises(TicketClosedError, match="ticket 6 is closed"):
        zendesk.write_back(closed, UPDATE)
    assert zendesk.http.requests_made == made + 1, "nothing is sent"


def test_a_ticket_closed_in_between_takes_no_note_either(zendesk: Zendesk, desk: Any, ticket_id: str) -> None:
    seen = zendesk.ticket(ticket_id)
    desk.call("PUT", f"/api/v2/tickets/{ticket_id}", {"ticket": {"status": "closed"}})
    with pytest.raises(TicketClosedError, match="no update any more"):
        zendesk.write_back(seen, UPDATE)


@pytest.mark.parametrize("update", [WriteBack("<p>x</p>", MARKER, group_id="99"), WriteBack("", MARKER, group_id="99")])
def test_a_group_that_is_gone_does_not_cost_the_note(
    update: WriteBack, zendesk: Zendesk, desk: Any, ticket_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    if not update.note_html:  # there is nothing else to put on the ticket
        with pytest.raises(FatalError, match="answered 422"):
            zendesk.write_back(zendesk.ticket(ticket_id), update)
        return
    assert zendesk.write_back(zendesk.ticket(ticket_id), update)
    assert len(notes(desk, ticket_id)) == 1
    assert zendesk.ticket(ticket_id).group_id is None
    assert "without its group_id" in caplog.text


def test_a_priority_that_is_refused_does_not_cost_the_note_either(
    zendesk: Zendesk, desk: Any, ticket_id: str, asked: list[str]
) -> None:
    wanted = WriteBack("<p>x</p>", MARKER, group_id="99", priority="sky-high", tags=("deskhand",))
    assert zendesk.write_back(zendesk.ticket(ticket_id), wanted)
    ticket = zendesk.ticket(ticket_id)
    assert (ticket.group_id, ticket.priority, ticket.tags) == (None, None, ("deskhand",))
    assert len(notes(desk, ticket_id)) == 1


def test_an_update_that_is_refused_for_good_is_given_up(zendesk: Zendesk, desk: Any, ticket_id: str) -> None:
    desk.fault(f"tickets/{ticket_id}", 422, method="PUT", times=99)
    ticket = zendesk.ticket(ticket_id)
    made = zendesk.http.requests_made
    with pytest.raises(FatalError, match="answered 422") as caught:
        zendesk.write_back(ticket, WriteBack("<p>x</p>", MARKER, group_id="2104", priority="high", tags=("deskhand",)))
    assert not isinstance(caught.value, CredentialError)
    assert zendesk.http.requests_made - made == 1 + 3 * 2, "the notes; three tries, and a look at the ticket after each"


def test_a_ticket_that_changed_while_an_update_was_refused_is_decided_again(
    zendesk: Zendesk, desk: Any, ticket_id: str, monkeypatch: pytest.MonkeyPatch, tick: Callable[[], None]
) -> None:
    ticket = zendesk.ticket(ticket_id)

    def meanwhile(number: str) -> Any:
        tick()
        desk.reply(int(number), "Forget it, it has come.")
        return zendesk.ticket(number)

    monkeypatch.setattr(zendesk._writer, "_ticket", meanwhile)
    with pytest.raises(StaleTicketError):
        zendesk.write_back(ticket, WriteBack("<p>x</p>", MARKER, group_id="99"))
    assert notes(desk, ticket_id) == []


def test_a_deleted_ticket_takes_no_note(zendesk: Zendesk, desk: Any, ticket_id: str) -> None:
    seen = zendesk.ticket(ticket_id)
    desk.call("DELETE", f"/api/v2/tickets/{ticket_id}")
    with pytest.raises(NotFoundError):
        zendesk.write_back(seen, UPDATE)


def test_a_credential_that_may_not_write_says_so(zendesk: Zendesk, desk: Any, ticket_id: str) -> None:
    desk.fault(f"tickets/{ticket_id}", 403, method="PUT")
    with pytest.raises(CredentialError, match="may not do that"):
        zendesk.write_back(zendesk.ticket(ticket_id), UPDATE)


def test_nothing_of_ticket_note_or_token_gets_into_logs_and_errors(
    zendesk: Zendesk, desk: Any, ticket_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.fault(f"tickets/{ticket_id}", 503, method="PUT", body="Where is my parcel? deniz@mail.example")
    desk.fault(f"tickets/{ticket_id}", 500, method="PUT", body="Where is my parcel? deniz@mail.example")
    with pytest.raises(RetriableError) as caught:
        zendesk.write_back(zendesk.ticket(ticket_id), UPDATE)
    assert f"/api/v2/tickets/{ticket_id}.json" in caplog.text
    said = f"{caplog.text}{caught.value!r}{caught.value.hint}{caught.value.__cause__!r}"
    for hidden in ("parcel", "deniz", "Tilburg", desk.token):
        assert hidden not in said


# Zendesk takes 30 updates of a ticket in ten minutes


@pytest.fixture
def clock(zendesk: Zendesk, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that updates are counted by; change the first entry."""
    now = [1000.0]
    monkeypatch.setattr(zendesk._writer, "_monotonic", lambda: now[0])
    return now


def put(zendesk: Zendesk, ticket_id: str, number: int) -> None:
    assert zendesk.write_back(zendesk.ticket(ticket_id), WriteBack("", MARKER, tags=(f"t{number}",)))


def test_a_ticket_is_not_updated_so_often_that_zendesk_refuses(
    zendesk: Zendesk, desk: Any, ticket_id: str, clock: list[float], asked: list[str], naps: list[float]
) -> None:
    for number in range(writing.MOST_UPDATES):
        clock[0] += 1.0
        put(zendesk, ticket_id, number)
    ticket = zendesk.ticket(ticket_id)
    asked.clear()
    clock[0] += 70.0
    with pytest.raises(RetriableError, match=f"ticket {ticket_id} had 29 updates") as caught:
        zendesk.write_back(ticket, WriteBack("", MARKER, tags=("one-more",)))
    assert asked == [], "it is not even tried"
    assert caught.value.retry_after_s == 600.0 - 70.0 - 28.0
    assert caught.value.hint
    assert naps == [], "and nobody waits for it"
    put(zendesk, "1", 1)  # another ticket is another matter
    # And one was left to our user's own hands.
    desk.call("PUT", f"/api/v2/tickets/{ticket_id}", {"ticket": {"priority": "low"}})
    desk.sandbox.app.config["SANDBOX_TICKET_UPDATES_PER_10_MIN"] = 0  # its ten minutes are real ones
    clock[0] += caught.value.retry_after_s
    put(zendesk, ticket_id, 99)
    with pytest.raises(RetriableError):
        put(zendesk, ticket_id, 100)  # the second one is still within the ten minutes


def test_updates_of_long_ago_are_forgotten(zendesk: Zendesk, ticket_id: str, clock: list[float]) -> None:
    put(zendesk, ticket_id, 1)
    clock[0] += 601.0
    put(zendesk, "1", 1)
    assert list(zendesk._writer._updates) == ["1"]
