"""Bits of a reply are those of its tokens under the model, and asking for them changes no draft."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from trainer.replies.prompt import build, encode_reply
from trainer.replies.writer import Writer

REPLIES = ("It is in Tilburg.", "No.", "It was delivered on {{date_1}} to the neighbour, who has signed for it.")


def prompts(tokenizer: Any) -> list[Any]:
    questions = ("Customer: where?", "Customer: " + "where is it " * 12, "Customer: and now?")
    return [build(tokenizer, one, [], max_tokens=400) for one in questions]


def test_bits_are_those_of_the_plain_model_and_drafts_stay_the_same(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    writer, asked = Writer(model, tokenizer, max_tokens=10), prompts(tokenizer)
    found = writer.write(asked, sent=REPLIES, batch=2)
    plain = writer.write(asked, batch=2)
    assert [one.text for one in found] == [one.text for one in plain]
    assert [one.tokens for one in found] == [one.tokens for one in plain]
    assert [one.log_probability for one in found] == pytest.approx([one.log_probability for one in plain], abs=1e-4)
    assert [one.sent_bits for one in plain] == [None] * 3
    for prompt, reply, one in zip(asked, REPLIES, found, strict=True):
        ids = torch.tensor([[*prompt.ids, *encode_reply(tokenizer, reply)]])
        with torch.inference_mode():
            logs = model(ids).logits[0, :-1].log_softmax(-1)
        expected = -sum(float(logs[at - 1, ids[0, at]]) for at in range(len(prompt.ids), ids.shape[1])) / math.log(2)
        assert one.sent_bits == pytest.approx(expected, rel=1e-3)


def test_the_adapter_is_asked_only_where_it_is_wanted(parrot: Any) -> None:
    writer = Writer(parrot.model, parrot.tokenizer, max_tokens=30)
    asked = [build(parrot.tokenizer, one, [], max_tokens=600) for one in parrot.conversations]
    sent = [parrot.reply] * len(asked)
    tuned = [one.sent_bits for one in writer.write(asked, sent=sent)]
    base = [one.sent_bits for one in writer.write(asked, sent=sent, adapter=False)]
    assert max(bits for bits in tuned if bits is not None) < 2
    assert min(bits for bits in base if bits is not None) > 20
