"""Plays solved tickets as they went: every comment leaves an audit, every status follows from who wrote last."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from connectors.sandbox import company as files
from connectors.sandbox.attachments import pack
from connectors.sandbox.database import FIRST_ID, Row, ensure_end_user, iso, organization_of
from connectors.sandbox.fresh_ticket import fill_custom_fields, new_ticket
from connectors.sandbox.markup import text_to_html, wrap_comment

SYSTEM = -1  # whom Zendesk names as the author of what its automations do
CLOSE_AFTER = timedelta(days=4)
CLOSE_HOUR = 3  # one nightly run closes all that are due, so closed tickets share their second, as on real accounts


# Customers say that something is attached, but the files have only texts. In English, Dutch and German.
_SHOWN = re.compile(r"\b(attached|photos?|pictures?|screenshots?|foto'?s?|bilder|anbei|bijlage)\b", re.IGNORECASE)


def _file(ticket_id: int) -> dict[str, Any]:
    """What is known of a file on a ticket, made up from its id; one in four is a picture inside the text."""
    size = 40_000 + ticket_id * 7_919 % 2_000_000
    if ticket_id % 3 == 0:
        return {"file_name": f"invoice-{ticket_id}.pdf", "content_type": "application/pdf", "size": size}
    name = f"photo-{ticket_id}.jpg"
    return {"file_name": name, "content_type": "image/jpeg", "size": size, "inline": ticket_id % 4 == 1}


class History:
    """Collects the rows of many tickets, then writes them.

    Args:
        db: Inside the seeding transaction; groups and agents are in it already.
        company: Whose tickets they are.
        latest_s: No row is generated later than this Unix second.
    """

    def __init__(self, db: Database, company: files.Company, *, latest_s: int) -> None:
        self._db, self._company, self._latest_s = db, company, latest_s
        self._groups = {group.name: group.id for group in company.groups}
        self._agents = {agent.key: agent.id for agent in company.agents}
        self.tickets: list[Row] = []
        self.comments: list[Row] = []
        self.audits: list[Row] = []
        self.ratings: list[Row] = []

    def write(self) -> None:
        """Insert everything collected."""
        self._db.table("tickets").insert_all(self.tickets)
        self._db.table("comments").insert_all(self.comments)
        self._db.table("audits").insert_all(self.audits)
        self._db.table("satisfaction_ratings").insert_all(self.ratings)

    def _audit(self, ticket_id: int, author_id: int, channel: str, at: datetime) -> Row:
        audit: Row = {
            "id": FIRST_ID["audits"] + len(self.audits),
            "ticket_id": ticket_id,
            "author_id": author_id,
            "channel": channel,
            "created_at": iso(at.timestamp()),
            "created_s": min(int(at.timestamp()), self._latest_s),
            "events": "[]",
        }
        self.audits.append(audit)
        return audit

    def _comment(self, audit: Row, author_id: int, comment: files.Comment) -> dict[str, Any]:
        body = comment.body.strip()
        row: Row = {
            "id": FIRST_ID["comments"] + len(self.comments),
            **{key: audit[key] for key in ("ticket_id", "channel", "created_at")},
            "audit_id": audit["id"],
            "author_id": author_id,
            "public": int(comment.public),
            "body": body,
            "html_body": wrap_comment(text_to_html(body)),
            "attachments": None,
        }
        if comment.author == "requester" and _SHOWN.search(body):
            row["attachments"] = pack(row["id"], [_file(audit["ticket_id"])])
        self.comments.append(row)
        return {"type": "Comment", "comment_id": row["id"]}

    def add(self, ticket: files.Ticket) -> None:
        """Play one ticket from its first comment to its last status."""
        requester_id = ensure_end_user(
            self._db,
            ticket.requester.name,
            ticket.requester.email,
            now_s=min(ticket.created.timestamp(), self._latest_s),
            locale=ticket.language,
        )
        row = new_ticket(ticket.id, requester_id, ticket.subject, ticket.comments[0].body.strip(), ticket.channel)
        row["organization_id"] = organization_of(self._db, ticket.requester.email.strip().lower())
        text = " ".join([ticket.subject, *(one.body for one in ticket.comments if one.author == "requester")])
        row |= {
            "tags": json.dumps(sorted(ticket.tags)),
            "custom_fields": json.dumps(self._custom_fields(text)),
            "created_at": iso(ticket.created.timestamp()),
        }
        answers = [one for one in ticket.comments if one.author != "requester" and one.public]
        events: list[dict[str, Any]] = []
        for number, comment in enumerate(ticket.comments):
            by_agent = comment.author != "requester"
            author_id = self._agents[comment.author] if by_agent else requester_id
            audit = self._audit(ticket.id, author_id, ticket.channel if not by_agent else "web", comment.at)
            events = [self._comment(audit, author_id, comment)]
            if number == 0:
                events += [
                    {"type": "Create", "field_name": name, "value": row[name]}
                    for name in ("subject", "status", "requester_id")
                ]
            elif by_agent:
                solving = bool(answers) and comment is answers[-1]
                if ticket.kind == "reopened" and bool(answers) and comment is answers[0]:
                    solving = True
                wanted: Row = {"group_id": self._groups[ticket.group], "priority": ticket.priority}
                if comment.public:
                    wanted |= {"assignee_id": author_id, "status": "solved" if solving else "pending"}
                events += self._change(row, wanted, comment.at)
            elif row["status"] != "new":
                events += self._change(row, {"status": "open"}, comment.at)
            audit["events"] = json.dumps(events)
        self._finish(ticket, row)
        self.tickets.append(row)

    def _finish(self, ticket: files.Ticket, row: Row) -> None:
        """Bring the ticket to the status in its file, and date it by the last change."""
        last = ticket.comments[-1].at
        if row["status"] != "solved":  # nobody answered, or the customer had the last word ('thanks!')
            last += timedelta(hours=1)
            wanted: Row = {"group_id": self._groups[ticket.group], "priority": ticket.priority, "status": "solved"}
            audit = self._audit(ticket.id, SYSTEM, "rule", last)
            audit["events"] = json.dumps(self._change(row, wanted, last))
        if ticket.satisfaction:
            row["rating_id"] = self._rating(ticket, row, last + timedelta(hours=20))
            last += timedelta(hours=20)
        if ticket.status == "closed":
            due = last + CLOSE_AFTER
            last = due.replace(hour=CLOSE_HOUR, minute=0, second=0)
            last += timedelta(days=1) if last < due else timedelta()
            audit = self._audit(ticket.id, SYSTEM, "rule", last)
            audit["events"] = json.dumps(self._change(row, {"status": "closed"}, last))
        row["updated_at"] = iso(last.timestamp())
        row["generated_s"] = min(int(last.timestamp()), self._latest_s)

    @staticmethod
    def _change(row: Row, wanted: Row, at: datetime) -> list[dict[str, Any]]:
        changed = {name: value for name, value in wanted.items() if row[name] != value}
        if changed.get("status") == "solved":
            row["solved_at"] = iso(at.timestamp())
        if changed.get("status") == "open" and row["status"] == "solved":
            row["reopens"] += 1
        events = [
            {"type": "Change", "field_name": name, "value": value, "previous_value": row[name]}
            for name, value in changed.items()
        ]
        row.update(changed)
        return events

    def _rating(self, ticket: files.Ticket, row: Row, at: datetime) -> int:
        number = FIRST_ID["satisfaction_ratings"] + len(self.ratings)
        satisfaction = ticket.satisfaction
        self.ratings.append(
            {
                "id": number,
                "ticket_id": ticket.id,
                **{key: row[key] for key in ("requester_id", "assignee_id", "group_id")},
                "score": satisfaction.score if satisfaction else "offered",
                "comment": (satisfaction.comment if satisfaction else "") or None,
                "created_at": iso(at.timestamp()),
                "created_s": int(at.timestamp()),
            }
        )
        return number

    def _custom_fields(self, text: str) -> list[dict[str, Any]]:
        return fill_custom_fields([field.model_dump() for field in self._company.ticket_fields], text)
