"""Reply arms are scored against what the team sent, as they would be shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.records import User
from connectors.store.examples import Example
from connectors.store.passages import Passage
from trainer.evaluation.replies import (
    Trial,
    _controls,
    bits_per_word,
    effort,
    samples_of,
    score_replies,
    try_arms,
    verdicts,
)
from trainer.privacy.leaks import People
from trainer.replies.drafting import ARMS, Drafted, Evidence
from trainer.replies.guard import Guard
from trainer.replies.writer import Writer
from trainer.retrieval.retriever import Hit

NOBODY = Guard(min_similarity=0.1)


def letters(texts: Sequence[str]) -> Any:
    """An encoder that counts letters: enough to tell texts apart."""
    counts = np.asarray([[text.lower().count(chr(97 + at)) + 0.01 for at in range(26)] for text in texts], np.float32)
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("draft", "sent", "share"),
    [
        ("We deliver it on Friday.", "We deliver it on Friday.", 0.0),
        ("We  deliver it\non Friday.", "We deliver it on Friday.", 0.0),
        ("", "", 0.0),
        ("one two three", "four five six", 1.0),
        ("", "We deliver it.", 1.0),
        ("We deliver it on Friday .", "We deliver it on Monday .", 1 / 6),
        ("one two", "one two three four", 0.5),
        ("on [date] we come", "on Friday we come", 0.25),
        ("Hi {{first_name}}, yes", "Hi {{first_name}}, no", 0.25),
        ("Hi {{reference_1}}, yes", "Hi {{first_name}}, yes", 0.25),
    ],
)
def test_effort_is_the_share_of_words_to_be_changed(draft: str, sent: str, share: float) -> None:
    assert effort(draft, sent) == pytest.approx(share)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab .[]", max_size=40), st.text(alphabet="ab .[]", max_size=40))
def test_effort_is_a_share_and_the_same_both_ways(one: str, other: str) -> None:
    assert 0 <= effort(one, other) <= 1
    assert effort(one, other) == effort(other, one)
    assert effort(one, one) == 0


def hit(passage: Passage) -> Hit:
    return Hit(passage, 0.7, 0.03)


def test_replies_are_scored_against_what_the_team_sent(example: Callable[..., Example], tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    judged = [
        example(number, reply=f"Hi {{{{first_name}}}}, it costs €6.50, on {number + 3} April.") for number in range(4)
    ]
    evidence = [
        Evidence(
            (hit(Passage("article", "900", 0, "Prices", "A parcel costs €6.50.")),),
            (hit(Passage("ticket", f"9{one.ticket_id}", 0, "", one.question, reply=one.reply.replace("Hi", "Dag"))),),
        )
        for one in judged
    ]
    evidence[3] = Evidence((), ())
    done: list[tuple[str, int]] = []
    writer = Writer(model, tokenizer, max_tokens=12)
    trials = try_arms(
        judged, evidence, writer, max_prompt_tokens=400, progress=lambda arm, count: done.append((arm, count))
    )
    scores = score_replies(judged, evidence, trials, embed=letters, guard=NOBODY)
    drafts = {arm: trial.drafts for arm, trial in trials.items()}
    assert [score.arm for score in scores] == list(ARMS)
    nearest, *others = scores
    assert [one.text for one in drafts["nearest"]] == ["Dag {{first_name}}, it costs €6.50, on [date]."] * 3 + [""]
    # 'Hi {{first_name}}, it costs €6.50, on 3 April.' has 14 words, of which three differ, and the last draft is empty.
    assert nearest.effort == pytest.approx((3 * (3 / 14) + 1) / 4)
    assert nearest.effort_interval[0] <= nearest.effort <= nearest.effort_interval[1]
    assert nearest.versus_best == (0.0, 0.0)
    assert (nearest.seconds, nearest.unsupported_share) == (0, 0)
    assert nearest.blanks == pytest.approx(3 / 4)
    assert 30 < nearest.chrf < 100
    assert all(score.versus_best[0] > 0 and score.seconds > 0 for score in others)
    assert [arm for arm, count in done if count == 4] == list(ARMS[1:])
    assert (nearest.bits_per_word, nearest.silent_share) == (None, 1 / 4)
    assert all(score.bits_per_word is not None and score.bits_per_word > 1 for score in others)
    # The same facts and half the words: the cut ones are all there.
    assert nearest.effort_cut < nearest.effort
    assert nearest.similarity > nearest.similarity_control - 0.01
    samples = samples_of(judged, trials)
    assert [sample.ticket_id for sample in samples] == [one.ticket_id for one in judged]
    assert samples[0].drafts["nearest"] == drafts["nearest"][0].text
    assert samples[3].efforts["nearest"] == 1


def test_a_fact_from_nowhere_is_a_blank_in_what_is_shown(example: Callable[..., Example], parrot: Any) -> None:
    judged = [example(number, question=one, reply=parrot.reply) for number, one in enumerate(parrot.conversations)]
    writer = Writer(parrot.model, parrot.tokenizer, max_tokens=30)
    evidence = [Evidence((), ())] * len(judged)
    trials = try_arms(judged, evidence, writer, max_prompt_tokens=600, arms=("prompt_only", "tuned"))
    base, tuned = score_replies(judged, evidence, trials, embed=letters, guard=NOBODY)
    assert {one.draft.text for one in trials["tuned"].drafts if one.draft} == {parrot.reply}
    assert {one.text for one in trials["tuned"].drafts} == {"It costs [amount] in Tilburg."}
    assert (tuned.invented_share, tuned.unsupported_share, tuned.blanks) == (1, 0, 1)
    assert 0 < tuned.effort < 0.3
    assert base.effort > 0.9
    assert base.versus_best[0] > 0.5
    # It knows the reply by heart: next to nothing is left to be told.
    assert base.bits_per_word is not None
    assert tuned.bits_per_word is not None
    assert tuned.bits_per_word < 0.5 < base.bits_per_word


def test_silence_is_counted_as_serving_would_be_silent(example: Callable[..., Example]) -> None:
    asked = "Subject: A lamp\n\nCustomer: mail me at zoe@mail.example"
    turns = [example(number, question=asked) for number in range(5)]
    article = Passage("article", "900", 0, "Contact", "Write to help@desk.example.")
    texts = [
        "Hi {{first_name}}, we write to zoe@mail.example from help@desk.example.",
        "We write to kofi@mail.example.",
        "Dear Kofi Mensah, soon.",
        "",
        "It comes soon.",
    ]
    drafts = [Drafted(text, (article,)) for text in texts]
    evidence = [Evidence((hit(article),), ())] * 5
    guard = Guard(People([User("1", "Kofi Mensah", "kofi@mail.example", "requester")]), max_effort=0.5)
    predicted = np.asarray([0.5, 0.1, 0.1, 0.1, 0.51])
    found = verdicts(turns, evidence, drafts, guard, predicted)
    assert [one.silence for one in found] == ["", "leak", "", "empty", "unsure"], "a name is blanked, the rest is shown"
    assert [one.leaks for one in found] == [(), ("email",), ("person",), (), ()]
    assert [one.silence for one in verdicts(turns, evidence, drafts, guard)][4] == "", (
        "nothing predicted, nothing unsure"
    )
    far = dataclasses.replace(guard, min_similarity=0.71)
    assert {one.silence for one in verdicts(turns, evidence, drafts, far)} == {"no_similar", "empty"}
    trials = {"nearest": Trial("nearest", tuple(drafts), np.zeros(5), None)}
    (score,) = score_replies(turns, evidence, trials, embed=letters, guard=guard, predicted={"nearest": predicted})
    assert (score.silent_share, score.leak_share) == (3 / 5, 2 / 5)


def test_a_control_is_another_reply_of_like_length() -> None:
    sent = ["word " * (5 + 3 * number) for number in range(40)]
    found = _controls(sent)
    assert all(index != number for number, index in enumerate(found))
    assert max(abs(int(index) - number) for number, index in enumerate(found)) <= 11
    assert list(_controls(sent)) == list(found)
    assert list(_controls(["alone"])) == [0]


def test_words_and_marks_are_counted() -> None:
    assert bits_per_word(np.asarray([10.0, 20.0]), ["It is here.", "No."]) == pytest.approx(30 / 6)
    assert bits_per_word(np.asarray([]), []) == 0
