"""The API's suggestions on a real socket: who may ask, what every state looks like, what asking does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.inbox import Job
from connectors.store.suggestions import SILENT, Route, Suggestion
from connectors.wsgi import BackgroundServer
from connectors.zendesk.client import Zendesk
from plugin.app import create_app
from plugin.context import context

Make = Callable[..., Suggestion]
HEADERS = {"Authorization": "Bearer deskhand_token-that-nobody-may-see"}
ASSETS = Path(__file__).parents[3] / "plugin/zendesk_app/assets"
EMPTY = {
    "message": "",
    "silence": "",
    "turn_id": None,
    "note_posted": False,
    "partial": "",
    "facts": [],
    "suggestion": None,
    "route": None,
}


@pytest.fixture
def get(served: str) -> Callable[[str], Any]:
    def get(ticket_id: str) -> Any:
        answer = requests.get(f"{served}/api/v1/tickets/{ticket_id}/suggestion", headers=HEADERS, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
def ask(served: str) -> Callable[[str], requests.Response]:
    def ask(ticket_id: str) -> requests.Response:
        address = f"{served}/api/v1/tickets/{ticket_id}/suggestion"
        return requests.post(address, json={}, headers=HEADERS, timeout=10)

    return ask


def taken(store: Store) -> Job:
    job = store.inbox.claim("w", lease_s=60)
    assert job is not None
    return job


# ---- who may ask


STRANGERS = (None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic c2lkZWJhcg==", "Bearer sïdebar")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "tickets/7/suggestion"), ("POST", "tickets/7/suggestion"), ("POST", "suggestions/s-1/feedback")],
)
def test_without_the_token_nothing_is_told_and_nothing_kept(
    method: str, path: str, served: str, store: Store, suggestion: Make
) -> None:
    store.suggestions.save(suggestion())
    for authorization in STRANGERS:
        headers = {} if authorization is None else {"Authorization": authorization.encode()}
        sent = {"action": "thumb_up"}
        answer = requests.request(method, f"{served}/api/v1/{path}", json=sent, headers=headers, timeout=10)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized"), authorization
        assert "Deniz" not in answer.text
    assert not store.inbox.open_for("sandbox", "7")
    assert store.suggestions.feedback("s-1") == []


def test_an_installation_without_a_token_lets_nobody_in(settings: Settings, zendesk: Zendesk, store: Store) -> None:
    for token in store.tokens.valid():
        store.tokens.revoke(token.id)
    app = create_app(settings, zendesk)
    with BackgroundServer(app, host="127.0.0.1", port=0, threads=1, name="plugin") as server:
        address = f"{server.url}/api/v1/tickets/7/suggestion"
        for headers in ({}, {"Authorization": ""}, {"Authorization": "Bearer "}):
            assert requests.get(address, headers=headers, timeout=10).status_code == 401
    context(app).close()


# ---- the states


def test_none_where_nothing_was_drafted(get: Callable[[str], Any]) -> None:
    assert get("7") == {"ticket_id": "7", "state": "none"} | EMPTY


def test_drafting_from_the_webhook_to_the_end_of_the_work(get: Callable[[str], Any], store: Store) -> None:
    store.inbox.put("sandbox", "d-1", "7")
    assert get("7") == {"ticket_id": "7", "state": "drafting"} | EMPTY
    job = taken(store)
    assert get("7")["state"] == "drafting"
    store.inbox.finish(job, "w")
    assert get("7")["state"] == "none"
    assert get("8")["state"] == "none"


def test_ready_shows_the_draft_with_all_that_the_app_marks(
    get: Callable[[str], Any], store: Store, suggestion: Make
) -> None:
    made = suggestion()
    store.suggestions.save(made)
    store.suggestions.note_posted(made.id)
    draft = made.draft
    assert get("7") == {
        "ticket_id": "7",
        "state": "ready",
        "message": "",
        "silence": "",
        "turn_id": "70",
        "note_posted": True,
        "partial": "",
        "facts": [],
        "suggestion": {
            "id": "s-1",
            "draft": draft,
            "language": "en",
            "model_version": "v20261124-081500",
            "created_at": "2026-05-24T09:00:00Z",
            "confidence": None,
            "claims": [
                {"text": "14 April", "start": 23, "end": 31, "supported": False, "source": ""},
                {"text": "€6.95", "start": 41, "end": 46, "supported": True, "source": "Refunds"},
            ],
            "blanks": [{"text": "[date]", "start": 55, "end": 61}],
            "sources": [
                {
                    "kind": "article",
                    "id": "901",
                    "title": "Refunds",
                    "url": "https://desk.example/901",
                    "excerpt": "A refund takes",
                    "updated_at": "2026-02",
                }
            ],
            "alternatives": [],
            "unused_facts": [],
        },
        "route": {
            "group_id": "2101",
            "group_name": "TRK1",
            "probability": 0.83,
            "reasons": ["Parcels"],
            "alternatives": [["2104", "FIN", 0.17]],
            "applied": True,
            "doubt": "",
            "priority": "",
            "tags": [],
        },
    }
    assert (draft[23:31], draft[41:46], draft[55:61]) == ("14 April", "€6.95", "[date]")


def test_a_route_is_applied_where_the_ticket_is_in_its_group(
    get: Callable[[str], Any], store: Store, suggestion: Make
) -> None:
    for ticket_id, applied in (("7", True), ("10", False), ("404", False)):
        store.suggestions.save(suggestion(id=f"s-{ticket_id}", ticket_id=ticket_id))
        assert get(ticket_id)["route"]["applied"] is applied


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"probability": 0.4}, ""),
        ({"probability": 0.39}, "unsure"),
        ({"abstain": True}, "unsure"),
        ({"abstain": True, "out_of_scope": 0.99}, "unfamiliar"),
    ],
)
def test_a_route_that_is_not_set_says_why(
    changes: dict[str, Any], doubt: str, get: Callable[[str], Any], store: Store, suggestion: Make
) -> None:
    route = Route(**({"group_id": "2101", "group_name": "TRK1", "probability": 0.8} | changes))
    store.suggestions.save(suggestion(route=route))
    assert get("7")["route"]["doubt"] == doubt
    assert f'{doubt or "unsure"}: "route_{doubt or "unsure"}"' in (ASSETS / "evidence.js").read_text(encoding="utf-8")


def test_priority_and_tags_are_told(get: Callable[[str], Any], store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion(route=Route("2101", "TRK1", 0.8, priority="high", tags=("delay", "lost"))))
    route = get("7")["route"]
    assert (route["priority"], route["tags"]) == ("high", ["delay", "lost"])


def test_silent_shows_the_route_and_no_draft(get: Callable[[str], Any], store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion(state=SILENT, draft="", claims=(), sources=(), silence="no_similar"))
    answer = get("7")
    assert (answer["state"], answer["suggestion"], answer["route"]["group_name"]) == ("silent", None, "TRK1")
    store.suggestions.save(suggestion(state=SILENT, draft="", claims=(), sources=(), route=None))
    assert get("7")["route"] is None


def test_failed_says_why_until_somebody_asks_again(
    get: Callable[[str], Any], ask: Callable[[str], requests.Response], store: Store, suggestion: Make
) -> None:
    store.suggestions.save(suggestion())
    store.inbox.put("sandbox", "d-1", "7")
    store.inbox.bury(taken(store), "w", error="no model is live yet")
    failed = {"ticket_id": "7", "state": "failed", "message": "no model is live yet", "turn_id": "70"}
    assert get("7") == EMPTY | failed
    assert ask("7").json() == EMPTY | failed | {"state": "drafting", "message": ""}


def test_the_newest_suggestion_is_the_one_that_is_shown(
    get: Callable[[str], Any], store: Store, suggestion: Make
) -> None:
    store.suggestions.save(suggestion(created_at="2026-05-24T10:00:00Z"))
    store.suggestions.save(
        suggestion(id="s-2", turn_id="71", draft="Newer", claims=(), created_at="2026-05-24T11:00:00Z")
    )
    assert (get("7")["suggestion"]["id"], get("7")["turn_id"]) == ("s-2", "71")


def test_every_field_that_the_app_reads_is_in_the_answer(
    get: Callable[[str], Any], store: Store, suggestion: Make
) -> None:
    store.suggestions.save(suggestion())
    answer = get("7")
    parts = {
        "answer": answer,
        "suggestion": answer["suggestion"],
        "route": answer["route"],
        "source": answer["suggestion"]["sources"][0],
    }
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in ASSETS.glob("*.js"))
    for name, part in parts.items():
        read = set(re.findall(rf"(?<![.\w]){name}\.([a-z_]+)\b(?!\()", scripts)) - {"length"}
        assert read, f"the app reads nothing of {name}?"
        assert read <= set(part), f"{name} lacks {read - set(part)}"


# ---- asking for a draft


def test_asking_puts_the_ticket_into_the_inbox_once(ask: Callable[[str], requests.Response], store: Store) -> None:
    first, second = ask("7"), ask("7")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == {"ticket_id": "7", "state": "drafting"} | EMPTY
    assert store.inbox.counts()["waiting"] == 1
    store.inbox.finish(taken(store), "w")
    assert ask("7").status_code == 202
    assert store.inbox.counts()["waiting"] == 1, "once it is done, it can be asked for again"


def test_what_is_no_tickets_number_is_not_found(served: str, store: Store) -> None:
    for ticket_id in ("9" * 21, "9" * 5000, "-1", "1.5", "abc", "7;drop", "%00", "../7", ""):
        for method in ("GET", "POST"):
            address = f"{served}/api/v1/tickets/{ticket_id}/suggestion"
            answer = requests.request(method, address, headers=HEADERS, timeout=10)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), ticket_id[:30]
    assert store.inbox.counts()["waiting"] == 0


def test_the_largest_number_is_a_ticket_like_any_other(get: Callable[[str], Any]) -> None:
    assert get("9" * 20) == {"ticket_id": "9" * 20, "state": "none"} | EMPTY
    assert get("007")["ticket_id"] == "7"
