from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

CURSOR = "/api/v2/incremental/tickets/cursor.json"
BY_TIME = "/api/v2/incremental/tickets.json"
Get = Callable[..., Any]
Walk = Callable[..., Iterator[Any]]


def test_cursor_walks_every_ticket_once_across_ties(walk: Walk) -> None:
    pages = list(walk(f"{CURSOR}?start_time=0&per_page=2", lambda p: None if p["end_of_stream"] else p["after_url"]))
    tickets = [one for page in pages for one in page["tickets"]]
    assert Counter(one["id"] for one in tickets) == Counter([1, 2, 3, 4, 5, 6, 7, 100, 101])
    stamps = [one["generated_timestamp"] for one in tickets]
    assert stamps == sorted(stamps)
    assert max(Counter(stamps).values()) >= 2, "closed tickets share the second of the nightly run"
    assert all(page["after_cursor"] for page in pages)
    assert pages[-1]["end_of_stream"]
    assert [page["end_of_stream"] for page in pages[:-1]] == [False] * (len(pages) - 1)


def test_cursor_at_the_end_stays_and_brings_later_changes(get: Get, client: FlaskClient, clock: Any) -> None:
    end = get(CURSOR, start_time=0)
    again = get(CURSOR, cursor=end["after_cursor"])
    assert again["tickets"] == []
    assert again["end_of_stream"] is True
    assert again["after_cursor"] == end["after_cursor"]
    client.put("/api/v2/tickets/1", json={"ticket": {"priority": "high"}})
    assert get(CURSOR, cursor=end["after_cursor"])["tickets"] == [], "the last minute is left out"
    clock.advance(61)
    assert [one["id"] for one in get(CURSOR, cursor=end["after_cursor"])["tickets"]] == [1]


def test_lag_can_be_switched_off(app: Flask, get: Get, client: FlaskClient, clock: Any) -> None:
    app.config["SANDBOX_EXPORT_LAG_S"] = 0
    client.put("/api/v2/tickets/1", json={"ticket": {"priority": "high"}})
    assert [one["id"] for one in get(CURSOR, start_time=int(clock()))["tickets"]] == [1]


def test_without_lag_a_change_in_the_running_second_is_not_missed(app: Flask, get: Get, client: FlaskClient) -> None:
    app.config["SANDBOX_EXPORT_LAG_S"] = 0
    client.put("/api/v2/tickets/6", json={"ticket": {"priority": "high"}})
    end = get(CURSOR, start_time=0)
    assert end["tickets"][-1]["id"] == 6
    client.put("/api/v2/tickets/1", json={"ticket": {"priority": "high"}})
    assert [one["id"] for one in get(CURSOR, cursor=end["after_cursor"])["tickets"]] == [1, 6]


@pytest.mark.parametrize(
    "path", [CURSOR, BY_TIME, "/api/v2/incremental/ticket_events", "/api/v2/incremental/users/cursor"]
)
def test_start_time_too_recent_negative_or_missing(client: FlaskClient, clock: Any, path: str) -> None:
    recent = client.get(path, query_string={"start_time": int(clock()) - 30})
    assert recent.status_code == 400
    assert recent.json["error"] == "StartTimeTooRecent"
    for query in ({"start_time": -1}, {"start_time": "yesterday"}, {}):
        assert client.get(path, query_string=query).status_code == 400
    assert client.get(path, query_string={"start_time": int(clock()) - 60}).status_code == 200


def test_cursor_must_be_one_of_ours(client: FlaskClient) -> None:
    for cursor in ("nonsense!", "bm9uc2Vuc2U="):
        assert client.get(CURSOR, query_string={"cursor": cursor}).status_code == 400


def test_page_size_is_cut_to_a_thousand(get: Get) -> None:
    assert get(CURSOR, start_time=0, per_page=5000)["end_of_stream"]


def test_the_ticket_object(get: Get) -> None:
    ticket = next(one for one in get(CURSOR, start_time=0)["tickets"] if one["id"] == 1)
    assert (
        ticket["fields"]
        == ticket["custom_fields"]
        == [{"id": 7001, "value": "FW204518337NL"}, {"id": 7002, "value": None}]
    )
    assert ticket["satisfaction_rating"]["score"] == "good"
    assert ticket["description"].startswith("No scan for")
    assert (ticket["status"], ticket["group_id"], ticket["assignee_id"]) == ("solved", 2101, 5001)
    assert ticket["url"].endswith("/api/v2/tickets/1.json")
    assert ticket["via"]["channel"] == "email"
    assert "kind" not in ticket


def test_metric_sets_can_be_included(get: Get) -> None:
    sets = {one["ticket_id"]: one for one in get(CURSOR, start_time=0, include="metric_sets")["metric_sets"]}
    assert (sets[5]["reopens"], sets[5]["replies"]) == (1, 2)
    assert sets[1]["solved_at"]


def test_only_admins_may_export(app: Flask) -> None:
    from connectors.sandbox.database import issue_token, open_database

    db = open_database(app.extensions["sandbox"].database)
    token = issue_token(db, 5009)
    db.close()
    answer = app.test_client().get(f"{CURSOR}?start_time=0", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert answer.json["error"] == "Forbidden"


def test_time_based_pages_are_inclusive_and_finish_their_second(get: Get) -> None:
    ties = [one for one in get(BY_TIME, start_time=0)["tickets"] if one["status"] == "closed"]
    second = Counter(one["generated_timestamp"] for one in ties).most_common(1)[0][0]
    same = sorted(one["id"] for one in ties if one["generated_timestamp"] == second)
    page = get(BY_TIME, start_time=second, per_page=1)
    assert sorted(one["id"] for one in page["tickets"]) == same, "more than per_page, to finish the second"
    assert page["count"] == len(same) > 1
    assert page["end_time"] == second
    assert page["end_of_stream"] is False
    assert f"start_time={second}" in page["next_page"], "the known same-second loop: the page names itself"
    larger = get(BY_TIME, start_time=page["end_time"], per_page=len(same) + 1)
    assert larger["end_time"] > second
    assert {one["id"] for one in larger["tickets"]} > set(same), "the last rows repeat"


def test_time_based_end(get: Get, clock: Any) -> None:
    page = get(BY_TIME, start_time=0)
    assert page["end_of_stream"] is True
    assert get(BY_TIME, start_time=int(clock()) - 60) | {"tickets": []} == {
        "tickets": [],
        "count": 0,
        "end_of_stream": True,
        "end_time": None,
        "next_page": None,
    }


def test_ticket_events_with_and_without_comments(get: Get) -> None:
    path = "/api/v2/incremental/ticket_events.json"
    events = get(path, start_time=0, include="comment_events")["ticket_events"]
    comments = [
        child
        for event in events
        if event["ticket_id"] == 5
        for child in event["child_events"]
        if child["event_type"] == "Comment"
    ]
    assert [(one["public"], one["author_id"]) for one in comments][1:4:2] == [(True, 5009), (False, 5009)]
    assert [one["body"] for one in comments][2] == "It was NOT"
    assert all("ticket_id" not in one for one in comments)
    bare = [child for event in get(path, start_time=0)["ticket_events"] for child in event["child_events"]]
    assert not any("body" in child for child in bare)
    changes = [child for event in events if event["ticket_id"] == 5 for child in event["child_events"]]
    seen = [one["status"] for one in changes if one["event_type"] == "Change" and "status" in one]
    assert seen == ["solved", "open", "solved"]


def test_ticket_events_page_by_time(walk: Walk) -> None:
    path = "/api/v2/incremental/ticket_events.json?start_time=0&per_page=20"
    pages = list(walk(path, lambda p: None if p["end_of_stream"] else p["next_page"]))
    assert len(pages) > 3
    ids = [event["id"] for page in pages for event in page["ticket_events"]]
    assert len(set(ids)) < len(ids), "inclusive pages repeat their last second"
    stamps = {event["id"]: event["timestamp"] for page in pages for event in page["ticket_events"]}
    assert len(stamps) > 100


def test_users_and_organizations(get: Get, walk: Walk) -> None:
    first = "/api/v2/incremental/users/cursor.json?start_time=0&per_page=3"
    pages = list(walk(first, lambda p: None if p["end_of_stream"] else p["after_url"]))
    users = {one["id"]: one for page in pages for one in page["users"]}
    assert {one["role"] for one in users.values()} == {"admin", "agent", "end-user"}
    bare = next(one for one in users.values() if one["email"] == "bare@mail.example")
    assert bare["name"] == "bare"
    assert get("/api/v2/incremental/organizations.json", start_time=0)["organizations"] == []


def test_a_clock_behind_the_sample_still_exports_everything(company_folder: Any, tmp_path: Any) -> None:
    from connectors.sandbox.server import create_app

    early_s = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    app = create_app(tmp_path / "early.db", SANDBOX_COMPANY=company_folder, SANDBOX_CLOCK=lambda: early_s)
    head = {"Authorization": f"Bearer {app.extensions['sandbox'].token}"}
    page = app.test_client().get(f"{CURSOR}?start_time=0&per_page=100", headers=head).json
    assert len(page["tickets"]) == 9


def test_deleted_and_scrubbed_tickets(get: Get, client: FlaskClient, clock: Any) -> None:
    cursor = get(CURSOR, start_time=0)["after_cursor"]
    assert client.delete("/api/v2/tickets/3").status_code == 204
    assert client.get("/api/v2/tickets/3").status_code == 404
    assert client.get("/api/v2/tickets/3/comments").status_code == 404
    assert client.delete("/api/v2/tickets/3").status_code == 404
    listed = get("/api/v2/deleted_tickets.json")["deleted_tickets"]
    assert [(one["id"], one["previous_state"], one["actor"]["name"]) for one in listed] == [(3, "closed", "Deskhand")]
    clock.advance(61)
    page = get(CURSOR, cursor=cursor)
    assert [(one["id"], one["status"]) for one in page["tickets"]] == [(3, "deleted")]
    assert client.delete("/api/v2/deleted_tickets/3").json["job_status"]["status"] == "completed"
    assert client.delete("/api/v2/deleted_tickets/4").status_code == 404
    clock.advance(3600)
    scrubbed = get(CURSOR, cursor=page["after_cursor"])["tickets"][0]
    assert (scrubbed["subject"], scrubbed["description"]) == ("SCRUBBED", "X")
    assert datetime.fromisoformat(scrubbed["updated_at"]).timestamp() < scrubbed["generated_timestamp"]


def test_comments_can_be_counted_beside_the_metrics(get: Get) -> None:
    page = get(CURSOR, start_time=0, include="comment_count,metric_sets")
    counts = {one["id"]: one["comment_count"] for one in page["tickets"]}
    assert (counts[1], counts[5], counts[6], counts[7]) == (2, 5, 106, 1)
    assert len(page["metric_sets"]) == len(page["tickets"])
    assert "comment_count" not in get(CURSOR, start_time=0)["tickets"][0]
    by_time = get(BY_TIME, start_time=0, include="comment_count")["tickets"]
    assert {one["id"]: one["comment_count"] for one in by_time} == counts


def test_metric_sets_have_the_times_of_reply_and_resolution(get: Get) -> None:
    sets = {one["ticket_id"]: one for one in get(CURSOR, start_time=0, include="metric_sets")["metric_sets"]}
    assert sets[1]["reply_time_in_minutes"] == {"calendar": 120, "business": 120}
    assert sets[1]["full_resolution_time_in_minutes"] == {"calendar": 120, "business": 120}
    assert sets[1]["first_resolution_time_in_minutes"]["calendar"] == 120
    assert sets[1]["latest_comment_added_at"] == "2026-03-29T11:00:00Z"
    assert sets[5]["full_resolution_time_in_minutes"]["calendar"] == 240
    assert sets[5]["first_resolution_time_in_minutes"]["calendar"] is None, "only the last solution is known"
    assert (sets[7]["replies"], sets[7]["reply_time_in_minutes"]["calendar"]) == (0, None), "nobody answered"


def test_a_second_solution_is_dated_anew(client: FlaskClient, get: Get, clock: Any) -> None:
    client.post("/sandbox/tickets/1/customer_reply", json={"body": "No"})
    clock.advance(3600)
    client.put("/api/v2/tickets/1", json={"ticket": {"status": "solved"}})
    assert get("/api/v2/tickets/1/metrics")["ticket_metric"]["solved_at"] == "2026-06-01T13:00:00Z"
    client.put("/api/v2/tickets/1", json={"ticket": {"status": "closed"}})
    assert get("/api/v2/tickets/1/metrics")["ticket_metric"]["solved_at"] == "2026-06-01T13:00:00Z"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (f"{CURSOR}?include=metric_sets,comment_count,users", "tickets"),
        (f"{BY_TIME}?include=metric_sets,comment_count,users", "tickets"),
        ("/api/v2/incremental/ticket_events?include=comment_events", "ticket_events"),
        ("/api/v2/incremental/users/cursor?", "users"),
    ],
)
def test_no_query_for_each_row(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch, path: str, key: str
) -> None:
    """A page of many rows takes as many statements as a page of two, and none of them reads a whole table."""
    from connectors.sandbox import state
    from connectors.sandbox.database import open_database

    statements: list[str] = []

    def traced(database: Any) -> Any:
        db = open_database(database)
        db.conn.set_trace_callback(
            lambda sql: statements.append(sql) if sql.startswith((" ", "\n", "select", "with")) else None
        )
        return db

    monkeypatch.setattr(state, "open_database", traced)
    counts = []
    for size in (2, 1000):
        statements.clear()
        answer = client.get(f"{path}&start_time=0&per_page={size}")
        assert answer.status_code == 200
        assert len(answer.json[key]) >= min(size, 9)
        counts.append(len(statements))
    assert counts[0] == counts[1] > 0
    db = open_database(app.extensions["sandbox"].database)
    plans = [row[3] for sql in statements for row in db.execute(f"explain query plan {sql}")]
    db.close()
    assert not [step for step in plans if re.match("SCAN (tickets|comments|audits|users)", step)]
