"""What is Request Tracker's own, against a real one; what all connectors do is in test_contract.py."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from connectors.errors import ForbiddenError, SkippableError, StaleTicketError, TicketClosedError
from connectors.records import Deletion, Record, Thread, Ticket, User, WriteBack
from connectors.request_tracker import mapping, tickets
from connectors.request_tracker.client import RequestTracker
from connectors.store.database import Store
from connectors.sync.engine import sync

from ...e2e.request_tracker.rt import CLERK, RT
from .conftest import Receiver

pytestmark = pytest.mark.request_tracker

Write = Callable[..., str]


def read(helpdesk: RequestTracker, stream: str = "tickets", cursor: str | None = None) -> tuple[list[Record], str]:
    pages = list(helpdesk.pages(stream, cursor))
    return [record for page in pages for record in page.records], pages[-1].cursor


def agent(rt: RT, ticket_id: str, kind: str, text: str, **more: Any) -> None:
    body = {"Content": text, "ContentType": "text/plain"} | more
    rt.call("marit", "POST", f"/ticket/{ticket_id}/{kind}", body)


def test_me(helpdesk: RequestTracker, connect: Callable[..., RequestTracker], rt: RT, customer: str) -> None:
    assert (helpdesk.me().name, helpdesk.me().role) == ("Deskhand", "agent")
    assert connect(token=rt.tokens[customer]).me().role == "requester"


def test_listings(helpdesk: RequestTracker) -> None:
    groups, _ = read(helpdesk, "groups")
    described = {group.name: group.description for group in groups}
    assert described["FIN"].startswith("Invoices")
    assert "General" in described
    fields = {field.title: field for field in read(helpdesk, "ticket_fields")[0]}
    assert fields["Destination country"].options == ("be", "ch", "de", "gb", "nl", "other")
    articles = {article.title: article for article in read(helpdesk, "articles")[0]}
    assert "28 days" in articles["Can I get my postage back?"].text
    assert all(page.listed == "articles" for page in helpdesk.pages("articles", None))


def test_a_conversation(helpdesk: RequestTracker, rt: RT, write: Write, customer: str) -> None:
    one = write("Where is it? Grüße")
    picture = {"FileName": "a.png", "FileType": "image/png", "FileContent": base64.b64encode(b"\x89PNG\xff").decode()}
    agent(rt, one, "correspond", "<p>It is <b>here</b></p>", ContentType="text/html", Attachments=[picture])
    agent(rt, one, "comment", "left behind the shed")
    records, _ = read(helpdesk)
    (thread,) = [record for record in records if isinstance(record, Thread)]
    assert [(one.public, one.text) for one in thread.comments] == [
        (True, "Where is it? Grüße"), (True, "It is here"), (False, "left behind the shed"),
    ]  # fmt: skip
    (file,) = thread.comments[1].attachments
    assert (file.name, file.media_type, file.size_bytes) == ("a.png", "image/png", 5)
    assert {user.name: user.role for user in thread.authors}["Marit de Boer"] == "agent"
    assert [user.email for user in records if isinstance(user, User)] == [customer]
    assert helpdesk.comments(one)[0] == list(thread.comments)


def test_a_long_conversation_is_whole(helpdesk: RequestTracker, rt: RT, write: Write, monkeypatch: Any) -> None:
    monkeypatch.setattr("connectors.request_tracker.threads.PER_PAGE", 2)
    monkeypatch.setattr("connectors.request_tracker.rest.PER_PAGE", 2)
    one = write("turn 0")
    for number in range(1, 6):
        agent(rt, one, "comment", f"turn {number}")
    assert [comment.text for comment in helpdesk.comments(one)[0]] == [f"turn {number}" for number in range(6)]


def test_a_mail_that_came_in(helpdesk: RequestTracker, rt: RT) -> None:
    one = rt.mail("Zoë <zoe@mail.example>", "Parcel", "Where is it?\n\nZoë", queue="CLM")
    ticket = helpdesk.ticket(one)
    (comment,), (author,) = helpdesk.comments(one)
    assert (comment.text, author.email, author.role) == ("Where is it?\n\nZoë", "zoe@mail.example", "requester")
    assert ticket.requester_id == author.id


def test_statuses_of_the_sites_own(helpdesk: RequestTracker, rt: RT, write: Write, monkeypatch: Any) -> None:
    one, two = write(), write()
    agent(rt, one, "correspond", "done", Status="resolved")
    agent(rt, two, "correspond", "wait", Status="stalled")
    monkeypatch.setattr(mapping, "_STATUSES", {"new": "new"})
    found = {record.id: record.status for record in read(helpdesk)[0] if isinstance(record, Ticket)}
    assert found == {one: "solved", two: "open"}


def test_deleted_and_brought_back(helpdesk: RequestTracker, rt: RT, write: Write, store: Store) -> None:
    gone, back = write("secret words"), write()
    sync(helpdesk, store)
    for ticket_id in (gone, back):
        rt.call("marit", "PUT", f"/ticket/{ticket_id}", {"Status": "deleted"})
    rt.call("marit", "PUT", f"/ticket/{back}", {"Status": "open"})
    everything, _ = read(helpdesk)
    assert [record.ticket_id for record in everything if isinstance(record, Deletion)][-1:] == [gone]
    assert not [record for record in everything if isinstance(record, Deletion) and record.ticket_id == back]
    sync(helpdesk, store)
    assert store.history.turns("request_tracker", gone) == []
    assert len(store.history.turns("request_tracker", back)) == 1
    assert helpdesk.ticket(gone).deleted
    with pytest.raises(TicketClosedError):
        helpdesk.write_back(helpdesk.ticket(gone), WriteBack("<p>x</p>", "m"))


def test_deletions_long_ago_are_told_by_a_whole_read(
    helpdesk: RequestTracker, rt: RT, write: Write, monkeypatch: Any
) -> None:
    gone = write()
    rt.call("marit", "PUT", f"/ticket/{gone}", {"Status": "deleted"})
    monkeypatch.setattr(tickets, "OVERLAP_S", -1)  # the feed begins after all that is there
    assert [record.ticket_id for record in read(helpdesk)[0] if isinstance(record, Deletion)] == [gone]


def test_a_merged_ticket_hands_its_words_over(helpdesk: RequestTracker, rt: RT, write: Write, store: Store) -> None:
    kept, merged = write("first"), write("second")
    sync(helpdesk, store)
    rt.call("marit", "PUT", f"/ticket/{merged}", {"MergeInto": kept})
    for full in (False, True):
        sync(helpdesk, store, full=full)
        turns = store.history.turns("request_tracker", kept)
        assert [turn.comment.text for turn in turns] == ["first", "second"]
        assert store.history.turns("request_tracker", merged) == []
        ticket = store.history.ticket("request_tracker", merged)
        assert ticket
        assert (ticket.status, ticket.merged) == ("closed", True)
    assert helpdesk.comments(merged) == ([], [])
    with pytest.raises(TicketClosedError):
        helpdesk.write_back(helpdesk.ticket(merged), WriteBack("<p>x</p>", "m"))
    assert "<p>x</p>" not in str(rt.comments(kept))


def test_one_queue_only(helpdesk: RequestTracker, connect: Callable[..., RequestTracker], rt: RT, write: Write) -> None:
    clerk = connect(token=rt.tokens[CLERK])
    seen, hidden = write(Queue="TRK1"), write(Queue="FIN")
    records, cursor = read(clerk)
    assert [record.id for record in records if isinstance(record, Ticket)] == [seen]
    agent(rt, hidden, "correspond", "not for the clerk")
    agent(rt, seen, "correspond", "but this is")
    agent(rt, seen, "comment", "nor is this")
    (thread,) = [record for record in read(clerk, cursor=cursor)[0] if isinstance(record, Thread)]
    assert [comment.text for comment in thread.comments] == ["Where is my parcel?", "but this is"]
    for update in (WriteBack("", "m", group_id=helpdesk.ticket(hidden).group_id), WriteBack("<p>x</p>", "m")):
        with pytest.raises(ForbiddenError, match=seen) as caught:
            clerk.write_back(clerk.ticket(seen), update)
        assert "account" in caught.value.hint
    with pytest.raises(ForbiddenError):
        clerk.ticket(hidden)


def test_a_change_in_the_last_moment(helpdesk: RequestTracker, rt: RT, write: Write, monkeypatch: Any) -> None:
    one = write()
    ticket = helpdesk.ticket(one)
    changes = helpdesk._changes

    def late(*arguments: Any) -> Any:
        agent(rt, one, "correspond", "I have it")  # between our look and our update
        return changes(*arguments)

    monkeypatch.setattr(helpdesk, "_changes", late)
    with pytest.raises(StaleTicketError):
        helpdesk.write_back(ticket, WriteBack("<p>x</p>", "m", group_id="3", tags=("t",)))
    assert not [text for kind, text in rt.comments(one) if kind == "Comment"]
    assert helpdesk.ticket(one).group_id is None


def test_a_change_within_the_same_second(helpdesk: RequestTracker, rt: RT, write: Write) -> None:
    one = write()
    ticket = helpdesk.ticket(one)
    rt.call("marit", "PUT", f"/ticket/{one}", {"Subject": "another"})
    with closing(sqlite3.connect(rt.database, timeout=30)) as database, database:
        same = ticket.updated_at.replace("T", " ").rstrip("Z")
        database.execute("update Tickets set LastUpdated = ? where id = ?", (same, one))
    assert helpdesk.ticket(one).updated_at == ticket.updated_at
    with pytest.raises(StaleTicketError):
        helpdesk.write_back(ticket, WriteBack("<p>x</p>", "m"))


def test_a_compressing_proxy_changes_versions(connect: Callable[..., RequestTracker], scripted: Any) -> None:
    item = {"id": 7, "Status": "open"}
    scripted.says(item, headers={"ETag": '"527-gzip"'})
    assert connect(url=scripted.url)._known("7") == (item, '"527"')


def test_the_scrip_calls_us(helpdesk: RequestTracker, rt: RT, write: Write, receiver: Receiver, customer: str) -> None:
    one = write()
    rt.call(customer, "POST", f"/ticket/{one}/correspond", {"Content": "And?", "ContentType": "text/plain"})
    agent(rt, one, "correspond", "It is here")
    helpdesk.write_back(helpdesk.ticket(one), WriteBack("<p>note</p>", "m", group_id="3"))
    two = write()
    events = [helpdesk.read_webhook(*call) for call in receiver.wait_for(3)]
    assert [event.ticket_id for event in events] == [one, one, two], "customers only, never our own note"
    assert len({event.delivery_id for event in events}) == 3
    assert "Deskhand: ticket" not in rt.log()


def test_the_customer_gets_no_mail_of_ours(helpdesk: RequestTracker, rt: RT, write: Write, customer: str) -> None:
    one = write()
    agent(rt, one, "correspond", "It is here")
    before = rt.mails()
    assert customer in before
    helpdesk.write_back(
        helpdesk.ticket(one), WriteBack("<p>note</p>", "m", group_id="3", priority="80", tags=("t",), draft="Dear")
    )
    assert rt.mails() == before


def test_setting_up_the_webhook_is_said(helpdesk: RequestTracker) -> None:
    with pytest.raises(SkippableError) as caught:
        helpdesk.install_webhook("https://deskhand.example/webhooks/request_tracker")
    assert "https://deskhand.example/webhooks/request_tracker" in caught.value.hint
