"""Confidence: features that mean what they say, predictions that hold on unseen turns, and nothing from too little."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import ModelError
from connectors.store.passages import Passage
from trainer.evaluation.calibration import calibration_of
from trainer.replies.confidence import FEATURES, FILE, MIN_TURNS, Confidence, cross_fitted, features_of
from trainer.replies.drafting import Drafted, Evidence, draft
from trainer.replies.writer import Draft
from trainer.retrieval.retriever import Hit

QUESTION = "Subject: Parcel\n\nCustomer: Where is my parcel?"
REPLY = "Hi {{first_name}}, your parcel is in Tilburg and comes tomorrow."


def hit(similarity: float, reply: str = REPLY, kind: str = "ticket") -> Hit:
    return Hit(Passage(kind, f"{similarity}{reply}", 0, "", "Where is it?", reply=reply), similarity, 0.03)


def named(evidence: Evidence, drafted: Drafted, question: str = QUESTION) -> dict[str, float]:
    found = features_of(question, evidence, drafted)
    assert found.dtype == np.float64
    return dict(zip(FEATURES, found.tolist(), strict=True))


def test_the_features_are_what_their_names_say() -> None:
    other = "We are closed on Sundays."
    evidence = Evidence((hit(0.3, "", "article"), hit(0.4, "", "article")), (hit(0.8), hit(0.9, other), hit(0.5)))
    written = Draft("", -0.25, 9, 0.1)
    found = named(evidence, Drafted(f"{REPLY} On [date] or [date].", (), written))
    assert found["ticket_similarity"] == 0.8, "of the best ticket as retrieval ranks them"
    assert found["article_similarity"] == 0.4
    assert found["log_probability"] == -0.25
    assert found["draft_words"] == pytest.approx(math.log1p(17))
    assert found["blanks"] == 2
    assert found["overlap"] == pytest.approx(12 / 17)
    assert found["nearest_agreement"] == 1, "the third ticket was answered like the first"
    assert found["agreement"] == pytest.approx((1 + 2 * (1 - 11 / 12)) / 3)
    assert found["later_turns"] == 0


def test_what_the_customer_wrote_before_is_counted() -> None:
    longer = f"{QUESTION}\n\nAgent: It is here.\n\nCustomer: Where?\n\nAgent: There.\n\nCustomer: Thanks. When?"
    assert named(Evidence((), ()), Drafted("x", ()), longer)["later_turns"] == 2


def test_case_does_not_make_replies_differ() -> None:
    evidence = Evidence((), (hit(0.8), hit(0.7, REPLY.upper().replace("{{FIRST_NAME}}", "{{first_name}}"))))
    assert named(evidence, Drafted(REPLY, ()))["nearest_agreement"] == 1


@pytest.mark.parametrize("evidence", [Evidence((), ()), Evidence((), (hit(0.4),))])
def test_where_little_was_found_the_features_are_numbers_all_the_same(evidence: Evidence) -> None:
    for drafted in (Drafted("", ()), *draft("nearest", [QUESTION], [evidence], None, max_prompt_tokens=400)):
        found = named(evidence, drafted)
        assert all(math.isfinite(value) for value in found.values())
        assert (found["agreement"], found["nearest_agreement"], found["log_probability"]) == (0, 0, 0)


Make = Callable[..., tuple[Any, Any]]


@pytest.fixture
def made() -> Make:
    """Makes turns whose effort depends on agreement and similarity, with noise; without `signal` on nothing."""

    def made(turns: int, *, signal: float = 0.15, seed: int = 1) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        features = rng.normal(0.5, 0.2, (turns, len(FEATURES)))
        features[:, FEATURES.index("log_probability")] = 0.0
        columns = (features - 0.5) / 0.2
        pull = 2 * columns[:, FEATURES.index("agreement")] + columns[:, FEATURES.index("ticket_similarity")]
        efforts = 0.6 - signal * pull / math.sqrt(5) + rng.normal(0, 0.1, turns)
        return features, np.clip(efforts, 0, 1)

    return made


def fitted(features: Any, efforts: Any, *args: Any, **options: Any) -> Confidence:
    found = Confidence.fit(features, efforts, *args, **options)
    assert found is not None
    return found


def test_the_prediction_follows_what_drives_the_effort_on_turns_it_has_not_seen(made: Make) -> None:
    model = fitted(*made(200))
    features, efforts = made(400, seed=2)
    predicted = model.predict(features)
    assert predicted.shape == (400,)
    assert np.corrcoef(predicted, efforts)[0, 1] > 0.75
    weights = dict(zip(FEATURES, model.weights.tolist(), strict=True))
    assert weights["agreement"] < weights["ticket_similarity"] < 0
    assert abs(weights["log_probability"]) < 1e-12, "it never varies"
    assert model.turns == 200


@pytest.mark.parametrize("turns", [60, 200])
def test_cross_fitted_predictions_are_calibrated_and_find_the_quarter_to_trust(made: Make, turns: int) -> None:
    features, efforts = made(turns)
    predicted = cross_fitted(features, efforts)
    assert predicted is not None
    found = calibration_of(predicted, efforts)
    assert found is not None
    assert found.error < 0.05
    assert found.surest_quarter < found.overall - 0.1


def test_where_nothing_predicts_the_mean_is_said(made: Make) -> None:
    features, efforts = made(60, signal=0.0, seed=3)
    model = fitted(features, efforts)
    assert not model.weights.any()
    assert model.predict(features) == pytest.approx(efforts.mean())
    unseen = cross_fitted(features, efforts)
    assert unseen is not None
    assert ((unseen - efforts) ** 2).mean() < 1.15 * efforts.var()


def test_too_few_turns_and_a_single_customer_give_nothing(made: Make) -> None:
    features, efforts = made(MIN_TURNS)
    assert Confidence.fit(features, efforts) is not None
    assert Confidence.fit(features[1:], efforts[1:]) is None
    assert cross_fitted(features[1:], efforts[1:]) is None
    assert Confidence.fit(features, efforts, ["r1"] * MIN_TURNS) is None
    assert cross_fitted(features, efforts, ["r1"] * MIN_TURNS) is None
    assert cross_fitted(features, efforts, ["r1"] * 10 + ["r2"] * (MIN_TURNS - 10)) is not None


@pytest.mark.parametrize("grouped", [True, False])
def test_no_prediction_has_seen_a_turn_of_the_same_customer(made: Make, grouped: bool) -> None:
    features, efforts = made(60)
    groups = [f"r{row // 3}" for row in range(60)] if grouped else None
    own = slice(30, 33) if grouped else slice(30, 31)
    before = cross_fitted(features, efforts, groups)
    changed = efforts.copy()
    changed[own] = 1 - changed[own]
    after = cross_fitted(features, changed, groups)
    assert before is not None
    assert after is not None
    assert np.array_equal(before[own], after[own])
    assert not np.array_equal(before, after)


def test_the_same_seed_gives_the_same_predictions(made: Make) -> None:
    features, efforts = made(60)
    first, second, other = (cross_fitted(features, efforts, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, second)  # type: ignore[arg-type]
    assert not np.array_equal(first, other)  # type: ignore[arg-type]


@pytest.mark.parametrize("far", [-1e6, 1e6])
def test_a_draft_unlike_all_others_is_still_predicted_a_share(made: Make, far: float) -> None:
    model = fitted(*made(100))
    (predicted,) = model.predict(np.full((1, len(FEATURES)), far)).tolist()
    assert 0 <= predicted <= 1


def test_it_is_the_same_after_saving_and_loading(made: Make, tmp_path: Path) -> None:
    features, efforts = made(60)
    model = fitted(features, efforts)
    model.save(tmp_path)
    loaded = Confidence.load(tmp_path)
    assert loaded is not None
    assert np.array_equal(loaded.predict(features), model.predict(features))
    assert (loaded.mean, loaded.turns) == (model.mean, 60)


def test_a_version_without_the_file_or_over_other_features_has_no_confidence(made: Make, tmp_path: Path) -> None:
    assert Confidence.load(tmp_path) is None
    fitted(*made(60)).save(tmp_path)
    facts = json.loads((tmp_path / FILE).read_text())
    facts["features"]["moon"] = facts["features"].pop("blanks")
    (tmp_path / FILE).write_text(json.dumps(facts))
    assert Confidence.load(tmp_path) is None


@pytest.mark.parametrize("damage", ["", "[]", "{", "null", '{"features": 3}', "\udcff"])
def test_a_damaged_file_is_said_to_be_so(tmp_path: Path, damage: str) -> None:
    (tmp_path / FILE).write_bytes(damage.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match="cannot be read") as caught:
        Confidence.load(tmp_path)
    assert "rollback" in caught.value.hint


@pytest.mark.parametrize(("key", "value"), [("scale", 0.0), ("weight", math.nan), ("centre", "much"), ("weight", None)])
def test_a_number_that_is_none_is_damage(made: Make, tmp_path: Path, key: str, value: Any) -> None:
    fitted(*made(60)).save(tmp_path)
    facts = json.loads((tmp_path / FILE).read_text())
    facts["features"]["agreement"][key] = value
    (tmp_path / FILE).write_text(json.dumps(facts))
    with pytest.raises(ModelError):
        Confidence.load(tmp_path)


@pytest.mark.parametrize("mean", [None, "x", math.inf])
def test_a_mean_that_is_none_is_damage(made: Make, tmp_path: Path, mean: Any) -> None:
    fitted(*made(60)).save(tmp_path)
    facts = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(facts | {"mean": mean}))
    with pytest.raises(ModelError):
        Confidence.load(tmp_path)


def test_the_file_holds_figures_only(made: Make, tmp_path: Path) -> None:
    model = dataclasses.replace(fitted(*made(60)), turns=7)
    model.save(tmp_path)
    facts = json.loads((tmp_path / FILE).read_text())
    assert set(facts) == {"turns", "mean", "features"}
    assert tuple(facts["features"]) == FEATURES
