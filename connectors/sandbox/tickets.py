"""What happens to tickets: created, updated; each change leaves an audit and fires the triggers.

Every function here runs inside the caller's transaction, so a change and the webhook deliveries that it causes are
stored together or not at all.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlite_utils import Database

from connectors.sandbox.attachments import pack
from connectors.sandbox.database import Row, iso, next_id, one, rows, scalar
from connectors.sandbox.fresh_ticket import fill_custom_fields, new_ticket
from connectors.sandbox.markup import clean_html, text_to_html, wrap_comment
from connectors.sandbox.refusals import invalid_value, not_found, record_invalid, ticket_closed, update_conflict
from connectors.sandbox.triggers import TicketEvent, fire

Json = dict[str, Any]
STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
_WRITTEN = ("subject", "priority", "status", "group_id", "assignee_id", "requester_id", "tags", "custom_fields")


def find_ticket(db: Database, ticket_id: int) -> Row:
    """The ticket's row.

    Raises:
        Refusal: 404 where it is unknown or deleted.
    """
    row = one(db, "select * from tickets where id = ? and deleted_at is null", [ticket_id])
    if row is None:
        raise not_found()
    return row


def create_ticket(
    db: Database,
    wanted: Json,
    *,
    requester_id: int,
    actor_id: int,
    now_s: float,
    host: str,
    channel: str = "api",
    ticket_id: int | None = None,
) -> tuple[Row, Row]:
    """Open a ticket with its first comment.

    Args:
        db: Inside a transaction.
        wanted: The ``ticket`` object of a request: subject, comment and the fields that `update_ticket` takes.
        requester_id: Whose ticket it is.
        actor_id: Who opens it; also the first comment's author.
        now_s: Unix seconds.
        host: Host and port that links in webhooks name.
        channel: email, web, chat or api.
        ticket_id: The number to use; None takes the next one.

    Returns:
        The ticket's row and the audit's row.
    """
    comment = wanted.get("comment") or ({"body": wanted["description"]} if wanted.get("description") else {})
    text = _comment_text(comment)
    subject = str(wanted.get("subject") or text[1][:80])
    row = new_ticket(ticket_id or next_id(db, "tickets"), requester_id, subject, text[1], channel)
    fields = rows(db, "select id, title from ticket_fields order by position")
    custom_fields = json.dumps(fill_custom_fields(fields, f"{subject} {text[1]}"))
    row["organization_id"] = scalar(db, "select organization_id from users where id = ?", [requester_id])
    row |= {"submitter_id": actor_id, "custom_fields": custom_fields, "created_at": iso(now_s)}
    db.table("tickets").insert(row)
    others = {key: value for key, value in wanted.items() if key not in {"comment", "description", "subject"}}
    created: list[Json] = [
        {"type": "Create", "field_name": name, "value": row[name]} for name in ("subject", "status", "requester_id")
    ]
    changes = _wanted_changes(db, row, others, actor_id=actor_id, comment=None)
    row.update(changes)
    created += [{"type": "Create", "field_name": name, "value": _plain(name, value)} for name, value in changes.items()]
    audit = record_change(db, row, {**comment, "author_id": actor_id}, created, actor_id, now_s, channel)
    fire(db, TicketEvent("Create", row, None, audit["comment"], actor_id), now_s=now_s, host=host)
    return row, audit


def update_ticket(
    db: Database, ticket_id: int, wanted: Json, *, actor_id: int, now_s: float, host: str, channel: str = "api"
) -> tuple[Row, Row | None]:
    """Change a ticket the way ``PUT /api/v2/tickets/{id}`` does.

    Args:
        db: Inside a transaction.
        ticket_id: The ticket.
        wanted: Any of comment, subject, priority, status, group_id, assignee_id, tags, additional_tags, remove_tags,
            custom_fields, safe_update with updated_stamp.
        actor_id: Who changes it; a comment's ``author_id`` names another author.
        now_s: Unix seconds.
        host: Host and port that links in webhooks name.
        channel: What the audit says.

    Returns:
        The ticket's row and the audit's row, None where nothing was to change.

    Raises:
        Refusal: 404 unknown or deleted; 409 stale stamp with safe_update; 422 closed, or a value that cannot be.
    """
    row = find_ticket(db, ticket_id)
    if row["status"] == "closed":
        raise ticket_closed()
    if wanted.get("safe_update"):
        _check_stamp(wanted.get("updated_stamp"), row["updated_at"])
    before = dict(row)
    comment = wanted.get("comment")
    if comment is not None:
        _comment_text(comment)
        if scalar(db, "select 1 from users where id = ?", [comment.get("author_id") or actor_id]) is None:
            raise record_invalid("author", "Author: is invalid")
    changes = _wanted_changes(db, row, wanted, actor_id=actor_id, comment=comment)
    events: list[Json] = [
        {"type": "Change", "field_name": name, "value": _plain(name, value), "previous_value": _plain(name, row[name])}
        for name, value in changes.items()
    ]
    if not events and comment is None:
        return row, None
    if changes.get("status") in {"solved", "closed"} and row["status"] != "solved":
        row["solved_at"] = iso(now_s)
    if row["status"] == "solved" and changes.get("status") in {"new", "open", "pending", "hold"}:
        row["reopens"] += 1
    row.update(changes)
    audit = record_change(db, row, comment, events, actor_id, now_s, channel)
    who = audit["comment"]["author_id"] if audit["comment"] else actor_id
    fire(db, TicketEvent("Change", row, before, audit["comment"], who), now_s=now_s, host=host)
    return row, audit


def customer_reply(
    db: Database, ticket_id: int, body: str, *, now_s: float, host: str, files: object = None
) -> tuple[Row, Row]:
    """The requester writes again on the ticket's own channel; a pending or solved ticket becomes open.

    Args:
        db: Inside a transaction.
        ticket_id: The ticket.
        body: What they write.
        now_s: Unix seconds.
        host: Host and port that links in webhooks name.
        files: What is known of files that come with it, as `attachments.pack` takes them.

    Raises:
        Refusal: 404 unknown; 422 closed or nothing written.
    """
    row = find_ticket(db, ticket_id)
    requester_id, channel = row["requester_id"], row["channel"]
    files = files if isinstance(files, list) else []
    wanted: Json = {"comment": {"body": body, "public": True, "author_id": requester_id, "attachments": files}}
    row, audit = update_ticket(db, ticket_id, wanted, actor_id=requester_id, now_s=now_s, host=host, channel=channel)
    if audit is None:  # cannot be: a comment always leaves one
        raise record_invalid("comment", "Comment: cannot be blank")
    return row, audit


def _plain(name: str, value: Any) -> Any:
    return json.loads(value) if name in {"tags", "custom_fields"} else value


def _comment_text(comment: object) -> tuple[str, str]:
    """The comment as ``(html, plain text)``.

    Raises:
        Refusal: 422 where there is nothing in it.
    """
    if not isinstance(comment, dict):
        raise record_invalid("comment", "Comment: is invalid")
    inner, text = clean_html(str(comment["html_body"])) if comment.get("html_body") else ("", "")
    if not inner and isinstance(comment.get("body"), str):
        text = comment["body"].strip()
        inner = text_to_html(text)
    if not text:
        raise record_invalid("comment", "Comment: cannot be blank")
    return wrap_comment(inner), text


def _check_stamp(stamp: object, updated_at: str) -> None:
    try:
        seen = datetime.fromisoformat(str(stamp))
    except ValueError as error:
        raise invalid_value("safe_update needs updated_stamp, the ticket's updated_at") from error
    seen = seen.replace(tzinfo=UTC) if seen.tzinfo is None else seen
    # To the second, as the API shows it: two changes within one second are not told apart there either.
    if int(seen.timestamp()) != int(datetime.fromisoformat(updated_at).timestamp()):
        raise update_conflict()


def _wanted_changes(db: Database, row: Row, wanted: Json, *, actor_id: int, comment: Json | None) -> Row:
    """The columns that the request changes, checked, with what follows from them."""
    new: Row = {}
    if "subject" in wanted:
        new["subject"] = str(wanted["subject"])
    if "priority" in wanted:
        if wanted["priority"] not in (None, *PRIORITIES):
            raise record_invalid("priority", f"Priority: {wanted['priority']} is not included in the list")
        new["priority"] = wanted["priority"]
    if "status" in wanted:
        if wanted["status"] not in STATUSES:
            raise record_invalid("status", f"Status: {wanted['status']} is not included in the list")
        if wanted["status"] == "new" and row["status"] != "new":
            raise record_invalid("status", "Status: cannot be set back to new")
        new["status"] = wanted["status"]
    if "group_id" in wanted:
        known = scalar(db, "select 1 from groups where id = ?", [wanted["group_id"]])
        if wanted["group_id"] is not None and known is None:
            raise record_invalid("group", "Group: is invalid")
        new["group_id"] = wanted["group_id"]
    if "assignee_id" in wanted:
        role = scalar(db, "select role from users where id = ?", [wanted["assignee_id"]])
        if wanted["assignee_id"] is not None and role not in {"agent", "admin"}:
            raise record_invalid("assignee", "Assignee: is invalid")
        new["assignee_id"] = wanted["assignee_id"]
    new["tags"] = json.dumps(_tags(json.loads(row["tags"]), wanted))
    if wanted.get("custom_fields") is not None:
        new["custom_fields"] = json.dumps(_custom_fields(db, json.loads(row["custom_fields"]), wanted["custom_fields"]))
    _consequences(db, row, new, actor_id=actor_id, comment=comment)
    return {name: value for name, value in new.items() if row[name] != value and name in _WRITTEN}


def _consequences(db: Database, row: Row, new: Row, *, actor_id: int, comment: Json | None) -> None:
    assignee = new.get("assignee_id", row["assignee_id"])
    group = new.get("group_id", row["group_id"])
    if group != row["group_id"] and assignee is not None and "assignee_id" not in new:
        member = scalar(db, "select 1 from memberships where user_id = ? and group_id = ?", [assignee, group])
        if member is None:  # an assignee belongs to the ticket's group
            new["assignee_id"] = assignee = None
    actor_role = scalar(db, "select role from users where id = ?", [actor_id])
    if new.get("status") == "solved" and assignee is None and actor_role in {"agent", "admin"}:
        new["assignee_id"] = assignee = actor_id  # 'assign tickets upon solve'
    if comment is not None and (comment.get("author_id") or actor_id) == row["requester_id"] and "status" not in new:
        if row["status"] in {"pending", "solved", "hold"}:
            new["status"] = "open"
    elif new.get("status", row["status"]) == "new" and assignee is not None:
        new["status"] = "open"


def _tags(present: list[str], wanted: Json) -> list[str]:
    def words(value: Any) -> list[str]:
        many = value.split() if isinstance(value, str) else value or []
        return ["_".join(str(tag).lower().split()) for tag in many if str(tag).strip()]

    tags = words(wanted["tags"]) if "tags" in wanted else present
    tags = [*tags, *words(wanted.get("additional_tags"))]
    return sorted(set(tags) - set(words(wanted.get("remove_tags"))))


def _custom_fields(db: Database, present: list[Json], wanted: object) -> list[Json]:
    pairs: Any = [{"id": key, "value": value} for key, value in wanted.items()] if isinstance(wanted, dict) else wanted
    known = {row["id"] for row in rows(db, "select id from ticket_fields")}
    values = {field["id"]: field["value"] for field in present}
    try:
        new = {int(pair["id"]): pair.get("value") for pair in pairs}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise record_invalid("custom_fields", "Custom fields: is invalid") from error
    # Zendesk ignores fields that it does not know instead of refusing them.
    values |= {field_id: value for field_id, value in new.items() if field_id in known}
    return [{"id": field_id, "value": value} for field_id, value in values.items()]


def record_change(
    db: Database, row: Row, comment: Json | None, events: list[Json], actor_id: int, now_s: float, channel: str
) -> Row:
    """Write the ticket, its audit and its comment; the audit's row carries the comment's row under ``comment``.

    A comment's ``attachments`` are files as `attachments.pack` takes them. Only the sandbox itself puts them there: the
    API takes tokens of uploads, which it does not have.
    """
    audit: Row = {"id": next_id(db, "audits"), "ticket_id": row["id"], "author_id": actor_id, "channel": channel}
    audit |= {"created_at": iso(now_s), "created_s": int(now_s)}
    said: Row | None = None
    if comment is not None:
        html_body, body = _comment_text(comment)
        said = {
            "id": next_id(db, "comments"),
            "ticket_id": row["id"],
            "audit_id": audit["id"],
            "author_id": int(comment.get("author_id") or actor_id),
            "channel": channel,
            "public": int(bool(comment.get("public", True))),
            "body": body,
            "html_body": html_body,
            "created_at": iso(now_s),
        }
        said["attachments"] = pack(said["id"], comment.get("attachments") or ())
        db.table("comments").insert(said)
        events = [{"type": "Comment", "comment_id": said["id"]}, *events]
        audit["author_id"] = said["author_id"]
    audit["events"] = json.dumps(events)
    db.table("audits").insert(audit)
    row |= {"updated_at": iso(now_s), "generated_s": int(now_s)}
    db.table("tickets").update(row["id"], {key: value for key, value in row.items() if key != "id"})
    return audit | {"comment": said}
