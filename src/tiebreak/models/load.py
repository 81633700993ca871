"""From a name to a model and its tokenizer: `bundled:base`, a run, a folder, or a Hub id.

Weights are read from safetensors only. Code that a model brings along runs only where the recipe says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.hub import cached_file

from tiebreak.bundled import base_model_path
from tiebreak.errors import InputError
from tiebreak.models.adapters import CONFIG, base_name, is_adapter_folder, load_adapter, merge
from tiebreak.models.fuse import fuse
from tiebreak.models.hub_errors import explained, only_cached
from tiebreak.models.quantize import Quantization, one_arithmetic, quantization_config
from tiebreak.runs.loop import LoopFolder

BUNDLED = "bundled:base"


@dataclass(frozen=True)
class Located:
    """Where a model is read from: a folder on this machine, or a Hub id with its revision."""

    source: str
    revision: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a folder."""
        return Path(self.source).is_dir()


def locate(name: str, revision: str | None = None) -> Located:
    """Resolve the name of a model.

    Args:
        name: `bundled:base`, a run folder, a folder with a model, or a Hub id.
        revision: branch, tag or commit; for Hub ids only.
    Raises:
        InputError: the name can be none of these.
    """
    if name == BUNDLED:
        return Located(str(base_model_path()))
    if name.startswith("bundled:"):
        raise InputError(f"There is no bundled model '{name}'.", where="model.name", fix=f"the one there is: {BUNDLED}")
    path = Path(name).expanduser()
    if not name:
        raise InputError("The model has no name.", where="model.name")
    loop = LoopFolder(path)
    if loop.exists:
        return locate(loop.current())
    if (path / "recipe.yaml").is_file():
        if not any((path / "model" / name).is_file() for name in ("config.json", CONFIG)):
            raise InputError(
                f"The run '{name}' has no finished model yet.",
                where=str(path / "model"),
                fix=f"finish it with: tiebreak train --out {name} --resume",
            )
        return Located(str(path / "model"))
    if path.is_dir():
        return Located(str(path))
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError(f"There is no model folder '{name}'.", where="model.name")
    return Located(name, revision)


def adapter_folder(name: str, revision: str | None = None) -> Path | None:
    """The folder of an adapter, if the name is that of one; an adapter on the Hub is fetched.

    Args:
        name, revision: as for `locate`.
    Raises:
        InputError: the name can be no model's.
    """
    found = locate(name, revision)
    if found.is_local:
        return Path(found.source) if is_adapter_folder(found.source) else None
    return hub_adapter(found.source, found.revision)


def load_model(
    name: str,
    *,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    trust_remote_code: bool = False,
    quantize: Quantization | None = None,
    device: torch.device | None = None,
) -> PreTrainedModel:
    """Load a causal language model; an adapter is merged into the model it was trained beside.

    Args:
        name: as for `locate`.
        revision: of a Hub model.
        dtype: type of the weights in memory.
        trust_remote_code: run code that the model brings along.
        quantize: hold the linear layers in 4 or 8 bits.
        device: where quantized weights are put, which cannot be moved; None is the CPU.
    Returns:
        The model on the CPU, in evaluation mode (dropout off).
    Raises:
        InputError: there is no such model, it cannot be reached, or it is not a causal language model.
    """
    adapter = adapter_folder(name, revision)
    if adapter is not None:
        base = load_model(base_name(adapter), dtype=dtype, trust_remote_code=trust_remote_code)
        load_adapter(base, adapter, trainable=False)
        return merge(base)
    found = locate(name, revision)
    local = only_cached(found.source)
    more: dict[str, Any] = {}
    if quantize is not None:
        config = quantization_config(quantize, dtype)
        more = {"quantization_config": config, "device_map": {"": device or torch.device("cpu")}}
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            found.source,
            revision=found.revision or "main",
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            local_files_only=local,
            adapter_kwargs={"local_files_only": local},  # it looks for an adapter on its own account
            **more,
        )
    except (OSError, ValueError, KeyError, ImportError, HFValidationError) as error:
        raise explained(error, name, found.source, found.revision) from error
    model: PreTrainedModel = loaded[0]
    told: dict[str, Any] = loaded[1]
    missing = sorted(told.get("missing_keys", ()))
    if missing:
        raise InputError(
            f"'{name}' lacks weights of a language model: {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}",
            where=f"model.name = {name}",
            fix="name a causal language model, not a classifier or reward model",
        )
    _make_savable(model)
    one_arithmetic(model)
    fuse(model)
    model.train(False)
    return model


def hub_adapter(repo: str, revision: str | None) -> Path | None:
    """Fetch an adapter from the Hub; None where the repository holds a whole model, or cannot be seen from here.

    What is wrong with a repository is left to the loading of the model, which says it better.
    """
    quiet = {f"_raise_exceptions_for_{kind}": False for kind in ("missing_entries", "gated_repo", "connection_errors")}
    try:
        config = cached_file(repo, CONFIG, revision=revision or "main", local_files_only=only_cached(repo), **quiet)
    except (OSError, ValueError, HFValidationError):
        return None
    if config is None:
        return None
    patterns = ["adapter_*", "tokenizer*", "*.jinja", "special_tokens_map.json", "vocab*", "merges.txt"]
    local = only_cached(repo)
    folder = Path(snapshot_download(repo, revision=revision, allow_patterns=patterns, local_files_only=local))
    return folder if is_adapter_folder(folder) else None


def _make_savable(model: PreTrainedModel) -> None:
    """Drop sampling values that a model brings along but does not use; `save_pretrained` refuses such a file."""
    config: Any = model.generation_config
    if config is not None and not config.do_sample:
        for name in ("temperature", "top_p", "top_k", "min_p", "typical_p"):
            if hasattr(config, name):
                setattr(config, name, None)


def load_tokenizer(
    name: str, *, revision: str | None = None, trust_remote_code: bool = False
) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model; names as for `locate`.

    Raises:
        InputError: there is no such model, it cannot be reached, or it has no tokenizer.
    """
    found = locate(name, revision)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            found.source,
            revision=found.revision or "main",
            trust_remote_code=trust_remote_code,
            local_files_only=only_cached(found.source),
        )
    except (OSError, ValueError, KeyError, ImportError, HFValidationError) as error:
        raise explained(error, name, found.source, found.revision) from error
    return tokenizer


def load_config(name: str, *, revision: str | None = None, trust_remote_code: bool = False) -> Any:
    """Load a model's configuration; names as for `locate`. That of an adapter is its model's."""
    adapter = adapter_folder(name, revision)
    if adapter is not None:
        return load_config(base_name(adapter), trust_remote_code=trust_remote_code)
    found = locate(name, revision)
    try:
        return AutoConfig.from_pretrained(
            found.source,
            revision=found.revision or "main",
            trust_remote_code=trust_remote_code,
            local_files_only=only_cached(found.source),
        )
    except (OSError, ValueError, KeyError, ImportError, HFValidationError) as error:
        raise explained(error, name, found.source, found.revision) from error
