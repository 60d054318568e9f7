"""Writing drafts: greedy decoding, several prompts at a time, and the trims that a small model needs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.prompt import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True, slots=True)
class Draft:
    """What the model wrote, slots not yet filled.

    Attributes:
        log_probability: Mean natural logarithm of the chosen tokens' probabilities; how sure the model was.
        tokens: How many it wrote.
        seconds: Wall time of its batch, shared equally among the batch's drafts.
    """

    text: str
    log_probability: float
    tokens: int
    seconds: float


class Writer:
    """A language model that writes replies.

    Args:
        model: A transformers model, or a peft model whose adapter can be switched off.
        max_tokens: Drafts stop here.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int) -> None:
        self._model = model
        self.tokenizer = tokenizer
        self._max_tokens = max_tokens
        # Decoder-only models read the prompt's end last: padding must be in front.
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

    def write(
        self,
        prompts: Sequence[Prompt],
        *,
        adapter: bool = True,
        batch: int = 16,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Draft]:
        """Drafts for prompts, in order.

        Args:
            adapter: False writes with the base model alone.
            batch: Prompts decoded together; a step for sixteen takes some four times as long as a step for one.
        """
        order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index].ids))
        drafts: list[Draft] = []
        for start in range(0, len(order), batch):
            drafts += self._write_batch([prompts[index] for index in order[start : start + batch]], adapter)
            progress(len(drafts))
        in_order = dict(zip(order, drafts, strict=True))
        return [in_order[index] for index in range(len(prompts))]

    def _write_batch(self, prompts: Sequence[Prompt], adapter: bool) -> list[Draft]:
        import torch

        started = time.monotonic()
        inputs = self.tokenizer.pad({"input_ids": [list(prompt.ids) for prompt in prompts]}, return_tensors="pt")
        off = (
            self._model.disable_adapter() if not adapter and hasattr(self._model, "disable_adapter") else nullcontext()
        )
        with torch.inference_mode(), off:
            output = self._model.generate(
                **inputs,
                max_new_tokens=self._max_tokens,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
                return_dict_in_generate=True,
                output_logits=True,
            )
        written = output.sequences[:, inputs["input_ids"].shape[1] :]
        # Of the chosen tokens only: a whole log-softmax would copy a vocabulary's worth for every step.
        logs = torch.stack(
            [
                logits.float().gather(-1, written[:, step : step + 1]).squeeze(-1) - logits.float().logsumexp(-1)
                for step, logits in enumerate(output.logits)
            ],
            dim=1,
        )
        seconds = (time.monotonic() - started) / len(prompts)
        drafts = []
        for row in range(len(prompts)):
            ids = written[row].tolist()
            ended = self.tokenizer.eos_token_id in ids
            ids = ids[: ids.index(self.tokenizer.eos_token_id)] if ended else ids
            text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
            mean = float(logs[row, : len(ids)].mean()) if ids else 0.0
            drafts.append(Draft(tidy(text, ended=ended), mean, len(ids), seconds))
        return drafts


def tidy(text: str, *, ended: bool = True) -> str:
    """Cuts a draft where it begins to repeat itself, and an unfinished last sentence where it hit the limit."""
    text = text.strip()
    seen: set[str] = set()
    position = 0
    for match in [*_SENTENCE_END.finditer(text), None]:
        end = match.start() if match else len(text)
        sentence = text[position:end].strip().lower()
        if len(sentence) > 25 and sentence in seen:
            return text[:position].strip()
        seen.add(sentence)
        position = match.end() if match else end
    if not ended and (last := max(text.rfind(mark) for mark in (". ", ".\n", "!", "?", "\n"))) > len(text) // 3:
        text = text[: last + 1]
    return text.strip()
