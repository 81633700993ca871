"""Device, precision and quantization: where a model lies, and in what numbers it is held and computed.

What the machine does well, unless the recipe says. Weights in 4 or 8 bits come through bitsandbytes; here is what it is
asked for, and one sentence where it is missing. Loads nothing; see `load.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.errors import InputError

if TYPE_CHECKING:  # a recipe is checked without it
    import torch
    from torch import nn
    from transformers import PreTrainedModel

Quantization = Literal["nf4", "int8"]

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
        import torch

        return torch.bfloat16 if self.name == "bf16" else None


def choose_device() -> torch.device:
    """The accelerator, if there is one, else the CPU."""
    import torch

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
    import torch

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
    """What `from_pretrained` is given for quantized weights.

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


def hold_matrices_in(model: PreTrainedModel, arithmetic: torch.dtype) -> None:
    """Hold matrices that are frozen and only multiplied in the type in which they are.

    `torch.autocast` rounds them to it in every pass, so no number changes, and a frozen model takes half the memory.
    All else, the embedding among it, stays as it is. Such a model computes under autocast only.

    Args:
        model: its frozen weights are changed; weights that are trained, and those of adapters, are not.
        arithmetic: of `torch.autocast`.
    """
    import torch
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    table = model.get_input_embeddings().weight
    for path, module in model.named_modules():
        if not isinstance(module, nn.Linear | Conv1D) or any(part.startswith("lora_") for part in path.split(".")):
            continue
        if module.weight is not table and not module.weight.requires_grad and module.weight.dtype == torch.float32:
            module.weight = nn.Parameter(module.weight.to(arithmetic), requires_grad=False)
