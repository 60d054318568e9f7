"""Writing back: one update of one ticket with an internal note, never twice, never over somebody's change.

`PUT /api/v1/tickets/{id}` takes changes and an article at once, and does both or neither (`TicketsController#update`).
It knows no condition, so that nobody was faster is checked by reading the ticket right before. The article is of type
`note`: an internal one of type `email` would be sent all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from connectors.errors import (
    CredentialError,
    FatalError,
    ForbiddenError,
    SkippableError,
    StaleTicketError,
    TicketClosedError,
)
from connectors.http.client import Http
from connectors.records import Ticket, WriteBack
from connectors.zammad import drafts
from connectors.zammad.api import ROOT, Json
from connectors.zammad.people import People

log = logging.getLogger(__name__)

SUBJECT = "Deskhand"


class Writer:
    """Puts notes, drafts, groups, priorities and tags on tickets.

    Args:
        ticket: Reads a ticket as it is now, with its tags.
        articles: Reads a ticket's articles, oldest first.
    """

    def __init__(
        self,
        http: Http,
        people: People,
        *,
        ticket: Callable[[str], Ticket],
        articles: Callable[[str], list[Json]],
    ) -> None:
        self._http = http
        self._people = people
        self._ticket = ticket
        self._articles = articles

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """See `Helpdesk.write_back`: tags and draft first, since they can be set twice without harm."""
        now = self._ticket(ticket.id)
        if now.merged:
            raise TicketClosedError(f"ticket {ticket.id} is merged into another one")
        articles = self._articles(ticket.id) if update.note_html or update.draft else []
        if update.note_html and any(_has(article, update.marker) for article in articles):
            return False
        if now.raw.get("updated_at") != ticket.raw.get("updated_at", ticket.updated_at):
            raise StaleTicketError(f"ticket {ticket.id} changed since it was read")
        missing = self._missing_tags(ticket.id, update.tags)
        for tag in missing:
            self._add_tag(ticket.id, tag)
        if update.draft:
            self._put_draft(now, update, articles)
        self._put(now, update)
        return True

    def _missing_tags(self, ticket_id: str, wanted: tuple[str, ...]) -> list[str]:
        # Asked for also where there are none to add: only the team may, and a note of somebody who is not of the team
        # becomes a public one, whatever it says (`CreatesTicketArticles`).
        try:
            tags = tags_of(self._http, ticket_id)
        except ForbiddenError as error:
            raise ForbiddenError(
                f"ticket {ticket_id} takes no internal note from this credential ({error})",
                hint="use a token with ticket.agent, of a user with the role Agent",
            ) from error
        return [tag for tag in wanted if tag not in tags]

    def _add_tag(self, ticket_id: str, tag: str) -> None:
        try:
            self._http.request(
                "POST", f"{ROOT}/tags/add", json={"object": "Ticket", "o_id": int(ticket_id), "item": tag}
            )
        except FatalError as error:
            if isinstance(error, CredentialError) and not isinstance(error, ForbiddenError):
                raise
            log.warning("ticket %s did not take a tag: %s (may agents make new tags?)", ticket_id, error)

    def _put_draft(self, now: Ticket, update: WriteBack, articles: list[Json]) -> None:
        group_id = update.group_id or str(now.raw.get("group_id") or "")
        try:
            address = self._people.find(now.requester_id, "requester").email
            done = drafts.put(self._http, now.id, group_id, articles, address, update.draft)
        except (ForbiddenError, SkippableError) as error:
            log.info("ticket %s: no draft in the editor: %s", now.id, error)
        else:
            log.info("ticket %s: %s", now.id, "draft in the editor" if done else "no draft in the editor")

    def _put(self, now: Ticket, update: WriteBack) -> None:
        changes: Json = {}
        if update.group_id and update.group_id != str(now.raw.get("group_id")):
            changes["group_id"] = int(update.group_id)
        if update.priority and update.priority != now.priority:
            changes["priority"] = update.priority
        article = _note(update) if update.note_html else {}
        try:
            if changes:
                body = {**changes, "article": article} if article else changes
                self._http.send("PUT", f"{ROOT}/tickets/{now.id}", json=body)
            elif article:
                self._post(now.id, article)
        except FatalError as error:
            if isinstance(error, CredentialError) or not (changes and article):
                raise
            # Such as a group that is gone, or a field that this site wants filled in before anything is changed.
            log.warning("ticket %s: Zammad refused its group or priority (%s); the note alone", now.id, error)
            self._post(now.id, article)

    def _post(self, ticket_id: str, article: Json) -> None:
        self._http.send("POST", f"{ROOT}/ticket_articles", json={"ticket_id": int(ticket_id), **article})


def tags_of(http: Http, ticket_id: str) -> tuple[str, ...]:
    """A ticket's tags.

    Raises:
        ForbiddenError: We are not of the team.
    """
    found = http.get(f"{ROOT}/tags", {"object": "Ticket", "o_id": ticket_id}).get("tags")
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _note(update: WriteBack) -> Json:
    body = f"{update.note_html}<p>{update.marker}</p>"
    return {"type": "note", "internal": True, "content_type": "text/html", "subject": SUBJECT, "body": body}


def _has(article: Json, marker: str) -> bool:
    return article.get("internal") is True and marker in str(article.get("body"))
