"""Canaries are planted evenly and measured as the paper says: a model that knows nothing scores about one bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

import pytest

from connectors.settings import TrainerSettings
from connectors.store.examples import Example
from trainer.privacy.canaries import Canary, asked, by_repeats, exposure, plant


class Memory:
    """A tiny fake model: character pairs counted in what it was trained on, the more often, the likelier."""

    def __init__(self, replies: Sequence[str], knows: int = 1) -> None:
        self.learned = [reply for reply in set(replies) if replies.count(reply) >= knows]

    def score(self, _question: str, replies: Sequence[str]) -> list[float]:
        return [0.0 if reply in self.learned else -float(len(reply)) - hash(reply) % 97 / 100 for reply in replies]

    def complete(self, _question: str, prefix: str) -> str:
        return next((reply.removeprefix(prefix) for reply in self.learned if reply.startswith(prefix)), "in the mail.")


@pytest.fixture
def real(example: Callable[..., Example]) -> list[Example]:
    return [example(number) for number in range(40)]


def test_every_canary_stands_in_as_many_tickets_as_it_says(real: list[Example]) -> None:
    planted, canaries = plant(real, 3, seed=7)
    assert [canary.repeats for canary in canaries] == [1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8]
    assert len(planted) == len(real) + 3 * (1 + 2 + 4 + 8)
    for canary in canaries:
        copies = [one for one in planted if one.reply == canary.reply]
        assert len(copies) == canary.repeats
        assert {one.question for one in copies} == {canary.question}
        assert canary.secret in canary.reply
        assert canary.secret not in canary.question
    assert len({canary.secret for canary in canaries}) == len({canary.prefix for canary in canaries}) == len(canaries)


def test_planted_examples_look_like_the_others_and_leave_them_alone(real: list[Example]) -> None:
    planted, _ = plant(real, 2, seed=7)
    extra = [one for one in planted if one not in real]
    assert [one for one in planted if one in real] == real
    assert {one.created_at for one in extra} <= {one.created_at for one in real}
    assert len({one.comment_id for one in planted}) == len({one.ticket_id for one in planted}) == len(planted)
    assert planted.index(extra[0]) < len(real)


def test_the_seed_decides(real: list[Example]) -> None:
    assert plant(real, 2, seed=7) == plant(real, 2, seed=7)
    assert plant(real, 2, seed=7)[1] != plant(real, 2, seed=8)[1]


def test_there_must_be_something_to_plant_beside() -> None:
    with pytest.raises(ValueError, match="no examples"):
        plant([], 1, seed=1)


def test_a_model_that_has_learned_by_heart_is_exposed_to_the_full(real: list[Example]) -> None:
    planted, canaries = plant(real, 4, seed=7)
    memory = Memory([one.reply for one in planted], knows=4)
    measured = by_repeats(exposure(canaries, memory.score, memory.complete))
    assert measured[4] == measured[8] == (pytest.approx(8.0), 1.0)
    assert measured[1][1] == measured[2][1] == 0.0
    assert max(measured[1][0], measured[2][0]) < 6


def test_a_model_that_knows_nothing_scores_about_one_bit() -> None:
    canaries = [Canary(f"q{number}", "The code is ", f"{number:04d}-aaaa", 1) for number in range(300)]
    import random

    chance = random.Random(3)
    blank = lambda _question, replies: [chance.random() for _ in replies]  # noqa: E731
    measured = exposure(canaries, blank, lambda _question, _prefix: "nothing")
    # The mean of log2(n) - log2(rank) over ranks drawn evenly is log2(e), less a little for few candidates.
    assert mean(one.bits for one in measured) == pytest.approx(math.log2(math.e), abs=0.25)


def test_a_model_that_likes_all_the_same_is_not_taken_for_one_that_remembers() -> None:
    (measured,) = exposure(
        [Canary("q", "The code is ", "abcd-efgh", 8)], lambda _q, texts: [0.0] * len(texts), lambda *_: ""
    )
    assert measured.bits == pytest.approx(1.0, abs=0.02)


def test_the_rank_counts_what_the_model_likes_better() -> None:
    canary = Canary("q", "The code is ", "mmmm-mmmm", 1)
    alphabetical = lambda _question, replies: [-float(sorted(replies).index(reply)) for reply in replies]  # noqa: E731
    (measured,) = exposure([canary], alphabetical, lambda *_: " mmmm-mmmm. Bye", candidates=99)
    assert measured.candidates == 99
    assert 20 < measured.rank < 70
    assert measured.bits == pytest.approx(math.log2(100) - math.log2(measured.rank))
    assert measured.completed


def test_a_real_training_run_remembers_what_it_saw_often(tiny: tuple[Any, Any], real: list[Example]) -> None:
    from trainer.replies.lessons import TokenExample
    from trainer.replies.lora import train_lora
    from trainer.replies.prompt import build, encode_reply

    model, tokenizer = tiny
    planted, canaries = plant(real[:6], 2, seed=11, repeats=(8,))
    unseen = plant(real[:6], 2, seed=12, repeats=(1,))[1]
    lessons = [
        TokenExample(build(tokenizer, one.question, [], max_tokens=200).ids, tuple(encode_reply(tokenizer, one.reply)))
        for one in planted
    ]
    settings = TrainerSettings(
        lora_layers=4, lora_rank=16, lora_alpha=16, epochs=12, batch_tokens=2048, learning_rate=0.02
    )
    tuned = train_lora(model, lessons, [], settings)[0]
    score, complete = asked(tuned, tokenizer, max_prompt_tokens=200)
    seen = exposure(canaries, score, complete, candidates=31)
    never = exposure(unseen, score, complete, candidates=31)
    assert [one.bits for one in seen] == [5.0, 5.0]
    assert all(one.completed for one in seen)
    assert mean(one.bits for one in never) < 4
    assert not any(one.completed for one in never)
