"""Merging tickets: the sources are closed, and both sides get a note about it.

See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#merge-tickets-into-target-ticket. Runs inside
the caller's transaction, as `connectors.sandbox.tickets` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlite_utils import Database

from connectors.sandbox.database import rows
from connectors.sandbox.refusals import record_invalid, ticket_closed
from connectors.sandbox.tickets import find_ticket, update_ticket

MERGED_TAG = "closed_by_merge"


def merge_tickets(
    db: Database,
    target_id: int,
    source_ids: list[int],
    wanted: Mapping[str, Any],
    *,
    actor_id: int,
    now_s: float,
    host: str,
) -> None:
    """Merge tickets into another one.

    Args:
        db: Inside a transaction.
        target_id: The ticket that goes on.
        source_ids: The tickets that are closed.
        wanted: Any of ``target_comment``, ``source_comment``, ``target_comment_is_public`` and
            ``source_comment_is_public``; the comments are notes unless the last two say otherwise.
        actor_id: Who merges.
        now_s: Unix seconds.
        host: Host and port that links in webhooks name.

    Raises:
        Refusal: 404 one of them is unknown or deleted; 422 one is closed already, or a ticket would merge into itself.
    """
    if target_id in source_ids:
        raise record_invalid("ids", "Ids: a ticket cannot be merged into itself")
    sources = [find_ticket(db, number) for number in dict.fromkeys(source_ids)]
    if find_ticket(db, target_id)["status"] == "closed" or any(row["status"] == "closed" for row in sources):
        raise ticket_closed()
    names = ", ".join(f"#{row['id']}" for row in sources)
    for row in sources:
        text = str(wanted.get("source_comment") or f"Closed: this ticket goes on as #{target_id}.")
        note = {"body": text, "public": wanted.get("source_comment_is_public") is True}
        change = {"comment": note, "status": "closed", "additional_tags": [MERGED_TAG]}
        update_ticket(db, row["id"], change, actor_id=actor_id, now_s=now_s, host=host)
    text = str(wanted.get("target_comment") or f"Merged into this ticket: {names}.")
    note = {"body": text, "public": wanted.get("target_comment_is_public") is True, "attachments": _files(db, sources)}
    update_ticket(db, target_id, {"comment": note}, actor_id=actor_id, now_s=now_s, host=host)


def _files(db: Database, sources: list[dict[str, Any]]) -> list[Any]:
    """The sources' files, which the comment on the target carries."""
    sql = (
        "select file.value from comments, json_each(attachments) as file"
        " where ticket_id in (select value from json_each(?)) order by comments.id"
    )
    ids = json.dumps([row["id"] for row in sources])
    return [json.loads(row["value"]) for row in rows(db, sql, [ids])]
