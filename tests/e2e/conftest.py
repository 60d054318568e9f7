"""A sandbox with the sidebar app in it, a fake plugin that the app asks, and pages of a real browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import waitress
import yaml
from waitress import wasyncore

from connectors.sandbox.server import Sandbox

from .fake_plugin import TOKEN, FakePlugin

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
APP = Path(__file__).parents[2] / "plugin" / "zendesk_app"
WAIT_MS = 15_000


@pytest.fixture(scope="module")
def plugin() -> Iterator[FakePlugin]:
    """The fake plugin on a socket of its own; one for each test file, as are `sandbox` and `browser`."""
    fake = FakePlugin()
    sockets: dict[int, Any] = {}
    server = waitress.create_server(fake.app(), host="127.0.0.1", port=0, map=sockets, threads=4)
    fake.url = f"http://127.0.0.1:{server.effective_port}"
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            wasyncore.loop(timeout=1.0, use_poll=True, map=sockets, count=1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield fake
    stopping.set()
    server.pull_trigger()
    thread.join(5)
    server.task_dispatcher.shutdown(timeout=5)
    wasyncore.close_all(sockets, ignore_all=True)


def write_company(folder: Path) -> None:
    (folder / "tickets").mkdir(parents=True)
    agents = [("marit", 5001, "Marit de Boer"), ("priya", 5003, "Priya Nair"), ("deskhand", 5099, "Deskhand")]
    frame = {
        "brand": {"id": 1, "name": "Fernway Parcels", "subdomain": "fernway", "locale": "en"},
        "groups": [
            {"id": 2101, "name": "TRK1", "description": "Where is my parcel"},
            {"id": 2103, "name": "CLM", "description": "Claims"},
        ],
        "agents": [
            {"key": key, "id": number, "name": name, "email": f"{key}@fernway.example", "groups": ["TRK1", "CLM"]}
            for key, number, name in agents
        ],
    }
    (folder / "company.yaml").write_text(yaml.safe_dump(frame, sort_keys=False))
    start = datetime(2026, 4, 1, 9, tzinfo=UTC)

    def ticket(number: int) -> dict[str, Any]:
        at = start + timedelta(hours=number)
        ask = {"from": "requester", "at": at, "body": f"Where is parcel {number}?"}
        reply = {"from": "marit", "at": at + timedelta(minutes=9), "body": f"Hi,\n\nIt is in depot {number}."}
        return {
            "id": number,
            "created": at,
            "subject": f"Question {number}",
            "group": "TRK1" if number % 3 else "CLM",
            "requester": {"name": f"Customer {number}", "email": f"c{number}@mail.example"},
            "comments": [ask, reply],
        }

    solved = [ticket(number) for number in range(1, 41)]
    held = [ticket(number) for number in range(101, 104)]
    (folder / "tickets" / "2026-04.yaml").write_text(yaml.safe_dump(solved, sort_keys=False))
    (folder / "tickets" / "future-1.yaml").write_text(yaml.safe_dump(held, sort_keys=False))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, plugin: FakePlugin) -> Iterator[Sandbox]:
    """The helpdesk with the sidebar app installed; the app's host is the fake plugin."""
    folder = tmp_path_factory.mktemp("sandbox")
    write_company(folder / "company")
    app = {"assets": APP, "settings": {"api_host": plugin.url}, "secure_settings": {"token": TOKEN}}
    database = folder / "sandbox.db"
    limits = {"SANDBOX_REQUESTS_PER_MIN": 9000, "SANDBOX_UPDATES_PER_MIN": 9000}
    with Sandbox(database, SANDBOX_COMPANY=folder / "company", SANDBOX_APP=app, **limits) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium; tests that ask for it are skipped where it is missing."""
    playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: apt install chromium")
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser: Any, sandbox: Sandbox) -> Iterator[Callable[..., Any]]:
    """Opens pages of any size; fails the test if a script fails or a content policy blocks something."""
    contexts, problems = [], []

    def make(width: int = 1280, height: int = 800, *, clock: bool = False, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, base_url=sandbox.url, **options)
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        if clock:
            context.clock.install()
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        # A content policy that blocks something shows as a console error.
        page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(new_page: Callable[..., Any]) -> Any:
    """A page of a desktop's size."""
    return new_page()


@pytest.fixture
def ticket(sandbox: Sandbox) -> str:
    """A new ticket of a customer; its number as text."""
    wanted = {"requester": {"name": "Anna Smit", "email": "anna@mail.example"}, "subject": "Where is my parcel?"}
    wanted |= {"comment": {"body": "It should have come on Monday.\n\nAnna"}}
    answer = requests.post(
        f"{sandbox.url}/api/v2/tickets.json",
        json={"ticket": wanted},
        headers={"Authorization": f"Bearer {sandbox.token}"},
        timeout=10,
    )
    assert answer.status_code == 201
    return str(answer.json()["ticket"]["id"])
