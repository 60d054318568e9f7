"""The schema, as sqlite-utils migrations: append a new one, never change one that was released.

`helpdesk` is part of every key, so that several helpdesks or brands can share one file.
"""

from __future__ import annotations

import numpy as np
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


@migrations()
def m007_forgotten_and_frozen(db: Database) -> None:
    """Whose text must not come back; which tickets are never trained on; whether an example's group is believed."""
    db.table("examples").add_column("route_label", int, not_null_default=1)
    db.table("frozen_tickets").create(
        {"helpdesk": str, "ticket_id": str, "frozen_at": str}, pk=("helpdesk", "ticket_id")
    )
    db.table("forgotten").create(
        {"helpdesk": str, "digest": str, "kind": str, "forgotten_at": str}, pk=("helpdesk", "digest")
    )
    db.table("forgotten_key").create({"id": int, "key": bytes}, pk="id")


@migrations()
def m008_retrieval(db: Database) -> None:
    """Vectors in a table of their own, words by kind, whom a passage is for, what is due, and how often things changed.

    Vectors are float16: half the size, and the order of the nearest stays.
    """
    db.execute("create table passage_vectors (id integer primary key, vector blob not null)")
    cursor = db.execute("select id, embedding from passages where embedding is not null")
    while rows := cursor.fetchmany(1000):
        vectors = [(row_id, np.frombuffer(vector, np.float32).astype(np.float16).tobytes()) for row_id, vector in rows]
        db.conn.executemany("insert into passage_vectors (id, vector) values (?, ?)", vectors)
    for trigger in ("ai", "ad", "au"):
        db.execute(f"drop trigger passages_{trigger}")
    db.execute("drop table passages_fts")
    db.execute("drop index idx_passages_helpdesk_encoder")
    db.execute("alter table passages drop column embedding")
    for column in _PASSAGE_COLUMNS:
        db.execute(f"alter table passages add column {column}")
    db.execute("update passages set words = 1 + length(text) - length(replace(text, ' ', ''))")
    # All that a search must know of every passage: it is read without touching the texts.
    db.execute(
        """create index idx_passages_catalogue
           on passages (helpdesk, encoder, id, kind, brand, language, audience, words)"""
    )
    for statement in (*_WORDS, *_COUNTERS, *_DUE):
        db.execute(statement)
    db.execute("insert into passages_fts_tickets(passages_fts_tickets) values ('rebuild')")
    # Whom an article is for was not known before, nor the pieces of its words.
    db.execute("delete from passages where kind = 'article'")
    db.execute("insert into passage_due (helpdesk, kind, source_id) select helpdesk, 'article', id from articles")


_PASSAGE_COLUMNS = (
    "brand text not null default ''",
    "audience text not null default ''",
    "words integer not null default 0",
)
_TOKENS = "unicode61 remove_diacritics 2"
# Articles and tickets apart: articles are few, and found by pieces of their words, which `Passages` puts in. The index
# of tickets holds no positions: a quarter of the size, and nobody can put a text together from it again.
_WORDS = (
    f"""create virtual table passages_fts_articles using fts5(title, text, tokenize = "{_TOKENS} tokenchars '_'")""",
    "create virtual table passages_fts_articles_df using fts5vocab('passages_fts_articles', 'row')",
    """create trigger passages_article_delete after delete on passages when old.kind = 'article' begin
           delete from passages_fts_articles where rowid = old.id;
       end""",
    "create view passage_tickets as select id, title || ' ' || text as text from passages where kind = 'ticket'",
    f"""create virtual table passages_fts_tickets using fts5(
            text, content = 'passage_tickets', content_rowid = 'id', detail = 'none', tokenize = "{_TOKENS}")""",
    "create virtual table passages_fts_tickets_df using fts5vocab('passages_fts_tickets', 'row')",
    """create trigger passages_ticket_insert after insert on passages when new.kind = 'ticket' begin
           insert into passages_fts_tickets (rowid, text) values (new.id, new.title || ' ' || new.text);
       end""",
    """create trigger passages_ticket_delete after delete on passages when old.kind = 'ticket' begin
           insert into passages_fts_tickets (passages_fts_tickets, rowid, text)
           values ('delete', old.id, old.title || ' ' || old.text);
       end""",
)
# A text is never updated in place: see `Passages`.
_COUNTERS = (
    """create table passage_counters (
           helpdesk text primary key, written integer not null default 0, filled integer not null default 0,
           removed integer not null default 0)""",
    "create table passage_purges (begun integer not null, done integer not null)",
    "insert into passage_purges (begun, done) values (0, 0)",
    """create trigger passages_written after insert on passages begin
           insert into passage_counters (helpdesk, written) values (new.helpdesk, 1)
           on conflict (helpdesk) do update set written = written + 1;
       end""",
    """create trigger passages_filled after update of encoder on passages begin
           update passage_counters set filled = filled + 1 where helpdesk = new.helpdesk;
       end""",
    """create trigger passages_removed after delete on passages begin
           delete from passage_vectors where id = old.id;
           update passage_counters set removed = removed + 1 where helpdesk = old.helpdesk;
       end""",
    """insert into passage_counters (helpdesk, written, filled)
       select helpdesk, count(*), count(nullif(encoder, '')) from passages group by helpdesk""",
)


def _due(table: str, event: str, row: str, kind: str, source: str, when: str = "") -> str:
    # Deleted first, so that an entry that is there gets a new number: who works on it now sees that it is due again.
    # Not 'insert or replace': the statement that fires a trigger overrules its way of handling conflicts.
    return f"""create trigger {table}_{event}_is_due after {event} on {table} {when} begin
                   delete from passage_due
                   where helpdesk = {row}.helpdesk and kind = '{kind}' and source_id = {row}.{source};
                   insert into passage_due (helpdesk, kind, source_id)
                   values ({row}.helpdesk, '{kind}', {row}.{source});
               end"""  # noqa: S608


_DUE = (
    """create table passage_due (
           seq integer primary key autoincrement, helpdesk text not null, kind text not null, source_id text not null,
           unique (helpdesk, kind, source_id))""",
    _due("articles", "insert", "new", "article", "id"),
    _due("articles", "update", "new", "article", "id"),
    _due("articles", "delete", "old", "article", "id"),
    _due("examples", "insert", "new", "ticket", "ticket_id", "when new.kept = 1"),
    _due("examples", "update", "new", "ticket", "ticket_id"),
    _due("examples", "delete", "old", "ticket", "ticket_id", "when old.kept = 1"),
)


@migrations()
def m009_durable_inbox(db: Database) -> None:
    """How many workers died on a job, who works at all, and the queue found without a scan."""
    db.table("inbox").add_column("deaths", int, not_null_default=0)
    # Of done rows there may be a hundred thousand; the queue is what is open.
    db.execute("create index inbox_open on inbox (id) where status in ('waiting', 'leased')")
    db.execute("create index inbox_ticket on inbox (helpdesk, ticket_id)")
    db.execute(
        """create table workers (
               name text primary key, pid integer not null, host text not null, version text not null,
               ticket_id text not null, started_at text not null, seen_s real not null)"""
    )


@migrations()
def m010_switches_and_drafting(db: Database) -> None:
    """Settings that change at run time, drafts on their way, what agents told, why a suggestion is silent; chats."""
    db.table("inbox").add_column("is_chat", int, not_null_default=0)
    db.execute("create index inbox_chats on inbox (id) where is_chat = 1 and status in ('waiting', 'leased')")
    db.table("switches").create({"name": str, "value": str, "changed_at": str, "changed_by": str}, pk="name")
    db.table("switch_changes").create(
        {"id": int, "name": str, "value": str, "changed_at": str, "changed_by": str}, pk="id"
    )
    db.table("drafting").create(
        {"helpdesk": str, "ticket_id": str, "turn_id": str, "text": str}, pk=("helpdesk", "ticket_id")
    )
    db.table("told_facts").create(
        {"id": int, "helpdesk": str, "ticket_id": str, "turn_id": str, "fact": str, "told_at": str}, pk="id"
    )
    db.table("told_facts").create_index(["helpdesk", "ticket_id", "turn_id"])
    db.table("suggestions").add_column("silence", str, not_null_default="")
    db.table("suggestions").add_column("alternatives", str, not_null_default="[]")
    db.table("suggestions").add_column("told_facts", str, not_null_default="[]")
    db.table("suggestions").add_column("unused_facts", str, not_null_default="[]")


@migrations()
def m011_tokens_and_counters(db: Database) -> None:
    """Who may use the API, by the hash of a secret; and counts of what leaves no row of its own."""
    # An id is what an admin revokes by: it must never come again.
    db.execute(
        """create table tokens (
            id integer primary key autoincrement, name text not null, digest text not null unique,
            created_at text not null, last_used_at text, revoked_at text)"""
    )
    db.table("counters").create({"name": str, "label": str, "value": int}, pk=("name", "label"))


@migrations()
def m012_outcomes(db: Database) -> None:
    """What became of suggestions, how syncs ended, why an example weighs less, and who may open the dashboard."""
    db.table("outcomes").create(
        {
            "suggestion_id": str, "helpdesk": str, "ticket_id": str, "kind": str, "effort": float,
            "sent_comment_id": str, "agent_id": str, "group_id": str, "replied_at": str, "reply_s": int,
            "matched_at": str,
        },
        pk="suggestion_id",
        not_null={"helpdesk", "ticket_id", "kind", "sent_comment_id", "replied_at", "matched_at"},
    )  # fmt: skip
    db.table("outcomes").create_index(["helpdesk", "replied_at"])
    db.table("outcomes").create_index(["helpdesk", "ticket_id"])
    db.table("suggestions").create_index(["helpdesk", "created_at"])
    db.table("feedback").create_index(["suggestion_id"])
    db.table("examples").add_column("weight_reason", str, not_null_default="")
    db.table("stream_runs").create(
        {"helpdesk": str, "stream": str, "ended_at": str, "state": str, "changed": int, "why": str},
        pk=("helpdesk", "stream"),
    )
    db.table("admins").create(
        {"name": str, "password_hash": str, "created_at": str, "changed_at": str}, pk="name", not_null={"password_hash"}
    )
    db.table("admin_sessions").create(
        {"id_hash": str, "admin": str, "csrf": str, "created_at": float, "seen_at": float},
        pk="id_hash",
        foreign_keys=[("admin", "admins", "name")],
    )
    db.table("login_failures").create({"id": int, "subject": str, "at": float}, pk="id")
    db.table("login_failures").create_index(["subject", "at"])
