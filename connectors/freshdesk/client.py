"""The Freshdesk connector: streams out, notes and routes back in.

Facts: Freshdesk's API reference, https://developers.freshdesk.com/api/: 100 records a page, 300 pages at most, only the
last 30 days without `updated_since`; notes are private unless said otherwise; `tags` replaces; a deleted ticket answers
405 to updates.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Unpack

from connectors import values
from connectors.errors import (
    CredentialError,
    FatalError,
    ForbiddenError,
    NotFoundError,
    SkippableError,
    StaleTicketError,
    TicketClosedError,
)
from connectors.freshdesk import cursor as cursors
from connectors.freshdesk import mapping, webhook
from connectors.freshdesk.cursor import Mark
from connectors.http_helpdesk import HttpHelpdesk, Options, read_records
from connectors.records import Comment, Outlook, Page, Record, Ticket, User, WebhookEvent, WriteBack
from connectors.settings import HelpdeskSettings

PER_PAGE = 100
# How many conversations come inside a ticket; where there are so many, there may be more.
CONVERSATIONS_INSIDE = 10

Json = dict[str, Any]

# Lists of the tickets: what is in the bin or the spam folder is on none but its own.
_LISTS = ("", "deleted", "spam")
_LISTINGS: dict[str, tuple[str, Callable[[Json], Record]]] = {
    "groups": ("/api/v2/groups", mapping.group),
    "brands": ("/api/v2/products", mapping.brand),
    "ticket_fields": ("/api/v2/ticket_fields", mapping.ticket_field),
    "organizations": ("/api/v2/companies", mapping.organization),
}
_PROBES = {
    "users": "/api/v2/contacts",
    "macros": "/api/v2/canned_response_folders",
    "articles": "/api/v2/solutions/categories",
    "tickets": "/api/v2/tickets",
    "satisfaction_ratings": "/api/v2/surveys/satisfaction_ratings",
} | {stream: path for stream, (path, _) in _LISTINGS.items()}


class Freshdesk(HttpHelpdesk):
    """A Freshdesk account. See `connectors.helpdesk.Helpdesk` for the methods.

    Its webhooks do not say when they were sent, so none is too old.
    """

    title = "Freshdesk"
    streams = (*_LISTINGS, "users", "macros", "articles", "tickets", "satisfaction_ratings")

    def __init__(self, settings: HelpdeskSettings, **options: Unpack[Options]) -> None:
        # The key is the user; the password is ignored, but has to be there.
        secret = base64.b64encode(f"{settings.token.get_secret_value()}:X".encode()).decode()
        super().__init__(settings, lambda _renew: f"Basic {secret}", **options)
        self._people: dict[str, User] = {}

    def me(self) -> User:
        """See `Helpdesk.me`; only agents have keys."""
        return mapping.agent(self.http.get("/api/v2/agents/me"))

    def outlook(self, stream: str) -> Outlook:
        """See `Helpdesk.outlook`; Freshdesk does not say how long its lists are."""
        if stream not in _PROBES:
            raise self._no_stream(stream)
        self._list(stream, _PROBES[stream], {"per_page": 1})
        return Outlook(None, PER_PAGE)

    def pages(self, stream: str, cursor: str | None, *, since: int = 0) -> Iterator[Page]:
        """See `Helpdesk.pages`."""
        match stream:
            case "tickets":
                yield from self._tickets(cursor, since)
            case "users":
                yield from self._agents(cursor)
                yield from self._by_time(stream, "/api/v2/contacts", "_updated_since", mapping.contact, cursor, since)
            case "satisfaction_ratings":
                path = _PROBES[stream]
                yield from self._by_time(stream, path, "created_since", mapping.satisfaction, cursor, since)
            case "macros":
                yield from self._macros()
            case "articles":
                yield from self._articles()
            case _ if stream in _LISTINGS:
                path, read = _LISTINGS[stream]
                for items, last in self._numbered(stream, path):
                    yield Page(read_records(read, items, stream), "", last, listed=stream)
            case _:
                raise self._no_stream(stream)

    def _tickets(self, cursor: str | None, since: int) -> Iterator[Page]:
        """The tickets, then what is in the bin, then what is in the spam folder: each a list of its own."""
        marks, at = cursors.load(cursor, _LISTS, since)
        for number, name in enumerate(_LISTS):
            if number < _LISTS.index(at):
                continue
            for items, mark, last in cursors.by_time(partial(self._ticket_page, name), _changed_at, marks[name]):
                marks = {**marks, name: mark}
                following = _LISTS[(number + 1) % len(_LISTS)] if last else name
                records = [record for found in read_records(self._of_ticket, items, "tickets") for record in found]
                yield Page(tuple(records), cursors.dump(marks, following), last and following == _LISTS[0])

    def _ticket_page(self, name: str, mark: Mark) -> tuple[list[Json], bool]:
        params: dict[str, str | int] = {"updated_since": mark.since, "order_by": "updated_at", "order_type": "asc"}
        # The description is left out: it comes with the comments, and would cost two more calls a page.
        params |= {"filter": name} if name else {"include": "stats,requester"}
        items, last = self._page("tickets", "/api/v2/tickets", params | {"page": mark.page})
        # That a ticket is on one of these lists is all that says so.
        return [item | {"deleted": True} for item in items] if name else items, last

    def _of_ticket(self, item: Json) -> list[Record]:
        """A ticket with who asked and its figures."""
        ticket = mapping.ticket(item, self.base_url)
        figures, requester = mapping.metrics(item), item.get("requester")
        return [
            *([mapping.contact(requester)] if isinstance(requester, dict) and not ticket.deleted else ()),
            ticket,
            *([figures] if figures and not ticket.deleted else ()),
        ]

    def _by_time(
        self, stream: str, path: str, filter_: str, read: Callable[[Json], Record], cursor: str | None, since: int
    ) -> Iterator[Page]:
        """A list that can be asked for from a time on, but not sorted by it: page by page to its end."""
        marks, _ = cursors.load(cursor, (stream,), since)
        mark, done = marks[stream], False
        while not done:
            params: dict[str, str | int] = {filter_: mark.since} if mark.since > cursors.START else {}
            items, done = self._page(stream, path, params | {"page": mark.page})
            records = read_records(read, items, stream)
            times = [item.get("updated_at") or item.get("created_at") for item in items]
            newest = max([mark.newest, *(time for time in map(values.moment, times) if time)])
            mark = (
                Mark(max(mark.since, cursors.second_before(newest)))
                if done
                else Mark(mark.since, mark.page + 1, newest)
            )
            yield Page(records, cursors.dump({stream: mark}), done)

    def _agents(self, cursor: str | None) -> Iterator[Page]:
        # All of them each time, for nothing says which have changed; the cursor is the contacts'.
        for items, _ in self._numbered("users", "/api/v2/agents"):
            yield Page(read_records(mapping.agent, items, "users"), cursor or "", False)

    def _macros(self) -> Iterator[Page]:
        for folders, last_folders in self._numbered("macros", "/api/v2/canned_response_folders"):
            records: list[Record] = []
            for folder in folders:
                for items, _ in self._numbered("macros", f"/api/v2/canned_response_folders/{folder['id']}/responses"):
                    records += read_records(mapping.macro, map(self._whole_response, items), "macros")
            yield Page(tuple(records), "", last_folders, listed="macros")

    def _whole_response(self, item: Json) -> Json:
        # Some accounts list titles only.
        listed = "content" in item or "content_html" in item
        return item if listed else self.http.get(f"/api/v2/canned_responses/{item['id']}")

    def _articles(self) -> Iterator[Page]:
        for categories, _ in self._numbered("articles", "/api/v2/solutions/categories"):
            for category in categories:
                for folder in self._folders(f"/api/v2/solutions/categories/{category['id']}/folders", set()):
                    for items, _ in self._numbered("articles", f"/api/v2/solutions/folders/{folder['id']}/articles"):
                        read = partial(mapping.article, folder=folder, base_url=self.base_url)
                        yield Page(read_records(read, items, "articles"), "", False, listed="articles")
        yield Page((), "", True, listed="articles")

    def _folders(self, path: str, seen: set[str]) -> Iterator[Json]:
        """The folders there and, where an account has them, the folders inside these."""
        for folders, _ in self._numbered("articles", path):
            for folder in folders:
                if str(folder["id"]) not in seen:
                    seen.add(str(folder["id"]))
                    yield folder
                    if folder.get("sub_folders_count"):
                        yield from self._folders(f"/api/v2/solutions/folders/{folder['id']}/subfolders", seen)

    def _numbered(self, stream: str, path: str) -> Iterator[tuple[list[Json], bool]]:
        page, last = 0, False
        while not last:
            page += 1
            items, last = self._page(stream, path, {"page": page})
            yield items, last

    def _page(self, stream: str, path: str, params: Mapping[str, str | int]) -> tuple[list[Json], bool]:
        """A page of a list, and whether it is the last one."""
        items, more = self._list(stream, path, {**params, "per_page": PER_PAGE})
        # `link` names the next page; a full page without one is followed all the same, for an empty page does no harm.
        return items, not items or not (more or len(items) >= PER_PAGE)

    def _list(self, stream: str, path: str, params: Mapping[str, str | int]) -> tuple[list[Json], bool]:
        try:
            answer = self.http.request("GET", path, params=params)
        except NotFoundError as error:
            raise SkippableError(f"{stream}: this account does not have it ({error})") from error
        return answer.as_list(), 'rel="next"' in answer.headers.get("link", "").replace("'", '"')

    def ticket(self, ticket_id: str) -> Ticket:
        """See `Helpdesk.ticket`."""
        return mapping.ticket(self.http.get(f"/api/v2/tickets/{ticket_id}"), self.base_url)

    def comments(self, ticket_id: str) -> tuple[list[Comment], list[User]]:
        """See `Helpdesk.comments`; one request for tickets with few turns."""
        item, conversations = self._whole(ticket_id)
        comments = [mapping.description(item), *conversations]
        authors: dict[str, User] = {}
        if isinstance(item.get("requester"), dict):
            requester = mapping.contact(item["requester"])
            authors[requester.id] = self._people[requester.id] = requester
        for comment in comments:
            if comment.author_id and comment.author_id not in authors:
                ours = mapping.is_by_the_team(comment.raw) if comment.raw else mapping.is_outbound(item)
                authors[comment.author_id] = self._person(comment.author_id, of_the_team=ours)
        return comments, [authors[key] for key in dict.fromkeys(one.author_id for one in comments) if key in authors]

    def _whole(self, ticket_id: str) -> tuple[Json, list[Comment]]:
        """A ticket with its requester, and all its conversations, oldest first."""
        path = f"/api/v2/tickets/{ticket_id}"
        item = self.http.get(path, {"include": "conversations,requester"})
        conversations = item.get("conversations") or []
        if len(conversations) >= CONVERSATIONS_INSIDE:
            conversations = [
                one for page, _ in self._numbered(f"ticket {ticket_id}", f"{path}/conversations") for one in page
            ]
        read = read_records(
            lambda one: mapping.conversation(one, ticket_id), conversations, f"of ticket {ticket_id}, comments"
        )
        return item, sorted(read, key=lambda comment: comment.created_at)

    def _person(self, user_id: str, *, of_the_team: bool) -> User:
        """Somebody by id. Whoever left the team is a contact now, but what they wrote was the team's."""
        if user_id not in self._people:
            person = mapping.contact({"id": user_id}, "agent" if of_the_team else "requester")
            for kind in ("agents", "contacts") if of_the_team else ("contacts", "agents"):
                try:
                    item = self.http.get(f"/api/v2/{kind}/{user_id}")
                except (SkippableError, ForbiddenError):
                    continue
                person = mapping.agent(item) if kind == "agents" else mapping.contact(item, person.role)
                break
            self._people[user_id] = person
        return self._people[user_id]

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """See `Helpdesk.write_back`.

        Freshdesk has no update that does it all, nor one that fails where somebody was faster. So the ticket is read
        once more; then come group, priority and tags, which can be set twice without harm, and last the note, whose
        marker says that all of it was done.
        """
        item, conversations = self._whole(ticket.id)
        now = mapping.ticket(item, self.base_url)
        if now.deleted or now.status == "closed":
            raise TicketClosedError(f"ticket {ticket.id} is {now.status}")
        if update.note_html and any(update.marker in one.text for one in conversations if not one.public):
            return False
        if now.updated_at != ticket.updated_at:
            raise StaleTicketError(f"ticket {ticket.id} changed since it was read")
        path = f"/api/v2/tickets/{ticket.id}"
        try:
            if changes := _changes(now, update):
                self.http.send("PUT", path, json=changes)
            if update.note_html:
                body = f"{update.note_html}<p>{update.marker}</p>"
                self.http.send("POST", f"{path}/notes", json={"body": body, "private": True})
        except FatalError as error:
            # A refusal has many reasons, such as a group that is gone; a ticket deleted since is nobody's fault.
            if not isinstance(error, CredentialError) and self.ticket(ticket.id).deleted:
                raise TicketClosedError(f"ticket {ticket.id} takes no update any more") from error
            raise
        return True

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        """See `Helpdesk.read_webhook`."""
        return webhook.read(headers, body, secret=self._webhook_secret)

    def install_webhook(self, endpoint: str) -> str:
        """See `Helpdesk.install_webhook`; automation rules are made by hand."""
        raise SkippableError(
            "Freshdesk's webhooks are part of automation rules", hint=webhook.HINT.format(endpoint=endpoint)
        )


def _changed_at(item: Json) -> str:
    return values.moment(item.get("updated_at")) or cursors.START


def _changes(now: Ticket, update: WriteBack) -> Json:
    """What differs from how the ticket is."""
    changes: Json = {}
    if update.group_id and update.group_id != now.group_id:
        changes["group_id"] = int(update.group_id)
    if update.priority and update.priority != now.priority:
        numbers = {name: number for number, name in mapping.PRIORITIES.items()}
        if update.priority not in numbers:
            raise FatalError(f"Freshdesk has no priority '{update.priority}'", hint=f"priorities: {', '.join(numbers)}")
        changes["priority"] = numbers[update.priority]
    if missing := [tag for tag in update.tags if tag not in now.tags]:
        changes["tags"] = [*now.tags, *missing]
    return changes
