"""A sync through a network where every third answer goes wrong ends with the database of a quiet one."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.store.database import Store
from connectors.store.history import TABLES
from connectors.sync.engine import sync
from connectors.zendesk.client import Zendesk

from ..fault_proxy import Fault, FaultProxy

DESK = "zendesk"


@dataclass
class EveryThird(Fault):
    """Spoils the first request and every third one from there on."""

    count: int = -1

    def fits(self, method: str, target: str) -> bool:
        if not super().fits(method, target):
            return False
        self.count += 1
        return self.count % 3 == 0


def http_date(seconds_from_now: float) -> str:
    return email.utils.formatdate(time.time() + seconds_from_now, usegmt=True)


FAULTS: dict[str, dict[str, Any]] = {
    "429 with seconds": {"kind": "status", "status": 429, "headers": {"Retry-After": "7"}},
    "429 with a date": {"kind": "status", "status": 429, "headers": {"Retry-After": http_date(20)}},
    "429 without a word": {"kind": "status", "status": 429},
    "500": {"kind": "status", "status": 500},
    "502 in HTML": {"kind": "status", "status": 502, "body": b"<html>Bad gateway</html>"},
    "503": {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}},
    "504 on exports": {"kind": "status", "status": 504, "path": "incremental"},
    "504 everywhere": {"kind": "status", "status": 504},
    "reset": {"kind": "reset"},
    "cut off": {"kind": "truncate"},
    "no JSON": {"kind": "status", "status": 200, "body": b"<html>One moment, please</html>"},
    "half JSON": {"kind": "status", "status": 200, "body": b'{"tickets": [{"id": 1, "sub'},
    "nothing": {"kind": "status", "status": 200, "body": b""},
    "token expired": {"kind": "status", "status": 401},
    "clock ten minutes ahead": {"kind": "status", "status": 503, "headers": {"Date": http_date(600)}},
}


@pytest.fixture
def proxy(desk: Any) -> Iterator[FaultProxy]:
    proxy = FaultProxy(desk.url)
    yield proxy
    proxy.close()


def content(store: Store) -> dict[str, list[dict[str, Any]]]:
    assert store.due.count(DESK) == 0
    # Addresses are those that the helpdesk was asked by.
    found = {
        table: [row | {"raw": "", "url": ""} for row in store.rows(f"select * from {table} order by 1, 2, 3")]
        for table in TABLES
    }
    assert len(found["comments"]) == 149
    return found


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("bulk", [True, False], ids=["bulk", "one-by-one"])
def test_every_third_answer_goes_wrong(
    name: str,
    bulk: bool,
    desk: Any,
    proxy: FaultProxy,
    connect: Callable[..., Zendesk],
    store: Store,
    empty_store: Path,
    tmp_path: Path,
    naps: list[float],
) -> None:
    quiet = connect(desk.url, token=desk.token)
    quiet.bulk_comments = bulk
    with Store(tmp_path / "quiet.db") as expected:
        sync(quiet, expected)
        wanted = content(expected)
    fault = EveryThird(times=-1, **FAULTS[name])
    proxy.faults.append(fault)
    shaken = connect(proxy.url, token=desk.token)
    shaken.bulk_comments = bulk
    summary = sync(shaken, store)
    assert (summary.failed, summary.skipped) == ({}, {})
    assert fault.count > 2, "it did go wrong"
    assert content(store) == wanted
    assert max(naps, default=0) <= 60, "nothing waits for minutes where nobody asked for it"
