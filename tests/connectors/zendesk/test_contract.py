"""The contract, with the sandbox."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.server import Sandbox

from ..contract import HelpdeskContract
from .desk import SandboxClock, ZendeskDesk

LIMITS = {
    f"SANDBOX_{name}": 100_000
    for name in ("REQUESTS_PER_MIN", "EXPORTS_PER_MIN", "UPDATES_PER_MIN", "TICKET_UPDATES_PER_10_MIN")
}


class TestZendesk(HelpdeskContract):
    @pytest.fixture
    def desk(self, seeded_desk: Path, tmp_path: Path) -> Iterator[ZendeskDesk]:
        database, now = Path(shutil.copy(seeded_desk, tmp_path / "sandbox.db")), SandboxClock()
        with (
            Sandbox(database, SANDBOX_EXPORT_LAG_S=0, SANDBOX_CLOCK=now, **LIMITS) as sandbox,
            ZendeskDesk(sandbox, database, now) as desk,
        ):
            yield desk
