"""The Zammad connector: streams out, internal notes, drafts and groups back in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Unpack

from connectors import clock
from connectors.errors import ForbiddenError, NotFoundError
from connectors.http_helpdesk import HttpHelpdesk, Options, read_records
from connectors.records import Comment, Outlook, Page, Record, Role, Ticket, User, WebhookEvent, WriteBack
from connectors.settings import HelpdeskSettings
from connectors.webhooks import is_number
from connectors.zammad import api, knowledge_base, mapping, webhook, webhook_setup
from connectors.zammad.api import ROOT, Json
from connectors.zammad.people import People
from connectors.zammad.tickets import TicketStream
from connectors.zammad.writing import Writer, tags_of

_LISTINGS: dict[str, tuple[str, Callable[[Json], Record]]] = {
    "groups": ("/groups", mapping.group),
    "organizations": ("/organizations", mapping.organization),
}
_PROBES = {stream: path for stream, (path, _) in _LISTINGS.items()} | {
    "ticket_fields": "/object_manager_attributes",
    "users": "/users",
    "macros": "/text_modules",
    "tickets": "/tickets",
}


class Zammad(HttpHelpdesk):
    """A Zammad. See `connectors.helpdesk.Helpdesk` for the methods.

    Tags are only known of tickets that are read one by one (`ticket`): no list has them. Its webhooks do not say when
    they were sent, so none is too old.
    """

    title = "Zammad"
    streams = ("groups", "ticket_fields", "organizations", "users", "macros", "articles", "tickets")

    def __init__(self, settings: HelpdeskSettings, **options: Unpack[Options]) -> None:
        token = settings.token.get_secret_value()
        super().__init__(settings, lambda _renew: f"Token token={token}", **options)
        self._people = People(self.http)
        self._writer = Writer(self.http, self._people, ticket=self.ticket, articles=self._articles)
        self._states: dict[str, str] = {}

    def me(self) -> User:
        """See `Helpdesk.me`."""
        return self._people.me()

    def outlook(self, stream: str) -> Outlook:
        """See `Helpdesk.outlook`; Zammad does not say how long its lists are."""
        if stream == "articles":
            knowledge_base.read(self.http)
        elif stream in _PROBES:
            self.http.get_list(ROOT + _PROBES[stream], {"page": 1, "per_page": 1})
        else:
            raise self._no_stream(stream)
        return Outlook(None, api.PER_PAGE)

    def pages(self, stream: str, cursor: str | None, *, since: int = 0) -> Iterator[Page]:
        """See `Helpdesk.pages`."""
        match stream:
            case "tickets":
                tickets = TicketStream(self.http, self.base_url, self._state_types, time.time)
                yield from tickets.pages(cursor, since)
            case "users":
                yield from self._people.pages(cursor)
            case "articles":
                yield from knowledge_base.articles(self.http, clock.now())
            case "macros":
                yield from self._macros()
            case "ticket_fields":
                for items, _, last in api.pages(self.http, _PROBES[stream]):
                    own = [item for item in items if mapping.is_own_field(item)]
                    yield Page(read_records(mapping.ticket_field, own, stream), "", last, listed=stream)
            case _ if stream in _LISTINGS:
                path, read = _LISTINGS[stream]
                for items, _, last in api.pages(self.http, path):
                    yield Page(read_records(read, items, stream), "", last, listed=stream)
            case _:
                raise self._no_stream(stream)

    def _macros(self) -> Iterator[Page]:
        for items, _, _ in api.pages(self.http, "/text_modules"):
            yield Page(read_records(mapping.text_module, items, "macros"), "", done=False, listed="macros")
        for items, _, last in api.pages(self.http, "/macros"):
            found = [macro for macro in read_records(mapping.macro, items, "macros") if macro]
            yield Page(tuple(found), "", last, listed="macros")

    def _state_types(self) -> Mapping[str, str]:
        if not self._states:
            try:
                states = self.http.get_list(f"{ROOT}/ticket_states", api.expanded())
            except ForbiddenError:
                states = []
            self._states = mapping.state_types(states)
        return self._states

    def _articles(self, ticket_id: str) -> list[Json]:
        items = self.http.get_list(f"{ROOT}/ticket_articles/by_ticket/{_number(ticket_id)}", api.expanded())
        return sorted(items, key=lambda item: (str(item.get("created_at")), int(item["id"])))

    def comments(self, ticket_id: str) -> tuple[list[Comment], list[User]]:
        """See `Helpdesk.comments`."""
        items = self._articles(ticket_id)
        comments = read_records(
            lambda item: mapping.comment(item, ticket_id), items, f"of ticket {ticket_id}, comments"
        )
        authors: dict[str, User] = {}
        for comment in comments:
            role: Role = "requester" if comment.raw.get("sender") == "Customer" else "agent"
            authors.setdefault(comment.author_id, self._people.find(comment.author_id, role))
        return list(comments), list(authors.values())

    def ticket(self, ticket_id: str) -> Ticket:
        """See `Helpdesk.ticket`."""
        item = self.http.get(f"{ROOT}/tickets/{_number(ticket_id)}", api.expanded())
        try:
            tags = tags_of(self.http, ticket_id)
        except ForbiddenError:
            tags = ()
        states = self._state_types()
        (ticket,) = read_records(
            lambda one: mapping.ticket(one, self.base_url, states, tags=tags), [item], f"ticket {ticket_id}"
        )
        return ticket

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """See `Helpdesk.write_back`."""
        return self._writer.write_back(ticket, update)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        """See `Helpdesk.read_webhook`."""
        return webhook.read(headers, body, secret=self._webhook_secret)

    def install_webhook(self, endpoint: str) -> str:
        """See `Helpdesk.install_webhook`: a webhook, and a trigger that fires it when a customer wrote."""
        return webhook_setup.install(self.http, endpoint, self._webhook_secret)


def _number(ticket_id: str) -> int:
    if not is_number(ticket_id):
        raise NotFoundError("Zammad's ticket ids are numbers, this one is not")
    return int(ticket_id)
