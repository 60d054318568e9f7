from __future__ import annotations

from typing import Any

import pytest

from connectors.request_tracker import mapping

MARIT = {"type": "user", "id": 30, "Name": "marit", "RealName": "Marit de Boer", "EmailAddress": "marit@desk.example"}
ANNA = {"type": "user", "id": 41, "Name": "anna@mail.example", "RealName": "", "EmailAddress": "anna@mail.example"}


def row(**more: Any) -> dict[str, Any]:
    return {
        "id": "7", "EffectiveId": "7", "Subject": " Parcel ", "Status": "open", "Priority": "50",
        "Created": "2026-11-24T08:53:59Z", "LastUpdated": "2026-11-24T09:00:00Z", "Creator": MARIT,
        "Queue": {"id": "5", "Name": "CLM"}, "Owner": {"id": 6, "Name": "Nobody"}, "Requestor": [ANNA],
        "CustomFields": [],
    } | more  # fmt: skip


def part(number: int, text: str, kind: str = "text/plain", name: str = "") -> dict[str, Any]:
    return {"id": str(number), "Content": text, "ContentType": kind, "Filename": name, "ContentLength": len(text)}


def said(kind: str = "Correspond") -> dict[str, Any]:
    return {"id": "540", "Type": kind, "ObjectId": "7", "Created": "2026-11-24T09:00:00Z", "Creator": MARIT}


def test_a_ticket() -> None:
    ticket = mapping.ticket(row(), "https://rt.example")
    assert (ticket.id, ticket.subject, ticket.status, ticket.priority) == ("7", "Parcel", "open", "50")
    assert (ticket.requester_id, ticket.assignee_id, ticket.group_id) == ("41", None, "5")
    assert (ticket.created_at, ticket.updated_at, ticket.generated_at) == (
        "2026-11-24T08:53:59Z", "2026-11-24T09:00:00Z", 1795510800,
    )  # fmt: skip
    assert ticket.url == "https://rt.example/Ticket/Display.html?id=7"
    assert not ticket.merged


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("new", "new"), ("stalled", "pending"), ("resolved", "solved"), ("rejected", "closed"), ("in transit", "open")],
)
def test_statuses(theirs: str, ours: str) -> None:
    assert mapping.ticket(row(Status=theirs), "").status == ours


def test_a_status_of_the_sites_own_that_is_final() -> None:
    assert not mapping.knows_status("delivered")
    assert mapping.ticket(row(Status="delivered"), "", inactive={"7"}).status == "solved"


def test_a_merged_ticket_is_closed() -> None:
    ticket = mapping.ticket(row(EffectiveId="3"), "")
    assert ticket.merged
    assert ticket.status == "closed"


def test_the_intake_queue_is_no_group() -> None:
    assert mapping.ticket(row(Queue={"id": "1", "Name": "General"}), "").group_id is None


def test_several_requestors_and_none() -> None:
    group = {"type": "group", "id": "19"}
    assert mapping.ticket(row(Requestor=[group, ANNA, MARIT]), "").requester_id == "41"
    assert mapping.ticket(row(Requestor=[]), "").requester_id == "30", "who made it"


def test_fields_and_tags_whatever_their_order() -> None:
    fields = [
        {"id": "5", "name": "Tags", "values": ["late", "damage"]},
        {"id": "2", "name": "Tracking number", "values": ["FW1"]},
        {"id": "9", "name": "Country", "values": []},
        {"id": "11", "name": "Note", "values": [""]},
        {"id": "10", "name": "Photo", "values": [{"filename": "a.png", "content_type": "image/png", "_url": "x"}]},
    ]
    ticket = mapping.ticket(row(CustomFields=fields), "")
    assert ticket.fields == (("2", "FW1"), ("5", ["late", "damage"]), ("10", "a.png"))
    assert ticket.tags == ("late", "damage")
    assert mapping.ticket(row(CustomFields=fields[::-1]), "") == ticket


@pytest.mark.parametrize(
    ("kind", "public"), [("Create", True), ("Correspond", True), ("Comment", False), ("EmailRecord", False)]
)
def test_only_what_customers_see_is_public(kind: str, public: bool) -> None:
    assert mapping.comment(said(kind), [part(1, "x")], "7").public is public


def test_plain_text_is_preferred_and_html_converted() -> None:
    both = [part(1, "", "multipart/alternative"), part(2, "Dear Anna"), part(3, "<p>Dear <b>Anna</b></p>", "text/html")]
    assert mapping.comment(said(), both, "7").text == "Dear Anna"
    html = [part(1, "<p>Dear <b>Anna</b></p><p>snake_case</p>", "text/html"), part(2, " ")]
    assert mapping.comment(said(), html, "7").text.splitlines()[0] == "Dear Anna"


def test_files_are_attachments_and_not_words() -> None:
    parts = [part(1, "see file"), part(2, "id;price", "text/csv", "a.csv"), part(3, "notes", name="n.txt")]
    comment = mapping.comment(said(), parts, "7")
    assert comment.text == "see file"
    assert [(file.name, file.media_type, file.size_bytes) for file in comment.attachments] == [
        ("a.csv", "text/csv", 8), ("n.txt", "text/plain", 5),
    ]  # fmt: skip
    assert "id;price" not in str(comment.raw), "a file's content is not kept"


def test_a_comment_belongs_to_the_ticket_that_shows_it() -> None:
    assert mapping.comment(said(), [part(1, "x")], "3").ticket_id == "3"


def test_users() -> None:
    assert mapping.user(MARIT, privileged=True).role == "agent"
    anna = mapping.user(ANNA, privileged=False)
    assert (anna.id, anna.name, anna.email, anna.role) == ("41", "anna@mail.example", "anna@mail.example", "requester")
    assert mapping.user({"id": 1, "Name": "RT_System"}, privileged=False).role == "agent"


def test_articles_in_html_and_in_plain_text() -> None:
    item = {"id": "3", "Name": "Refunds", "LastUpdated": "2026-11-24T09:00:00Z", "Disabled": "0", "Summary": "short"}
    field = {"id": "1", "name": "Content"}
    html = mapping.article(item | {"CustomFields": [field | {"values": ["<h2>When</h2><ul><li>now</li></ul>"]}]}, "u")
    assert html.text == "## When\n\n* now"
    plain = mapping.article(item | {"CustomFields": [field | {"values": ["| a | b |\n5 < 6"]}]}, "u")
    assert plain.text == "| a | b |\n5 < 6"
    assert mapping.article(item, "u").text == "short"
    assert html.url == "u/Articles/Article/Display.html?id=3"
