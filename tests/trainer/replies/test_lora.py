"""Training on a cut model is training on the whole one, touches the adapters only, and learns."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from connectors.errors import ModelError
from connectors.settings import TrainerSettings
from trainer.replies.lessons import TokenExample
from trainer.replies.lora import (
    SplitModel,
    TrainingProgress,
    TrainingResult,
    pooled_states,
    save_adapter,
    train_lora,
)

SETTINGS = TrainerSettings(lora_layers=2, lora_rank=8, epochs=20, batch_tokens=256, learning_rate=0.02)
LAYERS = 4


def model(tiny_base: Path, **options: Any) -> Any:
    found: Any = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32, **options)
    return found.eval()


@pytest.fixture
def base(tiny_base: Path) -> Any:
    return model(tiny_base)


def examples(count: int, seed: int = 1) -> list[TokenExample]:
    """Replies that follow from the prompt's last token, in prompts of many lengths."""
    rng = torch.Generator().manual_seed(seed)
    found = []
    for number in range(count):
        prompt = torch.randint(10, 300, (5 + 3 * (number % 6),), generator=rng).tolist()
        kind = number % 2
        found.append(TokenExample((*prompt, 20 + kind), tuple([40 + kind, 50 + kind, 60 + kind] * 2 + [2])))
    return found


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("first", [0, 1, 3, 4])
def test_the_cut_model_gives_the_whole_models_hidden_states(tiny_base: Path, attention: str, first: int) -> None:
    whole = model(tiny_base, attn_implementation=attention)
    split = SplitModel(whole, first)
    ids = torch.randint(3, 300, (2, 40), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = whole.model(ids).last_hidden_state
        hidden = split.upper(split.lower(ids))
        torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(split.logits(hidden[0]), whole(ids).logits[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_padding_on_the_right_changes_nothing_to_its_left(tiny_base: Path, attention: str) -> None:
    whole = model(tiny_base, attn_implementation=attention)
    split = SplitModel(whole, 2)
    rows = [list(range(10, 10 + length)) for length in (7, 31, 12)]
    padded = torch.zeros(3, 31, dtype=torch.long)
    for row, ids in enumerate(rows):
        padded[row, : len(ids)] = torch.tensor(ids)
    with torch.no_grad():
        hidden = split.upper(split.lower(padded))
        for row, ids in enumerate(rows):
            alone = whole.model(torch.tensor([ids])).last_hidden_state[0]
            torch.testing.assert_close(hidden[row, : len(ids)], alone, atol=1e-5, rtol=0)


def test_pooled_states_are_means_in_the_order_of_the_texts(base: Any) -> None:
    sequences = [list(range(10, 10 + length)) for length in (9, 2, 30, 1, 17)]
    for batch_tokens in (1, 64, 4096):
        found = list(pooled_states(base, sequences, batch_tokens=batch_tokens))
        for ids, state in zip(sequences, found, strict=True):
            with torch.no_grad():
                alone = base.model(torch.tensor([ids])).last_hidden_state[0].mean(0)
            torch.testing.assert_close(state, alone, atol=1e-5, rtol=0)


def test_a_model_that_cannot_be_cut_is_refused_with_what_to_do() -> None:
    with pytest.raises(ModelError, match="cannot train GPT2LMHeadModel") as caught:
        SplitModel(GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=10, n_positions=8)), 0)
    assert "base_model" in caught.value.hint


@pytest.fixture(scope="module")
def trained(tiny_base: Path) -> tuple[Any, TrainingResult, dict[str, torch.Tensor], list[TrainingProgress]]:
    """The tuned model, what the run said, and the base's weights as they were."""
    base = model(tiny_base)
    before = {name: value.clone() for name, value in base.state_dict().items()}
    steps: list[TrainingProgress] = []
    tuned, result = train_lora(base, examples(24), examples(6, seed=9), SETTINGS, progress=steps.append)
    return tuned, result, before, steps


def test_training_lowers_the_loss_on_what_was_held_out(trained: Any) -> None:
    _, result, _, steps = trained
    assert len(result.held_out_loss) == SETTINGS.epochs + 1
    assert min(result.held_out_loss) < 0.4 * result.held_out_loss[0]
    assert steps[-1].loss < 0.4 * steps[0].loss


def test_training_tells_its_progress(trained: Any) -> None:
    _, result, _, steps = trained
    assert [one.step for one in steps] == list(range(1, steps[-1].steps + 1))
    assert all(one.tokens_per_s > 0 for one in steps)
    assert result.tokens == SETTINGS.epochs * sum(len(one.ids) for one in examples(24))


def test_training_leaves_the_base_weights_as_they_were(trained: Any) -> None:
    tuned, _, before, _ = trained
    after = {name.replace(".base_layer", ""): value for name, value in tuned.get_base_model().state_dict().items()}
    for name, value in before.items():
        assert torch.equal(after[name], value), name


def test_adapters_sit_on_the_topmost_layers_only(trained: Any) -> None:
    tuned, result, _, _ = trained
    trainable = {name: parameter for name, parameter in tuned.named_parameters() if parameter.requires_grad}
    assert {int(name.split(".layers.")[1].split(".")[0]) for name in trainable} == {LAYERS - 2, LAYERS - 1}
    assert all("lora_" in name for name in trainable)
    assert sum(parameter.numel() for parameter in trainable.values()) == result.trainable_parameters


@pytest.mark.parametrize(("layers", "adapted"), [(0, {0, 1, 2, 3}), (1, {3}), (9, {0, 1, 2, 3})])
def test_no_number_of_layers_means_all_of_them(base: Any, layers: int, adapted: set[int]) -> None:
    settings = SETTINGS.model_copy(update={"lora_layers": layers, "epochs": 1})
    tuned, _ = train_lora(base, examples(4), [], settings)
    names = [name for name, parameter in tuned.named_parameters() if parameter.requires_grad]
    assert {int(name.split(".layers.")[1].split(".")[0]) for name in names} == adapted


def test_switching_the_adapter_off_gives_the_base_model_back(trained: Any, base: Any) -> None:
    tuned, one = trained[0], examples(24)[0]
    ids = torch.tensor([one.prompt])
    with torch.no_grad():
        expected, learned = base(ids).logits, tuned(ids).logits
        with tuned.disable_adapter():
            assert torch.equal(tuned(ids).logits, expected)
    wanted = one.reply[0]
    assert learned[0, -1].softmax(-1)[wanted] > 0.5 > expected[0, -1].softmax(-1)[wanted]


def test_the_adapters_of_the_best_epoch_are_the_ones_that_stay(base: Any) -> None:
    prompts = [one.prompt for one in examples(6, seed=9)]
    greedy = [base.generate(torch.tensor([ids]), max_new_tokens=5, do_sample=False)[0, len(ids) :] for ids in prompts]
    known = [TokenExample(ids, tuple(reply.tolist())) for ids, reply in zip(prompts, greedy, strict=True)]
    ids = torch.tensor([[10, 11, 12, 20]])
    with torch.no_grad():
        expected = base(ids).logits
    settings = SETTINGS.model_copy(update={"epochs": 3})
    tuned, result = train_lora(base, examples(24), known, settings)
    assert result.held_out_loss[0] < min(result.held_out_loss[1:])  # the base says this by itself: learning harms it
    with torch.no_grad():
        torch.testing.assert_close(tuned(ids).logits, expected)


def test_the_same_seed_trains_the_same_adapters(tiny_base: Path) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 2, "lora_dropout": 0.1})
    losses = [train_lora(model(tiny_base), examples(12), examples(4, 9), settings)[1].held_out_loss for _ in range(2)]
    assert losses[0] == losses[1]


def test_an_example_that_weighs_more_is_learned_better(tiny_base: Path) -> None:
    same = (10, 11, 12)
    rivals = [TokenExample(same, (40, 2), weight=3.0), TokenExample(same, (41, 2), weight=1.0)]
    settings = SETTINGS.model_copy(update={"epochs": 40})
    tuned, _ = train_lora(model(tiny_base), rivals, [], settings)
    with torch.no_grad():
        share = tuned(torch.tensor([same])).logits[0, -1].softmax(-1)
    assert share[40] == pytest.approx(0.75, abs=0.1)
    assert share[41] == pytest.approx(0.25, abs=0.1)


def test_without_held_out_examples_the_last_epoch_stays(base: Any) -> None:
    tuned, result = train_lora(base, examples(12), [], SETTINGS.model_copy(update={"epochs": 2}))
    assert result.held_out_loss == ()
    one = examples(12)[0]
    with torch.no_grad():
        learned = tuned(torch.tensor([one.prompt])).logits[0, -1].log_softmax(-1)
        with tuned.disable_adapter():
            before = tuned(torch.tensor([one.prompt])).logits[0, -1].log_softmax(-1)
    assert learned[one.reply[0]] > before[one.reply[0]]


def test_a_loss_that_is_no_number_stops_the_training_with_what_to_do(base: Any) -> None:
    with torch.no_grad():
        base.lm_head.weight.fill_(math.nan)
    with pytest.raises(ModelError, match="no number") as caught:
        train_lora(base, examples(4), [], SETTINGS)
    assert "learning_rate" in caught.value.hint


def test_a_saved_adapter_is_safetensors_of_the_adapter_alone(trained: Any, tmp_path: Path) -> None:
    save_adapter(trained[0], tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["layers_to_transform"] == [2, 3]
    assert not list(tmp_path.glob("*.bin"))
    with safe_open(tmp_path / "adapter_model.safetensors", "pt") as file:
        assert {name.split(".")[-2] for name in file.keys()} == {"lora_A", "lora_B"}  # noqa: SIM118
