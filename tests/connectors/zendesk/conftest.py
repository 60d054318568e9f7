"""What the connector's tests share: reading a stream, small pages, a helpdesk that refuses, what it was asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import request

from connectors.records import Page, Record
from connectors.zendesk import exports, paging


@pytest.fixture
def read() -> Callable[..., list[Page]]:
    """All pages of a stream; the last one, and no other, has to be `done`."""

    def read(zendesk: Any, stream: str, cursor: str | None = None, *, since: int = 0) -> list[Page]:
        pages = list(zendesk.pages(stream, cursor, since=since))
        assert [page.done for page in pages] == [False] * (len(pages) - 1) + [True]
        return pages

    return read


@pytest.fixture
def of() -> Callable[[Sequence[Page], type], list[Any]]:
    """The records of a kind on these pages."""

    def of(pages: Sequence[Page], kind: type) -> list[Record]:
        return [record for page in pages for record in page.records if isinstance(record, kind)]

    return of


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has exports and lists come so many rows a page."""

    def rows(count: int) -> None:
        monkeypatch.setattr(paging, "EXPORT_ROWS", count)
        monkeypatch.setattr(paging, "LIST_ROWS", count)

    return rows


@pytest.fixture
def no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connector may start within the last minute, as the sandbox of these tests does."""
    monkeypatch.setattr(exports, "LAG_S", 0)


@pytest.fixture
def refuse(desk: Any) -> Callable[..., None]:
    """Has the helpdesk refuse addresses from now on: pairs of an expression and a status, none for none."""

    def refuse(*refused: tuple[str, int]) -> None:
        desk.sandbox.app.config["SANDBOX_REFUSED"] = dict(refused)

    return refuse


@pytest.fixture
def asked(desk: Any) -> list[str]:
    """Path and query of each API request that reaches the helpdesk."""
    targets: list[str] = []

    def note() -> None:
        if request.path.startswith("/api/"):
            targets.append(request.environ["sandbox.target"])

    desk.sandbox.app.before_request_funcs.setdefault(None, []).insert(0, note)
    return targets


@pytest.fixture
def tick() -> Callable[[], None]:
    """Waits for the next second, so that what changes from now on is later than what changed before."""
    return lambda: time.sleep(1.001 - time.time() % 1.0)
