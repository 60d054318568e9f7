from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from connectors.sandbox.server import create_app

Get = Callable[..., Any]
Walk = Callable[..., Iterator[Any]]


def numbers(walk: Walk, first: str, key: str, name: str = "id") -> list[Any]:
    return [one[name] for page in walk(first, lambda p: p["links"]["next"]) for one in page[key]]


@pytest.mark.parametrize(
    ("path", "key", "count"),
    [
        ("groups", "groups", 2),
        ("brands", "brands", 1),
        ("ticket_fields", "ticket_fields", 2),
        ("macros", "macros", 1),
        ("users", "users", 12),
        ("tickets", "tickets", 9),
        ("satisfaction_ratings", "satisfaction_ratings", 2),
        ("help_center/articles", "articles", 2),
        ("help_center/sections", "sections", 1),
    ],
)
def test_every_listing_pages_by_cursor_and_by_offset(get: Get, walk: Walk, path: str, key: str, count: int) -> None:
    ids = numbers(walk, f"/api/v2/{path}.json?page[size]=1", key)
    whole = get(f"/api/v2/{path}.json")
    assert ids == [one["id"] for one in whole[key]]
    assert len(set(ids)) == len(ids) == count == whole["count"]
    assert "meta" not in whole
    end = get(f"/api/v2/{path}", **{"page[size]": 100})
    assert end["meta"]["has_more"] is False
    assert end["meta"]["after_cursor"]
    beyond = get(f"/api/v2/{path}", **{"page[size]": 100, "page[after]": end["meta"]["after_cursor"]})
    assert (beyond[key], beyond["meta"]["has_more"]) == ([], False)


def test_a_cursor_of_another_listing_is_refused(get: Get, client: FlaskClient) -> None:
    one = get("/api/v2/tickets", **{"page[size]": 1})["meta"]["after_cursor"]
    assert client.get("/api/v2/groups", query_string={"page[after]": one}).status_code == 400
    for cursor in ("WyJhIl0=", "eyJhIjogMX0=", "/w==", "MQ=="):  # ["a"], {"a": 1}, no UTF-8, 1
        assert client.get("/api/v2/groups", query_string={"page[after]": cursor}).status_code == 400, cursor


def test_rows_that_go_between_two_pages_skip_nothing(get: Get, client: FlaskClient) -> None:
    first = get("/api/v2/tickets", **{"page[size]": 3})
    assert [one["id"] for one in first["tickets"]] == [1, 2, 3]
    client.delete("/api/v2/tickets/3")
    client.delete("/api/v2/tickets/1")
    after = first["meta"]["after_cursor"]
    rest = get("/api/v2/tickets", **{"page[size]": 3, "page[after]": after})
    assert [one["id"] for one in rest["tickets"]] == [4, 5, 6]


def test_tickets_with_sideloads(get: Get) -> None:
    page = get("/api/v2/tickets", include="users,comment_count,metric_sets", per_page=2)
    assert [one["comment_count"] for one in page["tickets"]] == [2, 2]
    assert [one["ticket_id"] for one in page["metric_sets"]] == [1, 2]
    assert page["users"]
    one = get("/api/v2/tickets/6", include="comment_count")["ticket"]
    assert one["comment_count"] == 106
    many = get("/api/v2/tickets/show_many", ids="6,5", include="comment_count")
    assert [one["comment_count"] for one in many["tickets"]] == [106, 5]


def test_ticket_metrics_newest_ticket_first(walk: Walk, get: Get) -> None:
    first = "/api/v2/ticket_metrics.json?page[size]=2"
    tickets = numbers(walk, first, "ticket_metrics", "ticket_id")
    assert tickets == [101, 100, 7, 6, 5, 4, 3, 2, 1]
    assert get("/api/v2/ticket_metrics")["ticket_metrics"][-1]["replies"] == 1


@pytest.mark.parametrize(
    ("name", "value"), [("tickets", 9), ("users", 12), ("organizations", 0), ("groups", 2), ("macros", 1)]
)
def test_counts(get: Get, client: FlaskClient, name: str, value: int) -> None:
    assert get(f"/api/v2/{name}/count.json") == {"count": {"value": value, "refreshed_at": "2026-06-01T12:00:00Z"}}
    if name == "tickets":
        client.delete("/api/v2/tickets/1")
        assert get("/api/v2/tickets/count")["count"]["value"] == value - 1


def test_deleted_tickets_oldest_first_until_they_are_gone_for_good(
    walk: Walk, get: Get, client: FlaskClient, clock: Any
) -> None:
    for number in (5, 1, 3):
        client.delete(f"/api/v2/tickets/{number}")
        clock.advance(60)
    path = "/api/v2/deleted_tickets.json"
    assert numbers(walk, f"{path}?page[size]=1", "deleted_tickets") == [1, 3, 5]
    assert numbers(walk, f"{path}?page[size]=1&sort_by=deleted_at", "deleted_tickets") == [5, 1, 3]
    assert numbers(walk, f"{path}?page[size]=1&sort_by=id&sort_order=desc", "deleted_tickets") == [5, 3, 1]
    assert numbers(walk, f"{path}?page[size]=1&sort_by=subject", "deleted_tickets") == [1, 3, 5]
    client.delete("/api/v2/deleted_tickets/3")
    assert [one["id"] for one in get(path)["deleted_tickets"]] == [1, 5]


def test_a_file_of_an_older_version_gets_what_is_new(database: Path, clock: Any) -> None:
    with sqlite3.connect(database) as old:
        old.execute("drop table organizations")
        old.execute("alter table users drop column organization_id")
        old.execute("alter table comments drop column attachments")
        old.execute("drop index idx_comments_audit_id")
        for column in ("organization_id", "scrubbed"):
            old.execute(f"alter table tickets drop column {column}")
    old.close()
    for _ in range(2):
        app = create_app(database, SANDBOX_CLOCK=clock)
        head = {"Authorization": f"Bearer {app.extensions['sandbox'].token}"}
        client = app.test_client()
        assert client.get("/api/v2/organizations", headers=head).json["organizations"] == []
        assert client.get("/api/v2/tickets/1", headers=head).json["ticket"]["organization_id"] is None
        assert client.get("/api/v2/tickets/1/comments", headers=head).json["comments"][0]["attachments"] == []
    client.delete("/api/v2/tickets/1", headers=head)
    assert [one["id"] for one in client.get("/api/v2/deleted_tickets", headers=head).json["deleted_tickets"]] == [1]
    wanted = {"comment": {"body": "Hello"}, "requester": {"email": "new@mail.example"}}
    assert client.post("/api/v2/tickets", json={"ticket": wanted}, headers=head).status_code == 201
