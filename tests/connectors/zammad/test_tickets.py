"""The stream of tickets: exact cursors, changes within a second, and deletions."""

from __future__ import annotations

import pytest

from connectors.errors import FatalError
from connectors.records import Deletion, Recheck, Ticket, TicketMetrics
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.zammad import api
from connectors.zammad import sweep as sweeping
from connectors.zammad.client import Zammad

from ..contract import read
from .desk import ZammadDesk
from .server import BOT, CUSTOMER, MARIT, STATE_TYPES, STATES, TRACKING, FakeZammad


def last_cursor(zammad: Zammad) -> str:
    return read(zammad, "tickets")[-1].cursor


def records(zammad: Zammad, cursor: str | None = None) -> list[object]:
    return [record for page in read(zammad, "tickets", cursor) for record in page.records]


def test_nothing_comes_twice(desk: ZammadDesk, zammad: Zammad) -> None:
    for number in range(3):
        desk.customer_writes(f"Question {number}")
    cursor = last_cursor(zammad)
    desk.customer_writes("Late")
    assert [record.id for record in records(zammad, cursor) if isinstance(record, Ticket)] == ["4"]


def test_late_commits_are_seen(server: FakeZammad, zammad: Zammad) -> None:
    """A change that began before the newest one we read, and shows only now."""
    first = server.open_ticket("One")
    began = server.now()
    server.now_ms += 45_000
    server.open_ticket("Two")
    cursor = last_cursor(zammad)
    server.tickets[first] |= {"updated_at": began.replace(".000Z", ".500Z"), "title": "Changed"}
    assert [record.id for record in records(zammad, cursor) if isinstance(record, Ticket)] == [str(first)]


def test_second_change_within_a_second(server: FakeZammad, zammad: Zammad, store: Store) -> None:
    """Times in the store have no milliseconds: without a recheck the second turn would be missed for good."""
    server.now_ms -= server.now_ms % 1000
    number = server.open_ticket("First")
    server.now_ms += 200
    sync(zammad, store)
    server.now_ms += 200
    server.write(number, "Second", by=CUSTOMER)
    cursor = store.cursors.get(zammad.name, "tickets")
    assert Recheck(str(number)) in records(zammad, cursor)
    sync(zammad, store)
    assert [turn.comment.text for turn in store.history.turns(zammad.name, str(number))] == ["First", "Second"]


def test_more_tickets_of_one_millisecond_than_fit_a_page(
    server: FakeZammad, zammad: Zammad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PER_PAGE", 2)
    for number in range(9):
        server.open_ticket(f"Question {number}")
    server.now_ms += 1
    server.open_ticket("Newest")
    assert [record.id for record in records(zammad) if isinstance(record, Ticket)] == [str(one) for one in range(1, 11)]


def test_cursor_of_somebody_else(zammad: Zammad) -> None:
    for cursor in ("", "{}", "12 5", '{"since": 1}'):
        if cursor:
            with pytest.raises(FatalError) as caught:
                list(zammad.pages("tickets", cursor))
            assert "--full" in caught.value.hint


def test_states_by_their_kind(server: FakeZammad, zammad: Zammad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATES, 8, "Warten auf Spedition")
    monkeypatch.setitem(STATE_TYPES, 8, "pending reminder")
    names = {str(server.open_ticket("Question", state_id=key)): name for key, name in STATES.items()}
    found = {names[one.id]: (one.status, one.merged) for one in records(zammad) if isinstance(one, Ticket)}
    assert found == {
        "new": ("new", False), "open": ("open", False), "pending reminder": ("pending", False),
        "pending close": ("pending", False), "closed": ("solved", False), "merged": ("closed", True),
        "removed": ("closed", False), "Warten auf Spedition": ("pending", False),
    }  # fmt: skip


def test_ticket(server: FakeZammad, zammad: Zammad) -> None:
    number = server.open_ticket("Where?", subject="Parcel", organization_id=7, group_id=TRACKING)
    server.now_ms += 90 * 60_000
    server.write(number, "In Tilburg.", by=MARIT)
    server.touch(number, state_id=4, close_at=server.now(), owner_id=MARIT)
    ticket, figures = (record for record in records(zammad) if isinstance(record, Ticket | TicketMetrics))
    assert (ticket.subject, ticket.priority, ticket.channel) == ("Parcel", "2 normal", "email")
    assert (ticket.assignee_id, ticket.organization_id, ticket.comment_count) == (str(MARIT), "7", 2)
    assert ticket.fields == ()
    assert ticket.url.endswith(f"/#ticket/zoom/{number}")
    assert (figures.first_reply_minutes, figures.resolution_minutes) == (90, 90)


def test_new_tickets_have_no_group(server: FakeZammad, zammad: Zammad) -> None:
    """Nobody has sorted what is in the group that Zammad comes with: the worker may."""
    server.open_ticket("Question")
    (ticket,) = (record for record in records(zammad) if isinstance(record, Ticket))
    assert ticket.group_id is None
    assert ticket.assignee_id is None, "user 1 is nobody"


def test_automatic_answer_is_no_answer(server: FakeZammad, zammad: Zammad) -> None:
    server.auto_reply = True
    number = server.open_ticket("Question")
    assert server.sent[number], "the customer did get it"
    comments, _ = zammad.comments(str(number))
    assert [comment.public for comment in comments] == [True, False]


def test_merged_ticket(server: FakeZammad, zammad: Zammad, store: Store) -> None:
    one, two = server.open_ticket("One"), server.open_ticket("Two")
    sync(zammad, store)
    server.now_ms += 1000
    server.merge(one, into=two)
    sync(zammad, store)
    assert [turn.comment.text for turn in store.history.turns(zammad.name, str(two))] == ["One", "Two"]
    assert store.history.turns(zammad.name, str(one)) == []


class TestDeletions:
    def deleted(self, zammad: Zammad, cursor: str | None) -> tuple[list[str], str]:
        pages = read(zammad, "tickets", cursor)
        gone = [record.ticket_id for page in pages for record in page.records if isinstance(record, Deletion)]
        return gone, pages[-1].cursor

    def test_newest_ticket(self, server: FakeZammad, zammad: Zammad) -> None:
        server.open_ticket("One")
        newest = server.open_ticket("Two")
        cursor = last_cursor(zammad)
        server.destroy(newest)
        assert self.deleted(zammad, cursor)[0] == [str(newest)]

    def test_hidden_tickets_are_not_deleted(self, server: FakeZammad, zammad: Zammad) -> None:
        """Where a right is lost, whole groups vanish from the lists; their text must not go for that."""
        for number in range(4):
            server.open_ticket(f"Question {number}")
        cursor = last_cursor(zammad)
        server.hidden = {2, 3, 4}
        assert self.deleted(zammad, cursor)[0] == []

    def test_page_by_page(self, server: FakeZammad, zammad: Zammad, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api, "PER_PAGE", 3)
        monkeypatch.setattr(sweeping, "MOST_CHECKS", 2)
        numbers = [server.open_ticket(f"Question {number}") for number in range(12)]
        cursor = last_cursor(zammad)
        gone = [numbers[at] for at in (1, 2, 3, 4, 6, 11)]
        for number in gone:
            server.destroy(number)
        found: set[str] = set()
        for _ in range(10):
            deleted, cursor = self.deleted(zammad, cursor)
            assert len(deleted) <= 2
            found |= set(deleted)
        assert found == {str(number) for number in gone}

    def test_price(self, desk: ZammadDesk, zammad: Zammad) -> None:
        for number in range(5):
            desk.customer_writes(f"Question {number}")
        cursor = last_cursor(zammad)
        before = len(desk.proxy.seen)
        list(zammad.pages("tickets", cursor))
        assert len(desk.proxy.seen) - before == 2, "one to ask for changes, one to look for deletions"


def test_authors(server: FakeZammad, zammad: Zammad) -> None:
    """A call that an agent typed in is the customer's; whoever is gone keeps their side."""
    number = server.open_ticket("Question")
    server.write(number, "She called again", by=MARIT, kind=5, sender=2, origin_by_id=CUSTOMER)
    server.write(number, "Answer", by=BOT)
    del server.users[BOT]
    server.users[BOT] = server._user(BOT, "x", "x@desk.example", ["Agent"])
    comments, authors = zammad.comments(str(number))
    roles = {author.id: author.role for author in authors}
    assert [roles[comment.author_id] for comment in comments] == ["requester", "requester", "agent"]
    assert all(comment.public for comment in comments)


def test_html_and_attachments(server: FakeZammad, zammad: Zammad) -> None:
    number = server.open_ticket("Question")
    about = {"Mime-Type": "application/pdf; name=x"}
    files = [
        {"id": 5, "filename": "bill.pdf", "size": "1234", "preferences": about},
        {"id": 6, "filename": "logo.png", "size": "9", "preferences": {"Content-ID": "1@x", "Mime-Type": "image/png"}},
    ]
    body = "<div>Dear Deniz,</div><div><br></div><div>it is <b>there</b> &amp; safe.</div>"
    server.write(number, body, by=MARIT, content_type="text/html", attachments=files)
    comment = zammad.comments(str(number))[0][1]
    assert comment.text == "Dear Deniz,\n\nit is there & safe."
    assert [(file.name, file.media_type, file.size_bytes, file.inline) for file in comment.attachments] == [
        ("bill.pdf", "application/pdf", 1234, False),
        ("logo.png", "image/png", 9, True),
    ]
