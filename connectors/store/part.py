"""What the parts of the store share: the connection they speak through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Parameters = Sequence[Any] | Mapping[str, Any]


class Connection(Protocol):
    """The part of `Store` that its parts use; `database.Store` documents the methods."""

    def transaction(self) -> AbstractContextManager[None]: ...  # noqa: D102
    def rows(self, sql: str, parameters: Parameters = ()) -> Iterator[dict[str, Any]]: ...  # noqa: D102
    def row(self, sql: str, parameters: Parameters = ()) -> dict[str, Any] | None: ...  # noqa: D102
    def execute(self, sql: str, parameters: Parameters = ()) -> int: ...  # noqa: D102
    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None: ...  # noqa: D102
    def upsert(self, table: str, rows: Sequence[Mapping[str, Any]], pk: str | tuple[str, ...]) -> None: ...  # noqa: D102


class Part:
    """A group of tables that belong together."""

    def __init__(self, store: Connection) -> None:
        self._store = store


def deleted_tickets(store: Connection, helpdesk: str) -> set[str]:
    """Ids of the tickets whose text must not come back; read it in the transaction that writes what is made of them."""
    rows = store.rows("select id from tickets where helpdesk = ? and deleted = 1", (helpdesk,))
    return {row["id"] for row in rows}


def to_json(value: object) -> str:
    """JSON as the store keeps it: compact, keys sorted, so that equal values are equal texts."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
