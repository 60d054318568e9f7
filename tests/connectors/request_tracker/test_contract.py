"""What every connector has to do, against a real Request Tracker."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import ClassVar

import pytest

from connectors.helpdesk import Helpdesk
from connectors.request_tracker import tickets, webhook
from connectors.request_tracker.client import RequestTracker
from connectors.settings import HelpdeskSettings

from ...e2e.request_tracker.rt import RT
from ..contract import Desk, HelpdeskContract

pytestmark = pytest.mark.request_tracker

AGENT = "marit"


class RtDesk(Desk):
    cannot: ClassVar = {"install_webhook": "a Scrip is set up on RT's machine"}
    overlap_s = 61.0
    priority = "80"
    addresses: ClassVar = {
        "groups": r"/queues/all\b",
        "ticket_fields": r"/customfields?\b",
        "articles": r"/articles\b",
        "tickets": r"/(?:tickets|transactions)\b",
    }

    def __init__(self, rt: RT) -> None:
        super().__init__(rt.url)
        self.rt = rt
        self.token = rt.tokens["deskhand"]
        self.webhook_secret = rt.secret
        self.customer = rt.company.tickets[0].requester.email
        self.queues = {item["Name"]: item["id"] for item in self._agent("GET", "/queues/all?fields=Name")["items"]}

    def _agent(self, method: str, path: str, body: object = None) -> dict:
        return self.rt.call(AGENT, method, path, body)

    def connect(self, *, token: str, webhook_secret: str) -> Helpdesk:
        settings = HelpdeskSettings(kind="request_tracker", url=self.proxy.url, token=token)
        return RequestTracker(settings, webhook_secret=webhook_secret, sleep=self.naps.append)

    def page_size(self, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tickets, "TICKETS_PER_PAGE", size)
        monkeypatch.setattr(tickets, "TRANSACTIONS_PER_PAGE", size)

    def customer_writes(self, text: str, ticket_id: str | None = None, *, subject: str = "A question") -> str:
        said = {"Content": text, "ContentType": "text/plain"}
        if ticket_id:
            self.rt.call(self.customer, "POST", f"/ticket/{ticket_id}/correspond", said)
            return ticket_id
        ticket = {"Queue": "General", "Subject": subject, "Requestor": self.customer, **said}
        return str(self.rt.call(self.customer, "POST", "/ticket", ticket)["id"])

    @property
    def customer_address(self) -> str:
        return self.customer

    def agent_replies(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        said = {"Content": text, "ContentType": "text/plain"}
        self._agent("POST", f"/ticket/{ticket_id}/{'correspond' if public else 'comment'}", said)

    def _status(self, ticket_id: str, status: str) -> None:
        self._agent("PUT", f"/ticket/{ticket_id}", {"Status": status})

    def solve(self, ticket_id: str) -> None:
        self._status(ticket_id, "resolved")

    def close_ticket(self, ticket_id: str) -> None:
        self._status(ticket_id, "rejected")

    def delete(self, ticket_id: str) -> None:
        self._status(ticket_id, "deleted")

    def change_group(self, ticket_id: str, group_id: str) -> None:
        self._agent("PUT", f"/ticket/{ticket_id}", {"Queue": group_id})

    @property
    def groups(self) -> tuple[str, str]:
        return self.queues["CLM"], self.queues["FIN"]

    def set_field(self, ticket_id: str, value: object) -> str:
        name = "Tags" if isinstance(value, list) else "Tracking number"
        values = value if isinstance(value, list) or value is None else str(value)
        self._agent("PUT", f"/ticket/{ticket_id}", {"CustomFields": {name: values}})
        fields = self._agent("GET", f"/ticket/{ticket_id}")["CustomFields"]
        return str(next(field["id"] for field in fields if field["name"] == name))

    def odd_notes(self, ticket_id: str) -> Sequence[str]:
        self._agent("PUT", f"/ticket/{ticket_id}", {"CustomFields": {"Tracking number": "a field nobody sees"}})
        html = {"Content": "<p>a note in <b>HTML</b></p>", "ContentType": "text/html"}
        self._agent("POST", f"/ticket/{ticket_id}/comment", html)
        return ["a note in HTML", "a field nobody sees"]

    def same_second(self, count: int) -> Sequence[str]:
        mine = [self.customer_writes(f"one of {count}") for _ in range(count)]
        marks = ",".join("?" * count)
        with closing(sqlite3.connect(self.rt.database, timeout=30)) as database, database:
            database.execute(
                f"update Tickets set LastUpdated = (select max(LastUpdated) from Tickets) where id in ({marks})", mine
            )
            database.execute(
                "update Transactions set Created = (select max(Created) from Transactions)"
                f" where ObjectType = 'RT::Ticket' and ObjectId in ({marks})",
                mine,
            )
        return mine

    def tick(self) -> None:
        # All that was becomes a second older, which takes less time than to wait for one.
        with closing(sqlite3.connect(self.rt.database, timeout=30)) as database, database:
            for table, column in (("Tickets", "Created"), ("Tickets", "LastUpdated"), ("Transactions", "Created")):
                database.execute(f"update {table} set {column} = datetime({column}, '-1 second')")

    def notes_of(self, ticket_id: str) -> Sequence[str]:
        return [text for kind, text in self.rt.comments(ticket_id) if kind == "Comment"]

    def sent_to_customer(self, ticket_id: str) -> Sequence[str]:
        mails = self.rt.mails().split("\n===\n")
        return [
            *(text for kind, text in self.rt.comments(ticket_id) if kind != "Comment"),
            *(mail for mail in mails if f"#{ticket_id}]" in mail),
        ]

    def webhook_for(
        self, ticket_id: str, *, secret: str | None = None, at: float | None = None, event: int = 0
    ) -> tuple[dict[str, str], bytes]:
        body = f'{{"ticket_id": "{ticket_id}", "transaction_id": "{1000 + event}"}}'.encode()
        stamp = str(int(time.time() if at is None else at))
        signature = webhook.sign(self.webhook_secret if secret is None else secret, stamp, body)
        return {webhook.TIMESTAMP: stamp, webhook.SIGNATURE: signature}, body


class TestRequestTracker(HelpdeskContract):
    @pytest.fixture
    def desk(self, rt: RT) -> Iterator[RtDesk]:
        with RtDesk(rt) as desk:
            yield desk
