"""The connector as a whole: its streams, single tickets and their comments, who we are, what a sync would take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import (
    CredentialError,
    CursorError,
    FatalError,
    ForbiddenError,
    NotFoundError,
    SkippableError,
)
from connectors.helpdesk import Helpdesk
from connectors.http.waits import Wait
from connectors.records import (
    Article,
    Brand,
    Group,
    Macro,
    Organization,
    Outlook,
    Page,
    Satisfaction,
    Ticket,
    TicketField,
    User,
)
from connectors.settings import HelpdeskSettings
from connectors.zendesk import paging
from connectors.zendesk.client import Zendesk

Connect = Callable[..., Zendesk]
Read = Callable[..., list[Page]]


@pytest.mark.parametrize(
    ("stream", "kind", "count"),
    [
        ("groups", Group, 2),
        ("brands", Brand, 1),
        ("organizations", Organization, 0),
        ("users", User, 11),
        ("macros", Macro, 3),
        ("articles", Article, 2),
        ("tickets", Ticket, 9),
        ("satisfaction_ratings", Satisfaction, 1),
    ],
)
def test_each_stream_gives_all_its_records(
    stream: str, kind: type, count: int, zendesk: Zendesk, read: Read, of: Any
) -> None:
    records = of(read(zendesk, stream), kind)
    assert len({record.id for record in records}) == len(records) == count


def test_ticket_fields_are_a_stream_too(zendesk: Zendesk, read: Read, of: Any, desk: Any) -> None:
    there = desk.call("GET", "/api/v2/ticket_fields")["ticket_fields"]
    assert [one.id for one in of(read(zendesk, "ticket_fields"), TicketField)] == [str(one["id"]) for one in there]


def test_every_stream_that_is_named_can_be_read_and_no_other(zendesk: Zendesk, read: Read) -> None:
    helpdesk: Helpdesk = zendesk
    for stream in helpdesk.streams:
        assert read(zendesk, stream)
        assert zendesk.outlook(stream)
    for refused in (lambda: list(zendesk.pages("chats", None)), lambda: zendesk.outlook("chats")):
        with pytest.raises(FatalError, match="no stream 'chats'") as caught:
            refused()
        assert "satisfaction_ratings" in caught.value.hint


@pytest.mark.parametrize(("stream", "status"), [*((one, 404) for one in Zendesk.streams), ("tickets", 410)])
def test_a_stream_that_the_account_does_not_have_can_be_skipped(
    stream: str, status: int, zendesk: Zendesk, refuse: Any
) -> None:
    refuse((f"{stream}|search", status))
    with pytest.raises(SkippableError, match=f"{stream}: this account does not have it"):
        list(zendesk.pages(stream, None))


@pytest.mark.parametrize("stream", Zendesk.streams)
def test_a_stream_that_the_credential_may_not_read_leaves_the_others(
    stream: str, zendesk: Zendesk, refuse: Any, read: Read
) -> None:
    refuse((f"{stream}|search", 403))
    for ask in (lambda: list(zendesk.pages(stream, None)), lambda: zendesk.outlook(stream)):
        with pytest.raises(ForbiddenError, match="may not") as caught:
            ask()
        assert "admin" in caught.value.hint
    for other in zendesk.streams:
        if other != stream:
            assert read(zendesk, other)


@pytest.mark.parametrize(
    ("stream", "outlook"),
    [
        ("tickets", Outlook(9, 1000)),
        ("users", Outlook(11, 1000)),
        ("organizations", Outlook(0, 1000)),
        ("groups", Outlook(2, 100)),
        ("brands", Outlook(1, 100)),
        ("macros", Outlook(3, 100)),
        ("articles", Outlook(2, 100)),
        ("satisfaction_ratings", Outlook(1, 100)),
        ("comments", Outlook(None, 1000)),
    ],
)
def test_an_outlook_is_one_small_request(stream: str, outlook: Outlook, zendesk: Zendesk, asked: list[str]) -> None:
    assert zendesk.outlook(stream) == outlook
    (target,) = asked
    assert "count" in target or "per_page=1" in target


def test_pages_are_asked_for_one_at_a_time(zendesk: Zendesk, rows: Any, asked: list[str]) -> None:
    # However big the account is, one page of it is in memory.
    rows(1)
    for stream in ("tickets", "users", "macros", "articles", "comments"):
        asked.clear()
        pages = zendesk.pages(stream, None)
        assert asked == []
        next(pages)
        assert len(asked) == 1


def test_a_long_wait_for_a_rate_limit_can_be_watched(zendesk: Zendesk, desk: Any, naps: list[float]) -> None:
    desk.fault("incremental", 429, retry_after=90)
    waits: list[Wait] = []
    watched = Zendesk(HelpdeskSettings(url=desk.url, token=desk.token), sleep=naps.append, on_wait=waits.append)
    assert len(list(watched.pages("tickets", None))) == 1
    watched.close()
    assert (waits[0].reason, waits[0].seconds_left, waits[-1].seconds_left) == ("server asked", 90.0, 0.0)
    assert sum(naps) == pytest.approx(90.0)


def test_an_outlook_says_what_this_account_does_not_have(zendesk: Zendesk, refuse: Any) -> None:
    refuse(("help_center", 404))
    with pytest.raises(SkippableError, match="articles: this account does not have it"):
        zendesk.outlook("articles")


def test_what_a_page_in_bulk_is_worth_follows_from_the_limits(desk: Any, connect: Connect) -> None:
    desk.sandbox.app.config |= {"SANDBOX_REQUESTS_PER_MIN": 700, "SANDBOX_EXPORTS_PER_MIN": 10}
    zendesk = connect(desk.url, token=desk.token)
    assert zendesk.bulk_comments
    assert zendesk.bulk_page_price == 40.0, "until an answer has told"
    zendesk.me()
    assert zendesk.bulk_page_price == 40.0, "the account's limit alone says nothing"
    list(zendesk.pages("tickets", None))
    assert zendesk.bulk_page_price == 70.0
    desk.sandbox.app.config["SANDBOX_REQUESTS_PER_MIN"] = 9
    zendesk.outlook("articles")
    assert zendesk.bulk_page_price == 70.0, "the Help Center's limit is another one"


def test_who_we_are(zendesk: Zendesk, scripted: Any, connect: Connect) -> None:
    me = zendesk.me()
    assert (me.name, me.role, me.raw["role"]) == ("Deskhand", "agent", "admin")
    # Zendesk answers strangers too.
    scripted.says({"user": {"id": None, "name": "Anonymous user", "role": "end-user"}})
    with pytest.raises(CredentialError, match="does not know"):
        connect(scripted.url).me()


def test_all_comments_of_a_long_ticket_come_in_order_with_their_authors(zendesk: Zendesk, desk: Any) -> None:
    comments, users = zendesk.comments(str(desk.long_ticket))
    assert len(comments) == desk.long_turns + 2 > paging.LIST_ROWS
    assert [one.text for one in comments[2:]] == [f"turn {n}" for n in range(1, desk.long_turns + 1)]
    assert {user.name: user.role for user in users} == {"Customer 3": "requester", "Marit": "agent"}
    assert {one.ticket_id for one in comments} == {"3"}


def test_private_comments_stay_private(zendesk: Zendesk, desk: Any) -> None:
    comments, _ = zendesk.comments(str(desk.noted_ticket))
    assert [(one.public, one.text == desk.note) for one in comments] == [(True, False), (False, True), (True, False)]


def test_a_redacted_comment_comes_as_it_is_now(zendesk: Zendesk, desk: Any) -> None:
    (first, *_), _ = zendesk.comments("1")
    desk.call("PUT", f"/api/v2/tickets/1/comments/{first.id}/redact", {"text": "parcel"})
    comments, _ = zendesk.comments("1")
    assert "parcel" not in comments[0].text
    assert comments[0].id == first.id


def test_what_is_known_of_a_file_comes_with_its_comment(zendesk: Zendesk, desk: Any) -> None:
    files = [{"file_name": "label.png", "content_type": "image/png", "size": 4711}]
    desk.call("POST", "/sandbox/tickets/1/customer_reply", {"body": "See the label", "attachments": files})
    (file,) = zendesk.comments("1")[0][-1].attachments
    assert (file.name, file.media_type, file.size_bytes) == ("label.png", "image/png", 4711)


def test_comments_that_page_without_meta_are_read_to_the_end(scripted: Any, connect: Connect) -> None:
    comment = {"author_id": 1, "public": True, "plain_body": "x", "created_at": "2026-04-01T09:00:00Z"}
    following = f"{scripted.url}/api/v2/tickets/7/comments.json?page=2"
    scripted.says({"comments": [comment | {"id": 1}], "next_page": following})
    scripted.says({"comments": [comment | {"id": 2}], "next_page": None})
    comments, users = connect(scripted.url).comments("7")
    assert [one.id for one in comments] == ["1", "2"]
    assert users == []
    assert scripted.requests[1].target == "/api/v2/tickets/7/comments.json?page=2"


def test_comments_that_go_round_in_circles_end(scripted: Any, connect: Connect) -> None:
    for number in (1, 2, 1):
        scripted.says({"comments": [], "next_page": f"{scripted.url}/p{number}"})
    with pytest.raises(CursorError, match="ticket 7"):
        connect(scripted.url).comments("7")
    assert len(scripted.requests) == 3


def test_a_ticket_is_read_as_it_is_now(zendesk: Zendesk, desk: Any) -> None:
    assert zendesk.ticket("1").status == "solved"
    desk.reply(1, "And now?")
    assert zendesk.ticket("1").status == "open"
    for ask in (zendesk.ticket, zendesk.comments):
        with pytest.raises(NotFoundError):
            ask("404")


@pytest.mark.parametrize("broken", [{"no": 7}, {"id": None}, None, "anna@mail.example"])
def test_a_record_in_an_unknown_shape_is_named_but_not_quoted(broken: object, scripted: Any, connect: Connect) -> None:
    scripted.says({"tickets": [broken], "after_cursor": "c1", "end_of_stream": True})
    scripted.says({"ticket": broken})
    for ask in (lambda: list(connect(scripted.url).pages("tickets", None)), lambda: connect(scripted.url).ticket("7")):
        with pytest.raises(FatalError, match=r"tickets: record .* is not in the shape we know") as caught:
            ask()
        assert "anna" not in f"{caught.value!r}{caught.value.__cause__!r}"
