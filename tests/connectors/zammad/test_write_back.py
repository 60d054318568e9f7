"""Writing back: internal in any case, drafts that belong to somebody, and what Zammad refuses."""

from __future__ import annotations

import pytest

from connectors.errors import ForbiddenError, TicketClosedError
from connectors.records import WriteBack
from connectors.zammad.client import Zammad

from .desk import ZammadDesk
from .server import CLAIMS, CUSTOMER, MARIT, TRACKING, FakeZammad

MARKER = "deskhand:0123abcd"
REPLY = "Dear Deniz,\n\nit is in Tilburg & safe.\nKind regards"


def write(zammad: Zammad, number: int, **update: object) -> bool:
    wanted = WriteBack(**{"note_html": "<p>Why</p>", "marker": MARKER, **update})
    return zammad.write_back(zammad.ticket(str(number)), wanted)


def note(server: FakeZammad, number: int) -> dict[str, object]:
    (found,) = (one for one in server.articles.values() if one["ticket_id"] == number and MARKER in one["body"])
    return found


def test_note_is_an_internal_note(server: FakeZammad, zammad: Zammad) -> None:
    number = server.open_ticket("Question")
    assert write(zammad, number, group_id=str(CLAIMS))
    found = note(server, number)
    assert (found["type_id"], found["sender_id"], found["internal"]) == (10, 1, True), "mails go out even if internal"
    assert found["content_type"] == "text/html"
    assert server.tickets[number]["group_id"] == CLAIMS
    assert server.sent[number] == []


def test_one_update(desk: ZammadDesk, server: FakeZammad, zammad: Zammad) -> None:
    """Note and group come together, or neither does."""
    number = server.open_ticket("Question")
    ticket = zammad.ticket(str(number))
    desk.proxy.seen.clear()
    zammad.write_back(ticket, WriteBack("<p>Why</p>", MARKER, group_id=str(CLAIMS), priority="3 high"))
    assert [one.method for one in desk.proxy.seen if one.method != "GET"] == ["PUT"]


def test_token_that_is_not_of_the_team(server: FakeZammad, zammad: Zammad) -> None:
    """Zammad would make its note a public one, without a word."""
    number = server.open_ticket("Question", customer_id=4)
    ticket = zammad.ticket(str(number))
    server.permissions.clear()
    with pytest.raises(ForbiddenError) as caught:
        zammad.write_back(ticket, WriteBack("<p>Why</p>", MARKER))
    assert "ticket.agent" in caught.value.hint
    assert [one["body"] for one in server.articles.values()] == ["Question"]


def test_merged(server: FakeZammad, zammad: Zammad) -> None:
    one, two = server.open_ticket("One"), server.open_ticket("Two")
    server.merge(one, into=two)
    with pytest.raises(TicketClosedError):
        write(zammad, one)


@pytest.mark.parametrize("refused", [{"group_id": "99"}, {"priority": "9 whatever"}])
def test_refused_route(refused: dict[str, str], server: FakeZammad, zammad: Zammad) -> None:
    number = server.open_ticket("Question")
    assert write(zammad, number, **refused)
    assert note(server, number)["internal"] is True


def test_field_that_a_site_wants(server: FakeZammad, zammad: Zammad) -> None:
    server.required = "carrier"
    number = server.open_ticket("Question")
    assert write(zammad, number, group_id=str(CLAIMS))
    assert note(server, number)
    assert server.tickets[number]["group_id"] != CLAIMS


class TestDraft:
    def test_in_the_editor(self, server: FakeZammad, zammad: Zammad) -> None:
        number = server.open_ticket("Question", group_id=TRACKING)
        assert write(zammad, number, draft=REPLY)
        article = server.drafts[number]["new_article"]
        assert article["body"] == (
            "<div>Dear Deniz,</div><div><br></div><div>it is in Tilburg &amp; safe.</div><div>Kind regards</div>"
        )
        assert (article["type"], article["to"], article["in_reply_to"]) == ("email", "deniz@mail.example", "<Question>")
        assert MARKER not in str(article), "it would go to the customer"
        assert server.sent[number] == []
        assert note(server, number)["internal"] is True

    def test_ours_is_replaced(self, server: FakeZammad, zammad: Zammad) -> None:
        number = server.open_ticket("Question")
        write(zammad, number, draft=REPLY)
        server.write(number, "And now?", by=CUSTOMER)
        assert write(zammad, number, marker="deskhand:other", draft="It has come.")
        assert "It has come." in server.drafts[number]["new_article"]["body"]

    @pytest.mark.parametrize("by", ["agent", "edited", "edited and kept"])
    def test_somebodys_own_stays(self, by: str, server: FakeZammad, zammad: Zammad) -> None:
        number = server.open_ticket("Question")
        write(zammad, number, draft=REPLY)
        article = server.drafts[number]["new_article"]
        theirs = {"body": "<div>Mine</div>", "type": "email"}
        server.drafts[number]["new_article"] = theirs if by != "edited and kept" else {**article, "body": "Mine"}
        if by == "agent":
            server.drafts[number] = {"id": 1, "created_by_id": MARIT, "new_article": theirs}
        server.write(number, "And now?", by=CUSTOMER)
        assert write(zammad, number, marker="deskhand:other", draft="It has come.")
        assert "Mine" in server.drafts[number]["new_article"]["body"]

    def test_group_that_does_not_share(self, server: FakeZammad, zammad: Zammad) -> None:
        server.groups[CLAIMS]["shared_drafts"] = False
        number = server.open_ticket("Question", group_id=TRACKING)
        assert write(zammad, number, draft=REPLY, group_id=str(CLAIMS)), "the group that will have it decides"
        assert not server.drafts
        assert note(server, number)

    def test_not_allowed(self, server: FakeZammad, zammad: Zammad) -> None:
        server.permissions = {"ticket.agent"}
        number = server.open_ticket("Question")
        assert write(zammad, number, draft=REPLY)
        assert not server.drafts
        assert note(server, number)

    def test_chat(self, server: FakeZammad, zammad: Zammad) -> None:
        number = server.open_ticket("Question", kind=3)
        assert write(zammad, number, draft=REPLY)
        assert not server.drafts

    def test_second_try_after_the_draft(self, desk: ZammadDesk, server: FakeZammad, zammad: Zammad) -> None:
        """The draft got through, the note did not: the draft has touched the ticket, and is ours."""
        number = server.open_ticket("Question")
        ticket = zammad.ticket(str(number))
        desk.fail_next(500, path="ticket_articles$", method="POST")
        with pytest.raises(Exception, match="500"):
            zammad.write_back(ticket, WriteBack("<p>Why</p>", MARKER, draft=REPLY))
        assert server.drafts
        assert write(zammad, number, draft=REPLY)
        assert note(server, number)


def test_tag_that_may_not_be_made(desk: ZammadDesk, server: FakeZammad, zammad: Zammad) -> None:
    number = server.open_ticket("Question")
    desk.fail_next(422, path="tags/add")
    assert write(zammad, number, tags=("deskhand",))
    assert note(server, number)
