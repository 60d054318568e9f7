from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

Get = Callable[..., Any]
Walk = Callable[..., Iterator[Any]]


def put(client: FlaskClient, number: int, **change: Any) -> Any:
    return client.put(f"/api/v2/tickets/{number}.json", json={"ticket": change})


def test_show_and_show_many(get: Get, client: FlaskClient) -> None:
    assert get("/api/v2/tickets/1")["ticket"] == get("/api/v2/tickets/1.json")["ticket"]
    many = get("/api/v2/tickets/show_many.json", ids="5,1,999999")
    assert [one["id"] for one in many["tickets"]] == [5, 1]
    assert client.get("/api/v2/tickets/show_many?ids=" + ",".join(map(str, range(101)))).status_code == 400
    missing = client.get("/api/v2/tickets/999999.json")
    assert missing.status_code == 404
    assert missing.json == {"error": "RecordNotFound", "description": "Not found"}


def test_comments_by_cursor(walk: Walk, get: Get) -> None:
    first = "/api/v2/tickets/6/comments.json?page[size]=50&include=users"
    pages = list(walk(first, lambda p: p["links"]["next"]))
    assert [len(page["comments"]) for page in pages] == [50, 50, 6]
    assert [page["meta"]["has_more"] for page in pages] == [True, True, False]
    assert pages[-1]["meta"]["after_cursor"]
    assert "next_page" not in pages[0]
    assert {one["role"] for one in pages[0]["users"]} == {"agent", "end-user"}
    bodies = [one["body"] for page in pages for one in page["comments"]]
    assert bodies[0] == "first"
    assert bodies[-1] == "turn 105"
    assert get("/api/v2/tickets/6/comments", sort="-created_at")["comments"][0]["body"] == "turn 105"


def test_comments_by_offset_have_no_meta(walk: Walk) -> None:
    pages = list(walk("/api/v2/tickets/6/comments.json", lambda p: p["next_page"]))
    assert [len(page["comments"]) for page in pages] == [100, 6]
    assert all("meta" not in page and page["count"] == 106 for page in pages)
    assert pages[1]["previous_page"]


def test_comment_object(get: Get) -> None:
    comment = get("/api/v2/tickets/2/comments")["comments"][1]
    assert comment["plain_body"] == comment["body"] == "Hi,\n\nHere is answer <2>."
    assert comment["html_body"] == '<div class="zd-comment" dir="auto"><p>Hi,</p><p>Here is answer &lt;2&gt;.</p></div>'
    assert (comment["public"], comment["attachments"], comment["author_id"]) == (True, [], 5001)
    assert "ticket_id" not in comment


def test_bad_cursors_and_sizes_are_refused(client: FlaskClient) -> None:
    for query in ("page[size]=x", "page[size]=0", "page[size]=5&page[after]=bm9uZQ==", "page=0"):
        assert client.get(f"/api/v2/tickets/6/comments?{query}").status_code == 400, query


def test_search_export(walk: Walk, get: Get, client: FlaskClient, clock: Any) -> None:
    first = "/api/v2/search/export.json?filter[type]=ticket&page[size]=2&query=updated>=2026-04-01"
    pages = list(walk(first, lambda p: p["links"]["next"]))
    found = [one for page in pages for one in page["results"]]
    assert [one["id"] for one in found] == sorted(one["id"] for one in found)
    assert {one["result_type"] for one in found} == {"ticket"}
    assert 1 not in {one["id"] for one in found}, "last changed in March"
    path = "/api/v2/search/export"
    solved = get(path, **{"filter[type]": "ticket", "query": "status<closed created<2026-04-05T00:00:00Z"})["results"]
    assert [one["id"] for one in solved] == [1, 5, 6]
    assert [one["id"] for one in get(path, **{"filter[type]": "ticket", "query": "created:2026-04-03"})["results"]] == [
        5
    ]
    clock.advance(3700)
    assert client.get(pages[0]["links"]["next"]).status_code == 400, "a cursor is good for an hour"
    for query in (
        "query=updated>=2026-04-01",
        "filter[type]=ticket&query=smell:bad",
        "filter[type]=ticket&query=updated>=x",
    ):
        assert client.get(f"{path}?{query}").status_code == 400


def test_an_internal_note_with_route(client: FlaskClient, get: Get) -> None:
    before = get("/api/v2/tickets/1")["ticket"]
    answer = put(
        client,
        1,
        comment={"html_body": "<p>Draft for <b>Ann</b></p><script>alert(1)</script>", "public": False},
        group_id=2104,
        priority="high",
        additional_tags=["deskhand", "Two Words"],
        safe_update=True,
        updated_stamp=before["updated_at"],
    )
    assert answer.status_code == 200
    ticket, audit = answer.json["ticket"], answer.json["audit"]
    assert (ticket["group_id"], ticket["priority"], ticket["status"]) == (2104, "high", "solved")
    assert ticket["tags"] == ["delay", "deskhand", "two_words"]
    assert ticket["assignee_id"] is None, "Marit is not in the new group"
    assert ticket["updated_at"] == "2026-06-01T12:00:00Z"
    comment = audit["events"][0]
    assert (comment["type"], comment["public"], comment["author_id"]) == ("Comment", False, 5099)
    assert comment["html_body"] == '<div class="zd-comment" dir="auto"><p>Draft for <b>Ann</b></p></div>'
    assert comment["body"] == "Draft for Ann"
    changes = {one["field_name"]: (one["previous_value"], one["value"]) for one in audit["events"][1:]}
    assert changes["group_id"] == (2101, 2104)
    assert changes["tags"][1] == ticket["tags"]
    assert get("/api/v2/tickets/1/comments")["comments"][-1]["id"] == comment["id"]
    assert get("/api/v2/tickets/1/audits")["audits"][-1]["id"] == audit["id"]


def test_a_stale_stamp_is_a_conflict(client: FlaskClient, clock: Any) -> None:
    stamp = put(client, 1, priority="low").json["ticket"]["updated_at"]
    clock.advance(1)
    put(client, 1, priority="high")
    stale = put(client, 1, priority="urgent", safe_update=True, updated_stamp=stamp)
    assert stale.status_code == 409
    assert stale.json["error"] == "UpdateConflict"
    assert put(client, 1, priority="urgent", updated_stamp=stamp).status_code == 200, "only with safe_update"
    assert put(client, 1, priority="low", safe_update=True).status_code == 400
    offset = "2026-06-01T14:00:01+02:00"
    assert put(client, 1, priority="low", safe_update=True, updated_stamp=offset).status_code == 200


def test_two_changes_in_one_second_are_not_told_apart(client: FlaskClient) -> None:
    stamp = put(client, 1, priority="low").json["ticket"]["updated_at"]
    put(client, 1, priority="high")
    assert put(client, 1, priority="urgent", safe_update=True, updated_stamp=stamp).status_code == 200


def test_closed_and_missing_tickets(client: FlaskClient) -> None:
    closed = put(client, 2, priority="low")
    assert closed.status_code == 422
    assert closed.json["details"]["status"][0]["description"] == "Status: closed prevents ticket update"
    assert client.put("/api/v2/tickets/2/tags", json={"tags": ["x"]}).status_code == 422
    assert put(client, 999999, priority="low").json["error"] == "RecordNotFound"


@pytest.mark.parametrize(
    "change",
    [
        {"priority": "extreme"},
        {"status": "done"},
        {"status": "new"},
        {"group_id": 1},
        {"assignee_id": 1},
        {"comment": {"body": " "}},
        {"comment": {"html_body": "<script>x</script>"}},
        {"comment": "text"},
        {"comment": {"body": "x", "author_id": 12345}},
        {"custom_fields": [{"value": 1}]},
    ],
)
def test_invalid_values(client: FlaskClient, get: Get, change: dict[str, Any]) -> None:
    before = get("/api/v2/tickets/1")
    answer = put(client, 1, **change)
    assert answer.status_code == 422
    assert answer.json["error"] == "RecordInvalid"
    assert get("/api/v2/tickets/1") == before


def test_body_must_hold_a_ticket(client: FlaskClient) -> None:
    assert client.put("/api/v2/tickets/1", data="{", content_type="application/json").status_code == 400
    assert client.put("/api/v2/tickets/1", json={"priority": "low"}).status_code == 400


def test_tags_overwrite_or_add(client: FlaskClient) -> None:
    assert put(client, 1, tags=["only"]).json["ticket"]["tags"] == ["only"]
    assert client.put("/api/v2/tickets/1/tags.json", json={"tags": ["more"]}).json == {"tags": ["more", "only"]}
    assert put(client, 1, remove_tags=["only"]).json["ticket"]["tags"] == ["more"]
    assert client.put("/api/v2/tickets/1/tags", json={}).status_code == 400


def test_custom_fields_merge_and_unknown_ones_are_ignored(client: FlaskClient) -> None:
    fields = put(client, 1, custom_fields=[{"id": 7002, "value": "de"}, {"id": 1, "value": 2}]).json["ticket"]["fields"]
    assert fields == [{"id": 7001, "value": "FW204518337NL"}, {"id": 7002, "value": "de"}]


def test_nothing_to_change_leaves_no_audit(client: FlaskClient, get: Get) -> None:
    before = get("/api/v2/tickets/1")["ticket"]
    answer = put(client, 1, priority=before["priority"]).json
    assert answer["audit"] is None
    assert answer["ticket"]["updated_at"] == before["updated_at"]


def test_status_follows_from_who_writes(client: FlaskClient) -> None:
    body = {"requester": {"name": "Zoe", "email": "Zoe@Mail.example"}, "subject": "Hello", "comment": {"body": "Help"}}
    ticket = client.post("/api/v2/tickets", json={"ticket": body}).json["ticket"]
    number, requester = ticket["id"], ticket["requester_id"]
    assert put(client, number, group_id=2101).json["ticket"]["status"] == "new"
    assert put(client, number, assignee_id=5001).json["ticket"]["status"] == "open"
    assert put(client, number, comment={"body": "So"}, status="pending").json["ticket"]["status"] == "pending"
    reply = put(client, number, comment={"body": "Still no", "author_id": requester}).json
    assert reply["ticket"]["status"] == "open"
    assert reply["audit"]["author_id"] == requester


def test_solving_without_an_assignee_assigns(client: FlaskClient) -> None:
    body = {"requester": {"email": "x@mail.example"}, "comment": {"body": "FW111111111DE is late"}}
    created = client.post("/api/v2/tickets.json", json={"ticket": body})
    assert created.status_code == 201
    assert created.headers["Location"] == created.json["ticket"]["url"]
    ticket = created.json["ticket"]
    assert ticket["id"] == 126, "after the held-back ones"
    assert (ticket["status"], ticket["subject"], ticket["priority"]) == ("new", "FW111111111DE is late", None)
    assert ticket["custom_fields"][0]["value"] == "FW111111111DE"
    assert [one["type"] for one in created.json["audit"]["events"]][:2] == ["Comment", "Create"]
    assert put(client, ticket["id"], status="solved").json["ticket"]["assignee_id"] == 5099


def test_creating_refuses_bad_people_and_empty_text(client: FlaskClient) -> None:
    for wanted in (
        {"comment": {"body": "x"}, "requester": {"email": "nonsense"}},
        {"comment": {"body": "x"}, "requester_id": 1},
        {"comment": {"body": "x"}, "submitter_id": 1},
        {"subject": "no text"},
    ):
        assert client.post("/api/v2/tickets", json={"ticket": wanted}).status_code == 422


def test_thirty_updates_per_ticket_in_ten_minutes(client: FlaskClient, clock: Any) -> None:
    levels = ("low", "high")
    answers = [put(client, 1, priority=levels[n % 2]) for n in range(31)]
    assert [one.status_code for one in answers] == [200] * 30 + [429]
    assert int(answers[-1].headers["Retry-After"]) == 600
    assert answers[-1].headers["zendesk-ratelimit-tickets-update-per-ticket"] == "total=30; remaining=0; resets=600"
    assert put(client, 5, priority="low").status_code == 200, "another ticket has its own"
    clock.advance(601)
    assert put(client, 1, priority="urgent").status_code == 200
