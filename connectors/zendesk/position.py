"""Where a stream stands: the text that the store keeps as its cursor."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from connectors.errors import CursorError
from connectors.records import Record


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a stream, in one of the ways to read it.

    Times are Unix seconds of the helpdesk's clock.

    Attributes:
        mode: The way it is read: `cursor` and `time` (the incremental exports), `search` or `listing`.
        after: What that way goes on from: Zendesk's cursor, or the next `start_time`. Empty where it starts anew.
        through: All that changed until then has been read, so that another way can go on from there.
        newest: The latest change seen by a way that brings records in no order of change; becomes `through` at its end.
        listed: When the listing under way began, or the last whole one did.
    """

    mode: str
    after: str = ""
    through: int = 0
    newest: int = 0
    listed: int = 0

    @classmethod
    def read(cls, cursor: str | None, *, mode: str, since: int = 0) -> Position:
        """Reads what `text` wrote, and the cursors of versions before 0.2: Zendesk's own, or an end time.

        Args:
            mode: What it is where the text does not say.
            since: Where there is no text.

        Raises:
            CursorError: It is neither.
        """
        if not cursor:
            return cls(mode, through=since)
        if not cursor.startswith("{"):
            return cls(mode, after=cursor)
        try:
            kept = json.loads(cursor)
            times = {name: int(kept.get(name, 0)) for name in ("through", "newest", "listed")}
            return cls(str(kept["mode"]), str(kept.get("after", "")), **times)
        except (ValueError, KeyError, TypeError):
            raise CursorError("a stored cursor cannot be read", hint="run: deskhand sync --full") from None

    def text(self) -> str:
        """As the store keeps it; the same position always gives the same text."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})


@dataclass(frozen=True, slots=True)
class Step:
    """A page of a stream before it is handed out."""

    position: Position
    records: tuple[Record, ...]
    done: bool
