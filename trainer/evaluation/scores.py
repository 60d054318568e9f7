"""What an evaluation says: a figure for each arm, and all that `report.json` holds.

Replies are judged by edit effort: the share of words that an agent would have to change to get from the draft to what
the team really sent (word-level Levenshtein distance over the longer one's length). 0 is sent as it is, 1 is written
anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from connectors.errors import ModelError
from trainer.routing.heads import HeadScore

REPORT, SAMPLES = "report.json", "samples.json"
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class RouteScore:
    """One routing arm.

    Attributes:
        top3: Share of tickets whose group is among the three likeliest.
        calibration_error: Expected calibration error of the probabilities, 0 to 1.
        coverage: Share of tickets that can be routed, surest first, with 95% of them right.
        routed, routed_accuracy: Share that its own thresholds route by themselves, and how many of those are right.
        versus_best: 95% interval of its accuracy less the best arm's, paired.
        train_s: What training it took, seconds.
    """

    arm: str
    tickets: int
    accuracy: float
    macro_f1: float
    top3: float
    calibration_error: float
    coverage: float
    routed: float
    routed_accuracy: float
    versus_best: Interval
    train_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReplyScore:
    """One reply arm; `tickets` are customer turns.

    Attributes:
        effort: Mean edit effort, with its 95% bootstrap interval in `effort_interval`.
        versus_best: 95% interval of its effort less the best arm's, paired; above 0 means worse for sure.
        chrf: chrF2 of sacrebleu, 0 to 100, over all drafts.
        rouge_l: Mean F1 of the longest common subsequence of words (Lin, 2004).
        effort_cut, chrf_cut: The same with draft and sent reply cut to the shorter one's length in words, so that a
            short draft is not judged by being short.
        similarity: Mean cosine of the sentence embeddings of draft and sent reply.
        similarity_control: The same between a draft and the reply to another ticket, of like length: what talking
            like this desk about anything is worth.
        length_ratio: Words of all drafts over words of all sent replies.
        bits_per_word: Of the sent replies under the model as this arm asks it; None for `nearest`, which has no model.
        style_auc: How well a classifier tells drafts from the team's replies on tickets that it has not seen; 0.5 is
            not at all. None where there are too few drafts to tell.
        unsupported_share: Share of drafts, as they would be shown, with a number, date, amount or link that stands
            nowhere it could come from.
        invented_share: Share of drafts in which the model had written such a fact; they are blanks in what is shown.
        leak_share: Share of drafts with personal data that neither the ticket nor an article holds.
        silent_share: Share of drafts that would not be shown, for whatever reason (`trainer.replies.guard`).
        blanks: Mean number of blanks left for the agent to fill in.
        seconds, tokens: Mean wall time of a draft, many at a time, and its length.
    """

    arm: str
    tickets: int
    effort: float
    effort_interval: Interval
    versus_best: Interval
    chrf: float
    rouge_l: float
    effort_cut: float
    chrf_cut: float
    similarity: float
    similarity_control: float
    length_ratio: float
    bits_per_word: float | None
    style_auc: float | None
    unsupported_share: float
    leak_share: float
    silent_share: float
    blanks: float
    seconds: float
    tokens: float
    invented_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far the predicted edit effort can be trusted, on turns that the prediction had not seen.

    Attributes:
        error: Mean gap between predicted and real effort over up to ten bins of like size, weighted by their size.
        bins: (mean predicted, mean real effort, turns) of each bin, surest first.
        surest_quarter: Mean effort of the quarter with the lowest prediction.
        overall: Mean effort of all.
    """

    error: float
    bins: tuple[tuple[float, float, int], ...]
    surest_quarter: float
    overall: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What so many training tickets give: the arm with an adapter trained on them."""

    tickets: int
    examples: int
    arm: str
    effort: float
    bits_per_word: float
    style_auc: float | None
    train_s: float


@dataclass(frozen=True, slots=True)
class StaleScore:
    """The stale-fact probe of one arm: an article was edited, and the same question asked before and after.

    Attributes:
        questions: How many (fact, question) pairs were asked.
        stated_before: Drafts that stated the fact while it was true.
        stale: Drafts that still state the old fact after the edit, as the model wrote them.
        fresh: Drafts that state the new one.
        seen: Of the stale ones, how many state it still when the claim check has made its blanks: what agents see.
    """

    arm: str
    questions: int
    stated_before: int
    stale: int
    fresh: int
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What making a version took. `bits_per_token` is held-out loss before training and after each epoch."""

    seconds: float
    train_s: float
    examples: int
    tokens: int
    trainable_parameters: int
    bits_per_token: tuple[float, ...]
    peak_memory_mb: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One held-out turn with every arm's draft, personal data as slots. Kept apart from the figures.

    Attributes:
        sources: Ids of the solved tickets that drafts were made from: their wording may stand in them.
    """

    ticket_id: str
    question: str
    sent: str
    drafts: dict[str, str]
    efforts: dict[str, float]
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of an evaluation and what follows from them; no text of a ticket."""

    routes: tuple[RouteScore, ...]
    replies: tuple[ReplyScore, ...]
    route_arm: str
    reply_arm: str
    verdict: str
    calibration: Calibration | None = None
    curve: tuple[CurvePoint, ...] = ()
    stale: tuple[StaleScore, ...] = ()
    cost: Cost | None = None
    heads: tuple[HeadScore, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For `report.json`."""
        return asdict(self)


def write_report(folder: Path, report: Report) -> None:
    """Writes `report.json` into a version's folder."""
    (folder / REPORT).write_text(json.dumps(report.as_dict(), indent=1), encoding="utf-8")


def read_report(folder: Path) -> Report:
    """Reads `report.json` of a version's folder.

    Raises:
        ModelError: It is missing or damaged.
    """
    try:
        return _reports().validate_json((folder / REPORT).read_bytes())
    except FileNotFoundError:
        raise ModelError(f"there is no evaluation in {folder}", hint="see: deskhand models") from None
    except (ValidationError, OSError) as error:
        raise ModelError(f"the evaluation in {folder} cannot be read", hint="run: deskhand train") from error


def write_samples(folder: Path, samples: list[Sample]) -> None:
    """Writes `samples.json`: the only file of a version with texts of tickets in it."""
    content = json.dumps([asdict(sample) for sample in samples], indent=1, ensure_ascii=False)
    (folder / SAMPLES).write_text(content, encoding="utf-8")


def read_samples(folder: Path) -> list[Sample]:
    """Reads `samples.json`; none where there is no such file, or it cannot be read."""
    try:
        return _samples().validate_json((folder / SAMPLES).read_bytes())
    except (ValidationError, OSError):
        return []


@cache
def _reports() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


@cache
def _samples() -> TypeAdapter[list[Sample]]:
    return TypeAdapter(list[Sample])
