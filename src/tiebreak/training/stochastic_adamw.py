"""AdamW for weights that are held in bfloat16: small changes are not lost, because it is drawn how they are rounded.

A bfloat16 weight has eight bits, so a step a thousand times smaller than it would always be rounded away. Here it is
rounded up or down by chance, as often as to be right in the mean. The draws follow from the run's seed and the number
of the step alone, so a resumed run is exact. Knows tensors; no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainingArguments

_DROPPED_BITS = 16  # of a float32, which bfloat16 does not have


def rounded(wide: Tensor, generator: torch.Generator) -> Tensor:
    """To bfloat16, up or down by chance: the mean over many draws is the value itself.

    Args:
        wide: any shape, float32; what is not finite stays as it is.
        generator: on its device.
    """
    noise = torch.randint(0, 1 << _DROPPED_BITS, wide.shape, generator=generator, device=wide.device, dtype=torch.int32)
    bits = (wide.view(torch.int32) + noise) & -(1 << _DROPPED_BITS)
    return torch.where(wide.isfinite(), bits.view(torch.float32), wide).to(torch.bfloat16)


class StochasticAdamW(torch.optim.Optimizer):
    """AdamW with moments in float32 and weights that are rounded by chance where they are bfloat16.

    Args:
        params: as for any optimizer; decay is decoupled.
        lr, betas, eps, weight_decay: as for `torch.optim.AdamW`.
        seed: of the draws.
    Source:
        Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2; Zamirai et al. 2020, arXiv 2010.06192, section 3.
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        self.seed = seed

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change the weights by their gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        draws: dict[tuple[torch.device, int], torch.Generator] = {}
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._change(weight, group, draws)
        return loss

    def _change(
        self, weight: Tensor, group: dict[str, Any], draws: dict[tuple[torch.device, int], torch.Generator]
    ) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(weight, dtype=torch.float32)
            state["exp_avg_sq"] = torch.zeros_like(weight, dtype=torch.float32)
        state["step"] += 1
        number, (first, second) = state["step"], group["betas"]
        slope = weight.grad.float()  # type: ignore[union-attr]
        state["exp_avg"].lerp_(slope, 1 - first)
        state["exp_avg_sq"].mul_(second).addcmul_(slope, slope, value=1 - second)
        scale = (state["exp_avg_sq"] / (1 - second**number)).sqrt_().add_(group["eps"])
        wide = weight.float() * (1 - group["lr"] * group["weight_decay"])
        wide.addcdiv_(state["exp_avg"], scale, value=-group["lr"] / (1 - first**number))
        if weight.dtype != torch.bfloat16:
            weight.copy_(wide)
            return
        key = weight.device, number
        if key not in draws:
            draws[key] = torch.Generator(weight.device).manual_seed(_seed(self.seed, number))
        weight.copy_(rounded(wide, draws[key]))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state; its moments stay in float32, which torch would round to the weights' type."""
        super().load_state_dict(state_dict)
        saved = [number for group in state_dict["param_groups"] for number in group["params"]]
        weights = [weight for group in self.param_groups for weight in group["params"]]
        for number, weight in zip(saved, weights, strict=True):
            for name, value in state_dict["state"].get(number, {}).items():
                self.state[weight][name] = value.to(weight.device, copy=True) if isinstance(value, Tensor) else value


def _seed(seed: int, step: int) -> int:
    """A seed of 32 bits, of which alone torch's generator on a CPU takes notice; near ones are far apart."""
    return (seed * 0x9E3779B1 + step * 0x85EBCA77) % 2**32


def optimizer_for(
    model: nn.Module, args: TrainingArguments
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]] | None:
    """The optimizer, where it is not that of the arguments: weights that are trained are held in bfloat16.

    Args:
        model: before its first step.
        args: learning rate, decay rates and seed.
    Returns:
        A class with its settings, as `Trainer` takes them, or None.
    """
    if all(weight.dtype != torch.bfloat16 for weight in model.parameters() if weight.requires_grad):
        return None
    betas = (args.adam_beta1, args.adam_beta2)
    settings = {"lr": args.learning_rate, "betas": betas, "eps": args.adam_epsilon, "seed": args.seed}
    return StochasticAdamW, settings
