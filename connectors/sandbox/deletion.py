"""Deleting tickets: first they are only marked, then their texts go for good.

Runs inside the caller's transaction, as `connectors.sandbox.tickets` does.
"""

from __future__ import annotations

from sqlite_utils import Database

from connectors.sandbox.database import iso, scalar
from connectors.sandbox.markup import wrap_comment
from connectors.sandbox.refusals import not_found
from connectors.sandbox.tickets import find_ticket


def delete_ticket(db: Database, ticket_id: int, *, actor_id: int, now_s: float) -> None:
    """Mark a ticket as deleted; the exports go on showing it with status ``deleted``."""
    row = find_ticket(db, ticket_id)
    change = {"status": "deleted", "status_before": row["status"], "deleted_at": iso(now_s), "deleted_by": actor_id}
    db.table("tickets").update(ticket_id, change | {"updated_at": iso(now_s), "generated_s": int(now_s)})


def scrub_ticket(db: Database, ticket_id: int, *, now_s: float) -> None:
    """Delete for good a ticket that is deleted already: its texts go, its row stays in the exports.

    As in the real exports ``updated_at`` stays behind ``generated_timestamp``.

    Raises:
        Refusal: 404 where it is not among the deleted ones.
    """
    if scalar(db, "select 1 from tickets where id = ? and deleted_at is not null", [ticket_id]) is None:
        raise not_found()
    change = {"subject": "SCRUBBED", "description": "X", "tags": "[]", "custom_fields": "[]", "scrubbed": 1}
    db.table("tickets").update(ticket_id, change | {"generated_s": int(now_s)})
    sql = "update comments set body = 'X', html_body = ?, attachments = null where ticket_id = ?"
    db.execute(sql, [wrap_comment("X"), ticket_id])
    db.execute("update audits set events = '[]' where ticket_id = ?", [ticket_id])  # they repeat the subject
