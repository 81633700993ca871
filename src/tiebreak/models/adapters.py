"""Adapters: small trainable weights beside the frozen layers of a model, through PEFT.

The model keeps its class: PEFT's layers take the place of its linear layers, and with them switched off it computes
what it computed before. So the reference of a run with an adapter needs no second model.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tiebreak.errors import InputError
from tiebreak.models import embeddings
from tiebreak.models.folder import ADAPTER_CONFIG
from tiebreak.recipe import AdapterSection

if TYPE_CHECKING:  # PEFT takes a while to import, and most runs have no adapter
    from peft import LoraConfig

WEIGHTS = "adapter_model.safetensors"
TRAINED, REFERENCE = "default", "reference"
PREFIX = "base_model.model."


def is_adapter_folder(folder: Path | str) -> bool:
    """Whether a folder holds an adapter and not a whole model."""
    return (Path(folder) / ADAPTER_CONFIG).is_file() and not (Path(folder) / "config.json").is_file()


def has_adapter(model: nn.Module) -> bool:
    """Whether a model has an adapter in it."""
    return bool(getattr(model, "_hf_peft_config_loaded", False))


def block_layers(model: PreTrainedModel) -> list[str]:
    """Names of the linear layers inside the model's blocks, without their path, such as `q_proj`; sorted."""
    found = set()
    for path, module in model.named_modules():
        in_block = any(part.isdigit() for part in path.split("."))
        if in_block and isinstance(module, nn.Linear | Conv1D):
            found.add(path.rsplit(".", 1)[-1])
    return sorted(found)


def add_adapter(model: PreTrainedModel, section: AdapterSection, *, base: str, seed: int) -> tuple[str, ...]:
    """Freeze a model and put a new adapter in it; until it is trained the model computes what it did.

    Args:
        model: a plain or quantized model.
        section: kind, rank, scale and targets.
        base: name of the model, for those who load the adapter.
        seed: of the adapter's first weights.
    Returns:
        Names of the layers that have one.
    Raises:
        InputError: the model has no layer of a name that was given.
    """
    from peft import LoraConfig

    targets = _targets(model, section)
    layers = [m for path, m in model.named_modules() if path.rsplit(".", 1)[-1] in targets]
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=section.rank,
        lora_alpha=section.alpha,  # type: ignore[arg-type]  # a float is multiplied like an int
        lora_dropout=0.0,
        target_modules=list(targets),
        fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in layers),
        use_dora=section.kind == "dora",
        use_rslora=section.kind == "rslora",
        bias="none",
    )
    model.requires_grad_(False)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model.add_adapter(config, TRAINED)
    except ValueError as error:  # PEFT knows models whose layers cannot have one
        first = str(error).strip().split("\n")[0]
        raise InputError(f"This model cannot have this adapter: {first}", where="model.adapter") from error
    model.peft_config[TRAINED].base_model_name_or_path = base
    _train_only(model, TRAINED)
    return targets


def load_adapter(model: PreTrainedModel, folder: Path, *, name: str = TRAINED, trainable: bool = True) -> None:
    """Put an adapter that was trained before into a model.

    Args:
        model: the model that it was trained beside.
        folder: with the adapter's configuration and weights.
        name: of the adapter in the model.
        trainable: whether it will be trained; else it stays frozen.
    Raises:
        InputError: the adapter does not fit the model, or is of a kind that Tiebreak does not know.
    """
    config = adapter_config(folder)
    base = config.base_model_name_or_path  # which is written over
    config.inference_mode = not trainable
    file = folder / WEIGHTS
    saved_rows = embeddings.rows_in(file, model, PREFIX) if file.is_file() else 0
    before = embeddings.resize(model, saved_rows)
    model.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        model.add_adapter(config, name)
    model.peft_config[name].base_model_name_or_path = base
    read_adapter(model, folder, name=name)
    if trainable and saved_rows:
        embeddings.train_new_rows(model, before if before < saved_rows else 0)
    if trainable:
        _train_only(model, name)


def adapter_config(folder: Path) -> LoraConfig:
    """The configuration of an adapter on the disk.

    Raises:
        InputError: it is not of the LoRA family.
    """
    from peft import LoraConfig, PeftConfig

    config: PeftConfig = PeftConfig.from_pretrained(str(folder))
    if not isinstance(config, LoraConfig):
        raise InputError(
            f"The adapter is of the kind {config.peft_type}, which Tiebreak does not read.",
            where=str(folder),
            fix="merge it into its model with PEFT, and name that",
        )
    return config


def base_name(folder: Path) -> str:
    """Name of the model that an adapter was trained beside.

    Raises:
        InputError: the adapter does not say.
    """
    name = adapter_config(folder).base_model_name_or_path
    if not name:
        raise InputError(
            "The adapter does not say which model it belongs to.",
            where=str(folder / ADAPTER_CONFIG),
            fix="write its name there as base_model_name_or_path",
        )
    return str(name)


def read_adapter(model: PreTrainedModel, folder: Path, *, name: str = TRAINED) -> None:
    """Take over an adapter's weights from the disk.

    Raises:
        InputError: they are not there, or of another shape than the adapter in the model.
    """
    from peft import set_peft_model_state_dict

    file = folder / WEIGHTS
    if not file.is_file():
        raise InputError("The adapter has no safetensors weights.", where=str(file))
    weights = embeddings.take_tables(model, {key.removeprefix(PREFIX): value for key, value in load_file(file).items()})
    try:
        report: Any = set_peft_model_state_dict(model, weights, adapter_name=name)
    except RuntimeError as error:
        first = str(error).strip().split("\n")[0]
        raise InputError(f"The adapter does not fit the model: {first}", where=str(folder)) from error
    if report.unexpected_keys:
        raise InputError(
            f"The adapter has weights for layers that the model lacks: {report.unexpected_keys[0]}", where=str(folder)
        )


@contextmanager
def without_adapter(model: PreTrainedModel) -> Iterator[None]:
    """Within the block, a model computes as before its adapter was there, or with the frozen one it continues from."""
    frozen = REFERENCE if REFERENCE in model.peft_config else None
    if frozen is None:
        model.disable_adapters()
    else:
        model.set_adapter(frozen)
    try:
        yield
    finally:
        if frozen is None:
            model.enable_adapters()
        use_adapter(model, TRAINED)


def use_adapter(model: PreTrainedModel, name: str) -> None:
    """Let a model compute with one of its adapters, and train it."""
    model.set_adapter(name)
    _train_only(model, name)


def described_adapter(model: PreTrainedModel, continued: Path | None) -> dict[str, Any]:
    """What an adapter is, for the manifest.

    Args:
        model: with the adapter in it.
        continued: the folder of the adapter that training goes on from; None is a new one.
    """
    config: Any = model.peft_config[TRAINED]
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {
        "kind": "dora" if config.use_dora else "rslora" if config.use_rslora else "lora",
        "rank": config.r,
        "alpha": config.lora_alpha,
        "targets": sorted(config.target_modules),
        "parameters": trained,
        "base": config.base_model_name_or_path,
        "continued": None if continued is None else str(continued),
    }


def merge(model: PreTrainedModel) -> PreTrainedModel:
    """A model with its adapter worked into its weights, and no trace of it left: all of it can be trained again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for path, layer in list(model.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, layer.get_base_layer())
    model._hf_peft_config_loaded = False
    del model.peft_config
    return model.requires_grad_(True)


def _targets(model: PreTrainedModel, section: AdapterSection) -> tuple[str, ...]:
    there = block_layers(model)
    if section.targets == "auto":
        return tuple(there)
    for name in section.targets:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            raise InputError(
                f"The model has no linear layer '{name}' in its blocks.",
                where="model.adapter.targets",
                fix=(f"did you mean '{near[0]}'? " if near else "") + f"it has: {', '.join(there)}",
            )
    return tuple(section.targets)


def _train_only(model: PreTrainedModel, name: str) -> None:
    """Gradients for one adapter, the embeddings beside it and nothing else; switching adapters changes these marks."""
    for path, parameter in model.named_parameters():
        of_adapter = f".{name}." in path or path.endswith(f".{name}")
        parameter.requires_grad_(of_adapter or embeddings.is_trained_beside(parameter))
