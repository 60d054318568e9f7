"""The sample company's tickets into a Request Tracker, through REST 2.0, each word by the person who said it.

REST cannot say when something happened: a ticket was created and a message came when the call was made. Only `Starts`,
`Started`, `Due`, `Told` and `Resolved` can be set. So the order is right, oldest first, and `backdate` puts
the real times into the database itself afterwards, which is a thing for tests.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import requests

from connectors.sandbox.company import Ticket

from .rt import RT, Json

# More do not help: SQLite has one of them write at a time, and who finds it locked sleeps.
CONNECTIONS = 1
PRIORITIES = {"low": 20, "normal": 50, "high": 80, "urgent": 100}


def fill(rt: RT, tickets: Sequence[Ticket], *, connections: int = CONNECTIONS) -> dict[int, str]:
    """Puts tickets into a running Request Tracker: each made by its customer, and answered, noted on and resolved.

    Returns:
        RT's id of each of the company's tickets.
    """
    with ThreadPoolExecutor(connections) as pool:
        made = list(pool.map(lambda ticket: _put(rt, ticket), tickets))
    return dict(zip([ticket.id for ticket in tickets], made, strict=True))


def _put(rt: RT, ticket: Ticket) -> str:
    with requests.Session() as session:
        customer, (first, *turns) = ticket.requester.email, ticket.comments
        made = rt.call(customer, "POST", "/ticket", {
            "Queue": ticket.group, "Subject": ticket.subject, "Requestor": customer,
            "Priority": PRIORITIES[ticket.priority], "Content": first.body, "ContentType": "text/plain",
        }, session=session)  # fmt: skip
        path = f"/ticket/{made['id']}"
        # A message can change fields and status as well, which saves a request of its own.
        more: Json = {"CustomFields": {"Tags": list(ticket.tags)}} if ticket.tags else {}
        for position, turn in enumerate(turns):
            author = customer if turn.author == "requester" else turn.author
            body: Json = {"Content": turn.body, "ContentType": "text/plain"}
            if author != customer:
                body |= more
                more = {}
                if position == len(turns) - 1:
                    body["Status"] = "resolved"
            rt.call(author, "POST", f"{path}/{'correspond' if turn.public else 'comment'}", body, session=session)
        if not turns or turns[-1].author == "requester":
            rt.call("karim", "PUT", path, {"Status": "resolved", **more}, session=session)
    return str(made["id"])


def backdate(rt: RT, tickets: Sequence[Ticket], made: dict[int, str]) -> None:
    """Puts the times of the company's tickets into the database, which no interface of RT's would do."""
    with sqlite3.connect(rt.database, timeout=30) as database:
        for ticket in tickets:
            number = int(made[ticket.id])
            stamps = [f"{comment.at:%Y-%m-%d %H:%M:%S}" for comment in ticket.comments]
            last = f"{ticket.comments[-1].at + timedelta(minutes=1):%Y-%m-%d %H:%M:%S}"
            rows = database.execute(
                "select id, Type from Transactions where ObjectType = 'RT::Ticket' and ObjectId = ? order by id",
                (number,),
            ).fetchall()
            spoken = iter(stamps)
            moment = stamps[0]
            for transaction, kind in rows:
                if kind in ("Create", "Correspond", "Comment"):
                    moment = next(spoken, last)
                database.execute("update Transactions set Created = ? where id = ?", (moment, transaction))
                database.execute("update Attachments set Created = ? where TransactionId = ?", (moment, transaction))
            database.execute(
                "update Tickets set Created = ?, Started = ?, LastUpdated = ?, Resolved = ? where id = ?",
                (stamps[0], stamps[0], last, last, number),
            )
    database.close()
