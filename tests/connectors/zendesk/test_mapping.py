"""Zendesk's JSON as our records: drifting fields, private comments, deleted tickets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.zendesk import mapping

TICKET: dict[str, Any] = {
    "id": 35436,
    "url": "https://acme.zendesk.com/api/v2/tickets/35436.json",
    "subject": " Where is it? ",
    "raw_subject": "Where is it?",
    "description": "Where is my parcel?",
    "status": "solved",
    "priority": None,
    "requester_id": 90,
    "assignee_id": None,
    "group_id": 2101,
    "brand_id": 360,
    "created_at": "2026-04-01T09:00:00Z",
    "updated_at": "2026-04-02T11:00:00+02:00",
    "generated_timestamp": 1775120460,
    "via": {"channel": "email", "source": {}},
    "tags": ["delay", "vip"],
    "satisfaction_rating": {"score": "good_with_comment", "comment": "so quick"},
    "custom_fields": [{"id": 1, "value": None}],
}
COMMENT: dict[str, Any] = {
    "id": 500,
    "author_id": 90,
    "public": True,
    "body": "**Hi**\r\n\r\n\r\n\r\nbye",
    "plain_body": "Hi\r\n\r\n\r\n\r\nbye\xa0now",
    "html_body": "<p>Hi</p>",
    "created_at": "2026-04-01T09:00:00Z",
}


def test_a_ticket_has_what_we_use_and_its_raw_json() -> None:
    ticket = mapping.ticket(TICKET)
    assert (ticket.id, ticket.subject, ticket.requester_id, ticket.group_id) == ("35436", "Where is it?", "90", "2101")
    assert (ticket.assignee_id, ticket.priority, ticket.channel) == (None, None, "email")
    assert (ticket.updated_at, ticket.generated_at) == ("2026-04-02T09:00:00Z", 1775120460)
    assert (ticket.tags, ticket.satisfaction, ticket.deleted) == (("delay", "vip"), "good", False)
    assert ticket.raw == TICKET


SPARE = [*TICKET.keys() - {"id", "status", "requester_id", "created_at", "updated_at"}]
VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())


@given(st.sets(st.sampled_from(SPARE)), st.lists(st.fixed_dictionaries({"id": st.integers(), "value": VALUES})))
def test_missing_fields_and_custom_fields_of_any_type_do_no_harm(
    missing: set[str], fields: list[dict[str, Any]]
) -> None:
    item = {key: value for key, value in TICKET.items() if key not in missing} | {"custom_fields": fields}
    ticket = mapping.ticket(item)
    assert ticket.id == "35436"
    assert ticket.raw["custom_fields"] == fields


def test_a_ticket_read_by_itself_is_as_new_as_its_last_update() -> None:
    # Only the exports have `generated_timestamp`.
    item = {key: value for key, value in TICKET.items() if key != "generated_timestamp"}
    assert mapping.ticket(item).generated_at == 1775120400


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "deleted"},
        {"status": "closed", "subject": "SCRUBBED", "description": "X"},
        {"status": "deleted", "subject": "SCRUBBED", "description": "X"},
    ],
)
def test_deleted_and_scrubbed_tickets_carry_no_text(changes: dict[str, str]) -> None:
    ticket = mapping.ticket(TICKET | changes)
    assert ticket.deleted
    assert (ticket.subject, ticket.raw) == ("", {})


@pytest.mark.parametrize("changes", [{"subject": "SCRUBBED"}, {"description": "X"}])
def test_a_customer_may_write_those_words_too(changes: dict[str, str]) -> None:
    assert not mapping.ticket(TICKET | changes).deleted


@pytest.mark.parametrize("public", [False, None, 0, 1, "true", "false"])
def test_a_comment_is_public_only_where_it_plainly_says_so(public: object) -> None:
    assert not mapping.comment(COMMENT | {"public": public}, "7").public
    assert not mapping.comment({key: value for key, value in COMMENT.items() if key != "public"}, "7").public
    assert mapping.comment(COMMENT, "7").public


def test_a_comments_text_is_plain() -> None:
    comment = mapping.comment(COMMENT, "7")
    assert comment.text == "Hi\n\nbye now"
    assert (comment.id, comment.ticket_id, comment.author_id) == ("500", "7", "90")


def test_a_comment_with_html_only_is_read_from_it() -> None:
    item = COMMENT | {"plain_body": None, "body": "", "html_body": "<p>Hi <b>Anna</b></p><ul><li>one</li></ul>\x00"}
    text = mapping.comment(item, "7").text
    assert "Hi Anna" in text
    assert "one" in text
    assert not {"<", "\x00"} & set(text)


@pytest.mark.parametrize(
    ("role", "ours"), [("end-user", "requester"), (None, "requester"), ("agent", "agent"), ("admin", "agent")]
)
def test_only_the_team_counts_as_agents(role: str | None, ours: str) -> None:
    user = mapping.user({"id": 90, "name": "Anna", "email": None, "role": role, "locale": "nl"})
    assert (user.role, user.email, user.locale) == (ours, "", "nl")


@pytest.mark.parametrize(
    ("score", "ours"),
    [
        ("good", "good"),
        ("good_with_comment", "good"),
        ("bad", "bad"),
        ("bad_with_comment", "bad"),
        ("offered", ""),
        ("unoffered", ""),
    ],
)
def test_only_answered_ratings_have_a_score(score: str, ours: str) -> None:
    item = {"id": 1, "ticket_id": 7, "score": score, "comment": None, "updated_at": "2026-04-02T09:00:00Z"}
    rating = mapping.satisfaction(item)
    assert (rating.score, rating.comment, rating.ticket_id) == (ours, "", "7")


@pytest.mark.parametrize(
    ("actions", "text"),
    [
        (
            [{"field": "comment_value", "value": "Hi {{ticket.requester.first_name}} "}],
            "Hi {{ticket.requester.first_name}}",
        ),
        ([{"field": "comment_value", "value": ["channel:all", "Hi"]}], "Hi"),
        ([{"field": "comment_value", "value": []}], ""),
        ([{"field": "comment_value_html", "value": "<p>Hi<br>there</p>"}], "Hi  \nthere"),
        ([{"field": "status", "value": "solved"}], ""),
        (None, ""),
    ],
)
def test_a_macros_text_is_its_reply(actions: Any, text: str) -> None:
    assert mapping.macro({"id": 1, "title": "t", "active": True, "actions": actions}).text == text


def test_an_article_keeps_its_lists_and_tables_and_loses_its_pictures() -> None:
    html = "<h2>Prices</h2><ul><li>€6.95</li></ul><table><tr><th>to</th></tr><tr><td>NL</td></tr></table><img src='x'>"
    item = {"id": 1, "title": "Prices", "body": html, "html_url": "https://x", "locale": "en-us", "draft": False}
    article = mapping.article(item | {"updated_at": "2026-03-01T00:00:00Z", "edited_at": "2026-02-01T00:00:00Z"})
    assert "## Prices" in article.text
    assert "* €6.95" in article.text
    assert "| NL |" in article.text
    assert "img" not in article.text
    assert "![" not in article.text
    assert article.updated_at == "2026-02-01T00:00:00Z", "when the text changed, not the votes"


def test_an_empty_article_is_no_error() -> None:
    item = {"id": 1, "title": None, "body": None, "draft": True, "updated_at": "2026-03-01T00:00:00Z"}
    article = mapping.article(item)
    assert (article.title, article.text, article.draft) == ("", "", True)


def test_a_group_says_whether_it_is_gone() -> None:
    assert mapping.group({"id": 1, "name": "TRK1", "deleted": True}).deleted
    assert mapping.group({"id": 1, "name": "TRK1", "description": None}).description == ""
