"""`deskhand sync` compares what was sent with what was suggested, and keeps how it went."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors import clock
from connectors.errors import RetriableError
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.stream_runs import WHOLE
from connectors.zendesk.client import Zendesk
from plugin.console import Bar
from plugin.syncing import run

NAME = "sandbox"
DRAFT = "Hi Deniz,\n\nIt is in our depot in Tilburg and comes to you tomorrow.\n\nMarit"


@pytest.fixture
def sync(settings: Settings, zendesk: Zendesk, capsys: Any) -> Callable[..., str]:
    """Syncs and returns what was printed."""

    def sync(**changes: Any) -> str:
        options = {"full": False, "since": 0, "only": (), "as_json": False} | changes
        run(settings, zendesk, Bar(), **options)
        return str(capsys.readouterr().out)

    return sync


def test_a_sync_brings_what_became_of_a_suggestion(
    sync: Callable[..., str], store: Store, desk: Any, suggestion: Callable[..., Any]
) -> None:
    ticket = desk.open_ticket()
    sync()
    (turn,) = [one.comment for one in store.history.turns(NAME, ticket)]
    store.suggestions.save(suggestion(id="s-1", ticket_id=ticket, turn_id=turn.id, draft=DRAFT, created_at=clock.now()))
    assert "what became of" not in sync()
    desk.answer(ticket, DRAFT.replace("Tilburg", "Ghent"))
    assert "what became of 1 suggestions: 1 edited" in sync()
    found = store.outcomes.get("s-1")
    assert found is not None
    assert (found.kind, found.agent_id) == ("edited", "5001")
    assert 0 < (found.effort or 0) < 0.1
    assert json.loads(sync(as_json=True))["outcomes"] == {}


def test_how_each_stream_went_is_kept(sync: Callable[..., str], store: Store, desk: Any) -> None:
    desk.fault("groups", 403)
    sync()
    runs = store.stream_runs.all(NAME)
    assert (runs["groups"].state, runs["tickets"].state, runs[WHOLE].state) == ("skipped", "ok", "ok")
    desk.fault("groups", 429, retry_after=5000)
    desk.fault("brands", 429, retry_after=5000)
    with pytest.raises(RetriableError):
        sync()
    assert store.stream_runs.all(NAME)[WHOLE].state == "failed"
    assert "429" in store.stream_runs.all(NAME)[WHOLE].why
    assert store.stream_runs.all(NAME)["tickets"].state == "ok"
