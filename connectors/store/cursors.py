"""Where each stream's next sync starts."""

from __future__ import annotations

from connectors import clock
from connectors.store.part import Part


class Cursors(Part):
    """One text a stream, opaque to us: only the connector that made it reads it."""

    def get(self, helpdesk: str, stream: str) -> str | None:
        """Where the next sync of a stream starts; None at the very first."""
        row = self._store.row("select cursor from cursors where helpdesk = ? and stream = ?", (helpdesk, stream))
        return row["cursor"] if row else None

    def save(self, helpdesk: str, stream: str, cursor: str) -> None:
        """Keeps a cursor; call it in the transaction that stores its page."""
        row = {"helpdesk": helpdesk, "stream": stream, "cursor": cursor, "updated_at": clock.now()}
        self._store.upsert("cursors", [row], ("helpdesk", "stream"))

    def forget(self, helpdesk: str, stream: str) -> None:
        """The next sync reads this stream from its beginning."""
        self._store.execute("delete from cursors where helpdesk = ? and stream = ?", (helpdesk, stream))

    def synced_at(self, helpdesk: str) -> dict[str, str]:
        """When a page of each stream was last stored."""
        rows = self._store.rows("select stream, updated_at from cursors where helpdesk = ?", (helpdesk,))
        return {row["stream"]: row["updated_at"] for row in rows}
