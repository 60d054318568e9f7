"""Opening the store: WAL mode, migrations, transactions, and errors that say what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlite_utils

from connectors.errors import StoreError
from connectors.store.admins import Admins
from connectors.store.counters import Counters
from connectors.store.cursors import Cursors
from connectors.store.drafting import Drafting
from connectors.store.due import Due
from connectors.store.examples import Examples
from connectors.store.figures import Figures
from connectors.store.history import History
from connectors.store.inbox import Inbox
from connectors.store.migrations import migrations
from connectors.store.mirror import Mirror
from connectors.store.outcomes import Outcomes
from connectors.store.passages import Passages
from connectors.store.review import Review
from connectors.store.stream_runs import StreamRuns
from connectors.store.suggestions import Suggestions
from connectors.store.switches import Switches
from connectors.store.tables import Tables
from connectors.store.tokens import Tokens

BUSY_TIMEOUT_S = 15.0


class Store:
    """One connection to `deskhand.db`. A connection belongs to one thread: open another for another.

    Attributes:
        history: What the helpdesk holds, for reading.
        mirror: Writes what the helpdesk holds.
        due: Which tickets' comments are still to be read.
        cursors: Where each stream's next sync starts.
        stream_runs: How each stream's last sync ended.
        tables: Whole tables as they are stored.
        inbox: Webhooks to work through.
        suggestions: Drafts, routes and feedback.
        outcomes: What became of suggestions.
        review: Suggestions and outcomes together, for figures and lists.
        drafting: Drafts on their way, and the facts that agents told for them.
        switches: Settings that are changed while the plugin runs.
        examples: What curation kept and dropped.
        passages: The retrieval index.
        admins: Who may open the dashboard.
        tokens: Who may use the API.
        counters: Numbers that only grow.
        figures: What monitors watch.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Opens the file and applies pending migrations.

        Raises:
            StoreError: The file cannot be opened, is no database, or is from a newer version of Deskhand.
        """
        self.path = path
        if not create and not path.exists():
            raise StoreError(f"there is no database at {path}", hint="run: deskhand sync")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}", hint="check the folder's owner and mode") from error
        with explained(path):
            connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        self._db = sqlite_utils.Database(connection)
        try:
            with explained(path):
                self._configure()
                self._migrate()
        except BaseException:
            self.close()
            raise
        self.history = History(self)
        self.mirror = Mirror(self)
        self.due = Due(self)
        self.cursors = Cursors(self)
        self.stream_runs = StreamRuns(self)
        self.tables = Tables(self)
        self.inbox = Inbox(self)
        self.suggestions = Suggestions(self)
        self.outcomes = Outcomes(self)
        self.review = Review(self)
        self.drafting = Drafting(self)
        self.switches = Switches(self)
        self.examples = Examples(self)
        self.passages = Passages(self)
        self.admins = Admins(self)
        self.tokens = Tokens(self)
        self.counters = Counters(self)
        self.figures = Figures(self)

    def _configure(self) -> None:
        self._db.enable_wal()
        # NORMAL would survive a crash of the process, but a power cut may undo what was committed last: a webhook that
        # we have answered is never sent again. FULL costs one fsync a commit, 3 ms where it was measured.
        self._db.execute("pragma synchronous = full")
        self._db.execute("pragma foreign_keys = on")
        # What is deleted is overwritten, too; most builds of SQLite would only mark the space as free.
        self._db.execute("pragma secure_delete = on")

    def _migrate(self) -> None:
        # An empty database has every migration pending: that is the list this code knows.
        with contextlib.closing(sqlite_utils.Database(memory=True)) as empty:
            known = {migration.name for migration in migrations.pending(empty)}
        if unknown := [m.name for m in migrations.applied(self._db) if m.name not in known]:
            raise StoreError(
                f"{self.path} is from a newer Deskhand (it has {unknown[-1]})",
                hint="upgrade Deskhand, or restore a backup",
            )
        if migrations.pending(self._db):
            # The migrations' own transactions are deferred; taking the write lock first lets a second process wait.
            with self.transaction():
                migrations.apply(self._db)

    def close(self) -> None:
        """Closes the connection; an open transaction is rolled back."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Takes the write lock at once, so that a read inside is still true at the commit.

        Raises:
            StoreError: The file cannot be written.
        """
        connection = self._db.conn
        with explained(self.path):
            if connection.in_transaction:
                with self._db.atomic():
                    yield
                return
            connection.execute("begin immediate")
            try:
                yield
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[dict[str, Any]]:
        """Rows of a query, one dictionary each, streamed.

        Read to the end before you write: with the query still open, a write fails at once where another process has
        written since it began, for it would rest on what is no longer true.
        """
        with explained(self.path):
            cursor = self._db.conn.execute(sql, parameters)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))

    def row(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> dict[str, Any] | None:
        """The first row, or None."""
        return next(iter(list(self.rows(sql, parameters))), None)

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> int:
        """Runs a statement and returns how many rows it changed; outside a transaction it is one of its own."""
        with self.transaction():
            return self._db.conn.execute(sql, parameters).rowcount

    def many(self, sql: str, rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> int:
        """Runs a statement once for each row, all or nothing; returns how many rows were changed together."""
        rows = list(rows)
        if not rows:
            return 0
        with self.transaction():
            return self._db.conn.executemany(sql, rows).rowcount

    def upsert(self, table: str, rows: Sequence[Mapping[str, Any]], pk: str | tuple[str, ...]) -> None:
        """Inserts rows, replacing the columns given of those whose key exists."""
        if rows:
            with self.transaction():
                self._db.table(table).upsert_all([dict(row) for row in rows], pk=pk)

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Inserts rows; a key that exists is an error."""
        if rows:
            with self.transaction():
                self._db.table(table).insert_all([dict(row) for row in rows])


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into a `StoreError` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error).lower()
        for sign, message, hint in _CAUSES:
            if sign in text:
                raise StoreError(f"{path}: {message}", hint=hint) from error
        raise


_CAUSES = (
    ("disk is full", "the disk is full; nothing was half written", "free some space and run the same command again"),
    ("readonly", "the database cannot be written", "check the owner and mode of the file and its folder"),
    (
        "locked",
        "another process kept the database locked for 15 s",
        "see what runs with: deskhand doctor; then try again",
    ),
    ("not a database", "this file is not a Deskhand database", "restore a backup, or move it away and sync again"),
    ("malformed", "the database is damaged", "restore a backup, or move it away and sync again"),
    ("unable to open", "the database cannot be opened", "check the folder's owner and mode"),
    (
        "disk i/o error",
        "the disk reported an error",
        "check the disk and its free space, then run the same command again",
    ),
)
