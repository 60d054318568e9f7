"""A small company in a temporary folder, seeded once and copied for every test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient

from connectors.sandbox.server import create_app

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
TRACKING = "FW204518337NL"


class Clock:
    """The sandbox's present, moved by hand."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now_s = now.timestamp()

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


def ticket(number: int, created: datetime, **changes: Any) -> dict[str, Any]:
    """A solved ticket with one answer."""
    return {
        "id": number,
        "created": created,
        "channel": "email",
        "requester": {"name": f"Customer {number}", "email": f"customer{number}@mail.example"},
        "language": "en",
        "subject": f"Question {number}",
        "group": "TRK1",
        "tags": ["delay"],
        "priority": "normal",
        "status": "solved",
        "kind": "answered",
        "comments": [
            {"from": "requester", "at": created, "body": f"Where is parcel {number}?"},
            {"from": "marit", "at": created + timedelta(hours=1), "body": f"Hi,\n\nHere is answer <{number}>."},
        ],
    } | changes


def history() -> list[dict[str, Any]]:
    """Seven tickets, each with something of its own."""
    day = datetime(2026, 4, 1, 9, 0, 0, tzinfo=UTC)
    long = [{"from": "requester", "at": day, "body": "first"}]
    long += [
        {"from": "karim" if n % 2 else "requester", "at": day + timedelta(minutes=n), "body": f"turn {n}"}
        for n in range(1, 106)
    ]
    reopened = [
        {"from": "requester", "at": day, "body": "Nothing came"},
        {"from": "karim", "at": day + timedelta(hours=1), "body": "It was delivered."},
        {"from": "requester", "at": day + timedelta(hours=2), "body": "It was NOT"},
        {"from": "karim", "at": day + timedelta(hours=3), "public": False, "body": "Driver is J., ask him"},
        {"from": "marit", "at": day + timedelta(hours=4), "body": "We found it."},
    ]
    return [
        ticket(
            1,
            day - timedelta(days=3),
            subject="No scan",
            satisfaction={"score": "good", "comment": "quick"},
            comments=[
                {"from": "requester", "at": day - timedelta(days=3), "body": f"No scan for {TRACKING} since Friday"},
                {"from": "marit", "at": day - timedelta(days=3) + timedelta(hours=2), "body": "We opened a trace."},
            ],
        ),
        ticket(2, day + timedelta(hours=1), status="closed", satisfaction={"score": "bad", "comment": "too late"}),
        ticket(3, day + timedelta(hours=3), status="closed"),
        ticket(4, day + timedelta(hours=4), status="closed", tags=["closed_by_merge"]),
        ticket(
            5,
            day + timedelta(days=2),
            kind="reopened",
            requester={"name": "", "email": "bare@mail.example"},
            comments=[one | {"at": one["at"] + timedelta(days=2)} for one in reopened],
        ),
        ticket(
            6,
            day + timedelta(days=3),
            group="FIN",
            comments=[one | {"at": one["at"] + timedelta(days=3)} for one in long],
        ),
        ticket(
            7,
            day + timedelta(days=9),
            status="closed",
            kind="spam",
            tags=[],
            comments=[{"from": "requester", "at": day + timedelta(days=9), "body": "Buy now"}],
        ),
    ]


@pytest.fixture(scope="session")
def company_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    (folder / "tickets").mkdir()
    (folder / "articles").mkdir()
    frame = {
        "brand": {"id": 3600001, "name": "Test Parcels", "subdomain": "test"},
        "groups": [{"id": 2101, "name": "TRK1"}, {"id": 2104, "name": "FIN", "description": "Money"}],
        "agents": [
            {
                "key": "marit",
                "id": 5001,
                "name": "Marit",
                "email": "marit@t.example",
                "groups": ["TRK1"],
                "role": "admin",
            },
            {"key": "karim", "id": 5009, "name": "Karim", "email": "karim@t.example", "groups": ["TRK1", "FIN"]},
            {"key": "deskhand", "id": 5099, "name": "Deskhand", "email": "deskhand@t.example", "role": "admin"},
        ],
        "ticket_fields": [
            {"id": 7001, "title": "Tracking number"},
            {"id": 7002, "title": "Country", "type": "tagger", "options": ["nl", "de"]},
        ],
    }
    macros = [{"id": 41, "title": "trace opened", "body": "Hi {{ticket.requester.first_name}}", "group": "TRK1"}]
    start = datetime(2026, 5, 1, 8, 0, 0, tzinfo=UTC)
    future = [ticket(100 + n, start + timedelta(hours=20 * n)) for n in range(26)]
    (folder / "company.yaml").write_text(yaml.safe_dump(frame))
    (folder / "macros.yaml").write_text(yaml.safe_dump(macros))
    (folder / "tickets/2026-04.yaml").write_text(yaml.safe_dump(history()))
    (folder / "tickets/2026-05.yaml").write_text("")  # somebody has only begun it
    (folder / "tickets/future-1.yaml").write_text(yaml.safe_dump(future))
    for number, slug in enumerate(("prices", "lost-parcel"), start=1):
        front = (
            f"id: {900 + number}\ntitle: About {slug}\nsection: Basics\nlabels: [{slug}]\nupdated: 2026-02-0{number}"
        )
        text = (
            f"# About {slug}\n\nA parcel costs **€6.9{number}**.\n\n| a | b |\n|---|---|\n| 1 | <script>x</script> |\n"
        )
        (folder / f"articles/{slug}.md").write_text(f"---\n{front}\n---\n{text}")
    return folder


@pytest.fixture(scope="session")
def seeded(company_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seeded") / "sandbox.db"
    create_app(path, SANDBOX_COMPANY=company_folder, SANDBOX_CLOCK=Clock())
    return path


@pytest.fixture
def database(seeded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(seeded, tmp_path / "sandbox.db"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(database: Path, clock: Clock) -> Flask:
    return create_app(database, SANDBOX_CLOCK=clock)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client with an admin's token."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {app.extensions['sandbox'].token}"
    return client


@pytest.fixture
def get(client: FlaskClient) -> Callable[..., Any]:
    """Fetch a path that must answer 200; returns its JSON."""

    def fetch(path: str, **query: Any) -> Any:
        answer = client.get(path, query_string=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json

    return fetch


@pytest.fixture
def walk(client: FlaskClient) -> Callable[..., Iterator[Any]]:
    """Follow a chain of addresses: ``walk(first, next_of)`` yields each page's JSON."""

    def follow(first: str, next_of: Callable[[Any], str | None]) -> Iterator[Any]:
        address: str | None = first
        while address:
            answer = client.get(address)
            assert answer.status_code == 200, answer.text
            yield answer.json
            address = next_of(answer.json)

    return follow
