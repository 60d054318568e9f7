"""The Zendesk connector: streams out, notes and routes back in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from connectors.errors import (
    CredentialError,
    CursorError,
    FatalError,
    NotFoundError,
    SkippableError,
    SlowAnswerError,
    TicketClosedError,
)
from connectors.http import MAX_ATTEMPTS, Http
from connectors.records import Comment, Page, Record, Ticket, User, WebhookEvent, WriteBack
from connectors.settings import HelpdeskSettings
from connectors.zendesk import mapping, webhook
from connectors.zendesk.auth import authorizer

log = logging.getLogger(__name__)

TICKETS_PER_PAGE = 1000
LEAST_PER_PAGE = 25
ITEMS_PER_PAGE = 100

Json = dict[str, Any]
T = TypeVar("T")


class Zendesk:
    """A Zendesk account, or anything that speaks its API. See `connectors.helpdesk.Helpdesk` for the methods."""

    # What others refer to comes first, so that a sync that is cut off leaves nothing dangling.
    streams: tuple[str, ...] = ("groups", "users", "macros", "articles", "tickets", "satisfaction_ratings")

    def __init__(
        self,
        settings: HelpdeskSettings,
        *,
        webhook_secret: str = "",
        webhook_max_age_s: float = 300.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = settings.name
        self.base_url = settings.base_url
        self.http = Http(settings.base_url, authorizer(settings), timeout_s=settings.timeout_s, sleep=sleep)
        self._webhook_secret = webhook_secret
        self._webhook_max_age_s = webhook_max_age_s

    def close(self) -> None:
        """Lets go of connections."""
        self.http.close()

    def me(self) -> User:
        """Who this credential belongs to; `role` is `agent` for admins too (see `raw["role"]`)."""
        return mapping.user(self.http.get("/api/v2/users/me.json")["user"])

    def pages(self, stream: str, cursor: str | None) -> Iterator[Page]:
        """See `Helpdesk.pages`."""
        match stream:
            case "tickets":
                yield from self._cursor_export(
                    "/api/v2/incremental/tickets/cursor.json", "tickets", mapping.ticket, cursor
                )
            case "users":
                yield from self._cursor_export("/api/v2/incremental/users/cursor.json", "users", mapping.user, cursor)
            case "groups":
                yield from self._listing("/api/v2/groups.json", "groups", mapping.group)
            case "macros":
                yield from self._listing("/api/v2/macros.json", "macros", mapping.macro)
            case "satisfaction_ratings":
                yield from self._listing(
                    "/api/v2/satisfaction_ratings.json", "satisfaction_ratings", mapping.satisfaction
                )
            case "articles":
                yield from self._articles(cursor)
            case _:
                raise FatalError(f"Zendesk has no stream '{stream}'", hint=f"streams: {', '.join(self.streams)}")

    def _cursor_export(self, path: str, key: str, read: Callable[[Json], Record], cursor: str | None) -> Iterator[Page]:
        """Cursor-based incremental export; `after_cursor` is opaque and is kept even at the end of the stream."""
        size = TICKETS_PER_PAGE
        while True:
            position: dict[str, str | int] = {"cursor": cursor} if cursor else {"start_time": 0}
            least = size <= LEAST_PER_PAGE
            attempts = MAX_ATTEMPTS if least else 1
            try:
                answer = self._get_or_skip(path, position | {"per_page": size}, key, slow_attempts=attempts)
            except SlowAnswerError:
                # A big page that took too long once takes too long again; a smaller one comes through.
                if least:
                    raise
                size = max(LEAST_PER_PAGE, size // 2)
                log.info("asking for %d %s a page from now on", size, key)
                continue
            after = answer.get("after_cursor") or cursor or ""
            done = bool(answer.get("end_of_stream"))
            if not done and (not after or after == cursor):
                raise CursorError(
                    f"the {key} export does not move on from its cursor", hint="run: deskhand sync --full"
                )
            yield Page(_records(read, answer.get(key), key), after, done)
            if done:
                return
            cursor = after

    def _listing(self, path: str, key: str, read: Callable[[Json], Record]) -> Iterator[Page]:
        """A list without a change filter: read whole each time, in cursor pages where the server has them."""
        params: Mapping[str, str | int] | None = {"page[size]": ITEMS_PER_PAGE}
        address: str | None = path
        seen: set[str] = set()
        while address:
            answer = self._get_or_skip(address, params, key)
            following = (
                (answer.get("links") or {}).get("next")
                if (answer.get("meta") or {}).get("has_more")
                else answer.get("next_page")
            )
            if following in seen:
                raise CursorError(f"the {key} listing does not move on from its page", hint="run the sync again later")
            seen.add(following or "")
            yield Page(_records(read, answer.get(key), key), "", not following)
            address, params = following, None

    def _articles(self, cursor: str | None) -> Iterator[Page]:
        """Time-based export: `start_time` is inclusive, so the last second's rows come again and are recognised."""
        start_time = int(cursor or 0)
        while True:
            path = "/api/v2/help_center/incremental/articles.json"
            answer = self._get_or_skip(path, {"start_time": start_time}, "articles")
            items = answer.get("articles") or []
            end_time = int(answer.get("end_time") or start_time)
            done = not answer.get("next_page") or not items
            if not done and end_time <= start_time:
                raise CursorError(
                    "the articles export does not move on from its time", hint="run: deskhand sync --full"
                )
            yield Page(_records(mapping.article, items, "articles"), str(end_time), done)
            if done:
                return
            start_time = end_time

    def _get_or_skip(
        self, path: str, params: Mapping[str, str | int] | None, stream: str, *, slow_attempts: int = MAX_ATTEMPTS
    ) -> Json:
        try:
            return self.http.get(path, params, slow_attempts=slow_attempts)
        except NotFoundError as error:
            raise SkippableError(f"{stream}: this account does not have it ({error})") from error

    def comments(self, ticket_id: str) -> tuple[list[Comment], list[User]]:
        """See `Helpdesk.comments`."""
        comments: list[Comment] = []
        users: dict[str, User] = {}
        address: str | None = f"/api/v2/tickets/{ticket_id}/comments.json"
        params: Mapping[str, str | int] | None = {"page[size]": ITEMS_PER_PAGE, "include": "users"}
        seen: set[str] = set()
        while address:
            answer = self.http.get(address, params)
            what = f"of ticket {ticket_id}, comments"
            comments += _records(lambda item: mapping.comment(item, ticket_id), answer.get("comments"), what)
            users |= {user.id: user for user in _records(mapping.user, answer.get("users"), "users")}
            more = (answer.get("meta") or {}).get("has_more")
            # Some accounts answer without `meta` and page by `next_page` instead.
            following = (answer.get("links") or {}).get("next") if more else answer.get("next_page")
            if following in seen:
                raise CursorError(f"the comments of ticket {ticket_id} do not move on from their page")
            seen.add(following or "")
            address, params = following, None
        return comments, list(users.values())

    def ticket(self, ticket_id: str) -> Ticket:
        """See `Helpdesk.ticket`."""
        return mapping.ticket(self.http.get(f"/api/v2/tickets/{ticket_id}.json")["ticket"])

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """See `Helpdesk.write_back`: one PUT with `safe_update`, after looking for the marker in the ticket's notes."""
        if ticket.status in ("closed", "deleted") or ticket.deleted:
            raise TicketClosedError(f"ticket {ticket.id} is {ticket.status}")
        if update.note_html and self._has_note(ticket.id, update.marker):
            return False
        body: Json = {
            "safe_update": True,
            # The stamp as Zendesk gave it: ours is normalised and would not compare equal.
            "updated_stamp": ticket.raw.get("updated_at", ticket.updated_at),
        }
        if update.note_html:
            body["comment"] = {"html_body": f"{update.note_html}<p>{update.marker}</p>", "public": False}
        if update.group_id and update.group_id != ticket.group_id:
            body["group_id"] = int(update.group_id)
        if update.tags:
            body["additional_tags"] = list(update.tags)
        try:
            self.http.send("PUT", f"/api/v2/tickets/{ticket.id}.json", json={"ticket": body})
        except FatalError as error:
            # A refusal has many reasons, such as a group that is gone; a ticket closed since we read it is nobody's
            # fault. A deleted one is not found.
            if not isinstance(error, CredentialError) and self.ticket(ticket.id).status == "closed":
                raise TicketClosedError(f"ticket {ticket.id} takes no update any more") from error
            raise
        return True

    def _has_note(self, ticket_id: str, marker: str) -> bool:
        comments, _ = self.comments(ticket_id)
        return any(marker in comment.text for comment in comments if not comment.public)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        """See `Helpdesk.read_webhook`."""
        return webhook.read(headers, body, secret=self._webhook_secret, max_age_s=self._webhook_max_age_s)

    def install_webhook(self, endpoint: str) -> str:
        """Creates the webhook and its trigger (customer wrote on a new or open ticket); returns the signing secret.

        Where a webhook of ours with this endpoint exists, it is used as it is.
        """
        listing = self.http.get("/api/v2/webhooks")
        known = [item for item in listing.get("webhooks") or () if item.get("endpoint") == endpoint]
        if known:
            webhook_id = known[0]["id"]
        else:
            created = self.http.send("POST", "/api/v2/webhooks", json={"webhook": {
                "name": "Deskhand", "endpoint": endpoint, "http_method": "POST", "request_format": "json",
                "status": "active", "subscriptions": ["conditional_ticket_events"],
            }})  # fmt: skip
            webhook_id = created["webhook"]["id"]
            self.http.send("POST", "/api/v2/triggers", json={"trigger": {
                "title": "Deskhand: a customer wrote",
                # Only customers' comments: our own notes are by an agent, so they cannot fire it again.
                "conditions": {"all": [
                    {"field": "role", "operator": "is", "value": "end_user"},
                    {"field": "status", "operator": "less_than", "value": "solved"},
                ], "any": []},
                "actions": [{"field": "notification_webhook", "value": [webhook_id, webhook.TRIGGER_BODY]}],
            }})  # fmt: skip
        return str(self.http.get(f"/api/v2/webhooks/{webhook_id}/signing_secret")["signing_secret"]["secret"])


def _records(read: Callable[[Json], T], items: Iterable[Json] | None, what: str) -> tuple[T, ...]:
    """Maps a page; a record that cannot be read ends the run, since behind the cursor it would be lost for good."""
    records = []
    for item in items or ():
        try:
            records.append(read(item))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            why = f"it has no {error}" if isinstance(error, KeyError) else type(error).__name__
            which = item.get("id") if isinstance(item, dict) else "without an id"
            # The error's own words may hold what the field held.
            raise FatalError(
                f"{what}: record {which} is not in the shape we know ({why})",
                hint="the API has changed: upgrade Deskhand",
            ) from None
    return tuple(records)
