"""The synthetic account that the benchmarks run on."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from connectors.sandbox.server import create_app

from ...benchmarks.accounts import END_S, IN_BURST, Account, fill

TICKETS = 1_100


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Account]:
    path = tmp_path_factory.mktemp("account") / "account.db"
    return path, fill(path, TICKETS, seed=3)


@pytest.fixture
def account(made: tuple[Path, Account]) -> Account:
    return made[1]


@pytest.fixture
def client(made: tuple[Path, Account]) -> FlaskClient:
    app = create_app(made[0], SANDBOX_CLOCK=lambda: END_S + 60.0, SANDBOX_EXPORTS_PER_MIN=0, SANDBOX_REQUESTS_PER_MIN=0)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {app.extensions['sandbox'].token}"
    return client


def export(client: FlaskClient, path: str, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    address, done = path, False
    while not done:
        page = client.get(address).json
        found += page[key]
        address, done = page.get("after_url") or page.get("next_page"), page["end_of_stream"]
    return found


def test_every_ticket_comes_out_of_the_export(client: FlaskClient, account: Account) -> None:
    path = "/api/v2/incremental/tickets/cursor.json?start_time=0&include=metric_sets,comment_count"
    tickets = export(client, path, "tickets")
    assert len(tickets) == TICKETS == account.rows["tickets"]
    assert sum(one["comment_count"] for one in tickets) == account.rows["comments"]
    assert sum(one["comment_count"] > 100 for one in tickets) == account.long > 0
    statuses = Counter(one["status"] for one in tickets)
    assert statuses["deleted"] == account.deleted > 0
    assert statuses["solved"] > 0 < statuses["closed"]
    assert sum(one["subject"] == "SCRUBBED" for one in tickets) == account.scrubbed > 0
    assert sum("closed_by_merge" in one["tags"] for one in tickets if one["status"] == "closed") == account.merged > 0
    seconds = Counter(one["generated_timestamp"] for one in tickets)
    assert seconds.most_common(1)[0][1] >= IN_BURST == account.in_burst
    kinds = {type(field["value"]).__name__ for one in tickets for field in one["custom_fields"]}
    assert kinds == {"str", "int", "bool", "list", "NoneType"}
    sizes = [len(json.dumps(one)) for one in tickets if one["status"] != "deleted"]
    assert 1_000 < sum(sizes) / len(sizes) < 2_500
    years = {one["created_at"][:4] for one in tickets}
    assert len(years) >= 3


def test_events_and_comments(client: FlaskClient, account: Account) -> None:
    path = "/api/v2/incremental/ticket_events.json?start_time=0&per_page=1000&include=comment_events"
    events = {one["id"]: one for one in export(client, path, "ticket_events")}
    assert len(events) == account.rows["audits"]
    children = [child for one in events.values() for child in one["child_events"]]
    kinds = Counter(child["event_type"] for child in children)
    assert kinds["CommentRedactionEvent"] == account.redacted > 0
    assert kinds["CommentPrivacyChange"] == 2
    said = [child for child in children if child["event_type"] == "Comment"]
    assert sum(not one["public"] for one in said) == account.private > 0
    assert sum(bool(one["attachments"]) for one in said) == account.attached > 0
    words = sorted(len(one["body"].split()) for one in said)
    assert 40 <= words[len(words) // 20] <= words[-len(words) // 20] <= 120, "nine in ten at least"
    stamps = [one["timestamp"] for one in events.values()]
    assert max(stamps) <= END_S


def test_people(client: FlaskClient, account: Account) -> None:
    users = export(client, "/api/v2/incremental/users/cursor.json?start_time=0", "users")
    assert sum(one["role"] == "end-user" for one in users) == TICKETS // 5
    assert any(one["organization_id"] for one in users)
    assert len(users) == account.rows["users"]


def test_the_same_seed_makes_the_same_account(made: tuple[Path, Account], tmp_path: Path) -> None:
    from connectors.sandbox.database import open_database

    def digest(path: Path) -> str:
        db = open_database(path)
        total = hashlib.sha256()
        for table in ("tickets", "comments", "audits", "users"):
            for row in db.execute(f"select * from {table} order by id"):
                total.update(repr(row).encode())
        db.close()
        return total.hexdigest()

    assert fill(tmp_path / "again.db", 300, seed=3).rows["tickets"] == 300
    fill(tmp_path / "third.db", 300, seed=3)
    fill(tmp_path / "other.db", 300, seed=4)
    assert digest(tmp_path / "again.db") == digest(tmp_path / "third.db") != digest(tmp_path / "other.db")


def test_a_file_that_is_there_is_left_alone(made: tuple[Path, Account]) -> None:
    with pytest.raises(FileExistsError):
        fill(made[0])
