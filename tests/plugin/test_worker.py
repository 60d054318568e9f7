"""The worker against the real helpdesk: one note and the route by one update, and nothing where none is asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.suggestions import SHOWN, SILENT, SUPERSEDED, Claim, Route, Source, Suggestion
from connectors.zendesk.client import Zendesk
from plugin.serving import LivePredictor
from plugin.worker import Worker
from trainer.predictor import Predictor

NAME = "sandbox"
Make = Callable[..., Suggestion]
NEW_REFUND = "Hello, I would like my money back for the damaged lamp, how do I get the refund? Deniz"


def no_predictor() -> Predictor:
    raise AssertionError("this ticket needs no draft")


@pytest.fixture
def worker(store: Store, zendesk: Zendesk, settings: Settings) -> Worker:
    """A worker of a home without a model: drafts are there already, or none is needed."""
    return Worker(store, zendesk, no_predictor, settings.plugin)


@pytest.fixture
def drafter(trained: Settings, zendesk: Zendesk) -> Any:
    """A worker with a real predictor."""
    with Store(trained.database_path) as store:
        yield Worker(store, zendesk, LivePredictor(trained, store), trained.plugin)


@pytest.fixture
def drafted(desk: Any, store: Store, zendesk: Zendesk, suggestion: Make) -> Callable[..., str]:
    """Opens a ticket whose newest turn has a suggestion that is not posted yet; returns the ticket's id."""

    def drafted(**changes: Any) -> str:
        ticket_id = str(desk.open_ticket())
        turn = zendesk.comments(ticket_id)[0][-1].id
        store.suggestions.save(suggestion(ticket_id=ticket_id, turn_id=turn, **changes))
        return ticket_id

    return drafted


def work(worker: Worker, store: Store, ticket_id: str, delivery: str = "d-1") -> dict[str, Any]:
    """A webhook comes in and is worked through; returns its row."""
    assert store.inbox.put(NAME, delivery, ticket_id)
    assert worker.step()
    (row,) = store.rows("select * from inbox where delivery_id = ?", (delivery,))
    return row


# ---- with the real model


@pytest.mark.weights
def test_a_new_ticket_gets_one_internal_note_and_its_route_by_one_update(
    drafter: Worker, store: Store, desk: Any
) -> None:
    ticket_id = desk.open_ticket(NEW_REFUND)
    before = desk.updates(ticket_id)
    assert work(drafter, store, ticket_id)["status"] == "done"
    (note,) = desk.notes(ticket_id)
    assert note["public"] is False
    made = store.suggestions.latest(NAME, ticket_id)
    assert made is not None
    assert (made.state, made.language) == (SHOWN, "en")
    assert made.note_posted_at
    assert made.draft.startswith("Hi Deniz,"), "the nearest reply's slots are filled from this ticket"
    assert note["plain_body"].count(f"deskhand:{made.id}") == 1
    assert "Hi Deniz," in note["plain_body"]
    assert "Route: FIN" in note["plain_body"]
    assert desk.ticket(ticket_id)["group_id"] == 2104
    assert desk.updates(ticket_id) == before + 1, "note and route are one update"
    assert desk.ticket(ticket_id)["status"] == "new", "and nothing else has changed"


@pytest.mark.weights
def test_a_new_message_of_the_customer_gets_a_note_of_its_own(drafter: Worker, store: Store, desk: Any) -> None:
    ticket_id = desk.open_ticket()
    work(drafter, store, ticket_id)
    first = store.suggestions.latest(NAME, ticket_id)
    desk.answer(ticket_id)
    desk.reply(ticket_id, "Thank you. And when do I get the refund for the broken vase?")
    work(drafter, store, ticket_id, "d-2")
    second = store.suggestions.latest(NAME, ticket_id)
    assert first is not None
    assert second is not None
    for one, note in zip((first, second), desk.notes(ticket_id), strict=True):
        assert f"deskhand:{one.id}" in note["plain_body"]
    assert first.turn_id != second.turn_id
    stored = store.suggestions.get(first.id)
    assert stored is not None
    assert (stored.state, second.state) == (SUPERSEDED, SHOWN)


@pytest.mark.weights
def test_what_nobody_ever_answered_is_routed_at_most_and_gets_no_note(drafter: Worker, store: Store, desk: Any) -> None:
    ticket_id = desk.open_ticket("Zwölf violette Nilpferde tanzen heimlich Walzer auf dem Mond.")
    assert work(drafter, store, ticket_id)["status"] == "done"
    made = store.suggestions.latest(NAME, ticket_id)
    assert made is not None
    assert (made.state, made.draft, made.note_posted_at) == (SILENT, "", None)
    assert desk.notes(ticket_id) == []


@pytest.mark.weights
def test_nothing_that_anybody_wrote_gets_into_the_log(
    drafter: Worker, store: Store, desk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ticket_id = desk.open_ticket()
    work(drafter, store, ticket_id)
    assert f"ticket {ticket_id}: note, routed to TRK1" in caplog.text
    for hidden in ("parcel", "Deniz", "deniz@mail.example", "Tilburg", desk.sandbox.token, "-that-nobody-may-see"):
        assert hidden not in caplog.text


# ---- once outside


def test_the_same_ticket_again_posts_nothing_again(
    worker: Worker, store: Store, zendesk: Zendesk, desk: Any, drafted: Callable[..., str]
) -> None:
    ticket_id = drafted()
    work(worker, store, ticket_id)
    made = zendesk.http.requests_made
    for number in (2, 3):
        assert work(worker, store, ticket_id, f"d-{number}")["status"] == "done"
    assert len(desk.notes(ticket_id)) == 1
    assert zendesk.http.requests_made == made + 4, "ticket and comments are read, and that is all"


def test_a_crash_between_the_note_and_its_mark_posts_nothing_again(
    worker: Worker, store: Store, desk: Any, drafted: Callable[..., str]
) -> None:
    ticket_id = drafted()
    work(worker, store, ticket_id)
    updates = desk.updates(ticket_id)
    store.execute("update suggestions set note_posted_at = null")
    store.execute("update inbox set status = 'leased', lease_until = 0")
    assert worker.step(), "the lease ran out, so the job is taken again"
    assert desk.updates(ticket_id) == updates
    made = store.suggestions.get("s-1")
    assert made is not None
    assert made.note_posted_at, "now it is marked"
    assert store.inbox.counts() == {"waiting": 0, "leased": 0, "done": 1, "dead": 0}


def test_the_job_of_a_worker_that_died_is_taken_over(
    worker: Worker, store: Store, desk: Any, drafted: Callable[..., str]
) -> None:
    ticket_id = drafted()
    store.inbox.put(NAME, "d-1", ticket_id)
    assert store.inbox.claim("somebody else", lease_s=60)
    assert not worker.step(), "as long as it may be alive, it is left alone"
    store.execute("update inbox set lease_until = 0")
    assert worker.step()
    assert len(desk.notes(ticket_id)) == 1
    assert not worker.step()


# ---- when there is nothing to do


def solve(desk: Any, ticket_id: str) -> None:
    desk.change(ticket_id, status="solved")


def close(desk: Any, ticket_id: str) -> None:
    desk.change(ticket_id, status="closed")


def delete(desk: Any, ticket_id: str) -> None:
    desk.call("DELETE", f"/api/v2/tickets/{ticket_id}")


def answer(desk: Any, ticket_id: str) -> None:
    desk.answer(ticket_id)


@pytest.mark.parametrize("meanwhile", [solve, close, delete, answer])
def test_where_nobody_waits_for_an_answer_nothing_is_written(
    meanwhile: Callable[[Any, str], None], worker: Worker, store: Store, desk: Any, drafted: Callable[..., str]
) -> None:
    for ticket_id in (drafted(), desk.open_ticket()):  # nor is anything drafted
        meanwhile(desk, ticket_id)
        row = work(worker, store, ticket_id, f"d-{ticket_id}")
        assert (row["status"], row["error"], row["attempts"]) == ("done", None, 1)
        if meanwhile is not delete:
            assert desk.notes(ticket_id) == []
            assert desk.ticket(ticket_id)["group_id"] is None


def test_a_ticket_that_never_was_is_done_with(worker: Worker, store: Store) -> None:
    assert work(worker, store, "9" * 18)["status"] == "done"


def test_an_internal_note_of_a_colleague_is_no_answer(
    worker: Worker, store: Store, desk: Any, drafted: Callable[..., str]
) -> None:
    ticket_id = drafted()
    desk.change(ticket_id, comment={"body": "I ask the depot.", "public": False, "author_id": 5001})
    work(worker, store, ticket_id)
    assert len(desk.notes(ticket_id)) == 1


def test_an_empty_inbox_is_no_work(worker: Worker) -> None:
    assert not worker.step()


# ---- routes


@pytest.mark.parametrize(
    ("changes", "group", "says"),
    [
        ({"route": Route("2101", "TRK1", 0.4)}, 2101, "Route: TRK1 (40%), set"),
        ({"route": Route("2101", "TRK1", 0.39)}, None, "Route: TRK1 (39%), not set: not sure enough"),
        ({"route": Route("2101", "TRK1", 0.9, abstain=True)}, None, "Route: TRK1 (90%), not set: not sure enough"),
        (
            {"route": Route("2101", "TRK1", 0.9, abstain=True, out_of_scope=0.99)},
            None,
            "Route: TRK1 (90%), not set: unlike anything the team has routed before",
        ),
        ({"route": Route("2101", "TRK1", 0.9, out_of_scope=0.99)}, 2101, "Route: TRK1 (90%), set"),
        ({"route": None}, None, "Suggested reply"),
    ],
)
def test_only_a_likely_route_is_set(
    changes: dict[str, Any], group: int | None, says: str,
    worker: Worker, store: Store, desk: Any, drafted: Callable[..., str],
) -> None:  # fmt: skip
    ticket_id = drafted(**changes)
    work(worker, store, ticket_id)
    assert desk.ticket(ticket_id)["group_id"] == group
    assert says in desk.notes(ticket_id)[0]["plain_body"]
    stored = store.history.ticket(NAME, ticket_id)
    assert stored is not None
    assert stored.group_id == (str(group) if group else None), "the sidebar knows at once"


@pytest.mark.parametrize(
    ("intake", "group"), [(("fin",), 2101), (("2104",), 2101), (("TRK1", "Sales"), 2104), ((), 2104)]
)
def test_a_ticket_in_the_intake_group_is_routed_as_if_it_had_none(
    intake: tuple[str, ...], group: int, drafted: Any, store: Store, zendesk: Zendesk, settings: Settings, desk: Any
) -> None:
    ticket_id = drafted()
    desk.change(ticket_id, group_id=2104)
    plugin = settings.plugin.model_copy(update={"intake_groups": intake})
    work(Worker(store, zendesk, no_predictor, plugin), store, ticket_id)
    assert desk.ticket(ticket_id)["group_id"] == group
    assert len(desk.notes(ticket_id)) == 1


def test_a_group_that_somebody_has_set_is_left_alone(
    worker: Worker, store: Store, desk: Any, drafted: Callable[..., str]
) -> None:
    ticket_id = drafted()
    desk.change(ticket_id, group_id=2104)
    work(worker, store, ticket_id)
    assert desk.ticket(ticket_id)["group_id"] == 2104
    assert "Route: TRK1 (83%), not set" in desk.notes(ticket_id)[0]["plain_body"]


def test_priority_and_tags_are_named_and_not_set(
    worker: Worker, store: Store, desk: Any, drafted: Callable[..., str]
) -> None:
    ticket_id = drafted(route=Route("2101", "TRK1", 0.9, priority="urgent", tags=("delay", "lost")))
    before = desk.ticket(ticket_id)
    work(worker, store, ticket_id)
    after, (note,) = desk.ticket(ticket_id), desk.notes(ticket_id)
    assert "Priority: urgent, not set" in note["plain_body"]
    assert "Tags: delay, lost, not set" in note["plain_body"]
    assert (after["priority"], after["tags"]) == (before["priority"], before["tags"])
    assert after["group_id"] == 2101


def test_a_silent_suggestion_still_routes(worker: Worker, store: Store, desk: Any, drafted: Callable[..., str]) -> None:
    ticket_id = drafted(state=SILENT, draft="", claims=(), sources=())
    work(worker, store, ticket_id)
    assert desk.ticket(ticket_id)["group_id"] == 2101
    assert desk.notes(ticket_id) == []


@pytest.mark.parametrize(
    ("switched_off", "notes", "group"), [({"write_note": False}, 0, 2101), ({"write_route": False}, 1, None)]
)
def test_an_admin_can_switch_notes_or_routes_off(
    switched_off: dict[str, bool], notes: int, group: int | None,
    store: Store, zendesk: Zendesk, settings: Settings, desk: Any, drafted: Callable[..., str],
) -> None:  # fmt: skip
    worker = Worker(store, zendesk, no_predictor, settings.plugin.model_copy(update=switched_off))
    ticket_id = drafted()
    work(worker, store, ticket_id)
    assert (len(desk.notes(ticket_id)), desk.ticket(ticket_id)["group_id"]) == (notes, group)


# ---- what is posted


def test_a_hostile_draft_arrives_as_text(worker: Worker, store: Store, desk: Any, drafted: Callable[..., str]) -> None:
    draft = "<script>alert(1)</script> <b onclick=x>bold</b> [click](javascript:alert(1)) on 14 April [date]"
    start = draft.index("14 April")
    sources = (
        Source("article", "1", "<i>Evil</i>", "javascript:alert(1)", "x"),
        Source("article", "2", "<i>Good</i>", "https://desk.example/2", "x"),
    )
    ticket_id = drafted(draft=draft, claims=(Claim("14 April", start, start + 8, False),), sources=sources)
    work(worker, store, ticket_id)
    (note,) = desk.notes(ticket_id)
    assert note["public"] is False
    assert "<script>alert(1)</script> <b onclick=x>bold</b> [click](javascript:alert(1))" in note["plain_body"]
    assert "on ⚠ 14 April ⚠ [date]" in note["plain_body"]
    assert "Check before sending: 14 April" in note["plain_body"]
    assert "<script" not in note["html_body"]
    assert 'href="javascript' not in note["html_body"]
    assert "<i>Good</i>" in note["plain_body"]
    assert "Evil" not in note["plain_body"]
