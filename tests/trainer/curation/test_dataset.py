"""The split: what judges is newer than, and unlike, everything that was learned from."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz

from connectors.errors import NotEnoughDataError
from connectors.settings import TrainerSettings
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.curation.dataset import NEAR_DUPLICATE, Split, split_by_time, split_of

DESK = "zendesk"
Make = Callable[..., Example]


def split(examples: list[Example], *, eval_share: float = 0.25, max_train_tickets: int = 0) -> Split:
    return split_by_time(examples, eval_share=eval_share, min_examples=10, max_train_tickets=max_train_tickets)


def holds(found: Split, examples: list[Example]) -> None:
    """What is true of every split."""
    assert max(one.created_at for one in found.train) < found.at <= min(one.created_at for one in found.evaluation)
    assert not found.train_tickets & {one.ticket_id for one in found.evaluation}
    assert not {one.requester_id for one in found.train} & {one.requester_id for one in found.evaluation}
    for one in found.evaluation:
        assert all(fuzz.ratio(one.question, known.question) < NEAR_DUPLICATE for known in found.train)
    newer = [one for one in examples if one.created_at >= found.at]
    assert len(found.evaluation) + found.left_out == len(newer)


def test_the_sample_companys_split_is_clean(examples: list[Example]) -> None:
    found = split_by_time(examples, eval_share=0.2, min_examples=40)
    holds(found, examples)
    assert 0.15 < len(found.evaluation) / len(examples) < 0.25
    assert len(found.train) > 300


tickets = st.lists(
    st.tuples(
        st.integers(0, 30),  # hour
        st.integers(0, 40),  # customer
        st.integers(0, 60),  # question
        st.integers(1, 3),  # answered turns
    ),
    min_size=12,
    max_size=40,
)
QUESTIONS = [" ".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz", k=60)) for seed in range(61)]


def turns_of(example: Make, rows: list[tuple[int, int, int, int]]) -> list[Example]:
    """The examples of tickets that are given as `tickets` draws them."""
    return [
        example(
            number,
            comment_id=f"{number}-{turn}",
            turn=turn,
            created_at=f"2026-04-{1 + hour // 24:02d}T{hour % 24:02d}:00:00Z",
            requester_id=f"r{customer}",
            question=QUESTIONS[question] + f" {turn}",
        )
        for number, (hour, customer, question, turns) in enumerate(rows)
        for turn in range(turns)
    ]


@settings(max_examples=80, deadline=None)
@given(tickets, st.floats(0.05, 0.45), st.integers(0, 20), st.randoms())
def test_no_newer_ticket_no_training_customer_and_no_twin_gets_to_the_wrong_side(
    example: Make, rows: list[tuple[int, int, int, int]], share: float, most: int, shuffle: random.Random
) -> None:
    examples = turns_of(example, rows)
    try:
        found = split(examples, eval_share=share, max_train_tickets=most)
    except NotEnoughDataError:
        reject()
    holds(found, examples)
    if most:
        assert len(found.train_tickets) <= most
    shuffle.shuffle(examples)
    again = split(examples, eval_share=share, max_train_tickets=most)
    assert (again.train, again.at, again.data_hash) == (found.train, found.at, found.data_hash)


def test_the_share_counts_tickets_not_turns(example: Make) -> None:
    examples = [example(number, comment_id=f"{number}-{turn}", turn=turn) for number in range(20) for turn in range(3)]
    found = split([dataclasses.replace(one, question=QUESTIONS[int(one.ticket_id)]) for one in examples])
    assert len(found.train_tickets) == 15
    assert len({one.ticket_id for one in found.evaluation}) == 5


def many(example: Make, count: int = 20) -> list[Example]:
    return [example(number, question=QUESTIONS[number]) for number in range(count)]


def test_the_threads_of_a_training_customer_do_not_judge(example: Make) -> None:
    examples = many(example)
    examples[18] = dataclasses.replace(examples[18], requester_id="r3")
    found = split(examples)
    assert [one.ticket_id for one in found.evaluation] == ["15", "16", "17", "19"]
    assert found.left_out == 1


def test_a_near_duplicate_of_a_training_ticket_does_not_judge(example: Make) -> None:
    examples = many(example)
    examples[16] = dataclasses.replace(examples[16], question=QUESTIONS[2][:-2] + "!!")
    found = split(examples)
    assert [one.ticket_id for one in found.evaluation] == ["15", "17", "18", "19"]


def test_what_was_sent_as_drafted_does_not_judge_and_is_trained_on(example: Make) -> None:
    examples = many(example)
    examples[-1] = dataclasses.replace(examples[-1], weight_reason="sent as Deskhand had drafted it")
    examples[0] = dataclasses.replace(examples[0], weight_reason="sent as Deskhand had drafted it")
    found = split(examples)
    assert examples[-1] not in found.evaluation
    assert examples[0] in found.train
    assert (len(found.evaluation), found.left_out) == (4, 1)


def test_the_newest_training_tickets_are_taken_where_there_is_a_limit(example: Make) -> None:
    found = split(many(example), max_train_tickets=4)
    assert [one.ticket_id for one in found.train] == ["11", "12", "13", "14"]
    assert len(found.evaluation) == 5


def test_the_hash_changes_with_what_is_trained_on_and_with_nothing_else(example: Make) -> None:
    examples = many(example)
    before = split(examples).data_hash
    for changed in ({"reply": "Other"}, {"question": "Other words altogether"}, {"weight": 2.0}):
        assert split([dataclasses.replace(examples[0], **changed), *examples[1:]]).data_hash != before
    assert split([*examples[:19], dataclasses.replace(examples[19], reply="Other")]).data_hash == before


def test_too_few_examples_are_refused_with_what_to_do(example: Make) -> None:
    with pytest.raises(NotEnoughDataError, match="9 good examples, 10 are needed") as caught:
        split(many(example, 9))
    assert "deskhand" in caught.value.hint


def test_tickets_of_one_moment_cannot_be_split(example: Make) -> None:
    with pytest.raises(NotEnoughDataError, match="one moment"):
        split([dataclasses.replace(one, created_at="2026-04-01T00:00:00Z") for one in many(example)])


def test_a_split_that_leaves_nothing_to_judge_by_is_refused_before_the_training(example: Make) -> None:
    one_customer = [dataclasses.replace(one, requester_id="r1") for one in many(example)]
    with pytest.raises(NotEnoughDataError, match="can judge"):
        split(one_customer)


# ---- twins by turn


def test_a_twin_in_one_turn_keeps_the_whole_ticket_from_judging(example: Make) -> None:
    examples = many(example)
    asked = "Where is the box with the four cups that should have come to Ghent on Monday"
    examples[2] = dataclasses.replace(examples[2], question=f"Subject: A\n\nCustomer: {asked}?")
    later = f"Subject: B\n\nCustomer: {asked}!\n\nAgent: In Ghent.\n\nCustomer: {QUESTIONS[40]}"
    turns = [example(16, comment_id=f"16-{turn}", turn=turn, question=later) for turn in (1, 2)]
    found = split([*examples[:16], *turns, *examples[17:]])
    assert [one.ticket_id for one in found.evaluation] == ["15", "17", "18", "19"]
    assert found.left_out == 2


# ---- the frozen evaluation set


def frozen_split(examples: list[Example], frozen: set[str], **changes: Any) -> Split:
    values: dict[str, Any] = {"eval_share": 0.25, "min_examples": 10, "max_train_tickets": 0}
    return split_by_time(examples, **(values | changes), frozen=frozen)


def test_frozen_tickets_judge_however_old_and_newer_ones_come_on_top(example: Make) -> None:
    found = frozen_split(many(example), {"3", "7"})
    assert [one.ticket_id for one in found.evaluation] == ["3", "7", "15", "16", "17", "18", "19"]
    assert found.frozen == {"3", "7"}
    assert "3" not in found.train_tickets
    assert len(found.train) == 13


def test_who_is_like_a_frozen_ticket_is_not_trained_on(example: Make) -> None:
    examples = many(example)
    examples[4] = dataclasses.replace(examples[4], requester_id="r3")
    examples[5] = dataclasses.replace(examples[5], question=QUESTIONS[3][:-2] + "!!")
    found = frozen_split(examples, {"3"})
    assert not found.train_tickets & {"3", "4", "5"}
    assert found.left_out == 2


def test_a_frozen_ticket_that_curation_no_longer_keeps_is_no_trouble(example: Make) -> None:
    assert frozen_split(many(example), {"404"}).frozen == frozenset()


@settings(max_examples=60, deadline=None)
@given(tickets, st.sets(st.integers(0, 39), max_size=8), st.floats(0.05, 0.45), st.integers(0, 20))
def test_nothing_frozen_or_like_it_is_ever_trained_on(
    example: Make, rows: list[tuple[int, int, int, int]], frozen: set[int], share: float, most: int
) -> None:
    examples = turns_of(example, rows)
    ids = {str(number) for number in frozen}
    try:
        found = frozen_split(examples, ids, eval_share=share, max_train_tickets=most)
    except NotEnoughDataError:
        reject()
    assert not found.train_tickets & ids
    assert {one.ticket_id for one in examples if one.ticket_id in ids} == found.frozen
    assert found.frozen <= {one.ticket_id for one in found.evaluation}
    assert not {one.requester_id for one in found.train} & {one.requester_id for one in found.evaluation}
    for one in found.evaluation:
        assert all(fuzz.ratio(one.question, known.question) < NEAR_DUPLICATE for known in found.train)
    assert all(one.created_at >= found.at for one in found.evaluation if one.ticket_id not in ids)
    assert len(found.train) + len(found.evaluation) + found.left_out <= len(examples)


def stored_split(store: Store) -> Split:
    return split_of(store, DESK, TrainerSettings(eval_share=0.25, min_examples=10))


def test_the_first_training_freezes_and_later_ones_keep_away(empty_store: Store, example: Make) -> None:
    assert empty_store.examples.frozen(DESK) == frozenset()
    empty_store.examples.replace(DESK, many(example))
    first = stored_split(empty_store)
    judges = {one.ticket_id for one in first.evaluation}
    assert empty_store.examples.frozen(DESK) == judges == {"15", "16", "17", "18", "19"}
    # The same data again: nothing moves.
    again = stored_split(empty_store)
    assert (again.train, again.evaluation, again.data_hash) == (first.train, first.evaluation, first.data_hash)
    # A month later: the frozen ones are old by now, and are still not trained on.
    empty_store.examples.replace(DESK, many(example, 40))
    later = stored_split(empty_store)
    assert later.train_tickets == {str(number) for number in range(30)} - judges
    assert {one.ticket_id for one in later.evaluation} == judges | {str(number) for number in range(30, 40)}
    assert empty_store.examples.frozen(DESK) == judges, "frozen once"


def test_a_split_that_fails_freezes_nothing(empty_store: Store, example: Make) -> None:
    empty_store.examples.replace(DESK, many(example, 5))
    with pytest.raises(NotEnoughDataError):
        stored_split(empty_store)
    assert empty_store.examples.frozen(DESK) == frozenset()


def test_a_split_takes_seconds_where_all_pairs_would_take_hours(example: Make) -> None:
    rng = random.Random(3)
    words = [f"{a}{b}{c}" for a in "bdfgklmnp" for b in "aeiou" for c in "nrst"]
    examples = [
        example(
            number,
            created_at=f"{2020 + number // 3000}-01-01T{number % 3000:07d}Z",
            question=" ".join(rng.choices(words, k=60)),
        )
        for number in range(9000)
    ]
    started = time.process_time()
    found = split(examples)
    assert len(found.train) + len(found.evaluation) == 9000
    assert time.process_time() - started < 20
