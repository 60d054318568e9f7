"""Fine-tuning of a sentence encoder for routing, on a CPU, in a time that is set beforehand.

The lower layers stay as they are and run once per ticket; their states are kept, so that an epoch costs what the upper
layers cost. The head is the cosine to one vector a class, which starts at the class's mean; it is thrown away
afterwards: a linear classifier on the tuned features is better, and is refitted in seconds. Beside it goes a supervised
contrastive term (Khosla et al., NeurIPS 2020), which with few labels teaches more than the head does: it asks that
tickets of a class are close to each other, and that is what the graph of neighbours needs afterwards.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.routing.arrays import Indices, Matrix
from trainer.routing.encoder import TunedEncoder, mean_pooled, padded

_SCALE = 20.0
_TEMPERATURE = 0.07
# Tickets of a class in a batch: with fewer there is little to contrast, with more there are fewer classes.
_ALIKE = 4
# Rows that go through the layers together. Padding is computed too, and the rows of a batch differ in length.
_CHUNK = 16
_WARM_UP = 0.1
_MAX_NORM = 1.0
# Kept states of the lower layers, in half precision; 1 GiB is 10,000 tickets of 128 tokens for a MiniLM.
_CACHE_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Plan:
    """How an encoder is fine-tuned.

    Attributes:
        minutes: When tuning ends, whatever was reached; the learning rate falls to 0 by then.
        passes: It ends after so many rows, too, as a multiple of all rows.
        layers: How many of the topmost layers are tuned.
        contrast: Weight of the supervised contrastive term, beside the head's 1.
    """

    minutes: float = 2.0
    passes: float = 8.0
    layers: int = 3
    batch: int = 64
    learning_rate: float = 1e-4
    head_learning_rate: float = 2e-3
    contrast: float = 0.5


def tune(
    encoder: TunedEncoder,
    ids: Sequence[Sequence[int]],
    targets: Indices,
    weights: Matrix,
    prototypes: Matrix,
    plan: Plan,
    seed: int,
    *,
    now: Callable[[], float] = time.monotonic,
) -> int:
    """Trains the upper layers in place and returns how many steps were taken.

    Args:
        ids: Token ids of each row.
        targets: The class of each row. Every class comes up as often as any other.
        weights: Float32 of shape (rows,): how much each row counts.
        prototypes: Float32 of shape (classes, dimensions): where the head begins.
    """
    import torch
    from torch.nn import functional

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        upper = _Upper(encoder.model, plan.layers, ids)
        head = torch.nn.Parameter(torch.tensor(prototypes))
        scale = torch.nn.Parameter(torch.tensor(math.log(_SCALE)))
        optimizer = torch.optim.AdamW(
            [
                {"params": upper.parameters, "lr": plan.learning_rate, "weight_decay": 0.01},
                {"params": [head, scale], "lr": plan.head_learning_rate, "weight_decay": 0.0},
            ]
        )
        rates = [group["lr"] for group in optimizer.param_groups]
        all_targets, all_weights = torch.tensor(targets), torch.tensor(weights, dtype=torch.float32)
        steps = math.ceil(plan.passes * len(ids) / plan.batch)
        started, step = now(), 0
        with upper:
            for rows in _batches(targets, plan.batch, rng, steps):
                done = max(step / steps, (now() - started) / (60 * plan.minutes))
                if done >= 1:
                    break
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * min(1.0, (done + 1 / steps) / _WARM_UP) * (1 - done)
                vectors = functional.normalize(upper(rows), dim=-1)
                logits = scale.exp() * vectors @ functional.normalize(head, dim=-1).T
                goal = all_targets[rows]
                loss = (all_weights[rows] * functional.cross_entropy(logits, goal, reduction="none")).mean()
                if plan.contrast:
                    loss = loss + plan.contrast * _contrast(vectors, goal)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_([*upper.parameters, head, scale], _MAX_NORM)
                optimizer.step()
                step += 1
    encoder.round_weights()
    return step


class _Upper:
    """The upper layers of an encoder, run on kept states of the lower ones; in training mode inside `with`."""

    def __init__(self, model: Any, layers: int, ids: Sequence[Sequence[int]]) -> None:
        self._model = model
        # Texts that come up again, repeated labels first of all, share their states.
        self._ids = [tuple(one) for one in ids]
        # Encoders of another shape than BERT's are tuned whole: nothing is kept.
        self._all: Any = getattr(getattr(model, "encoder", None), "layer", ())
        self._lower = max(0, len(self._all) - layers)
        self._kept: dict[tuple[int, ...], Any] = {}
        self._room = _CACHE_BYTES
        for parameter in model.parameters():
            parameter.requires_grad_(not self._lower)
        if self._lower:
            self._all[self._lower :].requires_grad_(True)
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def __enter__(self) -> _Upper:
        self._model.train()
        return self

    def __exit__(self, *_: object) -> None:
        self._model.train(False)
        self._model.requires_grad_(False)

    def __call__(self, rows: Indices) -> Any:
        """Mean last hidden states, float32 of shape (len(rows), hidden)."""
        import torch

        order = np.argsort([len(self._ids[row]) for row in rows], kind="stable")
        parts = [self._part(rows[order[start : start + _CHUNK]]) for start in range(0, len(rows), _CHUNK)]
        return torch.cat(parts)[torch.tensor(np.argsort(order))]

    def _part(self, rows: Indices) -> Any:
        batch, mask = padded([self._ids[row] for row in rows])
        if not self._lower:
            return mean_pooled(self._model(input_ids=batch, attention_mask=mask).last_hidden_state, mask)
        states = self._states(rows, batch, mask)
        with _Swapped(self._model, self._all[self._lower :], states_only=True):
            hidden = self._model(inputs_embeds=states, attention_mask=mask).last_hidden_state
        return mean_pooled(hidden, mask)

    def _states(self, rows: Indices, batch: Any, mask: Any) -> Any:
        import torch

        texts = [self._ids[row] for row in rows]
        if all(text in self._kept for text in texts):
            return torch.nn.utils.rnn.pad_sequence([self._kept[text].float() for text in texts], batch_first=True)
        self._model.train(False)
        with torch.no_grad(), _Swapped(self._model, self._all[: self._lower]):
            states = self._model(input_ids=batch, attention_mask=mask).last_hidden_state
        self._model.train()
        for text, state in zip(texts, states, strict=True):
            size = 2 * len(text) * states.shape[-1]
            if text not in self._kept and size <= self._room:
                # Cloned: a part of a batch would keep all of it.
                self._kept[text] = state[: len(text)].half().clone()
                self._room -= size
        return states


class _Swapped:
    """A model with some of its layers only, and, above the first, with states in the place of embeddings."""

    def __init__(self, model: Any, layers: Any, *, states_only: bool = False) -> None:
        self._model, self._layers, self._states_only = model, layers, states_only

    def __enter__(self) -> None:
        self._before = self._model.encoder.layer, self._model.embeddings
        self._model.encoder.layer = self._layers
        if self._states_only:
            self._model.embeddings = _states_module()

    def __exit__(self, *_: object) -> None:
        self._model.encoder.layer, self._model.embeddings = self._before


def _states_module() -> Any:
    import torch

    class States(torch.nn.Module):
        """Stands for the embeddings: what comes in is already the state below the next layer."""

        def forward(self, *_: Any, inputs_embeds: Any = None, **__: Any) -> Any:
            return inputs_embeds

    return States()


def _batches(targets: Indices, size: int, rng: np.random.Generator, steps: int) -> Iterator[Indices]:
    """Batches of some classes with some rows of each; a class's rows come up in turn, and so do the classes."""
    members = [np.flatnonzero(targets == one) for one in np.unique(targets)]
    classes = max(1, min(len(members), size // _ALIKE))
    alike = max(1, size // classes)
    turns = _turns(np.arange(len(members)), rng)
    rows = [_turns(of, rng) for of in members]
    for _ in range(steps):
        chosen = [next(turns) for _ in range(classes)]
        yield np.asarray([next(rows[one]) for one in chosen for _ in range(alike)])


def _turns(items: Indices, rng: np.random.Generator) -> Iterator[int]:
    """Everything once, in a random order, and again in another."""
    while True:
        yield from rng.permutation(items).tolist()


def _contrast(vectors: Any, classes: Any) -> Any:
    """Pulls tickets of a class together and others apart, over one batch of unit vectors."""
    import torch

    own = torch.eye(len(vectors), dtype=torch.bool)
    similar = (vectors @ vectors.T / _TEMPERATURE).masked_fill(own, -1e9)
    alike = (classes[:, None] == classes[None]) & ~own
    counts = alike.sum(1)
    if not counts.any():
        return vectors.sum() * 0.0
    log = (similar.log_softmax(1) * alike).sum(1)
    return -(log[counts > 0] / counts[counts > 0]).mean()
