"""Listings whose rows are hidden from us, as a server tells them that checks rights after it has counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.http.client import Http
from connectors.request_tracker import rest
from connectors.request_tracker.rest import Rest


@pytest.fixture
def listing(scripted: Any) -> Iterator[Rest]:
    http = Http(scripted.url, lambda _: "token 1-2-x", sleep=lambda _: None)
    yield Rest(http)
    http.close()


@pytest.fixture
def asked(scripted: Any) -> Callable[[str], list[str]]:
    """What the server was asked for, by a parameter's name."""
    return lambda name: [parse_qs(urlsplit(request.target).query)[name][0] for request in scripted.requests]


def page(*ids: int, pages: int | None = None) -> dict[str, Any]:
    return {"items": [{"id": str(number)} for number in ids], "pages": pages}


def test_a_counted_listing_ends_with_its_count(listing: Rest, scripted: Any, asked: Any) -> None:
    for items in (page(1, pages=3), page(pages=3), page(7, pages=3)):
        scripted.says(items)
    assert [row["id"] for row in listing.rows("/tickets", {})] == ["1", "7"]
    assert asked("page") == ["1", "2", "3"]


def test_an_uncounted_listing_ends_with_an_empty_page(listing: Rest, scripted: Any) -> None:
    for items in (page(1), page(2), page()):
        scripted.says(items)
    assert [row["id"] for row in listing.rows("/transactions", {})] == ["1", "2"]


def test_where_nothing_is_hidden_a_short_page_is_the_last(
    listing: Rest, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "PER_PAGE", 2)
    for items in (page(1, 2), page(3)):
        scripted.says(items)
    assert [row["id"] for row in listing.rows("/attachments", {}, all_visible=True)] == ["1", "2", "3"]


def test_pages_without_a_visible_change_are_passed_over(listing: Rest, scripted: Any, asked: Any) -> None:
    for items in (page(), page(), page(450)):
        scripted.says(items)
    assert [row["id"] for row in listing.after("Type = 'Create'", 100, 500, 100)] == ["450"]
    assert asked("page") == ["1", "2", "3"]
    assert asked("query") == ["Type = 'Create' AND id > 100"] * 3


def test_looking_for_changes_ends(listing: Rest, scripted: Any) -> None:
    scripted.says(page(), times=10)
    assert listing.after("Type = 'Create'", 100, 350, 100) == [], "shredded in the meantime"
    assert len(scripted.requests) == 3
