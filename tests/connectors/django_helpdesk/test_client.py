"""What django-helpdesk does that others do not: mails of private notes, templates, no dates, no names."""

from __future__ import annotations

import pytest

from connectors.django_helpdesk import mapping, tickets
from connectors.django_helpdesk.client import DjangoHelpdesk
from connectors.errors import ConfigError, FatalError, SkippableError, TicketClosedError
from connectors.records import Deletion, Thread, Ticket, WriteBack
from connectors.store.database import Store
from connectors.sync.engine import sync

from ...e2e.django_helpdesk.real import RealSite
from ..contract import read
from .desk import SiteDesk

NOTE = "<p>Suggested: <b>Tilburg</b> {{ ticket.title }} {% now 'Y' %}</p>"
MARKER = "deskhand:0123abcd"


def changed(helpdesk: DjangoHelpdesk, cursor: str | None) -> tuple[list[str], str]:
    pages = read(helpdesk, "tickets", cursor)
    found = [record.id for page in pages for record in page.records if isinstance(record, Ticket)]
    return found, pages[-1].cursor


class TestNote:
    def test_mails_go_to_nobody(self, desk: SiteDesk, site: RealSite, helpdesk: DjangoHelpdesk) -> None:
        """Customers may be on copy, and the site's default is to mail private follow-ups to them."""
        one = desk.customer_writes("Question")
        desk._act("ticket.ticketcc_set.create(email='partner@mail.example')\nmail.outbox = []", one)
        copies = "Queue.objects.update(enable_notifications_on_email_events={})\n"
        site.run(copies.format(True) + "settings.HELPDESK_PRIVATE_FOLLOWUP_MEANS_NO_EMAILS = False")
        try:
            for _ in range(2):
                with pytest.raises(ConfigError) as caught:
                    helpdesk.write_back(helpdesk.ticket(one), WriteBack(NOTE, MARKER))
                assert "HELPDESK_PRIVATE_FOLLOWUP_MEANS_NO_EMAILS" in caught.value.hint
        finally:
            site.run(copies.format(False) + "settings.HELPDESK_PRIVATE_FOLLOWUP_MEANS_NO_EMAILS = True")
        assert desk.notes_of(one) == [], "nor is a note left behind"
        (mailed,) = site.run("result = [one.body for one in mail.outbox]")
        assert MARKER in mailed
        assert "Tilburg" not in mailed, "all that went out is the marker, once"

    def test_nobody_on_copy(self, desk: SiteDesk, site: RealSite, helpdesk: DjangoHelpdesk) -> None:
        one = desk.customer_writes("Question")
        site.run("settings.HELPDESK_PRIVATE_FOLLOWUP_MEANS_NO_EMAILS = False\nmail.outbox = []")
        try:
            assert helpdesk.write_back(helpdesk.ticket(one), WriteBack(NOTE, MARKER))
        finally:
            site.run("settings.HELPDESK_PRIVATE_FOLLOWUP_MEANS_NO_EMAILS = True")
        assert site.run("result = len(mail.outbox)") == 0

    def test_is_no_template(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        """Follow-ups are read as templates when they are posted."""
        one = desk.customer_writes("Question")
        helpdesk.write_back(helpdesk.ticket(one), WriteBack(NOTE, MARKER))
        (note,) = desk.notes_of(one)
        assert "{{ ticket.title }} {% now 'Y' %}" in note
        assert "**Tilburg**" in note

    def test_ticket_keeps_its_title(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        one = desk.customer_writes("Question", subject="Parcel")
        helpdesk.write_back(helpdesk.ticket(one), WriteBack(NOTE, MARKER))
        assert helpdesk.ticket(one).subject == "Parcel"

    def test_resolved(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        """Its resolution, which the customer sees, would be the note."""
        one = desk.customer_writes("Question")
        desk.agent_replies(one, "It is in Tilburg.")
        desk.solve(one)
        before = desk._act("result = ticket.resolution", one)
        with pytest.raises(TicketClosedError):
            helpdesk.write_back(helpdesk.ticket(one), WriteBack(NOTE, MARKER))
        assert desk._act("result = ticket.resolution", one) == before

    def test_second_half_is_made_up_for(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        one = desk.customer_writes("Question")
        desk.fail_next(500, method="PATCH", path="followups")
        with pytest.raises(Exception, match="500"):
            helpdesk.write_back(helpdesk.ticket(one), WriteBack(NOTE, MARKER))
        assert desk.notes_of(one) == [MARKER]
        assert helpdesk.write_back(helpdesk.ticket(one), WriteBack(NOTE, MARKER))
        (note,) = desk.notes_of(one)
        assert "Tilburg" in note

    def test_queue_that_is_gone(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        one = desk.customer_writes("Question")
        assert helpdesk.write_back(helpdesk.ticket(one), WriteBack(NOTE, MARKER, group_id="987654"))
        assert len(desk.notes_of(one)) == 1
        with pytest.raises(FatalError):
            helpdesk.write_back(helpdesk.ticket(one), WriteBack("", MARKER, group_id="987654"))


class TestScan:
    def test_changes_without_a_date(self, desk: SiteDesk, helpdesk: DjangoHelpdesk, store: Store) -> None:
        """An edited text and a status set by the API move no date; each is told once, and stored."""
        one, _ = desk.customer_writes("Question"), desk.customer_writes("Another")
        sync(helpdesk, store)
        code = "ticket.followup_set.filter(public=True).update(comment='Edited')\nticket.description = 'Edited'"
        desk._act(f"{code}\nticket.save()", one)
        cursor = store.cursors.get(helpdesk.name, "tickets")
        assert changed(helpdesk, cursor)[0] == [one]
        sync(helpdesk, store)
        assert [turn.comment.text for turn in store.history.turns(helpdesk.name, one)] == ["Edited"]
        desk._act("ticket.on_hold = True\nticket.save()", one)
        assert sync(helpdesk, store).changed["tickets"] == 1, "and not only written over"
        ticket = store.history.ticket(helpdesk.name, one)
        assert ticket
        assert ticket.status == "hold"
        assert not sync(helpdesk, store).changed
        desk.customer_writes("And now?", one)
        later = (
            "last = ticket.followup_set.last()\nlast.date += __import__('datetime').timedelta(minutes=1)\nlast.save()"
        )
        desk._act(later, one)
        store.mirror.save_conversation(
            helpdesk.name, helpdesk.ticket(one), Thread(one, *map(tuple, helpdesk.comments(one)))
        )
        assert len(store.history.turns(helpdesk.name, one)) == 2, "what the worker reads is never taken as older"

    def test_cut_off_scan_goes_on(
        self, desk: SiteDesk, helpdesk: DjangoHelpdesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tickets, "PER_PAGE", 2)
        mine = [desk.customer_writes(f"Question {number}") for number in range(5)]
        pages = helpdesk.pages("tickets", None)
        cursor = next(pages).cursor
        assert changed(helpdesk, cursor)[0] == mine[2:]

    def test_deleted_while_reading(
        self, desk: SiteDesk, helpdesk: DjangoHelpdesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those behind it move up a page: one is not seen this time, but is not taken as deleted either."""
        monkeypatch.setattr(tickets, "PER_PAGE", 2)
        mine = [desk.customer_writes(f"Question {number}") for number in range(6)]
        cursor = changed(helpdesk, None)[1]
        pages = helpdesk.pages("tickets", cursor)
        seen = [next(pages)]
        desk._act("ticket.delete()", mine[0])
        seen += pages
        gone = [record.ticket_id for page in seen for record in page.records if isinstance(record, Deletion)]
        assert gone == []
        again = read(helpdesk, "tickets", seen[-1].cursor)
        assert [record.ticket_id for page in again for record in page.records if isinstance(record, Deletion)] == mine[
            :1
        ]

    def test_lost_right(self, desk: SiteDesk, helpdesk: DjangoHelpdesk, monkeypatch: pytest.MonkeyPatch) -> None:
        """Many tickets at once that are not to be seen any more are not taken as deleted."""
        monkeypatch.setattr(tickets, "MOST_GONE", 2)
        mine = [desk.customer_writes(f"Question {number}") for number in range(4)]
        cursor = changed(helpdesk, None)[1]
        desk.site.run("Ticket.objects.filter(id__in=mine).delete()", mine=mine[:3])
        with pytest.raises(FatalError) as caught:
            read(helpdesk, "tickets", cursor)
        assert "queues" in caught.value.hint

    def test_foreign_cursor(self, helpdesk: DjangoHelpdesk) -> None:
        for cursor in ("x", "bGFsYQ==", "[1]"):
            with pytest.raises(FatalError) as caught:
                list(helpdesk.pages("tickets", cursor))
            assert "--full" in caught.value.hint


class TestThread:
    def test_opened_by_the_team_for_a_customer(self, desk: SiteDesk, site: RealSite, helpdesk: DjangoHelpdesk) -> None:
        body = {"title": "Call", "description": "She asks where it is", "queue": site.queues["TRK1"], "priority": 3}
        body |= {"submitter_email": "Deniz@mail.example", "status": 1}
        made = helpdesk.http.send("POST", "/api/tickets/", json=body)
        comments, authors = helpdesk.comments(str(made["id"]))
        assert [(comment.text, comment.public) for comment in comments] == [("She asks where it is", True)]
        assert [author.role for author in authors] == ["requester"]

    def test_one_customer(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        one, two = desk.customer_writes("One"), desk.customer_writes("Two")
        assert helpdesk.ticket(one).requester_id == helpdesk.ticket(two).requester_id
        assert "@" not in helpdesk.ticket(one).requester_id, "ids get into logs"
        assert helpdesk.comments(one)[1][0].email == desk.customer_address

    def test_ticket_without_follow_ups(self, desk: SiteDesk, site: RealSite, helpdesk: DjangoHelpdesk) -> None:
        code = "result = Ticket.objects.create(title='Bare', queue_id=queue, description='Only this').id"
        number = site.run(code, queue=site.queues["TRK1"])
        assert [comment.text for comment in helpdesk.comments(str(number))[0]] == ["Only this"]
        assert helpdesk.ticket(str(number)).created_at == "1970-01-01T00:00:00Z"

    def test_silent_follow_ups(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        one = desk.customer_writes("Question")
        desk._act("update_ticket(user, ticket, priority=1)", one)
        assert len(helpdesk.comments(one)[0]) == 1

    def test_times_are_utc(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        one = desk.customer_writes("Question")
        assert helpdesk.ticket(one).generated_at == desk._act(
            "result = int(ticket.followup_set.get().date.timestamp())", one
        )

    def test_attachments(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        one = desk.customer_writes("Question")
        code = """
from django.core.files.base import ContentFile
first = ticket.followup_set.get()
first.followupattachment_set.create(
    file=ContentFile(b"12345", "bill.pdf"), filename="bill.pdf", mime_type="application/pdf", size=5
)
"""
        desk._act(code, one)
        (file,) = helpdesk.comments(one)[0][0].attachments
        assert (file.name, file.media_type, file.size_bytes) == ("bill.pdf", "application/pdf", 5)

    def test_merged(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        one, two = desk.customer_writes("One"), desk.customer_writes("Two")
        desk._act("ticket.merged_to_id = other\nticket.status = 5\nticket.save()", one, other=int(two))
        ticket = helpdesk.ticket(one)
        assert (ticket.merged, ticket.status) == (True, "closed")
        with pytest.raises(TicketClosedError):
            helpdesk.write_back(ticket, WriteBack(NOTE, MARKER))


class TestQueues:
    def test_names(self, site: RealSite, helpdesk: DjangoHelpdesk) -> None:
        (page,) = read(helpdesk, "groups")
        assert {record.name: record.id for record in page.records} == {
            name: str(number) for name, number in site.queues.items()
        }  # fmt: skip
        assert page.listed == "groups"

    def test_intake_is_no_group(self, site: RealSite, helpdesk: DjangoHelpdesk) -> None:
        """Nobody has sorted what is there: the worker may."""
        one = site.submit("Question", subject="Help", address="deniz@mail.example")
        assert helpdesk.ticket(one).group_id is None

    def test_site_without_pages_for_people(self, desk: SiteDesk, helpdesk: DjangoHelpdesk) -> None:
        one = desk.customer_writes("Question")
        desk.fail_next(406, times=-1, path="format=api")
        with pytest.raises(SkippableError) as caught:
            read(helpdesk, "groups")
        assert "BrowsableAPIRenderer" in caught.value.hint
        assert helpdesk.ticket(one).group_id == desk.groups[0]


def test_somebody_not_of_the_team(site: RealSite, desk: SiteDesk) -> None:
    code = (
        "user, _ = User.objects.get_or_create(username='deniz')\nresult = Token.objects.get_or_create(user=user)[0].key"
    )
    helpdesk = desk._keep(desk.connect(token=site.run(code), webhook_secret=""))
    assert helpdesk.me().role == "requester"


def test_digest_sees_every_change() -> None:
    item = {"id": 1, "title": "A", "followup_set": [{"id": 2, "comment": "B", "date": "2026-04-01T09:00:00Z"}]}
    other = {**item, "followup_set": [{"id": 2, "comment": "C", "date": "2026-04-01T09:00:00Z"}]}
    assert mapping.digest(item) == mapping.digest(dict(reversed(item.items())))
    assert mapping.digest(item) != mapping.digest(other)
