"""The contract, with the fake Zammad."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..contract import HelpdeskContract
from .desk import ZammadDesk
from .server import FakeZammad


class TestZammad(HelpdeskContract):
    @pytest.fixture
    def desk(self) -> Iterator[ZammadDesk]:
        with FakeZammad(token=ZammadDesk.token) as server, ZammadDesk(server) as desk:
            yield desk
