"""What passages are made from: every change of it is due, and whom an article is for is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from connectors.records import Article, Brand, Deletion, Ticket
from connectors.store.database import Store
from connectors.store.examples import Example

DESK = "zendesk"
ARTICLE = Article("900", "Prices", "Text", "https://help.example/hc/900", "en-US", "2026-04-01T09:00:00Z")


def example(ticket_id: str = "7", **changes: Any) -> Example:
    values: dict[str, Any] = dict.fromkeys(Example.__dataclass_fields__, "")
    values |= {"helpdesk": DESK, "ticket_id": ticket_id, "comment_id": f"c{ticket_id}", "kept": True, "turn": 0}
    return Example(**(values | {"weight": 1.0, "route_label": True, "question": "Why?"} | changes))


def due(store: Store, helpdesk: str = DESK) -> list[tuple[str, str]]:
    return [(one.kind, one.source_id) for one in store.passages.sources.due(helpdesk, 99)]


def settle(store: Store) -> None:
    store.passages.sources.settle(store.passages.sources.due(DESK, 99))


def test_every_change_of_an_article_is_due_once_and_moves_the_version(store: Store) -> None:
    sources = store.passages.sources
    seen = {sources.version()}
    changes = [ARTICLE, dataclasses.replace(ARTICLE, text="New"), dataclasses.replace(ARTICLE, draft=True)]
    for change in changes:
        store.mirror.save(DESK, [change])
        assert due(store) == [("article", "900")]
        assert sources.version() not in seen
        seen.add(sources.version())
    settle(store)
    assert due(store) == []
    store.mirror.save(DESK, [changes[-1]])
    assert due(store) == [], "the same again is no change"
    assert sources.version() == max(seen)
    store.mirror.prune(DESK, "articles", set())
    assert due(store) == [("article", "900")]


def test_every_change_of_the_examples_is_due(store: Store, ticket: Callable[..., Ticket]) -> None:
    store.mirror.save(DESK, [ticket("7"), ticket("8")])
    store.examples.replace(DESK, [example("7"), example("8"), example("9", kept=False)])
    assert due(store) == [("ticket", "7"), ("ticket", "8")], "what is not kept never was a passage"
    settle(store)
    store.mirror.save(DESK, [Deletion("8", 2000)])
    assert due(store) == [("ticket", "8")]
    settle(store)
    store.examples.replace(DESK, [example("7", kept=False)])
    assert due(store) == [("ticket", "7")]


def test_what_changes_while_it_is_worked_on_stays_due(store: Store) -> None:
    store.mirror.save(DESK, [ARTICLE])
    before = store.passages.sources.due(DESK, 9)
    store.mirror.save(DESK, [dataclasses.replace(ARTICLE, text="New")])
    store.passages.sources.settle(before)
    assert due(store) == [("article", "900")]


def test_all_until_a_version_is_settled_at_once_in_one_helpdesk(store: Store) -> None:
    store.mirror.save(DESK, [ARTICLE])
    store.mirror.save("other", [ARTICLE])
    version = store.passages.sources.version()
    store.mirror.save(DESK, [dataclasses.replace(ARTICLE, id="901")])
    store.passages.sources.settle_until(DESK, version)
    assert due(store) == [("article", "901")]
    assert due(store, "other") == [("article", "900")]


@pytest.mark.parametrize(
    ("raw", "audience"),
    [
        ({}, ""),
        ({"user_segment_id": None}, ""),
        ({"user_segment_id": None, "user_segment_ids": []}, ""),
        ({"user_segment_id": 31}, "31"),
        ({"user_segment_id": 31, "user_segment_ids": [32, 31]}, "31 32"),
        ({"user_segment_id": None, "user_segment_ids": [33]}, "33"),
    ],
)
def test_whom_an_article_is_for(raw: dict[str, Any], audience: str, store: Store) -> None:
    store.mirror.save(DESK, [dataclasses.replace(ARTICLE, raw=raw)])
    (found,) = store.passages.sources.articles(DESK)
    assert (found.article, found.brand, found.audience) == (ARTICLE, "", audience)


def test_drafts_are_no_source(store: Store) -> None:
    store.mirror.save(DESK, [ARTICLE, dataclasses.replace(ARTICLE, id="901", draft=True)])
    assert [one.article.id for one in store.passages.sources.articles(DESK)] == ["900"]
    assert store.passages.sources.articles(DESK, ["901"]) == []


@pytest.mark.parametrize(
    ("url", "brand"),
    [
        ("https://one.example/hc/900", "1"),
        ("https://help.two.example/hc/900", "2"),
        ("https://TWO.example/hc/900", "2"),
        ("https://three.example/hc/900", ""),
        ("https://shared.example/hc/900", ""),
        ("https://[half", ""),
        ("", ""),
    ],
)
def test_an_article_is_of_the_brand_whose_address_it_has(url: str, brand: str, store: Store) -> None:
    brands = [
        Brand("1", "One", "https://one.example"),
        Brand("2", "Two", "https://two.example/", raw={"host_mapping": "help.two.example"}),
        Brand("3", "Three", "", raw={"host_mapping": None}),
        Brand("4", "Four", "https://shared.example"),
        Brand("5", "Five", "https://shared.example"),
        Brand("6", "Six", "https://shared.example"),
    ]
    store.mirror.save(DESK, [*brands, dataclasses.replace(ARTICLE, url=url)])
    (found,) = store.passages.sources.articles(DESK, ["900"])
    assert found.brand == brand


def test_tickets_have_their_own_brand(store: Store, ticket: Callable[..., Ticket]) -> None:
    store.mirror.save(DESK, [ticket("7", brand_id="1"), ticket("8"), ticket("9", brand_id="2")])
    assert store.passages.sources.brands_of_tickets(DESK) == {"7": "1", "9": "2"}
    assert store.passages.sources.brands_of_tickets(DESK, ["8", "9"]) == {"9": "2"}
