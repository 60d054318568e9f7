"""Zendesk's JSON as our records: drifting fields, private comments, deleted tickets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.records import Attachment, Brand, Deletion, Organization, TicketField, TicketMetrics
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


@settings(deadline=None)  # the first example may be slow where the machine is busy
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


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-04-01T09:00:00Z", "2026-04-01T09:00:00Z"),
        ("2026-04-01T11:00:00.123+02:00", "2026-04-01T09:00:00Z"),
        ("2026-04-01T09:00:00.000Z", "2026-04-01T09:00:00Z"),
        ("2026-04-01 09:00:00 UTC", "2026-04-01T09:00:00Z"),
        ("2026/04/01 11:00:00 +0200", "2026-04-01T09:00:00Z"),
        ("Wed, 01 Apr 2026 09:00:00 GMT", "2026-04-01T09:00:00Z"),
        ("2026-04-01", "2026-04-01T00:00:00Z"),
        ("1775034000.0", "2026-04-01T09:00:00Z"),
        (1775034000, "2026-04-01T09:00:00Z"),
        (1775034000.5, "2026-04-01T09:00:00Z"),
    ],
)
def test_times_are_read_in_every_form(written: object, kept: str) -> None:
    assert mapping.ticket(TICKET | {"created_at": written}).created_at == kept
    assert mapping.comment(COMMENT | {"created_at": written}, "7").created_at == kept


@pytest.mark.parametrize("written", [None, "", "soon", "2026-02-31T09:00:00Z", "9" * 40, True, {}, [1], -1])
def test_what_is_no_time_is_as_if_it_were_not_there(written: object) -> None:
    assert mapping.ticket(TICKET | {"created_at": written}).created_at == "2026-04-02T09:00:00Z"
    assert mapping.comment(COMMENT | {"created_at": written}, "7").created_at == mapping.UNKNOWN_TIME


def test_a_ticket_of_which_only_the_id_is_known() -> None:
    ticket = mapping.ticket({"id": "7"})
    assert (ticket.id, ticket.status, ticket.requester_id, ticket.subject) == ("7", "open", "", "")
    assert (ticket.created_at, ticket.updated_at, ticket.generated_at) == (
        mapping.UNKNOWN_TIME,
        mapping.UNKNOWN_TIME,
        0,
    )


def test_numbers_as_text_and_texts_as_numbers() -> None:
    item = TICKET | {"id": "35436", "group_id": 2101.0, "generated_timestamp": "1775120460", "subject": 404}
    ticket = mapping.ticket(item | {"comment_count": "3", "via": "Web form", "tags": "delay vip"})
    assert (ticket.id, ticket.group_id, ticket.generated_at, ticket.subject) == ("35436", "2101", 1775120460, "404")
    assert (ticket.comment_count, ticket.channel, ticket.tags) == (3, "Web form", ("delay", "vip"))


def test_a_ticket_without_an_update_is_as_new_as_the_export_says() -> None:
    item = {key: value for key, value in TICKET.items() if key not in ("updated_at", "created_at")}
    ticket = mapping.ticket(item)
    assert (ticket.updated_at, ticket.created_at) == ("2026-04-02T09:01:00Z", "2026-04-02T09:01:00Z")


def test_a_row_of_the_deleted_tickets_list() -> None:
    row = {"id": 7, "subject": "Where?", "actor": {"id": 1, "name": "A"}, "deleted_at": "2026-04-01T09:00:00Z"}
    ticket = mapping.ticket(row | {"previous_state": "open"})
    assert (ticket.deleted, ticket.status, ticket.subject, ticket.raw) == (True, "deleted", "", {})
    assert ticket.updated_at == "2026-04-01T09:00:00Z"
    assert mapping.deletion(row) == Deletion("7", 1775034000)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (
            [
                {"id": 1, "value": "nl"},
                {"id": 2, "value": None},
                {"id": 3, "value": False},
                {"id": 4, "value": 0},
                {"id": 5, "value": ""},
                {"id": 6, "value": []},
                {"id": 7, "value": ["a", "b"]},
                {"id": 8, "value": 1.5},
            ],
            (("1", "nl"), ("3", False), ("4", 0), ("7", ["a", "b"]), ("8", 1.5)),
        ),
        ([{"id": 1}, {"value": "x"}, None, "x"], ()),
        ({"1": "nl", "2": None}, (("1", "nl"),)),
        ([{"id": 1, "value": {"id": "01H"}}], (("1", '{"id": "01H"}'),)),
        ("nonsense", ()),
    ],
)
def test_custom_fields_with_a_value(changes: Any, fields: tuple[tuple[str, object], ...]) -> None:
    assert mapping.ticket(TICKET | {"custom_fields": changes, "fields": None}).fields == fields


@pytest.mark.parametrize("custom", [None, []])
def test_fields_are_read_where_custom_fields_are_not_there(custom: Any) -> None:
    item = TICKET | {"custom_fields": custom, "fields": [{"id": 1, "value": "nl"}]}
    assert mapping.ticket(item).fields == (("1", "nl"),)
    assert mapping.ticket(item | {"status": "deleted"}).fields == (), "customers write into them too"


def test_a_merged_ticket_an_organization_and_a_comment_count() -> None:
    ticket = mapping.ticket(TICKET | {"tags": ["closed_by_merge"], "organization_id": 9, "comment_count": 4})
    assert (ticket.merged, ticket.organization_id, ticket.comment_count) == (True, "9", 4)
    plain = mapping.ticket(TICKET)
    assert (plain.merged, plain.organization_id, plain.comment_count) == (False, None, None)


@pytest.mark.parametrize("rating", [None, "unoffered", {"score": "offered"}, {}, 5, {"score": None}])
def test_a_ticket_not_rated(rating: object) -> None:
    assert mapping.ticket(TICKET | {"satisfaction_rating": rating}).satisfaction is None
    assert mapping.ticket(TICKET | {"satisfaction_rating": "good"}).satisfaction == "good"


def test_attachments_metadata() -> None:
    file = {
        "id": 9,
        "file_name": "a.png",
        "content_type": "image/png",
        "size": "2048",
        "inline": True,
        "thumbnails": [],
    }
    comment = mapping.comment(COMMENT | {"attachments": [file, {"file_name": "no id"}, None, {"id": 10}]}, "7")
    assert comment.attachments == (Attachment("9", "a.png", "image/png", 2048, True), Attachment("10", "", "", 0))
    assert mapping.comment(COMMENT | {"attachments": None}, "7").attachments == ()


def test_a_comment_without_its_author_or_text() -> None:
    bare = mapping.comment({"id": 1}, "7")
    assert (bare.author_id, bare.public, bare.text, bare.created_at) == ("", False, "", mapping.UNKNOWN_TIME)
    assert mapping.comment({"id": 1, "author": {"id": 90, "name": "A"}}, "7").author_id == "90"
    assert mapping.comment({"id": 1, "body": "Hi", "html_body": "<p>no</p>"}, "7").text == "Hi"


EVENT: dict[str, Any] = {
    "id": 700,
    "ticket_id": 7,
    "timestamp": 1775034000,
    "created_at": "2026-04-01T09:00:00Z",
    "updater_id": 90,
    "via": "Web form",
    "event_type": "Audit",
    "child_events": [],
}
CHILD = {**COMMENT, "event_type": "Comment", "type": "Comment", "via_reference_id": None, "author_id": 91}


def test_a_comment_of_a_ticket_event() -> None:
    comment = mapping.comment_from_event(EVENT, CHILD)
    assert comment == mapping.comment(CHILD, "7")


def test_what_an_event_says_where_its_comment_does_not() -> None:
    child = {"id": 701, "event_type": "Comment", "body": "Hi", "via": "Web form", "comment_public": True}
    comment = mapping.comment_from_event(EVENT, child)
    assert comment
    assert (comment.id, comment.ticket_id, comment.author_id) == ("701", "7", "90")
    assert (comment.public, comment.created_at) == (True, "2026-04-01T09:00:00Z")
    older = {key: value for key, value in EVENT.items() if key != "created_at"}
    assert mapping.comment_from_event(older, child) == comment
    assert not mapping.comment_from_event(EVENT, child | {"public": False}).public  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "child",
    [
        {"id": 1, "event_type": "Change", "type": "Comment", "body": "a field may have any name"},
        {"id": 1, "event_type": "CommentRedactionEvent", "comment_id": 2, "body": "x"},
        {"id": 1, "event_type": "CommentPrivacyChange", "comment_id": 2, "public": False},
        {"id": 1, "event_type": "Notification", "body": "sent to somebody", "subject": "x"},
        {"id": 1, "event_type": "Comment", "comment_present": True, "comment_public": True},
        {"status": "solved", "via": "Email", "via_reference_id": 2},
    ],
)
def test_other_events_are_no_comments(child: dict[str, Any]) -> None:
    assert mapping.comment_from_event(EVENT, child) is None


@pytest.mark.parametrize("type_", ["VoiceComment", "FacebookComment", "Tweet"])
def test_calls_and_posts_are_turns_too(type_: str) -> None:
    by_type = {key: value for key, value in CHILD.items() if key != "event_type"} | {"type": type_}
    assert mapping.comment_from_event(EVENT, by_type)
    assert mapping.comment_from_event(EVENT, CHILD | {"event_type": type_})


def test_a_user_without_a_role() -> None:
    for more in ({}, {"role_type": None, "custom_role_id": None}):
        assert mapping.user({"id": 1, "name": "A"} | more).role == "requester"
    for more in ({"role_type": 0}, {"custom_role_id": 5}):
        assert mapping.user({"id": 1, "name": "A"} | more).role == "agent"
    assert mapping.user({"id": 1, "role": "end-user", "role_type": 4}).role == "requester"


def test_organizations_brands_and_fields() -> None:
    item = {"id": 1, "name": " Acme ", "domain_names": []}
    assert mapping.organization(item) == Organization("1", "Acme", item)
    item = {"id": 2, "name": "Acme", "brand_url": "https://acme.example", "active": True, "is_deleted": False}
    assert mapping.brand(item) == Brand("2", "Acme", "https://acme.example", True, item)
    assert not mapping.brand(item | {"is_deleted": True}).active
    assert not mapping.brand(item | {"active": False}).active
    assert mapping.brand({"id": 2, "name": "Acme"}).active
    options = [{"id": 1, "name": "Netherlands", "value": "nl"}, {"id": 2, "name": "none", "value": None}]
    item = {"id": 3, "title": "Country", "type": "tagger", "active": False, "custom_field_options": options}
    assert mapping.ticket_field(item) == TicketField("3", "Country", "tagger", False, ("nl",), item)
    system = {"id": 4, "raw_title": "Type", "type": "tickettype", "system_field_options": [{"value": "problem"}]}
    assert mapping.ticket_field(system).options == ("problem",)
    assert (mapping.ticket_field(system).title, mapping.ticket_field(system).active) == ("Type", True)


def test_metric_sets() -> None:
    item = {
        "id": 70,
        "ticket_id": 7,
        "replies": 2,
        "reopens": "1",
        "solved_at": "2026-04-02T11:00:00+02:00",
        "reply_time_in_minutes": {"calendar": 61, "business": 5},
        "full_resolution_time_in_minutes": {"calendar": 1440, "business": 480},
    }
    assert mapping.ticket_metrics(item) == TicketMetrics("7", 2, 1, 61, 1440, "2026-04-02T09:00:00Z", item)
    bare = {"ticket_id": 7, "reply_time_in_minutes": {"calendar": None}, "full_resolution_time_in_minutes": None}
    assert mapping.ticket_metrics(bare) == TicketMetrics("7", raw=bare)
    messaging = bare | {"reply_time_in_seconds": {"calendar": 190}}
    assert mapping.ticket_metrics(messaging).first_reply_minutes == 3


def test_a_survey_response_is_a_rating_too() -> None:
    item = {
        "id": "01J",
        "responder_id": 90,
        "subjects": [{"type": "user", "id": "90"}, {"type": "ticket", "id": "7", "zrn": "zen:ticket:7"}],
        "answers": [
            {"type": "rating_scale", "rating": 1, "rating_category": "bad", "updated_at": "2026-04-02T09:00:00Z"},
            {"type": "open_ended", "value": "too slow", "updated_at": "2026-04-02T09:01:00Z"},
        ],
    }
    rating = mapping.satisfaction(item)
    assert (rating.id, rating.ticket_id, rating.score, rating.comment) == ("01J", "7", "bad", "too slow")
    assert rating.updated_at == "2026-04-02T09:00:00Z"
    unanswered = mapping.satisfaction({"id": "01K", "subjects": None, "answers": None})
    assert (unanswered.ticket_id, unanswered.score, unanswered.updated_at) == ("", "", mapping.UNKNOWN_TIME)


READERS = [
    mapping.ticket,
    mapping.deletion,
    mapping.user,
    mapping.group,
    mapping.organization,
    mapping.brand,
    mapping.ticket_field,
    mapping.ticket_metrics,
    mapping.macro,
    mapping.satisfaction,
    mapping.article,
    lambda item: mapping.comment(item, "7"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    sorted(
        {*TICKET, *COMMENT, "role", "actions", "answers", "subjects", "attachments", "custom_field_options"}
        | {"solved_at", "replies", "reply_time_in_minutes", "comment_count", "deleted_at", "author", "role_type"}
    )
)


@pytest.mark.parametrize("id_", [None, ""])
@pytest.mark.parametrize("read", READERS)
def test_a_record_without_an_id_is_refused(read: Any, id_: str | None) -> None:
    for item in ({}, {"id": id_, "ticket_id": id_}):
        with pytest.raises(KeyError):
            read(item)


@settings(deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=6))
def test_whatever_the_values_are_a_record_with_an_id_is_read(item: dict[str, Any]) -> None:
    for read in READERS:
        record = read(item | {"id": 1, "ticket_id": 1})
        assert (record.ticket_id if isinstance(record, Deletion | TicketMetrics) else record.id) == "1"


def test_texts_can_be_stored() -> None:
    half = "\ud83d"  # of an emoji that was cut in two
    ticket = mapping.ticket(TICKET | {"subject": f"Où \x00est-il {half}"})
    comment = mapping.comment(COMMENT | {"plain_body": f"Où est-il 🎁 {half}\x00"}, "7")
    assert (ticket.subject, comment.text) == ("Où est-il ?", "Où est-il 🎁 ?")


def test_a_comments_paragraphs_are_kept() -> None:
    # `plain_body` of an HTML mail: a blank at the ends of its lines, and no blank lines.
    squeezed = "Hi Anna,\n\n\n  It is in Tilburg. \n\n Kind regards, \n Marit \n    2 parcels "
    body = "Hi Anna,\n\nIt is in Tilburg.\n\nKind regards,\n\nMarit\n\n2 parcels"
    item = COMMENT | {"plain_body": squeezed, "body": body}
    assert mapping.comment(item, "7").text == body
    marked = item | {"body": body.replace("Tilburg", "**Tilburg**")}
    lines = "Hi Anna,\n\nIt is in Tilburg.\n\nKind regards,\nMarit\n    2 parcels"
    assert mapping.comment(marked, "7").text == lines
