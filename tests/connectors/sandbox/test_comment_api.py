from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from connectors.sandbox.database import open_database, scalar
from connectors.sandbox.redaction import BLOCK

Get = Callable[..., Any]
EVENTS = "/api/v2/incremental/ticket_events.json"
PHOTO = {"file_name": "dent.jpg", "content_type": "image/jpeg", "size": 90_123}
LOGO = {"file_name": "logo.png", "content_type": "image/png", "size": 812, "inline": True}


def comments(get: Get, number: int, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(f"/api/v2/tickets/{number}/comments", **query)["comments"]
    return found


def children(get: Get, kind: str) -> list[dict[str, Any]]:
    events = get(EVENTS, start_time=0, include="comment_events")["ticket_events"]
    return [child for event in events for child in event["child_events"] if child["event_type"] == kind]


def test_count(get: Get, client: FlaskClient) -> None:
    assert get("/api/v2/tickets/6/comments/count.json")["count"] == {
        "value": 106,
        "refreshed_at": "2026-06-01T12:00:00Z",
    }
    assert client.get("/api/v2/tickets/999/comments/count").status_code == 404


def test_redacting_what_is_marked_on_a_closed_ticket(get: Get, client: FlaskClient, clock: Any) -> None:
    first = comments(get, 2)[0]
    marked = first["html_body"].replace("parcel 2", "<redact>parcel 2</redact>")
    answer = client.put(f"/api/v2/comment_redactions/{first['id']}.json", json={"ticket_id": 2, "html_body": marked})
    assert answer.status_code == 200, answer.text
    assert answer.json["comment"]["plain_body"] == f"Where is {BLOCK * 6} {BLOCK}?"
    assert comments(get, 2)[0] == answer.json["comment"]
    assert get("/api/v2/tickets/2")["ticket"]["description"] == f"Where is {BLOCK * 6} {BLOCK}?"
    assert children(get, "CommentRedactionEvent") == [], "the last minute is left out"
    clock.advance(61)
    event = children(get, "CommentRedactionEvent")
    assert [one["comment_id"] for one in event] == [first["id"]]
    assert "body" not in event[0]
    assert "parcel 2?" not in str(get(EVENTS, start_time=0, include="comment_events"))
    changed = get("/api/v2/incremental/tickets/cursor", start_time=int(clock()) - 61)["tickets"]
    assert [one["id"] for one in changed] == [2], "a redaction is a change of the ticket"
    assert get("/api/v2/tickets/2/audits")["audits"][-1]["events"][0]["type"] == "CommentRedactionEvent"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"html_body": "<redact>x</redact>"}, 400),
        ({"ticket_id": 1, "html_body": "<redact>x</redact>"}, 404),
        ({"ticket_id": 2, "html_body": "<div>other words <redact>x</redact></div>"}, 422),
        ({"ticket_id": 2, "html_body": "no tag"}, 422),
        ({"ticket_id": 2}, 422),
        ({"ticket_id": 2, "external_attachment_urls": "x"}, 400),
    ],
)
def test_redactions_that_are_refused(get: Get, client: FlaskClient, body: dict[str, Any], status: int) -> None:
    before = comments(get, 2)
    answer = client.put(f"/api/v2/comment_redactions/{before[0]['id']}", json=body)
    assert answer.status_code == status
    assert comments(get, 2) == before


def test_redacting_a_text_the_older_way(get: Get, client: FlaskClient) -> None:
    answer = comments(get, 1)[1]
    path = f"/api/v2/tickets/1/comments/{answer['id']}/redact"
    assert client.put(path, json={"text": "trace"}).status_code == 200
    assert comments(get, 1)[1]["body"] == f"We opened a {BLOCK * 5}."
    assert f">We opened a {BLOCK * 5}.<" in comments(get, 1)[1]["html_body"]
    assert get("/api/v2/tickets/1")["ticket"]["description"].startswith("No scan"), "only the first comment is that"
    assert client.put(path, json={"text": "trace"}).status_code == 422
    assert client.put(path, json={}).status_code == 400
    closed = comments(get, 2)[1]["id"]
    assert client.put(f"/api/v2/tickets/2/comments/{closed}/redact", json={"text": "answer"}).status_code == 422


def test_escaped_texts_go_from_the_html_as_well(get: Get, client: FlaskClient) -> None:
    answer = comments(get, 1)[1]
    client.put("/api/v2/tickets/1", json={"ticket": {"comment": {"body": "My code: <7&8>"}}})
    answer = comments(get, 1)[-1]
    assert client.put(f"/api/v2/tickets/1/comments/{answer['id']}/redact", json={"text": "<7&8>"}).status_code == 200
    assert "7" not in comments(get, 1)[-1]["html_body"]


def test_making_a_comment_private(get: Get, client: FlaskClient, clock: Any) -> None:
    number = comments(get, 1)[1]["id"]
    answer = client.put(f"/api/v2/tickets/1/comments/{number}/make_private.json")
    assert (answer.status_code, answer.json) == (200, None)
    assert [one["public"] for one in comments(get, 1)] == [True, False]
    assert client.put(f"/api/v2/tickets/1/comments/{number}/make_private").status_code == 200, "it is already"
    clock.advance(61)
    events = children(get, "CommentPrivacyChange")
    assert [(one["comment_id"], one["public"]) for one in events] == [(number, False)]
    assert client.put(f"/api/v2/tickets/5/comments/{number}/make_private").status_code == 404
    closed = comments(get, 2)[1]["id"]
    assert client.put(f"/api/v2/tickets/2/comments/{closed}/make_private").status_code == 422


def test_attachments_are_only_described(get: Get, client: FlaskClient) -> None:
    body = {"body": "See the photo", "attachments": [PHOTO, LOGO]}
    assert client.post("/sandbox/tickets/1/customer_reply", json=body).status_code == 201
    said = comments(get, 1)[-1]
    assert [(one["file_name"], one["content_type"], one["size"], one["inline"]) for one in said["attachments"]] == [
        ("dent.jpg", "image/jpeg", 90_123, False)
    ]
    assert [one["file_name"] for one in comments(get, 1, include_inline_images="true")[-1]["attachments"]] == [
        "dent.jpg",
        "logo.png",
    ]
    assert client.get(said["attachments"][0]["content_url"]).status_code == 404
    assert client.post("/sandbox/tickets/1/customer_reply", json={"body": "x", "attachments": ["x"]}).status_code == 422


def test_over_the_api_nobody_writes_attachments(get: Get, client: FlaskClient) -> None:
    client.put("/api/v2/tickets/1", json={"ticket": {"comment": {"body": "x", "attachments": [PHOTO]}}})
    assert comments(get, 1)[-1]["attachments"] == []


def test_redacting_a_file(get: Get, client: FlaskClient, clock: Any) -> None:
    client.post("/sandbox/tickets/1/customer_reply", json={"body": "See the photo", "attachments": [PHOTO]})
    said = comments(get, 1)[-1]
    urls = [said["attachments"][0]["content_url"]]
    body = {"ticket_id": 1, "external_attachment_urls": urls}
    assert client.put(f"/api/v2/comment_redactions/{said['id']}", json=body).status_code == 200
    assert [one["file_name"] for one in comments(get, 1)[-1]["attachments"]] == ["redacted.txt"]
    clock.advance(61)
    event = children(get, "AttachmentRedactionEvent")[0]
    assert (event["attachment_id"], event["comment_id"]) == (said["attachments"][0]["id"], said["id"])


def test_a_scrubbed_ticket_keeps_no_file_names(get: Get, app: Flask, client: FlaskClient) -> None:
    client.post("/sandbox/tickets/1/customer_reply", json={"body": "See", "attachments": [PHOTO]})
    client.delete("/api/v2/tickets/1")
    client.delete("/api/v2/deleted_tickets/1")
    db = open_database(app.extensions["sandbox"].database)
    assert scalar(db, "select count(*) from comments where ticket_id = 1 and attachments is not null") == 0
    db.close()
