"""The fake Freshdesk and a connector to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.freshdesk.client import Freshdesk

from .desk import FreshdeskDesk
from .server import FakeFreshdesk


@pytest.fixture
def server() -> Iterator[FakeFreshdesk]:
    with FakeFreshdesk(key=FreshdeskDesk.token) as server:
        yield server


@pytest.fixture
def fresh(server: FakeFreshdesk) -> Iterator[FreshdeskDesk]:
    """The desk, for the tests that go beyond the contract."""
    with FreshdeskDesk(server) as desk:
        yield desk


@pytest.fixture
def freshdesk(fresh: FreshdeskDesk) -> Freshdesk:
    return fresh.helpdesk()
