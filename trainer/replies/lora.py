"""Fine-tuning with LoRA (Hu et al., ICLR 2022), shaped for a small machine.

Adapters sit on the topmost layers only. The layers below are frozen and get no adapters, so what they make of an
example never changes: it is computed once and reused every epoch, and no gradient goes through them. The loss needs
logits at the reply's tokens only; a prompt's logits over 49,152 words would cost more than two layers.
Examples are grouped by length, so that there is little padding; padding is on the right, where a causal model's real
tokens cannot see it, so no mask is needed.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from connectors.errors import ModelError
from connectors.settings import TrainerSettings
from trainer.replies.checkpoint import Checkpoint, RunState, Stopwatch, adapter_state, fingerprint
from trainer.replies.lessons import TokenExample
from trainer.weights import base_of

LAYER_PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
WARMUP_SHARE = 0.06
MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Where a training run is; losses are nats per reply token."""

    step: int
    steps: int
    loss: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a run did.

    Attributes:
        held_out_loss: One figure per epoch, after the untrained one; nats per reply token. Empty where nothing was held
            out.
    """

    held_out_loss: tuple[float, ...]
    seconds: float
    tokens: int
    trainable_parameters: int


class SplitModel:
    """A decoder-only model of the Llama family, cut below its trainable layers.

    Args:
        model: Any transformers model whose `model` has `embed_tokens`, `layers`, `norm` and `rotary_emb`.
        first: Index of the first layer with adapters.

    Raises:
        ModelError: The architecture has another form.
    """

    def __init__(self, model: Any, first: int) -> None:
        base = base_of(model)
        decoder = getattr(base, "model", None)
        if not all(hasattr(decoder, name) for name in ("embed_tokens", "layers", "norm", "rotary_emb")):
            raise ModelError(
                f"cannot train {type(base).__name__}: only Llama-like models can be cut",
                hint="set base_model to a Llama, Qwen, Mistral or SmolLM model",
            )
        self._decoder: Any = decoder
        self._head: Any = base.lm_head
        self._first = first

    def lower(self, ids: Tensor) -> Tensor:
        """Hidden states below the cut, (batch, tokens, hidden), for int64 ids of shape (batch, tokens)."""
        with torch.no_grad():
            hidden = self._decoder.embed_tokens(ids)
            return self._run(hidden, 0, self._first)

    def upper(self, hidden: Tensor) -> Tensor:
        """From the states below the cut to the last hidden states, (batch, tokens, hidden)."""
        return self._decoder.norm(self._run(hidden, self._first, len(self._decoder.layers)))  # type: ignore[no-any-return]

    def logits(self, hidden: Tensor) -> Tensor:
        """Of chosen hidden states, (n, hidden) to (n, vocabulary)."""
        return self._head(hidden)  # type: ignore[no-any-return]

    def _run(self, hidden: Tensor, start: int, stop: int) -> Tensor:
        positions = torch.arange(hidden.shape[1], device=hidden.device).unsqueeze(0)
        rotary = self._decoder.rotary_emb(hidden, position_ids=positions)
        mask = None
        if self._decoder.config._attn_implementation == "eager":  # the others are causal where there is no mask
            mask = hidden.new_full((hidden.shape[1],) * 2, -torch.inf).triu(1)[None, None]
        for layer in self._decoder.layers[start:stop]:
            output = layer(hidden, attention_mask=mask, position_ids=positions, position_embeddings=rotary)
            hidden = output[0] if isinstance(output, tuple) else output
        return hidden


def with_adapters(model: Any, settings: TrainerSettings) -> tuple[Any, int]:
    """Puts LoRA adapters on the topmost layers; returns the peft model and the index of the first such layer."""
    from peft import LoraConfig, get_peft_model

    layers = model.config.num_hidden_layers
    first = max(0, layers - settings.lora_layers) if settings.lora_layers else 0
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=LAYER_PROJECTIONS,
        layers_to_transform=list(range(first, layers)),
        layers_pattern="layers",
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        # peft asks transformers for gradient checkpointing under its old name; nothing a user could do about it.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config), first


def train_lora(
    model: Any,
    train: Sequence[TokenExample],
    held_out: Sequence[TokenExample],
    settings: TrainerSettings,
    *,
    checkpoint: Path | None = None,
    progress: Callable[[TrainingProgress], None] = lambda _: None,
) -> tuple[Any, TrainingResult]:
    """Trains adapters and returns the peft model in evaluation mode, with the adapters of the best epoch.

    Args:
        model: The base model, float32. It is changed: peft wraps its layers.
        held_out: Examples that choose the epoch; never trained on.
        checkpoint: Where the state of the run is kept; a run on the same examples with the same settings goes on from
            there. The file stays when the run is done.

    Raises:
        ModelError: The loss became NaN, or the architecture cannot be cut.
    """
    torch.manual_seed(settings.seed)
    tuned, first = with_adapters(model, settings)
    split = SplitModel(tuned, first)
    tuned.train()
    parameters = [parameter for parameter in tuned.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.0)
    in_order = _batches(train, settings.batch_tokens)
    steps = settings.epochs * len(in_order)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    cache = _LowerStates(split)
    saved = Checkpoint(checkpoint, tuned, optimizer, schedule, fingerprint(train, held_out, settings))
    run = saved.load()
    if run is None:
        loss = _mean_loss(tuned, split, cache, held_out, settings.batch_tokens)
        run = RunState(losses=[loss], best=adapter_state(tuned))
    clock = Stopwatch(run.seconds)
    while run.step < steps:
        epoch, position = divmod(run.step, len(in_order))
        batches = list(in_order)
        random.Random(f"{settings.seed}/{epoch}").shuffle(batches)  # noqa: S311
        for batch in batches[position:]:
            loss_now = _loss(split, cache, batch)
            if not torch.isfinite(loss_now):
                raise ModelError("the training loss is no number any more", hint="lower [trainer] learning_rate")
            loss_now.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            run.step += 1
            run.tokens += sum(len(example.ids) for example in batch)
            run.seconds = clock.seconds()
            if run.step % len(in_order):
                saved.save_now_and_then(run)
            progress(TrainingProgress(run.step, steps, float(loss_now.detach()), run.tokens / max(run.seconds, 1e-9)))
        run.losses.append(_mean_loss(tuned, split, cache, held_out, settings.batch_tokens))
        if run.losses[-1] < min(run.losses[:-1]) or not held_out:
            run.best = adapter_state(tuned)
        run.seconds = clock.seconds()
        saved.save(run)
    tuned.load_state_dict(run.best, strict=False)
    tuned.eval()
    losses = tuple(run.losses) if held_out else ()
    return tuned, TrainingResult(losses, run.seconds, run.tokens, sum(p.numel() for p in parameters))


class _LowerStates:
    """Hidden states below the cut, per example, computed at first use; float32 of shape (tokens, hidden)."""

    def __init__(self, split: SplitModel) -> None:
        self._split = split
        self._states: dict[int, Tensor] = {}

    def batch(self, examples: Sequence[TokenExample]) -> Tensor:
        """(batch, tokens, hidden), zeros where an example is shorter."""
        missing = [example for example in examples if id(example) not in self._states]
        if missing:
            hidden = self._split.lower(_padded([example.ids for example in missing]))
            for example, states in zip(missing, hidden, strict=True):
                self._states[id(example)] = states[: len(example.ids)].clone()
        return nn.utils.rnn.pad_sequence([self._states[id(example)] for example in examples], batch_first=True)


def _loss(split: SplitModel, cache: _LowerStates, batch: Sequence[TokenExample]) -> Tensor:
    """Weighted mean cross entropy at the reply's tokens, nats."""
    hidden = split.upper(cache.batch(batch))
    # The state at position p - 1 predicts the token at p.
    chosen = [hidden[row, len(e.prompt) - 1 : len(e.ids) - 1] for row, e in enumerate(batch)]
    targets = torch.tensor([token for example in batch for token in example.reply])
    weights = torch.cat([torch.full((len(example.reply),), example.weight) for example in batch])
    losses = nn.functional.cross_entropy(split.logits(torch.cat(chosen)), targets, reduction="none")
    return (losses * weights).sum() / weights.sum()


def _mean_loss(
    model: Any, split: SplitModel, cache: _LowerStates, examples: Sequence[TokenExample], batch_tokens: int
) -> float:
    """Mean over all reply tokens of the examples, without dropout; NaN where there are none."""
    if not examples:
        return math.nan
    model.eval()
    total = count = 0.0
    with torch.no_grad():
        for batch in _batches(examples, batch_tokens):
            size = sum(len(example.reply) * example.weight for example in batch)
            total += float(_loss(split, cache, batch)) * size
            count += size
    model.train()
    return total / count


def _batches(examples: Sequence[TokenExample], batch_tokens: int) -> list[list[TokenExample]]:
    """Examples of like length together, at most `batch_tokens` tokens with padding (one example may be longer)."""
    batches: list[list[TokenExample]] = []
    for example in sorted(examples, key=lambda example: -len(example.ids)):
        longest = len(batches[-1][0].ids) if batches else 0
        if batches and longest * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(example)
        else:
            batches.append([example])
    return batches


def _rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine to a tenth."""
    warmup = max(1, int(steps * WARMUP_SHARE))
    if step < warmup:
        return (step + 1) / warmup
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)


def pooled_states(model: Any, sequences: Sequence[Sequence[int]], *, batch_tokens: int = 4096) -> Iterator[Tensor]:
    """The mean of the last hidden states over each sequence's tokens, (hidden,), in order; for the route head."""
    split = SplitModel(model, 0)
    order = sorted(range(len(sequences)), key=lambda index: len(sequences[index]))
    found: dict[int, Tensor] = {}
    with torch.inference_mode():
        while order:
            chosen = [order.pop()]
            while order and len(sequences[chosen[0]]) * (len(chosen) + 1) <= batch_tokens:
                chosen.append(order.pop())
            hidden = split.upper(split.lower(_padded([sequences[index] for index in chosen])))
            for row, index in enumerate(chosen):
                found[index] = hidden[row, : len(sequences[index])].mean(0)
    yield from (found[index] for index in range(len(sequences)))


def save_adapter(model: Any, folder: Path) -> None:
    """Writes the adapter as safetensors."""
    model.save_pretrained(folder, safe_serialization=True)
