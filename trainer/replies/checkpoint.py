"""Checkpoints: a training that is killed goes on where it was."""

from __future__ import annotations

import hashlib
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from connectors.settings import TrainerSettings
from trainer.replies.lessons import TokenExample

SAVE_EVERY_S = 60.0
# What changes the course of a run, apart from its examples.
_SETTINGS = ("base_model", "lora_rank", "lora_alpha", "lora_layers", "lora_dropout", "learning_rate", "epochs",
             "batch_tokens", "seed")  # fmt: skip


@dataclass
class RunState:
    """Where a run is.

    Attributes:
        losses: Held-out loss before training and after each epoch, nats per reply token.
        best: The adapters with the lowest of them.
        step: Batches done.
        tokens, seconds: Spent so far, over all starts.
    """

    losses: list[float]
    best: dict[str, Tensor]
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Stopwatch:
    """Seconds since it was made, on top of those of earlier starts."""

    def __init__(self, before: float) -> None:
        self._before = before
        self._started = time.monotonic()

    def seconds(self) -> float:
        """So far."""
        return self._before + time.monotonic() - self._started


class Checkpoint:
    """The file of one run, written whole or not at all.

    Args:
        path: None keeps nothing.
        key: Of the run; a file with another one is not looked at.
    """

    def __init__(self, path: Path | None, model: Any, optimizer: Any, schedule: Any, key: str) -> None:
        self._path = path
        self._model = model
        self._optimizer = optimizer
        self._schedule = schedule
        self._key = key
        self._saved_at = time.monotonic()

    def load(self) -> RunState | None:
        """Puts model, optimizer, schedule and random state back; None where there is nothing of this run."""
        if self._path is None or not self._path.is_file():
            return None
        try:
            # Tensors and plain values only: nothing in the file is run.
            held = torch.load(self._path, weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
            return None
        if held.get("key") != self._key:
            return None
        self._model.load_state_dict(held["adapters"], strict=False)
        self._optimizer.load_state_dict(held["optimizer"])
        self._schedule.load_state_dict(held["schedule"])
        torch.set_rng_state(held["random"])
        return RunState(**held["run"])

    def save(self, run: RunState) -> None:
        """Writes the state of the run as it is."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(self._path.name + ".partial")
        content = {
            "key": self._key,
            "run": vars(run),
            "adapters": adapter_state(self._model),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "random": torch.get_rng_state(),
        }
        torch.save(content, partial)
        partial.replace(self._path)
        self._saved_at = time.monotonic()

    def save_now_and_then(self, run: RunState) -> None:
        """As `save`, but at most once in `SAVE_EVERY_S` seconds."""
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self.save(run)


def adapter_state(model: Any) -> dict[str, Tensor]:
    """A copy of a peft model's adapters."""
    return {name: value.detach().clone() for name, value in model.state_dict().items() if "lora_" in name}


def fingerprint(train: Sequence[TokenExample], held_out: Sequence[TokenExample], settings: TrainerSettings) -> str:
    """Of a run: equal ones take the same course."""
    digest = hashlib.sha256(repr([getattr(settings, name) for name in _SETTINGS]).encode())
    for examples in (train, held_out):
        digest.update(repr([(one.prompt, one.reply, one.weight) for one in examples]).encode())
    return digest.hexdigest()
