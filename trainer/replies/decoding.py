"""Greedy decoding of a batch, in which a row that is finished costs nothing more.

`generate` of transformers goes on with every row until the longest one ends. Of drafts some end after 30 tokens and
some run to the limit, small models often because they repeat themselves, so most of its steps are for rows whose
drafts nobody will read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainer.weights import base_of

if TYPE_CHECKING:
    import torch

# How often a row's text is looked at; each look decodes the row.
LOOK_EVERY = 12


@dataclass(slots=True)
class Row:
    """What was written for one prompt.

    Attributes:
        ids: Tokens, without the one that ends the text.
        logs: Natural logarithm of each token's probability.
        ended: Whether the model ended it, and not the limit or `over`.
    """

    ids: list[int] = field(default_factory=list)
    logs: list[float] = field(default_factory=list)
    ended: bool = False

    @property
    def log_probability(self) -> float:
        """The mean of `logs`; 0 where nothing was written."""
        return sum(self.logs) / len(self.logs) if self.logs else 0.0


def cache_name(model: Any) -> str:
    """What transformers calls the cache of keys and values: `cache` since 5.24, `past_key_values` before."""
    return "cache" if "cache" in inspect.signature(base_of(model).model.forward).parameters else "past_key_values"


def greedy(
    model: Any,
    ids: torch.Tensor,
    mask: torch.Tensor,
    *,
    limit: int,
    end: int,
    cache: Any = None,
    over: Callable[[Sequence[int]], bool] = lambda _: False,
    after_each: Callable[[Sequence[Row]], bool] = lambda _: False,
) -> list[Row]:
    """The likeliest token after the other, for each prompt until it ends.

    Args:
        model: A transformers or peft model with `model` and `lm_head`.
        ids: Prompts, padded in front, int64 of shape (rows, tokens).
        mask: 1 for tokens and 0 for padding, in the same shape.
        limit: Most tokens of a row.
        end: The token that ends a text.
        cache: Keys and values of the first of these tokens, where they were computed already; it is changed here.
        over: Whether a row of tokens need not go on.
        after_each: Called with all rows after each step; where it says so, all of them end there.
    """
    import torch
    from transformers import DynamicCache

    base = base_of(model)
    cache = DynamicCache() if cache is None else cache
    passed = {cache_name(model): cache}
    rows = [Row() for _ in range(len(ids))]
    active = list(range(len(ids)))
    new = ids[:, cache.get_seq_length() :]
    for step in range(1, limit + 1):
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -new.shape[1] :]
        states = base.model(input_ids=new, attention_mask=mask, position_ids=positions, **passed).last_hidden_state
        logits = base.lm_head(states[:, -1]).float()
        best = logits.max(-1)
        for number, token, log in zip(
            active, best.indices.tolist(), (best.values - logits.logsumexp(-1)).tolist(), strict=True
        ):
            if token == end:
                rows[number].ended = True
            else:
                rows[number].ids.append(token)
                rows[number].logs.append(log)
        look = step % LOOK_EVERY == 0
        going = [
            place
            for place, number in enumerate(active)
            if not rows[number].ended and not (look and over(rows[number].ids))
        ]
        if after_each(rows) or not going:
            break
        new = best.indices[:, None]
        if len(going) < len(active):
            kept = torch.tensor(going)
            cache.batch_select_indices(kept)
            new, mask = new[kept], mask[kept]
            active = [active[place] for place in going]
        mask = torch.cat([mask, mask.new_ones((len(mask), 1))], 1)
    return rows
