"""Drafts on their way and told facts: one text a ticket, facts by turn, and nothing of a ticket that was deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.records import Deletion, Ticket
from connectors.store.database import Store

DESK = "zendesk"


@pytest.fixture
def open_ticket(store: Store, ticket: Callable[..., Ticket]) -> str:
    store.mirror.save(DESK, [ticket("7")])
    return "7"


def test_a_longer_text_replaces_the_shorter_one(store: Store) -> None:
    assert store.drafting.text(DESK, "7") == ""
    store.drafting.write(DESK, "7", "70", "Hi")
    store.drafting.write(DESK, "7", "70", "Hi Deniz,")
    assert store.drafting.text(DESK, "7") == "Hi Deniz,"
    assert store.drafting.text("other", "7") == ""
    store.drafting.clear(DESK, "7")
    assert store.drafting.text(DESK, "7") == ""


def test_facts_are_kept_by_turn_in_order_and_once(store: Store) -> None:
    for fact in ("The parcel is in Tilburg.", "It comes on Friday.", "The parcel is in Tilburg."):
        store.drafting.tell(DESK, "7", "70", fact)
    store.drafting.tell(DESK, "7", "71", "The refund is approved.")
    assert store.drafting.facts(DESK, "7", "70") == ["The parcel is in Tilburg.", "It comes on Friday."]
    assert store.drafting.facts(DESK, "7", "71") == ["The refund is approved."]
    assert store.drafting.facts(DESK, "8", "70") == []


def test_a_ticket_that_is_deleted_takes_them_along(store: Store, open_ticket: str) -> None:
    store.drafting.write(DESK, open_ticket, "70", "Hi Deniz,")
    store.drafting.tell(DESK, open_ticket, "70", "It comes on Friday.")
    store.mirror.save(DESK, [Deletion(open_ticket, 2000)])
    assert store.drafting.text(DESK, open_ticket) == ""
    assert store.drafting.facts(DESK, open_ticket, "70") == []
    store.drafting.write(DESK, open_ticket, "70", "Hi Deniz, your parcel")
    store.drafting.tell(DESK, open_ticket, "70", "It comes on Monday.")
    assert store.drafting.text(DESK, open_ticket) == "", "a worker that had not noticed brings nothing back"
    assert store.drafting.facts(DESK, open_ticket, "70") == []
