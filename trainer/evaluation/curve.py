"""The learning curve: what fewer tickets would have given, and so what more may give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from connectors.settings import TrainerSettings
from connectors.store.examples import Example
from trainer.evaluation.replies import Trial, bits_per_word, try_arms
from trainer.evaluation.scores import CurvePoint
from trainer.evaluation.style import style_auc
from trainer.replies.drafting import gather
from trainer.replies.lessons import evidence_of, known_from, tokenised, with_validation
from trainer.replies.lora import TrainingResult, train_lora
from trainer.replies.writer import RememberingWriter
from trainer.retrieval.retriever import Retriever

CURVE_ARM = "tuned_retrieval"
# Drafts take longer than the trainings do, and a curve shows steps of tenths: so many turns tell those.
MOST_TURNS = 100


def learning_curve(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    judged: Sequence[Example],
    retriever: Retriever,
    settings: TrainerSettings,
    work: Path,
    *,
    progress: Callable[[int, int, int, str], None] = lambda *_: None,
) -> list[CurvePoint]:
    """Trains and judges `CURVE_ARM` on the newest 50, 100, … tickets, as `settings.curve_tickets` says.

    Retrieval sees the same tickets only. At most `MOST_TURNS` turns are drafted for, the same ones at each point. The
    model is left as it came.

    Args:
        model: The base model.
        work: Where the runs keep their state; see `train_lora`.
        progress: Called with the number of tickets, how much is done, how much there is, and a word on it.
    """
    tickets = list(dict.fromkeys(example.ticket_id for example in examples))
    points: list[CurvePoint] = []
    judged = [judged[row] for row in _rows(len(judged))]
    for size in settings.curve_tickets:
        if size >= len(tickets):
            continue
        newest = frozenset(tickets[-size:])
        chosen = [example for example in examples if example.ticket_id in newest]
        lessons = tokenised(chosen, evidence_of(chosen, retriever), tokenizer, settings)
        fitted, validation = with_validation(chosen, lessons)
        if not fitted:
            continue
        tuned, training = train_lora(
            model, fitted, validation, settings,
            checkpoint=work / f"curve-{size}.pt",
            progress=lambda p, size=size: progress(size, p.step, p.steps, f"loss {p.loss:.2f}"),  # type: ignore[misc]
        )  # fmt: skip
        writer = RememberingWriter(
            tuned, tokenizer, max_tokens=settings.max_reply_tokens, file=work / f"curve-{size}.jsonl"
        )
        may_see = known_from(chosen)
        evidence = [gather(retriever, example.question, allowed=may_see) for example in judged]
        trials = try_arms(
            judged, evidence, writer,
            max_prompt_tokens=settings.max_prompt_tokens,
            arms=(CURVE_ARM,),
            progress=lambda _, done, size=size: progress(size, done, len(judged), "drafts"),  # type: ignore[misc]
        )  # fmt: skip
        points.append(curve_point(chosen, len(fitted), trials[CURVE_ARM], judged, training))
        tuned.unload()
    return points


def curve_point(
    examples: Sequence[Example], fitted: int, trial: Trial, judged: Sequence[Example], training: TrainingResult
) -> CurvePoint:
    """A point of the curve from a training on these examples, of which `fitted` were lessons.

    Args:
        judged: The turns of the trial; where they are more than `MOST_TURNS`, those of the curve are taken.
    """
    rows = _rows(len(judged))
    sent = [judged[row].reply for row in rows]
    return CurvePoint(
        tickets=len({example.ticket_id for example in examples}),
        examples=fitted,
        arm=trial.arm,
        effort=float(trial.efforts[rows].mean()),
        bits_per_word=0.0 if trial.bits is None else bits_per_word(trial.bits[rows], sent),
        style_auc=style_auc([trial.drafts[row].text for row in rows], sent),
        train_s=training.seconds,
    )


def _rows(turns: int) -> list[int]:
    """Evenly spaced over time."""
    return [int(row) for row in np.linspace(0, turns - 1, min(turns, MOST_TURNS))]
