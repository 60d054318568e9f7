"""The fake Zammad as the contract wants to have it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

import pytest

from connectors.settings import HelpdeskSettings
from connectors.zammad import api, tickets
from connectors.zammad.client import Zammad

from ..contract import Desk
from .server import CLAIMS, CUSTOMER, MARIT, TRACKING, FakeZammad


class ZammadDesk(Desk):
    """What customers and agents do, done in the fake's state."""

    cannot: ClassVar = {
        "webhook_time": "Zammad does not say when a webhook was sent",
        "close_ticket": "a closed ticket can be opened again by everybody",
        "closed": "closed tickets take notes like all others",
    }
    overlap_s = tickets.OVERLAP_S
    priority = "3 high"
    customer_address = "deniz@mail.example"
    groups = (str(TRACKING), str(CLAIMS))
    addresses: ClassVar = {
        "groups": "/api/v1/groups",
        "ticket_fields": "/api/v1/object_manager_attributes",
        "organizations": "/api/v1/organizations",
        "macros": "/api/v1/(text_modules|macros)",
        "articles": "/api/v1/knowledge_bases",
    }

    def __init__(self, server: FakeZammad) -> None:
        super().__init__(server.url)
        self.server = server

    def connect(self, *, token: str, webhook_secret: str) -> Zammad:
        settings = HelpdeskSettings(kind="zammad", url=self.proxy.url, token=token)
        return Zammad(settings, webhook_secret=webhook_secret, sleep=self.naps.append)

    def page_size(self, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api, "PER_PAGE", size)

    def customer_writes(self, text: str, ticket_id: str | None = None, *, subject: str = "A question") -> str:
        if ticket_id is None:
            return str(self.server.open_ticket(text, subject=subject))
        self.server.write(int(ticket_id), text, by=CUSTOMER)
        return ticket_id

    def agent_replies(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        self.server.write(int(ticket_id), text, by=MARIT, kind=1 if public else 10, internal=not public)

    def solve(self, ticket_id: str) -> None:
        self.server.touch(int(ticket_id), state_id=4, close_at=self.server.now())

    def delete(self, ticket_id: str) -> None:
        # That the newest of all tickets is deleted shows only once there is a newer one.
        self.server.open_ticket("Later")
        self.server.destroy(int(ticket_id))

    def change_group(self, ticket_id: str, group_id: str) -> None:
        self.server.touch(int(ticket_id), group_id=int(group_id))

    def set_field(self, ticket_id: str, value: object) -> str:
        self.server.touch(int(ticket_id), carrier=value)
        return "carrier"

    def odd_notes(self, ticket_id: str) -> Sequence[str]:
        odd = {
            "To the depot: where is it?": {"kind": 1, "preferences": {"subtype": "forward"}},
            "We have got your mail": {"kind": 1, "sender": 3},
            "No word on who sees it": {"kind": 10, "internal": None},
            "A call, for us": {"kind": 5, "internal": True},
        }
        for text, changes in odd.items():
            self.server.write(int(ticket_id), text, by=MARIT, **changes)
        return list(odd)

    def same_second(self, count: int) -> Sequence[str]:
        self.tick()
        return [self.customer_writes(f"Question {number}") for number in range(count)]

    def tick(self) -> None:
        self.server.now_ms += 1000

    def notes_of(self, ticket_id: str) -> Sequence[str]:
        return [
            one["body"]
            for one in self.server.articles.values()
            if str(one["ticket_id"]) == ticket_id and one["internal"]
        ]

    def sent_to_customer(self, ticket_id: str) -> Sequence[str]:
        return self.server.sent[int(ticket_id)]

    def webhook_for(
        self, ticket_id: str, *, secret: str | None = None, at: float | None = None, event: int = 0
    ) -> tuple[dict[str, str], bytes]:
        article = next(one for one in self.server.articles.values() if str(one["ticket_id"]) == ticket_id)
        body = json.dumps(self.server.payload(int(ticket_id), article)).encode()
        token = self.webhook_secret if secret is None else secret
        return self.server.signed(body, token, f"job-{event}"), body
