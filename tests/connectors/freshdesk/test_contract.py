"""The contract, with the fake Freshdesk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..contract import HelpdeskContract
from .desk import FreshdeskDesk
from .server import FakeFreshdesk


class TestFreshdesk(HelpdeskContract):
    @pytest.fixture
    def desk(self) -> Iterator[FreshdeskDesk]:
        with FakeFreshdesk(key=FreshdeskDesk.token) as server, FreshdeskDesk(server) as desk:
            yield desk
