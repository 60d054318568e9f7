"""What is Freshdesk's own: lists by time, the wall behind page 300, folders of articles, two writes for one note."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.errors import FatalError, ForbiddenError, TicketClosedError
from connectors.freshdesk import client, cursor
from connectors.freshdesk.client import Freshdesk
from connectors.freshdesk.cursor import Mark
from connectors.records import Article, Brand, Macro, Satisfaction, Ticket, TicketField, TicketMetrics, User, WriteBack
from connectors.settings import HelpdeskSettings

from .server import BOT, CLAIMS, CUSTOMER, FORMER, MARIT

CLM = str(CLAIMS)


def records(freshdesk: Freshdesk, stream: str, kind: type, since: str | None = None) -> list[Any]:
    return [record for page in freshdesk.pages(stream, since) for record in page.records if isinstance(record, kind)]


def ids(freshdesk: Freshdesk, since: str | None = None) -> list[str]:
    return [ticket.id for ticket in records(freshdesk, "tickets", Ticket, since)]


# Tickets by time


def test_no_page_behind_the_wall_is_asked_for(
    freshdesk: Freshdesk, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.page_size(3, monkeypatch)
    fresh.server.wall = 2
    for _ in range(20):
        fresh.customer_writes("x")
        fresh.tick()
    assert ids(freshdesk) == [str(n) for n in range(1, 21)]


def test_more_of_one_second_than_can_be_listed_is_told(
    freshdesk: Freshdesk, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.page_size(1, monkeypatch)
    monkeypatch.setattr(cursor, "MAX_PAGES", 3)
    fresh.same_second(5)
    with pytest.raises(FatalError, match="share the second"):
        ids(freshdesk)


def test_all_tickets_since_ever_are_asked_for(freshdesk: Freshdesk, fresh: Any) -> None:
    fresh.customer_writes("x")
    fresh.server.now_s += 40 * 86400
    assert ids(freshdesk) == ["1"], "without a time, Freshdesk shows the last 30 days"


def test_nobody_has_to_know_whether_a_time_includes_its_own_second(
    freshdesk: Freshdesk, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.server.includes_since = False
    fresh.page_size(2, monkeypatch)
    mine = list(fresh.same_second(3))
    fresh.tick()
    mine.append(fresh.customer_writes("x"))
    pages = list(freshdesk.pages("tickets", None))
    assert sorted(record.id for page in pages for record in page.records if isinstance(record, Ticket)) == mine
    late = fresh.customer_writes("in the second of the last one")
    assert late in ids(freshdesk, pages[-1].cursor)


def test_a_ticket_that_changes_within_a_run_of_one_second_pushes_none_out(
    freshdesk: Freshdesk, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.page_size(2, monkeypatch)
    mine = fresh.same_second(8)
    seen: list[str] = []
    for number, page in enumerate(freshdesk.pages("tickets", None)):
        seen += [record.id for record in page.records if isinstance(record, Ticket)]
        if number == 1:
            fresh.server.now_s += 10
            fresh.customer_writes("And now?", mine[0])
    assert set(mine) <= set(seen)
    assert seen.count(mine[0]) == 2, "as it was and as it is now"


def test_spam_counts_as_deleted_and_a_ticket_from_the_bin_comes_back(freshdesk: Freshdesk, fresh: Any) -> None:
    spam, binned = (fresh.customer_writes("Secret") for _ in range(2))
    fresh.server.touch(int(spam), spam=True)
    fresh.delete(binned)
    pages = list(freshdesk.pages("tickets", None))
    found = [record for page in pages for record in page.records]
    assert {(one.id, one.deleted, one.status, one.subject) for one in found} == {
        (spam, True, "deleted", ""),
        (binned, True, "deleted", ""),
    }
    assert "Secret" not in repr(found)
    assert freshdesk.ticket(spam).deleted
    assert freshdesk.ticket(binned).deleted
    fresh.tick()
    fresh.server.touch(int(binned), deleted=False)
    assert [one.deleted for one in records(freshdesk, "tickets", Ticket, pages[-1].cursor) if one.id == binned] == [
        False
    ]


def test_figures_and_the_requester_come_with_the_ticket(freshdesk: Freshdesk, fresh: Any) -> None:
    one = fresh.customer_writes("x")
    fresh.server.now_s += 600
    fresh.agent_replies(one, "y")
    fresh.server.now_s += 3000
    fresh.solve(one)
    (metrics,) = records(freshdesk, "tickets", TicketMetrics)
    assert (metrics.first_reply_minutes, metrics.resolution_minutes) == (10, 60)
    assert records(freshdesk, "tickets", User) == [User(str(CUSTOMER), "Deniz", "deniz@mail.example", "requester")]


def test_states_priorities_and_channels_are_named(freshdesk: Freshdesk, fresh: Any) -> None:
    for status in (2, 3, 4, 5, 6, 7, 11):
        fresh.server.open_ticket("x", subject="y", status=status, priority=min(status - 1, 4), source=status)
    found = records(freshdesk, "tickets", Ticket)
    assert [one.status for one in found] == ["open", "pending", "solved", "closed", "pending", "hold", "open"]
    assert [one.priority for one in found] == ["low", "medium", "high", "urgent", "urgent", "urgent", "urgent"]
    assert [one.channel for one in found[:2]] == ["portal", "phone"]


# Comments


def test_few_turns_take_one_request_and_the_authors_one_each(freshdesk: Freshdesk, fresh: Any) -> None:
    one = fresh.customer_writes("x")
    for _ in range(4):
        fresh.agent_replies(one, "y")
    freshdesk.comments(one)
    assert [seen.target.partition("?")[0] for seen in fresh.proxy.seen] == [
        "/api/v2/tickets/1",
        f"/api/v2/agents/{MARIT}",
    ]
    freshdesk.comments(one)
    assert len(fresh.proxy.seen) == 3, "who Marit is, is known by now"


def test_ten_turns_and_more_are_listed(freshdesk: Freshdesk, fresh: Any) -> None:
    one = fresh.customer_writes("turn 0")
    for number in range(1, 131):
        fresh.agent_replies(one, f"turn {number}")
    comments, _ = freshdesk.comments(one)
    assert [comment.text for comment in comments] == [f"turn {number}" for number in range(131)]


def test_what_somebody_wrote_who_left_the_team_is_the_teams(freshdesk: Freshdesk, fresh: Any) -> None:
    one = fresh.customer_writes("x")
    fresh.server.converse(int(one), "y", user_id=FORMER)
    fresh.server.converse(int(one), "z", user_id=4711, incoming=True)
    fresh.server.converse(int(one), "very good", user_id=4712, source=6)
    _, users = freshdesk.comments(one)
    assert {(user.id, user.name, user.role) for user in users} == {
        (str(CUSTOMER), "Deniz", "requester"), (str(FORMER), "Jo", "agent"), ("4711", "", "requester"),
        ("4712", "", "requester"),
    }  # fmt: skip


def test_the_first_word_of_an_outbound_mail_is_the_teams(freshdesk: Freshdesk, fresh: Any) -> None:
    one = fresh.server.open_ticket("We are late", subject="x", source=10, responder_id=MARIT)
    comments, users = freshdesk.comments(str(one))
    assert comments[0].author_id == str(MARIT)
    assert users[0].role == "agent"


def test_html_becomes_text_and_files_are_known(freshdesk: Freshdesk, fresh: Any) -> None:
    file = {"id": 5, "name": "label.pdf", "content_type": "application/pdf", "size": 900}
    one = fresh.server.open_ticket("a b", subject="x", description="<p>Hi,</p><p>a&nbsp;b</p>", attachments=[file])
    (comment,), _ = freshdesk.comments(str(one))
    assert comment.text == "Hi,\n\na b"
    assert [(file.id, file.name, file.media_type, file.size_bytes) for file in comment.attachments] == [
        ("5", "label.pdf", "application/pdf", 900)
    ]


# Other lists


def test_articles_are_collected_from_all_folders(freshdesk: Freshdesk, fresh: Any) -> None:
    server = fresh.server
    server.categories = {1: [10, 11], 2: [12]}
    server.folders = {
        10: {"id": 10, "visibility": 1, "sub_folders_count": 1},
        11: {"id": 11, "visibility": 3},
        12: {"id": 12, "visibility": 1},
        13: {"id": 13, "visibility": 1, "parent_folder_id": 10, "sub_folders_count": 0},
    }
    language = [{"level": 0, "type": "category", "data": {"id": 1, "language": "nl"}}]
    for number, (folder, status) in enumerate([(10, 2), (10, 1), (11, 2), (12, 2), (13, 2)]):
        body = f"<h2>Price</h2><p>A parcel costs <b>€{number}</b></p>"
        row = {"id": 900 + number, "title": f"T{number}", "description": body, "status": status, "hierarchy": language}
        server.articles.setdefault(folder, []).append(row | {"updated_at": server.now()})
    pages = list(freshdesk.pages("articles", None))
    found = {record.id: record for page in pages for record in page.records if isinstance(record, Article)}
    assert {key: article.draft for key, article in found.items()} == {
        "900": False, "901": True, "902": True, "903": False, "904": False,
    }  # fmt: skip
    assert found["900"].text == "## Price\n\nA parcel costs **€0**"
    assert found["900"].locale == "nl"
    assert found["900"].url.endswith("/support/solutions/articles/900")
    assert {page.listed for page in pages} == {"articles"}


def test_canned_responses_come_with_their_text(freshdesk: Freshdesk, fresh: Any) -> None:
    fresh.server.canned = {
        1: [{"id": 5, "title": "Hello", "content": "Hi", "content_html": "<p>Hi</p><p>there</p>"}],
        2: [{"id": 6, "title": "Short"}],
    }
    assert [(one.id, one.text) for one in records(freshdesk, "macros", Macro)] == [
        ("5", "Hi\n\nthere"),
        ("6", "Text of 6"),
    ]


def test_fields_and_products(freshdesk: Freshdesk, fresh: Any) -> None:
    fresh.server.ticket_fields = [
        {"id": 1, "name": "cf_a", "label": "A", "type": "custom_dropdown", "choices": ["1st", "2nd"]},
        {"id": 2, "name": "cf_b", "label": "B", "type": "nested_field", "choices": [{"usa": [{"texas": []}]}]},
        {"id": 3, "name": "source", "label": "Source", "type": "default_source", "choices": {"Email": 1, "Portal": 2}},
    ]
    fresh.server.products = [{"id": 9, "name": "Fernway"}]
    found = records(freshdesk, "ticket_fields", TicketField)
    assert [(one.id, one.options) for one in found] == [
        ("cf_a", ("1st", "2nd")), ("cf_b", ("usa",)), ("source", ("Email", "Portal")),
    ]  # fmt: skip
    assert [one.name for one in records(freshdesk, "brands", Brand)] == ["Fernway"]


@pytest.mark.parametrize(
    ("rating", "score"), [(103, "good"), (101, "good"), (1, "good"), (100, ""), (2, ""), (-101, "bad"), (3, "bad")]
)
def test_ratings(rating: int, score: str, freshdesk: Freshdesk, fresh: Any) -> None:
    at = {"created_at": fresh.server.now(), "updated_at": fresh.server.now()}
    fresh.server.ratings = [{"id": 1, "ticket_id": 7, "ratings": {"default_question": rating}, "feedback": "ok", **at}]
    (found,) = records(freshdesk, "satisfaction_ratings", Satisfaction)
    assert (found.ticket_id, found.score, found.comment) == ("7", score, "ok")


def test_users_are_agents_and_contacts_and_then_only_changed_ones(
    freshdesk: Freshdesk, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.page_size(1, monkeypatch)
    fresh.server.contacts[CUSTOMER]["updated_at"] = "2026-01-01T00:00:00Z"
    pages = list(freshdesk.pages("users", None))
    found = {record.id: record.role for page in pages for record in page.records if isinstance(record, User)}
    assert found == {str(MARIT): "agent", str(BOT): "agent", str(CUSTOMER): "requester", str(FORMER): "requester"}
    fresh.server.now_s += 100
    fresh.server.contacts[FORMER] |= {"name": "Joe", "updated_at": fresh.server.now()}
    again = records(freshdesk, "users", User, pages[-1].cursor)
    assert [user.name for user in again if user.role == "requester"] == ["Joe"]
    first = next(freshdesk.pages("users", pages[-1].cursor))
    assert first.cursor == pages[-1].cursor, "as long as only agents were read, the contacts are where they were"
    half = [
        page for page in pages if json.loads(page.cursor or "{}").get("marks", {}).get("users", {}).get("page") == 2
    ]
    assert [user.id for user in records(freshdesk, "users", User, half[0].cursor) if user.role == "requester"] == [
        str(FORMER)
    ]


def test_a_stream_can_be_forbidden_by_a_small_request(freshdesk: Freshdesk, fresh: Any) -> None:
    fresh.fail_next(403, times=-1, path="/contacts")
    with pytest.raises(ForbiddenError):
        freshdesk.outlook("users")
    assert freshdesk.outlook("tickets").per_page == client.PER_PAGE
    assert "per_page=1" in fresh.proxy.seen[-1].target


# Writing back


def test_the_note_comes_last_so_that_its_marker_stands_for_all(freshdesk: Freshdesk, fresh: Any) -> None:
    one = fresh.customer_writes("x")
    freshdesk.write_back(freshdesk.ticket(one), WriteBack("<p>n</p>", "m", CLM, "high", ("deskhand",)))
    writes = [(seen.method, json.loads(seen.body)) for seen in fresh.proxy.seen if seen.method != "GET"]
    assert writes == [
        ("PUT", {"group_id": CLAIMS, "priority": 3, "tags": ["deskhand"]}),
        ("POST", {"body": "<p>n</p><p>m</p>", "private": True}),
    ]


def test_what_is_so_already_is_not_written(freshdesk: Freshdesk, fresh: Any) -> None:
    one = fresh.server.open_ticket("x", subject="y", group_id=CLAIMS, priority=3, tags=["deskhand"])
    freshdesk.write_back(freshdesk.ticket(str(one)), WriteBack("", "m", CLM, "high", ("deskhand",)))
    assert [seen.method for seen in fresh.proxy.seen] == ["GET", "GET"]


def test_a_marker_further_back_than_ten_turns_is_found(freshdesk: Freshdesk, fresh: Any) -> None:
    one = fresh.customer_writes("x")
    for number in range(12):
        fresh.customer_writes(f"turn {number}", one)
    fresh.server.converse(int(one), "", user_id=BOT, source=2, private=True, body="<p>n</p><p>Deskhand s-1</p>")
    assert freshdesk.write_back(freshdesk.ticket(one), WriteBack("<p>n</p>", "Deskhand s-1")) is False


def test_a_priority_that_freshdesk_does_not_have_is_told(freshdesk: Freshdesk, fresh: Any) -> None:
    one = fresh.customer_writes("x")
    with pytest.raises(FatalError, match="no priority 'normal'") as caught:
        freshdesk.write_back(freshdesk.ticket(one), WriteBack("<p>n</p>", "m", priority="normal"))
    assert "low, medium, high, urgent" in caught.value.hint
    assert fresh.notes_of(one) == []


def test_a_group_that_is_gone_is_not_taken_for_a_closed_ticket(freshdesk: Freshdesk, fresh: Any) -> None:
    one = fresh.customer_writes("x")
    with pytest.raises(FatalError, match="answered 400"):
        freshdesk.write_back(freshdesk.ticket(one), WriteBack("<p>n</p>", "m", group_id="99"))
    assert fresh.notes_of(one) == []


def test_a_ticket_deleted_between_reading_and_writing_is_closed(
    freshdesk: Freshdesk, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = fresh.customer_writes("x")
    seen = freshdesk.ticket(one)
    whole = freshdesk._whole

    def slow(ticket_id: str) -> Any:
        found = whole(ticket_id)
        fresh.delete(one)
        return found

    monkeypatch.setattr(freshdesk, "_whole", slow)
    with pytest.raises(TicketClosedError, match="no update any more"):
        freshdesk.write_back(seen, WriteBack("<p>n</p>", "m"))


# Answers that go wrong


@pytest.mark.parametrize("broken", [{"updated_at": "anna@mail.example"}, {"id": None, "subject": "anna@mail.example"}])
def test_a_ticket_in_an_unknown_shape_is_named_but_not_quoted(broken: object, scripted: Any, naps: list[float]) -> None:
    scripted.says([broken])
    freshdesk = _connect(scripted.url, naps)
    with pytest.raises(FatalError, match=r"tickets: record .* is not in the shape we know") as caught:
        list(freshdesk.pages("tickets", None))
    freshdesk.close()
    assert "anna" not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_the_limit_is_kept(freshdesk: Freshdesk, fresh: Any) -> None:
    fresh.customer_writes("x")
    fresh.server.limit = 1
    assert ids(freshdesk) == ["1"]
    assert sum(fresh.naps) == 34


def test_marks_go_forward_by_time_and_by_page() -> None:
    pages = {1: [{"id": 1, "at": "2026-01-01T00:00:05Z"}], 2: []}
    asked: list[Mark] = []

    def read(mark: Mark) -> tuple[list[dict[str, Any]], bool]:
        asked.append(mark)
        return pages[mark.page], mark.page == 2

    found = list(cursor.by_time(read, lambda item: item["at"], Mark("2026-01-01T00:00:04Z")))
    assert [(len(items), mark.since, mark.page, last) for items, mark, last in found] == [
        (1, "2026-01-01T00:00:04Z", 2, False),
        (0, "2026-01-01T00:00:04Z", 1, True),
    ]


def _connect(url: str, naps: list[float]) -> Freshdesk:
    return Freshdesk(HelpdeskSettings(kind="freshdesk", url=url, token="sekrit"), sleep=naps.append)
