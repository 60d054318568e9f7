"""The fake Freshdesk as the contract wants to have it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

import pytest

from connectors.freshdesk import client, webhook
from connectors.freshdesk.client import Freshdesk
from connectors.settings import HelpdeskSettings

from ..contract import Desk
from .server import CLAIMS, CUSTOMER, MARIT, TRACKING, FakeFreshdesk


class FreshdeskDesk(Desk):
    """What customers and agents do, done in the fake's state."""

    cannot: ClassVar = {
        "signed_body": "Freshdesk sends the secret itself and signs nothing",
        "webhook_time": "Freshdesk does not say when a webhook was sent",
        "install_webhook": "automation rules are made by hand",
    }
    overlap_s = 2
    customer_address = "deniz@mail.example"
    groups = (str(TRACKING), str(CLAIMS))
    addresses: ClassVar = {
        "groups": "/api/v2/groups",
        "brands": "/api/v2/products",
        "organizations": "/api/v2/companies",
        "macros": "/api/v2/canned_response",
        "articles": "/api/v2/solutions",
        "satisfaction_ratings": "/api/v2/surveys",
    }

    def __init__(self, server: FakeFreshdesk) -> None:
        super().__init__(server.url)
        self.server = server

    def connect(self, *, token: str, webhook_secret: str) -> Freshdesk:
        settings = HelpdeskSettings(kind="freshdesk", url=self.proxy.url, token=token)
        return Freshdesk(settings, webhook_secret=webhook_secret, sleep=self.naps.append)

    def page_size(self, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "PER_PAGE", size)
        monkeypatch.setattr(client, "CONVERSATIONS_INSIDE", size)

    def customer_writes(self, text: str, ticket_id: str | None = None, *, subject: str = "A question") -> str:
        if ticket_id is None:
            return str(self.server.open_ticket(text, subject=subject))
        self.server.converse(int(ticket_id), text, user_id=CUSTOMER)
        return ticket_id

    def agent_replies(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        source = 0 if public else 2
        self.server.converse(int(ticket_id), text, user_id=MARIT, source=source, private=not public)

    def solve(self, ticket_id: str) -> None:
        self.server.touch(int(ticket_id), status=4)

    def close_ticket(self, ticket_id: str) -> None:
        self.server.touch(int(ticket_id), status=5)

    def delete(self, ticket_id: str) -> None:
        self.server.touch(int(ticket_id), deleted=True)

    def change_group(self, ticket_id: str, group_id: str) -> None:
        self.server.touch(int(ticket_id), group_id=int(group_id))

    def set_field(self, ticket_id: str, value: object) -> str:
        self.server.touch(int(ticket_id), custom_fields={"cf_carrier": value})
        return "cf_carrier"

    def odd_notes(self, ticket_id: str) -> Sequence[str]:
        odd = {
            "To the depot: where is it?": {"source": 8, "private": True},
            "To the depot, public?": {"source": 8, "private": False},
            "A survey's answer": {"source": 6, "private": False},
            "A kind of the future": {"source": 77, "private": False},
            "No word on who sees it": {"source": 2, "private": None},
        }
        for text, changes in odd.items():
            self.server.converse(int(ticket_id), text, user_id=MARIT, **changes)
        return list(odd)

    def same_second(self, count: int) -> Sequence[str]:
        self.tick()
        return [self.customer_writes(f"Question {number}") for number in range(count)]

    def tick(self) -> None:
        self.server.now_s += 1

    def notes_of(self, ticket_id: str) -> Sequence[str]:
        return [turn["body"] for turn in self.server.conversations[int(ticket_id)] if turn["private"]]

    def sent_to_customer(self, ticket_id: str) -> Sequence[str]:
        return self.server.sent[int(ticket_id)]

    def webhook_for(
        self, ticket_id: str, *, secret: str | None = None, at: float | None = None, event: int = 0
    ) -> tuple[dict[str, str], bytes]:
        sent = webhook.BODY.replace("{{ticket.id}}", ticket_id).replace("{{ticket.modified_on}}", f"Tue, event {event}")
        header = f"Bearer {self.webhook_secret if secret is None else secret}"
        return {"Authorization": header, "Content-Type": "application/json"}, json.dumps(json.loads(sent)).encode()
