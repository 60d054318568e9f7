"""Writing drafts: greedy decoding, several prompts at a time, and the trims that a small model needs."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.replies.prompt import Prompt, encode_reply
from trainer.weights import base_of

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
        sent_bits: Bits of the reply that the team sent, under the same model and prompt; None where none was given.
    """

    text: str
    log_probability: float
    tokens: int
    seconds: float
    sent_bits: float | None = None


class Writer:
    """A language model that writes replies.

    Args:
        model: A transformers model, or a peft model whose adapter can be switched off.
        max_tokens: Drafts stop here.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int) -> None:
        self.model = model
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
        sent: Sequence[str] | None = None,
        adapter: bool = True,
        batch: int = 32,
        progress: Callable[[int], None] = lambda _: None,
        on_text: Callable[[str], None] | None = None,
        stopped: Callable[[], bool] | None = None,
    ) -> list[Draft]:
        """Drafts for prompts, in order.

        Args:
            sent: What the team replied, to be told how many bits it was to the model; the prompts are read once for
                both, which is half of the time.
            adapter: False writes with the base model alone.
            batch: Prompts decoded together: the more, the less a step costs each of them.
            on_text: Given what is written so far, as the model wrote it, word by word; for a single prompt only.
            stopped: Asked after every token; once it says so, writing ends there.
        """
        if on_text and len(prompts) > 1:
            raise ValueError(f"on_text is for a single prompt, and these are {len(prompts)}")
        order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index].ids))
        drafts: list[Draft] = []
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            replies = [sent[index] for index in chosen] if sent is not None else None
            drafts += self._write_batch([prompts[index] for index in chosen], replies, adapter, on_text, stopped)
            progress(len(drafts))
        in_order = dict(zip(order, drafts, strict=True))
        return [in_order[index] for index in range(len(prompts))]

    @cached_property
    def _cache_name(self) -> str:
        """What transformers calls the cache of keys and values: `cache` since 5.24, `past_key_values` before."""
        parameters = inspect.signature(base_of(self.model).model.forward).parameters
        return "cache" if "cache" in parameters else "past_key_values"

    def _write_batch(
        self,
        prompts: Sequence[Prompt],
        sent: Sequence[str] | None,
        adapter: bool,
        on_text: Callable[[str], None] | None = None,
        stopped: Callable[[], bool] | None = None,
    ) -> list[Draft]:
        import torch
        from transformers import LogitsProcessorList

        started = time.monotonic()
        scoring = 0.0
        bits: list[float] | None = None
        inputs = self.tokenizer.pad({"input_ids": [list(prompt.ids) for prompt in prompts]}, return_tensors="pt")
        off = self.model.disable_adapter() if not adapter and hasattr(self.model, "disable_adapter") else nullcontext()
        steps: list[torch.Tensor] = []

        def note(_: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
            # Of the likeliest token, which greedy decoding chooses; all logits of a batch would be gigabytes.
            steps.append(logits.max(-1).values - logits.logsumexp(-1))
            return logits

        with torch.inference_mode(), off:
            if sent is not None:
                bits, inputs[self._cache_name], scoring = self._bits_of(sent, inputs)
            output = self.model.generate(
                **inputs,
                max_new_tokens=self._max_tokens,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
                logits_processor=LogitsProcessorList([note]),
                streamer=_streamer(self.tokenizer, on_text) if on_text else None,
                stopping_criteria=[_stop_when(stopped)] if stopped else None,
            )
        written = output[:, inputs["input_ids"].shape[1] :]
        logs = torch.stack(steps, dim=1)
        seconds = (time.monotonic() - started - scoring) / len(prompts)
        drafts = []
        for row in range(len(prompts)):
            ids = written[row].tolist()
            ended = self.tokenizer.eos_token_id in ids
            ids = ids[: ids.index(self.tokenizer.eos_token_id)] if ended else ids
            text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
            mean = float(logs[row, : len(ids)].mean()) if ids else 0.0
            drafts.append(Draft(tidy(text, ended=ended), mean, len(ids), seconds, bits[row] if bits else None))
        return drafts

    def _bits_of(self, sent: Sequence[str], inputs: Any) -> tuple[list[float], Any, float]:
        """Bits of each reply, the cache of the prompts but for their last tokens, and the seconds that replies took."""
        import torch
        from torch.nn.functional import cross_entropy
        from transformers import DynamicCache

        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        base = base_of(self.model)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache()
        passed = {self._cache_name: cache}
        base.model(input_ids=ids[:, :-1], attention_mask=mask[:, :-1], position_ids=positions[:, :-1], **passed)
        started = time.monotonic()
        replies = [torch.tensor(encode_reply(self.tokenizer, text)) for text in sent]
        padded = torch.nn.utils.rnn.pad_sequence(replies, batch_first=True)
        real = torch.nn.utils.rnn.pad_sequence([torch.ones_like(reply) for reply in replies], batch_first=True)
        hidden = base.model(
            # The state at the prompt's last token predicts the reply's first.
            input_ids=torch.cat([ids[:, -1:], padded[:, :-1]], 1),
            attention_mask=torch.cat([mask, real[:, :-1]], 1),
            position_ids=positions[:, -1:] + torch.arange(padded.shape[1]),
            **passed,
        ).last_hidden_state
        bits = [
            float(cross_entropy(base.lm_head(hidden[row, : len(reply)]).float(), reply, reduction="sum")) / math.log(2)
            for row, reply in enumerate(replies)
        ]
        cache.crop(-padded.shape[1])
        return bits, cache, time.monotonic() - started


class RememberingWriter(Writer):
    """A writer that keeps its drafts on disk, batch by batch, so that an evaluation that is killed goes on.

    Args:
        file: JSON lines of drafts, by a hash of the prompt and the weights that it was written with.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int, file: Path) -> None:
        super().__init__(model, tokenizer, max_tokens=max_tokens)
        self._file = file
        self._weights = {adapter: self._fingerprint(adapter) for adapter in (True, False)}
        self._known = dict(_drafts_in(file))

    def _write_batch(
        self,
        prompts: Sequence[Prompt],
        sent: Sequence[str] | None,
        adapter: bool,
        on_text: Callable[[str], None] | None = None,
        stopped: Callable[[], bool] | None = None,
    ) -> list[Draft]:
        # Nobody watches an evaluation's drafts being written, nor stops one.
        replies = sent or [""] * len(prompts)
        keys = [_key(prompt, reply, self._weights[adapter]) for prompt, reply in zip(prompts, replies, strict=True)]
        if missing := [at for at, key in enumerate(keys) if key not in self._known]:
            asked = None if sent is None else [sent[at] for at in missing]
            written = super()._write_batch([prompts[at] for at in missing], asked, adapter)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                for at, draft in zip(missing, written, strict=True):
                    self._known[keys[at]] = draft
                    # In front, since the last line may have been cut off.
                    file.write("\n" + json.dumps([keys[at], asdict(draft)]))
        return [self._known[key] for key in keys]

    def _fingerprint(self, adapter: bool) -> str:
        """Of what changes a draft, apart from its prompt; the base weights by their name only."""
        digest = hashlib.sha256(f"{self.model.config._name_or_path}/{self._max_tokens}".encode())
        if adapter:
            from trainer.replies.checkpoint import adapter_state

            for value in adapter_state(self.model).values():
                digest.update(value.float().numpy().tobytes())
        return digest.hexdigest()


def _streamer(tokenizer: PreTrainedTokenizerBase, on_text: Callable[[str], None]) -> Any:
    from transformers import TextStreamer

    class Streamer(TextStreamer):
        """Hands out all that is written so far, whole words only."""

        text = ""

        def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
            self.text += text
            on_text(self.text)

    return Streamer(tokenizer, skip_prompt=True, skip_special_tokens=True)


def _stop_when(stopped: Callable[[], bool]) -> Any:
    import torch

    def criterion(input_ids: torch.Tensor, _: Any, **__: Any) -> torch.Tensor:
        return torch.full((len(input_ids),), stopped(), dtype=torch.bool, device=input_ids.device)

    return criterion


def _key(prompt: Prompt, reply: str, weights: str) -> str:
    return hashlib.sha256(f"{weights} {prompt.ids} {reply}".encode()).hexdigest()


def _drafts_in(file: Path) -> Iterator[tuple[str, Draft]]:
    """What the file holds; a last line that was cut off by a kill is left out."""
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                key, values = json.loads(line)
                yield key, Draft(**values)
            except (ValueError, TypeError):
                continue


def whole_sentences(text: str) -> str:
    """What is written so far without its last, unfinished sentence or line; tidied."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return tidy(text[: ends[-1]]) if ends else ""


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
