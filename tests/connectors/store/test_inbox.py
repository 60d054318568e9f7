"""The inbox: nothing is lost, nothing is worked on twice at a time, and a burst gets one answer."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.records import Ticket
from connectors.store.database import Store
from connectors.store.inbox import Job

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
    store: Store, clock: Clock, steps: list[tuple[str, object]]
) -> None:
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
