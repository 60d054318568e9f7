"""The way into the inbox: one commit for what comes together, and nobody is told 'stored' for what is not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import StoreError
from connectors.store.database import Store
from connectors.store.inbox import Delivery, Inbox
from plugin.intake import Intake

THREADS = 8


def put_together(intake: Intake, path: Path, deliveries: list[Delivery]) -> list[bool | StoreError]:
    """Each from a thread of its own, with a connection of its own; what each was told."""
    told: list[Any] = [None] * len(deliveries)
    start = threading.Barrier(len(deliveries))

    def put(number: int) -> None:
        with Store(path) as own:
            start.wait()
            try:
                told[number] = intake.put(own, deliveries[number])
            except StoreError as error:
                told[number] = error

    threads = [threading.Thread(target=put, args=(number,)) for number in range(len(deliveries))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Store(tmp_path / "deskhand.db").close()
    return tmp_path / "deskhand.db"


def test_what_comes_while_a_commit_runs_goes_into_the_next_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []
    put_all = Inbox.put_all

    def slowly(self: Inbox, deliveries: list[Delivery]) -> list[bool]:
        batches.append(len(deliveries))
        time.sleep(0.3)
        return put_all(self, deliveries)

    monkeypatch.setattr(Inbox, "put_all", slowly)
    told = put_together(Intake(), path, [Delivery("desk", f"d{number}", "7") for number in range(THREADS)])
    assert told == [True] * THREADS
    assert sum(batches) == THREADS
    assert len(batches) <= 3
    with Store(path) as store:
        assert store.inbox.counts()["waiting"] == THREADS


def test_of_the_same_delivery_at_the_same_time_one_is_new(path: Path) -> None:
    told = put_together(Intake(), path, [Delivery("desk", "d1", "7")] * THREADS)
    assert sorted(told) == [False] * (THREADS - 1) + [True]


@pytest.mark.parametrize("error", [StoreError("the disk is full", hint="free some space"), RuntimeError("a bug")])
def test_where_a_commit_fails_all_who_waited_for_it_hear_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    intake = Intake()

    def fails(self: Inbox, deliveries: list[Delivery]) -> list[bool]:
        time.sleep(0.2)
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(Inbox, "put_all", fails)
        told = put_together(intake, path, [Delivery("desk", f"d{number}", "7") for number in range(THREADS)])
    assert [type(one) for one in told] == [StoreError] * THREADS
    with Store(path) as store:
        assert store.inbox.counts()["waiting"] == 0
        assert intake.put(store, Delivery("desk", "d1", "7")), "and the next one is stored"


def test_other_processes_that_write_are_waited_for(path: Path) -> None:
    """A second of somebody else's transaction, such as a page of a sync, is no error."""
    script = """
import sys, time
from pathlib import Path
from connectors.store.database import Store
with Store(Path(sys.argv[1])) as store, store.transaction():
    print("locked", flush=True)
    time.sleep(1)
"""
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        told = put_together(Intake(), path, [Delivery("desk", f"d{number}", "7") for number in range(THREADS)])
    assert told == [True] * THREADS
