from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

Get = Callable[..., Any]


def test_a_live_ticket_from_opening_to_answer(client: FlaskClient, get: Get, clock: Any) -> None:
    opened = client.post("/sandbox/open_next")
    assert (opened.status_code, opened.json) == (201, {"ticket_id": 102})
    ticket = get("/api/v2/tickets/102")["ticket"]
    assert (ticket["status"], ticket["group_id"], ticket["assignee_id"]) == ("new", None, None)
    assert (ticket["created_at"], ticket["via"]["channel"]) == ("2026-06-01T12:00:00Z", "email")
    assert (ticket["tags"], ticket["priority"]) == ([], None)
    comments = get("/api/v2/tickets/102/comments", include="users")
    assert [one["body"] for one in comments["comments"]] == ["Where is parcel 102?"]
    assert comments["users"][0]["email"] == "customer102@mail.example"
    clock.advance(60)
    solved = client.post("/sandbox/tickets/102/solve_as_team")
    assert (solved.status_code, solved.json["status"]) == (201, "solved")
    ticket = get("/api/v2/tickets/102")["ticket"]
    assert (ticket["group_id"], ticket["assignee_id"], ticket["tags"]) == (2101, 5001, ["delay"])
    assert "answer <102>" in get("/api/v2/tickets/102/comments")["comments"][-1]["body"]
    reply = client.post("/sandbox/tickets/102/customer_reply", json={"body": "Thanks, but no"})
    assert (reply.status_code, reply.json["status"]) == (201, "open")
    assert get("/api/v2/incremental/tickets/cursor", start_time=0, include="metric_sets")
    state = get("/sandbox/state")
    assert state["live_pool"] == {"left": 23, "opened": [102]}
    assert state["tickets"]["open"] == 1


def test_the_pool_runs_dry(client: FlaskClient) -> None:
    numbers = [client.post("/sandbox/open_next").json["ticket_id"] for _ in range(24)]
    assert numbers == list(range(102, 126))
    assert client.post("/sandbox/open_next").status_code == 409


def test_only_opened_live_tickets_can_be_solved(client: FlaskClient) -> None:
    for number in (1, 102, 9999):
        assert client.post(f"/sandbox/tickets/{number}/solve_as_team").status_code == 404
    assert client.post("/sandbox/tickets/2/customer_reply", json={"body": "x"}).status_code == 422
    assert client.post("/sandbox/tickets/1/customer_reply", json={}).status_code == 422
    assert client.post("/sandbox/tickets/9999/customer_reply", json={"body": "x"}).status_code == 404


@pytest.mark.parametrize(("address", "status"), [("10.0.0.8", 403), ("127.0.0.5", 200), ("::1", 200), ("unix", 403)])
def test_loopback_only(client: FlaskClient, address: str, status: int) -> None:
    assert client.get("/sandbox/state", environ_overrides={"REMOTE_ADDR": address}).status_code == status


def test_other_sites_pages_are_refused(client: FlaskClient) -> None:
    assert client.post("/sandbox/open_next", headers={"Origin": "http://evil.example"}).status_code == 403
    rebound = {"Origin": "http://evil.example", "Host": "evil.example"}
    assert client.post("/sandbox/open_next", headers=rebound).status_code == 403
    assert client.post("/sandbox/open_next", headers={"Origin": "http://localhost"}).status_code == 201
