"""The whole server: it starts, works, takes up a promoted version by itself, and leaves nothing behind when it ends."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.errors import FatalError, ModelError, StoreError
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.vendors import open_helpdesk
from connectors.zendesk.client import Zendesk
from plugin.serving import LivePredictor, Serving
from trainer.registry import Registry

NAME = "sandbox"
TOKEN = {"Authorization": "Bearer deskhand_token-that-nobody-may-see"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def with_plugin(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update={"plugin": settings.plugin.model_copy(update=changes)})


def serving(settings: Settings) -> Serving:
    return Serving(settings, open_helpdesk(settings), open_helpdesk(settings))


def open_files() -> list[str]:
    """What this process has open, where the system says so."""
    links = Path("/proc/self/fd")
    return [os.path.realpath(link) for link in links.iterdir()] if links.exists() else []


def wait_for(what: Callable[[], Any], timeout_s: float = 20) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@pytest.mark.weights
def test_from_the_customers_message_to_the_note_without_anybody_touching_it(
    trained: Settings, zendesk: Zendesk, desk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    port = free_port()
    secret = zendesk.install_webhook(f"http://127.0.0.1:{port}/webhooks/{NAME}")
    hidden = type(trained.plugin.webhook_secret)(secret)
    with serving(with_plugin(trained, port=port, webhook_secret=hidden)) as running:
        assert running.url == f"http://127.0.0.1:{port}"
        ticket_id = desk.open_ticket()
        (note,) = wait_for(lambda: desk.notes(ticket_id))
        address = f"{running.url}/api/v1/tickets/{ticket_id}/suggestion"

        def ready() -> dict[str, Any] | None:
            answer = requests.get(address, headers=TOKEN, timeout=10).json()
            return answer if answer["state"] == "ready" else None

        answer = wait_for(ready)
        assert f"deskhand:{answer['suggestion']['id']}" in note["plain_body"]
        assert answer["suggestion"]["draft"].startswith("Hi Deniz,")
        assert (answer["note_posted"], answer["route"]["applied"]) == (True, True)
        desk.reply(ticket_id, "Hello? Is my parcel lost? I would like the refund.")
        assert wait_for(lambda: len(desk.notes(ticket_id)) == 2)
    assert f"serving {Registry(trained.models_path).versions()[-1]}" in caplog.text


@pytest.mark.weights
def test_a_promoted_version_is_taken_up_without_a_restart(trained: Settings, versions: list[str]) -> None:
    older, newer = versions
    registry = Registry(trained.models_path)
    with Store(trained.database_path) as store:
        live = LivePredictor(trained, store)
        first = live()
        assert first.manifest.version == older
        assert live() is first, "it is loaded once"
        registry.promote(newer, by="a test")
        assert live().manifest.version == newer
        registry.rollback(by="a test")
        assert live().manifest.version == older


@pytest.mark.weights
def test_a_running_server_drafts_with_the_version_that_was_promoted_last(
    trained: Settings, versions: list[str], desk: Any
) -> None:
    with serving(trained) as running:
        made = []
        for version in versions:
            Registry(trained.models_path).promote(version, by="a test")
            address = f"{running.url}/api/v1/tickets/{desk.open_ticket()}/suggestion"
            assert requests.post(address, json={}, headers=TOKEN, timeout=10).status_code == 202

            def answer(address: str = address) -> Any:
                return requests.get(address, headers=TOKEN, timeout=10).json()["suggestion"]

            made.append(wait_for(answer)["model_version"])
    assert made == versions


def test_without_a_live_version_there_is_no_predictor(settings: Settings, store: Store) -> None:
    with pytest.raises(ModelError, match="no model is live yet") as caught:
        LivePredictor(settings, store)()
    assert "deskhand promote" in caught.value.hint


def test_it_ends_without_leaving_a_thread_or_a_socket(settings: Settings) -> None:
    before = set(threading.enumerate())
    running = serving(settings)
    with running:
        assert requests.get(f"{running.url}/readyz", timeout=10).status_code == 503, "no model, but it asked the store"
        port = int(running.url.rpartition(":")[2])
        started = time.monotonic()
        running.stop()
        assert time.monotonic() - started < 5
    running.stop()
    assert set(threading.enumerate()) == before
    assert not [path for path in open_files() if path.startswith(str(settings.home))]
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=2):
        pass
    with serving(with_plugin(settings, port=port)) as again:
        assert requests.get(f"{again.url}/healthz", timeout=10).status_code == 200, "its port is free again"


def test_the_job_at_hand_is_finished_before_it_ends(
    settings: Settings, desk: Any, zendesk: Zendesk, suggestion: Callable[..., Any]
) -> None:
    ticket_id = desk.open_ticket()
    turn = zendesk.comments(ticket_id)[0][-1].id
    with Store(settings.database_path) as store:
        store.suggestions.save(suggestion(ticket_id=ticket_id, turn_id=turn))
        store.inbox.put(NAME, "d-1", ticket_id)
        desk.fault(f"tickets/{ticket_id}/comments", 503, delay_s=0.5)
        with serving(settings):
            assert wait_for(lambda: store.inbox.counts()["leased"])
        assert store.inbox.counts()["done"] == 1
    assert len(desk.notes(ticket_id)) == 1


def test_wait_returns_when_somebody_stops_it(settings: Settings) -> None:
    with serving(settings) as running:
        stopper = threading.Timer(0.2, running.stop)
        stopper.start()
        running.wait()
        stopper.join()


def test_a_worker_that_cannot_work_ends_the_server_and_says_why(settings: Settings) -> None:
    settings.database_path.unlink()
    settings.database_path.write_text("this is no database, " * 100)
    with serving(settings) as running, pytest.raises(StoreError, match="not a Deskhand database"):
        running.wait()


def test_a_taken_port_is_an_error_that_leaves_nothing_behind(settings: Settings) -> None:
    before = set(threading.enumerate())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = serving(with_plugin(settings, port=taken.getsockname()[1]))
        with pytest.raises(FatalError, match="the port is taken"), refused:
            pass
        refused.stop()
    # The rate limiter's timer ends by itself, 10 ms after the application was made.
    assert wait_for(lambda: set(threading.enumerate()) <= before, timeout_s=5)
