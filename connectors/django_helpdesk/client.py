"""The django-helpdesk connector: tickets out, private follow-ups and queues back in."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Unpack

from markdownify import markdownify

from connectors.django_helpdesk import mapping, queues, tickets, webhook
from connectors.django_helpdesk.mapping import Json
from connectors.errors import (
    ConfigError,
    CredentialError,
    FatalError,
    ForbiddenError,
    NotFoundError,
    SkippableError,
    StaleTicketError,
    TicketClosedError,
)
from connectors.http_helpdesk import HttpHelpdesk, Options
from connectors.records import Comment, Group, Outlook, Page, Record, Ticket, User, WebhookEvent, WriteBack
from connectors.settings import HelpdeskSettings
from connectors.webhooks import is_number

log = logging.getLogger(__name__)

FOLLOWUPS = "/api/followups/"
_FINAL = (mapping.RESOLVED, mapping.CLOSED, mapping.DUPLICATE)


class DjangoHelpdesk(HttpHelpdesk):
    """A site with django-helpdesk 2. See `connectors.helpdesk.Helpdesk` for the methods.

    Its API takes the token of a user of the team (Django REST framework's `TokenAuthentication`). Its webhooks do not
    say when they were sent, so none is too old.
    """

    # Customers and the team come with their tickets, and have no names; the knowledge base has no API.
    title = "django-helpdesk"
    streams = ("groups", "tickets")

    def __init__(self, settings: HelpdeskSettings, **options: Unpack[Options]) -> None:
        self._authorization = f"Token {settings.token.get_secret_value()}"
        self._timeout_s = settings.timeout_s
        super().__init__(settings, lambda _renew: self._authorization, **options)
        self._intake: frozenset[str] | None = None
        self._mails_notes = False

    def me(self) -> User:
        """See `Helpdesk.me`. The API does not say who we are; only the team may list tickets."""
        try:
            self._count()
        except ForbiddenError:
            return User("token", "", "", "requester")
        return User("token", "", "", "agent")

    def _count(self) -> int:
        return int(self.http.get(tickets.PATH, {"page_size": 1})["count"])

    def outlook(self, stream: str) -> Outlook:
        """See `Helpdesk.outlook`."""
        match stream:
            case "tickets":
                return Outlook(self._count(), tickets.PER_PAGE)
            case "groups":
                found = len(self._queues())
                return Outlook(found, max(1, found))
        raise self._no_stream(stream)

    def pages(self, stream: str, cursor: str | None, *, since: int = 0) -> Iterator[Page]:
        """See `Helpdesk.pages`; `since` cannot be asked for."""
        match stream:
            case "tickets":
                yield from tickets.TicketStream(self.http, self._records, time.time).pages(cursor)
            case "groups":
                yield Page(tuple(self._queues()), "", done=True, listed="groups")
            case _:
                raise self._no_stream(stream)

    def _queues(self) -> list[Group]:
        found = queues.read(self.base_url, self._authorization, timeout_s=self._timeout_s)
        self._intake = queues.intake(found)
        return found

    def _unsorted(self) -> frozenset[str]:
        if self._intake is None:
            try:
                self._queues()
            except (SkippableError, ForbiddenError):
                self._intake = frozenset()
        return self._intake or frozenset()

    def _records(self, item: Json, stamp: int) -> tuple[Record, ...]:
        ticket = mapping.ticket(item, self.base_url, self._unsorted(), stamp=stamp)
        return (mapping.customer(item), ticket, mapping.thread(item))

    def _item(self, ticket_id: str) -> Json:
        if not is_number(ticket_id):
            raise NotFoundError("django-helpdesk's ticket ids are numbers, this one is not")
        return self.http.get(f"{tickets.PATH}{ticket_id}/")

    def ticket(self, ticket_id: str) -> Ticket:
        """See `Helpdesk.ticket`."""
        return mapping.ticket(self._item(ticket_id), self.base_url, self._unsorted())

    def comments(self, ticket_id: str) -> tuple[list[Comment], list[User]]:
        """See `Helpdesk.comments`."""
        thread = mapping.thread(self._item(ticket_id))
        return list(thread.comments), list(thread.authors)

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """See `Helpdesk.write_back`: queue and priority first, then the note, whose text says that all is done.

        A note on a resolved ticket would become its resolution, which the customer sees; so those take none.

        Raises:
            ConfigError: The site mails notes around.
        """
        now = self._item(ticket.id)
        if now.get("status") in _FINAL or now.get("merged_to") is not None:
            raise TicketClosedError(f"ticket {ticket.id} is resolved, closed or merged")
        ours = [one for one in now["followup_set"] if not one["public"] and update.marker in (one["comment"] or "")]
        begun = next((one for one in ours if one["comment"] == update.marker), None)
        if update.note_html and ours and not begun:
            return False
        if not begun and mapping.digest(now) != mapping.digest(ticket.raw):
            raise StaleTicketError(f"ticket {ticket.id} changed since it was read")
        self._change(now, update)
        if update.note_html:
            self._note(now, update, begun)
        return True

    def _change(self, now: Json, update: WriteBack) -> None:
        wanted = {"queue": update.group_id, "priority": update.priority}
        changes = {name: int(value) for name, value in wanted.items() if value and value != str(now[name])}
        if not changes:
            return
        try:
            self.http.send("PATCH", f"{tickets.PATH}{now['id']}/", json=changes)
        except FatalError as error:
            if isinstance(error, CredentialError) or not update.note_html:
                raise
            log.warning("ticket %s kept its queue and priority (%s); the note alone", now["id"], error)

    def _note(self, now: Json, update: WriteBack, begun: Json | None) -> None:
        """Posts a private follow-up, in two steps.

        Posting one mails it to all on the ticket's copy list, be they customers, unless the site's settings say
        otherwise, and reads it as a template (`update_ticket`); changing one does neither. So what is posted is only
        the marker, and if that was mailed to anybody, the text is kept back.
        """
        if self._mails_notes:
            raise self._mailing(now)
        if begun is None:
            body = {"ticket": now["id"], "comment": update.marker, "public": False}
            begun = self.http.send("POST", FOLLOWUPS, json=body)
        path = f"{FOLLOWUPS}{begun['id']}/"
        if begun.get("email_recipients"):
            self._mails_notes = True
            self.http.request("DELETE", path)
            raise self._mailing(now)
        text = f"{markdownify(update.note_html, heading_style='ATX').strip()}\n\n{update.marker}"
        # Its title stays: one that is given when it is posted would become the ticket's.
        self.http.send("PATCH", path, json={"comment": text, "public": False})

    @staticmethod
    def _mailing(now: Json) -> ConfigError:
        return ConfigError(
            f"ticket {now['id']} takes no note: the site mails private follow-ups to everybody on copy",
            hint="set HELPDESK_PRIVATE_FOLLOWUP_MEANS_NO_EMAILS = True in the site's settings",
        )

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        """See `Helpdesk.read_webhook`."""
        return webhook.read(headers, body, secret=self._webhook_secret)

    def install_webhook(self, endpoint: str) -> str:
        """See `Helpdesk.install_webhook`; the addresses are in the site's settings."""
        raise SkippableError(
            "django-helpdesk's webhooks are set up in its environment", hint=webhook.HINT.format(endpoint=endpoint)
        )
