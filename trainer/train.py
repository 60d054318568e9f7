"""One training: curated examples in, a judged model version out. Read it from top to bottom."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from connectors import clock
from connectors.errors import NotEnoughDataError
from connectors.settings import TrainerSettings
from connectors.store.database import Store
from connectors.store.examples import Example
from connectors.store.passages import Passage
from trainer import prompt
from trainer.claims import blank_unsupported
from trainer.conversation import latest_turn
from trainer.dataset import Split, split_by_time
from trainer.drafting import Evidence, gather, support_of
from trainer.evaluate import Report, judge, score_replies, score_routes
from trainer.lora import TokenExample, TrainingResult, pooled_states, save_adapter, train_lora
from trainer.registry import Manifest, Registry
from trainer.retrieve import Encoder, Retriever
from trainer.router import Embed, Router, train_router
from trainer.weights import load_language_model
from trainer.writer import Writer

Progress = Callable[[str, int, int, str], None]
"""Called with the stage, how much of it is done, how much there is, and a word on it."""

# Trained without passages: so that a draft is possible where retrieval finds nothing.
WITHOUT_PASSAGES_SHARE = 0.2
# The newest training tickets choose the epoch; they are neither trained on nor judged by.
VALIDATION_SHARE = 0.1
_ROUTE_TOKENS = 200


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
    progress: Progress = lambda *_: None,
) -> Trained:
    """Trains and judges a version of the model. It is not live yet: promoting is another step.

    Raises:
        NotEnoughDataError: Too few good examples.
        ModelError: The base weights are missing or cannot be trained.
    """
    _use_threads(settings.threads)
    split = split_by_time(
        store.examples.kept(helpdesk),
        eval_share=settings.eval_share,
        min_examples=settings.min_examples,
        max_train_tickets=settings.max_train_tickets,
    )
    encoder = Encoder(settings.encoder, cache)
    retriever = Retriever(store, helpdesk, encoder)
    retriever.index(store.examples.kept(helpdesk), progress=lambda done: progress("index", done, 0, "passages"))
    evidence = _evidence_of(split.train, retriever, split, progress)

    model, tokenizer = load_language_model(settings.base_model, cache)
    learned = _tokenised(split.train, evidence, tokenizer, settings)
    fitted, validation = _validation(split.train, learned)
    if not fitted:
        raise NotEnoughDataError(
            f"no reply to learn from is as short as {settings.max_reply_tokens} tokens",
            hint="raise [trainer] max_reply_tokens",
        )
    model, training = train_lora(
        model, fitted, validation, settings,
        progress=lambda p: progress("train", p.step, p.steps, f"loss {p.loss:.2f}, {p.tokens_per_s:.0f} tokens/s"),
    )  # fmt: skip

    embed: dict[str, Embed] = {"encoder": encoder.embed, "tuned": tuned_features(model, tokenizer)}
    routers = _routers(split.train, embed, settings.seed, progress)
    held_out = [example for example in split.evaluation if example.turn == 0]
    routes = score_routes(routers, [route_text(e) for e in held_out], [e.group_id for e in held_out], embed)

    judged = _sample(split.evaluation, settings.reply_eval_tickets)
    writer = Writer(model, tokenizer, max_tokens=settings.max_reply_tokens)
    replies, _ = score_replies(
        judged,
        [gather(retriever, example.question, allowed=_may_see(split)) for example in judged],
        writer,
        max_prompt_tokens=settings.max_prompt_tokens,
        progress=lambda arm, done: progress("evaluate", done, len(judged), arm),
    )
    report = judge(routes, replies)

    with registry.new_version() as (version, folder):
        save_adapter(model, folder / "adapter")
        routers[report.route_arm].save(folder)
        _write_report(folder, report, training)
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
            min_similarity=_least_similarity(evidence),
            data_hash=split.data_hash,
            prompt_hash=prompt.template_hash(),
            train_examples=len(fitted),
            train_until=split.at,
            metrics=_headline(report),
            verdict=report.verdict,
            files={},
        )
        Registry.finish(folder, manifest)
    return Trained(registry.manifest(version), report, training)


def route_text(example: Example) -> str:
    """What routing looks at: the subject and the customer's newest turn."""
    return latest_turn(example.question)


def tuned_features(model: Any, tokenizer: Any) -> Embed:
    """The fine-tuned model's mean last hidden state as features, float32 of shape (texts, hidden), unit length."""

    def embed(texts: Sequence[str]) -> Any:
        ids = [tokenizer(text, add_special_tokens=False)["input_ids"][:_ROUTE_TOKENS] or [0] for text in texts]
        states = np.stack([state.numpy() for state in pooled_states(model, ids)])
        return (states / np.linalg.norm(states, axis=1, keepdims=True)).astype(np.float32)

    return embed


def _use_threads(threads: int) -> None:
    import torch

    if threads:
        torch.set_num_threads(threads)


def _evidence_of(examples: Sequence[Example], retriever: Retriever, split: Split, progress: Progress) -> list[Evidence]:
    """What retrieval would have found for each training example, its own ticket and customer left out."""
    own = {example.ticket_id: example.requester_id for example in split.train}
    found = []
    for done, example in enumerate(examples, start=1):

        def allowed(passage: Passage, example: Example = example) -> bool:
            return passage.kind == "article" or (
                passage.source_id in own and own[passage.source_id] != example.requester_id
            )

        found.append(gather(retriever, example.question, allowed=allowed))
        progress("retrieve", done, len(examples), "")
    return found


def _may_see(split: Split) -> Callable[[Passage], bool]:
    known = split.train_tickets
    return lambda passage: passage.kind == "article" or passage.source_id in known


def _tokenised(
    examples: Sequence[Example], evidence: Sequence[Evidence], tokenizer: Any, settings: TrainerSettings
) -> list[TokenExample | None]:
    """Token ids per example, None where the reply is too long; facts with no source become blanks."""
    rng = random.Random(settings.seed)  # noqa: S311
    found: list[TokenExample | None] = []
    for example, known in zip(examples, evidence, strict=True):
        passages = [] if rng.random() < WITHOUT_PASSAGES_SHARE else known.passages(example.question)
        built = prompt.build(tokenizer, example.question, passages, max_tokens=settings.max_prompt_tokens)
        reply = blank_unsupported(example.reply, support_of(example.question, built.passages))
        ids = prompt.encode_reply(tokenizer, reply)
        fits = len(ids) <= settings.max_reply_tokens
        found.append(TokenExample(built.ids, tuple(ids), example.weight) if fits else None)
    return found


def _validation(
    examples: Sequence[Example], tokenised: Sequence[TokenExample | None]
) -> tuple[list[TokenExample], list[TokenExample]]:
    tickets = sorted({(example.created_at, example.ticket_id) for example in examples})
    newest = {ticket_id for _, ticket_id in tickets[len(tickets) - max(1, int(len(tickets) * VALIDATION_SHARE)) :]}
    pairs = [(example, ids) for example, ids in zip(examples, tokenised, strict=True) if ids is not None]
    return (
        [ids for example, ids in pairs if example.ticket_id not in newest],
        [ids for example, ids in pairs if example.ticket_id in newest],
    )


def _routers(train_set: Sequence[Example], embed: dict[str, Embed], seed: int, progress: Progress) -> dict[str, Router]:
    chosen = [example for example in train_set if example.turn == 0 and example.group_id]
    texts, labels = [route_text(example) for example in chosen], [example.group_id for example in chosen]
    routers = {}
    for done, arm in enumerate(("majority", "tfidf", "encoder", "tuned"), start=1):
        routers[arm] = train_router(arm, texts, labels, embed=embed.get(arm), seed=seed)
        progress("route", done, 4, arm)
    return routers


def _sample(examples: Sequence[Example], count: int) -> list[Example]:
    """Evenly spaced over time, the same ones for the same data."""
    if len(examples) <= count:
        return list(examples)
    return [examples[int(index)] for index in np.linspace(0, len(examples) - 1, count)]


def _least_similarity(evidence: Sequence[Evidence]) -> float:
    """Nineteen in twenty training tickets have something at least this similar; below it we have nothing to go by."""
    return float(np.percentile([found.similarity for found in evidence], 5)) if evidence else 0.0


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


def _write_report(folder: Path, report: Report, training: TrainingResult) -> None:
    import json
    from dataclasses import asdict

    content = report.as_dict() | {"training": asdict(training)}
    (folder / "report.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
