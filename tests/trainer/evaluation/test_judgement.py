"""The cheapest way that is as good as any is recommended, and the verdict says so to somebody who sells parcels."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import ModelError
from trainer.evaluation.judgement import FEW, duration, interval, judge, remarks
from trainer.evaluation.scores import ReplyScore, Report, RouteScore, StaleScore, read_report, write_report
from trainer.replies.drafting import ARMS

BEST, WORSE, UNSURE = (0.0, 0.0), (0.1, 0.2), (-0.1, 0.1)
Reply, Route = Callable[..., ReplyScore], Callable[..., RouteScore]


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.)\s+(?=[A-Z])", text)


@pytest.fixture(scope="module")
def routes(route: Route) -> list[RouteScore]:
    return [
        route("majority", 0.2, (-0.6, -0.4)),
        route("tfidf", 0.7, (-0.1, 0.02), coverage=0.31),
        route("encoder", 0.74),
    ]


@pytest.fixture(scope="module")
def judged(routes: list[RouteScore], reply: Reply) -> Callable[..., Report]:
    """Judges the five arms at falling effort, all surely worse than the best but those named."""

    def judged(changes: dict[str, dict[str, Any]], **more: Any) -> Report:
        scores = [
            reply(arm, **({"effort": 0.6 - 0.05 * place, "versus_best": WORSE} | changes.get(arm, {})))
            for place, arm in enumerate(ARMS)
        ]
        return judge(routes, scores, **more)

    return judged


# ---- the interval


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


# ---- which arm


@pytest.mark.parametrize(
    ("versus_best", "chosen"),
    [
        ({"tuned_retrieval": BEST}, "tuned_retrieval"),
        ({"tuned_retrieval": BEST, "tuned": UNSURE}, "tuned"),
        ({"retrieval": UNSURE, "tuned_retrieval": BEST}, "retrieval"),
        ({"nearest": (0.0, 0.3), "retrieval": UNSURE, "tuned": BEST}, "nearest"),
        ({"prompt_only": BEST}, "prompt_only"),
    ],
)
def test_the_cheapest_reply_arm_that_is_not_surely_worse_is_recommended(
    judged: Callable[..., Report], versus_best: dict[str, tuple[float, float]], chosen: str
) -> None:
    report = judged({arm: {"versus_best": one} for arm, one in versus_best.items()})
    assert report.reply_arm == chosen
    pays = "Fine-tuning pays here" in report.verdict
    assert pays == chosen.startswith("tuned")
    assert ("You do not need fine-tuning here" in report.verdict) != pays
    effort = next(score.effort for score in report.replies if score.arm == chosen)
    assert f"{effort:.0%} of a reply to be changed" in report.verdict


@pytest.mark.parametrize(
    ("versus_best", "chosen"),
    [
        ([(-0.6, -0.4), (-0.1, 0.0), BEST], "tfidf"),
        ([(-0.6, -0.4), (-0.2, -0.01), BEST], "encoder"),
        ([(-0.6, 0.1), (-0.2, -0.01), BEST], "majority"),
    ],
)
def test_the_cheapest_route_arm_that_is_not_surely_worse_is_recommended(
    routes: list[RouteScore], reply: Reply, versus_best: list[tuple[float, float]], chosen: str
) -> None:
    changed = [dataclasses.replace(score, versus_best=one) for score, one in zip(routes, versus_best, strict=True)]
    assert judge(changed, [reply(arm) for arm in ARMS]).route_arm == chosen


@pytest.mark.parametrize(
    ("risks", "chosen"),
    [
        ({}, "prompt_only"),
        ({"prompt_only": {"leak_share": 1 / 48}}, "retrieval"),
        ({"prompt_only": {"leak_share": 0.009}}, "prompt_only"),
        ({"prompt_only": {"unsupported_share": 0.06}}, "retrieval"),
        ({"prompt_only": {"unsupported_share": 0.04}}, "prompt_only"),
        # All leak alike: nothing speaks for the dearer one.
        ({arm: {"leak_share": 0.1} for arm in ARMS}, "prompt_only"),
        # One leaks, the other makes facts up: the leak weighs more.
        ({"prompt_only": {"leak_share": 0.1}, "retrieval": {"unsupported_share": 0.3}}, "retrieval"),
        # 'nearest' is surely worse: how careful it is does not matter.
        ({arm: {"leak_share": 0.1} for arm in ARMS[1:]}, "prompt_only"),
    ],
)
def test_among_equals_an_arm_that_leaks_or_makes_facts_up_is_passed_over(
    judged: Callable[..., Report], risks: dict[str, dict[str, float]], chosen: str
) -> None:
    equal = {"prompt_only": UNSURE, "retrieval": BEST}
    changes = {arm: ({"versus_best": equal[arm]} if arm in equal else {}) | risks.get(arm, {}) for arm in ARMS}
    report = judged(changes)
    assert report.reply_arm == chosen
    passed = [remark for remark in remarks(report) if "is passed over" in remark]
    assert [remark.split("'")[1] for remark in passed] == (["prompt_only"] if chosen == "retrieval" else [])


def test_an_arm_that_is_better_beyond_chance_wins_with_its_leaks_and_they_are_said(
    judged: Callable[..., Report],
) -> None:
    report = judged({"tuned": {"versus_best": BEST, "leak_share": 0.06, "unsupported_share": 0.1}})
    assert report.reply_arm == "tuned"
    said = next(remark for remark in remarks(report) if remark.startswith("With 'tuned'"))
    assert "6% of drafts hold somebody's personal data" in said
    assert "10% a fact that stands nowhere" in said


# ---- the verdict


def test_where_fine_tuning_pays_its_price_its_lead_and_the_certainty_are_said(
    judged: Callable[..., Report], extras: dict[str, Any]
) -> None:
    report = judged({"tuned_retrieval": {"effort": 0.41, "versus_best": BEST}}, **extras)
    replies, routing = sentences(report.verdict)
    assert replies == (
        "Fine-tuning pays here: the fine-tuned model with retrieved articles and tickets leaves 41% of a reply to be "
        "changed for 23 minutes of training and 1.9 seconds a draft, the best way without it 50% (the base model with "
        "retrieved articles and tickets), and on 48 newer customer turns the lead of fine-tuning is more than chance "
        "(95% sure)."
    )
    assert routing == (
        "Routing by 'tfidf' (the words of a ticket, counted and weighted) is right for 70% of 60 newer tickets that it "
        "had not seen, and it could route 31% of them by itself with 95% of those right."
    )
    assert "minutes" not in judged({"tuned_retrieval": {"versus_best": BEST}}).verdict


def test_where_fine_tuning_only_makes_drafts_safer_the_verdict_claims_no_lead(judged: Callable[..., Report]) -> None:
    report = judged({"retrieval": {"versus_best": UNSURE, "leak_share": 0.125}, "tuned": {"versus_best": BEST}})
    assert report.reply_arm == "tuned"
    said = sentences(report.verdict)[0]
    assert "by what its drafts do not say" in said
    assert "no measurable difference on 48 newer customer turns" in said
    assert "12% of drafts hold somebody's personal data" in said
    assert "95% sure" not in said


@pytest.mark.parametrize(
    ("tuned", "said"),
    [
        ({"versus_best": UNSURE}, "the best fine-tuned way was not measurably better (40%) for all its 23 minutes"),
        ({"versus_best": WORSE}, "the best fine-tuned way was measurably worse (40%)"),
        ({"versus_best": UNSURE, "leak_share": 0.25}, "not measurably better (40%) and less careful (25% of drafts"),
    ],
)
def test_where_fine_tuning_is_not_needed_the_verdict_says_how_it_did(
    judged: Callable[..., Report], extras: dict[str, Any], tuned: dict[str, Any], said: str
) -> None:
    report = judged({"retrieval": {"versus_best": BEST}, "tuned_retrieval": tuned}, **extras)
    replies, _ = sentences(report.verdict)
    assert replies.startswith("You do not need fine-tuning here: the base model with retrieved articles and tickets")
    assert said in replies
    assert "judge again" not in replies


def test_few_turns_are_said_to_show_little(judged: Callable[..., Report]) -> None:
    few = {arm: {"tickets": FEW - 1, "versus_best": UNSURE} for arm in ARMS}
    report = judged(few)
    assert "so few turns cannot show a small difference, so judge again with more" in report.verdict
    assert len(sentences(report.verdict)) == 2
    assert any(remark.startswith("39 turns and 60 tickets are few") for remark in remarks(report))


@pytest.mark.parametrize("best", ["nearest", "tuned"])
def test_where_no_draft_helps_the_verdict_says_to_show_none(judged: Callable[..., Report], best: str) -> None:
    changes = {arm: {"effort": 0.96, "versus_best": UNSURE, "bits_per_word": 5.0} for arm in ARMS}
    changes[best]["effort"] = 0.93
    report = judged(changes)
    replies, routing = sentences(report.verdict)
    assert replies.startswith("Drafts are no help yet on this desk: on 48 newer customer turns even the best way, ")
    assert "leaves 93% of a reply to be changed, so show agents the articles and solved tickets" in replies
    assert replies.endswith("or nothing.")
    assert routing.startswith("Routing by")
    assert "fine-tuning" not in replies
    assert "hardly tell the arms apart here" in remarks(report)[0]
    changes["tuned"]["bits_per_word"] = 4.0
    report = judged(changes)
    assert "though fine-tuning foresees the team's words 20% better" in report.verdict
    assert "5.00 with a prompt alone, 4.00 fine-tuned" in remarks(report)[0]


def test_one_arm_below_nine_tenths_is_help_enough_for_a_comparison(judged: Callable[..., Report]) -> None:
    changes = {arm: {"effort": 0.96} for arm in ARMS} | {"retrieval": {"effort": 0.89, "versus_best": BEST}}
    assert judged(changes).verdict.startswith("You do not need fine-tuning here")


def test_without_anything_to_compare_with_nothing_is_claimed(routes: list[RouteScore], reply: Reply) -> None:
    for arm in ("nearest", "tuned"):
        verdict = judge(routes, [reply(arm, 0.5)]).verdict
        assert "50% of a reply to be changed; nothing else was compared with it" in verdict
        assert "pays" not in verdict
        assert "need" not in verdict


def test_the_verdict_on_routing_does_not_promise_what_was_not_seen(
    routes: list[RouteScore], route: Route, reply: Reply
) -> None:
    none_sure = judge([route("tfidf", 0.7, coverage=0.0)], [reply("nearest")]).verdict
    assert "none of them is so sure that it could be routed without a person" in none_sure
    largest = judge([route("majority", 0.4), route("tfidf", 0.42)], [reply("nearest")])
    assert largest.route_arm == "majority"
    assert "Routing cannot be learned from these tickets yet" in largest.verdict
    assert "right for 40% of 60 newer tickets" in largest.verdict


@pytest.mark.parametrize("chosen", ARMS)
def test_a_verdict_is_two_sentences_for_a_person(
    judged: Callable[..., Report], extras: dict[str, Any], chosen: str
) -> None:
    verdict = judged({chosen: {"versus_best": BEST}}, **extras).verdict
    assert len(sentences(verdict)) == 2
    assert "_" not in verdict.replace("tuned_retrieval", "")
    assert all(word not in verdict.lower() for word in ("lora", "adapter", "bootstrap", "nan", "none of"))


# ---- the remarks, and what is kept


def test_remarks_say_how_far_the_prediction_can_be_trusted(
    judged: Callable[..., Report], extras: dict[str, Any]
) -> None:
    surest = (
        "surest of, 35% of a reply is to be changed, lower than the 51% of all; the prediction is off by 3.4 points"
    )
    assert any(surest in remark for remark in remarks(judged({"tuned": {"versus_best": BEST}}, **extras)))
    useless = dataclasses.replace(extras["calibration"], surest_quarter=0.52)
    found = remarks(judged({"tuned": {"versus_best": BEST}}, calibration=useless))
    assert any("52% of a reply is to be changed, no lower than the 51% of all" in remark for remark in found)


def test_remarks_say_where_the_recommended_arm_states_old_facts(
    judged: Callable[..., Report], extras: dict[str, Any]
) -> None:
    said = "'tuned' still stated the old fact in 6 of 12 drafts, all of them blanks when shown."
    assert any(said in remark for remark in remarks(judged({"tuned": {"versus_best": BEST}}, **extras)))
    clean = judged({"retrieval": {"versus_best": BEST}}, stale=[StaleScore("tuned", 12, 7, 6, 0)])
    assert remarks(clean) == []


def test_a_report_keeps_what_was_given_to_it(judged: Callable[..., Report], extras: dict[str, Any]) -> None:
    report = judged({"tuned": {"versus_best": BEST}}, **extras)
    assert [score.arm for score in report.replies] == list(ARMS)
    assert {name: getattr(report, name) for name in extras} == extras


def test_a_report_is_read_back_as_it_was_written(
    judged: Callable[..., Report], extras: dict[str, Any], tmp_path: Path
) -> None:
    report = judged({"tuned": {"versus_best": BEST}}, **extras)
    write_report(tmp_path, report)
    assert read_report(tmp_path) == report
    write_report(tmp_path, judged({arm: {"versus_best": BEST, "style_auc": None} for arm in ARMS}))
    assert read_report(tmp_path).replies[0].style_auc is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"routes": [{}], "replies": []}', '{"routes": 1}'])
def test_a_report_that_cannot_be_read_is_an_error_that_says_so(tmp_path: Path, content: str) -> None:
    with pytest.raises(ModelError, match="no evaluation"):
        read_report(tmp_path)
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(ModelError, match="cannot be read"):
        read_report(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 seconds"), (1.2, "1 second"), (89, "89 seconds"), (90, "2 minutes"), (1380, "23 minutes"),
     (5500, "1.5 hours")],
)  # fmt: skip
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said
