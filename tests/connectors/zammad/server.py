"""A small Zammad on a real socket, with its state in memory.

From Zammad's source (https://github.com/zammad/zammad, versions 3 to 7) and documentation
(https://docs.zammad.org/en/latest/api/): addresses, fields, `expand`, the ids of states, senders and article types, the
permissions that each address asks for, 401 and 403, error bodies, ids and times with milliseconds, the caps of
`per_page`, lists sorted by id, search by condition from the database, updates that take an article with them and are
done as a whole, names in place of ids, public notes of whoever is not of the team, articles of type `email` that are
mailed even where they are internal, shared drafts that are replaced and that touch their ticket, tags that touch it,
merged tickets whose articles move, deleted tickets that are 404, masked signature tokens, custom payloads, triggers by
an article's sender, and what the webhooks' headers are.

Assumed, since it is too much to copy: which fields a site wants filled in (`required` here) stands for its core
workflows; the automatic answer to new tickets is the one of a new installation, but switched off at first.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import requests
from flask import Flask, Response, jsonify, request

from connectors.wsgi import BackgroundServer

Json = dict[str, Any]

SYSTEM, CUSTOMER, MARIT, BOT, PORTAL = 1, 10, 3, 4, 11
USERS, TRACKING, CLAIMS = 1, 2, 3
STATES = {1: "new", 2: "open", 3: "pending reminder", 4: "closed", 5: "merged", 6: "removed", 7: "pending close"}
STATE_TYPES = {**STATES, 7: "pending action"}
TYPES = {1: "email", 2: "sms", 3: "chat", 5: "phone", 10: "note", 11: "web"}
SENDERS = {1: "Agent", 2: "Customer", 3: "System"}
PRIORITIES = {1: "1 low", 2: "2 normal", 3: "3 high"}
MASK = "**********"
EVERYTHING = {
    "ticket.agent", "admin.group", "admin.object", "admin.webhook", "admin.trigger", "knowledge_base.reader",
}  # fmt: skip


class RefusedError(Exception):
    """Answered with a status and a message."""

    def __init__(self, status: int, message: str = "Not authorized") -> None:
        super().__init__(status)
        self.status, self.message = status, message


class FakeZammad:
    """The server; also a context manager that starts and stops it.

    Attributes:
        now_ms: The server's clock, in Unix milliseconds; move it by hand.
        permissions: What our token may do.
        masks: Whether signature tokens are hidden, as in newer versions.
        auto_reply: Whether new tickets are answered at once.
        required: A field that an update of a ticket wants to be filled in.
        hidden: Tickets of groups that we have no access to.
        sent: Texts that customers were mailed, by ticket.
        deliveries: What webhooks would send: (endpoint, headers, body); `deliver` really sends them.
    """

    def __init__(self, *, token: str) -> None:
        self._token = token
        self.now_ms = (int(time.time()) - 500_000) * 1000
        self.permissions = set(EVERYTHING)
        self.masks = True
        self.auto_reply = False
        self.required = ""
        self.hidden: set[int] = set()
        self.tickets: dict[int, Json] = {}
        self.articles: dict[int, Json] = {}
        self.tags: dict[int, list[str]] = {}
        self.drafts: dict[int, Json] = {}
        self.sent: dict[int, list[str]] = {}
        self.users = {
            SYSTEM: self._user(SYSTEM, "-", "", []),
            MARIT: self._user(MARIT, "Marit", "marit@desk.example", ["Agent"]),
            BOT: self._user(BOT, "Deskhand", "bot@desk.example", ["Admin", "Agent"]),
            CUSTOMER: self._user(CUSTOMER, "Deniz", "deniz@mail.example", ["Customer"]),
        }
        names = {USERS: "Users", TRACKING: "Tracking", CLAIMS: "Claims"}
        self.groups = {key: self._group(key, name) for key, name in names.items()}
        self.organizations: dict[int, Json] = {}
        self.attributes: list[Json] = [
            {"id": 1, "name": "title", "display": "Title", "object": "Ticket", "data_type": "input", "data_option": {}}
        ]
        self.text_modules: dict[int, Json] = {}
        self.macros: dict[int, Json] = {}
        self.webhooks: dict[int, Json] = {}
        self.triggers: dict[int, Json] = {}
        self.knowledge = self._knowledge_base()
        self.deliveries: list[tuple[str, dict[str, str], bytes]] = []
        self._ids = 100
        self._server = BackgroundServer(self._app(), host="127.0.0.1", port=0, threads=4, name="zammad")

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.stop()

    # What happens in the helpdesk

    def open_ticket(self, text: str, *, subject: str = "A question", kind: int = 1, **changes: Any) -> int:
        """A customer writes; returns the ticket's id."""
        number = max([0, *self.tickets]) + 1 if "id" not in changes else changes["id"]
        at = self.now()
        self.tickets[number] = {
            "id": number, "group_id": USERS, "priority_id": 2, "state_id": 1, "organization_id": None,
            "number": f"{22000 + number}", "title": subject, "owner_id": SYSTEM, "customer_id": CUSTOMER, "note": None,
            "first_response_at": None, "close_at": None, "create_article_type_id": kind, "create_article_sender_id": 2,
            "article_count": 0, "pending_time": None, "type": None, "time_unit": None, "preferences": {},
            "created_by_id": CUSTOMER, "updated_by_id": CUSTOMER, "created_at": at, "updated_at": at,
        } | changes  # fmt: skip
        self.tags[number], self.sent[number] = [], []
        self.write(number, text, by=CUSTOMER, kind=kind)
        if self.auto_reply:
            self.write(number, "Thank you, we have got your mail.", by=SYSTEM, sender=3)
        return number

    def write(
        self, number: int, text: str, *, by: int, kind: int = 1, sender: int | None = None, **changes: Any
    ) -> Json:
        """An article; what is mailed and is not the customer's own goes to the customer."""
        sender = sender or (2 if by == CUSTOMER else 1)
        article = {
            "id": self._id(), "ticket_id": number, "type_id": kind, "sender_id": sender, "from": "", "to": "",
            "subject": "", "body": text, "content_type": "text/plain", "internal": False, "message_id": f"<{text[:9]}>",
            "origin_by_id": None, "created_by_id": by, "updated_by_id": by, "preferences": {}, "attachments": [],
            "created_at": self.now(), "updated_at": self.now(),
        } | changes  # fmt: skip
        self.articles[article["id"]] = article
        ticket = self.tickets[number]
        ticket["article_count"] += 1
        if sender == 1 and not article["internal"] and kind != 10:
            ticket["first_response_at"] = ticket["first_response_at"] or self.now()
        # What is of type email is mailed, internal or not; what is not internal is seen in the portal.
        if sender != 2 and (TYPES[kind] == "email" or not article["internal"]):
            self.sent[number].append(article["body"])
        self.touch(number)
        self._trigger(number, article)
        return article

    def touch(self, number: int, **changes: Any) -> None:
        """Changes a ticket."""
        self.tickets[number] |= changes | {"updated_at": self.now()}

    def merge(self, number: int, into: int) -> None:
        """Moves a ticket's articles to another one."""
        for article in self.articles.values():
            if article["ticket_id"] == number:
                article["ticket_id"] = into
        self.touch(number, state_id=5)
        self.touch(into)

    def destroy(self, number: int) -> None:
        """Deletes a ticket with all that belongs to it."""
        del self.tickets[number]
        self.articles = {key: one for key, one in self.articles.items() if one["ticket_id"] != number}

    def deliver(self) -> list[requests.Response]:
        """Sends what the triggers have ready, as `TriggerWebhookJob` does."""
        waiting, self.deliveries = self.deliveries, []
        return [requests.post(url, data=body, headers=headers, timeout=10) for url, headers, body in waiting]

    def payload(self, number: int, article: Json | None = None) -> Json:
        """The default payload: the ticket with the people of it, and the article."""
        ticket = self._shown(self.tickets[number])
        ticket["customer"] = self._named_user(self.users[ticket["customer_id"]])
        return {"ticket": ticket, "article": self._named_article(article) if article else {}}

    def now(self) -> str:
        moment = datetime.fromtimestamp(self.now_ms // 1000, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.now_ms % 1000:03}Z"

    def _id(self) -> int:
        self._ids += 1
        return self._ids

    def _user(self, user_id: int, name: str, email: str, roles: list[str]) -> Json:
        team = bool({"Agent", "Admin"} & set(roles))
        return {
            "id": user_id, "firstname": name, "lastname": "", "email": email, "login": email or "-", "roles": roles,
            "phone": "+31 20 555 0100", "active": user_id != SYSTEM, "preferences": {"locale": "en-us"},
            "group_ids": {"1": ["full"], "2": ["full"], "3": ["full"]} if team else {},
        }  # fmt: skip

    @staticmethod
    def _group(group_id: int, name: str) -> Json:
        return {"id": group_id, "name": name, "note": "", "active": True, "shared_drafts": True, "user_ids": [MARIT]}

    def _knowledge_base(self) -> Json:
        at = self.now()
        states = {
            1: {"published_at": at}, 2: {"internal_at": at}, 3: {"published_at": at, "archived_at": at},
            4: {"published_at": "2199-01-01T00:00:00.000Z"},
        }  # fmt: skip
        return {
            "KnowledgeBase": {"1": {"id": 1, "active": True}},
            "KnowledgeBaseAnswer": {str(key): {"id": key, "category_id": 1, **state} for key, state in states.items()},
            "KnowledgeBaseAnswerTranslation": {
                str(10 + key): {
                    "id": 10 + key, "title": f"Answer {key}", "answer_id": key, "content_id": 20 + key,
                    "kb_locale_id": 1, "updated_at": at,
                }
                for key in states
            },
            "KnowledgeBaseAnswerTranslationContent": {
                str(20 + key): {"id": 20 + key, "body": f"<h2>Prices</h2><p>It costs <b>{key}</b> euro.</p>"}
                for key in states
            },
        }  # fmt: skip

    def add_user(self, **changes: Any) -> int:
        number = max(self.users) + 1
        self.users[number] = self._user(number, f"Customer {number}", f"c{number}@mail.example", ["Customer"]) | changes
        return number

    def _trigger(self, number: int, article: Json) -> None:
        for trigger in self.triggers.values():
            condition = trigger["condition"].get("article.sender_id", {})
            if not trigger["active"] or str(article["sender_id"]) not in map(str, condition.get("value", ())):
                continue
            hook = self.webhooks[int(trigger["perform"]["notification.webhook"]["webhook_id"])]
            content: Any = self.payload(number, article)
            if hook.get("customized_payload"):
                text = hook["custom_payload"].replace("#{ticket.id}", str(number))
                content = json.loads(text.replace("#{article.id}", str(article["id"])))
            body = json.dumps(content).encode()
            headers = self.signed(body, hook["signature_token"]) | {"X-Zammad-Trigger": trigger["name"]}
            self.deliveries.append((hook["endpoint"], headers, body))

    @staticmethod
    def signed(body: bytes, token: str, delivery: str = "") -> dict[str, str]:
        """The headers of a webhook."""
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Zammad-Delivery": delivery or str(uuid.uuid4()),
        }
        if token:
            digest = hmac.new(token.encode(), body, hashlib.sha1).hexdigest()
            headers["X-Hub-Signature"] = f"sha1={digest}"
        return headers

    # The API

    def _app(self) -> Flask:
        app = Flask("zammad")
        app.json.sort_keys = False  # type: ignore[attr-defined]
        app.before_request(self._check)
        app.register_error_handler(
            RefusedError, lambda error: (jsonify(error=error.message, error_human=error.message), error.status)
        )
        app.register_error_handler(404, lambda _: (jsonify(error="No route matches"), 404))
        lists: dict[str, tuple[str, Callable[[], list[Json]]]] = {
            "groups": ("admin.group", lambda: list(self.groups.values())),
            "organizations": ("ticket.agent", lambda: list(self.organizations.values())),
            "text_modules": ("ticket.agent", lambda: list(self.text_modules.values())),
            "macros": ("ticket.agent", lambda: list(self.macros.values())),
            "users": ("ticket.agent", lambda: [self._named_user(one) for one in self.users.values()]),
            "webhooks": ("admin.webhook", lambda: [self._masked(one) for one in self.webhooks.values()]),
            "triggers": ("admin.trigger", lambda: list(self.triggers.values())),
        }
        for path, (permission, rows) in lists.items():
            app.add_url_rule(
                f"/api/v1/{path}", path, lambda permission=permission, rows=rows: self._listed(permission, rows, 1000)
            )
        # No page, no end: the whole list at once.
        app.add_url_rule("/api/v1/object_manager_attributes", "attributes", self._attributes)
        app.add_url_rule("/api/v1/ticket_states", "states", self._states)
        app.add_url_rule("/api/v1/users/me", "me", lambda: self._named_user(self.users[BOT]))
        app.add_url_rule("/api/v1/users/<int:key>", "user", lambda key: self._named_user(self._one(self.users, key)))
        app.add_url_rule("/api/v1/groups/<int:key>", "group", self._show_group)
        app.add_url_rule("/api/v1/tickets", "tickets", lambda: self._listed("ticket.agent", self._all_tickets, 100))
        app.add_url_rule("/api/v1/tickets/search", "search", self._search)
        app.add_url_rule("/api/v1/tickets/<int:key>", "ticket", lambda key: self._shown(self._ticket(key)))
        app.add_url_rule("/api/v1/tickets/<int:key>", "update", self._update, methods=["PUT"])
        app.add_url_rule("/api/v1/tickets/<int:key>/shared_draft", "draft", self._draft, methods=["GET", "PUT"])
        app.add_url_rule("/api/v1/ticket_articles/by_ticket/<int:key>", "articles", self._by_ticket)
        app.add_url_rule("/api/v1/ticket_articles", "article", self._create_article, methods=["POST"])
        app.add_url_rule("/api/v1/tags", "tags", self._tags)
        app.add_url_rule("/api/v1/tags/add", "add_tag", self._add_tag, methods=["POST"])
        app.add_url_rule("/api/v1/knowledge_bases/init", "knowledge", self._knowledge, methods=["POST"])
        for path, rows in (("webhooks", self.webhooks), ("triggers", self.triggers)):
            app.add_url_rule(
                f"/api/v1/{path}",
                f"new {path}",
                lambda path=path, rows=rows: self._create(path, rows),
                methods=["POST"],
            )
            app.add_url_rule(
                f"/api/v1/{path}/<int:key>", f"change {path}",
                lambda key, path=path, rows=rows: self._change(path, rows, key), methods=["PUT"],
            )  # fmt: skip
        return app

    def _check(self) -> Response | tuple[Response, int] | None:
        given = request.headers.get("Authorization", "")
        if given == f"Token token={self._token}":
            return None
        # An unknown token is NotAuthorized, none at all is Forbidden (ApplicationController::Authenticates).
        return jsonify(error="Can't find User for Token"), 401 if given else 403

    def _may(self, *permissions: str) -> None:
        if not set(permissions) & self.permissions:
            raise RefusedError(403, "Not authorized (user)!")

    def _listed(self, permission: str, rows: Callable[[], list[Json]], most: int) -> Response:
        self._may(permission)
        per_page = min(int(request.args.get("per_page", 500)), most)
        start = (int(request.args.get("page", 1)) - 1) * per_page
        return jsonify(sorted(rows(), key=lambda row: row["id"])[start : start + per_page])

    def _attributes(self) -> Response:
        self._may("admin.object")
        return jsonify(self.attributes)

    def _states(self) -> Response:
        return jsonify([{"id": key, "name": name, "state_type": STATE_TYPES[key]} for key, name in STATES.items()])

    def _all_tickets(self) -> list[Json]:
        return [self._shown(row) for key, row in self.tickets.items() if key not in self.hidden]

    def _search(self) -> Response:
        self._may("ticket.agent")
        assert "query" not in request.args, "a query would be answered by the search engine, late"
        given = {key: request.args[f"condition[ticket.updated_at][{key}]"] for key in ("operator", "value")}
        assert given["operator"] == "after (absolute)"
        assert request.args["sort_by"] == "updated_at,id"
        assert request.args["order_by"] == "asc,asc"
        rows = [
            row for key, row in self.tickets.items() if row["updated_at"] >= given["value"] and key not in self.hidden
        ]
        rows.sort(key=lambda row: (row["updated_at"], row["id"]))
        per_page = min(int(request.args.get("per_page", 50)), 200)
        start = (int(request.args.get("page", 1)) - 1) * per_page
        return jsonify([self._shown(row) for row in rows[start : start + per_page]])

    def _shown(self, row: Json) -> Json:
        shown = copy.deepcopy(row)
        if request and request.args.get("expand") != "true":
            return shown
        articles = [one["id"] for one in self.articles.values() if one["ticket_id"] == row["id"]]
        return shown | {
            "group": self.groups[row["group_id"]]["name"] if row["group_id"] in self.groups else "-",
            "priority": PRIORITIES[row["priority_id"]],
            "state": STATES[row["state_id"]],
            "owner": self.users[row["owner_id"]]["login"],
            "customer": self.users[row["customer_id"]]["login"],
            "create_article_type": TYPES[row["create_article_type_id"]],
            "create_article_sender": SENDERS[row["create_article_sender_id"]],
            "article_ids": articles,
        }

    def _ticket(self, key: int) -> Json:
        row = self._one(self.tickets, key)
        if key in self.hidden or ("ticket.agent" not in self.permissions and row["customer_id"] != BOT):
            raise RefusedError(403)
        return row

    def _update(self, key: int) -> Json:
        row = self._ticket(key)
        wanted = request.get_json()
        changes: Json = {}
        if "group_id" in wanted:
            if wanted["group_id"] not in self.groups:
                raise RefusedError(422, "No lookup value found for 'group'")
            changes["group_id"] = wanted["group_id"]
        if "priority" in wanted:
            ids = {name: number for number, name in PRIORITIES.items()}
            if wanted["priority"] not in ids:
                raise RefusedError(422, f"No lookup value found for 'priority': {wanted['priority']!r}")
            changes["priority_id"] = ids[wanted["priority"]]
        unknown = set(wanted) - {"group_id", "priority", "article"}
        assert not unknown, unknown
        if self.required and not row.get(self.required):
            raise RefusedError(422, f"Missing required value for field '{self.required}'!")
        if any(row[name] != value for name, value in changes.items()):
            self.touch(key, **changes, updated_by_id=BOT)
        if wanted.get("article"):
            self._article(key, wanted["article"])
        return self._shown(self.tickets[key])

    def _create_article(self) -> tuple[Json, int]:
        wanted = request.get_json()
        key = wanted.pop("ticket_id")
        self._ticket(key)
        return self._named_article(self._article(key, wanted)), 201

    def _article(self, key: int, wanted: Json) -> Json:
        if wanted.get("body") is None:
            raise RefusedError(422, "Need at least an 'article body' field.")
        of_the_team = "ticket.agent" in self.permissions
        kinds = {name: number for number, name in TYPES.items()}
        kind = kinds[wanted.get("type", "note")]
        if not of_the_team and TYPES[kind] not in ("note", "web"):
            kind = kinds["note"]
        return self.write(
            key, wanted["body"], by=BOT, kind=kind, sender=1 if of_the_team else 2,
            # Whoever is not of the team writes public articles only.
            internal=bool(wanted.get("internal", False)) and of_the_team,
            content_type=wanted.get("content_type", "text/plain"), subject=wanted.get("subject", ""),
        )  # fmt: skip

    def _by_ticket(self, key: int) -> Response:
        self._ticket(key)
        rows = [one for one in self.articles.values() if one["ticket_id"] == key]
        if "ticket.agent" not in self.permissions:
            rows = [one for one in rows if not one["internal"]]
        return jsonify([self._named_article(one) for one in rows])

    def _named_article(self, row: Json) -> Json:
        return row | {
            "type": TYPES[row["type_id"]],
            "sender": SENDERS[row["sender_id"]],
            "created_by": self.users[row["created_by_id"]]["login"],
        }

    @staticmethod
    def _named_user(row: Json) -> Json:
        return dict(row)

    def _show_group(self, key: int) -> Json:
        self._may("admin.group")
        return self._one(self.groups, key)

    def _tags(self) -> Response:
        self._may("ticket.agent", "admin.tag")
        return jsonify(tags=self.tags.get(int(request.args["o_id"]), []))

    def _add_tag(self) -> tuple[Response, int]:
        self._may("ticket.agent", "admin.tag")
        wanted = request.get_json()
        assert wanted["object"] == "Ticket"
        if wanted["item"] not in self.tags[wanted["o_id"]]:
            self.tags[wanted["o_id"]].append(wanted["item"])
            self.touch(wanted["o_id"])
        return jsonify(True), 201

    def _draft(self, key: int) -> Json:
        self._ticket(key)
        if request.method == "PUT":
            wanted = request.get_json()
            draft = self.drafts.setdefault(key, {"id": self._id(), "ticket_id": key, "created_by_id": BOT})
            draft |= {name: wanted[name] for name in ("new_article", "ticket_attributes") if name in wanted}
            draft |= {"updated_by_id": BOT, "updated_at": self.now()}
            self.touch(key)  # belongs_to :ticket, touch: true
        found = self.drafts.get(key)
        if not found:
            return {"shared_draft_id": None, "assets": None}
        return {"shared_draft_id": found["id"], "assets": {"TicketSharedDraftZoom": {str(found["id"]): found}}}

    def _knowledge(self) -> Response:
        if "knowledge_base.reader" not in self.permissions or not self.knowledge:
            return jsonify([])
        texts = self.knowledge["KnowledgeBaseAnswerTranslationContent"]
        wanted = [str(one) for one in request.get_json().get("answer_translation_content_ids") or ()]
        found = {key: row for key, row in texts.items() if key in wanted}
        tables = {key: rows for key, rows in self.knowledge.items() if key != "KnowledgeBaseAnswerTranslationContent"}
        return jsonify(tables | ({"KnowledgeBaseAnswerTranslationContent": found} if found else {}))

    def _create(self, path: str, rows: dict[int, Json]) -> tuple[Json, int]:
        self._may(f"admin.{path[:-1]}")
        key = self._id()
        rows[key] = {"id": key, "active": True} | request.get_json()
        return self._masked(rows[key]), 201

    def _change(self, path: str, rows: dict[int, Json], key: int) -> Json:
        self._may(f"admin.{path[:-1]}")
        rows[key] |= request.get_json()
        return self._masked(rows[key])

    def _masked(self, row: Json) -> Json:
        return row | {"signature_token": MASK} if self.masks and "signature_token" in row else dict(row)

    @staticmethod
    def _one(rows: dict[int, Json], key: int) -> Json:
        if key not in rows:
            raise RefusedError(404, f"Couldn't find record with 'id'={key}")
        return rows[key]
