"""A small helpdesk on a real socket, homes that are synced or trained on it, and the plugin on a socket of its own.

Suggestions are made by the arms that need no language model: the nearest reply, and TF-IDF for the route.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from flask.testing import FlaskClient

from connectors.sandbox.server import Sandbox
from connectors.sandbox.webhooks import sign
from connectors.settings import HelpdeskSettings, Settings, load_settings, write_home
from connectors.store.database import Store
from connectors.store.suggestions import SHOWN, Claim, Route, Source, Suggestion
from connectors.sync.engine import sync
from connectors.wsgi import BackgroundServer
from connectors.zendesk.client import Zendesk
from plugin.app import create_app
from plugin.context import context
from trainer.curation.curate import curate
from trainer.registry import Manifest, Registry
from trainer.routing.router import train_router
from trainer.train import route_text

NAME = "sandbox"
SECRET = "webhook-secret-that-nobody-may-see"
TOKEN = "deskhand_token-that-nobody-may-see"
MARIT, PARCELS, MONEY = 5001, "2101", "2104"
NEW_PARCEL = "Hi, where is my parcel? The tracking page has not moved for days. Kind regards, Deniz"


def _ticket(number: int, group: str, ask: str, reply: str) -> dict[str, Any]:
    at = datetime(2026, 4, 1, 9, 0, 0, tzinfo=UTC) + timedelta(days=number)
    name = f"Customer{chr(64 + number)}"
    return {
        "id": number,
        "created": at,
        "requester": {"name": f"{name} Jansen", "email": f"{name.lower()}@mail.example"},
        "subject": "A question",
        "group": group,
        "status": "solved",
        "comments": [
            {"from": "requester", "at": at, "body": ask},
            {"from": "marit", "at": at + timedelta(hours=1), "body": f"Hi {name},\n\n{reply}\n\nMarit"},
        ],
    }


def _tickets() -> list[dict[str, Any]]:
    solved = yaml.safe_load((Path(__file__).parent / "solved.yaml").read_text(encoding="utf-8"))
    pairs = [(group, one["ask"], one["reply"]) for group, ones in solved.items() for one in ones]
    return [_ticket(number, *pair) for number, pair in enumerate(pairs, start=1)]


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox's file, seeded once."""
    folder = tmp_path_factory.mktemp("company")
    (folder / "tickets").mkdir()
    (folder / "articles").mkdir()
    frame = {
        "brand": {"id": 3600001, "name": "Test Parcels", "subdomain": "test"},
        "groups": [{"id": 2101, "name": "TRK1", "description": "Parcels"}, {"id": 2104, "name": "FIN"}],
        "agents": [
            {"key": "marit", "id": MARIT, "name": "Marit", "email": "marit@desk.example", "groups": ["TRK1", "FIN"]},
            {"key": "deskhand", "id": 5099, "name": "Deskhand", "email": "bot@desk.example", "role": "admin"},
        ],
    }
    held = _ticket(26, "TRK1", NEW_PARCEL, "It is in Tilburg.")
    (folder / "company.yaml").write_text(yaml.safe_dump(frame))
    (folder / "tickets/2026-04.yaml").write_text(yaml.safe_dump(_tickets()))
    (folder / "tickets/future-1.yaml").write_text(yaml.safe_dump([held]))
    article = "---\nid: 901\ntitle: Refunds\nupdated: 2026-02-01\n---\nA refund takes **five working days**.\n"
    (folder / "articles/refunds.md").write_text(article)
    path = folder / "sandbox.db"
    Sandbox(path, SANDBOX_COMPANY=folder)
    return path


class Clock:
    """The sandbox's present: the real one, and as much later as a test wants."""

    later_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.later_s


@dataclass
class Desk:
    """The running helpdesk as a test sees it."""

    sandbox: Sandbox
    clock: Clock = field(default_factory=Clock)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """An API call of somebody else; returns the answer's JSON."""
        headers = {"Authorization": f"Bearer {self.sandbox.token}"}
        answer = requests.request(method, self.sandbox.url + path, json=body, headers=headers, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def change(self, ticket_id: str, **changes: Any) -> None:
        """Somebody of the team changes a ticket, a few seconds later."""
        self.clock.later_s += 5
        self.call("PUT", f"/api/v2/tickets/{ticket_id}", {"ticket": changes})

    def answer(self, ticket_id: str, text: str = "It is in Tilburg.") -> None:
        """An agent answers."""
        self.change(ticket_id, comment={"body": text, "public": True, "author_id": MARIT})

    def reply(self, ticket_id: str, text: str) -> None:
        """The customer writes again, a few seconds later."""
        self.clock.later_s += 5
        self.call("POST", f"/sandbox/tickets/{ticket_id}/customer_reply", {"body": text})

    def open_ticket(self, text: str = NEW_PARCEL) -> str:
        """A customer writes; returns the new ticket's id."""
        requester = {"name": "Deniz Kaya", "email": "deniz@mail.example"}
        wanted = {"subject": "Help", "comment": {"body": text}, "requester": requester}
        return str(self.call("POST", "/api/v2/tickets", {"ticket": wanted})["ticket"]["id"])

    def ticket(self, ticket_id: str) -> dict[str, Any]:
        return dict(self.call("GET", f"/api/v2/tickets/{ticket_id}")["ticket"])

    def notes(self, ticket_id: str) -> list[dict[str, Any]]:
        """The comments that Deskhand wrote."""
        comments = self.call("GET", f"/api/v2/tickets/{ticket_id}/comments")["comments"]
        return [comment for comment in comments if "deskhand:" in comment["plain_body"]]

    def updates(self, ticket_id: str) -> int:
        return len(self.call("GET", f"/api/v2/tickets/{ticket_id}/audits")["audits"])

    def fault(self, path: str, status: int, **more: Any) -> None:
        """Makes the next answers to a path fail."""
        self.call("POST", "/sandbox/faults", {"path": path, "status": status, **more})


def _run(database: Path, clock: Clock) -> Sandbox:
    limits: dict[str, Any] = {f"SANDBOX_{name}_PER_MIN": 100_000 for name in ("REQUESTS", "EXPORTS", "UPDATES")}
    quick: dict[str, Any] = {"SANDBOX_EXPORT_LAG_S": 0, "SANDBOX_WEBHOOK_BACKOFF_S": 0.05}
    return Sandbox(database, SANDBOX_CLOCK=clock, **limits, **quick)


@pytest.fixture
def desk(seeded: Path, tmp_path: Path) -> Iterator[Desk]:
    clock = Clock()
    with _run(Path(shutil.copy(seeded, tmp_path / "sandbox.db")), clock) as sandbox:
        yield Desk(sandbox, clock)


@pytest.fixture(scope="session")
def synced(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the history, curated examples and two versions, none of them live."""
    home = tmp_path_factory.mktemp("synced")
    database = Path(shutil.copy(seeded, tmp_path_factory.mktemp("desk") / "sandbox.db"))
    with _run(database, Clock()) as sandbox, Store(home / "deskhand.db") as store:
        client = Zendesk(HelpdeskSettings.model_validate({"name": NAME, "url": sandbox.url, "token": sandbox.token}))
        sync(client, store)
        client.close()
        curate(store, NAME)
        examples = store.examples.kept(NAME)
    assert len(examples) >= 16, "the small company has enough to learn from"
    router = train_router("tfidf", [route_text(one) for one in examples], [one.group_id for one in examples])
    registry = Registry(home / "models")
    with registry.new_version() as (version, folder):
        router.save(folder)
        metrics = {"route_accuracy": 0.9, "reply_effort": 0.5}
        facts = {"helpdesk": NAME, "metrics": metrics, "train_examples": len(examples), "train_until": ""}
        names = {"base_model": "bundled:smollm2-135m-instruct", "encoder": "bundled:all-minilm-l6-v2"}
        arms = {"reply_arm": "nearest", "route_arm": "tfidf", "verdict": "", "data_hash": "", "prompt_hash": ""}
        limits: dict[str, Any] = {"max_prompt_tokens": 400, "max_reply_tokens": 200, "min_similarity": 0.3}
        manifest = {"version": version, "created_at": "2026-11-24T08:15:00Z", **facts, **names, **arms, **limits}
        Registry.finish(folder, Manifest(**manifest, files={}))
    newer = shutil.copytree(home / "models" / version, home / "models" / "v20991231-235959")
    facts = json.loads((newer / "manifest.json").read_text())
    (newer / "manifest.json").write_text(json.dumps(facts | {"version": newer.name}))
    return home


@pytest.fixture(scope="session")
def indexed(synced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synced home with its passages embedded: drafts can be made in it."""
    from trainer.retrieval.retriever import Encoder, Retriever

    home = Path(shutil.copytree(synced, tmp_path_factory.mktemp("indexed") / "home"))
    with Store(home / "deskhand.db") as store:
        encoder = Encoder("bundled:all-minilm-l6-v2", home / "cache")
        assert Retriever(store, NAME, encoder).index(store.examples.kept(NAME)) > 10
    return home


@pytest.fixture
def settings(desk: Desk, synced: Path, tmp_path: Path) -> Settings:
    """A synced home that is connected to the running helpdesk; no version is live."""
    home = Path(shutil.copytree(synced, tmp_path / "home"))
    config = {"helpdesk": {"name": NAME, "url": desk.sandbox.url, "auth": "bearer"}, "plugin": {"port": 0}}
    hidden = {
        "helpdesk": {"token": desk.sandbox.token},
        "plugin": {"webhook_secret": SECRET},
    }
    write_home(home, config, hidden)
    with Store(home / "deskhand.db") as store:
        store.tokens.adopt("a test", TOKEN)
    return load_settings(home)


@pytest.fixture
def versions(settings: Settings) -> list[str]:
    """The names of the two versions, the older one first."""
    return sorted(Registry(settings.models_path).versions())


@pytest.fixture
def trained(settings: Settings, indexed: Path, versions: list[str]) -> Settings:
    """The home, with the older version live and able to draft."""
    shutil.copy(indexed / "deskhand.db", settings.database_path)
    with Store(settings.database_path) as store:
        store.tokens.adopt("a test", TOKEN)
    Registry(settings.models_path).promote(versions[0], by="a test")
    return settings


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store(settings.database_path) as store:
        yield store


@pytest.fixture
def zendesk(settings: Settings) -> Iterator[Zendesk]:
    """The real connector, that does not really sleep."""
    client = Zendesk(settings.require_helpdesk(), webhook_secret=SECRET, sleep=lambda _: None)
    yield client
    client.close()


@pytest.fixture
def served(settings: Settings, zendesk: Zendesk) -> Iterator[str]:
    """The plugin's address; it runs without its worker."""
    app = create_app(settings, zendesk)
    with BackgroundServer(app, host="127.0.0.1", port=0, threads=2, name="plugin") as server:
        yield server.url
    context(app).close()


@pytest.fixture
def suggestion() -> Callable[..., Suggestion]:
    """Makes a suggestion for ticket 7 with something of everything in it; anything can be given."""

    def suggestion(**changes: Any) -> Suggestion:
        draft = "Hi Deniz,\n\nIt comes on 14 April.\nYou get €6.95 back by [date].\n\nMarit"
        start = draft.index("14 April")
        values: dict[str, Any] = {
            "id": "s-1", "helpdesk": NAME, "ticket_id": "7", "turn_id": "70", "model_version": "v20261124-081500",
            "state": SHOWN, "draft": draft, "language": "en", "created_at": "2026-05-24T09:00:00Z",
            "claims": (
                Claim("14 April", start, start + 8, False),
                Claim("€6.95", draft.index("€"), draft.index("€") + 5, True, "Refunds"),
            ),
            "sources": (Source("article", "901", "Refunds", "https://desk.example/901", "A refund takes", "2026-02"),),
            "route": Route(PARCELS, "TRK1", 0.83, ("Parcels",), ((MONEY, "FIN", 0.17),)),
        }  # fmt: skip
        return Suggestion(**(values | changes))

    return suggestion


@pytest.fixture
def signed() -> Callable[..., dict[str, str]]:
    """The headers of a webhook as the helpdesk signs it, by the sandbox's own implementation."""

    def signed(body: bytes, *, delivery: str = "d-1", age_s: float = 0, secret: str = SECRET) -> dict[str, str]:
        at = (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat(timespec="seconds").replace("+00:00", "Z")
        return {
            "X-Zendesk-Webhook-Signature": sign(secret, at, body),
            "X-Zendesk-Webhook-Signature-Timestamp": at,
            "X-Zendesk-Webhook-Invocation-Id": delivery,
            "Content-Type": "application/json",
        }

    return signed


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell without any of our variables."""
    for name in [name for name in os.environ if name.startswith("DESKHAND_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def client(settings: Settings, zendesk: Zendesk) -> Callable[..., Any]:
    """Opens a client of an application with some settings of the plugin changed."""

    @contextmanager
    def client(**changes: object) -> Iterator[FlaskClient]:
        plugin = settings.plugin.model_copy(update=changes)
        app = create_app(settings.model_copy(update={"plugin": plugin}), zendesk)
        yield app.test_client()
        context(app).close()

    return client
