"""A synthetic account of any size as a sandbox database, for benchmarks: `fill(path, tickets=100_000)`.

    python tests/benchmarks/accounts.py /tmp/account.db --tickets 100000

The same arguments always make the same rows. Tickets are made one after another and written by the thousand, so that a
million of them need no more memory than a thousand. What real accounts surprise connectors with is in it, in the same
share at every size: see `Account`.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.sandbox.attachments import pack
from connectors.sandbox.database import FIRST_ID, create_tables, iso, open_database, transaction
from connectors.sandbox.fresh_ticket import new_ticket
from connectors.sandbox.markup import text_to_html, wrap_comment
from connectors.sandbox.merging import MERGED_TAG
from connectors.sandbox.redaction import BLOCK
from connectors.sandbox.schema import TABLES

END_S = 1_788_220_800  # 2026-09-01T00:00:00Z; nothing is younger
YEAR_S = 365 * 86_400
DAY_S = 86_400
BATCH = 1_000  # tickets a write
# A bulk update changed 138 of 144 tickets in one second, as on a real account: once in every so many tickets.
IN_BURST, BURST_START, BURST_EVERY = 138, 100, 10_000
FIRST_USER, FIRST_ORGANIZATION = 400_000_000_001, 360_000_000_001
GROUPS = [(2101 + n, name) for n, name in enumerate(("Delivery", "Billing", "Returns", "Claims", "Sales", "Abroad"))]
WRITER, ADMIN, AGENTS = 5099, 5001, range(5002, 5014)
SYSTEM = -1
# Of every thousand tickets, those whose number ends like this.
LONG, MADE_PRIVATE, REDACTED, MERGED = 7, 13, (11, 12), range(20, 30)
DELETED, SCRUBBED = (1, 2, 3, 501, 502), (1, 501)
REDACTION, PRIVACY = "CommentRedactionEvent", "CommentPrivacyChange"
ORDER_FIELD, LEVEL_FIELD, CHOICE_FIELD = 7001, 7002, 7003
CHANNELS = ("email", "email", "email", "web", "web", "chat")
LOCALES = ("en", "en", "en", "nl", "de")
TAGS = ("delay", "refund", "damage", "address", "invoice", "return", "customs", "vip", "second_contact", "shop")
_OPENERS = ("Hello", "Hi there", "Good morning", "Dear team", "Hi")
_THINGS = (
    "parcel",
    "invoice",
    "return label",
    "delivery",
    "refund",
    "order",
    "pick-up code",
    "tracking page",
    "driver",
)
_STATES = ("late", "damaged", "missing", "paid twice", "at the wrong door", "still open", "on its way back", "not mine")
_WHENS = (
    "since Monday",
    "for three days",
    "this morning",
    "after the weekend",
    "again",
    "for the second time",
    "today",
)
_ASKS = ("can you check this", "what happens next", "who decides that", "when will it arrive", "what do I have to do")
_PLACES = ("depot", "partner shop", "customs office", "neighbour", "warehouse", "front door", "sorting centre")


@dataclass
class Account:
    """What `fill` has made, to compare a sync with.

    Attributes:
        rows: Table -> number of rows.
        deleted: Tickets that are deleted, the scrubbed ones among them.
        scrubbed: Deleted for good: their texts are gone, their comments are `X`.
        merged: Closed into another ticket, with the tag `closed_by_merge`.
        long: Tickets with more than 100 comments.
        redacted: Tickets with a redacted comment.
        private: Internal notes of tickets that are not scrubbed, those included that were public first.
        attached: Comments with a file.
        in_burst: Tickets whose last change shares its second with 137 others'.
    """

    rows: Counter[str] = field(default_factory=Counter)
    deleted: int = 0
    scrubbed: int = 0
    merged: int = 0
    long: int = 0
    redacted: int = 0
    private: int = 0
    attached: int = 0
    in_burst: int = 0


def fill(
    database_path: Path,
    tickets: int = 20_000,
    comments_per_ticket: int = 4,
    seed: int = 17,
    *,
    years: float = 3.0,
    end_s: int = END_S,
) -> Account:
    """Make a sandbox database with a synthetic account; `Sandbox(database_path)` then serves it as it is.

    Args:
        database_path: A file that does not exist yet.
        tickets: How many, deleted ones included; users are a fifth of that.
        comments_per_ticket: On average, but for the few tickets with over 100; at least 1.
        seed: Other rows for another one.
        years: Over which the tickets are spread.
        end_s: Unix seconds; nothing is younger.

    Raises:
        FileExistsError: There is such a file.
    """
    if database_path.exists():
        raise FileExistsError(database_path)
    db = open_database(database_path)
    try:
        with transaction(db):
            writer = _Writer(db.conn)
            _Filler(writer, tickets, comments_per_ticket, random.Random(seed), years, end_s).run()
            create_tables(db)  # the tables that are empty, and all indexes: at the end they are made in one go
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()
    return writer.account


class _Writer:
    """Collects rows by table and writes them in bulk."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._sql: dict[str, str] = {}
        self.account = Account()

    def add(self, table: str, row: dict[str, Any]) -> None:
        self._rows.setdefault(table, []).append(tuple(map(row.get, TABLES[table])))

    def flush(self) -> None:
        for table, rows in self._rows.items():
            if table not in self._sql:
                kinds = {int: "INTEGER", str: "TEXT", float: "REAL"}
                first, *others = TABLES[table].items()
                columns = [f"[{first[0]}] {kinds[first[1]]} PRIMARY KEY"] + [f"[{n}] {kinds[k]}" for n, k in others]
                self._connection.execute(f"create table [{table}] ({', '.join(columns)})")
                self._sql[table] = f"insert into [{table}] values ({','.join('?' * len(columns))})"
            self._connection.executemany(self._sql[table], rows)
            self.account.rows[table] += len(rows)
        self._rows = {}


class _Filler:
    def __init__(
        self, writer: _Writer, tickets: int, comments: int, rng: random.Random, years: float, end_s: int
    ) -> None:
        self.writer, self.account, self.rng = writer, writer.account, rng
        self.count, self.comments_per_ticket = tickets, comments
        self.start_s, self.end_s = int(end_s - years * YEAR_S), end_s
        self.users, self.organizations = max(1, tickets // 5), max(1, tickets // 100)
        self.sentences = [self._sentence() for _ in range(2_000)]
        self.html = [text_to_html(one).removeprefix("<p>").removesuffix("</p>") for one in self.sentences]
        self.next_comment, self.next_audit = FIRST_ID["comments"], FIRST_ID["audits"]
        self.next_rating = FIRST_ID["satisfaction_ratings"]

    def run(self) -> None:
        self._desk()
        self._people()
        for number in range(1, self.count + 1):
            self._ticket(number)
            if number % BATCH == 0:
                self.writer.flush()
        self.writer.flush()

    def _sentence(self) -> str:
        choose = self.rng.choice
        thing, state, when, place = choose(_THINGS), choose(_STATES), choose(_WHENS), choose(_PLACES)
        return choose(
            [
                f"The {thing} is {state} {when}, so {choose(_ASKS)}?",
                f"I was at the {place} {when} and they say the {thing} is {state}.",
                f"Your {thing} was scanned at the {place} and we look into it now.",
                f"Please keep the {thing} & the box until the {place} has answered.",
                f"What happens next: the {place} sends the {thing} within {self.rng.randint(2, 9)} days.",
            ]
        )

    def _text(self) -> tuple[str, str]:
        """A comment of 40 to 120 words as (plain text, HTML)."""
        picked = self.rng.choices(range(len(self.sentences)), k=self.rng.randint(4, 8))
        opener = self.rng.choice(_OPENERS)
        half = len(picked) // 2
        paragraphs = [picked[:half], picked[half:]]
        body = f"{opener},\n\n" + "\n\n".join(" ".join(self.sentences[n] for n in part) for part in paragraphs)
        inner = f"<p>{opener},</p>" + "".join(f"<p>{' '.join(self.html[n] for n in part)}</p>" for part in paragraphs)
        return body, wrap_comment(inner)

    def _desk(self) -> None:
        opened = iso(self.start_s - DAY_S)
        add = self.writer.add
        meta = {"seeded_at": opened, "account_id": 3_600_001, "writer_id": WRITER, "agents": {"deskhand": WRITER}}
        for key, value in meta.items():
            add("meta", {"key": key, "value": json.dumps(value)})
        add("brands", {"id": 3_600_001, "name": "Bench", "subdomain": "bench", "locale": "en", "created_at": opened})
        for number, name in GROUPS:
            add("groups", {"id": number, "name": name, "description": f"{name} desk", "created_at": opened})
        for number, (title, kind) in enumerate((("Order", "text"), ("Level", "checkbox"), ("Choice", "multiselect"))):
            row = {"id": ORDER_FIELD + number, "title": title, "type": kind, "options": "[]", "position": number + 1}
            add("ticket_fields", row | {"created_at": opened})
        for number in range(40):
            actions = json.dumps([{"field": "comment_value", "value": self._text()[0]}])
            row = {"id": 41 + number, "title": f"Reply {number}", "description": "", "actions": actions}
            add("macros", row | {"position": number + 1, "created_at": opened})

    def _people(self) -> None:
        since_s = self.start_s - DAY_S
        team = [(WRITER, "Deskhand", "admin"), (ADMIN, "Admin", "admin")]
        for number, name, role in [*team, *((agent, f"Agent {agent}", "agent") for agent in AGENTS)]:
            row = {"id": number, "name": name, "email": f"{number}@bench.example", "role": role, "locale": "en"}
            self.writer.add("users", row | {"created_at": iso(since_s), "updated_s": since_s})
        for number in range(self.organizations):
            row = {"id": FIRST_ORGANIZATION + number, "name": f"Company {number}"}
            at_s = self._moment(number, self.organizations)
            domains = json.dumps([f"company{number}.example"])
            row |= {"domain_names": domains, "created_at": iso(at_s), "updated_s": at_s}
            self.writer.add("organizations", row)
        for number in range(self.users):
            organization_id = self._organization_of(number)
            domain = "mail" if organization_id is None else f"company{organization_id - FIRST_ORGANIZATION}"
            row = {
                "id": FIRST_USER + number,
                "name": f"Customer {number}",
                "email": f"customer{number}@{domain}.example",
            }
            at_s = self._moment(number, self.users)
            row |= {"role": "end-user", "locale": self.rng.choice(LOCALES), "created_at": iso(at_s), "updated_s": at_s}
            self.writer.add("users", row | {"organization_id": organization_id})
            if number % BATCH == 0:
                self.writer.flush()

    def _organization_of(self, user: int) -> int | None:
        """One customer in ten belongs to a company."""
        return FIRST_ORGANIZATION + user // 10 % self.organizations if user % 10 == 0 else None

    def _moment(self, number: int, of: int) -> int:
        return self.start_s + (self.end_s - self.start_s - 40 * DAY_S) * number // of

    def _ticket(self, number: int) -> None:
        rng = self.rng
        user = rng.randrange(self.users)
        at_s = self._moment(number, self.count) + rng.randrange(3_600)
        row = new_ticket(number, FIRST_USER + user, f"The {rng.choice(_THINGS)} is {rng.choice(_STATES)}", "", "")
        agent_id, (group_id, _) = rng.choice(AGENTS), rng.choice(GROUPS)
        row |= {
            "channel": rng.choice(CHANNELS),
            "organization_id": self._organization_of(user),
            "assignee_id": agent_id,
            "group_id": group_id,
            "priority": rng.choice((None, "low", "normal", "normal", "high", "urgent")),
            "tags": json.dumps(sorted(rng.sample(TAGS, rng.randrange(4)))),
            "custom_fields": json.dumps(self._custom_fields(number)),
            "created_at": iso(at_s),
        }
        fate = number % 1_000  # every thousand tickets has the same share of everything
        at_s = self._conversation(row, at_s, agent_id, fate)
        at_s = self._end(row, at_s, fate)
        if BURST_START <= (number - 1) % BURST_EVERY < BURST_START + IN_BURST:
            at_s = self._moment((number - 1) // BURST_EVERY * BURST_EVERY, self.count) + 39 * DAY_S
            self._audit(row, ADMIN, "api", at_s, [_change("priority", row["priority"], None)])
            self.account.in_burst += 1
        row |= {"updated_at": iso(at_s), "generated_s": at_s}
        if row["scrubbed"]:
            row["generated_s"] = min(at_s + 30 * DAY_S, self.end_s)  # for good after a month; updated_at stays behind
        self.writer.add("tickets", row)

    def _conversation(self, row: dict[str, Any], at_s: int, agent_id: int, fate: int) -> int:
        """Write a ticket's comments and their audits; returns when the last one was."""
        rng = self.rng
        turns = rng.randint(1, 2 * self.comments_per_ticket - 1)
        if fate == LONG:
            turns = rng.randint(101, 180)
            self.account.long += 1
        last_s, answered = at_s, False
        for turn in range(turns):
            by_agent = turn > 0 and (turn % 2 == 1 or rng.random() < 0.2)
            note = by_agent and rng.random() < 0.2
            author_id, channel = (agent_id, "web") if by_agent else (row["requester_id"], row["channel"])
            comment = self._comment(row["id"], author_id, channel, at_s, public=not note)
            events: list[dict[str, Any]] = [{"type": "Comment", "comment_id": comment["id"]}]
            if turn == 0:
                names = ("subject", "requester_id", "status")
                events += [{"type": "Create", "field_name": name, "value": row[name]} for name in names]
                if fate in REDACTED:
                    comment["body"] += f" {BLOCK * 8}"
                    comment["html_body"] = comment["html_body"].replace("</p></div>", f" {BLOCK * 8}</p></div>")
                comment["public"] = int(fate != MADE_PRIVATE)
                row["description"] = comment["body"]
            elif by_agent and not note:
                answered = True
                events.append(_change("status", "pending", "open"))
            if fate in SCRUBBED:
                comment |= {"body": "X", "html_body": wrap_comment("X"), "attachments": None}
                events = []
            self.account.private += not comment["public"] and fate not in SCRUBBED
            self.account.attached += comment["attachments"] is not None
            self.writer.add("comments", comment)
            self._audit(row, author_id, channel, at_s, events)
            if turn == 0 and fate in REDACTED:
                self._audit(row, ADMIN, "api", at_s + 60, [{"type": REDACTION, "comment_id": comment["id"]}])
                self.account.redacted += 1
            elif turn == 0 and fate == MADE_PRIVATE:
                change = {"type": PRIVACY, "comment_id": comment["id"], "public": False}
                self._audit(row, ADMIN, "api", at_s + 60, [change])
            last_s, at_s = at_s, at_s + rng.randint(600, 600 + 6 * DAY_S // turns)
        row["solved_at"] = iso(last_s) if answered or fate % 2 else None
        return last_s

    def _audit(
        self, row: dict[str, Any], author_id: int, channel: str, at_s: int, events: list[dict[str, Any]]
    ) -> None:
        audit = {"id": self.next_audit, "ticket_id": row["id"], "author_id": author_id, "channel": channel}
        self.writer.add("audits", audit | {"created_at": iso(at_s), "created_s": at_s, "events": json.dumps(events)})
        self.next_audit += 1

    def _comment(self, ticket_id: int, author_id: int, channel: str, at_s: int, *, public: bool) -> dict[str, Any]:
        """The row of a comment that the next audit brings."""
        body, html_body = self._text()
        number, self.next_comment = self.next_comment, self.next_comment + 1
        files = [{"file_name": f"photo-{number}.jpg", "content_type": "image/jpeg", "size": 120_000 + number % 900_000}]
        return {
            "id": number,
            "ticket_id": ticket_id,
            "audit_id": self.next_audit,
            "author_id": author_id,
            "channel": channel,
            "public": int(public),
            "body": body,
            "html_body": html_body,
            "created_at": iso(at_s),
            "attachments": pack(number, files if number % 25 == 0 else ()),
        }

    def _end(self, row: dict[str, Any], at_s: int, fate: int) -> int:
        """Bring a ticket to its last status; returns when that was."""
        if row["solved_at"] is None and fate not in DELETED:
            row["status"] = self.rng.choice(("open", "pending", "hold"))
            return at_s
        row["status"] = "solved"
        if fate in MERGED:
            row |= {"status": "closed", "tags": json.dumps(sorted({*json.loads(row["tags"]), MERGED_TAG}))}
            self.account.merged += 1
        elif fate % 10 < 9:  # closed by one nightly run, so that a day's tickets share their second
            at_s = (at_s // DAY_S + 5) * DAY_S + 3 * 3_600
            row["status"] = "closed"
        if fate % 7 == 0:
            self._rate(row, at_s, fate)
        if fate in DELETED:
            at_s += 3_600
            row |= {"status": "deleted", "status_before": row["status"], "deleted_at": iso(at_s), "deleted_by": ADMIN}
            self.account.deleted += 1
            if fate in SCRUBBED:
                row |= {"subject": "SCRUBBED", "description": "X", "tags": "[]", "custom_fields": "[]", "scrubbed": 1}
                self.account.scrubbed += 1
        self._audit(row, SYSTEM, "rule", at_s, [_change("status", row["status"], "pending")] * (not row["scrubbed"]))
        return at_s

    def _rate(self, row: dict[str, Any], at_s: int, fate: int) -> None:
        row["rating_id"] = self.next_rating
        rating = {"id": self.next_rating, "ticket_id": row["id"], "score": "bad" if fate % 5 == 0 else "good"}
        rating |= {key: row[key] for key in ("requester_id", "assignee_id", "group_id")}
        self.writer.add("satisfaction_ratings", rating | {"created_at": iso(at_s), "created_s": at_s})
        self.next_rating += 1

    def _custom_fields(self, number: int) -> list[dict[str, Any]]:
        """Values whose kind drifts over the years: text, then a number, then a list; some are null."""
        order = f"O-{number}"
        drifted: tuple[Any, ...] = (order, number, [order, str(number)])
        third = min(2, 3 * number // (self.count + 1))
        return [
            {"id": ORDER_FIELD, "value": None if number % 11 == 0 else drifted[third]},
            {"id": LEVEL_FIELD, "value": (number % 2 == 0, str(number % 2 == 0).lower(), number % 2)[third]},
            {"id": CHOICE_FIELD, "value": [TAGS[number % 10]] if third else TAGS[number % 10]},
        ]


def _change(name: str, value: Any, previous: Any) -> dict[str, Any]:
    return {"type": "Change", "field_name": name, "value": value, "previous_value": previous}


def main() -> None:
    """Make an account from the command line and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--tickets", type=int, default=20_000)
    parser.add_argument("--comments-per-ticket", type=int, default=4)
    parser.add_argument("--seed", type=int, default=17)
    args = parser.parse_args()
    print(fill(args.path, args.tickets, args.comments_per_ticket, args.seed))


if __name__ == "__main__":
    main()
