"""What monitors ask: is the process there, and can drafts be expected?"""

from __future__ import annotations

from typing import Any

import pytest
import requests

from connectors.settings import Settings
from connectors.store.database import Store
from trainer.registry import Registry


def get(url: str, path: str) -> tuple[int, Any]:
    answer = requests.get(f"{url}{path}", timeout=10)
    return answer.status_code, answer.json()


def test_a_running_process_is_alive(served: str) -> None:
    assert get(served, "/healthz") == (200, {"status": "ok"})


def test_without_a_live_model_it_is_not_ready(served: str) -> None:
    status, answer = get(served, "/readyz")
    assert (status, answer["status"], answer["reason"]) == (503, "not ready", "no model is live")


def test_with_a_model_it_is_ready_and_says_how_much_waits(
    served: str, settings: Settings, store: Store, versions: list[str]
) -> None:
    Registry(settings.models_path).promote(versions[0], by="a test")
    store.inbox.put("sandbox", "d-1", "7")
    inbox = {"waiting": 1, "leased": 0, "done": 0, "dead": 0}
    assert get(served, "/readyz") == (200, {"status": "ready", "model": versions[0], "inbox": inbox})


def test_a_damaged_pointer_to_the_live_model_is_said(served: str, settings: Settings) -> None:
    (settings.models_path / "live.json").write_text("{")
    status, answer = get(served, "/readyz")
    assert (status, answer["reason"]) == (503, "models/live.json cannot be read")


def test_a_store_that_does_not_work_is_said_but_where_it_lies_is_not(
    served: str, settings: Settings, versions: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    Registry(settings.models_path).promote(versions[0], by="a test")
    settings.database_path.unlink()
    settings.database_path.write_text("this is no database, " * 100)
    reason = "the store does not work; the log says why"
    assert get(served, "/readyz") == (503, {"status": "not ready", "reason": reason})
    assert f"{settings.database_path}: this file is not a Deskhand database" in caplog.text
    assert get(served, "/healthz")[0] == 200, "a restart would not help"


def test_nobody_needs_a_token_and_nobody_learns_one(served: str) -> None:
    for path in ("/healthz", "/readyz"):
        assert "nobody-may-see" not in requests.get(f"{served}{path}", timeout=10).text


def test_what_is_not_there_is_said_in_json(served: str) -> None:
    status, answer = get(served, "/")
    assert (status, answer["error"]["code"]) == (404, "not_found")
