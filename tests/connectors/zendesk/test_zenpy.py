"""An independent witness: zenpy, a public client of Zendesk's API, reads and writes the sandbox as we do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from connectors.records import WriteBack
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.zendesk.client import Zendesk

zenpy = pytest.importorskip("zenpy", reason="zenpy is a test dependency: pip install '.[dev]'")
DESK = "zendesk"


class ToSandbox(HTTPAdapter):
    """zenpy speaks to https://SUBDOMAIN.zendesk.com; this brings it to the sandbox's socket and its links back."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = urlsplit(url)

    def send(self, request: requests.PreparedRequest, **arguments: Any) -> requests.Response:  # type: ignore[override]
        assert request.url
        asked = request.url
        request.url = urlunsplit(urlsplit(asked)._replace(scheme="http", netloc=self._url.netloc))
        response = super().send(request, **arguments)
        request.url = response.url = asked  # zenpy tells Zendesk's answers by their address
        theirs = response.content.replace(self._url.geturl().encode(), b"https://test.zendesk.com")
        response._content = theirs
        return response


@pytest.fixture
def witness(desk: Any) -> Any:
    session = requests.Session()
    session.mount("https://test.zendesk.com", ToSandbox(desk.url))
    return zenpy.Zenpy(subdomain="test", oauth_token=desk.token, session=session)


@pytest.fixture
def synced(zendesk: Zendesk, store: Store) -> Store:
    sync(zendesk, store)
    return store


def by_id(rows: Any, read: Callable[[Any], Any]) -> dict[str, Any]:
    return {str(row.id): read(row) for row in rows}


def ours(store: Store, table: str, column: str) -> dict[str, Any]:
    return {row["id"]: row[column] for row in store.rows(f"select id, {column} from {table}")}


def test_both_read_the_same_tickets_by_every_way(witness: Any, synced: Store) -> None:
    expected = ours(synced, "tickets", "subject")
    assert len(expected) == 9
    assert by_id(witness.tickets(), lambda one: one.subject) == expected
    assert by_id(witness.tickets.incremental(start_time=1), lambda one: one.subject) == expected
    cursor = witness.tickets.incremental(start_time=1, paginate_by_time=False)
    assert by_id(cursor, lambda one: one.subject) == expected
    found = witness.search_export(query="updated>=2020-01-01", type="ticket")
    assert by_id(found, lambda one: one.subject) == expected


def test_both_read_the_same_comments(witness: Any, synced: Store, desk: Any) -> None:
    for number in (desk.long_ticket, desk.noted_ticket):
        theirs = [(str(one.id), one.public, str(one.author_id)) for one in witness.tickets.comments(ticket=number)]
        turns = synced.history.turns(DESK, str(number))
        assert theirs == [(turn.comment.id, turn.comment.public, turn.author.id) for turn in turns]
    assert len(theirs) == 3
    assert [public for _, public, _ in theirs].count(False) == 1


def test_both_read_the_same_events(witness: Any, synced: Store) -> None:
    events = witness.tickets.events(start_time=1, include=["comment_events"])
    bodies = {
        str(child["id"]): child["public"]
        for event in events
        for child in event.child_events
        if child.get("event_type") == "Comment"
    }
    assert bodies == {key: bool(public) for key, public in ours(synced, "comments", "public").items()}


@pytest.mark.parametrize(
    ("stream", "table", "column", "attribute"),
    [
        ("groups", "groups", "name", "name"),
        ("users", "users", "email", "email"),
        ("macros", "macros", "title", "title"),
        ("brands", "brands", "name", "name"),
        ("satisfaction_ratings", "satisfaction_ratings", "score", "score"),
    ],
)
def test_both_read_the_same_of_everything_else(
    witness: Any, synced: Store, stream: str, table: str, column: str, attribute: str
) -> None:
    theirs = by_id(getattr(witness, stream)(), lambda one: getattr(one, attribute))
    expected = ours(synced, table, column)
    assert theirs.keys() == expected.keys()
    assert len(theirs) >= 1
    assert theirs == expected


def test_what_zenpy_writes_we_read(witness: Any, zendesk: Zendesk, store: Store, desk: Any) -> None:
    from zenpy.lib.api_objects import Comment, Ticket, User

    audit = witness.tickets.create(
        Ticket(
            subject="Hello", comment=Comment(body="Where is it?"), requester=User(name="Ay", email="ay@mail.example")
        )
    )
    ticket = witness.tickets(id=audit.ticket.id)
    ticket.comment = Comment(body="Checking with the depot", public=False)
    ticket.tags = [*ticket.tags, "from_zenpy"]
    witness.tickets.update(ticket)
    sync(zendesk, store)
    turns = store.history.turns(DESK, str(ticket.id))
    assert [(turn.comment.text, turn.comment.public) for turn in turns] == [
        ("Where is it?", True),
        ("Checking with the depot", False),
    ]
    stored = store.history.ticket(DESK, str(ticket.id))
    assert stored is not None
    assert "from_zenpy" in stored.tags


def test_what_we_write_zenpy_reads(witness: Any, zendesk: Zendesk, desk: Any) -> None:
    number = desk.open_ticket("Where is my parcel?")
    before = zendesk.ticket(number)
    update = WriteBack("<p>Hi</p>", "deskhand:s-1", group_id="2104", priority="high", tags=("ai_draft",))
    assert zendesk.write_back(before, update)
    ticket = witness.tickets(id=int(number))
    assert (ticket.group_id, ticket.priority, "ai_draft" in ticket.tags) == (2104, "high", True)
    *_, last = witness.tickets.comments(ticket=int(number))
    assert (last.public, "deskhand:s-1" in last.body) == (False, True)
