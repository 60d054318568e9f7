"""Drafts are the same however they are batched, stop where they should, and say how sure the model was."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.replies.prompt import Prompt, build, encode_reply
from trainer.replies.writer import Writer, tidy, whole_sentences
from trainer.weights import load_language_model

QUESTIONS = [
    "Where is it?",
    "Customer: My parcel FW is late and nobody tells me why. What happens now, and who pays for it?",
    "Wo?",
    "Customer: " + "It stands in Tilburg. " * 12,
    "Ik ben donderdag niet thuis, kan het vrijdag?",
]


def prompts(tokenizer: Any, questions: Sequence[str] = QUESTIONS) -> list[Prompt]:
    return [build(tokenizer, question, [], max_tokens=600) for question in questions]


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_drafts_of_a_batch_are_the_same_as_one_by_one(tiny: tuple[Any, Any], batch: int) -> None:
    model, tokenizer = tiny
    writer = Writer(model, tokenizer, max_tokens=16)
    alone = [writer.write([prompt])[0] for prompt in prompts(tokenizer)]
    together = writer.write(prompts(tokenizer), batch=batch)
    assert [draft.text for draft in together] == [draft.text for draft in alone]
    assert len({draft.text for draft in alone}) == len(QUESTIONS)
    assert [draft.tokens for draft in together] == [draft.tokens for draft in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)


def test_a_draft_is_what_the_model_finds_most_likely_and_as_sure_as_it_is(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    prompt = prompts(tokenizer)[0]
    ids, logs = list(prompt.ids), []
    for _ in range(6):
        with torch.no_grad():
            chances = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        ids.append(int(chances.argmax()))
        logs.append(float(chances.max()))
    (draft,) = Writer(model, tokenizer, max_tokens=6).write([prompt])
    assert draft.tokens == 6
    assert draft.log_probability == pytest.approx(sum(logs) / 6, abs=1e-4)
    assert draft.text == tidy(tokenizer.decode(ids[-6:], skip_special_tokens=True), ended=False)


def test_progress_counts_the_drafts_and_nothing_is_written_for_nothing(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    writer = Writer(model, tokenizer, max_tokens=2)
    done: list[int] = []
    drafts = writer.write(prompts(tokenizer), batch=2, progress=done.append)
    assert done == [2, 4, 5]
    assert all(0 < draft.seconds < 60 and draft.log_probability < 0 for draft in drafts)
    assert writer.write([]) == []


def test_a_draft_ends_where_the_reply_ends_and_the_adapter_can_be_left_out(
    parrot: Any, tiny_base: Path, tmp_path: Path
) -> None:
    model, tokenizer, reply = parrot.model, parrot.tokenizer, parrot.reply
    writer = Writer(model, tokenizer, max_tokens=40)
    drafts = writer.write(prompts(tokenizer, parrot.conversations))
    assert [draft.text for draft in drafts] == [reply] * len(parrot.conversations)
    assert {draft.tokens for draft in drafts} == {len(encode_reply(tokenizer, reply)) - 1}
    assert all(math.exp(draft.log_probability) > 0.5 for draft in drafts)

    untrained = Writer(*load_language_model(str(tiny_base), tmp_path), max_tokens=8)
    without = Writer(model, tokenizer, max_tokens=8).write(prompts(tokenizer), adapter=False)
    assert [draft.text for draft in without] == [draft.text for draft in untrained.write(prompts(tokenizer))]
    assert writer.write(prompts(tokenizer, parrot.conversations[:1]))[0].text == reply


def test_a_tokenizer_without_a_pad_token_gets_one(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    expected = [draft.text for draft in Writer(model, tokenizer, max_tokens=8).write(prompts(tokenizer))]
    tokenizer.pad_token = None
    assert [draft.text for draft in Writer(model, tokenizer, max_tokens=8).write(prompts(tokenizer))] == expected


LINE = "Your parcel is on its way to the depot."


@pytest.mark.parametrize(
    ("text", "ended", "tidied"),
    [
        ("  Hi Anna,\n\nIt is in Tilburg.\n", True, "Hi Anna,\n\nIt is in Tilburg."),
        (f"Hi.\n{LINE} {LINE} {LINE}", True, f"Hi.\n{LINE}"),
        (f"{LINE}\n\n{LINE.upper()}\n\nBye", True, LINE),
        (f"{LINE} One more line. {LINE} Bye.", True, f"{LINE} One more line."),
        ("No. No. No. No.", True, "No. No. No. No."),
        ("It comes on Friday. We will then", False, "It comes on Friday."),
        ("It comes on Friday. We will then", True, "It comes on Friday. We will then"),
        ("Does it fit? Then say so", False, "Does it fit?"),
        ("- the label\n- the invoice\n- the ph", False, "- the label\n- the invoice"),
        ("It costs €6.50 and no mo", False, "It costs €6.50 and no mo"),
        (
            "Hi. It comes with the driver who is on his way to your",
            False,
            "Hi. It comes with the driver who is on his way to your",
        ),
        ("", True, ""),
        ("", False, ""),
        ("word", False, "word"),
    ],
)
def test_repetition_and_a_half_sentence_at_the_limit_are_cut(text: str, ended: bool, tidied: str) -> None:
    assert tidy(text, ended=ended) == tidied
    assert tidy(tidied, ended=True) == tidied


# ---- while it is written


def test_what_is_written_so_far_is_handed_out_and_grows_to_the_whole(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    writer = Writer(model, tokenizer, max_tokens=16)
    prompt = prompts(tokenizer)[0]
    seen: list[str] = []
    (draft,) = writer.write([prompt], on_text=seen.append)
    assert len(seen) > 2
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(seen))
    # The tiny model writes half letters, which are not handed out.
    assert tidy(seen[-1], ended=draft.tokens < 16) == draft.text.rstrip("\ufffd")
    assert draft.text == writer.write([prompt])[0].text, "nobody writes otherwise for being watched"
    with pytest.raises(ValueError, match="single prompt"):
        writer.write([prompt, prompt], on_text=seen.append)


def test_writing_ends_where_somebody_stops_it(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    asked: list[int] = []

    def stopped() -> bool:
        asked.append(1)
        return len(asked) == 3

    (draft,) = Writer(model, tokenizer, max_tokens=16).write(prompts(tokenizer)[:1], stopped=stopped)
    assert (draft.tokens, len(asked)) == (3, 3)


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("", ""),
        ("Hi {{first_na", ""),
        ("Hi {{first_name}},\n", "Hi {{first_name}},"),
        ("Hi,\n\nIt comes on 3 Apr", "Hi,"),
        ("It comes on 3 April. You", "It comes on 3 April."),
        ("It comes on 3 April.", ""),  # '.': or '3 April.15'?
    ],
)
def test_only_finished_sentences_can_be_checked(text: str, finished: str) -> None:
    assert whole_sentences(text) == finished
