"""Tokens of the API: one for each installation of the app, or for another host.

Only their SHA-256 is stored. That is enough here: a slow hash with a salt protects passwords, which can be guessed;
nobody guesses 256 random bits (NIST SP 800-63B, 5.1.2.2: from 112 bits on, a one-way function will do).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from connectors import clock
from connectors.store.part import Part

PREFIX = "deskhand_"
"""So that people and scanners for secrets see what it is, wherever one turns up."""
USED_EVERY_S = 60


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; the secret is not.

    Attributes:
        last_used_at: To the minute; None where it was never used.
        revoked_at: None as long as it is valid.
    """

    id: int
    name: str
    created_at: str
    last_used_at: str | None
    revoked_at: str | None


class Tokens(Part):
    """Makes, checks and revokes tokens. Several are valid at a time: the new one is put in before the old one goes."""

    def create(self, name: str) -> tuple[int, str]:
        """A new token: its id, and the secret, which is nowhere else."""
        secret = PREFIX + secrets.token_urlsafe(32)
        self.adopt(name, secret)
        found = self.check(secret, used=False)
        assert found is not None
        return found, secret

    def adopt(self, name: str, secret: str) -> bool:
        """Takes a secret that was made elsewhere, once: one that was revoked stays so. Returns whether it is new."""
        sql = "insert into tokens (name, digest, created_at) values (?, ?, ?) on conflict (digest) do nothing"
        return self._store.execute(sql, (name, _digest(secret), clock.now())) == 1

    def check(self, secret: str, *, used: bool = True) -> int | None:
        """The id of a valid token, None for any other text.

        The digest is looked up, not compared: how long that takes tells of the digest, from which no secret follows.

        Args:
            used: Remembers the time, at most once in `USED_EVERY_S`, so that a request hardly ever waits for a write.
        """
        sql = "select id, last_used_at from tokens where digest = ? and revoked_at is null"
        row = self._store.row(sql, (_digest(secret),))
        if row is None:
            return None
        now = clock.now()
        last = row["last_used_at"]
        if used and (last is None or clock.to_epoch(now) - clock.to_epoch(last) >= USED_EVERY_S):
            self._store.execute("update tokens set last_used_at = ? where id = ?", (now, row["id"]))
        return int(row["id"])

    def revoke(self, token_id: int) -> bool:
        """From now on it is refused, by every process; returns False where no valid token has this id."""
        sql = "update tokens set revoked_at = ? where id = ? and revoked_at is null"
        return self._store.execute(sql, (clock.now(), token_id)) == 1

    def all(self) -> list[Token]:
        """Every token there ever was, oldest first."""
        sql = "select id, name, created_at, last_used_at, revoked_at from tokens order by id"
        return [Token(**row) for row in self._store.rows(sql)]

    def valid(self) -> list[Token]:
        """Those that are not revoked, oldest first."""
        return [token for token in self.all() if token.revoked_at is None]


def _digest(secret: str) -> str:
    # A header may hold half a surrogate pair, which has no UTF-8 form; no token of ours does.
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
