"""A training that is killed goes on where it was, and ends where it would have ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from connectors.settings import TrainerSettings
from trainer.replies import checkpoint
from trainer.replies.checkpoint import adapter_state
from trainer.replies.lessons import TokenExample
from trainer.replies.lora import TrainingProgress, train_lora
from trainer.replies.prompt import Prompt
from trainer.replies.writer import RememberingWriter

SETTINGS = TrainerSettings(lora_layers=2, lora_rank=4, epochs=3, batch_tokens=256, learning_rate=0.01)
LESSONS = [TokenExample(tuple(range(5, 25 + n)), tuple(range(40 + n, 52 + n))) for n in range(12)]
HELD_OUT = [TokenExample(tuple(range(7, 30)), tuple(range(41, 50)))]


class KilledError(Exception):
    pass


def load(tiny_base: Path) -> Any:
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
    return model.eval()


@pytest.mark.parametrize("at", [1, 2, 3, 5])
def test_a_killed_run_ends_like_one_that_was_not(
    tiny_base: Path, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SAVE_EVERY_S", 0.0)
    whole, expected = train_lora(load(tiny_base), LESSONS, HELD_OUT, SETTINGS)

    def kill(progress: TrainingProgress) -> None:
        if progress.step == at:
            raise KilledError

    file = tmp_path / "work" / "adapter.pt"
    with pytest.raises(KilledError):
        train_lora(load(tiny_base), LESSONS, HELD_OUT, SETTINGS, checkpoint=file, progress=kill)
    steps: list[int] = []
    again, result = train_lora(
        load(tiny_base), LESSONS, HELD_OUT, SETTINGS, checkpoint=file, progress=lambda one: steps.append(one.step)
    )
    # What ends an epoch is kept with the epoch's figures only, and done again without them.
    assert steps[0] in (at, at + 1)
    assert at == 3 or steps[0] == at + 1
    assert result.tokens == expected.tokens
    assert result.held_out_loss == pytest.approx(expected.held_out_loss)
    for name, value in adapter_state(whole).items():
        assert torch.allclose(value, adapter_state(again)[name], atol=1e-6), name


def test_a_run_that_is_done_is_not_done_again_and_another_one_is(tiny_base: Path, tmp_path: Path) -> None:
    file = tmp_path / "adapter.pt"
    train_lora(load(tiny_base), LESSONS, HELD_OUT, SETTINGS, checkpoint=file)
    steps: list[int] = []

    def count(progress: TrainingProgress) -> None:
        steps.append(progress.step)

    train_lora(load(tiny_base), LESSONS, HELD_OUT, SETTINGS, checkpoint=file, progress=count)
    assert steps == []
    train_lora(load(tiny_base), LESSONS[1:], HELD_OUT, SETTINGS, checkpoint=file, progress=count)
    assert steps[0] == 1
    steps.clear()
    other = SETTINGS.model_copy(update={"learning_rate": 0.02})
    train_lora(load(tiny_base), LESSONS[1:], HELD_OUT, other, checkpoint=file, progress=count)
    assert steps[0] == 1


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_is_a_start_from_the_beginning(tiny_base: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "adapter.pt"
    file.write_bytes(content)
    steps: list[int] = []
    train_lora(
        load(tiny_base), LESSONS, HELD_OUT, SETTINGS, checkpoint=file, progress=lambda one: steps.append(one.step)
    )
    assert steps[0] == 1


def lines_of(file: Path) -> int:
    return sum(bool(line) for line in file.read_text().splitlines())


def test_drafts_are_written_once(parrot: Any, tmp_path: Path) -> None:
    file = tmp_path / "work" / "drafts.jsonl"
    prompts = [Prompt(tuple(range(10, 20 + n)), ()) for n in range(4)]

    def writer(max_tokens: int = 12) -> RememberingWriter:
        return RememberingWriter(parrot.model, parrot.tokenizer, max_tokens=max_tokens, file=file)

    first = writer().write(prompts[:2])
    assert lines_of(file) == 2
    with file.open("a") as lines:
        lines.write('\n["cut off')
    found = writer().write(prompts)
    assert found[:2] == first  # with their times: they were read
    assert lines_of(file) == 5
    base = writer().write(prompts, adapter=False)
    assert [one.text for one in base] != [one.text for one in found]
    writer(6).write(prompts)
    assert lines_of(file) == 13
