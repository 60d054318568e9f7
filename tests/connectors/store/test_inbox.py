"""The inbox: nothing is lost, nothing is worked on twice at a time, and a burst gets one answer."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.clock import from_epoch
from connectors.records import Ticket
from connectors.store.database import Store
from connectors.store.inbox import MAX_DEATHS, Job, WorkerState

DESK = "zendesk"


@dataclass
class Clock:
    """The inbox's present, moved by hand."""

    now_s: float = 1_000_000.0

    def time(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("connectors.store.inbox.time", clock)
    return clock


def take(store: Store, owner: str = "w1", lease_s: float = 60) -> Job:
    job = store.inbox.claim(owner, lease_s=lease_s)
    assert job is not None
    return job


def test_a_delivery_that_comes_twice_is_kept_once(store: Store) -> None:
    assert store.inbox.put(DESK, "d1", "7")
    assert not store.inbox.put(DESK, "d1", "7")
    assert store.inbox.put("other", "d1", "7"), "another helpdesk numbers for itself"
    assert store.inbox.counts() == {"waiting": 2, "leased": 0, "done": 0, "dead": 0}


def test_an_empty_inbox_has_nothing_to_do(store: Store) -> None:
    assert store.inbox.claim("w1", lease_s=60) is None


def test_a_job_goes_from_waiting_to_done(store: Store) -> None:
    store.inbox.put(DESK, "d1", "7")
    assert store.inbox.open_for(DESK, "7")
    job = take(store)
    assert (job.helpdesk, job.ticket_id, job.attempts) == (DESK, "7", 1)
    assert store.inbox.open_for(DESK, "7")
    assert store.inbox.finish(job, "w1")
    assert not store.inbox.open_for(DESK, "7")
    assert store.inbox.claim("w1", lease_s=60) is None
    assert not store.inbox.put(DESK, "d1", "7"), "it is known even when done"


def test_the_newest_ticket_comes_first(store: Store) -> None:
    for number in "123":
        store.inbox.put(DESK, f"d{number}", number)
    assert [take(store).ticket_id for _ in range(3)] == ["3", "2", "1"]


def test_a_burst_on_one_ticket_gets_one_answer(store: Store) -> None:
    for number in range(3):
        store.inbox.put(DESK, f"d{number}", "7")
    store.inbox.put(DESK, "d8", "8")
    store.inbox.put("other", "d9", "7")
    jobs = [take(store) for _ in range(3)]
    assert sorted((job.helpdesk, job.ticket_id) for job in jobs) == [("other", "7"), (DESK, "7"), (DESK, "8")]
    assert store.inbox.claim("w1", lease_s=60) is None
    assert all(store.inbox.finish(job, "w1") for job in jobs)
    assert store.inbox.counts()["done"] == 5


def test_what_comes_in_while_its_ticket_is_worked_on_waits_for_the_end(store: Store) -> None:
    store.inbox.put(DESK, "d1", "7")
    job = take(store, "w1")
    store.inbox.put(DESK, "d2", "7")
    assert store.inbox.claim("w2", lease_s=60) is None, "no ticket is worked on twice at a time"
    store.inbox.finish(job, "w1")
    assert take(store, "w2").ticket_id == "7"


def test_a_lease_that_ran_out_is_taken_again(store: Store, clock: Clock) -> None:
    store.inbox.put(DESK, "d1", "7")
    first = take(store, "w1", lease_s=60)
    clock.now_s += 59
    assert store.inbox.claim("w2", lease_s=60) is None
    clock.now_s += 2
    second = take(store, "w2")
    assert (second.id, second.attempts) == (first.id, 2)
    assert not store.inbox.finish(first, "w1"), "who lost the lease hears of it"
    assert store.inbox.counts()["leased"] == 1
    assert store.inbox.finish(second, "w2")


def test_who_lost_the_lease_can_neither_put_the_job_back_nor_bury_it(store: Store, clock: Clock) -> None:
    store.inbox.put(DESK, "d1", "7")
    first = take(store, "w1")
    clock.now_s += 61
    second = take(store, "w2")
    store.inbox.retry(first, "w1", delay_s=0, error="late")
    store.inbox.bury(first, "w1", error="late")
    assert store.inbox.counts() == {"waiting": 0, "leased": 1, "done": 0, "dead": 0}
    assert store.inbox.finish(second, "w2")


def test_a_lost_lease_is_not_taken_for_a_later_one_of_the_same_owner(store: Store, clock: Clock) -> None:
    store.inbox.put(DESK, "d1", "7")
    first = take(store, "w1")
    clock.now_s += 61
    second = take(store, "w1")
    assert not store.inbox.finish(first, "w1")
    assert store.inbox.finish(second, "w1")


def test_a_lease_that_ran_out_is_answered_together_with_what_came_since(store: Store, clock: Clock) -> None:
    store.inbox.put(DESK, "d1", "7")
    lost = take(store, "w1")
    store.inbox.put(DESK, "d2", "7")
    clock.now_s += 61
    job = take(store, "w2")
    assert job.id > lost.id
    assert store.inbox.claim("w3", lease_s=60) is None
    assert not store.inbox.finish(lost, "w1")
    assert store.inbox.finish(job, "w2")
    assert store.inbox.counts()["done"] == 2


def test_a_retry_waits_as_long_as_it_was_told(store: Store, clock: Clock) -> None:
    store.inbox.put(DESK, "d1", "7")
    store.inbox.retry(take(store), "w1", delay_s=30, error="a rate limit")
    clock.now_s += 29
    assert store.inbox.claim("w1", lease_s=60) is None
    assert store.inbox.open_for(DESK, "7")
    clock.now_s += 2
    assert take(store).attempts == 2


def test_what_was_given_up_is_there_for_a_person_to_see(store: Store) -> None:
    for number in range(3):
        store.inbox.put(DESK, f"d{number}", str(number))
        store.inbox.bury(take(store), "w1", error=f"reason {number}")
    assert [(one.ticket_id, one.attempts, one.error) for one in store.inbox.dead(limit=2)] == [
        ("2", 1, "reason 2"),
        ("1", 1, "reason 1"),
    ]
    assert store.inbox.counts()["dead"] == 3
    assert store.inbox.claim("w1", lease_s=60) is None


def test_a_ticket_says_why_it_was_given_up_until_something_newer_comes(store: Store) -> None:
    assert store.inbox.failed_for(DESK, "7") == ""
    store.inbox.put(DESK, "d1", "7")
    store.inbox.bury(take(store), "w1", error="the model is missing")
    assert store.inbox.failed_for(DESK, "7") == "the model is missing"
    assert store.inbox.failed_for(DESK, "8") == store.inbox.failed_for("other", "7") == ""
    store.inbox.put(DESK, "d2", "7")
    assert store.inbox.failed_for(DESK, "7") == ""


def test_claimers_at_the_same_time_never_get_the_same_row(store: Store) -> None:
    for number in range(40):
        store.inbox.put(DESK, f"d{number}", str(number))
    got: list[list[int]] = [[], [], [], []]
    start = threading.Barrier(len(got))

    def work(number: int) -> None:
        with Store(store.path) as own:
            start.wait()
            while job := own.inbox.claim(f"w{number}", lease_s=60):
                got[number].append(job.id)
                if job.id % 2:
                    own.inbox.finish(job, f"w{number}")

    workers = [threading.Thread(target=work, args=(number,)) for number in range(len(got))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(itertools.chain(*got)) == [row["id"] for row in store.rows("select id from inbox order by id")]
    assert store.inbox.counts() == {"waiting": 0, "leased": 20, "done": 20, "dead": 0}


STEPS = st.lists(
    st.tuples(st.just("put"), st.sampled_from("123"))
    | st.tuples(st.just("claim"), st.sampled_from(["w1", "w2"]))
    | st.tuples(st.sampled_from(["finish", "retry"]), st.integers(0, 5))
    | st.tuples(st.just("wait"), st.sampled_from([10, 100])),
    max_size=25,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_happens_no_ticket_is_lost_or_worked_on_twice(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, object]]
) -> None:
    monkeypatch.setattr("connectors.store.inbox.MAX_DEATHS", 1000)  # giving up is tested below
    held: list[tuple[Job, str, float]] = []  # with the moment at which the lease ends
    with store.transaction():  # one commit an example; claims from other connections are tested above
        store.execute("delete from inbox")
        served: dict[str, int] = dict.fromkeys("123", 0)  # the newest row that a finished job answered
        newest = dict(served)
        for step, value in steps:
            if step == "put":
                store.inbox.put(DESK, f"d{len(list(store.rows('select 1 from inbox')))}", str(value))
                newest[str(value)] = next(store.rows("select max(id) as id from inbox"))["id"]
            elif step == "claim" and (job := store.inbox.claim(str(value), lease_s=50)):
                in_time = {other.ticket_id for other, _, ends in held if ends >= clock.now_s}
                assert job.ticket_id not in in_time
                held.append((job, str(value), clock.now_s + 50))
            elif step in ("finish", "retry") and held:
                job, owner, ends = held.pop(int(str(value)) % len(held))
                if step == "retry":
                    store.inbox.retry(job, owner, delay_s=10, error="x")
                elif store.inbox.finish(job, owner):
                    served[job.ticket_id] = max(served[job.ticket_id], job.id)
                else:
                    assert ends < clock.now_s, "only a lease that ran out can be lost"
            elif step == "wait":
                clock.now_s += float(str(value))
        clock.now_s += 1000
        while job := store.inbox.claim("last", lease_s=50):
            served[job.ticket_id] = max(served[job.ticket_id], job.id)
            assert store.inbox.finish(job, "last")
    assert served == newest
    assert store.inbox.counts()["done"] == sum(store.inbox.counts().values())


# ---- workers that live long, and workers that die


def test_a_lease_that_is_renewed_does_not_run_out(store: Store, clock: Clock) -> None:
    store.inbox.put(DESK, "d1", "7")
    job = take(store, "w1", lease_s=60)
    for _ in range(5):
        clock.now_s += 50
        assert store.inbox.renew(job, "w1", lease_s=60)
        assert store.inbox.claim("w2", lease_s=60) is None
    clock.now_s += 61
    again = take(store, "w2")
    assert not store.inbox.renew(job, "w1", lease_s=60), "it hears that somebody else has it"
    assert store.inbox.finish(again, "w2")


def test_a_job_that_workers_die_on_is_given_up_after_five(store: Store, clock: Clock) -> None:
    store.inbox.put(DESK, "d1", "7")
    for number in range(MAX_DEATHS):
        assert take(store, "w1").attempts == number + 1
        clock.now_s += 61
    assert store.inbox.claim("w1", lease_s=60) is None
    (letter,) = store.inbox.dead()
    assert (letter.deaths, letter.attempts, letter.error) == (5, 5, "5 workers died on it")


def test_a_poisoned_job_does_not_keep_the_next_one_waiting(store: Store, clock: Clock) -> None:
    store.inbox.put(DESK, "d1", "7")
    store.inbox.put(DESK, "d2", "8")
    for _ in range(MAX_DEATHS):
        assert take(store, "w1").ticket_id == "8"
        clock.now_s += 61
    assert take(store, "w1").ticket_id == "7"
    assert [one.ticket_id for one in store.inbox.dead()] == ["8"]


def test_failures_that_were_survived_are_no_deaths(store: Store) -> None:
    store.inbox.put(DESK, "d1", "7")
    for _ in range(2 * MAX_DEATHS):
        store.inbox.retry(take(store), "w1", delay_s=0, error="an outage")
    assert [(one.attempts, one.deaths) for one in store.inbox.open()] == [(10, 0)]


def test_the_successor_of_a_dead_worker_hands_back_what_it_held(store: Store, clock: Clock) -> None:
    for number in "789":
        store.inbox.put(DESK, f"d{number}", number)
    held, other = take(store, "worker-1"), take(store, "worker-2")
    assert store.inbox.hand_back("worker-1", lambda attempts: 10.0 * attempts) == 1
    assert store.inbox.hand_back("worker-1", lambda _: 0) == 0
    rows = {one.ticket_id: one for one in store.inbox.open()}
    assert (rows[held.ticket_id].status, rows[held.ticket_id].error) == ("waiting", "the worker died on it")
    assert rows[other.ticket_id].status == "leased"
    assert not store.inbox.finish(held, "worker-1")
    assert take(store, "worker-1").ticket_id == "7", "not before the pause is over"
    clock.now_s += 11
    again = take(store, "worker-1")
    assert (again.id, again.attempts) == (held.id, 2)


def test_what_is_handed_back_too_often_is_given_up(store: Store) -> None:
    store.inbox.put(DESK, "d1", "7")
    for _ in range(MAX_DEATHS):
        take(store, "worker-1")
        store.inbox.hand_back("worker-1", lambda _: 0)
    assert store.inbox.counts() == {"waiting": 0, "leased": 0, "done": 0, "dead": 1}


def test_a_worker_without_work_does_not_ask_for_the_write_lock(store: Store) -> None:
    with Store(store.path) as other, other.transaction():
        started = time.monotonic()
        assert store.inbox.claim("w1", lease_s=60) is None
        assert time.monotonic() - started < 1


# ---- dead letters, and what is long done


def bury(store: Store, ticket_id: str) -> int:
    store.inbox.put(DESK, f"d-{ticket_id}", ticket_id)
    job = take(store)
    store.inbox.bury(job, "w1", error="no model")
    return job.id


def test_dead_letters_come_back_as_if_they_were_new(store: Store, clock: Clock) -> None:
    first, second = bury(store, "7"), bury(store, "8")
    assert store.inbox.statuses([first, 99]) == {first: "dead"}
    assert store.inbox.revive([first, 99]) == 1
    job = take(store)
    assert (job.id, job.attempts) == (first, 1)
    assert store.inbox.revive([first]) == 0, "what is at work is left alone"
    assert store.inbox.revive() == 1
    assert take(store).id == second
    assert store.inbox.dead() == []


def test_many_dead_letters_at_once(store: Store) -> None:
    with store.transaction():
        for number in range(1200):
            bury(store, str(number))
    ids = [one.id for one in store.inbox.dead(limit=2000)]
    assert set(store.inbox.statuses(ids).values()) == {"dead"}
    assert store.inbox.revive(ids) == 1200


def test_what_is_long_done_goes_and_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    day = 24 * 3600
    now = time.time()

    def put(delivery: str, days_ago: float) -> Job | None:
        at = now - days_ago * day
        monkeypatch.setattr("connectors.store.inbox.time.time", lambda: at)
        monkeypatch.setattr("connectors.store.inbox.clock.now", lambda: from_epoch(at))
        assert store.inbox.put(DESK, delivery, delivery)
        return store.inbox.claim("w1", lease_s=60)

    for delivery, days_ago, ends in [
        ("old-done", 31, "finish"), ("old-dead", 31, "bury"), ("old-open", 31, ""), ("new-done", 29, "finish"),
    ]:  # fmt: skip
        job = put(delivery, days_ago)
        assert job
        if ends == "finish":
            store.inbox.finish(job, "w1")
        elif ends:
            store.inbox.bury(job, "w1", error="x")
        else:
            store.inbox.retry(job, "w1", delay_s=0, error="x")
    monkeypatch.undo()
    assert store.inbox.prune(now - 30 * day) == 1
    assert {row["delivery_id"] for row in store.rows("select * from inbox")} == {"old-dead", "old-open", "new-done"}
    assert not store.inbox.put(DESK, "new-done", "new-done"), "what may still come again is known"
    assert store.inbox.put(DESK, "old-done", "old-done")


def test_pruning_goes_on_until_all_is_gone(store: Store) -> None:
    rows = [(f"d{number}", number) for number in range(1203)]
    store.many(
        """insert into inbox (helpdesk, delivery_id, ticket_id, received_at, available_at, status, attempts)
           values ('zendesk', ?, '7', '2020-01-01T00:00:00Z', ?, 'done', 1)""",
        rows,
    )
    assert store.inbox.prune(time.time() - 3600) == 1203


def test_how_many_wait_too_long(store: Store, clock: Clock) -> None:
    store.inbox.put(DESK, "d1", "7")
    store.inbox.put(DESK, "d2", "8")
    assert store.inbox.overdue(60) == 0
    clock.now_s += 61
    store.inbox.retry(take(store), "w1", delay_s=0, error="x")
    assert store.inbox.overdue(60) == 1


def test_workers_say_what_they_do_until_they_leave(store: Store, clock: Clock) -> None:
    def worker(name: str, ticket_id: str = "") -> WorkerState:
        return WorkerState(name, 4711, "here", "v20261124-081500", ticket_id, "2026-11-24T08:15:00Z", clock.now_s)

    store.inbox.seen(worker("worker-1"))
    store.inbox.seen(worker("worker-2", "7"))
    clock.now_s += 100
    store.inbox.seen(worker("worker-2", "8"))
    assert [(one.name, one.ticket_id) for one in store.inbox.workers()] == [("worker-1", ""), ("worker-2", "8")]
    assert [one.name for one in store.inbox.workers(within_s=60)] == ["worker-2"]
    store.inbox.left("worker-2")
    assert [one.name for one in store.inbox.workers()] == ["worker-1"]


# ---- chats


def test_chats_are_answered_before_mails(store: Store, ticket: Callable[..., Ticket]) -> None:
    store.mirror.save(DESK, [ticket("7", channel="native_messaging"), ticket("8", channel="email")])
    for number, ticket_id in enumerate(("7", "8", "9", "7", "8")):
        store.inbox.put(DESK, f"d{number}", ticket_id)
    order = []
    while job := store.inbox.claim("w1", lease_s=60):
        order.append(job.ticket_id)
        store.inbox.finish(job, "w1")
    assert order == ["7", "8", "9"]


def test_a_chat_that_is_worked_on_keeps_nobody_from_the_mails(store: Store, ticket: Callable[..., Ticket]) -> None:
    store.mirror.save(DESK, [ticket("7", channel="chat")])
    store.inbox.put(DESK, "d1", "7")
    assert take(store).ticket_id == "7"
    store.inbox.put(DESK, "d2", "7")
    store.inbox.put(DESK, "d3", "8")
    assert take(store, "w2").ticket_id == "8"


def test_a_job_is_overtaken_by_what_comes_later_on_its_ticket(store: Store) -> None:
    store.inbox.put(DESK, "d1", "7")
    job = take(store)
    store.inbox.put(DESK, "d2", "8")
    store.inbox.put("other", "d3", "7")
    assert not store.inbox.is_overtaken(job)
    store.inbox.put(DESK, "d4", "7")
    assert store.inbox.is_overtaken(job)
    store.inbox.finish(job, "w1")
    newer = take(store)
    assert newer.ticket_id == "7"
    assert not store.inbox.is_overtaken(newer)
