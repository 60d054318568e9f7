"""A fake Zammad with customers and agents at hand, and a connector on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.zammad.client import Zammad

from .desk import ZammadDesk
from .server import FakeZammad


@pytest.fixture
def desk() -> Iterator[ZammadDesk]:
    with FakeZammad(token=ZammadDesk.token) as server, ZammadDesk(server) as desk:
        yield desk


@pytest.fixture
def server(desk: ZammadDesk) -> FakeZammad:
    return desk.server


@pytest.fixture
def zammad(desk: ZammadDesk) -> Zammad:
    helpdesk = desk.helpdesk()
    assert isinstance(helpdesk, Zammad)
    return helpdesk
