"""The protocol that every helpdesk implements. A new vendor is a folder with a class that has these methods.

`docs/adding-a-helpdesk.md` walks through one; `tests/connectors/contract.py` is the suite that each has to pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from connectors.records import Comment, Outlook, Page, Ticket, User, WebhookEvent, WriteBack


class Helpdesk(Protocol):
    """A helpdesk that tickets come from and suggestions go back to.

    Attributes:
        name: Its key in the store.
        streams: Names that `pages` knows, in the order to sync them: what others refer to comes first. Names are those
            of the store's tables where there is one. `comments` is never among them.
        bulk_comments: Whether `pages("comments", ...)` reads the comments of many tickets at once. Where it is False,
            they come by `comments`, a ticket at a time, or as `Thread` records in the pages of the tickets.
        bulk_page_price: How many requests for a single ticket's comments one page of the bulk way is worth, by the
            helpdesk's rate limits; decides which way is the quicker one.
    """

    name: str
    streams: tuple[str, ...]
    bulk_comments: bool
    bulk_page_price: float

    def pages(self, stream: str, cursor: str | None, *, since: int = 0) -> Iterator[Page]:
        """Yields the pages of a stream from a cursor on, the last one with `done`.

        Args:
            cursor: Opaque: what the last page said. None starts at `since`.
            since: Unix seconds; what changed before may be left out. Only read where there is no cursor, and only by
                streams that know when their records changed.

        Raises:
            SkippableError: This account or plan does not have the stream.
            CursorError: The helpdesk sent the cursor back that we sent.
            RetriableError, FatalError: As `connectors.http.client.Http.send`.
        """
        ...

    def outlook(self, stream: str) -> Outlook:
        """What reading this stream would take, by one small request; also tells whether we may read it at all.

        Raises:
            ForbiddenError, SkippableError: We may not, or this account does not have it.
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

    def me(self) -> User:
        """Who our credential belongs to; the `role` is `requester` where it is nobody of the team.

        Raises:
            CredentialError: The helpdesk does not accept it.
        """
        ...

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """Puts a note, a group, a priority and tags on a ticket; returns False where the marker is there already.

        Nothing of it ever reaches the customer.

        Raises:
            StaleTicketError: The ticket changed since `ticket` was read: read it again and decide again.
            TicketClosedError: It takes no update any more.
            NotFoundError: It is gone.
        """
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        """Verifies that a webhook is our helpdesk's and reads it.

        Raises:
            WebhookError: Wrong signature or secret, too old, or not the shape we set up.
        """
        ...

    def install_webhook(self, endpoint: str) -> str:
        """Has the helpdesk call `endpoint` whenever a customer writes; returns the secret that it will use.

        Where this was done before for the same endpoint, it is used as it is.

        Raises:
            SkippableError: This helpdesk wants it set up by hand; the hint says how.
        """
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...
