"""What the mirror keeps beside tickets and comments, and what it takes away again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.records import (
    Article,
    Attachment,
    Brand,
    Comment,
    Deletion,
    Group,
    Macro,
    Organization,
    Recheck,
    Satisfaction,
    Thread,
    Ticket,
    TicketField,
    TicketMetrics,
    User,
)
from connectors.store.database import Store

MakeTicket = Callable[..., Ticket]
MakeComment = Callable[..., Comment]
DESK = "zendesk"


def all_of(store: Store, table: str) -> list[dict[str, Any]]:
    return list(store.rows(f"select * from {table} order by 1, 2, 3"))


def typed(store: Store) -> dict[str, tuple[Any, ...]]:
    sql = "select * from ticket_field_values_typed order by field_id"
    names = ("value_type", "text_value", "number_value", "boolean_value", "json_value")
    return {row["field_id"]: tuple(row[name] for name in names) for row in store.rows(sql)}


def test_a_field_has_the_type_that_its_value_has_today(store: Store, ticket: MakeTicket) -> None:
    fields = (("1", "blue"), ("2", 7), ("3", 2.5), ("4", True), ("5", ["a", "b"]), ("6", "12.50"), ("7", "1-2-3"))
    store.mirror.save(DESK, [TicketField("1", "Colour", "tagger"), ticket(fields=fields)])
    found = typed(store)
    assert found["1"] == ("text", "blue", None, None, None)
    assert found["2"] == ("integer", None, 7, None, None)
    assert found["3"] == ("real", None, 2.5, None, None)
    assert found["4"] == ("true", None, None, 1, None)
    assert found["5"] == ("array", None, None, None, '["a","b"]')
    assert found["6"][:3] == ("text", "12.50", 12.5), "a number that came as text is one"
    assert all_of(store, "ticket_field_values_typed")[0]["title"] == "Colour"


def test_a_field_that_changes_its_type_breaks_nothing(store: Store, ticket: MakeTicket) -> None:
    for at, value in enumerate(("a", 1, None, ["x"], False), start=1):
        fields = () if value is None else (("1", value),)
        store.mirror.save(DESK, [ticket(generated_at=ticket().generated_at + at, fields=fields)])
        assert len(typed(store)) == (value is not None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.recursive(
        st.text() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    )
)
def test_any_value_of_a_field_is_kept_and_the_view_reads_it(store: Store, ticket: MakeTicket, value: Any) -> None:
    store.mirror.save(DESK, [ticket(fields=(("1", value),))])
    assert len(all_of(store, "ticket_field_values_typed")) == 1


def test_attachments_follow_their_comment(store: Store, ticket: MakeTicket, comment: MakeComment) -> None:
    file = Attachment("1", "label.pdf", "application/pdf", 20_480)
    store.mirror.save(DESK, [ticket(), comment(attachments=(file,))])
    assert all_of(store, "attachments")[0]["name"] == "label.pdf"
    store.mirror.save(DESK, [comment()])
    assert all_of(store, "attachments") == [], "redacted"
    store.mirror.save(DESK, [comment(attachments=(file,))])
    store.mirror.save_thread(DESK, Thread("7", ()))
    assert all_of(store, "attachments") == []


def test_a_deletion_takes_all_that_tells_of_the_ticket(store: Store, ticket: MakeTicket, comment: MakeComment) -> None:
    file = Attachment("1", "passport.png", "image/png", 1)
    rated = Satisfaction("1", "7", "bad", "never again", "2026-01-01T00:00:00Z")
    records = [
        ticket(fields=(("1", "secret"),), tags=("vip",)), comment(attachments=(file,)), rated, TicketMetrics("7", 2)
    ]  # fmt: skip
    store.mirror.save(DESK, records)
    at = ticket().generated_at + 5
    assert store.mirror.save(DESK, [Deletion("7", at)]) == {"tickets": 1}
    for table in ("comments", "attachments", "ticket_field_values", "ticket_metrics", "satisfaction_ratings"):
        assert all_of(store, table) == [], table
    left = store.history.ticket(DESK, "7")
    assert left is not None
    assert (left.deleted, left.status, left.subject, left.tags, left.raw) == (True, "deleted", "", (), {})
    assert store.due.count(DESK) == 0
    assert store.mirror.save(DESK, [Deletion("7", at), Deletion("8", at)]) == {}, "twice is once; unknown is nothing"
    assert store.mirror.save(DESK, [ticket()]) == {}, "an older state does not bring it back"


def test_a_ticket_deleted_from_the_start_keeps_no_word(store: Store, ticket: MakeTicket) -> None:
    store.mirror.save(DESK, [ticket(deleted=True, subject="secret", tags=("vip",), url="https://x", raw={"a": 1})])
    (row,) = all_of(store, "tickets")
    assert (row["subject"], row["tags"], row["url"], row["raw"]) == ("", "[]", "", "{}")


def test_what_a_whole_listing_no_longer_has_goes_out_of_use(store: Store) -> None:
    at = "2026-01-01T00:00:00Z"
    for n in ("1", "2"):
        store.mirror.save(
            DESK,
            [
                Group(n, f"G{n}"), Macro(n, f"M{n}", "Hi"), Article(n, f"A{n}", "text", "https://x", "en", at),
                Brand(n, f"B{n}"), TicketField(n, f"F{n}", "text"), Organization(n, f"O{n}"),
            ],
        )  # fmt: skip
    other = "elsewhere"
    store.mirror.save(other, [Group("2", "theirs")])
    for table in ("groups", "macros", "articles", "brands", "ticket_fields", "organizations"):
        assert store.mirror.prune(DESK, table, {"1"}) == 1, table
        assert store.mirror.prune(DESK, table, {"1"}) == 0, table
    assert [group.id for group in store.history.groups(DESK)] == ["1"]
    assert [macro.id for macro in store.history.macros(DESK)] == ["1"]
    assert [article.id for article in store.history.articles(DESK)] == ["1"]
    assert len(store.history.groups(other)) == 1, "another helpdesk's are not touched"
    store.mirror.save(DESK, [Group("2", "G2")])
    assert len(store.history.groups(DESK)) == 2, "back in the listing, back in use"


def test_a_page_with_more_rows_than_a_statement_takes(store: Store, ticket: MakeTicket, comment: MakeComment) -> None:
    tickets = [ticket(id=str(n)) for n in range(1, 1801)]
    comments = [comment(str(n), ticket_id=str(n)) for n in range(1, 1801)]
    assert store.mirror.save(DESK, tickets + comments) == {"tickets": 1800, "comments": 1800}
    assert store.mirror.save(DESK, tickets + comments) == {}


def test_the_same_ticket_twice_in_a_page_ends_as_its_newest_state(store: Store, ticket: MakeTicket) -> None:
    later = ticket(subject="later", generated_at=ticket().generated_at + 1)
    for page in ([ticket(), later], [later, ticket()]):
        store.mirror.save(DESK, page)
        stored = store.history.ticket(DESK, "7")
        assert stored is not None
        assert stored.subject == "later"


def test_merged_tickets_and_what_the_helpdesk_counts_are_kept(store: Store, ticket: MakeTicket) -> None:
    store.mirror.save(DESK, [ticket(merged=True, comment_count=12, organization_id="4"), TicketMetrics("7", 2, 1)])
    stored = store.history.ticket(DESK, "7")
    assert stored is not None
    assert (stored.merged, stored.comment_count, stored.organization_id) == (True, 12, "4")
    assert all_of(store, "ticket_metrics")[0]["replies"] == 2


def test_comments_of_unknown_tickets_are_left_out_and_ratings_kept(store: Store, comment: MakeComment) -> None:
    """A rating that came before its ticket does not come again; comments come with their ticket."""
    rated = Satisfaction("1", "7", "bad", "never again", "2026-01-01T00:00:00Z")
    assert store.mirror.save(DESK, [comment(), TicketMetrics("7", 1), Recheck("7")]) == {}
    assert store.mirror.save(DESK, [rated]) == {"satisfaction_ratings": 1}
    store.mirror.save(DESK, [Deletion("7", 5)])
    assert all_of(store, "satisfaction_ratings") == []


@pytest.mark.parametrize("due", ["thread", "settle"])
def test_a_recheck_holds_until_the_ticket_is_read_alone(
    store: Store, ticket: MakeTicket, comment: MakeComment, due: str
) -> None:
    store.mirror.save(DESK, [ticket(), comment(), Recheck("7")])
    if due == "settle":
        assert store.due.settle(DESK, 0) == 0
        store.mirror.save(DESK, [ticket(generated_at=ticket().generated_at + 1)])
        assert store.due.settle(DESK, 0) == 0, "a newer state does not make it any less due"
    else:
        store.mirror.save_thread(DESK, Thread("7", (comment(),)))
    assert store.due.is_due(DESK, "7") == (due == "settle")


def test_settling_goes_by_when_the_comments_were_last_complete(
    store: Store, ticket: MakeTicket, comment: MakeComment
) -> None:
    store.mirror.save(DESK, [ticket()])
    store.mirror.save_thread(DESK, Thread("7", (comment(),)))
    first = ticket().generated_at
    store.mirror.save(DESK, [ticket(generated_at=first + 1000)])
    assert list(store.due.starts(DESK)) == [first]
    assert store.due.settle(DESK, first + 1) == 0, "what happened before that was not read"
    assert store.due.settle(DESK, first) == 1
    store.mirror.save(DESK, [ticket(generated_at=first + 2000)])
    assert list(store.due.starts(DESK)) == [first + 1000]


def test_due_tickets_come_newest_first_however_many_there_are(store: Store, ticket: MakeTicket) -> None:
    tickets = [ticket(id=str(n), created_at=f"2026-01-{1 + n % 28:02d}T00:00:00Z") for n in range(1, 4501)]
    store.mirror.save(DESK, tickets)
    ids = list(store.due.ids(DESK))
    assert len(ids) == len(set(ids)) == store.due.count(DESK) == 4500
    days = {one.id: one.created_at for one in tickets}
    assert [days[i] for i in ids] == sorted((one.created_at for one in tickets), reverse=True)


def test_customers_who_wait_are_those_of_open_tickets_that_changed(
    store: Store, ticket: MakeTicket, comment: MakeComment
) -> None:
    at = ticket().generated_at
    agent, customer = User("80", "Marit", "", "agent"), User("90", "Anna", "", "requester")
    open_ones = [ticket(id=str(n), status="open") for n in (1, 5, 6, 7)]
    others = [
        ticket(id="2", status="solved"), ticket(id="3", status="new", deleted=True),
        ticket(id="4", status="open", updated_at="2020-01-01T00:00:00Z"),
    ]  # fmt: skip
    store.mirror.save(DESK, open_ones + others)
    asked = comment("50", ticket_id="5")
    answered = comment("51", ticket_id="5", author_id="80", created_at="2026-04-01T10:00:00Z")
    noted = comment("62", ticket_id="6", author_id="80", public=False, created_at="2026-04-01T10:00:00Z")
    store.mirror.save_thread(DESK, Thread("5", (asked, answered), (agent, customer)))
    store.mirror.save_thread(DESK, Thread("6", (comment("61", ticket_id="6"), noted), (agent, customer)))
    store.mirror.save_thread(DESK, Thread("7", (), ()))
    waiting = ["1", "6", "7"]
    assert store.due.waiting_customers(DESK, 1_600_000_000) == [(one, at) for one in waiting], "5 has its answer"


def test_the_same_comment_with_other_raw_json_is_kept_and_not_counted(
    store: Store, ticket: MakeTicket, comment: MakeComment
) -> None:
    store.mirror.save(DESK, [ticket(), comment(raw={"event_type": "Comment"})])
    assert store.mirror.save(DESK, [comment(raw={"type": "Comment"})]) == {}
    assert all_of(store, "comments")[0]["raw"] == '{"type":"Comment"}'


def test_half_an_emoji_in_raw_json_does_not_lose_the_page(store: Store, ticket: MakeTicket) -> None:
    assert store.mirror.save(DESK, [ticket(raw={"subject": "hi \ud83d"}, fields=(("1", "\ud83d"),))]) == {"tickets": 1}
