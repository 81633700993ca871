"""Which device and which arithmetic a run uses: what the machine does well, unless the recipe says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

# Below this many parameters the casts of mixed precision cost more than its products save on a CPU.
_LARGE = 30_000_000


@dataclass(frozen=True)
class Precision:
    """The arithmetic of a run.

    Attributes:
        name: `fp32` or `bf16`.
        reason: why, in a few words, for the manifest.
    """

    name: Literal["fp32", "bf16"]
    reason: str

    @property
    def autocast(self) -> torch.dtype | None:
        """The type for `torch.autocast`, or None."""
        return torch.bfloat16 if self.name == "bf16" else None


def choose_device() -> torch.device:
    """The accelerator, if there is one, else the CPU."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found if found is not None and found.type == "cuda" else torch.device("cpu")


def choose_precision(setting: str, device: torch.device, parameters: int) -> Precision:
    """The arithmetic for a model on a device.

    Args:
        setting: `auto`, `fp32` or `bf16`.
        device: where the model is trained.
        parameters: how many the model has.
    """
    if setting == "fp32":
        return Precision("fp32", "as set")
    if setting == "bf16":
        return Precision("bf16", "as set")
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Precision("bf16", "the GPU computes in bfloat16")
        return Precision("fp32", "the GPU has no bfloat16")
    flags = torch.cpu.get_capabilities()
    if not (flags.get("amx_bf16") or flags.get("avx512_bf16")):
        return Precision("fp32", "the processor has no bfloat16 products")
    if parameters < _LARGE:
        return Precision("fp32", "the model is small")
    return Precision("bf16", "the processor has bfloat16 products")
