"""What the agent's page reads: ticket lists by view and words, one ticket with its conversation, the desk's people."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from connectors.sandbox.database import Row, one, rows, scalar, setting
from connectors.sandbox.markup import clean_html

PER_PAGE = 30
VIEWS = {"open": ("new", "open", "pending", "hold"), "solved": ("solved", "closed")}
_LISTED = """
    select tickets.id, tickets.subject, tickets.status, tickets.priority, tickets.created_at, tickets.updated_at,
        tickets.channel, groups.name as group_name, users.name as requester,
        last.id as last_comment_id, last.author_id = tickets.requester_id as waiting
    from tickets join users on users.id = tickets.requester_id left join groups on groups.id = tickets.group_id
        left join comments as last
            on last.id = (select max(id) from comments where ticket_id = tickets.id and public = 1)
"""


@dataclass(frozen=True)
class Selection:
    """Which tickets a list shows.

    Attributes:
        view: ``open``, ``solved`` or ``all``.
        group_id: Only this group's; None for all groups, 0 for tickets without one.
        words: Each of them stands in the subject, in a comment or in the requester's name or address.
        page: From 1.
    """

    view: str = "open"
    group_id: int | None = None
    words: str = ""
    page: int = 1

    def query(self, **changes: Any) -> dict[str, Any]:
        """The list's query string as a mapping, with changes; what has its default is left out."""
        every = {"view": self.view, "group": self.group_id, "q": self.words, "page": self.page} | changes
        plain = {"view": "open", "group": None, "q": "", "page": 1}
        return {key: value for key, value in every.items() if value != plain[key]}


@dataclass(frozen=True)
class Listing:
    """One page of tickets, newest change first."""

    tickets: list[Row]
    total: int
    pages: int


def list_tickets(db: Database, selection: Selection) -> Listing:
    """The page of tickets that a selection asks for; past the end it is empty."""
    where, values = _conditions(selection)
    count = f"select count(*) from tickets join users on users.id = tickets.requester_id where {where}"  # noqa: S608
    total = int(scalar(db, count, values))
    sql = f"{_LISTED} where {where} order by tickets.updated_at desc, tickets.id desc limit ? offset ?"
    found = rows(db, sql, [*values, PER_PAGE, PER_PAGE * (selection.page - 1)])
    return Listing(found, total, max(1, math.ceil(total / PER_PAGE)))


def _conditions(selection: Selection) -> tuple[str, list[Any]]:
    where, values = ["tickets.deleted_at is null"], list[Any]()
    if selection.view in VIEWS:
        statuses = VIEWS[selection.view]
        where.append(f"tickets.status in ({','.join('?' * len(statuses))})")
        values += statuses
    if selection.group_id == 0:
        where.append("tickets.group_id is null")
    elif selection.group_id is not None:
        where.append("tickets.group_id = ?")
        values.append(selection.group_id)
    for word in selection.words.lstrip("#").split()[:8]:
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        where.append(
            "(cast(tickets.id as text) = ? or tickets.subject like ? escape '\\' or users.name like ? escape '\\'"
            " or users.email like ? escape '\\' or exists (select 1 from comments where ticket_id = tickets.id"
            " and body like ? escape '\\'))"
        )
        values += [word, pattern, pattern, pattern, pattern]
    return " and ".join(where), values


def count_by_view(db: Database) -> dict[str, int]:
    """How many tickets each view holds, and under ``group:ID`` how many open ones each group has (0: no group)."""
    sql = "select status, coalesce(group_id, 0) as g, count(*) as n from tickets where deleted_at is null group by 1, 2"
    counts: Counter[str] = Counter({"open": 0, "solved": 0, "all": 0})
    for row in rows(db, sql):
        view = "open" if row["status"] in VIEWS["open"] else "solved"
        counts[view] += row["n"]
        counts["all"] += row["n"]
        if view == "open":
            counts[f"group:{row['g']}"] += row["n"]
    return dict(counts)


def list_groups(db: Database) -> list[Row]:
    """All groups by name."""
    return rows(db, "select id, name, description from groups order by name")


def list_agents(db: Database) -> list[Row]:
    """The people who can sign in: agents and admins; Deskhand's own account only where it is the only one."""
    everybody = rows(db, "select id, name, email, role, locale from users where role != 'end-user' order by id")
    writer_id = setting(db, "writer_id")
    return [row for row in everybody if row["id"] != writer_id] or everybody


def brand_name(db: Database) -> str:
    """The company's name."""
    return str(scalar(db, "select name from brands limit 1") or "Helpdesk")


def list_comments(db: Database, ticket: Row) -> list[Row]:
    """A ticket's comments, oldest first, with ``author``, ``role`` and ``html`` that is safe to show."""
    sql = (
        "select comments.*, users.name as author, users.role from comments join users on users.id = author_id"
        " where ticket_id = ? order by comments.id"
    )
    writer_id = setting(db, "writer_id")
    return [
        row
        | {
            # Cleaned again when shown: the database may be older than the rules, and this is what a browser runs.
            "html": clean_html(row["html_body"])[0],
            "kind": "note"
            if not row["public"]
            else "customer"
            if row["author_id"] == ticket["requester_id"]
            else "reply",
            "is_writer": row["author_id"] == writer_id,
        }
        for row in rows(db, sql, [ticket["id"]])
    ]


def list_stamp(db: Database) -> str:
    """Changes whenever any ticket does; a page polls it."""
    row = one(db, "select count(*) as n, max(generated_s) as at, (select max(id) from audits) as audit from tickets")
    return "-".join(str(part) for part in (row or {}).values())


def ticket_stamp(db: Database, ticket_id: int) -> str:
    """Changes whenever this ticket does: its newest audit."""
    return str(scalar(db, "select max(id) from audits where ticket_id = ?", [ticket_id]) or 0)
