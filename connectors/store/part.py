"""What the parts of the store share: the connection they speak through."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Parameters = Sequence[Any] | Mapping[str, Any]


class Connection(Protocol):
    """The part of `Store` that its parts use; `database.Store` documents the methods."""

    def transaction(self) -> AbstractContextManager[None]: ...  # noqa: D102
    def rows(self, sql: str, parameters: Parameters = ()) -> Iterator[dict[str, Any]]: ...  # noqa: D102
    def row(self, sql: str, parameters: Parameters = ()) -> dict[str, Any] | None: ...  # noqa: D102
    def execute(self, sql: str, parameters: Parameters = ()) -> int: ...  # noqa: D102
    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None: ...  # noqa: D102
    def many(self, sql: str, rows: Iterable[Parameters]) -> int: ...  # noqa: D102
    def upsert(self, table: str, rows: Sequence[Mapping[str, Any]], pk: str | tuple[str, ...]) -> None: ...  # noqa: D102


class Part:
    """A group of tables that belong together."""

    def __init__(self, store: Connection) -> None:
        self._store = store


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def batches(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Items in lists of at most `size`: SQLite takes only so many variables in a statement."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def deleted_tickets(store: Connection, helpdesk: str) -> set[str]:
    """Ids of the tickets whose text must not come back; read it in the transaction that writes what is made of them."""
    rows = store.rows("select id from tickets where helpdesk = ? and deleted = 1", (helpdesk,))
    return {row["id"] for row in rows}


def to_json(value: object) -> str:
    """JSON as the store keeps it: compact, keys sorted, so that equal values are equal texts."""
    text = _ENCODER.encode(value)
    # Half of a surrogate pair, as a cut emoji leaves it, has no UTF-8 form: SQLite would refuse the whole page.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
