"""A real django-helpdesk as the contract wants to have it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

import pytest

from connectors.django_helpdesk import tickets, webhook
from connectors.django_helpdesk.client import DjangoHelpdesk
from connectors.settings import HelpdeskSettings

from ...e2e.django_helpdesk.real import RealSite
from ..contract import Desk


class SiteDesk(Desk):
    """What customers and agents do, done in the real site: by its form, its mailbox, and its own functions."""

    cannot: ClassVar = {
        "signed_body": "django-helpdesk sends the secret itself and signs nothing",
        "webhook_time": "django-helpdesk does not say when a webhook was sent",
        "install_webhook": "webhooks are set up in the site's environment",
        "stream_forbidden": "both streams come from one address",
        "since": "the API cannot be asked for what changed",
        "tags": "there are none",
    }
    priority = "1"
    customer_address = "deniz@mail.example"

    def __init__(self, site: RealSite) -> None:
        super().__init__(site.url)
        self.site = site
        self.token = site.tokens["deskhand"]

    @property
    def groups(self) -> tuple[str, str]:
        return str(self.site.queues["TRK1"]), str(self.site.queues["CLM"])

    def connect(self, *, token: str, webhook_secret: str) -> DjangoHelpdesk:
        settings = HelpdeskSettings(kind="django_helpdesk", url=self.proxy.url, token=token)
        return DjangoHelpdesk(settings, webhook_secret=webhook_secret, sleep=self.naps.append)

    def page_size(self, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tickets, "PER_PAGE", size)

    def customer_writes(self, text: str, ticket_id: str | None = None, *, subject: str = "A question") -> str:
        if ticket_id is None:
            return self.site.submit(text, subject=subject, address=self.customer_address, queue="TRK1")
        self.site.mail(text, ticket_id=ticket_id, address=self.customer_address)
        return ticket_id

    def agent_replies(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        self._act("update_ticket(user, ticket, comment=text, public=public)", ticket_id, text=text, public=public)

    def solve(self, ticket_id: str) -> None:
        self._act("update_ticket(user, ticket, new_status=3, public=True)", ticket_id)

    def close_ticket(self, ticket_id: str) -> None:
        self._act("update_ticket(user, ticket, new_status=4, public=True)", ticket_id)

    def delete(self, ticket_id: str) -> None:
        # At a first scan, that the newest of all tickets is deleted shows only once there is a newer one.
        self.customer_writes("Later")
        self._act("ticket.delete()", ticket_id)

    def change_group(self, ticket_id: str, group_id: str) -> None:
        self._act("update_ticket(user, ticket, queue=group)", ticket_id, group=int(group_id))

    def set_field(self, ticket_id: str, value: object) -> str:
        code = """
kept, _ = CustomField.objects.get_or_create(name="carrier", label="Carrier", data_type="varchar", max_length=90)
if value is not None:
    TicketCustomFieldValue.objects.create(ticket=ticket, field=kept, value=str(value))
"""
        self._act(code, ticket_id, value=value)
        return "carrier"

    def odd_notes(self, ticket_id: str) -> Sequence[str]:
        escalation = "Ticket escalated after 3 days"
        code = "ticket.followup_set.create(title='Ticket Escalated', public=True, comment=text)"
        self._act(code, ticket_id, text=escalation)
        return [escalation]

    def same_second(self, count: int) -> Sequence[str]:
        mine = [self.customer_writes(f"Question {number}") for number in range(count)]
        self.site.run("FollowUp.objects.filter(ticket_id__in=mine).update(date='2026-04-01T09:00:00.5Z')", mine=mine)
        return mine

    def tick(self) -> None:
        """Nothing: the connector goes by what changed and not by when."""

    def notes_of(self, ticket_id: str) -> Sequence[str]:
        return self._act("result = [one.comment for one in ticket.followup_set.private_followups()]", ticket_id)

    def sent_to_customer(self, ticket_id: str) -> Sequence[str]:
        code = """
mails = [one for one in getattr(mail, "outbox", []) if address in one.to and f"-{ticket.id}]" in one.subject]
seen = [one.comment for one in ticket.followup_set.public_followups()]
result = [one.body for one in mails] + seen + [ticket.resolution or "", ticket.title]
"""
        return self._act(code, ticket_id, address=self.customer_address)

    def webhook_for(
        self, ticket_id: str, *, secret: str | None = None, at: float | None = None, event: int = 0
    ) -> tuple[dict[str, str], bytes]:
        content = {"ticket": {"id": int(ticket_id), "followup_set": []}, "queue_slug": "trk1", "followup_id": event}
        header = webhook.authorization(self.webhook_secret if secret is None else secret)
        return {"Authorization": header, "Content-Type": "application/json"}, json.dumps(content).encode()

    def _act(self, code: str, ticket_id: str, **names: object) -> object:
        """Runs code with the ticket and somebody of the team at hand."""
        found = "ticket = Ticket.objects.get(id=ticket_id)\nuser = User.objects.get(username='marit')\n"
        return self.site.run(found + code, ticket_id=ticket_id, **names)
