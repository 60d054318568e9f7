"""The whole path with a real django-helpdesk: history into the store, a question to our webhook, and back."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, request

from connectors.django_helpdesk.client import DjangoHelpdesk
from connectors.errors import WebhookError
from connectors.records import WebhookEvent, WriteBack
from connectors.sandbox.company import Company, load_company
from connectors.settings import HelpdeskSettings
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.wsgi import BackgroundServer

from .real import NotInstallableError, RealSite

pytestmark = pytest.mark.e2e

SECRET = "sekrit-hook-0123456789"
HISTORY = 40
MARKER = "deskhand:0123abcd"


class Receiver:
    """Our end of the webhook: verifies what comes with the connector, and answers at once."""

    def __init__(self) -> None:
        self.events: queue.Queue[WebhookEvent] = queue.Queue()
        self.refused = 0
        self.helpdesk: DjangoHelpdesk | None = None
        app = Flask("receiver")
        app.add_url_rule("/webhooks/django_helpdesk", "take", self._take, methods=["POST"])
        self.server = BackgroundServer(app, host="127.0.0.1", port=0, threads=2, name="receiver")

    def _take(self) -> tuple[str, int]:
        assert self.helpdesk
        try:
            self.events.put(self.helpdesk.read_webhook(dict(request.headers), request.get_data()))
        except WebhookError:
            self.refused += 1
            return "", 401
        return "", 200


@pytest.fixture(scope="module")
def company() -> Company:
    return load_company()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with receiver.server:
        yield receiver


@pytest.fixture(scope="module")
def site(receiver: Receiver, company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    address = receiver.server.url.replace("//", f"//deskhand:{SECRET}@") + "/webhooks/django_helpdesk"
    try:
        with RealSite(tmp_path_factory.mktemp("site"), webhook_url=address) as site:
            site.fill(company, tickets=HISTORY)
            yield site
    except NotInstallableError as error:
        pytest.skip(str(error))


@pytest.fixture
def helpdesk(site: RealSite, receiver: Receiver) -> Iterator[DjangoHelpdesk]:
    settings = HelpdeskSettings(kind="django_helpdesk", url=site.url, token=site.tokens["deskhand"])
    helpdesk = DjangoHelpdesk(settings, webhook_secret=SECRET)
    receiver.helpdesk = helpdesk
    yield helpdesk
    helpdesk.close()


def test_history(site: RealSite, helpdesk: DjangoHelpdesk, company: Company, tmp_path: Path) -> None:
    with Store(tmp_path / "deskhand.db") as store:
        summary = sync(helpdesk, store)
        assert not summary.skipped
        expected = company.tickets[-HISTORY:]
        rows = list(store.rows("select id, subject, status, group_id from tickets order by cast(id as integer)"))
        assert [(row["subject"], row["status"]) for row in rows] == [(one.subject, "solved") for one in expected]
        names = {str(number): name for name, number in site.queues.items()}
        for row, one in zip(rows, expected, strict=True):
            assert names.get(row["group_id"], one.group) == one.group
            turns = store.history.turns(helpdesk.name, row["id"])
            assert [(turn.author.role == "requester", turn.comment.public) for turn in turns] == [
                (comment.author == "requester", comment.public) for comment in one.comments
            ]
        assert not sync(helpdesk, store).changed


def test_question_to_note(site: RealSite, helpdesk: DjangoHelpdesk, receiver: Receiver, company: Company) -> None:
    question = company.live_pool[0]
    words = question.comments[0].body
    number = site.submit(words, subject=question.subject, address=question.requester.email)
    event = receiver.events.get(timeout=10)
    assert event.ticket_id == number
    ticket = helpdesk.ticket(event.ticket_id)
    assert (ticket.status, ticket.group_id) == ("open", None)
    assert helpdesk.comments(number)[0][0].text.split() == words.split()

    mailed = site.run("result = len(mail.outbox)")
    group = str(site.queues[question.group])
    update = WriteBack("<p>Dear customer, it is in Tilburg.</p>", MARKER, group_id=group, draft="Dear customer,")
    assert helpdesk.write_back(ticket, update)

    assert site.run("result = Ticket.objects.get(id=number).queue_id", number=number) == int(group)
    notes = site.run(
        "result = [[one.comment, one.public] for one in FollowUp.objects.filter(ticket_id=number)]", number=number
    )
    assert [public for _, public in notes] == [True, False]
    assert "Tilburg" in notes[1][0]
    assert site.run("result = len(mail.outbox)") == mailed, "nobody was mailed"
    assert receiver.refused == 0
    # Our own note calls too; whoever reads the ticket sees that there is nothing to do.
    assert receiver.events.get(timeout=10).ticket_id == number
    assert helpdesk.write_back(helpdesk.ticket(number), update) is False


def test_customer_answers_by_mail(site: RealSite, helpdesk: DjangoHelpdesk, receiver: Receiver) -> None:
    number = site.submit("Where is it?", subject="Parcel", address="deniz@mail.example")
    first = receiver.events.get(timeout=10)
    site.mail("Forget it, it has come.", ticket_id=number, address="deniz@mail.example")
    second = receiver.events.get(timeout=10)
    assert first.ticket_id == second.ticket_id == number
    assert first.delivery_id != second.delivery_id
    comments, authors = helpdesk.comments(number)
    assert [comment.text for comment in comments] == ["Where is it?", "Forget it, it has come."]
    assert {author.role for author in authors} == {"requester"}


def test_page_for_people_hides_the_note(site: RealSite, helpdesk: DjangoHelpdesk, receiver: Receiver) -> None:
    """What the customer sees at the address in their mail."""
    number = site.submit("Where is it?", subject="Parcel", address="deniz@mail.example")
    receiver.events.get(timeout=10)
    helpdesk.write_back(helpdesk.ticket(number), WriteBack("<p>Behind the shed</p>", MARKER))
    receiver.events.get(timeout=10)
    code = "one = Ticket.objects.get(id=number)\nresult = [one.ticket_for_url, one.secret_key]"
    reference, key = site.run(code, number=number)
    address = f"{site.url}/view/?ticket={reference}&email=deniz@mail.example&key={key}"
    page = site.page(address)
    assert "Where is it?" in page
    assert "shed" not in page
    assert MARKER not in page
