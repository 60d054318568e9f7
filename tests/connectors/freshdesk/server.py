"""A small Freshdesk on a real socket, with its state in memory.

From Freshdesk's API reference (https://developers.freshdesk.com/api/): addresses, fields, error bodies, basic
authentication with the key as the user, 30 records a page and 100 at most, the `link` header, page 300 as the last one
of the tickets, tickets of the last 30 days only without `updated_since`, `include` and what it costs, ten conversations
inside a ticket, private notes by default, `tags` that replaces, 405 for updates of tickets in the bin or the spam
folder, 429 with `Retry-After`, the limits' headers. The words of the error behind page 300 are from the tests of
Airbyte's Freshdesk connector.

Assumed, since nothing says so: `updated_since` and `_updated_since` include their own second; a note, a reply, a
deletion and each update with a new value move `updated_at`; the bin is a list like any other and can be asked for by
time; equal times are sorted by id; contacts come sorted by name, ratings newest first; an agent is no contact.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from flask import Flask, Response, jsonify, request

from connectors.wsgi import BackgroundServer

Json = dict[str, Any]

MARIT, BOT = 43000000001, 43000000099
CUSTOMER, FORMER = 43100000001, 43100000002
TRACKING, CLAIMS = 43200000001, 43200000002
SECONDS_IN_30_DAYS = 30 * 86400


class RefusedError(Exception):
    """Answered with a status and, where there is one, a body."""

    def __init__(self, status: int, body: Json | None = None) -> None:
        super().__init__(status)
        self.status, self.body = status, body


def invalid(field: str, message: str) -> RefusedError:
    errors = [{"field": field, "message": message, "code": "invalid_value"}]
    return RefusedError(400, {"description": "Validation failed", "errors": errors})


class FakeFreshdesk:
    """The server; also a context manager that starts and stops it.

    Attributes:
        now_s: The server's clock, in Unix seconds; move it by hand.
        wall: The last page of tickets that is shown.
        includes_since: Whether `updated_since` includes its own second.
        limit: Calls left before a 429; None for no limit.
        sent: Texts that customers were mailed, by ticket.
    """

    def __init__(self, *, key: str) -> None:
        self._key = key
        self.now_s = int(time.time()) - 5000
        self.wall = 300
        self.includes_since = True
        self.max_per_page = 100
        self.limit: int | None = None
        self.tickets: dict[int, Json] = {}
        self.conversations: dict[int, list[Json]] = {}
        self.sent: dict[int, list[str]] = {}
        self.agents = {agent: self._agent(agent, name) for agent, name in ((MARIT, "Marit"), (BOT, "Deskhand"))}
        self.contacts = {
            CUSTOMER: self._contact(CUSTOMER, "Deniz", "deniz@mail.example"),
            FORMER: self._contact(FORMER, "Jo", "jo@desk.example"),
        }
        self.groups = [
            {"id": group, "name": name, "description": None} for group, name in ((TRACKING, "TRK"), (CLAIMS, "CLM"))
        ]
        self.products: list[Json] = []
        self.companies: list[Json] = []
        self.ticket_fields: list[Json] = []
        self.canned: dict[int, list[Json]] = {}
        self.categories: dict[int, list[int]] = {}
        self.folders: dict[int, Json] = {}
        self.articles: dict[int, list[Json]] = {}
        self.ratings: list[Json] = []
        self._ids = 43900000000
        self._server = BackgroundServer(self._app(), host="127.0.0.1", port=0, threads=4, name="freshdesk")

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

    def open_ticket(self, text: str, *, subject: str, **changes: Any) -> int:
        """A customer writes; returns the ticket's number."""
        number = max(self.tickets, default=0) + 1
        self.tickets[number] = {
            "id": number, "subject": subject, "status": 2, "priority": 1, "source": 1, "requester_id": CUSTOMER,
            "responder_id": None, "group_id": None, "company_id": None, "product_id": None, "type": None, "tags": [],
            "custom_fields": {}, "spam": False, "deleted": False, "created_at": self.now(), "updated_at": self.now(),
            "description": f"<div>{text}</div>", "description_text": text, "attachments": [],
        } | changes  # fmt: skip
        self.conversations[number] = []
        self.sent[number] = []
        return number

    def converse(self, number: int, text: str, *, user_id: int, source: int = 0, **changes: Any) -> Json:
        """A turn on a ticket; the customer gets what is not private and not their own."""
        item = {
            "id": self._id(), "ticket_id": number, "user_id": user_id, "source": source, "private": False,
            "incoming": user_id == CUSTOMER, "body": f"<div>{text}</div>", "body_text": text, "to_emails": [],
            "created_at": self.now(), "updated_at": self.now(), "attachments": [],
        } | changes  # fmt: skip
        self.conversations[number].append(item)
        if not item["private"] and not item["incoming"]:
            self.sent[number].append(text)
        self.touch(number)
        return item

    def touch(self, number: int, **changes: Any) -> None:
        """Changes a ticket."""
        self.tickets[number] |= changes | {"updated_at": self.now()}

    def now(self) -> str:
        return _iso(self.now_s)

    def _id(self) -> int:
        self._ids += 1
        return self._ids

    def _agent(self, agent_id: int, name: str) -> Json:
        inside = {"name": name, "email": f"{name.lower()}@desk.example", "language": "en", "active": True}
        return {"id": agent_id, "ticket_scope": 1, "type": "support_agent", "contact": inside}

    def _contact(self, contact_id: int, name: str, email: str) -> Json:
        at = _iso(self.now_s)
        return {
            "id": contact_id, "name": name, "email": email, "phone": None, "language": "en", "active": True,
            "created_at": at, "updated_at": at,
        }  # fmt: skip

    # The API

    def _app(self) -> Flask:
        app = Flask("freshdesk")
        app.json.sort_keys = False  # type: ignore[attr-defined]
        app.before_request(self._check)
        app.after_request(self._add_headers)
        app.register_error_handler(RefusedError, self._refuse)
        app.register_error_handler(404, lambda _: ("", 404))
        lists: dict[str, Callable[[], list[Json]]] = {
            "groups": lambda: self.groups,
            "products": lambda: self.products,
            "companies": lambda: self.companies,
            "ticket_fields": lambda: self.ticket_fields,
            "agents": lambda: list(self.agents.values()),
            "contacts": self._contacts,
            "surveys/satisfaction_ratings": self._ratings,
            "canned_response_folders": lambda: [{"id": key, "name": f"Folder {key}"} for key in self.canned],
            "solutions/categories": lambda: [{"id": key, "name": f"Category {key}"} for key in self.categories],
        }
        for path, rows in lists.items():
            app.add_url_rule(f"/api/v2/{path}", path, lambda rows=rows: self._paged(rows()))
        nested: dict[str, Callable[[int], list[Json]]] = {
            "canned_response_folders/<int:key>/responses": lambda key: self.canned[key],
            "solutions/categories/<int:key>/folders": lambda key: [self.folders[one] for one in self.categories[key]],
            "solutions/folders/<int:key>/subfolders": self._subfolders,
            "solutions/folders/<int:key>/articles": lambda key: self.articles.get(key, []),
            "tickets/<int:key>/conversations": lambda key: self._conversations(self._ticket(key)),
        }
        for path, rows_of in nested.items():
            app.add_url_rule(f"/api/v2/{path}", path, lambda key, rows_of=rows_of: self._paged(rows_of(key)))
        app.add_url_rule("/api/v2/tickets", "tickets", self._list_tickets)
        app.add_url_rule("/api/v2/tickets/<int:key>", "ticket", lambda key: self._shown(self._ticket(key), inside=True))
        app.add_url_rule("/api/v2/tickets/<int:key>", "update", self._update, methods=["PUT"])
        app.add_url_rule("/api/v2/tickets/<int:key>/notes", "note", self._note, methods=["POST"])
        app.add_url_rule("/api/v2/agents/me", "me", lambda: self.agents[BOT])
        app.add_url_rule("/api/v2/agents/<int:key>", "agent", lambda key: self._one(self.agents, key))
        app.add_url_rule("/api/v2/contacts/<int:key>", "contact", lambda key: self._one(self.contacts, key))
        app.add_url_rule("/api/v2/canned_responses/<int:key>", "canned", self._canned)
        return app

    def _check(self) -> None:
        sent = request.headers.get("Authorization", "")
        if sent != "Basic " + base64.b64encode(f"{self._key}:X".encode()).decode():
            body = {"code": "invalid_credentials", "message": "You have to be logged in to perform this action."}
            raise RefusedError(401, body)
        if self.limit is not None:
            self.limit -= 1
            if self.limit < 0:
                self.limit = None
                raise RefusedError(429, {"message": "You have exceeded the limit of requests per minute"})

    def _add_headers(self, response: Response) -> Response:
        cost = 1 + 2 * len(self._included()) if request.path == "/api/v2/tickets" else 1 + len(self._included())
        response.headers["X-Freshdesk-API-Version"] = "latest=v2; requested=v2"
        response.headers["X-RateLimit-Total"] = "5000"
        response.headers["X-RateLimit-Remaining"] = "4999"
        response.headers["X-RateLimit-Used-CurrentRequest"] = str(cost)
        return response

    @staticmethod
    def _refuse(refusal: RefusedError) -> Response:
        response = jsonify(refusal.body) if refusal.body else Response()
        response.status_code = refusal.status
        if refusal.status == 429:
            response.headers["Retry-After"] = "34"
        return response

    @staticmethod
    def _included() -> list[str]:
        return [one for one in request.args.get("include", "").split(",") if one]

    @staticmethod
    def _number(name: str, default: int) -> int:
        try:
            return int(request.args.get(name, default))
        except ValueError:
            raise invalid(name, "It should be a Positive Integer") from None

    def _paged(self, rows: list[Json]) -> Response:
        page, size = self._number("page", 1), self._number("per_page", 30)
        if page < 1:
            raise invalid("page", "It should be a Positive Integer")
        if not 1 <= size <= 100:
            raise invalid("per_page", "It should be a Positive Integer less than or equal to 100")
        size = min(size, self.max_per_page)
        response = jsonify(rows[(page - 1) * size : page * size])
        if len(rows) > page * size:
            following = request.args.to_dict() | {"page": str(page + 1)}
            query = "&".join(f"{key}={value}" for key, value in following.items())
            response.headers["link"] = f'<{request.base_url}?{query}>;rel="next"'
        return response

    def _list_tickets(self) -> Response:
        if self._number("page", 1) > self.wall:
            page = "You cannot access tickets beyond the 300th page. Please provide a smaller page number."
            raise invalid("page", page)
        wanted, order = request.args.get("filter"), request.args.get("order_by", "created_at")
        if wanted not in (None, "deleted", "spam") or order not in ("created_at", "updated_at"):
            raise invalid("filter", "It should be one of these values: 'new_and_my_open,watching,spam,deleted'")
        since = request.args.get("updated_since")
        rows = [
            row
            for row in self.tickets.values()
            if (row["deleted"], row["spam"]) == (wanted == "deleted", wanted == "spam")
            and (self._is_since(row, since) if since else row["created_at"] >= _iso(self.now_s - SECONDS_IN_30_DAYS))
        ]
        backwards = request.args.get("order_type", "desc") == "desc"
        rows.sort(key=lambda row: (row[order], row["id"]), reverse=backwards)
        return self._paged([self._shown(row, inside=False) for row in rows])

    def _is_since(self, row: Json, since: str) -> bool:
        return bool(row["updated_at"] > since or (row["updated_at"] == since and self.includes_since))

    def _shown(self, row: Json, *, inside: bool) -> Json:
        included = self._included()
        shown = dict(row)
        if not inside:
            # Lists do not say it; the one of the bin does not either.
            del shown["deleted"]
            if "description" not in included:
                shown = {key: value for key, value in shown.items() if not key.startswith("description")}
        if "requester" in included:
            contact = self.contacts.get(row["requester_id"], {})
            shown["requester"] = {key: contact.get(key) for key in ("id", "name", "email", "phone")}
        if "stats" in included:
            replies = [turn for turn in self.conversations[row["id"]] if turn["source"] == 0 and not turn["incoming"]]
            shown["stats"] = {
                "first_responded_at": replies[0]["created_at"] if replies else None,
                "resolved_at": row["updated_at"] if row["status"] in (4, 5) else None,
                "closed_at": row["updated_at"] if row["status"] == 5 else None,
            }
        if inside and "conversations" in included:
            shown["conversations"] = self._conversations(row)[:10]
        return shown

    def _conversations(self, row: Json) -> list[Json]:
        return self.conversations[row["id"]]

    def _ticket(self, key: int) -> Json:
        if key not in self.tickets:
            raise RefusedError(404)
        return self.tickets[key]

    def _update(self, key: int) -> Json:
        row = self._changeable(key)
        wanted = request.get_json()
        unknown = set(wanted) - {"group_id", "priority", "tags", "status"}
        if unknown:
            raise invalid(unknown.pop(), "Unexpected/invalid field in request")
        if "group_id" in wanted and wanted["group_id"] not in [group["id"] for group in self.groups]:
            raise invalid("group_id", f"There is no group matching the given group_id {wanted['group_id']}")
        if wanted.get("priority", 1) not in (1, 2, 3, 4):
            raise invalid("priority", "It should be one of these values: '1,2,3,4'")
        if any(row[name] != value for name, value in wanted.items()):
            self.touch(key, **wanted)
        return self.tickets[key]

    def _note(self, key: int) -> tuple[Json, int]:
        self._changeable(key)
        wanted = request.get_json()
        if not wanted.get("body"):
            raise invalid("body", "It should not be blank as this is a mandatory field")
        made = self.converse(
            key, "", user_id=BOT, source=2, private=wanted.get("private", True), body=wanted["body"], body_text=None
        )
        return made, 201

    def _changeable(self, key: int) -> Json:
        row = self._ticket(key)
        if row["deleted"] or row["spam"]:
            raise RefusedError(405)
        return row

    def _contacts(self) -> list[Json]:
        since = request.args.get("_updated_since", "")
        rows = [row for row in self.contacts.values() if row["updated_at"] >= since]
        return sorted(rows, key=lambda row: row["name"])

    def _ratings(self) -> list[Json]:
        since = request.args.get("created_since", "")
        return [row for row in reversed(self.ratings) if row["created_at"] >= since]

    def _subfolders(self, key: int) -> list[Json]:
        return [folder for folder in self.folders.values() if folder.get("parent_folder_id") == key]

    def _canned(self, key: int) -> Json:
        found = [row for rows in self.canned.values() for row in rows if row["id"] == key]
        if not found:
            raise RefusedError(404)
        return {"content": f"Text of {key}"} | found[0]

    @staticmethod
    def _one(rows: dict[int, Json], key: int) -> Json:
        if key not in rows:
            raise RefusedError(404)
        return rows[key]


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
