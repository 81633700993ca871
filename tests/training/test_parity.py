"""Twenty steps beside TRL's DPOTrainer: the same model, pairs, order and settings give the same numbers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, tokenized_pairs, word_tokenizer
from tiebreak.engine.score import Scorer

trl = pytest.importorskip("trl", reason="the yardstick is missing: pip install trl")

STEPS, BATCH, RATE, BETA = 20, 4, 1e-2, 0.1
COMPARED = ("loss", "rewards/chosen", "rewards/rejected", "rewards/margins", "logps/chosen", "logps/rejected")


class _FirstGradient:
    """Keeps the gradients as they stand before the first step of the optimizer."""

    def __init__(self) -> None:
        self.kept: dict[str, torch.Tensor] = {}

    def hook(self, model: torch.nn.Module) -> Any:
        from transformers import TrainerCallback

        kept = self.kept

        class Keep(TrainerCallback):
            def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if not kept:
                    kept.update({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})

        return Keep()

    def flat(self) -> torch.Tensor:
        return torch.cat([self.kept[name].flatten() for name in sorted(self.kept)])


def _as_text(row: dict[str, Any]) -> dict[str, str]:
    """The words of the ids; the other side tokenizes them and adds the end of the sequence itself."""

    def words(ids: list[int]) -> str:
        return "".join(f" t{i}" for i in ids if i != 2)

    return {name: words(row[f"{name}_ids"]) for name in ("prompt", "chosen", "rejected")}


@pytest.mark.parametrize("name", ["gpt2", "qwen2", "llama"])
@pytest.mark.parametrize("path", ["tree", "padded"])
def test_twenty_steps_agree_with_trl(name: str, path: str, tmp_path: Path) -> None:
    model = ARCHITECTURES[name]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    pairs = tokenized_pairs(STEPS * BATCH)

    theirs, their_gradient = copy.deepcopy(model), _FirstGradient()
    trainer = trl.DPOTrainer(
        model=theirs,
        ref_model=copy.deepcopy(model),
        args=trl.DPOConfig(
            output_dir=str(tmp_path / "trl"),
            per_device_train_batch_size=BATCH,
            max_steps=STEPS,
            learning_rate=RATE,
            lr_scheduler_type="linear",
            warmup_steps=2,
            beta=BETA,
            max_grad_norm=1.0,
            optim="adamw_torch_fused",
            logging_steps=1,
            save_strategy="no",
            train_sampling_strategy="sequential",
            max_length=None,
            bf16=False,
            activation_checkpointing=False,
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=pairs.map(_as_text, remove_columns=pairs.column_names),
        processing_class=word_tokenizer(),
        callbacks=[their_gradient.hook(theirs)],
    )
    trainer.train()

    ours, our_gradient = copy.deepcopy(model), _FirstGradient()
    mine = preference_trainer(
        ours,
        pairs,
        tmp_path / "tiebreak",
        scorer=Scorer(path="tree" if path == "tree" else "padded", budget=90),
        beta=BETA,
        max_steps=STEPS,
        batch_size=BATCH,
        learning_rate=RATE,
        schedule="linear",
        warmup_ratio=0.1,
        shuffle=False,
        log_every=1,
        save_every=None,
    )
    mine.add_callback(our_gradient.hook(ours))
    mine.train()

    assert their_gradient.kept.keys() == our_gradient.kept.keys()
    expected, found = their_gradient.flat(), our_gradient.flat()
    assert torch.norm(found - expected) <= 1e-5 * torch.norm(expected)

    their_log = [row for row in trainer.state.log_history if "loss" in row]
    our_log = [row for row in mine.state.log_history if "loss" in row]
    assert len(their_log) == len(our_log) == STEPS
    # far enough from the start for the comparison to mean something
    assert max(abs(row["rewards/chosen"]) for row in our_log) > 0.05
    for step, (theirs_row, ours_row) in enumerate(zip(their_log, our_log, strict=True), start=1):
        for metric in COMPARED:
            # Rewards are differences of log-probs of some hundred nats, times beta: float32 gives no more.
            close = pytest.approx(theirs_row[metric], rel=1e-4, abs=2e-6)
            assert ours_row[metric] == close, f"step {step}, {metric}"
