"""Decoding: the tokens that `generate` would choose, and no step for a row that is finished."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from trainer.replies.decoding import LOOK_EVERY, cache_name, greedy

PROMPTS = ([5, 9, 31], [7], [40, 41, 42, 43, 44, 45], [12, 3])
LIMIT = 30


def padded() -> tuple[torch.Tensor, torch.Tensor]:
    """All prompts, padded in front, and their mask."""
    longest = max(map(len, PROMPTS))
    ids = torch.tensor([[0] * (longest - len(one)) + list(one) for one in PROMPTS])
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in PROMPTS])
    return ids, mask


def alone(model: Any, prompt: Sequence[int], end: int) -> list[int]:
    """What transformers writes for one prompt."""
    ids = torch.tensor([prompt])
    found = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=LIMIT, do_sample=False, eos_token_id=end,
        pad_token_id=0,
    )  # fmt: skip
    return [int(token) for token in found[0, len(prompt) :]]


@pytest.fixture
def counted(tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[int]]:
    """The tiny model, and how many rows each of its steps had."""
    model, rows = tiny[0], []
    forward = model.model.forward

    @functools.wraps(forward)  # its signature tells the name of the cache
    def count(*args: Any, **kwargs: Any) -> Any:
        rows.append(len(kwargs["input_ids"]))
        return forward(*args, **kwargs)

    monkeypatch.setattr(model.model, "forward", count)
    return model, rows


def ending(model: Any) -> int:
    """A token that ends some of the texts early and others not."""
    texts = [alone(model, prompt, -1) for prompt in PROMPTS]
    return next(
        token for text in texts for token in text[2:] if 0 < sum(token in other for other in texts) < len(texts)
    )


def test_every_row_is_what_generate_writes_for_it_alone(tiny: tuple[Any, Any]) -> None:
    model = tiny[0]
    end = ending(model)
    rows = greedy(model, *padded(), limit=LIMIT, end=end)
    for prompt, row in zip(PROMPTS, rows, strict=True):
        expected = alone(model, prompt, end)
        assert row.ended == (expected[-1] == end)
        assert row.ids == (expected[:-1] if row.ended else expected)
        assert len(row.logs) == len(row.ids)
    assert {row.ended for row in rows} == {True, False}


def test_a_finished_row_is_in_no_further_step(counted: tuple[Any, list[int]]) -> None:
    model, steps = counted
    end = ending(model)
    steps.clear()
    rows = greedy(model, *padded(), limit=LIMIT, end=end)
    assert sum(steps) == sum(len(row.ids) + row.ended for row in rows)


def test_a_row_that_need_not_go_on_stops_at_the_next_look(tiny: tuple[Any, Any]) -> None:
    model = tiny[0]
    first = alone(model, PROMPTS[0], -1)[0]
    rows = greedy(model, *padded(), limit=LIMIT, end=-1, over=lambda ids: ids[0] == first)
    stopped = [row for row in rows if row.ids[0] == first]
    assert stopped
    assert all(len(row.ids) == LOOK_EVERY and not row.ended for row in stopped)
    assert [row for row in rows if len(row.ids) == LIMIT] == [row for row in rows if row.ids[0] != first]


def test_it_goes_on_where_a_cache_ends(tiny: tuple[Any, Any]) -> None:
    from transformers import DynamicCache

    model = tiny[0]
    ids, mask = padded()
    cache = DynamicCache()
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.inference_mode():
        passed = {cache_name(model): cache}
        model.model(input_ids=ids[:, :-1], attention_mask=mask[:, :-1], position_ids=positions[:, :-1], **passed)
        found = greedy(model, ids, mask, limit=LIMIT, end=-1, cache=cache)
    assert [row.ids for row in found] == [row.ids for row in greedy(model, ids, mask, limit=LIMIT, end=-1)]


def test_nothing_written_is_no_probability(tiny: tuple[Any, Any]) -> None:
    model = tiny[0]
    ids = torch.tensor([PROMPTS[0]])
    first = alone(model, PROMPTS[0], -1)[0]
    (row,) = greedy(model, ids, torch.ones_like(ids), limit=LIMIT, end=first)
    assert (row.ids, row.ended, row.log_probability) == ([], True, 0.0)
