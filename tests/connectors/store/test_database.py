"""Opening the store, transactions, and what is said where SQLite says no."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.errors import FatalError, StoreError
from connectors.records import Ticket
from connectors.store import database
from connectors.store.database import Store

MakeTicket = Callable[..., Ticket]


def refused(call: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as caught:
        call()
    assert caught.value.hint, "an error says what to do next"
    assert isinstance(caught.value, FatalError)
    return caught.value


@contextlib.contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_a_new_file_is_made_with_its_folder_and_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "deskhand.db"
    with Store(path) as store:
        store.inbox.put("zendesk", "d1", "7")
    with Store(path, create=False) as again:
        assert again.inbox.counts()["waiting"] == 1


def test_a_missing_file_is_not_made_where_it_should_be_there(tmp_path: Path) -> None:
    error = refused(lambda: Store(tmp_path / "deskhand.db", create=False))
    assert error.hint == "run: deskhand sync"
    assert not (tmp_path / "deskhand.db").exists()


def test_readers_do_not_wait_for_a_writer_and_see_what_was_committed(store: Store, ticket: MakeTicket) -> None:
    store.mirror.save("zendesk", [ticket("1")])
    with Store(store.path) as other, store.transaction():
        store.mirror.save("zendesk", [ticket("2")])
        assert other.history.counts("zendesk")["tickets"] == 1
    assert store.history.counts("zendesk")["tickets"] == 2


def test_a_transaction_is_kept_whole_or_not_at_all(store: Store, ticket: MakeTicket) -> None:
    def broken() -> None:
        with store.transaction():
            store.mirror.save("zendesk", [ticket("1")])
            store.cursors.save("zendesk", "tickets", "c1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert store.history.ticket("zendesk", "1") is None
    assert store.cursors.get("zendesk", "tickets") is None
    store.mirror.save("zendesk", [ticket("1")])  # and the connection goes on
    assert store.history.counts("zendesk")["tickets"] == 1


def test_a_broken_inner_transaction_leaves_the_outer_one_usable(store: Store, ticket: MakeTicket) -> None:
    with store.transaction():
        store.mirror.save("zendesk", [ticket("1")])
        with contextlib.suppress(ValueError), store.transaction():
            store.mirror.save("zendesk", [ticket("2")])
            raise ValueError
    assert [one.id for one in store.history.solved_tickets("zendesk")] == ["1"]


def test_somebody_elses_errors_pass_through_a_transaction_unchanged(store: Store) -> None:
    error = ConnectionResetError("not a matter of the database")
    with pytest.raises(ConnectionResetError) as caught, store.transaction():
        raise error
    assert caught.value is error


def test_closing_in_a_transaction_drops_it(store: Store, ticket: MakeTicket) -> None:
    with contextlib.suppress(sqlite3.ProgrammingError), Store(store.path) as other, other.transaction():
        other.mirror.save("zendesk", [ticket("1")])
        other.close()
    assert store.history.ticket("zendesk", "1") is None


def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "deskhand.db"
    path.write_bytes(b"a spreadsheet, perhaps" * 100)
    assert "not a Deskhand database" in str(refused(lambda: Store(path)))
    assert path.read_bytes().startswith(b"a spreadsheet"), "it is left as it was"


def test_a_damaged_file_is_said_to_be_damaged(store: Store, ticket: MakeTicket) -> None:
    store.mirror.save("zendesk", [ticket(str(n)) for n in range(200)])
    store.close()
    content = bytearray(store.path.read_bytes())
    content[4096 * 4 :] = b"\xaa" * (len(content) - 4096 * 4)
    store.path.write_bytes(content)

    def read() -> None:
        with Store(store.path) as again:
            again.history.counts("zendesk")
            list(again.history.solved_tickets("zendesk"))

    assert "damaged" in str(refused(read))


def test_a_file_of_a_newer_version_is_left_alone(store: Store) -> None:
    with raw(store.path) as connection:
        connection.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at) values ('deskhand', 'm999_brains', 'x')"
        )
    error = refused(lambda: Store(store.path))
    assert "newer Deskhand" in str(error)
    assert "m999_brains" in str(error)
    assert "upgrade" in error.hint


def test_a_full_disk_is_said_to_be_full_and_nothing_is_half_written(store: Store, ticket: MakeTicket) -> None:
    store.mirror.save("zendesk", [ticket("1")])
    pages = next(store.rows("pragma page_count"))["page_count"]
    list(store.rows(f"pragma max_page_count = {pages}"))
    big = [ticket(str(n), raw={"x": "y" * 2000}) for n in range(2, 200)]

    def write() -> None:
        with store.transaction():
            store.mirror.save("zendesk", big)
            store.cursors.save("zendesk", "tickets", "c1")

    assert "the disk is full" in str(refused(write))
    list(store.rows("pragma max_page_count = 1000000"))  # somebody made room
    assert store.history.counts("zendesk")["tickets"] == 1
    assert store.cursors.get("zendesk", "tickets") is None
    store.mirror.save("zendesk", big)
    assert store.history.counts("zendesk")["tickets"] == 199


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder of somebody without rights: root would be let in everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        folder = Path(tempfile.mkdtemp())
        yield folder
        folder.chmod(0o700)
        shutil.rmtree(folder)
    finally:
        if root:
            os.seteuid(0)


def test_a_read_only_file_is_said_to_be_read_only(as_nobody: Path) -> None:
    path = as_nobody / "deskhand.db"
    Store(path).close()
    path.chmod(0o444)

    def write() -> None:
        with Store(path) as store:
            store.inbox.put("zendesk", "d1", "7")

    error = refused(write)
    assert "cannot be written" in str(error)
    assert "mode" in error.hint


def test_a_folder_that_may_not_be_entered_is_explained(as_nobody: Path) -> None:
    as_nobody.chmod(0o500)
    assert str(as_nobody) in str(refused(lambda: Store(as_nobody / "new" / "deskhand.db")))
    assert str(as_nobody) in str(refused(lambda: Store(as_nobody / "deskhand.db")))
    assert stat.S_IMODE(as_nobody.stat().st_mode) == 0o500


def test_a_file_that_stays_locked_is_explained(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with Store(store.path) as waiting, store.transaction():
        error = refused(lambda: waiting.inbox.put("zendesk", "d1", "7"))
    assert "locked" in str(error)
    assert "deskhand doctor" in error.hint


def test_a_writer_waits_for_another_one(store: Store) -> None:
    held = threading.Event()

    def hold() -> None:
        with Store(store.path) as other, other.transaction():
            held.set()
            threading.Event().wait(0.1)
            other.inbox.put("zendesk", "first", "7")

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    store.inbox.put("zendesk", "second", "8")
    holder.join()
    assert [row["delivery_id"] for row in store.rows("select delivery_id from inbox order by id")] == [
        "first",
        "second",
    ]


def test_several_processes_can_open_a_new_file_at_once(tmp_path: Path) -> None:
    path, errors = tmp_path / "deskhand.db", list[Exception]()
    start = threading.Barrier(4)

    def open_it(number: int) -> None:
        start.wait()
        try:
            with Store(path) as store:
                store.inbox.put("zendesk", f"d{number}", "7")
        except (StoreError, sqlite3.Error) as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with Store(path) as store:
        assert store.inbox.counts()["waiting"] == 4


def test_what_was_committed_is_on_the_disk(store: Store) -> None:
    # 2 is FULL: a webhook that was answered is not sent again, so it must outlive a power cut.
    assert next(store.rows("pragma synchronous"))["synchronous"] == 2
    assert next(store.rows("pragma journal_mode"))["journal_mode"] == "wal"
    assert next(store.rows("pragma foreign_keys"))["foreign_keys"] == 1
