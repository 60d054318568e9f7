"""Evaluation: every arm on the same held-out tickets, with paired intervals, and a verdict.

Replies are judged by edit effort: the share of words that an agent would have to change to get from the draft to what
the team really sent (word-level Levenshtein distance over the longer one's length). 0 is sent as it is, 1 is written
anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from connectors.errors import ModelError
from connectors.store.examples import Example
from trainer.claims import BLANK, check
from trainer.drafting import ARMS, Drafted, Evidence, draft, support_of
from trainer.router import Embed, Router, expected_calibration_error
from trainer.text import words
from trainer.writer import Writer

RESAMPLES = 2000
# Below this, intervals are so wide that 'no measurable difference' says little.
FEW = 40
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RouteScore:
    """One routing arm; `versus_best` is the 95% interval of its accuracy less the best arm's, paired."""

    arm: str
    tickets: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    versus_best: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ReplyScore:
    """One reply arm.

    Attributes:
        effort: Mean edit effort, with its 95% bootstrap interval in `effort_interval`.
        versus_best: 95% interval of its effort less the best arm's, paired; above 0 means worse for sure.
        chrf: chrF2 of sacrebleu, 0 to 100, over all drafts.
        unsupported_share: Share of drafts with a number, date, amount or link that stands nowhere it could come from.
        blanks: Mean number of blanks left for the agent to fill in.
        seconds: Mean wall time of a draft, many at a time.
    """

    arm: str
    tickets: int
    effort: float
    effort_interval: tuple[float, float]
    versus_best: tuple[float, float]
    chrf: float
    unsupported_share: float
    blanks: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of an evaluation and what follows from them."""

    routes: tuple[RouteScore, ...]
    replies: tuple[ReplyScore, ...]
    route_arm: str
    reply_arm: str
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """For `report.json`."""
        return asdict(self)


def read_report(folder: Path) -> Report:
    """Reads `report.json` of a version's folder.

    Raises:
        ModelError: It is missing or damaged.
    """
    try:
        values = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        routes = tuple(RouteScore(**row | {"versus_best": tuple(row["versus_best"])}) for row in values["routes"])
        replies = tuple(
            ReplyScore(
                **row | {"versus_best": tuple(row["versus_best"]), "effort_interval": tuple(row["effort_interval"])}
            )
            for row in values["replies"]
        )
        return Report(routes, replies, values["route_arm"], values["reply_arm"], values["verdict"])
    except FileNotFoundError:
        raise ModelError(f"there is no evaluation in {folder}", hint="see: deskhand models") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the evaluation in {folder} cannot be read", hint="run: deskhand train") from error


def effort(draft_text: str, sent: str) -> float:
    """Edit effort between two texts, 0 to 1; blanks count as words to be changed."""
    return float(Levenshtein.normalized_distance(words(draft_text), words(sent)))


def score_routes(
    routers: dict[str, Router], texts: Sequence[str], labels: Sequence[str], embed: dict[str, Embed]
) -> list[RouteScore]:
    """Scores routers, cheapest first, on held-out tickets; a group unknown to a router counts as wrong."""
    from sklearn.metrics import f1_score

    truth = np.asarray(labels)
    guesses, probabilities = {}, {}
    for arm, router in routers.items():
        probabilities[arm] = router.probabilities(texts, embed.get(arm))
        guesses[arm] = np.asarray(router.classes)[probabilities[arm].argmax(axis=1)]
    hits = {arm: (guess == truth).astype(np.float64) for arm, guess in guesses.items()}
    best = max(hits, key=lambda arm: float(hits[arm].mean()))
    return [
        RouteScore(
            arm=arm,
            tickets=len(truth),
            accuracy=float(hits[arm].mean()),
            macro_f1=float(f1_score(truth, guesses[arm], average="macro", zero_division=0)),
            calibration_error=expected_calibration_error(probabilities[arm], hits[arm] == 1.0),
            versus_best=interval(hits[arm] - hits[best]),
        )
        for arm in routers
    ]


def score_replies(
    examples: Sequence[Example],
    evidence: Sequence[Evidence],
    writer: Writer,
    *,
    max_prompt_tokens: int,
    arms: Sequence[str] = ARMS,
    progress: Callable[[str, int], None] = lambda *_: None,
) -> tuple[list[ReplyScore], dict[str, list[Drafted]]]:
    """Lets every arm draft for the same held-out turns and compares with what the team sent."""
    conversations = [example.question for example in examples]
    drafted: dict[str, list[Drafted]] = {}
    for arm in arms:
        drafted[arm] = draft(
            arm,
            conversations,
            evidence,
            writer,
            max_prompt_tokens=max_prompt_tokens,
            progress=partial(progress, arm),
        )
    efforts = {
        arm: np.asarray([effort(one.text, example.reply) for one, example in zip(drafts, examples, strict=True)])
        for arm, drafts in drafted.items()
    }
    best = min(efforts, key=lambda arm: float(efforts[arm].mean()))
    scores = [_score(arm, examples, drafted[arm], efforts[arm], efforts[arm] - efforts[best]) for arm in arms]
    return scores, drafted


def _score(
    arm: str, examples: Sequence[Example], drafts: Sequence[Drafted], efforts: Floats, against: Floats
) -> ReplyScore:
    from sacrebleu.metrics.chrf import CHRF

    unsupported = 0
    for example, one in zip(examples, drafts, strict=True):
        claims = check(one.text, support_of(example.question, one.passages))
        unsupported += any(not claim.supported for claim in claims)
    texts = [one.text for one in drafts]
    return ReplyScore(
        arm=arm,
        tickets=len(examples),
        effort=float(efforts.mean()),
        effort_interval=interval(efforts),
        versus_best=interval(against),
        chrf=float(CHRF().corpus_score(texts, [[example.reply for example in examples]]).score),
        unsupported_share=unsupported / len(examples),
        blanks=float(np.mean([len(BLANK.findall(text)) for text in texts])),
        seconds=float(np.mean([one.draft.seconds if one.draft else 0.0 for one in drafts])),
    )


def interval(values: Floats, *, seed: int = 0) -> tuple[float, float]:
    """95% percentile bootstrap interval of the mean (Efron and Tibshirani, 1993)."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def judge(routes: Sequence[RouteScore], replies: Sequence[ReplyScore]) -> Report:
    """Recommends, for routes and for replies, the cheapest arm that is not significantly worse than the best."""
    route = next(score for score in routes if score.versus_best[1] >= 0)
    reply = next(score for score in replies if score.versus_best[0] <= 0)
    return Report(tuple(routes), tuple(replies), route.arm, reply.arm, _verdict(route, reply, replies))


_NAMES = {
    "nearest": "showing the most similar past reply",
    "prompt_only": "the base model with a prompt alone",
    "retrieval": "the base model with retrieved articles and tickets",
    "tuned": "the fine-tuned model without retrieval",
    "tuned_retrieval": "the fine-tuned model with retrieved articles and tickets",
}


def _verdict(route: RouteScore, reply: ReplyScore, replies: Sequence[ReplyScore]) -> str:
    cheap = min((score for score in replies if not score.arm.startswith("tuned")), key=lambda score: score.effort)
    if reply.arm.startswith("tuned"):
        replies_part = (
            f"Fine-tuning pays here: {_NAMES[reply.arm]} leaves {reply.effort:.0%} of a reply to be changed, "
            f"the best way without it {cheap.effort:.0%} ({_NAMES[cheap.arm]})."
        )
    else:
        tuned = min((score for score in replies if score.arm.startswith("tuned")), key=lambda score: score.effort)
        replies_part = (
            f"You do not need fine-tuning here: {_NAMES[reply.arm]} leaves {reply.effort:.0%} of a reply "
            f"to be changed, and on {reply.tickets} newer customer turns the best fine-tuned way was not measurably "
            f"better ({tuned.effort:.0%})."
        )
        if reply.tickets < FEW:
            replies_part += " So few turns cannot show a small difference: judge again with more."
    return (
        f"{replies_part} Routing by '{route.arm}' is right for {route.accuracy:.0%} of {route.tickets} newer tickets"
        f" that it had not seen."
    )
