"""The protocol that every helpdesk implements. A new vendor is a folder with a class that has these methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from connectors.records import Comment, Page, Ticket, User, WebhookEvent, WriteBack


class Helpdesk(Protocol):
    """A helpdesk that tickets come from and suggestions go back to.

    Attributes:
        name: Its key in the store.
        streams: Names that `pages` knows, in the order to sync them: what others refer to comes first.
    """

    name: str
    streams: tuple[str, ...]

    def pages(self, stream: str, cursor: str | None) -> Iterator[Page]:
        """Yields the pages of a stream from a cursor on (None: from the beginning), the last one with `done`.

        Raises:
            SkippableError: This account or plan does not have the stream.
            CursorError: The helpdesk sent the cursor back that we sent.
            RetriableError, FatalError: As `connectors.http.Http.send`.
        """
        ...

    def comments(self, ticket_id: str) -> tuple[list[Comment], list[User]]:
        """All comments of a ticket, oldest first, and their authors.

        Raises:
            NotFoundError: The ticket is gone.
        """
        ...

    def ticket(self, ticket_id: str) -> Ticket:
        """The ticket as it is now.

        Raises:
            NotFoundError: The ticket is gone.
        """
        ...

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """Puts a note, a group and tags on a ticket in one update; returns False where the marker is there already.

        Raises:
            StaleTicketError: The ticket changed since `ticket` was read: read it again and decide again.
            TicketClosedError: It takes no update any more.
            NotFoundError: It is gone.
        """
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        """Verifies a webhook's signature over the raw body and reads it.

        Raises:
            WebhookError: Wrong signature, too old, or not the shape we set up.
        """
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...
