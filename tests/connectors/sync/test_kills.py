"""A sync killed by SIGKILL at every request, and at random moments: the next one ends with the same database."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Response, request

from connectors.store.database import Store
from connectors.store.history import TABLES

DESK = "zendesk"
# Forks for each sync, with everything imported already: a new interpreter each time would take a second.
RUNNER = """
import json, os, sys
from pathlib import Path
from connectors.settings import HelpdeskSettings
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.zendesk import api, exports, paging
from connectors.zendesk.client import Zendesk

for line in sys.stdin:
    path, url, token, bulk = json.loads(line)
    pid = os.fork()
    if pid == 0:
        try:
            desk = Zendesk(HelpdeskSettings(url=url, token=token))
            desk.bulk_comments = bulk
            with Store(Path(path)) as store:
                summary = sync(desk, store)
            os._exit(1 if summary.failed or summary.skipped else 0)
        except BaseException:
            os._exit(2)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Victims:
    """Runs syncs in processes of their own, and kills one when a request comes by."""

    def __init__(self, desk: Any, folder: Path) -> None:
        self.desk = desk
        self.folder = folder
        self.requests = 0
        self.paths: set[str] = set()
        self._kill_at: int | None = None
        self._after = False
        self._pid = 0
        self._started = threading.Event()
        self._runner = subprocess.Popen(
            [sys.executable, "-c", RUNNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        desk.sandbox.app.before_request(self._before_request)
        desk.sandbox.app.after_request(self._after_request)

    def _before_request(self) -> None:
        if request.path.startswith("/api/"):
            self.requests += 1
            self.paths.add(request.path)
            if self.requests == self._kill_at and not self._after:
                self._kill()

    def _after_request(self, response: Response) -> Response:
        if self.requests == self._kill_at and self._after and request.path.startswith("/api/"):
            self._kill()
        return response

    def _kill(self) -> None:
        assert self._started.wait(10)
        with contextlib.suppress(ProcessLookupError):  # it was done before
            os.kill(self._pid, signal.SIGKILL)

    def sync(
        self, path: Path, bulk: bool, *, kill_at: int | None = None, after: bool = False, kill_in_s: float = 0
    ) -> int:
        """One sync; returns the process's wait status, which is the signal where it was killed."""
        self.requests, self._kill_at, self._after = 0, kill_at, after
        self._started.clear()
        runner = self._runner
        assert runner.stdin
        assert runner.stdout
        runner.stdin.write(json.dumps([str(path), self.desk.url, self.desk.token, bulk]) + "\n")
        runner.stdin.flush()
        self._pid = int(runner.stdout.readline())
        self._started.set()
        if kill_in_s:
            timer = threading.Timer(kill_in_s, self._kill)
            timer.start()
        status = int(runner.stdout.readline())
        if kill_in_s:
            timer.cancel()
        return status

    def close(self) -> None:
        self._runner.communicate()


@pytest.fixture
def victims(desk: Any, tmp_path: Path) -> Iterator[Victims]:
    # Flask takes new hooks only before its first request; this is a test's own application.
    desk.sandbox.app._got_first_request = False
    victims = Victims(desk, tmp_path)
    yield victims
    victims.close()


def content(path: Path) -> dict[str, list[dict[str, Any]]]:
    with Store(path) as store:
        assert store.due.count(DESK) == 0
        found = {table: list(store.rows(f"select * from {table} order by 1, 2, 3")) for table in TABLES}
        assert next(store.rows("pragma integrity_check"))["integrity_check"] == "ok"
    return found


@pytest.mark.parametrize("bulk", [True, False], ids=["bulk", "one-by-one"])
def test_a_sync_killed_at_any_request_ends_with_the_same_database(victims: Victims, bulk: bool) -> None:
    whole = victims.folder / "whole.db"
    assert victims.sync(whole, bulk) == 0
    expected, requests = content(whole), victims.requests
    assert requests > 10
    assert ("/api/v2/incremental/ticket_events" in victims.paths) == bulk
    for number in range(1, requests + 1):
        path = victims.folder / f"killed-{number}.db"
        # Before the helpdesk has done anything, or when its answer is on the way.
        assert victims.sync(path, bulk, kill_at=number, after=bool(number % 2)) == signal.SIGKILL
        assert victims.sync(path, bulk) == 0
        assert content(path) == expected, f"killed at request {number} of {requests}"


def test_a_sync_killed_again_and_again_gets_there(victims: Victims) -> None:
    """At any moment, in the middle of a transaction too."""
    whole, path = victims.folder / "whole.db", victims.folder / "killed.db"
    assert victims.sync(whole, True) == 0
    moments = random.Random(17)
    killed = 0
    for _ in range(25):
        killed += victims.sync(path, True, kill_in_s=moments.uniform(0.005, 0.25)) == signal.SIGKILL
    assert killed >= 5, "otherwise nothing was shown"
    assert victims.sync(path, True) == 0
    assert content(path) == content(whole)
