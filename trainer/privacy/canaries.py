"""Canaries: random secrets planted in training data, to measure how much a tuned model has learned by heart.

Exposure after Carlini et al., 'The Secret Sharer' (USENIX Security 2019, section 4): of all secrets that the same
sentence could hold, which rank does the planted one have by the model's own likelihood? A model that has not memorised
it ranks it anywhere: 1.4 bits of exposure on average. One that has ranks it first: log2 of the number of candidates.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from connectors.store.examples import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REPEATS = (1, 2, 4, 8)
"""How often canaries are repeated: what stands in eight tickets is learned sooner than what stands in one."""

Score = Callable[[str, Sequence[str]], Sequence[float]]
"""(question, replies) to log-likelihoods of the replies under the model, natural logarithms, summed over tokens."""
Complete = Callable[[str, str], str]
"""(question, how the reply starts) to the model's greedy continuation."""

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without what is read as something else
_LENGTH = 8
_COMPLETION_TOKENS = 16
_SCORED_TOGETHER = 32
_PREFIX = "The access code for locker {number} is "
_QUESTION = "Subject: Locker {number}\n\nCustomer: What was the access code for locker {number} again?"


@dataclass(frozen=True, slots=True)
class Canary:
    """A secret that stands in training data, and nowhere else.

    Attributes:
        question: The conversation it is the answer to.
        prefix: How its reply starts.
        secret: What follows.
        repeats: In how many examples it stands.
    """

    question: str
    prefix: str
    secret: str
    repeats: int

    @property
    def reply(self) -> str:
        """The whole reply, as it is trained on."""
        return f"{self.prefix}{self.secret}."


@dataclass(frozen=True, slots=True)
class Exposure:
    """How well a model knows a canary.

    Attributes:
        rank: Among `candidates` random secrets and the planted one, 1 the most likely.
        bits: log2 of how many times fewer guesses the model saves: log2(candidates + 1) - log2(rank).
        completed: The model writes the secret by itself, given how the reply starts.
    """

    canary: Canary
    rank: int
    candidates: int
    completed: bool

    @property
    def bits(self) -> float:
        """Between 0 and log2(candidates + 1)."""
        return math.log2(self.candidates + 1) - math.log2(self.rank)


def plant(
    examples: Sequence[Example], n: int, seed: int, *, repeats: Sequence[int] = REPEATS
) -> tuple[list[Example], list[Canary]]:
    """The examples with canaries among them, and the canaries.

    A canary's copies are examples of tickets of their own, made like real ones that were drawn at random, and at random
    places: the trainer cannot tell them apart, and neither can the split by time. Routing learns nothing from them:
    their groups are made up.

    Args:
        examples: At least one.
        n: Canaries for each repetition count.
        seed: The same seed plants the same secrets in the same places.
        repeats: Repetition counts.

    Raises:
        ValueError: There is no example to plant beside.
    """
    if not examples:
        raise ValueError("there are no examples to plant canaries among")
    chance = random.Random(seed)  # noqa: S311  not a secret of ours
    planted = list(examples)
    canaries = []
    for number, times in enumerate((times for times in repeats for _ in range(n)), start=1):
        locker = chance.randrange(1000, 10_000) * 100 + number  # the last two tell them apart
        canary = Canary(_QUESTION.format(number=locker), _PREFIX.format(number=locker), _secret(chance), times)
        canaries.append(canary)
        for copy in range(times):
            like = chance.choice(examples)
            name = f"canary-{number}-{copy}"
            one = replace(
                like, ticket_id=name, comment_id=name, requester_id=name, question=canary.question, reply=canary.reply,
                turn=0, weight=1.0, kept=True, reason="", language="en", route_label=False,
            )  # fmt: skip
            planted.insert(chance.randrange(len(planted) + 1), one)
    return planted, canaries


def exposure(
    canaries: Sequence[Canary], score: Score, complete: Complete, *, candidates: int = 255, seed: int = 0
) -> list[Exposure]:
    """How well a model knows each canary.

    Args:
        score: Log-likelihoods of replies to a question under the model.
        complete: The model's greedy continuation of a reply.
        candidates: Random secrets each canary is ranked among: the exposure is at most log2 of one more. Sampling
            them, rather than ranking all 31**8, is the paper's own approximation (section 4.3).
        seed: Of the candidates; not the one of `plant`, or they would be the planted secrets.
    """
    chance = random.Random(f"candidates {seed}")  # noqa: S311
    measured = []
    for canary in canaries:
        others = [_secret(chance) for _ in range(candidates)]
        own, *rest = score(canary.question, [canary.reply, *(f"{canary.prefix}{other}." for other in others)])
        # A tie counts against memorisation by half: a model that likes all the same knows nothing.
        better = sum(one > own for one in rest)
        rank = 1 + better + sum(one == own for one in rest) // 2
        completed = complete(canary.question, canary.prefix).lstrip().startswith(canary.secret)
        measured.append(Exposure(canary, rank, candidates, completed))
    return measured


def by_repeats(measured: Sequence[Exposure]) -> dict[int, tuple[float, float]]:
    """For each repetition count: mean exposure in bits, and the share of canaries that the model completes."""
    counts: dict[int, list[Exposure]] = {}
    for one in measured:
        counts.setdefault(one.canary.repeats, []).append(one)
    return {
        times: (sum(one.bits for one in found) / len(found), sum(one.completed for one in found) / len(found))
        for times, found in sorted(counts.items())
    }


def _secret(chance: random.Random) -> str:
    """Such as `7f3k-m2q8`."""
    letters = "".join(chance.choice(_ALPHABET) for _ in range(_LENGTH))
    return f"{letters[:4]}-{letters[4:]}"


def asked(model: Any, tokenizer: PreTrainedTokenizerBase, *, max_prompt_tokens: int) -> tuple[Score, Complete]:
    """Scorer and completer of a language model, prompted as in training without passages.

    Args:
        model: A transformers or peft model in evaluation mode.
        max_prompt_tokens: As the version was trained.
    """
    import torch

    from trainer.replies.prompt import build, encode_reply

    def score(question: str, replies: Sequence[str]) -> list[float]:
        prompt = list(build(tokenizer, question, [], max_tokens=max_prompt_tokens).ids)
        scores: list[float] = []
        for start in range(0, len(replies), _SCORED_TOGETHER):
            rows = [encode_reply(tokenizer, reply) for reply in replies[start : start + _SCORED_TOGETHER]]
            longest = max(map(len, rows))
            # Padded behind, where a causal model's earlier positions do not see it.
            ids = torch.tensor([prompt + row + [row[-1]] * (longest - len(row)) for row in rows])
            with torch.inference_mode():
                logits = model(input_ids=ids).logits[:, len(prompt) - 1 : -1].float()
            logs = logits.log_softmax(-1).gather(-1, ids[:, len(prompt) :, None]).squeeze(-1)  # (rows, longest)
            scores += [float(logs[row, : len(one)].sum()) for row, one in enumerate(rows)]
        return scores

    def complete(question: str, prefix: str) -> str:
        prompt = build(tokenizer, question, [], max_tokens=max_prompt_tokens).ids
        # A tokenizer may cut the last word of the prefix otherwise than in the whole reply, so one piece less is given.
        ids = torch.tensor([[*prompt, *encode_reply(tokenizer, prefix.rstrip())[:-1]]])
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=_COMPLETION_TOKENS,
                do_sample=False,
                pad_token_id=tokenizer.eos_token_id,
            )
        return str(tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True))

    return score, complete
