"""The mirrors: what is newer wins, what is deleted is gone, and what is private stays so."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.records import Article, Comment, Group, Macro, Satisfaction, Thread, Ticket, User
from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.passages import Passage
from connectors.store.suggestions import Claim, Route, Source, Suggestion

MakeTicket = Callable[..., Ticket]
MakeComment = Callable[..., Comment]
DESK = "zendesk"
PRIVATE = "zebra-1907"  # stands in every text of the ticket that gets deleted
_names = itertools.count()


def test_a_ticket_is_read_back_as_it_was_stored(store: Store, ticket: MakeTicket) -> None:
    stored = ticket(
        assignee_id="5001", priority="high", channel="email", satisfaction="bad", url="https://x/7", brand_id="3"
    )
    assert store.mirror.save(DESK, [stored]).total() == 1
    assert store.history.ticket(DESK, "7") == stored
    assert store.history.ticket(DESK, "8") is None
    assert store.history.ticket("other", "7") is None


def test_the_same_page_twice_changes_nothing(store: Store, ticket: MakeTicket, comment: MakeComment) -> None:
    page = [ticket("7"), ticket("8"), User("90", "Anna", "anna@mail.example", "requester"), Group("1", "TRK1")]
    assert store.mirror.save(DESK, page).total() == 4
    store.mirror.save_thread(DESK, Thread("7", [comment()]))
    assert store.mirror.save(DESK, page).total() == 0
    assert list(store.due.ids(DESK)) == ["8"], "neither read again nor forgotten"


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(5)), st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_whatever_the_order_the_newest_state_stays(
    store: Store, ticket: MakeTicket, order: list[int], times: list[int]
) -> None:
    desk = f"desk{next(_names)}"
    arrivals = [ticket("7", subject=f"state {n}", generated_at=times[n]) for n in order]
    with store.transaction():
        for state in arrivals:
            store.mirror.save(desk, [state])
    newest = max(state.generated_at for state in arrivals)
    last = [state for state in arrivals if state.generated_at == newest][-1]
    assert store.history.ticket(desk, "7") == last


def test_an_older_state_does_not_count_and_asks_for_no_comments(
    store: Store, ticket: MakeTicket, comment: MakeComment
) -> None:
    store.mirror.save(DESK, [ticket(generated_at=2000)])
    store.mirror.save_thread(DESK, Thread("7", [comment()]))
    assert store.mirror.save(DESK, [ticket(generated_at=1999, updated_at="2026-04-09T00:00:00Z")]).total() == 0
    assert list(store.due.ids(DESK)) == []


def test_a_newer_state_asks_for_the_comments_again(store: Store, ticket: MakeTicket, comment: MakeComment) -> None:
    store.mirror.save(DESK, [ticket(generated_at=1000)])
    store.mirror.save_thread(DESK, Thread("7", [comment()]))
    assert store.mirror.save(DESK, [ticket(generated_at=1001)]).total() == 1
    assert list(store.due.ids(DESK)) == ["7"]


def test_comments_are_replaced_by_what_was_read(store: Store, ticket: MakeTicket, comment: MakeComment) -> None:
    store.mirror.save(DESK, [ticket("7"), ticket("8")])
    store.mirror.save_thread(DESK, Thread("8", [comment("80", ticket_id="8")]))
    store.mirror.save_thread(DESK, Thread("7", [comment("70"), comment("71")]))
    store.mirror.save_thread(DESK, Thread("7", [comment("70", text="redacted"), comment("72")]))
    turns = store.history.turns(DESK, "7")
    assert [(turn.comment.id, turn.comment.text) for turn in turns] == [
        ("70", "redacted"),
        ("72", "Where is my parcel?"),
    ]
    assert len(store.history.turns(DESK, "8")) == 1
    store.mirror.save_thread(DESK, Thread("7", []))
    assert store.history.turns(DESK, "7") == []


def test_a_conversation_is_kept_unless_a_newer_state_is_known(
    store: Store, ticket: MakeTicket, comment: MakeComment
) -> None:
    assert store.mirror.save_conversation(
        DESK, ticket(), Thread("7", [comment("70")], [User("90", "Anna", "", "requester")])
    )
    assert list(store.due.ids(DESK)) == []
    assert not store.due.is_due(DESK, "7")
    store.mirror.save(DESK, [ticket(generated_at=2000)])
    assert store.due.is_due(DESK, "7")
    assert not store.mirror.save_conversation(DESK, ticket(subject="old"), Thread("7", [comment("70"), comment("71")]))
    assert store.due.is_due(DESK, "7"), "it still has to be read"
    assert [turn.comment.id for turn in store.history.turns(DESK, "7")] == ["70", "71"], "better than none until then"
    store.mirror.save_thread(DESK, Thread("7", [comment("70"), comment("72")]))
    assert not store.mirror.save_conversation(DESK, ticket(subject="old"), Thread("7", [comment("70")]))
    assert [turn.comment.id for turn in store.history.turns(DESK, "7")] == ["70", "72"], "nothing newer is overwritten"
    assert store.history.turns(DESK, "7")[0].author.name == "Anna"


def test_turns_are_in_the_order_they_were_written(store: Store, ticket: MakeTicket, comment: MakeComment) -> None:
    store.mirror.save(DESK, [ticket(), User("5001", "Marit", "m@desk.example", "agent")])
    at = "2026-04-01T09:00:00Z"
    later = comment("8", created_at="2026-04-01T10:00:00Z", author_id="5001")
    store.mirror.save_thread(DESK, Thread("7", [later, comment("100", created_at=at), comment("99", created_at=at)]))
    turns = store.history.turns(DESK, "7")
    assert [turn.comment.id for turn in turns] == ["99", "100", "8"], "within a second by number"
    assert [turn.author.role for turn in turns] == ["requester", "requester", "agent"], "unknown ones are customers"


def test_a_note_stays_a_note(store: Store, ticket: MakeTicket, comment: MakeComment) -> None:
    store.mirror.save(DESK, [ticket()])
    store.mirror.save_thread(DESK, Thread("7", [comment("70"), comment("71", public=False)]))
    assert [turn.comment.public for turn in store.history.turns(DESK, "7")] == [True, False]


def _everything_of(ticket_id: str, store: Store, ticket: MakeTicket, comment: MakeComment) -> None:
    store.mirror.save(DESK, [ticket(ticket_id, subject=PRIVATE, tags=(PRIVATE,), raw={"description": PRIVATE})])
    store.mirror.save_thread(DESK, Thread(ticket_id, [comment(f"{ticket_id}0", ticket_id=ticket_id, text=PRIVATE)]))
    store.mirror.save(DESK, [_rating(ticket_id)])
    store.examples.replace(DESK, [_example(ticket_id)])
    store.passages.sync(DESK, "ticket", [_passage(ticket_id)])
    store.suggestions.save(_suggestion(ticket_id))
    store.suggestions.add_feedback(f"s{ticket_id}", "thumb_down", PRIVATE)


def _rating(ticket_id: str) -> Satisfaction:
    return Satisfaction("r" + ticket_id, ticket_id, "bad", PRIVATE, "2026-04-02T09:00:00Z", {"comment": PRIVATE})


def _example(ticket_id: str) -> Example:
    at = "2026-04-01T10:00:00Z"
    return Example(DESK, ticket_id, ticket_id + "1", 0, True, "", 1.0, PRIVATE, PRIVATE, "en", "1", "90", "5001", at)


def _passage(ticket_id: str) -> Passage:
    return Passage("ticket", ticket_id, 0, "", PRIVATE, reply=PRIVATE)


def _suggestion(ticket_id: str, source_id: str = "1") -> Suggestion:
    return Suggestion(
        id="s" + ticket_id,
        helpdesk=DESK,
        ticket_id=ticket_id,
        turn_id=ticket_id + "0",
        model_version="v1",
        state="shown",
        draft=PRIVATE,
        claims=(Claim(PRIVATE, 0, 5, True),),
        sources=(Source("ticket", source_id, "", "", PRIVATE),),
        route=Route("2101", "TRK1", 0.9, reasons=(PRIVATE,)),
    )


def _whole_database(store: Store) -> str:
    tables = [row["name"] for row in store.rows("select name from sqlite_master where type = 'table'")]
    found = {table: [list(row.values()) for row in store.rows(f"select * from [{table}]")] for table in tables}
    return repr({table: rows for table, rows in found.items() if not table.startswith("passages_fts_")})


def test_a_deleted_ticket_loses_its_text_and_all_that_was_made_of_it(
    store: Store, ticket: MakeTicket, comment: MakeComment
) -> None:
    _everything_of("7", store, ticket, comment)
    assert PRIVATE in _whole_database(store)
    deleted = ticket(
        status="deleted", deleted=True, generated_at=2000, subject=PRIVATE, tags=(PRIVATE,), raw={"a": PRIVATE}
    )
    assert store.mirror.save(DESK, [deleted]).total() == 1
    assert PRIVATE not in _whole_database(store)
    assert len(store.passages.words.tickets_with("zebra")) == 0
    assert store.history.ticket(DESK, "7").deleted  # type: ignore[union-attr]
    assert list(store.due.ids(DESK)) == [], "its row stays, so that it is not fetched again"
    assert list(store.history.solved_tickets(DESK)) == []
    route = store.suggestions.get("s7").route  # type: ignore[union-attr]
    assert route is not None
    assert route.group_id == "2101", "where it went is no text of the customer's"


def test_excerpts_of_a_deleted_ticket_go_from_other_tickets_suggestions(store: Store, ticket: MakeTicket) -> None:
    store.mirror.save(DESK, [ticket("7"), ticket("8"), ticket("77")])
    kept = (Source("article", "7", "Prices", "", "An article's text"), Source("ticket", "77", "", "", "Of another"))
    written = _suggestion("8", source_id="7")
    store.suggestions.save(Suggestion(**_fields(written) | {"sources": (*written.sources, *kept), "draft": "Hi"}))
    store.mirror.save(DESK, [ticket("7", status="deleted", deleted=True, generated_at=2000)])
    found = store.suggestions.get("s8")
    assert found is not None
    assert found.sources == kept
    assert found.draft == "Hi"


def _fields(suggestion: Suggestion) -> dict[str, object]:
    return {name: getattr(suggestion, name) for name in suggestion.__dataclass_fields__}


def test_the_text_of_a_deleted_ticket_does_not_come_back(
    store: Store, ticket: MakeTicket, comment: MakeComment
) -> None:
    store.mirror.save(DESK, [ticket(status="deleted", deleted=True, generated_at=2000)])
    # Whoever had read it before the deletion, and writes only now:
    assert store.mirror.save(DESK, [ticket(subject=PRIVATE, generated_at=1000), _rating("7")]).total() == 0
    assert store.mirror.save(DESK, [ticket(subject=PRIVATE, generated_at=2000)]).total() == 0
    store.mirror.save_thread(DESK, Thread("7", [comment(text=PRIVATE)]))
    store.examples.replace(DESK, [_example("7")])
    store.passages.sync(DESK, "ticket", [_passage("7")])
    store.suggestions.save(_suggestion("7"))
    assert PRIVATE not in _whole_database(store)
    assert store.suggestions.latest(DESK, "7") is not None


def test_a_restored_ticket_is_read_again(store: Store, ticket: MakeTicket) -> None:
    store.mirror.save(DESK, [ticket(status="deleted", deleted=True, generated_at=2000)])
    assert store.mirror.save(DESK, [ticket(generated_at=2001)]).total() == 1
    assert list(store.due.ids(DESK)) == ["7"]
    assert [one.subject for one in store.history.solved_tickets(DESK)] == ["Where is it?"]


def test_a_deletion_touches_no_other_ticket(store: Store, ticket: MakeTicket, comment: MakeComment) -> None:
    _everything_of("8", store, ticket, comment)
    before = _whole_database(store)
    store.mirror.save(DESK, [ticket("7", status="deleted", deleted=True)])
    store.mirror.save("other", [ticket("8", status="deleted", deleted=True)])
    store.execute("delete from tickets where id = '7' or helpdesk = 'other'")
    assert _whole_database(store) == before
    assert len(store.passages.words.tickets_with("zebra")) == 1


def test_due_tickets_come_newest_first_until_read_or_gone(
    store: Store, ticket: MakeTicket, comment: MakeComment
) -> None:
    store.mirror.save(DESK, [ticket(str(n), created_at=f"2026-04-0{n}T00:00:00Z") for n in (1, 2, 3)])
    assert list(store.due.ids(DESK)) == ["3", "2", "1"]
    store.mirror.save_thread(DESK, Thread("2", [comment(ticket_id="2")]))
    store.due.drop(DESK, "3")
    assert list(store.due.ids(DESK)) == ["1"]


def test_learning_sees_finished_tickets_only_oldest_first(store: Store, ticket: MakeTicket) -> None:
    states = {"1": "closed", "2": "open", "3": "solved", "4": "pending", "5": "deleted"}
    rows = [ticket(key, status=value, deleted=value == "deleted") for key, value in states.items()]
    older = ticket("6", created_at="2026-01-01T00:00:00Z")
    store.mirror.save(DESK, [*rows, older])
    assert [one.id for one in store.history.solved_tickets(DESK)] == ["6", "1", "3"]


def test_requesters_are_those_of_finished_tickets_each_once(store: Store, ticket: MakeTicket) -> None:
    people = [User(number, f"Person {number}", f"{number}@mail.example", "requester") for number in ("90", "91", "92")]
    opened = [ticket("7", status="solved"), ticket("8", status="closed"), ticket("9", status="open", requester_id="91")]
    gone = ticket("10", status="solved", requester_id="92", deleted=True)
    store.mirror.save(DESK, [*people, *opened, gone])
    store.mirror.save("other", [people[1], ticket("7", status="solved", requester_id="91")])
    assert store.history.requesters(DESK) == people[:1]
    assert store.history.requesters("other") == [people[1]]


def test_while_tickets_are_read_others_and_we_can_write(store: Store, ticket: MakeTicket) -> None:
    at = "2026-01-01T00:00:00Z"
    store.mirror.save(DESK, [ticket(str(n), created_at=at) for n in range(1001)])
    seen = []
    with Store(store.path) as other:
        for one in store.history.solved_tickets(DESK):
            seen.append(one.id)
            if len(seen) in (1, 700):
                other.inbox.put(DESK, f"theirs{len(seen)}", one.id)
                store.inbox.put(DESK, f"ours{len(seen)}", one.id)
    assert seen == sorted(str(n) for n in range(1001))


def test_only_what_is_in_use_is_listed(store: Store) -> None:
    at = "2026-01-01T00:00:00Z"
    records = [
        Group("1", "TRK1", "Parcels", raw={"id": 1}),
        Group("2", "OLD", deleted=True),
        Macro("1", "trace", "Hi"),
        Macro("2", "old", "Ho", active=False),
        Article("1", "Prices", "€6.95", "https://x", "en", at),
        Article("2", "Draft", "soon", "", "en", at, draft=True),
        User("1", "Marit", "m@desk.example", "agent", "en"),
        User("2", "Anna", "a@mail.example", "requester"),
    ]
    assert store.mirror.save(DESK, records).total() == len(records)
    assert store.history.groups(DESK) == [Group("1", "TRK1", "Parcels")]
    assert store.history.macros(DESK) == [Macro("1", "trace", "Hi")]
    assert [one.title for one in store.history.articles(DESK)] == ["Prices"]
    assert store.history.agents(DESK) == [User("1", "Marit", "m@desk.example", "agent", "en")]
    assert store.history.user(DESK, "2") == User("2", "Anna", "a@mail.example", "requester")
    assert store.mirror.save(DESK, [Article("1", "Prices", "€7.95", "https://x", "en", at)]).total() == 1
    assert store.history.articles(DESK)[0].text == "€7.95"
    assert store.history.groups("other") == []


def test_cursors_are_kept_per_helpdesk_and_stream_and_can_be_forgotten(store: Store) -> None:
    assert store.cursors.get(DESK, "tickets") is None
    assert store.cursors.synced_at(DESK) == {}
    store.cursors.save(DESK, "tickets", "a")
    store.cursors.save(DESK, "tickets", "b")
    store.cursors.save("other", "tickets", "c")
    assert store.cursors.get(DESK, "tickets") == "b"
    assert store.cursors.synced_at(DESK).keys() == {"tickets"}
    store.cursors.forget(DESK, "tickets")
    assert store.cursors.get(DESK, "tickets") is None
    assert store.cursors.get("other", "tickets") == "c"
