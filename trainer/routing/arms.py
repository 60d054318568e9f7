"""Training every routing arm on a desk's examples, so that they can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from connectors.settings import TrainerSettings
from connectors.store.database import Store
from connectors.store.examples import Example
from trainer.conversation import latest_turn
from trainer.routing.router import ARMS, Embed, Plan, Router, train_router
from trainer.weights import load_encoder

_TOKENS = 200


def route_text(example: Example) -> str:
    """What routing looks at: the subject and the customer's newest turn."""
    return latest_turn(example.question)


def train_routers(
    store: Store,
    helpdesk: str,
    examples: Sequence[Example],
    embed: Mapping[str, Embed],
    settings: TrainerSettings,
    cache: Path,
    *,
    progress: Callable[[str, int, int, str], None] = lambda *_: None,
) -> tuple[dict[str, Router], dict[str, float]]:
    """A router of each arm, cheapest first, and the seconds that each took.

    Args:
        examples: Those that open a ticket, and whose group is not doubted, are learned from.
        embed: Features by arm.
    """
    opening = [one for one in examples if one.turn == 0]
    chosen = [one for one in opening if one.group_id and one.route_label]
    texts, labels = [route_text(example) for example in chosen], [example.group_id for example in chosen]
    # What opens a conversation but says nothing of where it belongs is an unlabelled ticket.
    unlabelled = [route_text(one) for one in opening if not (one.group_id and one.route_label)]
    groups = {group.id: f"{group.name}. {group.description}".strip() for group in store.history.groups(helpdesk)}
    arms = [arm for arm in ARMS if settings.router_minutes or arm != "encoder_tuned"]
    routers: dict[str, Router] = {}
    seconds: dict[str, float] = {}
    for done, arm in enumerate(arms, start=1):
        started = time.monotonic()
        routers[arm] = train_router(
            arm, texts, labels,
            embed=embed[arm],
            seed=settings.seed,
            unlabelled=unlabelled,
            descriptions=groups,
            encoder=partial(load_encoder, settings.encoder, cache),
            plan=Plan(minutes=settings.router_minutes or 1.0),
            precision=settings.router_precision,
        )  # fmt: skip
        seconds[arm] = time.monotonic() - started
        progress("route", done, len(arms), arm)
    return routers, seconds


def tuned_features(model: Any, tokenizer: Any) -> Embed:
    """The fine-tuned model's mean last hidden state as features, float32 of shape (texts, hidden), unit length."""
    from trainer.replies.lora import pooled_states

    def embed(texts: Sequence[str]) -> Any:
        ids = [tokenizer(text, add_special_tokens=False)["input_ids"][:_TOKENS] or [0] for text in texts]
        states = np.stack([state.numpy() for state in pooled_states(model, ids)])
        return (states / np.linalg.norm(states, axis=1, keepdims=True)).astype(np.float32)

    return embed
