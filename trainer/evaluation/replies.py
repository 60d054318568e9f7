"""Scoring the reply arms: all draft for the same held-out turns, and are compared with what the team sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import LCSseq, Levenshtein

from connectors.store.examples import Example
from trainer.conversation import customer_turns
from trainer.evaluation.judgement import interval
from trainer.evaluation.scores import ReplyScore, Sample
from trainer.evaluation.style import style_auc
from trainer.replies.claims import BLANK, check
from trainer.replies.drafting import ARMS, Drafted, Evidence, draft, support_of
from trainer.replies.guard import Guard, Verdict
from trainer.replies.writer import Writer
from trainer.routing.router import Embed
from trainer.text import words

Floats = npt.NDArray[np.float64]
# Control replies are looked for among so many of the nearest length.
_LIKE_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """One arm's drafts for the held-out turns, in order.

    Attributes:
        efforts: Edit effort of each, float64 of shape (turns,).
        bits: Of the sent replies under the arm's model and prompt, in the same shape; None for `nearest`.
    """

    arm: str
    drafts: tuple[Drafted, ...]
    efforts: Floats
    bits: Floats | None


def effort(draft_text: str, sent: str) -> float:
    """Edit effort between two texts, 0 to 1; blanks count as words to be changed."""
    return float(Levenshtein.normalized_distance(words(draft_text), words(sent)))


def try_arms(
    examples: Sequence[Example],
    evidence: Sequence[Evidence],
    writer: Writer,
    *,
    max_prompt_tokens: int,
    arms: Sequence[str] = ARMS,
    progress: Callable[[str, int], None] = lambda *_: None,
) -> dict[str, Trial]:
    """Lets every arm draft for the same turns, and asks its model how likely the sent replies are."""
    conversations = [example.question for example in examples]
    sent = [example.reply for example in examples]
    trials = {}
    for arm in arms:
        drafts = draft(
            arm, conversations, evidence, writer,
            max_prompt_tokens=max_prompt_tokens,
            sent=sent,
            progress=partial(progress, arm),
        )  # fmt: skip
        bits = None
        if arm != "nearest":
            bits = np.asarray([one.draft.sent_bits if one.draft else None for one in drafts], np.float64)
        efforts = np.asarray([effort(one.text, reply) for one, reply in zip(drafts, sent, strict=True)])
        trials[arm] = Trial(arm, tuple(drafts), efforts, bits)
    return trials


def score_replies(
    examples: Sequence[Example],
    evidence: Sequence[Evidence],
    trials: Mapping[str, Trial],
    *,
    embed: Embed,
    guard: Guard,
    predicted: Mapping[str, Floats] = MappingProxyType({}),
) -> list[ReplyScore]:
    """A score for each arm, in the order of the trials.

    Args:
        predicted: The edit efforts that serving would predict, for the arms that can, as `Trial.efforts`.
    """
    best = min(trials.values(), key=lambda trial: float(trial.efforts.mean()))
    sent = embed([example.reply for example in examples])
    return [
        _score(
            examples, trial, trial.efforts - best.efforts, sent, embed,
            verdicts(examples, evidence, trial.drafts, guard, predicted.get(trial.arm)),
        )
        for trial in trials.values()
    ]  # fmt: skip


def verdicts(
    examples: Sequence[Example],
    evidence: Sequence[Evidence],
    drafts: Sequence[Drafted],
    guard: Guard,
    predicted: Floats | None = None,
) -> list[Verdict]:
    """What serving would do with drafts, slots not filled: those stand for what the ticket holds."""
    efforts = [None] * len(drafts) if predicted is None else predicted.tolist()
    return [
        guard.judge(
            one.text,
            similarity=found.similarity,
            asked=(customer_turns(example.question) or [example.question])[-1],
            known=[example.question, *(f"{p.title}\n{p.text}" for p in one.passages if p.kind == "article")],
            effort=effort,
        )
        for example, found, one, effort in zip(examples, evidence, drafts, efforts, strict=True)
    ]


def bits_per_word(bits: Floats, replies: Sequence[str]) -> float:
    """All bits over all words of the replies: how well a model foresees what the team sends, whatever it would write.

    Where many wordings are right, overlap with the one that was sent tells little; this does not depend on it.
    """
    return float(bits.sum() / max(1, sum(len(words(reply)) for reply in replies)))


def samples_of(examples: Sequence[Example], trials: Mapping[str, Trial]) -> list[Sample]:
    """Every turn with all drafts, for people to read."""
    return [
        Sample(
            ticket_id=example.ticket_id,
            question=example.question,
            sent=example.reply,
            drafts={arm: trial.drafts[at].text for arm, trial in trials.items()},
            efforts={arm: round(float(trial.efforts[at]), 4) for arm, trial in trials.items()},
            sources=_tickets(trial.drafts[at] for trial in trials.values()),
        )
        for at, example in enumerate(examples)
    ]


def _tickets(drafts: Iterable[Drafted]) -> tuple[str, ...]:
    return tuple(sorted({one.source_id for draft in drafts for one in draft.passages if one.kind == "ticket"}))


def _score(
    examples: Sequence[Example],
    trial: Trial,
    against: Floats,
    sent_vectors: npt.NDArray[np.float32],
    embed: Embed,
    judged: Sequence[Verdict],
) -> ReplyScore:
    from sacrebleu.metrics.chrf import CHRF

    sent, texts = [example.reply for example in examples], [one.text for one in trial.drafts]
    pairs = [_cut(text, reply) for text, reply in zip(texts, sent, strict=True)]
    unsupported = invented = 0
    for example, one in zip(examples, trial.drafts, strict=True):
        support = support_of(example.question, one.passages)
        unsupported += any(not claim.supported for claim in check(one.text, support))
        invented += one.draft is not None and one.text != one.draft.text
    vectors = embed(texts)
    written = [one.draft for one in trial.drafts if one.draft]
    return ReplyScore(
        arm=trial.arm,
        tickets=len(examples),
        effort=float(trial.efforts.mean()),
        effort_interval=interval(trial.efforts),
        versus_best=interval(against),
        chrf=float(CHRF().corpus_score(texts, [sent]).score),
        rouge_l=float(np.mean([_rouge_l(text, reply) for text, reply in zip(texts, sent, strict=True)])),
        effort_cut=float(np.mean([effort(text, reply) for text, reply in pairs])),
        chrf_cut=float(CHRF().corpus_score([text for text, _ in pairs], [[reply for _, reply in pairs]]).score),
        similarity=float((vectors * sent_vectors).sum(axis=1).mean()),
        similarity_control=float((vectors * sent_vectors[_controls(sent)]).sum(axis=1).mean()),
        length_ratio=sum(len(words(text)) for text in texts) / max(1, sum(len(words(reply)) for reply in sent)),
        bits_per_word=None if trial.bits is None else bits_per_word(trial.bits, sent),
        style_auc=style_auc(texts, sent),
        unsupported_share=unsupported / len(examples),
        leak_share=sum(bool(one.leaks) for one in judged) / len(examples),
        silent_share=sum(bool(one.silence) for one in judged) / len(examples),
        blanks=float(np.mean([len(BLANK.findall(text)) for text in texts])),
        seconds=float(np.mean([one.seconds for one in written])) if written else 0.0,
        tokens=float(np.mean([one.tokens for one in written])) if written else 0.0,
        invented_share=invented / len(examples),
    )


def _cut(one: str, other: str) -> tuple[str, str]:
    """Both texts, cut to the shorter one's number of words."""
    first, second = words(one), words(other)
    size = min(len(first), len(second))
    return " ".join(first[:size]), " ".join(second[:size])


def _rouge_l(text: str, reply: str) -> float:
    """F1 of the longest common subsequence of words (Lin, ROUGE, 2004)."""
    first, second = words(text), words(reply)
    return 2 * LCSseq.similarity(first, second) / max(1, len(first) + len(second))


def _controls(sent: Sequence[str]) -> npt.NDArray[np.intp]:
    """For each reply another one of like length: the same choice each time, spread over the neighbours in length."""
    rng = np.random.default_rng(0)
    order = np.argsort([len(reply) for reply in sent], kind="stable")
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    found = np.zeros(len(order), np.intp)
    for index in range(len(sent)):
        low = max(0, min(int(place[index]) - _LIKE_LENGTH // 2, len(order) - _LIKE_LENGTH - 1))
        near = [int(one) for one in order[low : low + _LIKE_LENGTH + 1] if one != index]
        found[index] = near[int(rng.integers(len(near)))] if near else index
    return found
