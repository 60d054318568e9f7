from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask.testing import FlaskClient

Get = Callable[..., Any]
Walk = Callable[..., Iterator[Any]]


def test_lists_page_in_both_ways(get: Get, walk: Walk) -> None:
    assert [one["name"] for one in get("/api/v2/groups.json")["groups"]] == ["TRK1", "FIN"]
    pages = list(walk("/api/v2/groups?page[size]=1", lambda p: p["links"]["next"]))
    assert [one["name"] for page in pages for one in page["groups"]] == ["TRK1", "FIN"]
    assert get("/api/v2/groups/2104")["group"]["description"] == "Money"


def test_macros_carry_the_reply_as_an_action(get: Get) -> None:
    macro = get("/api/v2/macros")["macros"][0]
    assert macro["actions"] == [
        {"field": "comment_value", "value": "Hi {{ticket.requester.first_name}}"},
        {"field": "group_id", "value": "2101"},
    ]


def test_brands_and_ticket_fields(get: Get) -> None:
    assert get("/api/v2/brands.json")["brands"][0]["subdomain"] == "test"
    fields = get("/api/v2/ticket_fields.json")["ticket_fields"]
    assert [one["value"] for one in fields[1]["custom_field_options"]] == ["nl", "de"]
    assert "custom_field_options" not in fields[0]


def test_ratings_are_newest_first_within_bounds(get: Get, client: FlaskClient) -> None:
    ratings = get("/api/v2/satisfaction_ratings.json")["satisfaction_ratings"]
    assert [(one["ticket_id"], one["score"], one["comment"]) for one in ratings] == [
        (2, "bad", "too late"),
        (1, "good", "quick"),
    ]
    assert get("/api/v2/satisfaction_ratings", start_time=1775001600)["satisfaction_ratings"] == ratings[:1]
    assert get("/api/v2/satisfaction_ratings", end_time=1775001600, score="good")["count"] == 1
    assert client.get("/api/v2/satisfaction_ratings?start_time=x").status_code == 400


def test_users(get: Get, client: FlaskClient) -> None:
    assert get("/api/v2/users/me.json")["user"]["email"] == "deskhand@t.example"
    assert get("/api/v2/users/5001.json")["user"]["role"] == "admin"
    assert [one["id"] for one in get("/api/v2/users/show_many", ids="5009,5001")["users"]] == [5009, 5001]
    assert [one["id"] for one in get("/api/v2/users", role="agent")["users"]] == [5009]
    assert client.get("/api/v2/users/1").status_code == 404


def test_user_ids_do_not_depend_on_what_else_is_there(get: Get) -> None:
    from connectors.sandbox.database import user_id_for

    requester = get("/api/v2/tickets/1")["ticket"]["requester_id"]
    assert requester == user_id_for("Customer1@Mail.example ") < 2**53


def test_unknown_endpoint(client: FlaskClient) -> None:
    answer = client.get("/api/v2/nothing.json")
    assert (answer.status_code, answer.json["error"]) == (404, "InvalidEndpoint")
    assert client.post("/api/v2/groups").status_code == 405
