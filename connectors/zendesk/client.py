"""The Zendesk connector: streams out, notes and routes back in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Unpack

from connectors import values
from connectors.errors import CredentialError
from connectors.http_helpdesk import HttpHelpdesk, Options, read_records
from connectors.records import Comment, Outlook, Page, Ticket, User, WebhookEvent, WriteBack
from connectors.settings import HelpdeskSettings
from connectors.zendesk import events, listings, mapping, outlooks, tickets, webhook, webhook_setup
from connectors.zendesk.api import PAGE_PRICE, Api, rate_limit_of
from connectors.zendesk.auth import authorizer
from connectors.zendesk.paging import list_pages
from connectors.zendesk.writing import Writer


class Zendesk(HttpHelpdesk):
    """A Zendesk account, or anything that speaks its API. See `connectors.helpdesk.Helpdesk` for the methods."""

    title = "Zendesk"

    # What others refer to comes first, so that a sync that is cut off leaves nothing dangling.
    streams = (
        "groups", "brands", "ticket_fields", "organizations", "users", "macros", "articles", "tickets",
        "satisfaction_ratings",
    )  # fmt: skip
    bulk_comments = True
    bulk_page_price = PAGE_PRICE

    def __init__(self, settings: HelpdeskSettings, **options: Unpack[Options]) -> None:
        super().__init__(settings, authorizer(settings, options.get("home")), family=rate_limit_of, **options)
        self._api = Api(self.http, on_price=self._learn_price)
        self._writer = Writer(self._api, ticket=self.ticket, comments=lambda ticket_id: self.comments(ticket_id)[0])

    def _learn_price(self, price: float) -> None:
        self.bulk_page_price = price

    def me(self) -> User:
        """See `Helpdesk.me`; `role` is `agent` for admins too (`raw["role"]` tells them apart)."""
        item = self._api.get("/api/v2/users/me.json").get("user")
        # Whoever is not known is answered too, as an anonymous user without an id.
        if not isinstance(item, dict) or values.identifier(item.get("id")) is None:
            raise CredentialError("the helpdesk does not know this credential", hint="run: deskhand init")
        return mapping.user(item)

    def pages(self, stream: str, cursor: str | None, *, since: int = 0) -> Iterator[Page]:
        """See `Helpdesk.pages`."""
        match stream:
            case "tickets":
                yield from tickets.pages(self._api, cursor, since)
            case "comments":
                yield from events.pages(self._api, cursor, since)
            case "users":
                yield from listings.users(self._api, cursor, since)
            case "organizations":
                yield from listings.organizations(self._api, cursor, since)
            case "articles":
                yield from listings.articles(self._api, cursor)
            case "satisfaction_ratings":
                yield from listings.ratings(self._api, cursor, since)
            case "groups" | "brands" | "ticket_fields" | "macros":
                yield from listings.whole(self._api, stream)
            case _:
                raise self._no_stream(stream)

    def outlook(self, stream: str) -> Outlook:
        """See `Helpdesk.outlook`; also for `comments`."""
        if stream not in (*self.streams, "comments"):
            raise self._no_stream(stream)
        return outlooks.outlook(self._api, stream)

    def comments(self, ticket_id: str) -> tuple[list[Comment], list[User]]:
        """See `Helpdesk.comments`."""
        comments: list[Comment] = []
        users: dict[str, User] = {}
        what = f"comments of ticket {ticket_id}"
        path = f"/api/v2/tickets/{ticket_id}/comments.json"
        for page in list_pages(self._api, path, what, {"include": "users"}):
            comments += read_records(lambda item: mapping.comment(item, ticket_id), page.answer.get("comments"), what)
            users |= {user.id: user for user in read_records(mapping.user, page.answer.get("users"), "users")}
        return comments, list(users.values())

    def ticket(self, ticket_id: str) -> Ticket:
        """See `Helpdesk.ticket`."""
        (ticket,) = read_records(
            mapping.ticket, [self._api.get(f"/api/v2/tickets/{ticket_id}.json").get("ticket")], "tickets"
        )
        return ticket

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """See `Helpdesk.write_back`: one PUT with `safe_update`, after looking for the marker in the ticket's notes."""
        return self._writer.write_back(ticket, update)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        """See `Helpdesk.read_webhook`."""
        return webhook.read(headers, body, secret=self._webhook_secret, max_age_s=self._webhook_max_age_s)

    def install_webhook(self, endpoint: str) -> str:
        """See `Helpdesk.install_webhook`: a webhook, and a trigger that fires it when a customer wrote."""
        return webhook_setup.install(self._api, endpoint, self.me().id)
