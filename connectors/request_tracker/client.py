"""The Request Tracker connector: streams out, internal comments and queues back in."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Unpack

from connectors.errors import (
    CredentialError,
    FatalError,
    ForbiddenError,
    NotFoundError,
    SkippableError,
    StaleTicketError,
    TicketClosedError,
)
from connectors.http_helpdesk import HttpHelpdesk, Options
from connectors.records import Comment, Outlook, Page, Record, Ticket, User, WebhookEvent, WriteBack
from connectors.request_tracker import mapping, tickets, webhook
from connectors.request_tracker.rest import PER_PAGE, Json, Rest, either, where
from connectors.request_tracker.threads import People, Threads, path_of
from connectors.settings import HelpdeskSettings
from connectors.webhooks import is_number

log = logging.getLogger(__name__)

_ETAG = "ETag"
# `1-30-…`: a version, the number of the user it belongs to, the secret (RT::AuthToken).
_TOKEN = re.compile(r"1-([0-9]+)-.+")
_EVERYTHING = where(("id", ">", 0))
_QUEUES: Mapping[str, str] = {"orderby": "id", "fields": "Name,Description,Disabled,Lifecycle"}
_FIELDS: Mapping[str, str] = {
    "query": where(("LookupType", "=", "RT::Queue-RT::Ticket")),
    "orderby": "id",
    "fields": "Name,Type,MaxValues,Disabled",
}
_ARTICLES: Mapping[str, str] = {
    "query": _EVERYTHING,
    "orderby": "id",
    "fields": "Name,Summary,Class,LastUpdated,Disabled,CustomFields",
}
_LISTINGS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "groups": ("/queues/all", _QUEUES),
    "ticket_fields": ("/customfields", _FIELDS),
    "articles": ("/articles", _ARTICLES),
    "tickets": ("/tickets", {"query": "id > 0"}),
}


class RequestTracker(HttpHelpdesk):
    """A Request Tracker 5 by its REST 2.0. See `connectors.helpdesk.Helpdesk` for the methods.

    Users have no stream: a listing does not say who is of the team, and customers whose tickets we do not read are none
    of our business. They come with their tickets and comments.
    """

    title = "Request Tracker"
    # Threads come with the tickets, so there is no bulk way to comments.
    streams = ("groups", "ticket_fields", "articles", "tickets")

    def __init__(self, settings: HelpdeskSettings, **options: Unpack[Options]) -> None:
        self._token = settings.token.get_secret_value()
        super().__init__(settings, lambda _renew: f"token {self._token}", **options)
        self._rest = Rest(self.http)
        self._people = People(self._rest)
        self._threads = Threads(self._rest, self._people)

    def me(self) -> User:
        """See `Helpdesk.me`; a token says itself which user it is of."""
        found = _TOKEN.fullmatch(self._token)
        if not found:
            self._rest.one("/rt")  # it may be a plain typing error
            raise CredentialError("the token is not in the form of RT's tokens", hint="run: deskhand init")
        item = self._rest.one(f"/user/{found[1]}")
        return mapping.user(item, privileged=bool(int(item.get("Privileged") or 0)))

    def outlook(self, stream: str) -> Outlook:
        """See `Helpdesk.outlook`."""
        path, params = self._listed(stream)
        total = self._rest.page(path, {**params, "per_page": 1, "fields": ""}).get("total")
        return Outlook(int(total) if total is not None else None, PER_PAGE)

    def pages(self, stream: str, cursor: str | None, *, since: int = 0) -> Iterator[Page]:
        """See `Helpdesk.pages`."""
        path, params = self._listed(stream)
        if stream == "tickets":
            self._people.forget()
            yield from tickets.TicketStream(self._rest, self._people, self.base_url).pages(cursor, since)
            return
        for items in self._rest.pages(path, params):
            yield Page(tuple(self._record(stream, item) for item in items), "", done=False, listed=stream)
        yield Page((), "", done=True, listed=stream)

    def _listed(self, stream: str) -> tuple[str, Mapping[str, str]]:
        if stream not in _LISTINGS:
            raise self._no_stream(stream)
        return _LISTINGS[stream]

    def _record(self, stream: str, item: Json) -> Record:
        match stream:
            case "groups":
                return mapping.group(item)
            case "articles":
                return mapping.article(item, self.base_url)
        # Only a field's own address says what it offers.
        select = item.get("Type") == "Select"
        options = self._rest.one(f"/customfield/{int(item['id'])}").get("Values") if select else None
        return mapping.ticket_field(item, _names(options or ()))

    def comments(self, ticket_id: str) -> tuple[list[Comment], list[User]]:
        """See `Helpdesk.comments`. A merged ticket has none: they are shown on the ticket that it was merged into."""
        item, _ = self._known(ticket_id)
        if item.get("Status") == "deleted":
            raise NotFoundError(f"ticket {ticket_id} is deleted")
        (thread,) = self._threads.read([ticket_id])
        return list(thread.comments), list(thread.authors)

    def _known(self, ticket_id: str) -> tuple[Json, str]:
        """A ticket by its own address, where a merged one gives the other, and the version for `If-Match`."""
        if not is_number(ticket_id):
            raise NotFoundError("Request Tracker's ticket ids are numbers, this one is not")
        answer = self.http.request("GET", path_of(ticket_id))
        # The number of its last transaction. Web servers that compress answers add a suffix that RT does not know.
        version = re.match(r'(?:W/)?"?([0-9]+)', answer.headers.get(_ETAG, ""))
        item = answer.as_object()
        if item.get("Status") == "deleted":
            return item, ""
        return item, f'"{version[1]}"' if version else ""

    def ticket(self, ticket_id: str) -> Ticket:
        """See `Helpdesk.ticket`."""
        item, version = self._known(ticket_id)
        stream = tickets.TicketStream(self._rest, self._people, self.base_url)
        rows = stream.rows(either("id", [ticket_id]))
        if item.get("Status") == "deleted" or not rows:
            return mapping.deleted_ticket(item)
        return stream.tickets([row | {_ETAG: version} for row in rows])[0]

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """See `Helpdesk.write_back`: an update of queue, priority and tags, then the note as an internal comment.

        In this order, since the marker in the note says that all is done. RT checks the version of the ticket for the
        former; comments have none, so where there is only a note a change within milliseconds goes unseen.
        """
        now = self.ticket(ticket.id)
        if now.deleted or now.merged or now.status == "closed":
            raise TicketClosedError(f"ticket {ticket.id} is {'merged' if now.merged else now.status}")
        if update.note_html and self._has_note(ticket.id, update.marker):
            return False
        seen, version = ticket.raw.get(_ETAG), now.raw[_ETAG]
        if now.updated_at != ticket.updated_at or (seen and seen != version):
            raise StaleTicketError(f"ticket {ticket.id} changed since it was read")
        changes = self._changes(now, update)
        if changes:
            headers = {"If-Match": version} if version else {}
            self.http.request("PUT", path_of(ticket.id), json=changes, headers=headers)
            self._check(changes, self.ticket(ticket.id))
        if update.note_html:
            self._comment(ticket.id, f"{update.note_html}<p>{update.marker}</p>")
        return True

    def _changes(self, now: Ticket, update: WriteBack) -> Json:
        changes: Json = {}
        if update.group_id and update.group_id != str(now.raw["Queue"]["id"]):
            changes["Queue"] = update.group_id
        if update.priority and update.priority != now.priority:
            if not update.priority.isdecimal():  # RT takes any word for 0
                raise FatalError(f"'{update.priority}' is no priority of RT's", hint="priorities are numbers here")
            changes["Priority"] = update.priority
        new = [tag for tag in update.tags if tag not in now.tags]
        names = [one["name"] for one in now.raw.get("CustomFields") or () if mapping.is_tags(one)]
        if new and names:
            # What is not in the list would be taken away.
            changes["CustomFields"] = {names[0]: [*now.tags, *new]}
        elif new:
            log.info("ticket %s: no tags, it has no custom field 'Tags'", now.id)
        return changes

    def _check(self, changes: Json, after: Ticket) -> None:
        """RT answers 200 to what it refuses too, with a reason in the account's language; so we look."""
        wanted = changes.get("Queue")
        if wanted and wanted != str(after.raw["Queue"]["id"]):
            raise ForbiddenError(
                f"ticket {after.id} was not moved to queue {wanted}",
                hint="give Deskhand's account ModifyTicket, and CreateTicket in that queue",
            )
        if after.priority != changes.get("Priority", after.priority):
            raise ForbiddenError(f"ticket {after.id} kept its priority", hint="give Deskhand's account ModifyTicket")
        for tags in changes.get("CustomFields", {}).values():
            if not set(tags) <= set(after.tags):
                log.warning("ticket %s: not all tags were taken; ModifyCustomField, or a single value?", after.id)

    def _comment(self, ticket_id: str, html: str) -> None:
        # `comment` and never `correspond`: that one goes to the customer.
        body = {"Content": html, "ContentType": "text/html"}
        try:
            self.http.request("POST", f"{path_of(ticket_id)}/comment", json=body)
        except FatalError as error:
            if isinstance(error, CredentialError):
                raise
            raise ForbiddenError(
                f"ticket {ticket_id} took no comment ({error})", hint="give Deskhand's account CommentOnTicket"
            ) from error

    def _has_note(self, ticket_id: str, marker: str) -> bool:
        # In what was written and not in what we make of it: markers must not depend on how HTML is converted.
        (thread,) = self._threads.read([ticket_id])
        return any(
            marker in str(part.get("Content") or "")
            for comment in thread.comments
            if not comment.public
            for part in comment.raw["parts"]
        )

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        """See `Helpdesk.read_webhook`."""
        return webhook.read(headers, body, secret=self._webhook_secret, max_age_s=self._webhook_max_age_s)

    def install_webhook(self, endpoint: str) -> str:
        """See `Helpdesk.install_webhook`; no API of RT sets up a Scrip."""
        raise SkippableError(
            "Request Tracker's webhook is a Scrip, which is set up on its machine",
            hint=f"load the file of docs/request-tracker.md there, with $DeskhandEndpoint = '{endpoint}'",
        )


def _names(options: Iterable[Any]) -> list[str]:
    """What a drop-down offers; each is a text, or an object in newer versions."""
    return [str(one["name"]) if isinstance(one, dict) else str(one) for one in options]
