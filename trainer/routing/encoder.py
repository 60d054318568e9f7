"""A sentence encoder whose upper layers were fine-tuned for routing: run, saved and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainer.routing.arrays import Matrix

FOLDER = "route_encoder"
MAX_TOKENS = 128
_BATCH = 32


class TunedEncoder:
    """Texts to features, by an encoder of its own that is saved with the router.

    Attributes:
        model: A transformers model, mean-pooled over its last hidden states.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer

    def __call__(self, texts: Sequence[str]) -> Matrix:
        """Float32 of shape (len(texts), dimensions), rows of unit length."""
        return embed_ids(self.model, self.token_ids(texts))

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, at most `MAX_TOKENS`."""
        if not texts:
            return []
        ids: list[list[int]] = self.tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
        return ids

    def round_weights(self) -> None:
        """Rounds the weights to half precision, as they are saved, so that a loaded encoder gives equal features."""
        import torch

        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.copy_(parameter.half().float())

    def save(self, folder: Path) -> None:
        """Writes the model in half precision and the tokenizer to `FOLDER`; 45 MB for a MiniLM."""
        self.model.half().save_pretrained(folder / FOLDER)
        self.model.float()
        self.tokenizer.save_pretrained(folder / FOLDER)

    @classmethod
    def load(cls, folder: Path) -> TunedEncoder:
        """Reads what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged.
        """
        from trainer.weights import load_encoder

        return cls(*load_encoder(str(folder / FOLDER), folder))


def embed_ids(model: Any, ids: Sequence[Sequence[int]]) -> Matrix:
    """Mean last hidden states of token ids, float32 of shape (len(ids), dimensions), rows of unit length."""
    import torch

    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    vectors = np.zeros((len(ids), model.config.hidden_size), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            batch, mask = padded([ids[index] for index in chosen])
            pooled = mean_pooled(model(input_ids=batch, attention_mask=mask).last_hidden_state, mask)
            vectors[chosen] = torch.nn.functional.normalize(pooled, dim=-1).numpy()
    return vectors


def padded(ids: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """Token ids and their mask, int64 of shape (len(ids), longest)."""
    import torch

    longest = max(len(one) for one in ids)
    batch = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros(len(ids), longest, dtype=torch.long)
    for row, one in enumerate(ids):
        batch[row, : len(one)] = torch.tensor(one)
        mask[row, : len(one)] = 1
    return batch, mask


def mean_pooled(states: Any, mask: Any) -> Any:
    """The mean over the tokens that the mask keeps: (rows, tokens, hidden) to (rows, hidden)."""
    kept = mask.unsqueeze(-1).to(states.dtype)
    return (states * kept).sum(1) / kept.sum(1)
