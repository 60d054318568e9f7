"""A training leaves a whole version behind, judged by tickets it had not seen, or nothing at all."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from connectors.errors import ModelError, NotEnoughDataError
from connectors.settings import TrainerSettings
from connectors.store.database import Store
from trainer.curation.dataset import split_by_time
from trainer.evaluation.scores import read_report, read_samples
from trainer.registry import Registry
from trainer.replies.drafting import ARMS, gather
from trainer.retrieval.retriever import Encoder, Retriever
from trainer.routing.router import Router
from trainer.train import Trained, train

DESK = "zendesk"
ROUTE_ARMS = ("majority", "tfidf", "neighbours", "encoder", "stacked", "tuned")


def no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")


def test_a_version_holds_all_it_takes_to_serve_and_nothing_pickled(tiny_home: Any) -> None:
    version = tiny_home.trained.manifest.version
    assert tiny_home.registry.versions() == [version]
    assert tiny_home.registry.live() is None
    folder = tiny_home.registry.path(version)
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names - {"adapter/README.md"} == {
        "manifest.json",
        "confidence.json",
        "report.json",
        "report.html",
        "samples.json",
        "tickets.json",
        "route.json",
        "route.safetensors",
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
    }
    for name in names:
        if name.endswith(".json"):
            json.loads((folder / name).read_text(encoding="utf-8"), parse_constant=no_constant)
        if name.endswith(".safetensors"):
            with safe_open(folder / name, "np") as file:
                assert list(file.keys())


def test_the_manifest_says_what_was_trained_and_how(tiny_home: Any) -> None:
    manifest, settings = tiny_home.trained.manifest, tiny_home.settings.trainer
    split = split_by_time(
        tiny_home.store.examples.kept(DESK),
        eval_share=settings.eval_share,
        min_examples=settings.min_examples,
        max_train_tickets=settings.max_train_tickets,
    )
    assert manifest == tiny_home.registry.manifest(manifest.version)
    assert (manifest.base_model, manifest.encoder) == (settings.base_model, settings.encoder)
    assert (manifest.max_prompt_tokens, manifest.max_reply_tokens) == (400, 40)
    assert (manifest.data_hash, manifest.train_until) == (split.data_hash, split.at)
    assert 0 < manifest.train_examples < len(split.train)
    assert 0 < manifest.min_similarity < 1
    assert manifest.helpdesk == DESK


def test_every_arm_is_judged_on_the_same_tickets(tiny_home: Any) -> None:
    report = tiny_home.trained.report
    assert read_report(tiny_home.registry.path(tiny_home.trained.manifest.version)) == report
    assert tuple(score.arm for score in report.routes) == ROUTE_ARMS
    assert tuple(score.arm for score in report.replies) == ARMS
    assert {score.tickets for score in report.replies} == {4}
    assert len({score.tickets for score in report.routes}) == 1
    assert all(0 <= score.accuracy <= 1 and 0 <= score.macro_f1 <= 1 for score in report.routes)
    assert all(0 <= score.effort <= 1 for score in report.replies)
    assert [score.bits_per_word is None for score in report.replies] == [True, False, False, False, False]


def test_the_drafts_that_were_judged_can_be_read(tiny_home: Any) -> None:
    version = tiny_home.trained.manifest.version
    samples = read_samples(tiny_home.registry.path(version))
    assert len(samples) == 4
    for score in tiny_home.trained.report.replies:
        assert score.effort == pytest.approx(sum(one.efforts[score.arm] for one in samples) / 4, abs=1e-3)
    trained_on = json.loads((tiny_home.registry.path(version) / "tickets.json").read_text())
    assert not {one.ticket_id for one in samples} & set(trained_on)


def test_what_training_took_is_in_the_report(tiny_home: Any) -> None:
    cost, training = tiny_home.trained.report.cost, tiny_home.trained.training
    assert (cost.examples, cost.tokens) == (tiny_home.trained.manifest.train_examples, training.tokens)
    assert 0 < cost.train_s < cost.seconds
    assert cost.bits_per_token == pytest.approx([loss / 0.6931 for loss in training.held_out_loss], rel=1e-3)
    assert 100 < cost.peak_memory_mb < 30_000


def test_the_headline_figures_are_those_of_the_arms_that_serve(tiny_home: Any) -> None:
    manifest, report = tiny_home.trained.manifest, tiny_home.trained.report
    route = next(score for score in report.routes if score.arm == manifest.route_arm)
    reply = next(score for score in report.replies if score.arm == manifest.reply_arm)
    assert manifest.metrics["route_accuracy"] == pytest.approx(route.accuracy, abs=1e-4)
    assert manifest.metrics["reply_effort"] == pytest.approx(reply.effort, abs=1e-4)
    assert manifest.verdict == report.verdict
    assert Router.load(tiny_home.registry.path(manifest.version)).arm == manifest.route_arm


def settings(base: Path, **changes: Any) -> TrainerSettings:
    small: dict[str, Any] = {
        "base_model": str(base),
        "encoder": str(base),
        "min_examples": 10,
        "eval_share": 0.3,
        "epochs": 1,
        "max_train_tickets": 20,
        "max_prompt_tokens": 256,
        "max_reply_tokens": 60,
        "reply_eval_tickets": 4,
        "lora_layers": 1,
        "router_minutes": 0,
    }
    return TrainerSettings(**(small | changes))


def newest(store: Store, count: int) -> None:
    store.examples.replace(DESK, store.examples.kept(DESK)[-count:])


def test_no_judged_reply_can_be_found_by_the_arms_that_are_judged(
    own_store: Store, tiny_base: Path, tmp_path: Path
) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    unique = [
        dataclasses.replace(one, reply=" ".join(a + letters[place % 26] + letters[place // 26] for a in letters[:9]))
        for place, one in enumerate(own_store.examples.kept(DESK)[-50:])
    ]
    own_store.examples.replace(DESK, unique)
    report = train(own_store, DESK, Registry(tmp_path / "models"), settings(tiny_base), tmp_path).report
    # Every reply has words of its own: one that is found for its own ticket would cost nothing, any other one all.
    judged = split_by_time(unique, eval_share=0.3, min_examples=10, max_train_tickets=20).evaluation
    found = gather(Retriever(own_store, DESK, Encoder(str(tiny_base), tmp_path)), judged[0].question)
    assert judged[0].reply in {hit.passage.reply for hit in found.tickets}
    assert next(score.effort for score in report.replies if score.arm == "nearest") == 1.0


@pytest.fixture(scope="module")
def again(tiny_home: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, list[tuple[str, int, int, str]]]:
    """The tiny training once more, and what it told of its progress."""
    told: list[tuple[str, int, int, str]] = []
    registry = Registry(tmp_path_factory.mktemp("again"))
    settings, cache = tiny_home.settings.trainer, tiny_home.settings.cache_path
    trained = train(tiny_home.store, DESK, registry, settings, cache, progress=lambda *step: told.append(step))
    return trained, told


def test_the_same_data_and_seed_give_the_same_version(tiny_home: Any, again: Any) -> None:
    one, other = tiny_home.trained, again[0]
    assert one.manifest.data_hash == other.manifest.data_hash
    assert one.training.held_out_loss == other.training.held_out_loss
    assert [score.accuracy for score in one.report.routes] == [score.accuracy for score in other.report.routes]
    assert [score.effort for score in one.report.replies] == [score.effort for score in other.report.replies]
    same = {name for name in one.manifest.files if one.manifest.files[name] == other.manifest.files[name]}
    assert {"route.safetensors", "adapter/adapter_model.safetensors"} <= same


def test_progress_goes_through_all_stages_to_their_ends(again: Any) -> None:
    told = again[1]
    assert list(dict.fromkeys(stage for stage, *_ in told)) == ["retrieve", "train", "route", "evaluate", "probe"]
    for stage in ("retrieve", "train", "route"):
        done = [(count, total) for name, count, total, _ in told if name == stage]
        assert done[-1][0] == done[-1][1]
        assert done == sorted(done)
    assert Counter(word for name, _, _, word in told if name == "evaluate").keys() == set(ARMS[1:])


def test_a_killed_training_goes_on_where_it_was_and_leaves_nothing_behind(
    own_store: Store, tiny_base: Path, tmp_path: Path
) -> None:
    short = [
        dataclasses.replace(one, reply=" ".join(one.reply.split()[:8])) for one in own_store.examples.kept(DESK)[-40:]
    ]
    own_store.examples.replace(DESK, short)
    registry = Registry(tmp_path / "models")
    chosen = settings(tiny_base, curve_tickets=(8,))

    def kill(stage: str, *_: Any) -> None:
        if stage == "evaluate":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(own_store, DESK, registry, chosen, tmp_path, progress=kill)
    assert registry.versions() == []
    assert {path.name for path in registry.work.iterdir()} >= {"adapter.pt", "curve-8.pt", "curve-8.jsonl"}
    told: list[str] = []
    trained = train(own_store, DESK, registry, chosen, tmp_path, progress=lambda stage, *_: told.append(stage))
    assert "train" not in told
    assert registry.versions() == [trained.manifest.version]
    assert not registry.work.exists()
    few, all_of_them = trained.report.curve
    assert (few.tickets, few.arm) == (8, "tuned_retrieval")
    assert all_of_them.tickets > 8
    score = next(one for one in trained.report.replies if one.arm == "tuned_retrieval")
    assert (all_of_them.effort, all_of_them.bits_per_word) == (score.effort, score.bits_per_word)


def test_too_few_examples_leave_no_version(own_store: Store, tiny_base: Path, tmp_path: Path) -> None:
    newest(own_store, 9)
    with pytest.raises(NotEnoughDataError):
        train(own_store, DESK, Registry(tmp_path / "models"), settings(tiny_base), tmp_path)
    assert Registry(tmp_path / "models").versions() == []


def test_replies_that_are_all_too_long_to_learn_leave_no_version(
    own_store: Store, tiny_base: Path, tmp_path: Path
) -> None:
    newest(own_store, 40)
    with pytest.raises(NotEnoughDataError, match="as short as 16 tokens") as caught:
        train(own_store, DESK, Registry(tmp_path / "models"), settings(tiny_base, max_reply_tokens=16), tmp_path)
    assert "max_reply_tokens" in caught.value.hint
    assert Registry(tmp_path / "models").versions() == []


@pytest.mark.parametrize("setting", ["base_model", "encoder"])
def test_missing_weights_leave_no_version(own_store: Store, tiny_base: Path, tmp_path: Path, setting: str) -> None:
    newest(own_store, 40)
    changes = {setting: str(tmp_path / "nothing-here")}
    with pytest.raises(ModelError, match="nothing-here"):
        train(own_store, DESK, Registry(tmp_path / "models"), settings(tiny_base, **changes), tmp_path)
    assert Registry(tmp_path / "models").versions() == []


@pytest.mark.weights
def test_a_small_training_of_the_bundled_model_is_judged(home: Any) -> None:
    assert home.trained.manifest.train_examples >= 10
    assert home.trained.training.tokens > 1000
    # A training ticket that found its own reply would be as similar to something as can be.
    assert home.trained.manifest.min_similarity < 0.8
    encoder = next(score for score in home.trained.report.routes if score.arm == "encoder")
    majority = next(score for score in home.trained.report.routes if score.arm == "majority")
    assert encoder.accuracy > majority.accuracy
    nearest, *others = home.trained.report.replies
    assert (nearest.seconds, nearest.unsupported_share) == (0, 0)
    assert all(score.seconds > 0 for score in others)
