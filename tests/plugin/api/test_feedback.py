"""Feedback: what is kept, what is refused, and what is said about it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import requests

from connectors.store.database import Store
from connectors.store.suggestions import Suggestion

Make = Callable[..., Suggestion]
HEADERS = {"Authorization": "Bearer deskhand_token-that-nobody-may-see"}


@pytest.fixture
def rate(served: str) -> Callable[..., requests.Response]:
    def rate(suggestion_id: str = "s-1", **sent: Any) -> requests.Response:
        address = f"{served}/api/v1/suggestions/{suggestion_id}/feedback"
        return requests.post(address, timeout=10, **({"headers": HEADERS} | sent))

    return rate


@pytest.mark.parametrize("action", ["inserted", "copied", "edited", "thumb_up", "thumb_down"])
def test_feedback_is_kept(action: str, rate: Callable[..., Any], store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion())
    answer = rate(json={"action": action, "reason": "wrong tone"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert rate(json={"action": action}).status_code == 204
    kept = [(one["action"], one["reason"]) for one in store.suggestions.feedback("s-1")]
    assert kept == [(action, "wrong tone"), (action, "")]


def test_a_reason_may_be_as_long_as_the_app_lets_it_be(
    rate: Callable[..., Any], store: Store, suggestion: Make
) -> None:
    store.suggestions.save(suggestion())
    assert rate(json={"action": "thumb_down", "reason": "📦" * 500}).status_code == 204
    assert rate(json={"action": "thumb_down", "reason": "x" * 501}).status_code == 422
    assert [one["reason"] for one in store.suggestions.feedback("s-1")] == ["📦" * 500]


def test_half_an_emoji_does_not_lose_the_reason(served: str, store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion())
    answer = requests.post(
        f"{served}/api/v1/suggestions/s-1/feedback",
        data=b'{"action": "thumb_down", "reason": "other: \\ud83d"}',
        headers=HEADERS | {"Content-Type": "application/json"},
        timeout=10,
    )
    assert answer.status_code == 204
    assert [one["reason"] for one in store.suggestions.feedback("s-1")] == ["other: ?"]


NONSENSE: tuple[dict[str, Any], ...] = (
    {"data": b""},
    {"data": b"{", "headers": HEADERS | {"Content-Type": "application/json"}},
    {"data": b"[" * 16_000, "headers": HEADERS | {"Content-Type": "application/json"}},
    {"json": [1]},
    {"json": "thumb_up"},
    {"json": {}},
    {"json": {"action": "sent"}},
    {"json": {"action": None}},
    {"json": {"action": ["thumb_up"]}},
    {"json": {"action": {"thumb_up": 1}}},
    {"json": {"action": "thumb_up", "reason": None}},
    {"json": {"action": "thumb_up", "reason": ["wrong tone"]}},
)


def test_feedback_that_makes_no_sense_is_refused(rate: Callable[..., Any], store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion())
    for sent in NONSENSE:
        answer = rate(**sent)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid"), sent
    assert store.suggestions.feedback("s-1") == []


def test_a_body_that_is_not_declared_as_json_is_refused(
    rate: Callable[..., Any], store: Store, suggestion: Make
) -> None:
    store.suggestions.save(suggestion())
    answer = rate(data=b"action=thumb_up")
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_what_is_too_long_is_refused_before_it_is_read(
    rate: Callable[..., Any], store: Store, suggestion: Make
) -> None:
    store.suggestions.save(suggestion())
    answer = rate(json={"action": "thumb_down", "reason": "x" * 20_000})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_entity_too_large")
    assert store.suggestions.feedback("s-1") == []


def test_what_was_done_is_counted(served: str, rate: Callable[..., Any], store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion())
    for action in ("inserted", "edited", "inserted", "thumb_up"):
        assert rate(json={"action": action}).status_code == 204
    answer = requests.get(f"{served}/api/v1/suggestions/s-1/feedback", headers=HEADERS, timeout=10)
    assert answer.json() == {"inserted": 2, "copied": 0, "edited": 1, "thumb_up": 1, "thumb_down": 0}
    assert requests.get(f"{served}/api/v1/suggestions/s-2/feedback", headers=HEADERS, timeout=10).status_code == 404


def test_feedback_on_another_helpdesks_suggestion_is_refused(
    rate: Callable[..., Any], store: Store, suggestion: Make
) -> None:
    store.suggestions.save(suggestion(helpdesk="another"))
    assert rate(json={"action": "thumb_up"}).status_code == 404


def test_feedback_on_a_suggestion_that_is_not_there_is_refused(rate: Callable[..., Any]) -> None:
    answer = rate("s-404", json={"action": "thumb_up"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_what_agents_and_customers_wrote_stays_out_of_logs_and_errors(
    served: str, rate: Callable[..., Any], store: Store, suggestion: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store.suggestions.save(suggestion())
    said = [
        rate(json={"action": "deniz@mail.example", "reason": "It comes on 14 April"}),
        rate("deniz@mail.example", json={"action": "thumb_up", "reason": "It comes on 14 April"}),
        requests.get(f"{served}/deniz", headers=HEADERS, timeout=10),
    ]
    assert [answer.status_code for answer in said] == [422, 404, 404]
    own = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("urllib3"))
    everything = own + "".join(answer.text for answer in said)
    for hidden in ("deniz", "14 April", "nobody-may-see"):
        assert hidden not in everything
