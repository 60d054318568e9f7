"""What is better is measured, with its uncertainty, and the cheapest way that is as good as any is named."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ModelError
from connectors.store.examples import Example
from connectors.store.passages import Passage
from trainer.drafting import ARMS, Evidence
from trainer.evaluate import (
    ReplyScore,
    RouteScore,
    effort,
    interval,
    judge,
    read_report,
    score_replies,
    score_routes,
)
from trainer.retrieve import Hit
from trainer.router import Router, train_router
from trainer.writer import Writer

BETTER, WORSE, UNSURE = (-0.2, -0.1), (0.1, 0.2), (-0.1, 0.1)


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


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        low, high = interval(rng.beta(2.0, 3.0, size=60))
        hits += low <= 0.4 <= high
    assert 178 <= hits <= 198  # 95% of 200 is 190


def test_the_interval_is_narrower_with_more_tickets_and_the_same_for_the_same_data() -> None:
    values = np.random.default_rng(5).random(400)
    (low, high), (few_low, few_high) = interval(values), interval(values[:40])
    assert low < values.mean() < high
    assert high - low < 0.5 * (few_high - few_low)
    assert interval(values) == (low, high)
    assert interval(np.zeros(7)) == (0.0, 0.0)


def route(arm: str, accuracy: float, versus_best: tuple[float, float]) -> RouteScore:
    return RouteScore(arm, 60, accuracy, accuracy, 0.05, versus_best)


def reply(arm: str, effort: float, versus_best: tuple[float, float]) -> ReplyScore:
    return ReplyScore(arm, 48, effort, (effort - 0.05, effort + 0.05), versus_best, 40.0, 0.1, 0.5, 1.0)


ROUTES = [route("majority", 0.2, (-0.6, -0.4)), route("tfidf", 0.7, (-0.1, 0.02)), route("encoder", 0.74, (0.0, 0.0))]


@pytest.mark.parametrize(
    ("versus_best", "chosen"),
    [
        ({"tuned_retrieval": (0.0, 0.0)}, "tuned_retrieval"),
        ({"tuned_retrieval": (0.0, 0.0), "tuned": UNSURE}, "tuned"),
        ({"retrieval": UNSURE, "tuned_retrieval": (0.0, 0.0)}, "retrieval"),
        ({"nearest": (0.0, 0.3), "retrieval": UNSURE, "tuned": (0.0, 0.0)}, "nearest"),
        ({"prompt_only": (0.0, 0.0)}, "prompt_only"),
    ],
)
def test_the_cheapest_reply_arm_that_is_not_surely_worse_is_recommended_and_named(
    versus_best: dict[str, tuple[float, float]], chosen: str
) -> None:
    scores = [reply(arm, 0.6 - 0.05 * cost, versus_best.get(arm, WORSE)) for cost, arm in enumerate(ARMS)]
    report = judge(ROUTES, scores)
    assert report.reply_arm == chosen
    pays = "Fine-tuning pays here" in report.verdict
    assert pays == chosen.startswith("tuned")
    assert ("You do not need fine-tuning" in report.verdict) != pays
    effort = next(score.effort for score in scores if score.arm == chosen)
    assert f"{effort:.0%} of a reply to be changed" in report.verdict
    assert report.replies == tuple(scores)


def test_the_verdict_names_the_arm_and_what_it_was_compared_with() -> None:
    replies = [reply(arm, effort, WORSE) for arm, effort in zip(ARMS, (0.66, 0.61, 0.52, 0.49, 0.41), strict=True)]
    replies[-1] = dataclasses.replace(replies[-1], versus_best=(0.0, 0.0))
    verdict = judge(ROUTES, replies).verdict
    assert "the fine-tuned model with retrieved articles and tickets leaves 41%" in verdict
    assert "52% (the base model with retrieved articles and tickets)" in verdict
    assert "Routing by 'tfidf' is right for 70% of 60 newer tickets" in verdict


@pytest.mark.parametrize(
    ("versus_best", "chosen"),
    [
        ([(-0.6, -0.4), (-0.1, 0.0), (0.0, 0.0)], "tfidf"),
        ([(-0.6, -0.4), (-0.2, -0.01), (0.0, 0.0)], "encoder"),
        ([(-0.6, 0.1), (-0.2, -0.01), (0.0, 0.0)], "majority"),
    ],
)
def test_the_cheapest_route_arm_that_is_not_surely_worse_is_recommended(
    versus_best: list[tuple[float, float]], chosen: str
) -> None:
    routes = [dataclasses.replace(score, versus_best=one) for score, one in zip(ROUTES, versus_best, strict=True)]
    assert judge(routes, [reply(arm, 0.5, (0.0, 0.0)) for arm in ARMS]).route_arm == chosen


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    report = judge(ROUTES, [reply(arm, 0.5, (0.0, 0.0)) for arm in ARMS])
    (tmp_path / "report.json").write_text(json.dumps(report.as_dict() | {"training": {"seconds": 1}}))
    assert read_report(tmp_path) == report


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"routes": [{}], "replies": []}', '{"routes": 1}'])
def test_a_report_that_cannot_be_read_is_an_error_that_says_so(tmp_path: Path, content: str) -> None:
    with pytest.raises(ModelError, match="no evaluation"):
        read_report(tmp_path)
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(ModelError, match="cannot be read"):
        read_report(tmp_path)


WORDS = {"2101": "parcel late tracking scan", "2104": "invoice payment vat refund", "2105": "return label shop code"}


def tickets(count: int, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    labels = [str(rng.choice(list(WORDS))) for _ in range(count)]
    return [" ".join(rng.choice(WORDS[label].split(), 3)) + f" {seed} hello" for label in labels], labels


@pytest.fixture(scope="module")
def routers() -> dict[str, Router]:
    texts, labels = tickets(60, 1)
    return {arm: train_router(arm, texts, labels) for arm in ("majority", "tfidf")}


def test_routes_are_scored_on_what_the_team_did(routers: dict[str, Router]) -> None:
    texts, labels = tickets(40, 2)
    majority, tfidf = score_routes(routers, texts, labels, {})
    assert (majority.arm, tfidf.arm, tfidf.tickets) == ("majority", "tfidf", 40)
    assert tfidf.accuracy == tfidf.macro_f1 == 1.0
    most = max(set(labels), key=labels.count)
    guess = routers["majority"].classes[int(routers["majority"].probabilities(["x"])[0].argmax())]
    assert majority.accuracy == pytest.approx(labels.count(guess) / 40)
    assert guess in (most, *WORDS)
    assert majority.versus_best[1] < 0
    assert tfidf.versus_best == (0.0, 0.0)


def test_a_group_that_the_router_never_saw_counts_as_wrong(routers: dict[str, Router]) -> None:
    texts, labels = tickets(40, 2)
    scores = score_routes(routers, texts, ["2199" if label == "2104" else label for label in labels], {})
    assert scores[1].accuracy == pytest.approx(1 - labels.count("2104") / 40)


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
    scores, drafts = score_replies(
        judged, evidence, writer, max_prompt_tokens=400, progress=lambda arm, count: done.append((arm, count))
    )
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
    assert judge([ROUTES[-1]], scores).reply_arm == "nearest"


def test_a_draft_with_a_fact_from_nowhere_is_counted(example: Callable[..., Example], parrot: Any) -> None:
    judged = [example(number, question=one, reply=parrot.reply) for number, one in enumerate(parrot.conversations)]
    writer = Writer(parrot.model, parrot.tokenizer, max_tokens=30)
    evidence = [Evidence((), ())] * len(judged)
    (base, tuned), drafts = score_replies(
        judged, evidence, writer, max_prompt_tokens=600, arms=("prompt_only", "tuned")
    )
    assert {one.text for one in drafts["tuned"]} == {parrot.reply}
    assert (tuned.effort, tuned.unsupported_share) == (0, 1)
    assert tuned.chrf == pytest.approx(100)
    assert base.effort > 0.9
    assert base.versus_best[0] > 0.9
