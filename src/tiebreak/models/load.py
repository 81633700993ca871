"""From a name to a model and its tokenizer: `bundled:base`, a run, a folder, a GGUF file, or a Hub id.

Weights are read from safetensors only. Code that a model brings along runs only where the recipe says so.
What cannot be loaded is an error that says why: gated, missing, unreachable, or not what was hoped for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.activations import NewGELUActivation
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.utils.hub import cached_file

from tiebreak.errors import InputError
from tiebreak.hub_status import hub_answers
from tiebreak.models.adapters import base_name, is_adapter_folder, load_adapter, merge
from tiebreak.models.folder import ADAPTER_CONFIG, NO_TOKENIZER, check_tokenizer, check_weights
from tiebreak.models.gguf import gguf_folder
from tiebreak.models.places import place_of
from tiebreak.models.precision import Quantization, one_arithmetic, quantization_config
from tiebreak.models.refusals import LOADING, explained


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
        name: `bundled:base`, a run folder, a folder with a model, a GGUF file, or a Hub id.
        revision: branch, tag or commit; for Hub ids only.
    Raises:
        InputError: the name can be none of these.
    """
    place = place_of(name)
    if place is None:
        return Located(name, revision)
    return Located(str(gguf_folder(place) if place.is_file() else place))


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
    local = _only_cached(found.source)
    if found.is_local:
        check_weights(Path(found.source))
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
            adapter_kwargs={"local_files_only": local},  # it looks for an adapter by itself
            **more,
        )
    except LOADING as error:
        raise explained(error, name, found.source, found.revision) from error
    model: PreTrainedModel = loaded[0]
    report: dict[str, Any] = loaded[1]
    missing = sorted(report.get("missing_keys", ()))
    if missing:
        raise InputError(
            f"'{name}' lacks weights of a language model: {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}",
            where=f"model.name = {name}",
            fix="name a causal language model, not a classifier or reward model",
        )
    _make_savable(model)
    one_arithmetic(model)
    _fuse_gelu(model)
    model.train(False)
    return model


def hub_adapter(repo: str, revision: str | None) -> Path | None:
    """Fetch an adapter from the Hub; None where the repository holds a whole model, or cannot be seen from here.

    What is wrong with a repository is left to the loading of the model, which says it better.
    """
    quiet = {f"_raise_exceptions_for_{kind}": False for kind in ("missing_entries", "gated_repo", "connection_errors")}
    try:
        config = cached_file(
            repo, ADAPTER_CONFIG, revision=revision or "main", local_files_only=_only_cached(repo), **quiet
        )
    except (OSError, ValueError, HFValidationError):
        return None
    if config is None:
        return None
    patterns = ["adapter_*", "tokenizer*", "*.jinja", "special_tokens_map.json", "vocab*", "merges.txt"]
    local = _only_cached(repo)
    folder = Path(snapshot_download(repo, revision=revision, allow_patterns=patterns, local_files_only=local))
    return folder if is_adapter_folder(folder) else None


def _make_savable(model: PreTrainedModel) -> None:
    """Drop sampling values that a model brings along but does not use; `save_pretrained` refuses such a file."""
    config: Any = model.generation_config
    if config is not None and not config.do_sample:
        for name in ("temperature", "top_p", "top_k", "min_p", "typical_p"):
            if hasattr(config, name):
                setattr(config, name, None)


def check_readable_again(model: PreTrainedModel) -> None:
    """Refuse a model that could not be loaded again after it is trained and written.

    Of some models that also see, `transformers` loads the part that writes, but saves it as a kind it does not load.

    Raises:
        InputError: it is of such a kind.
    """
    known = type(model.config) in MODEL_FOR_CAUSAL_LM_MAPPING
    if not known and type(model).__module__.startswith("transformers."):
        raise InputError(
            f"{type(model).__name__} cannot be loaded again once all of it is trained and written.",
            where="model.name",
            fix="train an adapter (--adapter lora), or choose another model",
        )


def load_tokenizer(
    name: str, *, revision: str | None = None, trust_remote_code: bool = False
) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model; names as for `locate`.

    Raises:
        InputError: there is no such model, it cannot be reached, or it has no tokenizer.
    """
    found = locate(name, revision)
    if found.is_local:
        check_tokenizer(Path(found.source), name)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            found.source,
            revision=found.revision or "main",
            trust_remote_code=trust_remote_code,
            local_files_only=_only_cached(found.source),
        )
    except LOADING as error:
        raise explained(error, name, found.source, found.revision) from error
    if not tokenizer.get_vocab():  # made of the configuration alone
        raise InputError(f"The model '{name}' has no tokenizer.", where=f"model.name = {name}", fix=NO_TOKENIZER)
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
            local_files_only=_only_cached(found.source),
        )
    except LOADING as error:
        raise explained(error, name, found.source, found.revision) from error


def _fuse_gelu(model: PreTrainedModel) -> None:
    """Exchange what is written as many small operations for the one kernel that does the same.

    The tanh form of GELU, as GPT-2 has it, is eight operations element by element where written out.
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is NewGELUActivation:
                setattr(module, name, nn.GELU(approximate="tanh"))


def _only_cached(source: str) -> bool:
    """Whether a model is to be read from the cache alone: its name is a Hub id, and the Hub does not answer.

    Args:
        source: a folder or a Hub id.
    """
    return not Path(source).is_dir() and not hub_answers()
