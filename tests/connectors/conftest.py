"""A small helpdesk on a real socket, a store in a temporary folder, and a server that answers as it is told."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from connectors.sandbox.server import Sandbox
from connectors.settings import HelpdeskSettings
from connectors.store.database import Store
from connectors.zendesk.client import Zendesk

pytest.register_assert_rewrite("tests.connectors.contract")

TICKETS = 9
LONG, NOTED, RATED, CLOSED = 3, 4, 5, 6  # tickets with something of their own
LONG_TURNS = 130
NOTE = "Driver J. left it behind the shed"
TURN = "turn {}"


def customer(number: int) -> str:
    """The address of a ticket's customer."""
    return f"customer{number}@mail.example"


def _ticket(number: int) -> dict[str, Any]:
    at = datetime(2026, 4, 1, 9, 0, 0, tzinfo=UTC) + timedelta(days=number)
    comments = [
        {"from": "requester", "at": at, "body": f"Where is parcel {number}?"},
        {"from": "marit", "at": at + timedelta(hours=1), "body": f"Hi,\n\nParcel {number} is in Tilburg."},
    ]
    if number == NOTED:
        comments.insert(1, {"from": "marit", "at": at + timedelta(minutes=5), "public": False, "body": NOTE})
    if number == LONG:
        comments += [
            {"from": "requester", "at": at + timedelta(hours=1 + n), "body": TURN.format(n)}
            for n in range(1, LONG_TURNS + 1)
        ]
    return {
        "id": number,
        "created": at,
        "requester": {"name": f"Customer {number}", "email": customer(number)},
        "subject": f"Question {number}",
        "group": "TRK1" if number % 2 else "FIN",
        "tags": ["delay"],
        "status": "closed" if number == CLOSED else "solved",
        "satisfaction": {"score": "good", "comment": "so quick"} if number == RATED else None,
        "comments": comments,
    }


@pytest.fixture(scope="session")
def seeded_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small company, seeded once; each test gets a copy of the file."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "tickets").mkdir()
    (folder / "articles").mkdir()
    agents = [{"key": "marit", "id": 5001, "name": "Marit", "email": "marit@desk.example", "groups": ["TRK1", "FIN"]}]
    agents.append({"key": "deskhand", "id": 5099, "name": "Deskhand", "email": "bot@desk.example", "role": "admin"})
    frame = {
        "brand": {"id": 3600001, "name": "Test Parcels", "subdomain": "test"},
        "groups": [{"id": 2101, "name": "TRK1"}, {"id": 2104, "name": "FIN", "description": "Money"}],
        "agents": agents,
    }
    (folder / "company.yaml").write_text(yaml.safe_dump(frame))
    macros = [{"id": 40 + n, "title": f"Macro {n}", "body": "Hi {{ticket.requester.first_name}}"} for n in range(3)]
    (folder / "macros.yaml").write_text(yaml.safe_dump(macros))
    (folder / "tickets/2026-04.yaml").write_text(yaml.safe_dump([_ticket(n) for n in range(1, TICKETS + 1)]))
    for n in (1, 2):
        text = f"---\nid: {900 + n}\ntitle: Price {n}\nupdated: 2026-02-0{n}\n---\nA parcel costs **€6.9{n}**.\n"
        (folder / f"articles/price-{n}.md").write_text(text)
    path = folder / "sandbox.db"
    Sandbox(path, SANDBOX_COMPANY=folder)
    return path


@dataclass
class Desk:
    """The running helpdesk as a test sees it, and what is in it."""

    sandbox: Sandbox

    tickets, long_ticket, noted_ticket, rated_ticket, closed_ticket = TICKETS, LONG, NOTED, RATED, CLOSED
    long_turns, note, customer = LONG_TURNS, NOTE, staticmethod(customer)

    @property
    def token(self) -> str:
        return self.sandbox.token

    @property
    def url(self) -> str:
        return self.sandbox.url

    def call(self, method: str, path: str, body: object = None) -> Any:
        """An API call of somebody else; returns the answer's JSON."""
        headers = {"Authorization": f"Bearer {self.sandbox.token}"}
        answer = requests.request(method, self.url + path, json=body, headers=headers, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def fault(self, path: str, status: int, **more: Any) -> None:
        """Makes the next answers to a path fail."""
        self.call("POST", "/sandbox/faults", {"path": path, "status": status, **more})

    def reply(self, ticket_id: int, text: str) -> None:
        """The customer writes again."""
        self.call("POST", f"/sandbox/tickets/{ticket_id}/customer_reply", {"body": text})

    def open_ticket(self, text: str) -> str:
        """A customer writes; returns the new ticket's id."""
        requester = {"name": "Deniz", "email": "deniz@mail.example"}
        wanted = {"subject": "Help", "comment": {"body": text}, "requester": requester}
        return str(self.call("POST", "/api/v2/tickets", {"ticket": wanted})["ticket"]["id"])


@pytest.fixture
def desk(seeded_desk: Path, tmp_path: Path) -> Iterator[Desk]:
    database = shutil.copy(seeded_desk, tmp_path / "sandbox.db")
    limits = {"SANDBOX_REQUESTS_PER_MIN": 100_000, "SANDBOX_EXPORTS_PER_MIN": 100_000}
    with Sandbox(Path(database), SANDBOX_EXPORT_LAG_S=0, **limits) as sandbox:
        yield Desk(sandbox)


@pytest.fixture
def naps() -> list[float]:
    """Seconds that a client would have slept."""
    return []


@pytest.fixture
def connect(naps: list[float]) -> Iterator[Callable[..., Zendesk]]:
    """Opens a client that does not really sleep; any of the helpdesk's settings can be given."""
    clients: list[Zendesk] = []

    def connect(url: str, *, webhook_secret: str = "", **settings: Any) -> Zendesk:
        wanted = HelpdeskSettings(**{"url": url, "token": "sekrit-token", **settings})
        clients.append(Zendesk(wanted, webhook_secret=webhook_secret, sleep=naps.append))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def zendesk(desk: Desk, connect: Callable[..., Zendesk]) -> Zendesk:
    return connect(desk.url, token=desk.token)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new store's file; copying it is quicker than making the tables again."""
    path = tmp_path_factory.mktemp("empty") / "deskhand.db"
    Store(path).close()
    return path


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Iterator[Store]:
    with Store(Path(shutil.copy(empty_store, tmp_path / "deskhand.db"))) as store:
        yield store


@dataclass
class Answer:
    """What `Scripted` says to one request; `cut` breaks the connection after so many bytes."""

    body: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: int | None = None
    hang_up: bool = False

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Request:
    """What `Scripted` was asked; `target` is the path with its query."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Scripted:
    """A server on a real socket that gives prepared answers in turn and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[Request] = []
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                script.requests.append(Request(self.command, self.path, dict(self.headers), body))
                answer = script.answers.pop(0) if script.answers else Answer({"error": "the script is over"}, 418)
                time.sleep(answer.delay_s)
                if answer.hang_up:
                    return
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.content)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.content[: answer.cut])

            do_POST = do_PUT = do_GET  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def says(self, body: object = None, times: int = 1, **answer: Any) -> None:
        """The next answer; `answer` is what `Answer` takes."""
        self.answers += [Answer({} if body is None else body, **answer)] * times

    def wait_for(self, count: int) -> list[Request]:
        """The requests, once there are so many."""
        deadline = time.monotonic() + 10
        while len(self.requests) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.requests) >= count
        return self.requests

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()
