"""The sandbox as the contract wants to have it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from connectors import clock
from connectors.sandbox.server import Sandbox
from connectors.settings import HelpdeskSettings
from connectors.zendesk import paging, webhook
from connectors.zendesk.client import Zendesk

from ..contract import Desk

MARIT = 5001


class SandboxClock:
    """The sandbox's time: the real one, moved by hand."""

    def __init__(self) -> None:
        # Behind the real one: ticks do not reach into the future, and the exports' last minute is over.
        self.ahead_s = -600.0
        self.stopped_at: float | None = None

    def __call__(self) -> float:
        return time.time() + self.ahead_s if self.stopped_at is None else self.stopped_at


class ZendeskDesk(Desk):
    """Customers and agents are other users of the same API."""

    cannot: ClassVar = {"odd_notes": "a comment of Zendesk's is public or it is not"}
    customer_address = "deniz@mail.example"
    groups = ("2101", "2104")
    addresses: ClassVar = {
        "groups": "/api/v2/groups",
        "brands": "/api/v2/brands",
        "ticket_fields": "/api/v2/ticket_fields",
        "macros": "/api/v2/macros",
        "articles": "/api/v2/help_center",
        "satisfaction_ratings": "/api/v2/satisfaction_ratings",
    }

    def __init__(self, sandbox: Sandbox, database: Path, now: SandboxClock) -> None:
        super().__init__(sandbox.url)
        self.sandbox, self.now = sandbox, now
        self._database = database
        self.token = sandbox.token

    def connect(self, *, token: str, webhook_secret: str) -> Zendesk:
        settings = HelpdeskSettings(url=self.proxy.url, token=token)
        return Zendesk(settings, webhook_secret=webhook_secret, sleep=self.naps.append)

    def page_size(self, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        # PageSize(EXPORT_ROWS) is made for each stream anew.
        for name in ("EXPORT_ROWS", "LIST_ROWS"):
            monkeypatch.setattr(paging, name, size)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """An API call of somebody else."""
        headers = {"Authorization": f"Bearer {self.sandbox.token}"}
        answer = requests.request(method, self.sandbox.url + path, json=body, headers=headers, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def change(self, ticket_id: str, **ticket: object) -> None:
        """Somebody of the team changes a ticket."""
        self.call("PUT", f"/api/v2/tickets/{ticket_id}", {"ticket": ticket})

    def customer_writes(self, text: str, ticket_id: str | None = None, *, subject: str = "A question") -> str:
        if ticket_id is None:
            requester = {"name": "Deniz", "email": self.customer_address}
            wanted = {"subject": subject, "comment": {"body": text}, "requester": requester}
            return str(self.call("POST", "/api/v2/tickets", {"ticket": wanted})["ticket"]["id"])
        self.call("POST", f"/sandbox/tickets/{ticket_id}/customer_reply", {"body": text})
        return ticket_id

    def agent_replies(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        self.change(ticket_id, comment={"body": text, "public": public, "author_id": MARIT})

    def solve(self, ticket_id: str) -> None:
        self.change(ticket_id, status="solved")

    def close_ticket(self, ticket_id: str) -> None:
        self.change(ticket_id, status="closed")

    def delete(self, ticket_id: str) -> None:
        self.call("DELETE", f"/api/v2/tickets/{ticket_id}")

    def change_group(self, ticket_id: str, group_id: str) -> None:
        self.change(ticket_id, group_id=int(group_id))

    def set_field(self, ticket_id: str, value: object) -> str:
        # Past the API, which would refuse a value of another type than the field's: old tickets have them all the same.
        fields = json.dumps([{"id": 31, "value": value}])
        with contextlib.closing(sqlite3.connect(self._database)) as database, database:
            database.execute("update tickets set custom_fields = ? where id = ?", (fields, int(ticket_id)))
        return "31"

    def same_second(self, count: int) -> Sequence[str]:
        self.tick()
        self.now.stopped_at = float(int(self.now()))
        made = [self.customer_writes(f"Question {number}") for number in range(count)]
        self.now.stopped_at = None
        return made

    def tick(self) -> None:
        self.now.ahead_s += 1

    def _comments(self, ticket_id: str) -> list[dict[str, Any]]:
        return self.call("GET", f"/api/v2/tickets/{ticket_id}/comments")["comments"]

    def notes_of(self, ticket_id: str) -> Sequence[str]:
        return [comment["plain_body"] for comment in self._comments(ticket_id) if not comment["public"]]

    def sent_to_customer(self, ticket_id: str) -> Sequence[str]:
        return [comment["plain_body"] for comment in self._comments(ticket_id) if comment["public"]]

    def webhook_for(
        self, ticket_id: str, *, secret: str | None = None, at: float | None = None, event: int = 0
    ) -> tuple[dict[str, str], bytes]:
        body = json.dumps({"ticket_id": ticket_id}).encode()
        timestamp = clock.from_epoch(time.time() if at is None else at)
        return {
            webhook.SIGNATURE: webhook.sign(self.webhook_secret if secret is None else secret, timestamp, body),
            webhook.TIMESTAMP: timestamp,
            webhook.INVOCATION: f"01HINVOCATION{event}",
        }, body
