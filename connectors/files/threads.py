"""The comments file by ticket: its rows come in any order, and there may be more of them than fit the memory."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Iterator

from connectors.files import rows
from connectors.files.mapping import Plan
from connectors.files.table import Reader
from connectors.records import Thread

_BATCH = 100


class Threads:
    """All comments, in a database on the disk that nobody else can open and that goes when it is closed."""

    def __init__(self, plan: Plan) -> None:
        # An empty name is a private temporary file: https://www.sqlite.org/inmemorydb.html#temp_db
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("create table comments (ticket_id text, number integer, row text)")
        self._db.execute("begin")
        found = _values(plan)
        while batch := list(itertools.islice(found, _BATCH)):
            self._db.executemany("insert into comments values (?, ?, ?)", batch)
        self._db.execute("create index by_ticket on comments (ticket_id, number)")
        self._db.execute("commit")

    def of(self, ticket_row: rows.Values, *, with_authors: bool) -> Thread:
        """A ticket's comments, oldest first; those of one moment as they stand in the file.

        Args:
            with_authors: False where a file of users knows them better.
        """
        sql = "select row from comments where ticket_id = ? order by number"
        found = [json.loads(row) for (row,) in self._db.execute(sql, (ticket_row["id"],))]
        pairs = [rows.comment(values, ticket_row, number) for number, values in enumerate(found, start=1)]
        comments = sorted((comment for comment, _ in pairs), key=lambda one: one.created_at)
        authors = {author.id: author for _, author in pairs if with_authors or author.id == rows.AGENT}
        return Thread(ticket_row["id"], tuple(comments), tuple(authors.values()))

    def close(self) -> None:
        """Deletes it."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()


def _values(plan: Plan) -> Iterator[tuple[str, int, str]]:
    for row in Reader(plan.table).tolerant():
        values, problems = plan.read(row)
        if not problems:
            yield values["ticket_id"], row.number, json.dumps(values)
