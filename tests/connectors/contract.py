"""What every helpdesk's connector has to do, whoever the vendor is: a suite that each vendor's tests subclass.

For a new vendor, write `tests/connectors/<vendor>/test_contract.py`:

    from ..contract import Desk, HelpdeskContract

    class AcmeDesk(Desk):
        ...                       # see `Desk`: how to do on the vendor's side what the tests need

    class TestAcme(HelpdeskContract):
        @pytest.fixture
        def desk(self):
            with AcmeServer() as server, AcmeDesk(server) as desk:
                yield desk

`python -m tests.connectors.contract_table` runs all of them and prints which vendor passes what. A test's first line of
documentation is its row in that table, the class's name without `Test` is the column.

A desk may be shared by many tests and hold other tickets than theirs (starting a real server takes seconds), so no test
here counts on being alone: each looks at the tickets that it made itself.
"""

from __future__ import annotations

import email.utils
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

import pytest

from connectors import clock
from connectors.errors import (
    CredentialError,
    DeskhandError,
    FatalError,
    ForbiddenError,
    NotFoundError,
    RetriableError,
    SkippableError,
    StaleTicketError,
    TicketClosedError,
    WebhookError,
)
from connectors.helpdesk import Helpdesk
from connectors.records import Comment, Deletion, Group, Page, Thread, Ticket, User, WriteBack
from connectors.store.database import Store
from connectors.store.history import TABLES
from connectors.sync.engine import sync

from .fault_proxy import FaultProxy

MARKER = "Deskhand s-4711"
NOTE = "<p>Suggested <b>reply</b>: it is in Tilburg &amp; safe.</p>"
QUESTION, ANSWER, SECRET_NOTE = "Where is my parcel 4711?", "It is in Tilburg.", "Driver J. left it behind the shed"
STATUSES = {"new", "open", "pending", "hold", "solved", "closed", "deleted"}


class Desk:
    """A helpdesk as the contract needs it: what customers, agents and the network do to it.

    Subclass it for a vendor. Methods that raise NotImplementedError here have to be written; what the vendor cannot do
    at all goes into `cannot` with the reason, and the tests that need it are skipped with that reason.

    Attributes:
        cannot: What this vendor, or this way to run it, cannot do: {name of a method or of a feature below: reason}.
            Features that are not methods: `signed_body` (the webhook's body is signed, so tampering shows),
            `webhook_time` (a webhook says when it was sent, so a replay shows), `delivery_id` (a retry carries the same
            id as the first try, and another event another one), `stale` (a ticket says when it changed), `closed`
            (closed tickets take no update), `tags`, `priority`, `since`, `changes` (the helpdesk can list what changed;
            where it cannot, a second sync reads everything again), `deletions` (deleted tickets can be told),
            `stream_forbidden` (streams have addresses of their own), `install_webhook` (by its API).
        overlap_s: Tickets that did not change may come again at a cursor where they changed within so many seconds
            before it; 0 where the helpdesk's cursors are exact.
        priority: A priority to set, in the vendor's word, other than a new ticket's.
        addresses: For each stream an expression that its requests match and no other stream's do.
        token: What `connect` is to authenticate with.
        webhook_secret: What the vendor's webhooks are verified with.
        naps: Seconds that connectors slept: hand `sleep=self.naps.append` to them.
        proxy: Between the connectors and the vendor's server; `connect` has to use `self.proxy.url`.
    """

    cannot: ClassVar[Mapping[str, str]] = {}
    overlap_s: ClassVar[float] = 0.0
    priority: ClassVar[str] = "high"
    addresses: ClassVar[Mapping[str, str]] = {}
    token: str = "sekrit-token-0123456789"
    webhook_secret: str = "sekrit-hook-0123456789"

    def __init__(self, url: str) -> None:
        self.naps: list[float] = []
        self.proxy = FaultProxy(url)
        self._opened: list[Helpdesk] = []

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        for helpdesk in self._opened:
            helpdesk.close()
        self.proxy.close()

    # The connector

    def connect(self, *, token: str, webhook_secret: str) -> Helpdesk:
        """Opens a connector on `self.proxy.url`, with `sleep=self.naps.append`."""
        raise NotImplementedError

    def helpdesk(self) -> Helpdesk:
        """A fresh connector; closed when the desk is."""
        return self._keep(self.connect(token=self.token, webhook_secret=self.webhook_secret))

    def bad_credential(self) -> Helpdesk:
        """A connector whose token nobody knows."""
        return self._keep(self.connect(token="wrong-0123456789", webhook_secret=self.webhook_secret))

    def without_webhook_secret(self) -> Helpdesk:
        """A connector that was given no secret."""
        return self._keep(self.connect(token=self.token, webhook_secret=""))

    def _keep(self, helpdesk: Helpdesk) -> Helpdesk:
        self._opened.append(helpdesk)
        return helpdesk

    def page_size(self, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Has tickets, and comments where they are paged, come `size` a page from now on.

        Usually a `monkeypatch.setattr` of the connector's module; where that is not enough, a limit of the server.
        """
        raise NotImplementedError

    # Customers and agents

    def customer_writes(self, text: str, ticket_id: str | None = None, *, subject: str = "A question") -> str:
        """A customer opens a ticket, or writes again on one; returns the ticket's id."""
        raise NotImplementedError

    @property
    def customer_address(self) -> str:
        """The e-mail address of the customer who writes, for the tests that look for it in logs."""
        raise NotImplementedError

    def agent_replies(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        """Somebody of the team answers, or leaves an internal note; not as the account that Deskhand writes as."""
        raise NotImplementedError

    def solve(self, ticket_id: str) -> None:
        """The team marks the ticket as solved."""
        raise NotImplementedError

    def close_ticket(self, ticket_id: str) -> None:
        """The ticket is closed for good."""
        raise NotImplementedError

    def delete(self, ticket_id: str) -> None:
        """The ticket is deleted."""
        raise NotImplementedError

    def change_group(self, ticket_id: str, group_id: str) -> None:
        """Somebody of the team moves the ticket to another group."""
        raise NotImplementedError

    @property
    def groups(self) -> tuple[str, str]:
        """Ids of two groups."""
        raise NotImplementedError

    def set_field(self, ticket_id: str, value: object) -> str:
        """Puts any JSON value into a custom field of the ticket; returns the field's id as it is in `Ticket.fields`."""
        raise NotImplementedError

    def odd_notes(self, ticket_id: str) -> Sequence[str]:
        """Puts on the ticket whatever else the vendor has that no customer sees (a forwarded mail, a log of a call);
        returns the texts."""
        raise NotImplementedError

    def same_second(self, count: int) -> Sequence[str]:
        """Makes so many tickets whose last change was in one and the same second; returns their ids."""
        raise NotImplementedError

    def tick(self) -> None:
        """Makes sure that what changes from now on has a later second than what changed before.

        Waits for it; a fake server has its clock moved instead.
        """
        time.sleep(1.0 - time.time() % 1.0)

    # What the vendor's side holds

    def notes_of(self, ticket_id: str) -> Sequence[str]:
        """Texts or HTML of the ticket's internal notes, read on the vendor's side, not through the connector."""
        raise NotImplementedError

    def sent_to_customer(self, ticket_id: str) -> Sequence[str]:
        """All that the customer got to see or was mailed on this ticket since it was opened, oldest first."""
        raise NotImplementedError

    # Webhooks

    def webhook_for(
        self, ticket_id: str, *, secret: str | None = None, at: float | None = None, event: int = 0
    ) -> tuple[dict[str, str], bytes]:
        """Headers and body of the vendor's webhook.

        Args:
            secret: To sign or present; None takes `webhook_secret`.
            at: When it is said to have been sent, in Unix seconds; None takes now.
            event: Calls with equal numbers are tries to deliver one event, other numbers are other events.
        """
        raise NotImplementedError

    # Faults; written once for all

    def fail_next(
        self, kind: int | str, *, times: int = 1, retry_after: str = "", path: str = "", method: str = ""
    ) -> None:
        """Spoils the next answers: a status, or `reset`, `truncate` or `lose` (see `fault_proxy.Fault`)."""
        headers = {"Content-Type": "application/json"} | ({"Retry-After": retry_after} if retry_after else {})
        if isinstance(kind, int):
            body = f'{{"error": "{QUESTION} {self.customer_address}"}}'.encode()
            self.proxy.order("status", status=kind, times=times, headers=headers, path=path, method=method, body=body)
        else:
            self.proxy.order(kind, times=times, path=path, method=method)

    def need(self, *features: str) -> None:
        """Skips the test where the vendor cannot do one of these."""
        for feature in features:
            if feature in self.cannot:
                self.skip(f"{feature}: {self.cannot[feature]}")

    @staticmethod
    def skip(reason: str) -> NoReturn:
        """Ends the test as not applicable."""
        pytest.skip(reason)


def read(helpdesk: Helpdesk, stream: str, cursor: str | None = None, *, since: int = 0) -> list[Page]:
    """All pages of a stream; the last one, and no other, has to be `done`."""
    pages = list(helpdesk.pages(stream, cursor, since=since))
    assert [page.done for page in pages] == [False] * (len(pages) - 1) + [True], f"{stream}: done on the last page only"
    return pages


def tickets_of(pages: Sequence[Page]) -> list[Ticket]:
    """The tickets on these pages, in the order they came."""
    return [record for page in pages for record in page.records if isinstance(record, Ticket)]


def gone_in(pages: Sequence[Page], ticket_id: str) -> bool:
    """Whether these pages say that a ticket is gone, in either of the ways that there are."""
    records = [record for page in pages for record in page.records]
    if any(isinstance(one, Deletion) and one.ticket_id == ticket_id for one in records):
        return True
    states = [one for one in records if isinstance(one, Ticket) and one.id == ticket_id]
    return bool(states) and states[-1].deleted and not states[-1].subject and QUESTION not in str(states[-1].raw)


def outcome(pages: Sequence[Page]) -> dict[str, Ticket]:
    """The last state of each ticket on these pages."""
    return {ticket.id: ticket for ticket in tickets_of(pages)}


class HelpdeskContract:
    """Subclass it as `Test<Vendor>` with a fixture `desk` that gives the vendor's `Desk`."""

    # Reading: pages and cursors

    def test_every_stream_ends(self, desk: Desk) -> None:
        """Every stream can be read to its end; an unknown one is refused."""
        desk.customer_writes(QUESTION)
        helpdesk = desk.helpdesk()
        for stream in helpdesk.streams:
            assert read(helpdesk, stream), stream
        assert "comments" not in helpdesk.streams
        with pytest.raises(FatalError) as caught:
            list(helpdesk.pages("chats", None))
        assert caught.value.hint

    def test_every_ticket_once(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every ticket comes, and comes once, over many pages."""
        desk.need("page_size")
        mine = [desk.customer_writes(f"{QUESTION} {number}") for number in range(7)]
        desk.page_size(2, monkeypatch)
        pages = read(desk.helpdesk(), "tickets")
        assert len(pages) >= 4, "there is a border between pages to get wrong"
        ids = [ticket.id for ticket in tickets_of(pages)]
        assert set(mine) <= set(ids), "none is missing"
        assert len(ids) == len(set(ids)), "none comes twice"

    def test_resume_from_any_page(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """From any page's cursor on, the rest comes with nothing lost."""
        desk.need("page_size")
        for number in range(5):
            desk.customer_writes(f"{QUESTION} {number}")
            desk.tick()
        desk.page_size(2, monkeypatch)
        pages = read(desk.helpdesk(), "tickets")
        assert all(page.cursor for page in pages)
        for number in range(max(0, len(pages) - 5), len(pages) - 1):
            rest = outcome(read(desk.helpdesk(), "tickets", pages[number].cursor))
            wanted = outcome(pages[number + 1 :])
            assert wanted.items() <= rest.items(), f"behind page {number}"
            self._only_overlap(desk, rest, wanted, tickets_of(pages[: number + 1]))

    def test_only_changes_come_again(self, desk: Desk) -> None:
        """The last cursor brings what changed since, and nothing else."""
        one, two, three = (desk.customer_writes(f"{QUESTION} {number}") for number in range(3))
        desk.tick()
        before = read(desk.helpdesk(), "tickets")
        desk.tick()
        desk.customer_writes("And now?", one)
        new = desk.customer_writes(QUESTION)
        after = outcome(read(desk.helpdesk(), "tickets", before[-1].cursor))
        assert {one, new} <= set(after)
        if "changes" not in desk.cannot:
            wanted = {key: value for key, value in after.items() if key in (one, new)}
            self._only_overlap(desk, after, wanted, tickets_of(before))
            assert not {two, three} & set(after) or desk.overlap_s

    def test_nothing_new_is_nothing(self, desk: Desk) -> None:
        """Where nothing changed, the last cursor brings nothing and stays as it is."""
        desk.need("changes")
        desk.customer_writes(QUESTION)
        desk.tick()
        before = read(desk.helpdesk(), "tickets")
        again = read(desk.helpdesk(), "tickets", before[-1].cursor)
        self._only_overlap(desk, outcome(again), {}, tickets_of(before))
        third = read(desk.helpdesk(), "tickets", again[-1].cursor)
        assert outcome(third) == outcome(again)
        assert third[-1].cursor == again[-1].cursor

    @staticmethod
    def _only_overlap(
        desk: Desk, got: Mapping[str, Ticket], wanted: Mapping[str, Ticket], before: Sequence[Ticket]
    ) -> None:
        """What came without need changed in the last seconds before the cursor."""
        border = max((clock.to_epoch(ticket.updated_at) for ticket in before), default=0)
        for ticket in (ticket for key, ticket in got.items() if key not in wanted):
            age_s = border - clock.to_epoch(ticket.updated_at)
            assert age_s < desk.overlap_s, f"ticket {ticket.id} came again, {age_s} s before the border"

    def test_one_second(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tickets that share one second all come, and reading them ends."""
        desk.need("same_second", "page_size")
        mine = set(desk.same_second(7))
        desk.page_size(2, monkeypatch)
        pages = read(desk.helpdesk(), "tickets")
        ids = [ticket.id for ticket in tickets_of(pages)]
        assert mine <= set(ids)
        assert len(ids) == len(set(ids))
        halfway = next(number for number, page in enumerate(pages) if mine & outcome([page]).keys())
        rest = outcome(read(desk.helpdesk(), "tickets", pages[halfway].cursor))
        assert mine <= outcome(pages[: halfway + 1]).keys() | rest.keys(), "nor are any lost by going on in between"

    def test_change_while_reading(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """A ticket that changes while pages are read pushes no other one out."""
        desk.need("page_size")
        mine = []
        for number in range(6):
            mine.append(desk.customer_writes(f"{QUESTION} {number}"))
            desk.tick()
        desk.page_size(2, monkeypatch)
        seen: list[Ticket] = []
        written = False
        for page in desk.helpdesk().pages("tickets", None):
            seen += tickets_of([page])
            if not written and mine[1] in outcome([page]):
                desk.customer_writes("And now?", mine[1])
                written = True
        assert written
        assert set(mine) <= {ticket.id for ticket in seen}

    def test_since(self, desk: Desk) -> None:
        """A start in time leaves out what did not change after it, and keeps the rest."""
        desk.need("since")
        old = desk.customer_writes(QUESTION)
        desk.tick()
        desk.tick()
        new = desk.customer_writes(QUESTION)
        since = clock.to_epoch(desk.helpdesk().ticket(new).updated_at)
        found = outcome(read(desk.helpdesk(), "tickets", since=since))
        assert new in found
        assert old not in found

    def test_deleted(self, desk: Desk) -> None:
        """A deleted ticket is told as deleted, without its text."""
        desk.need("delete", "deletions")
        kept, deleted = desk.customer_writes(QUESTION), desk.customer_writes(QUESTION)
        before = read(desk.helpdesk(), "tickets")
        assert deleted in outcome(before)
        desk.tick()
        desk.delete(deleted)
        for pages in (read(desk.helpdesk(), "tickets", before[-1].cursor), read(desk.helpdesk(), "tickets")):
            assert gone_in(pages, deleted)
        assert not outcome(pages)[kept].deleted

    def test_statuses(self, desk: Desk) -> None:
        """States come in our words; a solved ticket is `solved` or `closed`."""
        mine, solved = desk.customer_writes(QUESTION), desk.customer_writes(QUESTION)
        desk.agent_replies(solved, ANSWER)
        desk.solve(solved)
        found = outcome(read(desk.helpdesk(), "tickets"))
        assert {ticket.status for ticket in found.values()} <= STATUSES
        assert found[solved].status in ("solved", "closed")
        assert found[mine].status in ("new", "open")
        assert desk.helpdesk().ticket(solved).status == found[solved].status

    def test_shapes(self, desk: Desk) -> None:
        """Ids are texts, times are UTC with a Z, groups are known ones."""
        one = desk.customer_writes(QUESTION, subject="Parcel")
        desk.change_group(one, desk.groups[1])
        helpdesk = desk.helpdesk()
        groups = {
            record.id for page in read(helpdesk, "groups") for record in page.records if isinstance(record, Group)
        }
        assert set(desk.groups) <= groups
        ticket = outcome(read(helpdesk, "tickets"))[one]
        assert ticket.group_id == desk.groups[1]
        assert "Parcel" in ticket.subject
        for moment in (ticket.created_at, ticket.updated_at):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)
        assert isinstance(ticket.requester_id, str)
        assert ticket.requester_id
        assert ticket.generated_at >= clock.to_epoch(ticket.created_at)
        assert helpdesk.ticket(one).id == one

    def test_custom_fields(self, desk: Desk) -> None:
        """Custom fields may change their type from ticket to ticket."""
        desk.need("set_field")
        values = ["late", 3, 2.5, True, ["a", "b"], None]
        mine = {desk.customer_writes(QUESTION): value for value in values}
        names = {ticket_id: desk.set_field(ticket_id, value) for ticket_id, value in mine.items()}
        found = outcome(read(desk.helpdesk(), "tickets"))
        for ticket_id, value in mine.items():
            fields = dict(found[ticket_id].fields)
            if value is None:
                assert names[ticket_id] not in fields
            else:
                assert fields[names[ticket_id]] in (value, str(value))

    # Reading: comments

    def test_comments(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """All comments of a ticket come, in order, with their authors."""
        one = desk.customer_writes("turn 0")
        for number in range(1, 8):
            if number % 2:
                desk.agent_replies(one, f"turn {number}")
            else:
                desk.customer_writes(f"turn {number}", one)
        if "page_size" not in desk.cannot:
            desk.page_size(2, monkeypatch)
        comments, users = desk.helpdesk().comments(one)
        assert [comment.text.strip() for comment in comments] == [f"turn {number}" for number in range(8)]
        assert len({comment.id for comment in comments}) == 8
        assert {comment.ticket_id for comment in comments} == {one}
        assert [comment.created_at for comment in comments] == sorted(comment.created_at for comment in comments)
        assert [self._role(users, comment) for comment in comments] == ["requester", "agent"] * 4
        assert all(comment.public for comment in comments)

    @staticmethod
    def _role(users: Sequence[User], comment: Comment) -> str:
        return next(user.role for user in users if user.id == comment.author_id)

    def test_private_stays_private(self, desk: Desk) -> None:
        """Internal notes are private, the vendor's odd kinds of them too."""
        one = desk.customer_writes(QUESTION)
        desk.agent_replies(one, SECRET_NOTE, public=False)
        hidden = {SECRET_NOTE, *(() if "odd_notes" in desk.cannot else desk.odd_notes(one))}
        desk.agent_replies(one, ANSWER)
        comments, _ = desk.helpdesk().comments(one)
        for text in hidden:
            assert [comment.public for comment in comments if text in comment.text] in ([False], []), text
        assert [comment.public for comment in comments if SECRET_NOTE in comment.text] == [False], "and it is there"
        public = [comment.text.strip() for comment in comments if comment.public]
        assert public == [QUESTION, ANSWER]

    def test_other_ways_to_comments(self, desk: Desk) -> None:
        """Comments that come with tickets or in bulk are those of the ticket itself."""
        one = desk.customer_writes(QUESTION)
        desk.agent_replies(one, SECRET_NOTE, public=False)
        desk.agent_replies(one, ANSWER)
        desk.tick()
        helpdesk = desk.helpdesk()
        comments, _ = helpdesk.comments(one)
        wanted = [(comment.id, comment.public, comment.author_id) for comment in comments]
        threads = [
            record for page in read(helpdesk, "tickets") for record in page.records if isinstance(record, Thread)
        ]
        mine = [thread for thread in threads if thread.ticket_id == one]
        if not threads and not helpdesk.bulk_comments:
            desk.skip("comments are read a ticket at a time")
        if mine:
            assert [(each.id, each.public, each.author_id) for each in mine[-1].comments] == wanted
        if helpdesk.bulk_comments:
            records = [record for page in read(helpdesk, "comments") for record in page.records]
            bulk = [each for each in records if isinstance(each, Comment) and each.ticket_id == one]
            assert sorted((each.id, each.public, each.author_id) for each in bulk) == sorted(wanted)

    def test_gone_ticket(self, desk: Desk) -> None:
        """Reading a ticket that is not there is NotFoundError."""
        desk.customer_writes(QUESTION)
        for ask in (desk.helpdesk().ticket, desk.helpdesk().comments):
            with pytest.raises(NotFoundError):
                ask("987654321")

    # Writing back

    def test_write_back(self, desk: Desk) -> None:
        """A note, a group, a priority and tags are put on the ticket; the note is private."""
        one = desk.customer_writes(QUESTION)
        update = self._update(desk)
        assert desk.helpdesk().write_back(desk.helpdesk().ticket(one), update) is True
        (note,) = [text for text in desk.notes_of(one) if MARKER in text]
        assert "Suggested" in note
        assert "Tilburg" in note
        after = desk.helpdesk().ticket(one)
        assert after.group_id == desk.groups[1]
        assert "priority" in desk.cannot or after.priority == desk.priority
        assert "tags" in desk.cannot or "deskhand" in after.tags
        comments, _ = desk.helpdesk().comments(one)
        assert [comment.public for comment in comments if MARKER in comment.text] == [False]
        assert QUESTION in comments[0].text, "the customer's words stay"

    @staticmethod
    def _update(desk: Desk, note: str = NOTE) -> WriteBack:
        tags = () if "tags" in desk.cannot else ("deskhand",)
        priority = None if "priority" in desk.cannot else desk.priority
        return WriteBack(note, MARKER, group_id=desk.groups[1], priority=priority, tags=tags)

    def test_tags_are_added(self, desk: Desk) -> None:
        """Tags are added to those that are there."""
        desk.need("tags")
        one = desk.customer_writes(QUESTION)
        for number, tag in enumerate(("delay", "deskhand")):
            desk.helpdesk().write_back(desk.helpdesk().ticket(one), WriteBack("", f"m{number}", tags=(tag,)))
        assert set(desk.helpdesk().ticket(one).tags) >= {"delay", "deskhand"}

    def test_marker(self, desk: Desk) -> None:
        """A note with the same marker is posted once; one with another marker is posted."""
        one = desk.customer_writes(QUESTION)
        assert desk.helpdesk().write_back(desk.helpdesk().ticket(one), self._update(desk)) is True
        assert desk.helpdesk().write_back(desk.helpdesk().ticket(one), self._update(desk)) is False
        assert desk.helpdesk().write_back(desk.helpdesk().ticket(one), WriteBack("<p>other</p>", MARKER)) is False
        assert len([note for note in desk.notes_of(one) if MARKER in note]) == 1
        assert desk.helpdesk().write_back(desk.helpdesk().ticket(one), WriteBack("<p>next</p>", "Deskhand s-4712"))

    def test_marker_in_customers_words(self, desk: Desk) -> None:
        """A customer who quotes the marker does not stop the note."""
        one = desk.customer_writes(f"What is {MARKER}?")
        desk.customer_writes(f"I mean {MARKER}.", one)
        assert desk.helpdesk().write_back(desk.helpdesk().ticket(one), self._update(desk)) is True
        assert [note for note in desk.notes_of(one) if MARKER in note]

    def test_lost_answer(self, desk: Desk) -> None:
        """A note that got through although its answer was lost is not posted again; the rest is made up for."""
        one = desk.customer_writes(QUESTION)
        ticket = desk.helpdesk().ticket(one)
        for _ in range(8):
            desk.fail_next("lose", method="POST")
            desk.fail_next("lose", method="PUT")
            desk.fail_next("lose", method="PATCH")
            try:
                desk.helpdesk().write_back(ticket, self._update(desk))
            except (RetriableError, StaleTicketError):
                desk.proxy.clear()
                ticket = desk.helpdesk().ticket(one)
            else:
                break
        else:
            pytest.fail("it never came through")
        desk.proxy.clear()
        desk.helpdesk().write_back(desk.helpdesk().ticket(one), self._update(desk))
        assert len([note for note in desk.notes_of(one) if MARKER in note]) == 1
        assert desk.helpdesk().ticket(one).group_id == desk.groups[1]

    def test_nothing_reaches_the_customer(self, desk: Desk) -> None:
        """Nothing that we write reaches the customer: no public comment, no mail."""
        one = desk.customer_writes(QUESTION)
        desk.agent_replies(one, ANSWER)
        before = list(desk.sent_to_customer(one))
        update = self._update(desk)
        assert desk.helpdesk().write_back(desk.helpdesk().ticket(one), update)
        draft = WriteBack("<p>With a draft</p>", "Deskhand s-4713", draft="Dear customer, it is in Tilburg.")
        assert desk.helpdesk().write_back(desk.helpdesk().ticket(one), draft)
        desk.helpdesk().write_back(
            desk.helpdesk().ticket(one), WriteBack("", "Deskhand s-4714", group_id=desk.groups[0])
        )
        assert list(desk.sent_to_customer(one)) == before
        comments, _ = desk.helpdesk().comments(one)
        assert [comment.text.strip() for comment in comments if comment.public] == [QUESTION, ANSWER]

    def test_route_alone(self, desk: Desk) -> None:
        """A route without a note leaves no comment."""
        one = desk.customer_writes(QUESTION)
        before = len(desk.helpdesk().comments(one)[0])
        for _ in range(2):
            update = WriteBack("", MARKER, group_id=desk.groups[1])
            assert desk.helpdesk().write_back(desk.helpdesk().ticket(one), update)
        assert desk.helpdesk().ticket(one).group_id == desk.groups[1]
        assert len(desk.helpdesk().comments(one)[0]) == before
        assert not desk.notes_of(one)

    def test_stale(self, desk: Desk) -> None:
        """A ticket that changed since it was read is left alone."""
        desk.need("stale")
        one = desk.customer_writes(QUESTION)
        seen = desk.helpdesk().ticket(one)
        desk.tick()
        desk.customer_writes("Forget it, it has come.", one)
        with pytest.raises(StaleTicketError):
            desk.helpdesk().write_back(seen, self._update(desk))
        assert not desk.notes_of(one)
        assert desk.helpdesk().ticket(one).group_id != desk.groups[1]
        assert desk.helpdesk().write_back(desk.helpdesk().ticket(one), self._update(desk)), "read again, decided again"

    def test_closed(self, desk: Desk) -> None:
        """A closed ticket takes no note, also where it was closed since it was read."""
        desk.need("closed", "close_ticket")
        one = desk.customer_writes(QUESTION)
        seen = desk.helpdesk().ticket(one)
        desk.agent_replies(one, ANSWER)
        desk.solve(one)
        desk.close_ticket(one)
        with pytest.raises(TicketClosedError):
            desk.helpdesk().write_back(desk.helpdesk().ticket(one), self._update(desk))
        with pytest.raises((TicketClosedError, StaleTicketError)):
            desk.helpdesk().write_back(seen, self._update(desk))
        assert not desk.notes_of(one)

    def test_gone(self, desk: Desk) -> None:
        """A ticket that was deleted since it was read takes no note."""
        desk.need("delete")
        one = desk.customer_writes(QUESTION)
        seen = desk.helpdesk().ticket(one)
        desk.delete(one)
        with pytest.raises((NotFoundError, TicketClosedError)):
            desk.helpdesk().write_back(seen, self._update(desk))

    # Webhooks

    def test_webhook(self, desk: Desk) -> None:
        """A genuine webhook is read, whatever the case of its headers' names."""
        desk.need("webhook_for")
        one = desk.customer_writes(QUESTION)
        headers, body = desk.webhook_for(one)
        for change in (str, str.lower, str.upper):
            event = desk.helpdesk().read_webhook({change(name): value for name, value in headers.items()}, body)
            assert event.ticket_id == one
            assert event.delivery_id

    def test_webhook_secret(self, desk: Desk) -> None:
        """A webhook with a wrong secret, or none, is refused; so is every one where no secret is set."""
        desk.need("webhook_for")
        one = desk.customer_writes(QUESTION)
        for secret in ("another-secret-0123456789", "", "\u00fcber-secret"):
            headers, body = desk.webhook_for(one, secret=secret)
            with pytest.raises(WebhookError):
                desk.helpdesk().read_webhook(headers, body)
            with pytest.raises(WebhookError) as caught:
                desk.without_webhook_secret().read_webhook(headers, body)
            assert caught.value.hint
        with pytest.raises(WebhookError):
            desk.helpdesk().read_webhook({}, desk.webhook_for(one)[1])

    def test_webhook_tampered(self, desk: Desk) -> None:
        """A webhook whose body was changed is refused."""
        desk.need("webhook_for", "signed_body")
        one = desk.customer_writes(QUESTION)
        headers, body = desk.webhook_for(one)
        for changed in (body + b" ", body.replace(one.encode(), b"1234567"), b""):
            with pytest.raises(WebhookError):
                desk.helpdesk().read_webhook(headers, changed)

    def test_webhook_garbage(self, desk: Desk) -> None:
        """A body in another shape is refused, whatever it is."""
        desk.need("webhook_for")
        headers, body = desk.webhook_for(desk.customer_writes(QUESTION))
        for garbage in (
            b"",
            b"[]",
            b"null",
            b"{}",
            b"\xff\xfe",
            b'{"ticket_id": null}',
            b'{"ticket_id": "../1"}',
            body[:-3],
        ):
            with pytest.raises(WebhookError):
                desk.helpdesk().read_webhook(headers, garbage)

    def test_webhook_replay(self, desk: Desk) -> None:
        """A webhook that is played again later is refused."""
        desk.need("webhook_for", "webhook_time")
        one = desk.customer_writes(QUESTION)
        for at in (time.time() - 3600, time.time() + 3600):
            headers, body = desk.webhook_for(one, at=at)
            with pytest.raises(WebhookError):
                desk.helpdesk().read_webhook(headers, body)

    def test_delivery_id(self, desk: Desk) -> None:
        """A delivery has the same id at each try, and another event another one."""
        desk.need("webhook_for", "delivery_id")
        one = desk.customer_writes(QUESTION)
        helpdesk = desk.helpdesk()
        first, retry, other = (
            helpdesk.read_webhook(*desk.webhook_for(one, at=time.time() + later, event=event)).delivery_id
            for later, event in ((0, 1), (20, 1), (0, 2))
        )
        assert first == retry
        assert first != other

    def test_install_webhook(self, desk: Desk) -> None:
        """The webhook is set up once and gives its secret."""
        desk.need("install_webhook")
        secret = desk.helpdesk().install_webhook("http://127.0.0.1:9/hook")
        assert len(secret) >= 16
        assert desk.helpdesk().install_webhook("http://127.0.0.1:9/hook") == secret

    def test_webhook_by_hand(self, desk: Desk) -> None:
        """Where the webhook cannot be set up by us, we are told how to do it by hand."""
        if "install_webhook" not in desk.cannot:
            desk.skip("the webhook is set up by us")
        with pytest.raises(SkippableError) as caught:
            desk.helpdesk().install_webhook("https://deskhand.acme.example/webhook")
        assert "https://deskhand.acme.example/webhook" in caught.value.hint

    # Credentials and rights

    def test_me(self, desk: Desk) -> None:
        """We can say whose credential it is."""
        me = desk.helpdesk().me()
        assert me.id
        assert me.role == "agent"

    def test_bad_credential(self, desk: Desk) -> None:
        """A wrong credential is CredentialError, with a hint, at whatever is asked first."""
        one = desk.customer_writes(QUESTION)
        asked: list[Callable[[Helpdesk], Any]] = [
            lambda helpdesk: helpdesk.me(),
            lambda helpdesk: list(helpdesk.pages("tickets", None)),
            lambda helpdesk: helpdesk.ticket(one),
            lambda helpdesk: helpdesk.comments(one),
            lambda helpdesk: helpdesk.outlook("tickets"),
        ]
        for ask in asked:
            with pytest.raises(CredentialError) as caught:
                ask(desk.bad_credential())
            assert not isinstance(caught.value, ForbiddenError)
            assert caught.value.hint

    @pytest.mark.parametrize("status", [403, 404])
    def test_one_stream_refused(self, status: int, desk: Desk, store: Store) -> None:
        """A stream that is refused (403) or missing (404) ends neither the others nor the sync."""
        desk.need("stream_forbidden")
        one = desk.customer_writes(QUESTION)
        stream = next(name for name in desk.helpdesk().streams if name != "tickets" and name in desk.addresses)
        desk.fail_next(status, times=-1, path=desk.addresses[stream])
        helpdesk = desk.helpdesk()
        for ask in (lambda: list(helpdesk.pages(stream, None)), lambda: helpdesk.outlook(stream)):
            with pytest.raises((ForbiddenError, SkippableError)):
                ask()
        summary = sync(helpdesk, store)
        assert stream in summary.skipped
        assert store.history.ticket(helpdesk.name, one)

    def test_outlook(self, desk: Desk) -> None:
        """Every stream says what reading it takes, by one request."""
        desk.customer_writes(QUESTION)
        helpdesk = desk.helpdesk()
        for stream in helpdesk.streams:
            before = len(desk.proxy.seen)
            try:
                outlook = helpdesk.outlook(stream)
            except SkippableError:
                continue
            assert outlook.per_page > 0
            assert outlook.records is None or outlook.records >= (stream == "tickets")
            assert len(desk.proxy.seen) - before <= 1, stream

    # Faults

    @pytest.mark.parametrize(
        ("kind", "retry_after"),
        [
            (429, "7"),
            (429, "date"),
            (500, ""),
            (502, ""),
            (503, "3"),
            (504, ""),
            ("reset", ""),
            ("truncate", ""),
        ],
    )
    def test_faults(self, kind: int | str, retry_after: str, desk: Desk) -> None:
        """Rate limits, server errors and broken connections change nothing in what is read."""
        one = desk.customer_writes(QUESTION)
        desk.agent_replies(one, ANSWER)
        desk.tick()
        whole = (read(desk.helpdesk(), "tickets"), desk.helpdesk().comments(one))
        if retry_after == "date":
            retry_after = email.utils.format_datetime(datetime.fromtimestamp(time.time() + 8, UTC), usegmt=True)
        helpdesk = desk.helpdesk()
        desk.naps.clear()
        desk.fail_next(kind, times=2, retry_after=retry_after)
        spoiled = read(helpdesk, "tickets")
        desk.fail_next(kind, retry_after=retry_after)
        comments = helpdesk.comments(one)
        assert (outcome(spoiled), comments) == (outcome(whole[0]), whole[1])
        if kind == 429:
            assert sum(desk.naps) >= 5, "as long as we were asked to"
        assert max(desk.naps, default=0) <= 60

    def test_outage(self, desk: Desk) -> None:
        """A helpdesk that stays away is RetriableError in the end, never a busy loop."""
        one = desk.customer_writes(QUESTION)
        desk.fail_next(503, times=-1)
        before = len(desk.proxy.seen)
        for ask in (lambda: list(desk.helpdesk().pages("tickets", None)), lambda: desk.helpdesk().comments(one)):
            with pytest.raises(RetriableError) as caught:
                ask()
            assert caught.value.hint
        assert len(desk.proxy.seen) - before <= 24
        assert desk.naps

    # The whole way

    def test_sync_twice(self, desk: Desk, store: Store) -> None:
        """A second sync changes nothing; a third one brings what was written since."""
        one = desk.customer_writes(QUESTION)
        desk.agent_replies(one, SECRET_NOTE, public=False)
        desk.agent_replies(one, ANSWER)
        desk.tick()
        helpdesk = desk.helpdesk()
        sync(helpdesk, store)
        first = snapshot(store)
        turns = store.history.turns(helpdesk.name, one)
        assert [turn.comment.text.strip() for turn in turns] == [QUESTION, SECRET_NOTE, ANSWER]
        assert [turn.comment.public for turn in turns] == [True, False, True]
        assert [turn.author.role for turn in turns] == ["requester", "agent", "agent"]
        summary = sync(desk.helpdesk(), store)
        assert not any(summary.changed.values())
        assert snapshot(store) == first
        desk.tick()
        desk.customer_writes("And now?", one)
        sync(desk.helpdesk(), store)
        assert store.history.turns(helpdesk.name, one)[-1].comment.text.strip() == "And now?"

    def test_sync_cut_off(self, desk: Desk, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A sync that is cut off goes on where it was and gets all."""
        mine = [desk.customer_writes(f"{QUESTION} {number}") for number in range(5)]
        desk.tick()
        if "page_size" not in desk.cannot:
            desk.page_size(2, monkeypatch)
        cut_off = 0
        for after in (2, 5, 9):
            try:
                sync(desk.helpdesk(), store, progress=_cut_off(after))
            except _CutOffError:
                cut_off += 1
        assert cut_off
        helpdesk = desk.helpdesk()
        sync(helpdesk, store)
        for ticket_id in mine:
            assert store.history.turns(helpdesk.name, ticket_id), "tickets and comments are all there"

    def test_deleted_in_store(self, desk: Desk, store: Store) -> None:
        """A deleted ticket's text leaves the store with the next sync."""
        desk.need("delete", "deletions")
        one = desk.customer_writes(QUESTION)
        desk.tick()
        helpdesk = desk.helpdesk()
        sync(helpdesk, store)
        desk.delete(one)
        sync(desk.helpdesk(), store)
        ticket = store.history.ticket(helpdesk.name, one)
        assert ticket is None or (ticket.deleted and not ticket.subject)
        assert store.history.turns(helpdesk.name, one) == []

    # Privacy

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
    def test_privacy(self, status: int, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
        """Neither token nor address nor a ticket's words get into errors or logs."""
        caplog.set_level(logging.DEBUG)
        one = desk.customer_writes(QUESTION)
        ticket = desk.helpdesk().ticket(one)
        asked: list[Callable[[Helpdesk], Any]] = [
            lambda helpdesk: list(helpdesk.pages("tickets", None)),
            lambda helpdesk: helpdesk.comments(one),
            lambda helpdesk: helpdesk.ticket(one),
            lambda helpdesk: helpdesk.write_back(ticket, self._update(desk)),
            lambda helpdesk: helpdesk.me(),
        ]
        said = ""
        for ask in asked:
            for method in ("", "POST", "PUT"):
                helpdesk = desk.helpdesk()
                desk.proxy.clear()
                desk.fail_next(status, times=-1, method=method)
                try:
                    ask(helpdesk)
                except DeskhandError as error:
                    said += f"{error!r} {error} {error.hint} {error.__cause__!r} {helpdesk!r}\n"
        desk.proxy.clear()
        assert said
        hidden = (QUESTION, "4711?", "Tilburg", desk.customer_address, desk.token, desk.webhook_secret, "Suggested")
        for text in hidden:
            assert text not in said
            assert text not in caplog.text

    def test_closing_twice(self, desk: Desk) -> None:
        """Closing is fine at any time."""
        helpdesk = desk.helpdesk()
        helpdesk.close()
        helpdesk.me()
        helpdesk.close()
        helpdesk.close()


class _CutOffError(Exception):
    """Stands for whatever ends a process."""


def _cut_off(after: int) -> Callable[[str, int, int | None], None]:
    """A progress display that ends the sync at its so-manyth call."""
    calls: Iterator[int] = iter(range(after))

    def progress(*_: object) -> None:
        if next(calls, None) is None:
            raise _CutOffError

    return progress


def snapshot(store: Store) -> dict[str, list[dict[str, Any]]]:
    """All that came from helpdesks, for comparing."""
    return {table: sorted(store.rows(f"select * from {table}"), key=str) for table in TABLES}
