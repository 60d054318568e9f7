"""Polling: what a customer may wait on goes into the inbox, once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors import clock
from connectors.errors import FatalError, ForbiddenError, RetriableError
from connectors.lock import exclusive
from connectors.records import Thread
from connectors.store.database import Store
from connectors.sync.engine import sync
from plugin.watch import LOOK_BACK_S, Watcher

from ..connectors.memory_desk import AGENT, MemoryDesk, account, comment, ticket

DESK = "zendesk"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "deskhand.db") as store:
        yield store


@pytest.fixture
def desk(store: Store) -> MemoryDesk:
    """Synced once, with two old tickets."""
    desk = account(2)
    sync(desk, store)
    return desk


def opens(desk: MemoryDesk, number: int, *, age_s: int = 0, status: str = "new", thread: bool = False) -> None:
    at = int(time.time()) - age_s
    moment = clock.from_epoch(at)
    one = ticket(number, status=status, created_at=moment, updated_at=moment, generated_at=at)
    desk.content["tickets"] = [[one, Thread(one.id, (comment(number, 0, author_id="1"),))] if thread else [one]]


def waiting(store: Store) -> list[str]:
    return [row["ticket_id"] for row in store.rows("select ticket_id from inbox order by id")]


def test_a_new_ticket_goes_into_the_inbox_once(desk: MemoryDesk, store: Store, tmp_path: Path) -> None:
    watcher = Watcher(desk, store, tmp_path)
    assert watcher.look() == 0
    opens(desk, 7)
    assert watcher.look() == 1
    assert watcher.look() == 0, "nobody has worked on it yet; it is there all the same"
    assert waiting(store) == ["7"]


def test_a_helpdesk_that_brings_the_comments_along_is_watched_too(
    desk: MemoryDesk, store: Store, tmp_path: Path
) -> None:
    watcher = Watcher(desk, store, tmp_path)
    opens(desk, 7, thread=True)
    assert (watcher.look(), watcher.look()) == (1, 0)
    assert waiting(store) == ["7"]


def test_it_comes_again_when_the_ticket_changes(desk: MemoryDesk, store: Store, tmp_path: Path) -> None:
    watcher = Watcher(desk, store, tmp_path)
    opens(desk, 7, age_s=60)
    watcher.look()
    store.mirror.save_thread(DESK, Thread("7", (comment(7, 0, author_id="1"),)))  # as the worker does
    assert watcher.look() == 0
    opens(desk, 7)
    assert watcher.look() == 1
    store.mirror.save_thread(DESK, Thread("7", (comment(7, 0, author_id="1"), comment(7, 1)), (AGENT,)))
    opens(desk, 7, age_s=-1)
    desk.content["tickets"][0].append(Thread("7", (comment(7, 0, author_id="1"), comment(7, 1)), (AGENT,)))
    assert watcher.look() == 0, "the team has answered"


def test_solved_and_long_forgotten_tickets_are_left_alone(desk: MemoryDesk, store: Store, tmp_path: Path) -> None:
    watcher = Watcher(desk, store, tmp_path)
    opens(desk, 7, status="solved")
    assert watcher.look() == 0
    opens(desk, 8, age_s=LOOK_BACK_S * 3)
    assert watcher.look() == 0


def test_before_the_first_sync_there_is_no_watching(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="synced") as caught:
        Watcher(account(1), store, tmp_path)
    assert caught.value.hint == "run: deskhand sync"


def test_a_sync_by_cron_and_a_helpdesk_that_is_down_are_waited_out(
    desk: MemoryDesk, store: Store, tmp_path: Path
) -> None:
    watcher = Watcher(desk, store, tmp_path)
    opens(desk, 7)
    with exclusive(tmp_path, "sync"):
        assert watcher.look() == 0
    desk.failures["tickets"] = [RetriableError("502")]
    assert watcher.look() == 0
    assert watcher.look() == 1


def test_tickets_that_may_not_be_read_end_the_watch(desk: MemoryDesk, store: Store, tmp_path: Path) -> None:
    desk.failures["tickets"] = [ForbiddenError("403")]
    with pytest.raises(FatalError, match="403"):
        Watcher(desk, store, tmp_path).look()


def test_deleted_tickets_are_no_ones_business(desk: MemoryDesk, store: Store, tmp_path: Path) -> None:
    watcher = Watcher(desk, store, tmp_path)
    opens(desk, 7)
    (one,) = desk.content["tickets"][0]
    desk.content["tickets"] = [[replace(one, deleted=True)]]  # type: ignore[type-var]
    assert watcher.look() == 0
