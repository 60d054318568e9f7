"""An encoder is tuned in the time it is given, in its upper layers only, and saved with the router."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import ModelError
from trainer.routing.arrays import one_hot, unit_rows
from trainer.routing.encoder import FOLDER, TunedEncoder, embed_ids
from trainer.routing.router import Plan, Router, train_router
from trainer.routing.tuning import _batches, _contrast, _Upper, tune

TOPICS = {
    "2101": "parcel late tracking scan depot window",
    "2104": "invoice payment vat refund surcharge debit",
    "2105": "return label shop code boots sender",
}
FILLERS = ["please", "can", "you", "tell", "me", "about", "the", "my", "a", "this", "hello", "thanks"]
WORDS = [*" ".join(TOPICS.values()).split(), *FILLERS]
QUICK = Plan(passes=20, layers=2, batch=16, learning_rate=3e-3)


def load(seed: int = 0) -> tuple[Any, Any]:
    """A BERT of four narrow layers with random weights, and a tokenizer that knows the words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(
            BertConfig(
                vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=4, num_attention_heads=2,
                intermediate_size=64, max_position_embeddings=64,
            )
        )  # fmt: skip
    model.train(False)
    return model, tokenizer


def tickets(count: int, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    labels = [str(rng.choice(list(TOPICS))) for _ in range(count)]
    texts = []
    for label in labels:
        words = [str(rng.choice(TOPICS[label].split())), *map(str, rng.choice(FILLERS, int(rng.integers(1, 4))))]
        rng.shuffle(words)
        texts.append(" ".join(words))
    return texts, labels


@pytest.fixture(scope="module")
def router() -> Router:
    return train_router(
        "encoder_tuned",
        *tickets(120, 1),
        embed=TunedEncoder(*load()),
        encoder=load,
        plan=dataclasses.replace(QUICK, passes=5),
    )


def accuracy(router: Router, embed: Any = None) -> float:
    texts, labels = tickets(300, 2)
    return float((np.asarray(router.classes)[router.probabilities(texts, embed).argmax(axis=1)] == labels).mean())


def test_a_tuned_encoder_routes_better_than_the_same_one_as_it_was(router: Router) -> None:
    base = TunedEncoder(*load())
    control = train_router("encoder", *tickets(120, 1), embed=base)
    assert accuracy(router) > accuracy(control, base) + 0.1


def test_it_is_saved_with_all_that_it_takes_and_loads_alike(router: Router, tmp_path: Path) -> None:
    router.save(tmp_path)
    names = {path.name for path in (tmp_path / FOLDER).iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not {name for name in names if not name.endswith((".json", ".safetensors"))}
    texts = tickets(20, 3)[0]
    loaded = Router.load(tmp_path)
    np.testing.assert_array_equal(loaded.probabilities(texts), router.probabilities(texts))
    assert loaded.decide(texts) == router.decide(texts)


def test_saving_leaves_the_router_as_it_was(router: Router, tmp_path: Path) -> None:
    texts = tickets(20, 3)[0]
    before = router.probabilities(texts)
    router.save(tmp_path)
    np.testing.assert_array_equal(router.probabilities(texts), before)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_encoder_is_an_error_that_says_what_to_do(router: Router, tmp_path: Path, name: str) -> None:
    router.save(tmp_path)
    (tmp_path / FOLDER / name).write_bytes(b"\x80\x04\x95")
    with pytest.raises(ModelError, match="cannot be read") as caught:
        Router.load(tmp_path)
    assert "rollback" in caught.value.hint


def test_it_is_calibrated_on_tickets_that_it_was_not_tuned_on(router: Router) -> None:
    texts, labels = tickets(400, 5)
    probabilities = router.probabilities(texts)
    hits = np.asarray(router.classes)[probabilities.argmax(axis=1)] == labels
    assert abs(probabilities.max(axis=1).mean() - hits.mean()) < 0.15
    assert router.temperature != 1.0
    assert len(router.thresholds) == 3


def test_the_encoder_at_hand_and_one_to_change_are_needed() -> None:
    for embed, encoder in ((None, load), (TunedEncoder(*load()), None)):
        with pytest.raises(ModelError, match="the encoder_tuned router needs its encoder"):
            train_router("encoder_tuned", *tickets(20, 1), embed=embed, encoder=encoder)


def tuned(plan: Plan = QUICK, seed: int = 0, **options: Any) -> tuple[TunedEncoder, int]:
    texts, labels = tickets(60, 1)
    encoder = TunedEncoder(*load())
    targets = np.asarray([list(TOPICS).index(label) for label in labels])
    prototypes = one_hot(targets, 3).T @ encoder(texts)
    ids = encoder.token_ids(texts)
    steps = tune(encoder, ids, targets, np.ones(60, np.float32), prototypes, plan, seed, **options)
    return encoder, steps


def weights(encoder: TunedEncoder) -> dict[str, Any]:
    return {name: value.numpy() for name, value in encoder.model.state_dict().items()}


def test_only_the_upper_layers_change() -> None:
    before, after = weights(TunedEncoder(*load())), weights(tuned()[0])
    moved = {name for name in before if np.abs(before[name] - after[name]).max() > 1e-3}
    assert {name.split(".")[2] for name in moved if name.startswith("encoder.layer.")} == {"2", "3"}
    assert not {name for name in moved if not name.startswith("encoder.layer.")}


def test_the_same_tickets_and_seed_make_the_same_encoder() -> None:
    one, same, other = tuned()[0], tuned()[0], tuned(seed=1)[0]
    texts = tickets(20, 3)[0]
    np.testing.assert_allclose(one(texts), same(texts), atol=1e-4)
    assert np.abs(one(texts) - other(texts)).max() > 1e-3


def test_tuning_leaves_the_random_numbers_of_others_alone() -> None:
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1).item()
    torch.manual_seed(3)
    tuned()
    assert torch.rand(1).item() == expected


def clock(step_s: float) -> Callable[[], float]:
    def ticks() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += step_s

    return ticks().__next__


def test_tuning_ends_when_its_time_is_up() -> None:
    whole = tuned(now=clock(0.0))[1]
    assert whole == math.ceil(60 * QUICK.passes / QUICK.batch)
    assert 0 < tuned(now=clock(6.0))[1] < whole / 2
    assert tuned(now=clock(1000.0))[1] == 0


def test_a_batch_has_several_tickets_of_a_group_and_all_groups_alike() -> None:
    targets = np.repeat(np.arange(30), np.arange(1, 31))
    rng = np.random.default_rng(0)
    batches = list(_batches(targets, 64, rng, 90))
    seen: Counter[int] = Counter()
    for rows in batches:
        groups = Counter(targets[rows].tolist())
        # A batch where one turn ends and another begins may meet a group twice.
        assert set(groups.values()) <= {4, 8}
        assert sum(groups.values()) == 64
        seen.update(groups)
    assert max(seen.values()) - min(seen.values()) <= 4
    # Within a group it is every ticket's turn: of 30 tickets none is left out, and of one it is always that one's.
    large = Counter(row for rows in batches for row in rows.tolist() if targets[row] == 29)
    assert len(large) == 30
    assert max(large.values()) - min(large.values()) <= 1


def test_with_few_groups_a_batch_has_all_of_them() -> None:
    (rows,) = _batches(np.asarray([0, 0, 1, 1, 1, 1, 1, 1]), 16, np.random.default_rng(0), 1)
    assert len(rows) == 16
    assert (rows < 2).sum() == 8


def test_tickets_of_a_batch_run_in_chunks_and_come_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TunedEncoder(*load())
    for part in encoder.model.modules():
        if type(part).__name__ == "Dropout":
            part.p = 0.0
    texts = ["parcel " * length for length in (5, 1, 9, 3, 7)]
    monkeypatch.setattr("trainer.routing.tuning._CHUNK", 2)
    upper = _Upper(encoder.model, 2, encoder.token_ids(texts))
    pooled = upper(np.arange(5)).detach().numpy()
    np.testing.assert_allclose(unit_rows(pooled), encoder(texts), atol=1e-4)


def test_the_contrastive_term_is_low_where_tickets_of_a_group_are_close_to_each_other() -> None:
    import torch

    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    together, apart = (float(_contrast(vectors, torch.tensor(groups))) for groups in ([0, 0, 1, 1], [0, 1, 0, 1]))
    # One ticket of the same group at cosine 1, two others at cosine 0, divided by the temperature.
    assert together == pytest.approx(math.log(1 + 2 * math.exp(-1 / 0.07)), abs=1e-5)
    assert apart == pytest.approx(together + 1 / 0.07, rel=1e-4)
    assert float(_contrast(vectors, torch.tensor([0, 1, 2, 3]))) == 0.0


def test_kept_states_and_new_ones_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = tickets(20, 3)[0]
    kept = tuned()[0](texts)
    monkeypatch.setattr("trainer.routing.tuning._CACHE_BYTES", 0)
    # Kept states are in half precision; that is all that sets them apart.
    assert float((kept * tuned()[0](texts)).sum(axis=1).min()) > 0.95


def test_an_encoder_of_another_family_is_tuned_whole() -> None:
    from transformers import DistilBertConfig, DistilBertModel

    _, tokenizer = load()
    size = len(tokenizer)
    model = DistilBertModel(DistilBertConfig(vocab_size=size, dim=32, n_layers=2, n_heads=2, hidden_dim=64))
    encoder = TunedEncoder(model.train(False), tokenizer)
    before = weights(encoder)
    before = {name: value.copy() for name, value in before.items()}
    texts, labels = tickets(60, 1)
    targets = np.asarray([list(TOPICS).index(label) for label in labels])
    prototypes = one_hot(targets, 3).T @ encoder(texts)
    tune(encoder, encoder.token_ids(texts), targets, np.ones(60, np.float32), prototypes, QUICK, 0)
    moved = {name for name, value in weights(encoder).items() if np.abs(value - before[name]).max() > 1e-3}
    assert {name.split(".")[2] for name in moved if name.startswith("transformer.layer.")} == {"0", "1"}


def test_long_texts_are_cut() -> None:
    encoder = TunedEncoder(*load())
    assert len(encoder.token_ids(["parcel " * 500])[0]) == 128
    assert encoder([]).shape == (0, 32)
    assert embed_ids(encoder.model, encoder.token_ids(["parcel", "late parcel"])).shape == (2, 32)


def test_the_saved_encoder_is_in_half_precision(router: Router, tmp_path: Path) -> None:
    router.save(tmp_path)
    content = (tmp_path / FOLDER / "model.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert {entry["dtype"] for name, entry in header.items() if name != "__metadata__"} == {"F16"}
