"""The worker when things go wrong: somebody writes in between, the helpdesk is out, the model is missing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from connectors.records import Ticket, WriteBack
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.suggestions import SUPERSEDED, Suggestion
from connectors.zendesk.client import Zendesk
from plugin.serving import LivePredictor
from plugin.worker import MAX_ATTEMPTS, MAX_PATIENT_ATTEMPTS, Worker
from trainer.predictor import Predictor

NAME = "sandbox"
Make = Callable[..., Suggestion]
Act = Callable[[], Any]


class Busy(Zendesk):
    """The real connector on a desk where somebody acts just before each of the next writes."""

    acts: list[Act]

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        if self.acts:
            self.acts.pop(0)()
        return super().write_back(ticket, update)


def no_predictor() -> Predictor:
    raise AssertionError("this ticket needs no draft")


@pytest.fixture
def busy(settings: Settings) -> Any:
    client = Busy(settings.require_helpdesk(), sleep=lambda _: None)
    client.acts = []
    yield client
    client.close()


@pytest.fixture
def worker(store: Store, busy: Busy, settings: Settings) -> Worker:
    return Worker(store, busy, no_predictor, settings.plugin)


@pytest.fixture
def ticket_id(desk: Any, store: Store, zendesk: Zendesk, suggestion: Make) -> str:
    """A ticket in the inbox, whose newest turn has a suggestion that is not posted yet."""
    ticket_id = str(desk.open_ticket())
    store.suggestions.save(suggestion(ticket_id=ticket_id, turn_id=zendesk.comments(ticket_id)[0][-1].id))
    store.inbox.put(NAME, "d-1", ticket_id)
    return ticket_id


def job(store: Store) -> dict[str, Any]:
    (row,) = store.rows("select * from inbox")
    return row


def work_off(worker: Worker, store: Store) -> list[float]:
    """Works until nothing is left, without waiting for the pauses; returns them, in seconds."""
    pauses = []
    while worker.step():
        row = job(store)
        if row["status"] == "waiting":
            pauses.append(row["available_at"] - time.time())
            assert not worker.step(), "before its time it is not tried again"
            store.execute("update inbox set available_at = 0")
    return pauses


# ---- somebody writes in between


def test_an_agent_who_answers_while_we_write_is_not_talked_over(
    worker: Worker, busy: Busy, store: Store, desk: Any, ticket_id: str
) -> None:
    busy.acts = [lambda: desk.answer(ticket_id)]
    assert worker.step()
    assert desk.notes(ticket_id) == []
    assert desk.ticket(ticket_id)["group_id"] is None
    assert (job(store)["status"], job(store)["attempts"]) == ("done", 1)


def test_a_group_that_somebody_sets_while_we_write_stays(
    worker: Worker, busy: Busy, store: Store, desk: Any, ticket_id: str
) -> None:
    busy.acts = [lambda: desk.change(ticket_id, group_id=2104)]
    assert worker.step()
    (note,) = desk.notes(ticket_id)
    assert "not set" in note["plain_body"], "it was decided again, with what stands there now"
    assert desk.ticket(ticket_id)["group_id"] == 2104


def test_a_ticket_that_is_closed_while_we_write_is_done_with(
    worker: Worker, busy: Busy, store: Store, desk: Any, ticket_id: str
) -> None:
    busy.acts = [lambda: desk.change(ticket_id, status="closed")]
    assert worker.step()
    assert desk.notes(ticket_id) == []
    assert job(store)["status"] == "done"


def test_a_ticket_that_keeps_changing_is_tried_again_later(
    worker: Worker, busy: Busy, store: Store, desk: Any, ticket_id: str
) -> None:
    busy.acts = [partial(desk.change, ticket_id, priority=priority) for priority in ("low", "normal", "high")]
    assert worker.step()
    assert (job(store)["status"], job(store)["error"]) == (
        "waiting",
        f"ticket {ticket_id} kept changing while we worked on it",
    )
    assert work_off(worker, store) == []
    store.execute("update inbox set available_at = 0")
    assert worker.step()
    assert len(desk.notes(ticket_id)) == 1


@pytest.mark.weights
def test_a_customer_who_writes_while_we_write_is_answered_on_what_they_wrote_last(
    trained: Settings, busy: Busy, desk: Any, zendesk: Zendesk, suggestion: Make
) -> None:
    ticket_id = desk.open_ticket()
    with Store(trained.database_path) as store:
        store.suggestions.save(suggestion(ticket_id=ticket_id, turn_id=zendesk.comments(ticket_id)[0][-1].id))
        store.inbox.put(NAME, "d-1", ticket_id)
        busy.acts = [lambda: desk.reply(ticket_id, "It has come, but damaged. How do I get the refund for the lamp?")]
        assert Worker(store, busy, LivePredictor(trained, store), trained.plugin).step()
        made, first = store.suggestions.latest(NAME, ticket_id), store.suggestions.get("s-1")
    assert made is not None
    assert first is not None
    assert first.state == SUPERSEDED
    assert made.turn_id == zendesk.comments(ticket_id)[0][-2].id
    (note,) = desk.notes(ticket_id)
    assert f"deskhand:{made.id}" in note["plain_body"]


# ---- the helpdesk is out


def test_an_outage_is_waited_for_longer_each_time_and_given_up_in_the_end(
    worker: Worker, store: Store, desk: Any, ticket_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.fault(f"tickets/{ticket_id}", 503, times=1000, body="Where is my parcel, deniz@mail.example?")
    pauses = work_off(worker, store)
    assert len(pauses) == MAX_PATIENT_ATTEMPTS - 1
    for pause, doubled in zip(pauses, [2, 4, 8, 16, 32, 64, 128, 256, *[300] * 11], strict=True):
        assert 0.7 * doubled < pause < 1.3 * doubled
    assert sum(pauses) > 2400, "an outage of half an hour loses nothing"
    row = job(store)
    assert (row["status"], row["attempts"]) == ("dead", MAX_PATIENT_ATTEMPTS)
    assert row["error"] == f"GET /api/v2/tickets/{ticket_id}.json on {desk.sandbox.url[7:]} answered 503"
    assert f"ticket {ticket_id}: given up after 20 attempts" in caplog.text
    for hidden in ("parcel", "deniz", desk.sandbox.token):
        assert hidden not in caplog.text + row["error"]


def test_as_long_as_the_helpdesk_asks_for_is_waited(worker: Worker, store: Store, desk: Any, ticket_id: str) -> None:
    desk.fault(f"tickets/{ticket_id}", 429, retry_after=5000)
    assert worker.step()
    assert 4990 < job(store)["available_at"] - time.time() <= 5010, "never less, and a little apart from the others"


def test_after_an_outage_the_note_is_posted_after_all(worker: Worker, store: Store, desk: Any, ticket_id: str) -> None:
    desk.fault(f"tickets/{ticket_id}", 500, method="PUT")
    pauses = work_off(worker, store)
    assert len(pauses) == 1
    assert (job(store)["status"], job(store)["error"], job(store)["attempts"]) == ("done", None, 2)
    assert len(desk.notes(ticket_id)) == 1


def test_a_lost_answer_to_the_write_does_not_post_twice(
    worker: Worker, busy: Busy, store: Store, desk: Any, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = busy.http.request
    lost: list[str] = []

    def cut_off(method: str, path: str, **options: Any) -> Any:
        answer = request(method, path, **options)
        if method == "PUT" and not lost:
            lost.append(path)
            raise OSError("Where is my parcel?")
        return answer

    monkeypatch.setattr(busy.http, "request", cut_off)
    assert worker.step()
    assert (job(store)["status"], job(store)["error"]) == ("waiting", "OSError"), "a stranger's words are not kept"
    store.execute("update inbox set available_at = 0")
    assert worker.step()
    assert (job(store)["status"], len(desk.notes(ticket_id))) == ("done", 1)


# ---- the model


def test_without_a_live_model_the_job_waits_and_says_so(
    store: Store, zendesk: Zendesk, settings: Settings, desk: Any
) -> None:
    store.inbox.put(NAME, "d-1", desk.open_ticket())
    worker = Worker(store, zendesk, LivePredictor(settings, store), settings.plugin)
    assert worker.step()
    assert (job(store)["status"], job(store)["error"]) == ("waiting", "no model is live yet")


def test_a_bug_on_one_ticket_does_not_stop_the_others_and_keeps_no_word_of_it(
    store: Store, zendesk: Zendesk, settings: Settings, desk: Any, ticket_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Predictor:
        raise ValueError("Where is my parcel, deniz@mail.example?")

    other = desk.open_ticket("A second one that nothing was drafted for")
    store.inbox.put(NAME, "d-2", other)
    worker = Worker(store, zendesk, broken, settings.plugin)
    assert worker.step()
    assert worker.step()
    rows = {row["ticket_id"]: (row["status"], row["error"]) for row in store.rows("select * from inbox")}
    assert rows == {other: ("waiting", "ValueError"), ticket_id: ("done", None)}
    assert "deniz" not in caplog.text


def test_a_ticket_that_a_bug_fails_on_is_given_up_soon(
    store: Store, zendesk: Zendesk, settings: Settings, desk: Any
) -> None:
    def broken() -> Predictor:
        raise ValueError

    store.inbox.put(NAME, "d-1", desk.open_ticket())
    assert len(work_off(Worker(store, zendesk, broken, settings.plugin), store)) == MAX_ATTEMPTS - 1
    assert job(store)["status"] == "dead"


# ---- the loop


def test_the_loop_works_the_inbox_off_and_ends_when_it_is_told_to(
    worker: Worker, store: Store, desk: Any, ticket_id: str
) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 10
    while job(store)["status"] != "done" and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert (job(store)["status"], len(desk.notes(ticket_id))) == ("done", 1)
