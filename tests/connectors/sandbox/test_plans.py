from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from connectors.errors import ConfigError
from connectors.sandbox.plans import PLANS
from connectors.sandbox.server import create_app

ME = "/api/v2/users/me.json"
TICKETS = "/api/v2/incremental/tickets/cursor.json?start_time=0"
USERS = "/api/v2/incremental/users/cursor.json?start_time=0"


def client_of(database: Path, clock: Any, **config: Any) -> FlaskClient:
    app = create_app(database, SANDBOX_CLOCK=clock, **config)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {app.extensions['sandbox'].token}"
    return client


@pytest.mark.parametrize(
    ("plan", "account", "exports", "users"),
    [
        ("team", "200", "10", "20"),
        ("growth", "400", "10", "20"),
        ("professional", "400", "10", "20"),
        ("enterprise", "700", "10", "20"),
        ("high_volume", "2500", "30", "60"),
    ],
)
def test_plans(database: Path, clock: Any, plan: str, account: str, exports: str, users: str) -> None:
    client = client_of(database, clock, SANDBOX_PLAN=plan)
    headers = client.get(TICKETS).headers
    assert headers["X-Rate-Limit"] == account
    assert headers["zendesk-ratelimit-incremental-exports"].startswith(f"total={exports};")
    headers = client.get(USERS).headers
    assert headers["zendesk-ratelimit-incremental-exports-cursor"].startswith(f"total={users};")
    assert "zendesk-ratelimit-incremental-exports" not in headers, "users have a bucket of their own"
    assert client.get("/api/v2/deleted_tickets.json").headers["zendesk-ratelimit-deleted-tickets-index"]


def test_every_plan_sets_every_limit_and_nothing_else() -> None:
    from connectors.sandbox.server import DEFAULTS

    limits = {name for name in DEFAULTS if "_PER_" in name}
    assert {plan: set(settings) for plan, settings in PLANS.items()} == dict.fromkeys(PLANS, limits)


def test_a_setting_beats_the_plan(database: Path, clock: Any) -> None:
    client = client_of(database, clock, SANDBOX_PLAN="team", SANDBOX_EXPORTS_PER_MIN=1)
    assert [client.get(TICKETS).status_code for _ in range(2)] == [200, 429]
    assert client.get(ME).headers["X-Rate-Limit"] == "200"


def test_without_a_plan_nothing_has_changed(database: Path, clock: Any) -> None:
    client = client_of(database, clock)
    headers = client.get(USERS).headers
    assert headers["X-Rate-Limit"] == "700"
    assert headers["zendesk-ratelimit-incremental-exports-cursor"].startswith("total=30;")
    assert not [name for name, _ in client.get("/api/v2/deleted_tickets").headers if name.startswith("zendesk")]


def test_zero_means_no_limit(database: Path, clock: Any) -> None:
    client = client_of(database, clock, **dict.fromkeys(PLANS["team"], 0))
    for _ in range(31):
        answer = client.put("/api/v2/tickets/1", json={"ticket": {"priority": "high"}})
        assert answer.status_code == 200
    assert {client.get(TICKETS).status_code for _ in range(31)} == {200}
    assert not [name for name, _ in client.get(TICKETS).headers if "rate" in name.lower()]


def test_updates_of_one_ticket_can_be_set(database: Path, clock: Any) -> None:
    client = client_of(database, clock, SANDBOX_TICKET_UPDATES_PER_10_MIN=1)
    answers = [client.put("/api/v2/tickets/1", json={"ticket": {"priority": level}}) for level in ("low", "high")]
    assert [one.status_code for one in answers] == [200, 429]


def test_unknown_plan(database: Path) -> None:
    with pytest.raises(ConfigError, match="platinum") as caught:
        create_app(database, SANDBOX_PLAN="platinum")
    assert "high_volume" in caught.value.hint


def test_latency_runs_in_the_clock_that_is_given(database: Path, clock: Any) -> None:
    client = client_of(database, clock, SANDBOX_LATENCY_S=25.0, SANDBOX_SLEEP=clock.advance, SANDBOX_REQUESTS_PER_MIN=3)
    start_s = clock()
    assert client.get(ME).status_code == 200
    assert clock() == start_s + 25
    assert client.get("/hc/en").status_code == 200
    assert client.get("/sandbox/state").status_code == 200
    assert clock() == start_s + 25, "pages and controls are no API"
    assert [client.get(ME).status_code for _ in range(4)] == [200] * 4, "a minute has passed"
    client.post("/sandbox/faults", json={"path": "/me", "status": 504, "delay_s": 30})
    before_s = clock()
    assert client.get(ME).status_code == 504
    assert clock() == before_s + 30


@pytest.mark.parametrize(("status", "error"), [(403, "Forbidden"), (404, "InvalidEndpoint"), (410, "Gone")])
def test_what_a_plan_or_role_does_not_have(database: Path, clock: Any, status: int, error: str) -> None:
    client = client_of(database, clock, SANDBOX_REFUSED={r"/incremental/tickets/cursor": status})
    answer = client.get(TICKETS)
    assert (answer.status_code, answer.json["error"]) == (status, error)
    assert client.get(USERS).status_code == 200
    assert client.get("/api/v2/search/export?filter[type]=ticket").status_code == 200
    assert client.get(TICKETS, headers={"Authorization": "Bearer wrong"}).status_code == 401, "who asks comes first"


def test_a_single_parameter_can_be_refused(database: Path, clock: Any) -> None:
    client = client_of(database, clock, SANDBOX_REFUSED={r"include=.*comment_events": 403})
    path = "/api/v2/incremental/ticket_events.json?start_time=0"
    assert client.get(f"{path}&include=comment_events").status_code == 403
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("refused", [{"(": 403}, {"x": 500}])
def test_refusals_that_cannot_be(database: Path, refused: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="SANDBOX_REFUSED"):
        create_app(database, SANDBOX_REFUSED=refused)
