from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

Get = Callable[..., Any]


def last(get: Get, number: int) -> Any:
    return get(f"/api/v2/tickets/{number}/comments", sort="-created_at")["comments"][0]


def test_sources_are_closed_and_both_sides_get_a_note(client: FlaskClient, get: Get) -> None:
    file = {"file_name": "dent.jpg", "content_type": "image/jpeg", "size": 9}
    client.post("/sandbox/tickets/5/customer_reply", json={"body": "Look", "attachments": [file]})
    answer = client.post("/api/v2/tickets/1/merge.json", json={"ids": [5, 6]})
    assert answer.status_code == 200, answer.text
    job = answer.json["job_status"]
    assert (job["status"], job["total"]) == ("completed", 2)
    for number in (5, 6):
        ticket = get(f"/api/v2/tickets/{number}")["ticket"]
        assert ticket["status"] == "closed"
        assert "closed_by_merge" in ticket["tags"]
        assert (last(get, number)["public"], last(get, number)["body"]) == (
            False,
            "Closed: this ticket goes on as #1.",
        )
    target = get("/api/v2/tickets/1")["ticket"]
    assert (target["status"], target["tags"]) == ("solved", ["delay"])
    note = last(get, 1)
    assert (note["public"], note["body"]) == (False, "Merged into this ticket: #5, #6.")
    assert [one["file_name"] for one in note["attachments"]] == ["dent.jpg"], "files are copied"


def test_comments_are_public_only_where_that_is_said(client: FlaskClient, get: Get) -> None:
    words = {"source_comment": "See #1", "target_comment": "From #5", "target_comment_is_public": True}
    assert client.post("/api/v2/tickets/1/merge", json={"ids": [5], **words}).status_code == 200
    assert (last(get, 1)["body"], last(get, 1)["public"]) == ("From #5", True)
    assert (last(get, 5)["body"], last(get, 5)["public"]) == ("See #1", False)


@pytest.mark.parametrize(
    ("target", "ids", "status"),
    [(1, [1], 422), (1, [2], 422), (2, [1], 422), (1, [999], 404), (999, [1], 404), (1, [], 400), (1, "5", 400)],
)
def test_merges_that_are_refused_change_nothing(
    client: FlaskClient, get: Get, target: int, ids: object, status: int
) -> None:
    before = get("/api/v2/tickets/1")
    assert client.post(f"/api/v2/tickets/{target}/merge", json={"ids": ids}).status_code == status
    assert get("/api/v2/tickets/1") == before
