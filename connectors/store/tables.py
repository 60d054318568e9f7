"""Whole tables as they are stored, for whoever carries them elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.store.part import Part

Row = dict[str, Any]

_BATCH = 500
_KEY = {"ticket_metrics": "ticket_id"}


class Tables(Part):
    """Rows by table, column by column as in the schema; the names of tables and columns come from this program."""

    def batches(self, helpdesk: str, table: str, columns: Sequence[str]) -> Iterator[list[Row]]:
        """A table's rows by id, without deleted tickets.

        In batches: one query left open would keep this connection from writing.
        """
        key = _KEY.get(table, "id")
        kept = " and deleted = 0" if table == "tickets" else ""
        sql = f"""select {", ".join(columns)} from {table} where helpdesk = ? and {key} > ?{kept}
                  order by {key} limit {_BATCH}"""  # noqa: S608
        last = ""
        while rows := list(self._store.rows(sql, (helpdesk, last))):
            last = rows[-1][key]
            yield rows

    def field_values(self, helpdesk: str, ticket_ids: Sequence[str]) -> dict[str, Row]:
        """Custom fields by ticket: field id -> value."""
        found: dict[str, Row] = {}
        for row in self._of("ticket_field_values", "ticket_id", "ticket_id, field_id, value", helpdesk, ticket_ids):
            found.setdefault(row["ticket_id"], {})[row["field_id"]] = json.loads(row["value"])
        return found

    def attachments(self, helpdesk: str, comment_ids: Sequence[str]) -> dict[str, list[Row]]:
        """What is known of files, by comment."""
        columns = "comment_id, id, name, media_type, size_bytes, inline"
        found: dict[str, list[Row]] = {}
        for row in self._of("attachments", "comment_id", columns, helpdesk, comment_ids):
            found.setdefault(row.pop("comment_id"), []).append(row | {"inline": bool(row["inline"])})
        return found

    def _of(self, table: str, key: str, columns: str, helpdesk: str, ids: Sequence[str]) -> Iterator[Row]:
        marks = ",".join("?" * len(ids))
        sql = f"select {columns} from {table} where helpdesk = ? and {key} in ({marks}) order by rowid"  # noqa: S608
        return self._store.rows(sql, (helpdesk, *ids))
