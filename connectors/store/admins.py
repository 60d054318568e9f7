"""Who may open the dashboard, their sessions, and how often a login failed.

Passwords come hashed; session ids are hashed here: neither lets anybody in who has only read the file.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

from connectors import clock
from connectors.store.part import Part


@dataclass(frozen=True, slots=True)
class Admin:
    """Somebody who may open the dashboard."""

    name: str
    password_hash: str
    created_at: str
    changed_at: str


@dataclass(frozen=True, slots=True)
class Session:
    """A login.

    Attributes:
        csrf: What every form of this session carries.
    """

    admin: str
    csrf: str


class Admins(Part):
    """Accounts, sessions and failed logins. Moments are Unix seconds."""

    def put(self, name: str, password_hash: str) -> None:
        """Makes an account, or changes its password; its sessions end."""
        now = clock.now()
        with self._store.transaction():
            self._store.execute(
                """insert into admins (name, password_hash, created_at, changed_at) values (?, ?, ?, ?)
                   on conflict (name) do update set password_hash = excluded.password_hash,
                       changed_at = excluded.changed_at""",
                (name, password_hash, now, now),
            )
            self._store.execute("delete from admin_sessions where admin = ?", (name,))

    def get(self, name: str) -> Admin | None:
        """By name, None where there is no such account."""
        row = self._store.row("select * from admins where name = ?", (name,))
        return Admin(**row) if row else None

    def all(self) -> list[Admin]:
        """All accounts by name."""
        return [Admin(**row) for row in self._store.rows("select * from admins order by name")]

    def remove(self, name: str) -> bool:
        """Removes an account and ends its sessions; returns whether there was one."""
        with self._store.transaction():
            self._store.execute("delete from admin_sessions where admin = ?", (name,))
            return self._store.execute("delete from admins where name = ?", (name,)) == 1

    # ---- sessions

    def begin(self, name: str, *, lasts_s: float) -> str:
        """A new session; returns its id, which is kept nowhere. Sessions of anybody that are over are cleared away."""
        session_id = secrets.token_urlsafe(32)
        now = time.time()
        row = {"id_hash": _digest(session_id), "admin": name, "csrf": secrets.token_urlsafe(32)}
        with self._store.transaction():
            self._store.execute("delete from admin_sessions where created_at < ?", (now - lasts_s,))
            self._store.insert("admin_sessions", [row | {"created_at": now, "seen_at": now}])
        return session_id

    def session(self, session_id: str, *, idle_s: float, lasts_s: float) -> Session | None:
        """A session that is still good; None where it never was, was ended, or is too old.

        Args:
            idle_s: How long it may have been unused.
            lasts_s: How long it lasts at most, however much it is used.
        """
        now, key = time.time(), _digest(session_id)
        row = self._store.row(
            "select * from admin_sessions where id_hash = ? and created_at >= ? and seen_at >= ?",
            (key, now - lasts_s, now - idle_s),
        )
        if row is None:
            return None
        # Not at each request: a page must not wait for the write lock that webhooks want.
        if now - row["seen_at"] > idle_s / 20:
            self._store.execute("update admin_sessions set seen_at = ? where id_hash = ?", (now, key))
        return Session(row["admin"], row["csrf"])

    def end(self, session_id: str) -> None:
        """Logs out."""
        self._store.execute("delete from admin_sessions where id_hash = ?", (_digest(session_id),))

    # ---- failed logins

    def failed(self, *subjects: str) -> None:
        """Counts a failed login against each subject: a name, an address."""
        self._store.insert("login_failures", [{"subject": subject, "at": time.time()} for subject in subjects])

    def failures(self, subject: str, *, within_s: float) -> list[float]:
        """When logins failed, oldest first; older ones are cleared away."""
        since = time.time() - within_s
        rows = self._store.rows(
            "select at from login_failures where subject = ? and at >= ? order by at", (subject, since)
        )
        found = [float(row["at"]) for row in rows]
        if self._store.row("select 1 as one from login_failures where at < ? limit 1", (since,)):
            self._store.execute("delete from login_failures where at < ?", (since,))
        return found

    def forgive(self, subject: str) -> None:
        """Forgets a subject's failed logins."""
        self._store.execute("delete from login_failures where subject = ?", (subject,))


def _digest(session_id: str) -> str:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(session_id.encode()).hexdigest()
