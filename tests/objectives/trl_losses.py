"""The losses of TRL, computed by its own trainers' methods on given log-probs instead of a model's."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer

from tiebreak.objectives import PairLogps

DIVERGENCES = {
    "reverse_kl": "reverse_kl",
    "forward_kl": "forward_kl",
    "js": "js_divergence",
    "alpha": "alpha_divergence",
}


class _OneProcess:
    device = torch.device("cpu")

    def gather(self, value: Tensor) -> Tensor:
        return value

    gather_for_metrics = gather


@dataclass(frozen=True)
class TokenLogps:
    """Log-probs of the tokens of each completion, shape (n, longest), zero past its end, which `tokens` says."""

    logps: Tensor
    tokens: Tensor

    @property
    def mask(self) -> Tensor:
        return torch.arange(self.logps.shape[1]) < self.tokens[:, None]


def drawn_tokens(seed: int, n: int = 16, longest: int = 12) -> TokenLogps:
    draw = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, longest + 1, (n,), generator=draw)
    logps = -3 * torch.rand((n, longest), generator=draw)
    return TokenLogps(logps * (torch.arange(longest) < tokens[:, None]), tokens)


def summed(chosen: TokenLogps, rejected: TokenLogps) -> PairLogps:
    return PairLogps(chosen.logps.sum(1), rejected.logps.sum(1), chosen.tokens, rejected.tokens)


def _outputs(logps: Tensor) -> SimpleNamespace:
    nothing = torch.zeros_like(logps)
    return SimpleNamespace(log_probs=logps, entropy=nothing, mean_logits=nothing, is_top1=nothing.bool())


def _trainer(kind: type[object], **settings: Any) -> Any:
    trainer = object.__new__(kind)
    trainer.__dict__ |= {
        "accelerator": _OneProcess(),
        "model": SimpleNamespace(training=True),
        "aux_loss_enabled": False,
        "_metrics": {"train": defaultdict(list)},
        "_total_train_tokens": 0,
        "_tp_size": 1,
        **settings,
    }
    return trainer


def dpo_loss(
    loss_type: str,
    chosen: TokenLogps,
    rejected: TokenLogps,
    reference: PairLogps,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    tau: float = 0.05,
    divergence: str = "reverse_kl",
    divergence_alpha: float = 0.5,
) -> Tensor:
    """The mean loss that `DPOTrainer` finds."""
    trainer = _trainer(
        DPOTrainer,
        ld_alpha=None,
        use_weighting=False,
        precompute_ref_logps=True,
        loss_types=[loss_type],
        loss_weights=[1.0],
        beta=beta,
        label_smoothing=label_smoothing,
        args=SimpleNamespace(discopop_tau=tau),
        f_divergence_type=DIVERGENCES[divergence],
        f_alpha_divergence_coef=divergence_alpha,
    )
    logps = torch.cat([chosen.logps, rejected.logps])
    completion = torch.cat([chosen.mask, rejected.mask]).long()
    mask = torch.nn.functional.pad(completion, (1, 0))  # one token of prompt
    inputs = {
        "input_ids": torch.ones_like(mask),
        "attention_mask": torch.ones_like(mask),
        "completion_mask": mask,
        "ref_chosen_logps": reference.chosen,
        "ref_rejected_logps": reference.rejected,
    }
    loss: Tensor = trainer._compute_loss(lambda **_: _outputs(logps), inputs, False)
    return loss


def kto_loss(
    completions: TokenLogps,
    mismatched: TokenLogps,
    reference: Tensor,
    reference_mismatched: Tensor,
    desirable: Tensor,
    *,
    beta: float,
    desirable_weight: float,
    undesirable_weight: float,
) -> tuple[Tensor, dict[str, float]]:
    """The mean loss that `KTOTrainer` finds, and its metrics."""
    trainer = _trainer(
        KTOTrainer,
        calculate_KL=True,
        precompute_ref_logps=True,
        loss_type="kto",
        beta=beta,
        desirable_weight=desirable_weight,
        undesirable_weight=undesirable_weight,
    )
    mask = torch.nn.functional.pad(completions.mask.long(), (1, 0))
    mismatched_mask = torch.nn.functional.pad(mismatched.mask.long(), (1, 0))
    own, other = torch.zeros_like(mask), torch.ones_like(mismatched_mask)  # ids tell the two forward passes apart
    inputs = {
        "input_ids": own,
        "attention_mask": torch.ones_like(mask),
        "completion_mask": mask,
        "KL_input_ids": other,
        "KL_attention_mask": torch.ones_like(other),
        "KL_completion_mask": mismatched_mask,
        "label": desirable,
        "ref_logps": reference,
        "ref_KL_logps": reference_mismatched,
    }

    def model(input_ids: Tensor, **_: Any) -> SimpleNamespace:
        return _outputs(mismatched.logps if input_ids.any() else completions.logps)

    loss = trainer._compute_loss(model, inputs, False)
    return loss, {name: values[-1] for name, values in trainer._metrics["train"].items()}


def cpo_loss(loss_type: str, chosen: Tensor, rejected: Tensor, **settings: float) -> Tensor:
    """The loss of each pair that `CPOTrainer` finds, without its supervised term."""
    defaults = {"alpha": 0.0, "label_smoothing": 0.0}
    trainer = _trainer(CPOTrainer, loss_type=loss_type, **(defaults | settings))
    losses: Tensor = trainer.cpo_loss(chosen, rejected)[0]
    return losses


def orpo_odds_ratio_loss(mean_chosen: Tensor, mean_rejected: Tensor, *, beta: float) -> Tensor:
    """The odds ratio term of each pair that `ORPOTrainer` adds to the supervised one."""
    trainer = _trainer(ORPOTrainer, beta=beta)
    losses: Tensor = trainer.odds_ratio_loss(mean_chosen, mean_rejected)[0]
    return -losses
