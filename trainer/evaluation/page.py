"""`report.html`: the evaluation as one page for people, with nothing to load from elsewhere and no script.

Figures come from the report, texts from the samples. Everything is escaped; slots stay slots.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.conversation import latest_turn
from trainer.evaluation.axes import curves, shares, span
from trainer.evaluation.columns import HEAD_COLUMNS, REPLY_COLUMNS, ROUTE_COLUMNS, number
from trainer.evaluation.differences import Piece, compare, slotted
from trainer.evaluation.judgement import REPLIES_BY, ROUTES_BY, duration, no_draft_helps, remarks
from trainer.evaluation.scores import Report, Sample
from trainer.registry import Manifest
from trainer.text import cut_words

if TYPE_CHECKING:
    from jinja2 import Template

PAGE = "report.html"
EXAMPLES = 5
# Of the customer's words: enough to see what it is about.
ASKED_WORDS = 150


@dataclass(frozen=True, slots=True)
class Example:
    """A held-out turn beside a draft for it; `nearest` is empty where the draft is the nearest reply itself."""

    ticket_id: str
    effort: float
    asked: list[Piece]
    draft: list[Piece]
    sent: list[Piece]
    nearest: list[Piece]
    nearest_effort: float


def write_page(folder: Path, report: Report, samples: Sequence[Sample], manifest: Manifest) -> Path:
    """Writes `report.html` into a version's folder, whole or not at all.

    Args:
        samples: What the examples are chosen from; none, and there are no examples.

    Returns:
        Where it is.
    """
    path = folder / PAGE
    partial = path.with_name(f"{PAGE}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(render(report, samples, manifest))
        file.flush()
        os.fsync(file.fileno())
    return partial.replace(path)


def render(report: Report, samples: Sequence[Sample], manifest: Manifest) -> str:
    """The page as HTML."""
    route = next(score for score in report.routes if score.arm == report.route_arm)
    reply = next(score for score in report.replies if score.arm == report.reply_arm)
    best, worst = examples(samples, report.reply_arm)
    effort = span([end for score in report.replies for end in score.effort_interval])
    return _template().render(
        report=report,
        manifest=manifest,
        remarks=remarks(report),
        route=route,
        reply=reply,
        replies_by=REPLIES_BY,
        routes_by=ROUTES_BY,
        reply_columns=REPLY_COLUMNS,
        route_columns=ROUTE_COLUMNS,
        head_columns=HEAD_COLUMNS,
        effort_axis=effort,
        share_axis=shares(0, 1, 0.25),
        calibration_axis=span([end for b in report.calibration.bins for end in b[:2]]) if report.calibration else None,
        curves=curves(report.curve),
        best=best,
        worst=worst,
        hopeless=no_draft_helps(report.replies),
        duration=duration,
        number=number,
    )


def examples(samples: Sequence[Sample], arm: str) -> tuple[list[Example], list[Example]]:
    """The drafts of an arm that needed least and most to be changed, a ticket at most once."""
    drafted = [sample for sample in samples if arm in sample.drafts and arm in sample.efforts]
    ranked = sorted(drafted, key=lambda sample: (sample.efforts[arm], sample.ticket_id))
    tickets = {sample.ticket_id for sample in ranked}
    best = _one_each(ranked, (len(tickets) + 1) // 2)
    shown = {sample.ticket_id for sample in best}
    worst = _one_each([sample for sample in reversed(ranked) if sample.ticket_id not in shown], EXAMPLES)
    return [_example(sample, arm) for sample in best], [_example(sample, arm) for sample in worst]


def _one_each(samples: Sequence[Sample], most: int) -> list[Sample]:
    """The first sample of each ticket, in order, as many as may be shown."""
    first = {sample.ticket_id: sample for sample in reversed(samples)}
    return [sample for sample in samples if first[sample.ticket_id] is sample][: min(most, EXAMPLES)]


def _example(sample: Sample, arm: str) -> Example:
    draft, sent = compare(sample.drafts[arm], sample.sent)
    nearest = sample.drafts.get("nearest", "") if arm != "nearest" else ""
    return Example(
        ticket_id=sample.ticket_id,
        effort=sample.efforts[arm],
        asked=list(slotted(cut_words(latest_turn(sample.question), ASKED_WORDS))),
        draft=draft,
        sent=sent,
        nearest=compare(nearest, sample.sent)[0],
        nearest_effort=sample.efforts.get("nearest", 1.0),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("trainer.evaluation", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(PAGE)
