"""One training: curated examples in, a judged model version out. Read it from top to bottom."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from connectors import clock
from connectors.errors import NotEnoughDataError
from connectors.settings import TrainerSettings
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.curation.dataset import Split, split_of
from trainer.evaluation.calibration import calibration_of
from trainer.evaluation.curve import CURVE_ARM, curve_point, learning_curve
from trainer.evaluation.judgement import judge
from trainer.evaluation.page import write_page
from trainer.evaluation.probe import probe
from trainer.evaluation.replies import Floats, Trial, effort, samples_of, score_replies, try_arms
from trainer.evaluation.routes import score_routes
from trainer.evaluation.scores import Cost, Report, write_report, write_samples
from trainer.privacy.leaks import People
from trainer.privacy.lexicon import Lexicon
from trainer.registry import Manifest, Registry
from trainer.replies import prompt
from trainer.replies.confidence import Confidence, cross_fitted, features_of
from trainer.replies.drafting import Evidence, draft, gather
from trainer.replies.guard import Guard
from trainer.replies.lessons import evidence_of, known_from, tokenised, with_validation
from trainer.replies.lora import TrainingResult, save_adapter, train_lora
from trainer.replies.writer import RememberingWriter
from trainer.retrieval.retriever import Encoder, Retriever
from trainer.routing.arms import route_text, train_routers, tuned_features
from trainer.routing.head_training import score_heads, train_heads
from trainer.routing.router import ARMS, Embed
from trainer.weights import load_language_model

Progress = Callable[[str, int, int, str], None]
"""Called with the stage, how much of it is done, how much there is, and a word on it."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training left behind."""

    manifest: Manifest
    report: Report
    training: TrainingResult


def train(
    store: Store,
    helpdesk: str,
    registry: Registry,
    settings: TrainerSettings,
    cache: Path,
    *,
    split: Split | None = None,
    max_effort: float = 1.0,
    progress: Progress = lambda *_: None,
) -> Trained:
    """Trains and judges a version of the model. It is not live yet: promoting is another step.

    A training that was killed goes on where it was, with the same data and settings: the adapter's training from its
    last checkpoint, the drafts from the last one written.

    Args:
        split: What to train on and to judge by, where it is not the desk's own.
        max_effort: Of the plugin, for the share of drafts that it would not show.

    Raises:
        NotEnoughDataError: Too few good examples.
        ModelError: The base weights are missing or cannot be trained.
    """
    started = time.monotonic()
    _use_threads(settings.threads)
    split = split or split_of(store, helpdesk, settings)
    encoder = Encoder(settings.encoder, cache)
    retriever = Retriever(store, helpdesk, encoder)
    retriever.index(store.examples.kept(helpdesk), progress=lambda done: progress("index", done, 0, "passages"))
    found = evidence_of(split.train, retriever, progress=_stage(progress, "retrieve", len(split.train)))

    model, tokenizer = load_language_model(settings.base_model, cache)
    judged = _sample(split.evaluation, settings.reply_eval_tickets)
    points = learning_curve(
        model, tokenizer, split.train, judged, retriever, settings, registry.work,
        progress=lambda size, done, total, note: progress("curve", done, total, f"{size} tickets, {note}"),
    )  # fmt: skip
    fitted, validation = with_validation(split.train, tokenised(split.train, found, tokenizer, settings))
    if not fitted:
        raise NotEnoughDataError(
            f"no reply to learn from is as short as {settings.max_reply_tokens} tokens",
            hint="raise [trainer] max_reply_tokens",
        )
    model, training = train_lora(
        model, fitted, validation, settings,
        checkpoint=registry.work / "adapter.pt",
        progress=lambda p: progress("train", p.step, p.steps, f"loss {p.loss:.2f}, {p.tokens_per_s:.0f} tokens/s"),
    )  # fmt: skip

    embed: dict[str, Embed] = dict.fromkeys(ARMS, encoder.embed) | {"tuned": tuned_features(model, tokenizer)}
    routers, seconds = train_routers(store, helpdesk, split.train, embed, settings, cache, progress=progress)
    held_out = [example for example in split.evaluation if example.turn == 0 and example.group_id]
    texts, groups = [route_text(example) for example in held_out], [example.group_id for example in held_out]
    routes = score_routes(routers, texts, groups, embed, train_s=seconds)
    heads = train_heads(store, helpdesk, split.train, encoder.embed, seed=settings.seed)
    head_scores = score_heads(heads, store, helpdesk, split.evaluation, encoder.embed)

    may_see = known_from(split.train)
    evidence = [gather(retriever, example.question, allowed=may_see) for example in judged]
    of_turn = {example.comment_id: one for example, one in zip(judged, evidence, strict=True)}
    writer = RememberingWriter(
        model, tokenizer, max_tokens=settings.max_reply_tokens, file=registry.work / "drafts.jsonl"
    )
    trials = try_arms(
        judged, evidence, writer,
        max_prompt_tokens=settings.max_prompt_tokens,
        progress=lambda arm, done: progress("evaluate", done, len(judged), arm),
    )  # fmt: skip
    guard = Guard(
        People.of_desk(store, helpdesk), Lexicon.of_desk(store, helpdesk), tuple(store.history.agents(helpdesk)),
        _least_similarity(found), max_effort,
    )  # fmt: skip
    spare = list(zip(split.train, found, strict=True))
    foreseen = {arm: _confidence(judged, evidence, one, spare=spare, seed=settings.seed) for arm, one in trials.items()}
    predicted = {arm: efforts for arm, (_, efforts) in foreseen.items() if efforts is not None}
    replies = score_replies(judged, evidence, trials, embed=encoder.embed, guard=guard, predicted=predicted)
    stale = probe(
        judged,
        lambda example: of_turn[example.comment_id],
        writer,
        max_prompt_tokens=settings.max_prompt_tokens,
        most=settings.stale_questions,
        progress=lambda arm, done: progress("probe", done, 0, arm),
    )
    if points:
        points.append(curve_point(split.train, len(fitted), trials[CURVE_ARM], judged, training))
    cost = Cost(
        time.monotonic() - started, training.seconds, len(fitted), training.tokens, training.trainable_parameters,
        tuple(loss / math.log(2) for loss in training.held_out_loss), _peak_memory_mb(),
    )  # fmt: skip
    report = judge(routes, replies, curve=points, stale=stale, cost=cost, heads=head_scores)
    confidence, efforts = foreseen[report.reply_arm]
    if efforts is not None:
        report = replace(report, calibration=calibration_of(efforts, trials[report.reply_arm].efforts))

    with registry.new_version() as (version, folder):
        save_adapter(model, folder / "adapter")
        routers[report.route_arm].save(folder)
        heads.save(folder)
        if confidence:
            confidence.save(folder)
        write_report(folder, report)
        samples = samples_of(judged, trials)
        write_samples(folder, samples)
        Registry.write_tickets(folder, split.train_tickets)
        manifest = Manifest(
            version=version,
            created_at=clock.now(),
            helpdesk=helpdesk,
            base_model=settings.base_model,
            encoder=settings.encoder,
            reply_arm=report.reply_arm,
            route_arm=report.route_arm,
            max_prompt_tokens=settings.max_prompt_tokens,
            max_reply_tokens=settings.max_reply_tokens,
            min_similarity=guard.min_similarity,
            data_hash=split.data_hash,
            prompt_hash=prompt.template_hash(),
            train_examples=len(fitted),
            train_until=split.at,
            metrics=_headline(report),
            verdict=report.verdict,
            files={},
        )
        write_page(folder, report, samples, manifest)
        Registry.finish(folder, manifest)
    registry.clear_work()
    return Trained(registry.manifest(version), report, training)


def _stage(progress: Progress, stage: str, total: int) -> Callable[[int], None]:
    return lambda done: progress(stage, done, total, "")


def _use_threads(threads: int) -> None:
    import torch

    if threads:
        torch.set_num_threads(threads)


def _sample(examples: Sequence[Example], count: int) -> list[Example]:
    """Evenly spaced over time, the same ones for the same data."""
    if len(examples) <= count:
        return list(examples)
    return [examples[int(index)] for index in np.linspace(0, len(examples) - 1, count)]


def _least_similarity(evidence: Sequence[Evidence]) -> float:
    """Nineteen in twenty training tickets have something at least this similar; below it we have nothing to go by."""
    return float(np.percentile([found.similarity for found in evidence], 5)) if evidence else 0.0


def _confidence(
    judged: Sequence[Example],
    evidence: Sequence[Evidence],
    trial: Trial,
    *,
    spare: Iterable[tuple[Example, Evidence]],
    seed: int,
) -> tuple[Confidence | None, Floats | None]:
    """What predicts an arm's edit effort, and what its like predicted for held-out turns that they had not seen.

    Args:
        spare: The training turns and what retrieval finds for them without their own ticket. Where the nearest reply
            is served, which nothing was trained for, they can tell as much of it as the held-out ones.
    """
    rows = [*zip(judged, evidence, trial.drafts, trial.efforts.tolist(), strict=True)]
    if trial.arm == "nearest":
        for example, found in spare:
            [one] = draft(trial.arm, [example.question], [found], None, max_prompt_tokens=0)
            rows.append((example, found, one, effort(one.text, example.reply)))
    features = np.stack([features_of(example.question, found, one) for example, found, one, _ in rows])
    efforts = np.asarray([one for *_, one in rows])
    customers = [example.requester_id for example, *_ in rows]
    predicted = cross_fitted(features, efforts, customers, seed=seed)
    if predicted is None:
        return None, None
    return Confidence.fit(features, efforts, customers, seed=seed), predicted[: len(judged)]


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def _headline(report: Report) -> dict[str, Any]:
    route = next(score for score in report.routes if score.arm == report.route_arm)
    reply = next(score for score in report.replies if score.arm == report.reply_arm)
    return {
        "route_accuracy": round(route.accuracy, 4),
        "route_tickets": route.tickets,
        "reply_effort": round(reply.effort, 4),
        "reply_tickets": reply.tickets,
        "unsupported_share": round(reply.unsupported_share, 4),
    }
