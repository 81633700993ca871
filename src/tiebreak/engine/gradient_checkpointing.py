"""Gradient checkpointing: activations are computed again in the backward pass instead of kept; dropout is off."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from tiebreak.errors import InputError
from tiebreak.process.fast_linear import same_again


def switch_off_dropout(model: nn.Module) -> None:
    """Set every dropout of a model to zero, so that it stays off whatever mode its parts are in."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            if isinstance(value, float) and ("dropout" in name or name.endswith("pdrop")):
                setattr(module, name, 0.0)


def checkpoint_layers(model: PreTrainedModel) -> None:
    """Keep only what goes into each layer, and compute the rest again in the backward pass.

    Layers do so in training mode only, and training mode is set at each step; see `recomputing`.

    Raises:
        InputError: the model has no layers that can be computed again.
    """
    switch_off_dropout(model)
    settings = {"use_reentrant": False, "context_fn": same_again}
    enable: Any = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    try:
        enable(settings)
    except ValueError:
        raise InputError(
            f"{type(model).__name__} cannot compute its layers again in the backward pass.",
            where="train.gradient_checkpointing",
            fix="leave it false",
        ) from None


def recomputing(model: nn.Module) -> None:
    """Put the layers that compute again into training mode, and nothing below them; dropout stays off."""
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer) and module.gradient_checkpointing:
            module.training = True
