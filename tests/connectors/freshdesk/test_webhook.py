"""Freshdesk's webhook where the contract does not look: what tells one event from the next."""

from __future__ import annotations

import json

import pytest

from connectors.errors import WebhookError
from connectors.freshdesk import webhook

HEADERS = {"authorization": "Bearer s3cret"}


def read(content: object, now: float = 1000.0) -> str:
    event = webhook.read(HEADERS, json.dumps(content).encode(), secret="s3cret", now=now)
    assert event.ticket_id == "7"
    return event.delivery_id


def test_numbers_and_texts_name_the_same_ticket() -> None:
    assert read({"ticket_id": 7, "changed": "a"}) == read({"ticket_id": "7", "changed": "a"})


def test_without_a_time_in_the_body_two_events_are_two_all_the_same() -> None:
    for content in ({"ticket_id": 7}, {"ticket_id": 7, "changed": ""}):
        assert read(content) == read(content, now=1010.0), "tried again within the minute"
        assert read(content) != read(content, now=2000.0)


def test_the_same_time_on_another_ticket_is_another_event() -> None:
    other = webhook.read(HEADERS, b'{"ticket_id": 8, "changed": "a"}', secret="s3cret")
    assert other.delivery_id != read({"ticket_id": 7, "changed": "a"})


@pytest.mark.parametrize("ticket_id", [None, True, 1.5, [7], "", "7a", "-7", "\u0667", "1" * 21])
def test_what_is_no_number_of_a_ticket_is_refused(ticket_id: object) -> None:
    with pytest.raises(WebhookError) as caught:
        webhook.read(HEADERS, json.dumps({"ticket_id": ticket_id}).encode(), secret="s3cret")
    assert webhook.BODY in caught.value.hint


def test_the_hint_holds_what_has_to_be_typed_in() -> None:
    hint = webhook.HINT.format(endpoint="https://deskhand.acme.example/webhook")
    assert "https://deskhand.acme.example/webhook" in hint
    assert webhook.BODY in hint
