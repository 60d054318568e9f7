"""Writing back: one private note, never twice, never over somebody's change; and the webhook that brings us work."""

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
    send = zendesk.http.send

    def cut_off(method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = send(method, path, **options)
        if method == "PUT":
            raise RetriableError("the answer was lost")
        return answer

    monkeypatch.setattr(zendesk.http, "send", cut_off)
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


def test_a_refusal_for_another_reason_is_not_taken_for_a_closed_ticket(
    zendesk: Zendesk, desk: Any, ticket_id: str
) -> None:
    with pytest.raises(FatalError, match="answered 422") as caught:
        zendesk.write_back(zendesk.ticket(ticket_id), WriteBack("<p>x</p>", MARKER, group_id="99"))
    assert not isinstance(caught.value, CredentialError)
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


def test_the_webhook_is_set_up_once(zendesk: Zendesk, desk: Any) -> None:
    secret = zendesk.install_webhook("http://127.0.0.1:9/hook")
    assert len(secret) > 20
    assert zendesk.install_webhook("http://127.0.0.1:9/hook") == secret
    assert len(desk.call("GET", "/api/v2/webhooks")["webhooks"]) == 1
    assert len(desk.call("GET", "/api/v2/triggers")["triggers"]) == 1
    assert zendesk.install_webhook("http://127.0.0.1:9/other") != secret


def test_only_customers_fire_the_webhook(zendesk: Zendesk, desk: Any, ticket_id: str) -> None:
    zendesk.install_webhook("http://127.0.0.1:9/hook")

    def fired() -> int:
        return len(desk.call("GET", f"/sandbox/deliveries?ticket_id={ticket_id}")["deliveries"])

    zendesk.write_back(zendesk.ticket(ticket_id), UPDATE)
    answer = {"comment": {"body": "In Tilburg.", "public": True, "author_id": 5001}, "status": "open"}
    desk.call("PUT", f"/api/v2/tickets/{ticket_id}", {"ticket": answer})
    assert fired() == 0, "our own note must not bring us back"
    desk.reply(int(ticket_id), "And when will it come?")
    assert fired() == 1
