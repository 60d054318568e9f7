"""What follows from the figures: the arms to serve by, and a verdict in words for who pays for it.

Cheap wins. An arm that costs more to run and to keep is recommended only where it is better beyond chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trainer.evaluation.scores import (
    Calibration,
    Cost,
    CurvePoint,
    Interval,
    ReplyScore,
    Report,
    RouteScore,
    StaleScore,
)
from trainer.routing.heads import HeadScore

RESAMPLES = 2000
# Below this, intervals are so wide that 'no measurable difference' says little.
FEW = 40
# Where this much of a reply is to be changed, writing it anew is quicker than mending a draft.
HOPELESS = 0.9
# Among arms that are level on effort: by how much the share of leaking drafts, and of drafts with facts from nowhere,
# may be above that of the most careful one. A leak is somebody's privacy: on 48 turns a single one is 2%.
LEAKS_MORE, UNSUPPORTED_MORE = 0.01, 0.05

REPLIES_BY = {
    "nearest": "showing the most similar past reply",
    "prompt_only": "the base model with a prompt alone",
    "retrieval": "the base model with retrieved articles and tickets",
    "tuned": "the fine-tuned model without retrieval",
    "tuned_retrieval": "the fine-tuned model with retrieved articles and tickets",
}
ROUTES_BY = {
    "majority": "always the largest group",
    "tfidf": "the words of a ticket, counted and weighted",
    "neighbours": "the groups of the most similar past tickets",
    "encoder": "a classifier on sentence embeddings",
    "stacked": "several classifiers together",
    "encoder_tuned": "a fine-tuned sentence encoder",
    "tuned": "a classifier on the fine-tuned language model",
}


def interval(values: npt.NDArray[np.float64], *, seed: int = 0) -> Interval:
    """95% percentile bootstrap interval of the mean (Efron and Tibshirani, 1993)."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def judge(
    routes: Sequence[RouteScore],
    replies: Sequence[ReplyScore],
    *,
    calibration: Calibration | None = None,
    curve: Sequence[CurvePoint] = (),
    stale: Sequence[StaleScore] = (),
    cost: Cost | None = None,
    heads: Sequence[HeadScore] = (),
) -> Report:
    """Recommends an arm for routes and one for replies, and says what that means.

    Recommended is the cheapest arm that is not significantly worse than the best. Among reply arms that are level so,
    those that leak or state unsupported facts more often than the most careful of them are passed over first.

    Args:
        routes: At least one, cheapest first.
        replies: At least one, cheapest first.
        curve: Fewest training tickets first.
    """
    route = next(score for score in routes if score.versus_best[1] >= 0)
    reply = careful(level(replies))[0]
    return Report(
        tuple(routes),
        tuple(replies),
        route.arm,
        reply.arm,
        f"{_on_replies(reply, replies, cost)} {_on_routes(route)}",
        calibration,
        tuple(curve),
        tuple(stale),
        cost,
        tuple(heads),
    )


def level(replies: Sequence[ReplyScore]) -> list[ReplyScore]:
    """The arms whose edit effort is not significantly above the best one's, in order."""
    return [score for score in replies if score.versus_best[0] <= 0]


def careful(replies: Sequence[ReplyScore]) -> list[ReplyScore]:
    """Those that leak hardly more often than the one that does so least, and of them the same for unsupported facts."""
    least = min(score.leak_share for score in replies)
    kept = [score for score in replies if score.leak_share <= least + LEAKS_MORE]
    least = min(score.unsupported_share for score in kept)
    return [score for score in kept if score.unsupported_share <= least + UNSUPPORTED_MORE]


def is_tuned(score: ReplyScore) -> bool:
    """Whether an arm needs a fine-tuned model."""
    return score.arm.startswith("tuned")


def no_draft_helps(replies: Sequence[ReplyScore]) -> bool:
    """Whether every arm leaves so much of a reply to be changed that no draft is worth showing."""
    return min(score.effort for score in replies) > HOPELESS


def remarks(report: Report) -> list[str]:
    """What a reader of the figures should know beside the verdict, most important first; a sentence or two each."""
    reply = next(score for score in report.replies if score.arm == report.reply_arm)
    found = []
    if no_draft_helps(report.replies):
        found.append(_where_effort_says_nothing(report.replies))
    candidates = level(report.replies)
    found += [
        f"'{score.arm}' costs less and is as close to what the team sends, but is passed over: {_risks(score)}."
        for score in candidates[: candidates.index(reply)]
    ]
    if reply.leak_share > 0 or reply.unsupported_share > 0:
        found.append(f"With '{reply.arm}', {_risks(reply)}: serving withholds or blanks the one and marks the other.")
    if min(reply.tickets, report.routes[0].tickets) < FEW:
        found.append(
            f"{reply.tickets} turns and {report.routes[0].tickets} tickets are few: small differences cannot show. "
            f"Judge again when more tickets are solved."
        )
    if report.calibration:
        surest, overall = report.calibration.surest_quarter, report.calibration.overall
        told = "lower than" if surest < overall else "no lower than"
        found.append(
            f"In the quarter of drafts that the prediction is surest of, {surest:.0%} of a reply is to be changed, "
            f"{told} the {overall:.0%} of all; the prediction is off by {100 * report.calibration.error:.1f} points."
        )
    for probe in report.stale:
        if probe.arm == report.reply_arm and probe.stale:
            shown = f"{probe.seen} of them as they would be shown" if probe.seen else "all of them blanks when shown"
            found.append(
                f"After an article was edited, '{probe.arm}' still stated the old fact in {probe.stale} of "
                f"{probe.questions} drafts, {shown}."
            )
    return found


def duration(seconds: float) -> str:
    """A time as people say it: `40 seconds`, `23 minutes`, `1.5 hours`."""
    if seconds < 90:
        return _count(round(seconds), "second")
    if seconds < 90 * 60:
        return _count(round(seconds / 60), "minute")
    return f"{seconds / 3600:.1f} hours"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")


def _on_replies(reply: ReplyScore, replies: Sequence[ReplyScore], cost: Cost | None) -> str:
    if no_draft_helps(replies):
        best = min(replies, key=lambda score: score.effort)
        return (
            f"Drafts are no help yet on this desk: on {_turns(reply)} even the best way, {REPLIES_BY[best.arm]}, "
            f"leaves {_left(best)}{_but_learned(replies)}, so show agents the articles and solved tickets that "
            f"retrieval finds, or nothing."
        )
    tuned = [score for score in replies if is_tuned(score)]
    cheap = [score for score in replies if not is_tuned(score)]
    took = f"{duration(cost.train_s)} of training" if cost else ""
    if not tuned or not cheap:
        return f"On {_turns(reply)}, {REPLIES_BY[reply.arm]} leaves {_left(reply)}; nothing else was compared with it."
    if is_tuned(reply):
        return _fine_tuning_pays(reply, cheap, took)
    best = min(tuned, key=lambda score: score.effort)
    if best.versus_best[0] > 0:
        compared = f"was measurably worse ({best.effort:.0%})"
    elif best in careful(level(replies)):
        compared = f"was not measurably better ({best.effort:.0%})"
    else:
        compared = f"was not measurably better ({best.effort:.0%}) and less careful ({_risks(best)})"
    few = "; so few turns cannot show a small difference, so judge again with more" if reply.tickets < FEW else ""
    return (
        f"You do not need fine-tuning here: {REPLIES_BY[reply.arm]} leaves {_left(reply)}, and on {_turns(reply)} the "
        f"best fine-tuned way {compared}{f' for all its {took}' if took else ''}{few}."
    )


def _fine_tuning_pays(reply: ReplyScore, cheap: Sequence[ReplyScore], took: str) -> str:
    # Level all the same, where there are any: then they were passed over for want of care.
    others = level(cheap) or cheap
    other = min(others, key=lambda score: score.effort)
    price = f" for {took} and {reply.seconds:.1f} seconds a draft" if took else ""
    start = f"{REPLIES_BY[reply.arm]} leaves {_left(reply)}{price}"
    than = f"the best way without it {other.effort:.0%} ({REPLIES_BY[other.arm]})"
    if not level(cheap):
        return (
            f"Fine-tuning pays here: {start}, {than}, and on {_turns(reply)} the lead of fine-tuning is more than "
            f"chance (95% sure)."
        )
    return (
        f"Fine-tuning pays here, by what its drafts do not say: {start}, {than}, no measurable difference on "
        f"{_turns(reply)}, but there {_risks(other)}."
    )


def _on_routes(route: RouteScore) -> str:
    if route.arm == "majority":
        return (
            f"Routing cannot be learned from these tickets yet: nothing is measurably better than naming the largest "
            f"group every time, which is right for {route.accuracy:.0%} of {route.tickets} newer tickets."
        )
    alone = (
        f"it could route {route.coverage:.0%} of them by itself with 95% of those right"
        if route.coverage > 0
        else "none of them is so sure that it could be routed without a person"
    )
    return (
        f"Routing by '{route.arm}' ({ROUTES_BY.get(route.arm, route.arm)}) is right for {route.accuracy:.0%} of "
        f"{route.tickets} newer tickets that it had not seen, and {alone}."
    )


def _turns(score: ReplyScore) -> str:
    return f"{score.tickets} newer customer turns"


def _left(score: ReplyScore) -> str:
    return f"{score.effort:.0%} of a reply to be changed"


def _risks(score: ReplyScore) -> str:
    leaks = f"{score.leak_share:.0%} of drafts hold somebody's personal data"
    unsupported = f"{score.unsupported_share:.0%} a fact that stands nowhere"
    return f"{leaks} and {unsupported}"


def _bits(replies: Sequence[ReplyScore]) -> tuple[float, float] | None:
    """Bits per word of the base model with a prompt alone, and the fewest of a fine-tuned arm."""
    base = [score.bits_per_word for score in replies if score.arm == "prompt_only" and score.bits_per_word]
    tuned = [score.bits_per_word for score in replies if is_tuned(score) and score.bits_per_word]
    return (base[0], min(tuned)) if base and tuned else None


def _but_learned(replies: Sequence[ReplyScore]) -> str:
    bits = _bits(replies)
    if bits is None or bits[1] >= bits[0]:
        return ""
    return f", though fine-tuning foresees the team's words {1 - bits[1] / bits[0]:.0%} better"


def _where_effort_says_nothing(replies: Sequence[ReplyScore]) -> str:
    text = (
        "Every arm leaves nearly all of a reply to be changed, so edit effort, chrF and ROUGE-L are near their floor "
        "and hardly tell the arms apart here; bits per word, style and similarity beside its control do."
    )
    if bits := _bits(replies):
        text += f" Bits per word: {bits[0]:.2f} with a prompt alone, {bits[1]:.2f} fine-tuned."
    return text
