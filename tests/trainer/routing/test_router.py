"""Routers learn the team's groups, say how sure they are, and are saved as plain numbers."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import ModelError, NotEnoughDataError
from connectors.store.examples import Example
from trainer.conversation import latest_turn
from trainer.routing.router import Router, expected_calibration_error, train_router

ARMS = ("majority", "tfidf", "neighbours", "encoder", "stacked", "tuned")
TOPICS = {
    "2101": "parcel late tracking scan depot window",
    "2104": "invoice payment vat refund surcharge debit",
    "2105": "return label shop code boots sender",
}
VOCABULARY = " ".join(TOPICS.values()).split()


def embed(texts: Sequence[str]) -> Any:
    """Features for the arms that take them from an encoder: which of the topics' words a text has."""
    rows = [[float(word in text) for word in VOCABULARY] for text in texts]
    return np.asarray(rows, np.float32).reshape(len(texts), len(VOCABULARY))


def tickets(count: int, seed: int, groups: Sequence[str] = tuple(TOPICS)) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    labels = [str(rng.choice(groups)) for _ in range(count)]
    return [f"{' '.join(rng.choice(TOPICS[label].split(), 2))}, {rng.integers(99)}" for label in labels], labels


@pytest.fixture(scope="module", params=ARMS)
def router(request: pytest.FixtureRequest) -> Router:
    return train_router(request.param, *tickets(80, 1), embed=embed)


def test_every_arm_gives_probabilities_of_the_groups_it_saw(router: Router) -> None:
    probabilities = router.probabilities(["where is my parcel", "", "zzz"], embed)
    assert probabilities.shape == (3, 3)
    assert probabilities.dtype == np.float32
    assert router.classes == tuple(TOPICS)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("arm", ARMS[1:])
def test_every_arm_but_the_majority_finds_the_group(arm: str) -> None:
    router = train_router(arm, *tickets(80, 1), embed=embed)
    texts, labels = tickets(60, 2)
    guesses = np.asarray(router.classes)[router.probabilities(texts, embed).argmax(axis=1)]
    assert (guesses == np.asarray(labels)).mean() > 0.95


def test_the_majority_gives_every_ticket_the_groups_shares() -> None:
    router = train_router("majority", ["x"] * 4, ["b", "a", "b", "b"])
    np.testing.assert_allclose(router.probabilities(["x", "y"]), [[0.25, 0.75]] * 2, rtol=1e-5)


def test_a_router_for_two_groups_works_like_any_other() -> None:
    router = train_router("tfidf", *tickets(60, 1, ("2101", "2104")))
    first, second = router.probabilities(["tracking scan of my parcel", "vat on the invoice"])
    assert first[0] > 0.7 > 0.3 > second[0]


def test_a_router_for_one_group_is_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="one group"):
        train_router("tfidf", ["a", "b"], ["2101", "2101"])
    with pytest.raises(NotEnoughDataError):
        train_router("tfidf", [], [])


@pytest.mark.parametrize("labels", ["aab", "aaaaaab", "abcabcab", "aaaaaabbbbbb"])
def test_few_tickets_and_rare_groups_are_enough_to_train(labels: str) -> None:
    router = train_router("tfidf", [f"{label * 3} question" for label in labels], list(labels))
    assert router.classes == tuple(sorted(set(labels)))
    assert np.isfinite(router.probabilities(["bbb question"])).all()


def test_the_same_tickets_make_the_same_router() -> None:
    one, other = (train_router("tfidf", *tickets(80, 1), seed=7) for _ in range(2))
    np.testing.assert_array_equal(one.weights, other.weights)
    assert one.temperature == other.temperature


def test_a_loaded_router_gives_equal_probabilities(router: Router, tmp_path: Path) -> None:
    router.save(tmp_path)
    loaded = Router.load(tmp_path)
    texts = tickets(20, 3)[0]
    np.testing.assert_array_equal(loaded.probabilities(texts, embed), router.probabilities(texts, embed))
    assert (loaded.arm, loaded.classes, loaded.temperature) == (router.arm, router.classes, router.temperature)


def test_a_saved_router_is_json_and_plain_numbers_and_nothing_is_pickled(router: Router, tmp_path: Path) -> None:
    router.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["route.json", "route.safetensors"]
    assert json.loads((tmp_path / "route.json").read_text())["classes"] == list(TOPICS)
    content = (tmp_path / "route.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    own = {"weights", "bias", "idf", "thresholds", "familiarity"}
    parts = {f"{part.arm}.{name}" for part in router.parts for name in ("weights", "bias", "idf")}
    assert {name: entry["dtype"] for name, entry in header.items()} == dict.fromkeys(own | parts, "F32")


@pytest.mark.parametrize("name", ["route.json", "route.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x80\x04\x95"])
def test_a_damaged_router_is_an_error_that_says_what_to_do(
    router: Router, tmp_path: Path, name: str, content: bytes | None
) -> None:
    router.save(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read") as caught:
        Router.load(tmp_path)
    assert "rollback" in caught.value.hint


@pytest.mark.parametrize("arm", ["neighbours", "encoder", "stacked", "tuned"])
def test_an_arm_without_its_encoder_is_refused(arm: str) -> None:
    router = train_router(arm, *tickets(80, 1), embed=embed)
    with pytest.raises(ModelError, match=f"the {arm} router needs its encoder"):
        router.probabilities(["x"])


def log_loss(router: Router, texts: Sequence[str], labels: Sequence[str]) -> float:
    known = [(text, label) for text, label in zip(texts, labels, strict=True) if label in router.classes]
    probabilities = router.probabilities([text for text, _ in known])
    columns = [router.classes.index(label) for _, label in known]
    return float(-np.log(probabilities[np.arange(len(known)), columns]).mean())


def test_calibration_lowers_the_log_loss_on_tickets_that_were_held_out(examples: list[Example]) -> None:
    first = [one for one in examples if one.turn == 0]
    texts, labels = [latest_turn(one.question) for one in first], [one.group_id for one in first]
    gains = []
    for fold in range(2):
        held_out = [index % 2 == fold for index in range(len(first))]
        learned = ([x for x, out in zip(part, held_out, strict=True) if not out] for part in (texts, labels))
        judged = [[x for x, out in zip(part, held_out, strict=True) if out] for part in (texts, labels)]
        router = train_router("tfidf", *learned)
        gains.append(log_loss(dataclasses.replace(router, temperature=1.0), *judged) - log_loss(router, *judged))
    assert min(gains) > 0


@pytest.mark.parametrize(
    ("confidence", "correct", "error"),
    [
        ([0.8, 0.8, 0.8, 0.8, 0.8], [1, 1, 1, 1, 0], 0.0),
        ([0.9, 0.9], [0, 0], 0.9),
        ([1.0, 1.0], [1, 1], 0.0),
        ([0.55, 0.95, 0.95, 0.95], [1, 1, 0, 1], 0.25 * 0.45 + 0.75 * (0.95 - 2 / 3)),
    ],
)
def test_the_calibration_error_is_the_gap_between_what_is_said_and_what_is_so(
    confidence: list[float], correct: list[int], error: float
) -> None:
    probabilities = np.asarray([[value, 1 - value] for value in confidence], np.float32)
    found = expected_calibration_error(probabilities, np.asarray(correct, bool))
    assert found == pytest.approx(error, abs=1e-5)


# Not the neighbours, nor what they are part of: of these topics they are as sure as can be.
@pytest.mark.parametrize("arm", ["tfidf", "encoder", "tuned"])
def test_a_router_that_is_overconfident_has_a_greater_error_than_the_same_one_cooled(arm: str) -> None:
    router = train_router(arm, *tickets(80, 1), embed=embed)
    texts, labels = tickets(60, 4)
    rng = np.random.default_rng(6)
    noisy = [label if rng.random() < 0.7 else str(rng.choice(list(TOPICS))) for label in labels]

    def error(temperature: float) -> float:
        probabilities = dataclasses.replace(router, temperature=temperature).probabilities(texts, embed)
        hits = np.asarray(router.classes)[probabilities.argmax(axis=1)] == np.asarray(noisy)
        return expected_calibration_error(probabilities, hits)

    assert error(router.temperature / 20) > error(router.temperature)


def test_texts_in_the_desks_languages_and_with_typing_errors_are_routed() -> None:
    texts = ["wo bleibt mein paket", "waar is mijn pakket", "pakket te laat", "paket verspätet"] * 6
    texts += ["rechnung stimmt nicht", "factuur klopt niet", "btw op de factuur", "mwst auf der rechnung"] * 6
    router = train_router("tfidf", texts, ["2101"] * 24 + ["2104"] * 24)
    guesses = router.probabilities(["pakkket??", "REHCNUNG rechnugn", "faktuur", "mein packet"]).argmax(axis=1)
    assert [router.classes[guess] for guess in guesses] == ["2101", "2104", "2104", "2101"]
