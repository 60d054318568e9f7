"""Conversations of many tickets at once: transactions, joined with their attachments, which hold the words.

A dozen requests read what a hundred tickets say; one by one it would be three for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from connectors.records import Comment, Thread, User
from connectors.request_tracker import mapping
from connectors.request_tracker.rest import PER_PAGE, ROOT, Json, Rest, either, where

_AUTHOR = "id,Name,RealName,EmailAddress,Lang"


class People:
    """Users, with the one thing that no listing says: whether they are of the team.

    Each is asked for once. Without the right to administer users, RT tells of a user what `$UserSummaryExtraInfo`
    names, and whether it is privileged; the rest comes from where the user was met.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._known: dict[str, User] = {}

    def user(self, item: Json) -> User:
        """The record of a user as met on a ticket or a transaction."""
        key = str(item["id"])
        if key not in self._known:
            found = self._rest.one(f"/user/{int(key)}")
            self._known[key] = mapping.user(item, privileged=bool(int(found.get("Privileged") or 0)))
        return self._known[key]

    def forget(self) -> None:
        """Asks anew from now on: people join and leave the team."""
        self._known.clear()


class Threads:
    """Reads the comments of tickets."""

    def __init__(self, rest: Rest, people: People) -> None:
        self._rest = rest
        self._people = people

    def read(self, ticket_ids: Sequence[str]) -> list[Thread]:
        """The threads of tickets that are not merged into others, each with what was merged into it.

        Args:
            ticket_ids: At most 100.
        """
        if not ticket_ids:
            return []
        sql = f"EffectiveId > 0 AND {either('EffectiveId', ticket_ids)}"
        shown_by = {
            str(row["id"]): str(row["EffectiveId"])
            for row in self._rest.rows("/tickets", {"query": sql, "orderby": "id", "fields": "EffectiveId"})
        }
        comments: dict[str, list[Comment]] = {ticket_id: [] for ticket_id in ticket_ids}
        authors: dict[str, dict[str, User]] = defaultdict(dict)
        for transactions in self._transactions(sorted(shown_by, key=int)):
            parts = self._parts([one["id"] for one in transactions])
            for transaction in transactions:
                ticket_id = shown_by[str(transaction["ObjectId"])]
                found = mapping.comment(transaction, parts[str(transaction["id"])], ticket_id)
                if found.text or found.attachments:
                    comments[ticket_id].append(found)
                    author = self._people.user(transaction["Creator"])
                    authors[ticket_id][author.id] = author
        return [
            Thread(key, tuple(sorted(found, key=lambda one: int(one.id))), tuple(authors[key].values()))
            for key, found in comments.items()
        ]

    def _transactions(self, ticket_ids: Sequence[str]) -> Iterable[list[Json]]:
        for start in range(0, len(ticket_ids), PER_PAGE):
            some = [int(one) for one in ticket_ids[start : start + PER_PAGE]]
            query = where(("ObjectType", "=", "RT::Ticket"), ("ObjectId", "IN", some), ("Type", "IN", mapping.KINDS))
            fields = {"fields": "Type,ObjectId,Created,Creator", "fields[Creator]": _AUTHOR}
            yield from self._rest.pages("/transactions", {"query": query, "orderby": "id", **fields})

    def _parts(self, transactions: Sequence[str]) -> dict[str, list[Json]]:
        """Attachments by transaction: texts with what they say, files only by name and size."""
        ids = ("TransactionId", "IN", [int(one) for one in transactions])
        wanted = (
            # `Content` of a binary file would come along, whatever its size.
            (("ContentType", "STARTSWITH", "text/"), "TransactionId,ContentType,Content,Filename"),
            (("Filename", "!=", ""), "TransactionId,ContentType,ContentLength,Filename"),
        )
        found: dict[str, dict[str, Json]] = defaultdict(dict)
        for condition, fields in wanted:
            params = {"query": where(ids, condition), "orderby": "id", "fields": fields}
            # Who sees a transaction sees its attachments.
            for part in self._rest.rows("/attachments", params, all_visible=True):
                found[str(part["TransactionId"])][str(part["id"])] = part
        return {str(key): sorted(found[str(key)].values(), key=lambda part: int(part["id"])) for key in transactions}


def path_of(ticket_id: str) -> str:
    """The address of a ticket."""
    return f"{ROOT}/ticket/{int(ticket_id)}"
