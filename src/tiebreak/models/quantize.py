"""Weights in 4 or 8 bits, through bitsandbytes: what is asked of it, and one sentence where it is missing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Literal

import torch
from torch import nn

from tiebreak.errors import InputError

Quantization = Literal["nf4", "int8"]


def check_quantization() -> None:
    """Find out whether weights can be quantized here.

    Raises:
        InputError: the extra is not installed.
    """
    if find_spec("bitsandbytes") is None:
        raise InputError(
            "Quantized weights need bitsandbytes, which is not installed.",
            where="model.quantize",
            fix='pip install "tiebreak[quant]"',
        )


def quantization_config(kind: Quantization, compute: torch.dtype) -> Any:
    """What `from_pretrained` is told.

    Args:
        kind: `nf4` is 4-bit NormalFloat with its constants quantized again; `int8` is LLM.int8().
        compute: type of the arithmetic on unpacked weights.
    Raises:
        InputError: the extra is not installed.
    Source:
        Dettmers et al. 2023, arXiv 2305.14314, section 3; Dettmers et al. 2022, arXiv 2208.07339.
    """
    check_quantization()
    from transformers import BitsAndBytesConfig

    if kind == "nf4":
        return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
        )
    return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]


def compute_in(model: nn.Module, arithmetic: torch.dtype) -> None:
    """Let 4-bit layers unpack their weights to a type and multiply in it; other models stay as they are."""
    module: Any
    for module in model.modules():
        if hasattr(module, "compute_type_is_set"):  # else they take the type of the first input that they see
            module.compute_dtype = arithmetic
            module.compute_type_is_set = True


def one_arithmetic(model: nn.Module) -> None:
    """Keep 4-bit layers from packing themselves anew for inference on a CPU.

    That packing rounds their constants, fits some shapes only, and is not undone for training: a model would score
    otherwise than it trains.
    """
    module: Any
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
