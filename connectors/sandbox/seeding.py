"""Plays the company's history into an empty sandbox database, in one transaction."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlite_utils import Database

from connectors.sandbox import company as files
from connectors.sandbox.database import Row, create_tables, is_seeded, iso, issue_token, transaction
from connectors.sandbox.history import History
from connectors.sandbox.markup import markdown_to_html
from connectors.sandbox.organizations import business_customers


def seed(
    db: Database,
    company: files.Company,
    *,
    limit: int | None = None,
    clock: Callable[[], float] = time.time,
) -> str:
    """Create the tables and play the company's history into them, all in one transaction.

    Args:
        db: An empty database from `open_database`.
        company: What to play.
        limit: Take only the newest so many solved tickets; None takes all.
        clock: Gives the present in Unix seconds. No ticket is generated later than two minutes before it, whatever
            its dates say: the exports would hide it on a machine whose clock runs behind the sample's dates.

    Returns:
        An admin's bearer token in plain text; only its hash is stored.
    """
    tickets = company.tickets if limit is None else company.tickets[max(0, len(company.tickets) - limit) :]
    writer = company.writer()
    with transaction(db):
        if is_seeded(db):  # another process was faster
            return issue_token(db, writer.id)
        create_tables(db)
        start = min((one.created for one in company.tickets), default=datetime(2026, 1, 5, tzinfo=UTC))
        _Seeder(db, company, opened_s=start.timestamp() - 86_400, latest_s=int(clock()) - 120).play(tickets)
        meta: Row = {"seeded_at": iso(clock()), "account_id": company.brand.id, "writer_id": writer.id}
        meta["agents"] = {agent.key: agent.id for agent in company.agents}
        db.table("meta").insert_all({"key": key, "value": json.dumps(value)} for key, value in meta.items())
        return issue_token(db, writer.id)


class _Seeder:
    def __init__(self, db: Database, company: files.Company, *, opened_s: float, latest_s: int) -> None:
        self.db, self.company = db, company
        self.opened_s, self.latest_s = opened_s, latest_s
        self.groups = {group.name: group.id for group in company.groups}
        self.sections: dict[str, int] = {}

    def play(self, tickets: tuple[files.Ticket, ...]) -> None:
        self._desk()
        self._help_center()
        opened_s = min(self.opened_s, self.latest_s)
        self.db.table("organizations").insert_all(business_customers(self.company, created_s=opened_s))
        history = History(self.db, self.company, latest_s=self.latest_s)
        for ticket in tickets:
            history.add(ticket)
        history.write()
        self.db.table("live_pool").insert_all(
            {"position": position, "ticket_id": one.id, "data": one.model_dump_json(), "opened_at": None}
            for position, one in enumerate(self.company.live_pool, start=1)
        )

    def _desk(self) -> None:
        opened = iso(self.opened_s)
        self.db.table("brands").insert(self.company.brand.model_dump() | {"created_at": opened})
        self.db.table("groups").insert_all(one.model_dump() | {"created_at": opened} for one in self.company.groups)
        memberships = []
        for agent in self.company.agents:
            user: Row = {"id": agent.id, "name": agent.name, "email": agent.email.lower(), "role": agent.role}
            self.db.table("users").insert(
                user | {"locale": "en", "created_at": opened, "updated_s": min(int(self.opened_s), self.latest_s)}
            )
            memberships += [(agent.id, self.groups[name]) for name in agent.groups if name in self.groups]
        self.db.table("memberships").insert_all(
            {"id": 6001 + number, "user_id": user_id, "group_id": group_id}
            for number, (user_id, group_id) in enumerate(memberships)
        )
        self.db.table("ticket_fields").insert_all(
            one.model_dump(exclude={"options"})
            | {"options": json.dumps(one.options), "position": place, "created_at": opened}
            for place, one in enumerate(self.company.ticket_fields, start=1)
        )
        self.db.table("macros").insert_all(
            {
                "id": one.id or 4_100 + place,
                "title": one.title,
                "description": one.description,
                "actions": json.dumps(self._macro_actions(one)),
                "position": place,
                "created_at": opened,
            }
            for place, one in enumerate(self.company.macros, start=1)
        )

    def _macro_actions(self, macro: files.Macro) -> list[dict[str, Any]]:
        if macro.actions:
            return list(macro.actions)
        actions: list[dict[str, Any]] = [{"field": "comment_value", "value": macro.body.rstrip("\n")}]
        if macro.group in self.groups:
            actions.append({"field": "group_id", "value": str(self.groups[macro.group])})
        if macro.tags:
            actions.append({"field": "current_tags", "value": " ".join(macro.tags)})
        if macro.status:
            actions.append({"field": "status", "value": macro.status})
        return actions

    def _help_center(self) -> None:
        opened = iso(self.opened_s)
        named = list(self.company.sections)
        known = {str(key) for one in named for key in (one.id, one.name, one.key) if key}
        extra = dict.fromkeys(str(one.section or "General") for one in self.company.articles)
        free = max([3_199, *(one.id for one in named)]) + 1
        named += [files.Section(id=free + number, name=name) for number, name in enumerate(extra) if name not in known]
        for one in named:
            self.sections |= {str(key): one.id for key in (one.id, one.name, one.key) if key}
        self.db.table("sections").insert_all(
            one.model_dump(include={"id", "name", "description"}) | {"position": place, "created_at": opened}
            for place, one in enumerate(named, start=1)
        )
        self.db.table("articles").insert_all([self._article(*pair) for pair in enumerate(self.company.articles, 1)])

    def _article(self, number: int, article: files.Article) -> Row:
        created_s = article.created.timestamp() if article.created else self.opened_s
        updated_s = article.updated.timestamp() if article.updated else created_s
        return {
            "id": article.id or 360_000_000_000 + number,
            "slug": article.slug,
            "title": article.title,
            # Zendesk shows the title above the body, so a heading that repeats it goes.
            "body": markdown_to_html(re.sub(r"\A# [^\n]*\n+", "", article.markdown)),
            "section_id": self.sections[str(article.section or "General")],
            "author_id": self.company.writer().id,
            "locale": self.company.brand.locale,
            "label_names": json.dumps(article.labels),
            "draft": int(article.draft),
            "vote_sum": article.vote_sum,
            "created_at": iso(created_s),
            "updated_at": iso(updated_s),
            "edited_at": iso(updated_s),
            "updated_s": min(int(updated_s), self.latest_s),
        }
