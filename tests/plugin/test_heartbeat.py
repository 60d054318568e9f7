"""Signs of life: a job may take longer than its lease, but not for ever."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.inbox import Job
from plugin.heartbeat import Heartbeat

NAME = "sandbox"


def wait_for(what: Callable[[], object], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Beating:
    """A heartbeat of a worker that holds a job."""

    def __init__(self, settings: Settings) -> None:
        self.job: Job | None = None
        self.stuck = threading.Event()
        self.tickets: list[str] = []
        self.heart = Heartbeat(
            settings, "worker-1", at_hand=lambda: self.job, version=lambda: "v20261124-081500", stuck=self._is_stuck
        )

    def _is_stuck(self, ticket_id: str) -> None:
        self.tickets.append(ticket_id)
        self.stuck.set()


@pytest.fixture
def beating(settings: Settings) -> Callable[..., Beating]:
    def beating(**changes: Any) -> Beating:
        plugin = settings.plugin.model_copy(update={"lease_s": 1.0} | changes)
        return Beating(settings.model_copy(update={"plugin": plugin}))

    return beating


@pytest.fixture
def job(store: Store) -> Job:
    store.inbox.put(NAME, "d-1", "7")
    job = store.inbox.claim("worker-1", lease_s=1.0)
    assert job
    return job


def test_a_long_job_keeps_its_lease(beating: Callable[..., Beating], store: Store, job: Job) -> None:
    beat = beating()
    beat.job = job
    with beat.heart:
        ends_at = time.monotonic() + 2.5
        while time.monotonic() < ends_at:
            assert store.inbox.claim("worker-2", lease_s=1) is None
            time.sleep(0.1)
    assert store.inbox.finish(job, "worker-1")


def test_without_a_heart_the_lease_runs_out(store: Store, job: Job) -> None:
    time.sleep(1.1)
    assert store.inbox.claim("worker-2", lease_s=1)


def test_a_job_that_takes_for_ever_is_let_go_and_said(beating: Callable[..., Beating], store: Store, job: Job) -> None:
    beat = beating(max_job_s=0.5)
    beat.job = job
    with beat.heart:
        assert beat.stuck.wait(10)
        wait_for(lambda: store.inbox.claim("worker-2", lease_s=60))
    assert set(beat.tickets) == {"7"}


def test_the_worker_can_be_seen_as_long_as_it_is_there(beating: Callable[..., Beating], store: Store, job: Job) -> None:
    beat = beating()
    with beat.heart:
        wait_for(store.inbox.workers)
        (seen,) = store.inbox.workers(within_s=5)
        assert (seen.name, seen.pid, seen.version, seen.ticket_id) == ("worker-1", os.getpid(), "v20261124-081500", "")
        beat.job = job
        wait_for(lambda: store.inbox.workers()[0].ticket_id == "7")
    assert store.inbox.workers() == [], "and leaves nothing behind"


def test_what_is_long_done_is_deleted_but_not_what_may_come_again(
    beating: Callable[..., Beating], store: Store
) -> None:
    for number, at in enumerate(("2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z")):
        store.inbox.put(NAME, f"d-{number}", "7")
        store.execute(
            "update inbox set status = 'done', received_at = ?, available_at = ? where delivery_id = ?",
            (at, time.time() - (9000 if number == 0 else 1000) * 24 * 3600, f"d-{number}"),
        )
    # Signatures that stay fresh for so long keep rows for longer than the setting says.
    years_s = 365.0 * 24 * 3600
    with beating(webhook_max_age_s=2 * years_s).heart:
        wait_for(lambda: store.inbox.counts()["done"] == 1)
    assert [row["delivery_id"] for row in store.rows("select delivery_id from inbox")] == ["d-1"]


def test_a_store_that_is_locked_does_not_end_it(
    beating: Callable[..., Beating], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.store.database.BUSY_TIMEOUT_S", 0.1)
    beat = beating()
    with beat.heart:
        wait_for(store.inbox.workers)
        before = store.inbox.workers()[0].seen_s
        with store.transaction():
            time.sleep(1.0)
        wait_for(lambda: store.inbox.workers()[0].seen_s > before + 0.5)
