"""The schema, as sqlite-utils migrations: append a new one, never change one that was released.

`helpdesk` is part of every key, so that several helpdesks or brands can share one file.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("deskhand")


@migrations()
def m001_history(db: Database) -> None:
    """Mirrors of the helpdesk: typed columns for what we use, the raw JSON beside them."""
    db.table("tickets").create(
        {
            "helpdesk": str, "id": str, "subject": str, "status": str, "requester_id": str, "group_id": str,
            "assignee_id": str, "brand_id": str, "priority": str, "channel": str, "tags": str, "satisfaction": str,
            "url": str, "created_at": str, "updated_at": str, "generated_at": int, "deleted": int,
            "comments_due": int, "raw": str,
        },
        pk=("helpdesk", "id"),
        not_null={"subject", "status", "requester_id", "created_at", "generated_at", "deleted", "comments_due"},
    )  # fmt: skip
    db.table("tickets").create_index(["helpdesk", "created_at"])
    db.execute("create index idx_tickets_comments_due on tickets (helpdesk, created_at) where comments_due = 1")
    db.table("comments").create(
        {
            "helpdesk": str,
            "id": str,
            "ticket_id": str,
            "author_id": str,
            "public": int,
            "text": str,
            "created_at": str,
            "raw": str,
        },
        pk=("helpdesk", "id"),
        not_null={"ticket_id", "author_id", "public", "text", "created_at"},
    )
    db.table("comments").create_index(["helpdesk", "ticket_id", "created_at"])
    db.table("users").create(
        {"helpdesk": str, "id": str, "name": str, "email": str, "role": str, "locale": str, "raw": str},
        pk=("helpdesk", "id"),
    )
    db.table("groups").create(
        {"helpdesk": str, "id": str, "name": str, "description": str, "deleted": int, "raw": str}, pk=("helpdesk", "id")
    )
    db.table("macros").create(
        {"helpdesk": str, "id": str, "title": str, "text": str, "active": int, "raw": str}, pk=("helpdesk", "id")
    )
    db.table("articles").create(
        {
            "helpdesk": str,
            "id": str,
            "title": str,
            "text": str,
            "url": str,
            "locale": str,
            "updated_at": str,
            "draft": int,
            "raw": str,
        },
        pk=("helpdesk", "id"),
    )
    db.table("satisfaction_ratings").create(
        {"helpdesk": str, "id": str, "ticket_id": str, "score": str, "comment": str, "updated_at": str, "raw": str},
        pk=("helpdesk", "id"),
    )
    db.table("cursors").create(
        {"helpdesk": str, "stream": str, "cursor": str, "updated_at": str},
        pk=("helpdesk", "stream"),
        not_null={"cursor"},
    )


@migrations()
def m002_inbox(db: Database) -> None:
    """Webhooks: stored before they are answered; the row is the truth, the lease is the lock."""
    db.table("inbox").create(
        {
            "id": int, "helpdesk": str, "delivery_id": str, "ticket_id": str, "received_at": str, "available_at": float,
            "status": str, "attempts": int, "lease_owner": str, "lease_until": float, "error": str, "finished_at": str,
        },
        pk="id",
        not_null={"helpdesk", "delivery_id", "ticket_id", "received_at", "available_at", "status", "attempts"},
    )  # fmt: skip
    db.table("inbox").create_index(["helpdesk", "delivery_id"], unique=True)
    db.table("inbox").create_index(["status", "available_at"])


@migrations()
def m003_suggestions(db: Database) -> None:
    """What was suggested, on what grounds, by which model, and what people did with it."""
    db.table("suggestions").create(
        {
            "id": str, "helpdesk": str, "ticket_id": str, "turn_id": str, "model_version": str, "created_at": str,
            "state": str, "draft": str, "language": str, "claims": str, "sources": str, "route": str,
            "confidence": float, "latency_s": float, "note_posted_at": str,
        },
        pk="id",
        not_null={"helpdesk", "ticket_id", "turn_id", "model_version", "created_at", "state"},
    )  # fmt: skip
    db.table("suggestions").create_index(["helpdesk", "ticket_id", "turn_id"], unique=True)
    db.table("feedback").create(
        {"id": int, "suggestion_id": str, "action": str, "reason": str, "created_at": str},
        pk="id",
        foreign_keys=[("suggestion_id", "suggestions", "id")],
    )


@migrations()
def m004_examples(db: Database) -> None:
    """Curation: every answered turn, whether it is learned from, and why not where it is not."""
    db.table("examples").create(
        {
            "helpdesk": str, "ticket_id": str, "comment_id": str, "turn": int, "kept": int, "reason": str,
            "weight": float, "question": str, "reply": str, "language": str, "group_id": str, "requester_id": str,
            "agent_id": str, "created_at": str,
        },
        pk=("helpdesk", "comment_id"),
    )  # fmt: skip
    db.table("examples").create_index(["helpdesk", "kept", "created_at"])


@migrations()
def m005_passages(db: Database) -> None:
    """The retrieval index: parts of articles, and solved questions with their replies."""
    # In SQL for the sake of 'autoincrement', which sqlite-utils does not offer: an id must never come again.
    db.execute(
        """create table passages (
            id integer primary key autoincrement, helpdesk text not null, kind text not null, source_id text not null,
            part integer not null, title text, text text not null, reply text, language text, url text,
            created_at text, content_hash text not null, encoder text not null, embedding blob)"""
    )
    db.table("passages").create_index(["helpdesk", "kind", "source_id", "part"], unique=True)
    db.table("passages").create_index(["helpdesk", "encoder"])
    db.table("passages").enable_fts(["title", "text"], create_triggers=True, tokenize="unicode61 remove_diacritics 2")


@migrations()
def m006_more_of_the_helpdesk(db: Database) -> None:
    """Organizations, brands, fields and their values, metrics, attachments; how far each ticket's comments are read."""
    for column, kind in (("organization_id", str), ("comment_count", int), ("comments_through", int)):
        db.table("tickets").add_column(column, kind)
    db.table("tickets").add_column("merged", int, not_null_default=0)
    db.execute("drop index idx_tickets_comments_due")
    db.execute("create index idx_tickets_comments_due on tickets (helpdesk, created_at, id) where comments_due > 0")
    db.execute("update tickets set comments_through = generated_at where comments_due = 0 and deleted = 0")
    db.table("tickets").create_index(["helpdesk", "updated_at"])
    key = ("helpdesk", "id")
    db.table("organizations").create({"helpdesk": str, "id": str, "name": str, "raw": str}, pk=key)
    db.table("brands").create({"helpdesk": str, "id": str, "name": str, "url": str, "active": int, "raw": str}, pk=key)
    db.table("ticket_fields").create(
        {"helpdesk": str, "id": str, "title": str, "type": str, "active": int, "options": str, "raw": str}, pk=key
    )
    db.table("ticket_metrics").create(
        {
            "helpdesk": str, "ticket_id": str, "replies": int, "reopens": int, "first_reply_minutes": int,
            "resolution_minutes": int, "solved_at": str, "raw": str,
        },
        pk=("helpdesk", "ticket_id"),
    )  # fmt: skip
    db.table("attachments").create(
        {
            "helpdesk": str, "comment_id": str, "id": str, "ticket_id": str, "name": str, "media_type": str,
            "size_bytes": int, "inline": int,
        },
        pk=("helpdesk", "comment_id", "id"),
    )  # fmt: skip
    db.table("attachments").create_index(["helpdesk", "ticket_id"])
    # A value is kept as JSON, whatever its type is today: a field that was a text and is a number tomorrow breaks
    # nothing. The view gives it back in the column of its type.
    db.table("ticket_field_values").create(
        {"helpdesk": str, "ticket_id": str, "field_id": str, "value": str}, pk=("helpdesk", "ticket_id", "field_id")
    )
    db.execute(
        """create view ticket_field_values_typed as
           select v.helpdesk, v.ticket_id, v.field_id, f.title, f.type as field_type, json_type(v.value) as value_type,
               case when json_type(v.value) = 'text' then json_extract(v.value, '$') end as text_value,
               case when json_type(v.value) in ('integer', 'real') then json_extract(v.value, '$')
                    when json_type(v.value) = 'text' and trim(json_extract(v.value, '$')) != ''
                         and trim(json_extract(v.value, '$'), '0123456789.-+ ') = ''
                         then cast(json_extract(v.value, '$') as real) end as number_value,
               case json_type(v.value) when 'true' then 1 when 'false' then 0 end as boolean_value,
               case when json_type(v.value) in ('array', 'object') then v.value end as json_value
           from ticket_field_values v
           left join ticket_fields f on f.helpdesk = v.helpdesk and f.id = v.field_id"""
    )
