"""Near-duplicates: found where they are, not found where they are not, in linear time."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz

from trainer.curation.duplicates import _buckets, _signatures, bare, leaders, twins

VOCABULARY = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "lk", "mp")]
# Longer than what is said: without setting it aside, all replies of the desk would be alike.
CLOSING = (
    "Reply to this mail if anything is unclear, and have your parcel's number at hand when you call. We are here from"
    " Monday to Friday between eight and eight, on Saturdays between nine and five, and on no Sunday of the year."
    " What you send us is read by a person, and what we write is, too. Warm regards from all of us at Fernway Parcels"
    " in Rotterdam, where the rain comes from the side and the vans leave before the sun is up across the river"
)


def text(seed: int, length: int = 60) -> str:
    return " ".join(random.Random(seed).choices(VOCABULARY, k=length))


def varied(original: str, seed: int, changed: int) -> str:
    rng = random.Random(seed)
    words = original.split()
    for place in rng.sample(range(len(words)), changed):
        words[place] = rng.choice(VOCABULARY)
    return " ".join(words)


def test_slots_and_blanks_do_not_count() -> None:
    assert bare("Hi {{first_name}},\n\n  it is {{reference_1}}  in Ghent.\n") == "Hi , it is in Ghent."


def test_of_those_that_are_alike_the_first_leads() -> None:
    one, other = text(1), text(2)
    assert leaders([one, other, varied(one, 3, 1), other, varied(one, 4, 1)], 90) == [0, 1, 0, 1, 0]
    assert leaders([], 90) == []
    assert leaders(["", "ok", ""], 90) == [0, 1, 0]


def test_a_copy_of_a_copy_is_led_by_the_first() -> None:
    one = text(1)
    almost = varied(one, 2, 1)
    assert leaders([one, almost, almost], 90) == [0, 0, 0]


def test_every_twin_is_found_among_many() -> None:
    known = [f"{text(seed, 40)} {CLOSING}" for seed in range(1000)]
    asked = [f"{varied(text(number * 9, 40), number, 3)} {CLOSING}" for number in range(100)]
    strangers = [f"{text(seed, 40)} {CLOSING}" for seed in range(5000, 5100)]
    alike = {at for at, one in enumerate(asked + strangers) if max(fuzz.ratio(one, other) for other in known) >= 95}
    assert alike >= set(range(90))
    assert twins(asked + strangers, known, 95) == alike


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3)), min_size=1, max_size=25), st.sampled_from([80.0, 92.0])
)
def test_leaders_lead_themselves_and_what_they_lead_is_like_them(rows: list[tuple[int, int]], least: float) -> None:
    texts = [varied(text(seed), 100 * seed + changed, changed) for seed, changed in rows]
    found = leaders(texts, least)
    for index, leader in enumerate(found):
        assert leader <= index
        assert found[leader] == leader
        assert fuzz.ratio(texts[index], texts[leader]) >= least
    distinct = sorted(set(found))
    for index in distinct:
        assert all(fuzz.ratio(texts[index], texts[other]) < least for other in distinct if other < index)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=12), st.lists(st.integers(0, 30), max_size=12))
def test_equal_texts_are_twins(asked: list[int], known: list[int]) -> None:
    found = twins([text(seed) for seed in asked], [text(seed) for seed in known], 92)
    assert found == {index for index, seed in enumerate(asked) if seed in known}


def test_a_closing_that_all_share_does_not_make_it_quadratic() -> None:
    texts = [f"{text(seed, 25)} {CLOSING}" for seed in range(4000)]
    assert max((len(members) for members in _buckets(_signatures(texts))), default=0) < 10
    started = time.process_time()
    assert leaders(texts, 96) == list(range(4000))
    assert time.process_time() - started < 20, "all pairs would take 8 million comparisons"


def test_a_macro_in_most_texts_is_still_found() -> None:
    macro = text(7)
    texts = [macro if number % 2 else text(100 + number) for number in range(400)]
    texts += [varied(macro, number, 1) for number in range(40)]
    found = leaders(texts, 90)
    assert {found[index] for index, one in enumerate(texts) if one == macro} == {1}
    assert sum(leader == 1 for leader in found[400:]) == pytest.approx(40, abs=1)
