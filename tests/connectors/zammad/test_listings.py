"""Groups, users, saved replies, knowledge base: what comes, and what is left out."""

from __future__ import annotations

import pytest

from connectors.errors import ForbiddenError, SkippableError
from connectors.records import Article, Macro, Organization, TicketField, User
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.zammad import api, knowledge_base
from connectors.zammad.client import Zammad

from ..contract import read
from .desk import ZammadDesk
from .server import BOT, CUSTOMER, MARIT, FakeZammad


def records(zammad: Zammad, stream: str, cursor: str | None = None) -> list[object]:
    return [record for page in read(zammad, stream, cursor) for record in page.records]


def test_users(server: FakeZammad, zammad: Zammad) -> None:
    supervisor = server.add_user(roles=["Teamleitung"], group_ids={"2": ["full"]})
    found = {user.id: user for user in records(zammad, "users") if isinstance(user, User)}
    assert {key: user.role for key, user in found.items()} == {
        str(MARIT): "agent", str(BOT): "agent", str(CUSTOMER): "requester", str(supervisor): "agent",
    }  # fmt: skip
    assert found[str(MARIT)].email == "marit@desk.example"
    assert "555 0100" not in str(found), "phone numbers are left out"


def test_new_users_only(server: FakeZammad, zammad: Zammad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PER_PAGE", 2)
    for _ in range(5):
        server.add_user()
    cursor = read(zammad, "users")[-1].cursor
    assert records(zammad, "users", cursor) == []
    new = [server.add_user() for _ in range(3)]
    assert [user.id for user in records(zammad, "users", cursor)] == [str(one) for one in new]


def test_users_deleted_meanwhile(server: FakeZammad, zammad: Zammad, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then those behind them are on earlier pages."""
    monkeypatch.setattr(api, "PER_PAGE", 2)
    old = [server.add_user() for _ in range(8)]
    cursor = read(zammad, "users")[-1].cursor
    new = server.add_user()
    for user_id in old[:6]:
        del server.users[user_id]
    assert [user.id for user in records(zammad, "users", cursor)] == [str(new)]


def test_authors_are_asked_for_once(desk: ZammadDesk, server: FakeZammad, zammad: Zammad) -> None:
    one, two = server.open_ticket("One"), server.open_ticket("Two")
    read(zammad, "users")
    desk.proxy.seen.clear()
    for number in (one, two):
        zammad.comments(str(number))
    assert len(desk.proxy.seen) == 2


def test_saved_replies(server: FakeZammad, zammad: Zammad) -> None:
    server.text_modules[1] = {
        "id": 1,
        "name": "Delay",
        "content": "<p>Dear #{ticket.customer.firstname},</p>",
        "active": True,
    }
    server.text_modules[2] = {"id": 2, "name": "Old", "content": "Old", "active": False}
    performs = {
        1: {"article.note": {"body": "It is on its way.", "internal": "false"}},
        2: {"article.note": {"body": "Check the depot first", "internal": "true"}},
        3: {"article.note": {"body": "Nobody knows who sees this"}},
        4: {"ticket.state_id": {"value": "4"}},
    }
    server.macros = {key: {"id": key, "name": f"Macro {key}", "perform": one} for key, one in performs.items()}
    found = {macro.id: macro for macro in records(zammad, "macros") if isinstance(macro, Macro)}
    assert {key: macro.text for key, macro in found.items()} == {
        "t1": "Dear #{ticket.customer.firstname},", "t2": "Old", "m1": "It is on its way.",
    }  # fmt: skip
    assert [found[key].active for key in ("t1", "t2", "m1")] == [True, False, True]


def test_own_fields(server: FakeZammad, zammad: Zammad) -> None:
    options = {"ups": "UPS", "dhl": "DHL"}
    server.attributes += [
        {"id": 2, "name": "carrier", "display": "Carrier", "object": "Ticket", "data_type": "select",
         "data_option": {"options": options}, "active": True},
        {"id": 3, "name": "web", "display": "Web", "object": "User", "data_type": "input", "data_option": {}},
    ]  # fmt: skip
    (found,) = records(zammad, "ticket_fields")
    assert isinstance(found, TicketField)
    assert (found.id, found.title, found.type, found.options) == ("carrier", "Carrier", "select", ("ups", "dhl"))


def test_list_that_is_not_cut_into_pages(server: FakeZammad, zammad: Zammad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PER_PAGE", 2)
    server.attributes = [
        {"id": number, "name": f"own_{number}", "object": "Ticket", "data_type": "input"} for number in range(5)
    ]
    assert len(records(zammad, "ticket_fields")) == 5


def test_organizations(server: FakeZammad, zammad: Zammad) -> None:
    server.organizations[5] = {"id": 5, "name": "Acme", "members": ["deniz@mail.example"], "member_ids": [CUSTOMER]}
    (found,) = records(zammad, "organizations")
    assert isinstance(found, Organization)
    assert found.name == "Acme"
    assert "deniz" not in str(found)


def test_published_answers_only(zammad: Zammad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge_base, "TEXTS_PER_PAGE", 1)
    (found,) = records(zammad, "articles")
    assert isinstance(found, Article)
    assert (found.id, found.title, found.text) == ("11", "Answer 1", "## Prices\n\nIt costs **1** euro.")
    assert not found.draft


def test_unpublished_answer_leaves_the_store(server: FakeZammad, zammad: Zammad, store: Store) -> None:
    sync(zammad, store, only=["articles"])
    server.knowledge["KnowledgeBaseAnswer"]["1"]["archived_at"] = server.now()
    sync(zammad, store, only=["articles"])
    assert list(store.rows("select * from articles")) == []


def test_no_knowledge_base(server: FakeZammad, zammad: Zammad) -> None:
    server.knowledge = {}
    with pytest.raises(SkippableError):
        read(zammad, "articles")
    with pytest.raises(SkippableError):
        zammad.outlook("articles")


def test_agent_without_an_admins_rights(server: FakeZammad, zammad: Zammad, store: Store) -> None:
    server.permissions = {"ticket.agent"}
    number = server.open_ticket("Question")
    with pytest.raises(ForbiddenError):
        read(zammad, "groups")
    summary = sync(zammad, store)
    assert set(summary.skipped) == {"groups", "ticket_fields", "articles"}
    assert store.history.turns(zammad.name, str(number))
