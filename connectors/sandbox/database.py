"""The sandbox's own SQLite file: tables, connections, transactions, numbering and tokens."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from connectors.errors import FatalError
from connectors.sandbox.schema import INDEXES, TABLES

Row = dict[str, Any]

FIRST_ID = {  # far apart, so that a ticket's id taken for a comment's is found out at once
    "comments": 500_000_000_001,
    "audits": 30_000_001,
    "tickets": 1,
    "satisfaction_ratings": 800_001,
    "triggers": 9_001,
    "deliveries": 1,
    "tokens": 1,
}


def iso(moment_s: float) -> str:
    """Unix seconds as the API writes times: ``2026-03-02T08:14:00Z``."""
    return datetime.fromtimestamp(int(moment_s), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def open_database(path: Path) -> Database:
    """Open the sandbox's file in WAL mode; the caller closes it.

    Raises:
        FatalError: The file is no SQLite database, or another program's.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise FatalError(f"cannot open {path}: {error}", hint="Check the folder's permissions.") from error
    try:
        db = Database(connection)
        tables = set(db.table_names())
        if tables and not {"meta", "live_pool"} <= tables:
            raise FatalError(
                f"{path} belongs to another program, not to the sandbox helpdesk",
                hint="Name another file for the sandbox; nothing was changed in this one.",
            )
        if not tables:
            db.enable_wal()
        # No waiting for the disk: a request's connection is often the only one, so each close would sync a checkpoint
        # (6 ms here). A power cut may cost the file, which can be seeded again; a crash of the process costs nothing.
        db.execute("PRAGMA synchronous=off")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise FatalError(f"{path} cannot be read: {error}", hint="Delete it; the sandbox seeds a new one.") from error
    except FatalError:
        connection.close()
        raise
    return db


def is_seeded(db: Database) -> bool:
    """Whether the company is in it; half a company is impossible, because seeding is one transaction."""
    return "meta" in db.table_names()


def create_tables(db: Database) -> None:
    """Create all tables and indexes; part of the caller's transaction.

    Tables that are there from an older version keep their rows and get the columns that are new since.
    """
    known = set(db.table_names())
    for name, columns in TABLES.items():
        table = db.table(name)
        if name not in known:
            table.create(columns, pk=next(iter(columns)))
        else:
            for column in columns.keys() - table.columns_dict.keys():
                table.add_column(column, columns[column])
        for index in INDEXES.get(name, ()):
            table.create_index(list(index), if_not_exists=True)


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """A write transaction that takes the lock at its start.

    A deferred one could find at its first write that somebody else wrote since it read, and fail.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.rollback()
        raise
    db.commit()


def one(db: Database, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
    """The first row of a query, or None."""
    return next(iter(db.query(sql, parameters)), None)


def rows(db: Database, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
    """All rows of a query."""
    return list(db.query(sql, parameters))


def scalar(db: Database, sql: str, parameters: Sequence[Any] = ()) -> Any:
    """The first column of the first row, or None."""
    found = db.execute(sql, parameters).fetchone()
    return found[0] if found else None


def next_id(db: Database, table: str) -> int:
    """The next number of a table; call it inside the transaction that uses it."""
    highest = scalar(db, f"select max(id) from [{table}]")  # noqa: S608 - names come from this module
    if table == "tickets":  # held-back tickets keep the ids they have in the files
        highest = max(highest or 0, scalar(db, "select max(ticket_id) from live_pool") or 0)
    return max(highest or 0, FIRST_ID[table] - 1) + 1


def setting(db: Database, key: str) -> Any:
    """A value of the meta table, decoded from JSON; None where it is missing."""
    found = scalar(db, "select value from meta where key = ?", [key])
    return None if found is None else json.loads(found)


def fingerprint(secret: str) -> str:
    """What is stored of a token: its SHA-256; 256 random bits need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def issue_token(db: Database, user_id: int, *, scope: str = "read write", expires_s: float | None = None) -> str:
    """Create a bearer token for a user and return its plaintext, which is kept nowhere.

    Args:
        db: The sandbox's database.
        user_id: Whom the token acts as.
        scope: As in OAuth, words with blanks between them.
        expires_s: Unix seconds at which it ends; None means never.
    """
    token = secrets.token_hex(32)
    row = {"hash": fingerprint(token), "user_id": user_id, "scope": scope, "expires_s": expires_s}
    db.table("tokens").insert({"id": next_id(db, "tokens"), **row})
    return token


def issue_client(db: Database, user_id: int, *, name: str = "deskhand") -> tuple[str, str]:
    """Create, or renew, an OAuth client that acts as a user; returns ``(client_id, client_secret)``."""
    secret = secrets.token_hex(32)
    row = {"id": name, "secret_hash": fingerprint(secret), "user_id": user_id}
    db.table("oauth_clients").insert(row, pk="id", replace=True)
    return name, secret


def user_id_for(email: str) -> int:
    """An end-user's id from the address, so that it stays the same however much of the company is seeded."""
    digest = hashlib.sha256(email.strip().lower().encode()).digest()
    return 400_000_000_000 + int.from_bytes(digest[:8], "big") % 99_999_999_999


def ensure_end_user(db: Database, name: str, email: str, *, now_s: float, locale: str = "en") -> int:
    """The user with this address, created as an end-user where there is none; returns the id.

    A bare address gets the part before the @ as its name, as a helpdesk shows it; an address at an organization's
    domain belongs to it.
    """
    known = scalar(db, "select id from users where email = ?", [email.strip().lower()])
    if known is not None:
        return int(known)
    address = email.strip().lower()
    row: Row = {
        "id": user_id_for(address),
        "name": name.strip() or address.partition("@")[0],
        "email": address,
        "role": "end-user",
        "locale": locale,
        "created_at": iso(now_s),
        "updated_s": int(now_s),
        "organization_id": organization_of(db, address),
    }
    db.table("users").insert(row)
    return int(row["id"])


def organization_of(db: Database, address: str) -> int | None:
    """The organization that has this address's domain, None where there is none."""
    sql = "select organizations.id from organizations, json_each(domain_names) where value = ? order by 1 limit 1"
    found = scalar(db, sql, [address.rpartition("@")[2]])
    return None if found is None else int(found)
