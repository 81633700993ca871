"""The trainer over tree batches: `transformers.Trainer` with another step, evaluation and way of saving.

Everything else is the Trainer's: callbacks and trackers, schedules, the optimizer, resume.
What is overridden: the step (micro-batches by tokens, summed so that the split does not matter), the evaluation
(over groups, not padded rows), the log (means of the metrics since the last one), and checkpoints (by rename).
Knows nothing of losses: a subclass says what an example counts and what its loss is.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import EvalLoopOutput, rotate_checkpoints

from tiebreak.engine.checkpointing import recomputing
from tiebreak.engine.logprobs import Batch, SequenceLogps, computing, sequence_logps
from tiebreak.engine.memory import does_not_fit, give_back, is_out_of_memory
from tiebreak.engine.microbatch import build_batch, split
from tiebreak.engine.operations import cost_of
from tiebreak.engine.products import keeping_copies
from tiebreak.engine.score import BLOCK, Scorer
from tiebreak.errors import RunError
from tiebreak.files import flush_folder, move_folder
from tiebreak.training.examples import Example, Examples, collate
from tiebreak.training.troubles import GENTLER, first_line, not_finite

logger = logging.getLogger(__name__)
_PARTIAL = ".partial"


class TreeTrainer(Trainer):
    """A trainer whose examples are groups of sequences that share a prompt.

    Args:
        model: on any device; the Trainer moves it.
        args: training arguments; gradient accumulation must be 1, since steps are split by tokens.
        scorer: path, arithmetic and token budget of a micro-batch.
        train: examples to train on.
        held_out: examples to evaluate on, or None.
        tokenizer: saved beside the weights.
        callbacks: that watch the run.
        steps_an_epoch: steps of a whole pass, where the examples are only those of a shorter run.
        keep_checkpoints: how many stay on the disk, the newest and the best among them.
        on_smaller_budget: told the new token budget when memory ran out and a step is repeated.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        args: TrainingArguments,
        *,
        scorer: Scorer,
        train: Examples,
        held_out: Examples | None,
        tokenizer: PreTrainedTokenizerBase,
        callbacks: Sequence[TrainerCallback] = (),
        keep_checkpoints: int = 2,
        steps_an_epoch: int | None = None,
        on_smaller_budget: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__(
            model=model,
            args=args,
            data_collator=collate,
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
            callbacks=list(callbacks),
        )
        self.remove_callback(PrinterCallback)  # the caller says what is shown
        self.scorer = scorer
        self.budget = scorer.budget
        self.keep_checkpoints = keep_checkpoints
        self.steps_an_epoch = steps_an_epoch
        self.on_smaller_budget = on_smaller_budget or _warn_of_budget
        self._sums: dict[str, Tensor] = {}
        self._counted = 0.0
        self._cost = cost_of(model)
        self.operations = self.tokens = 0  # of the newest step
        self._saving_to: Path | None = None

    # What a subclass says.

    def counts(self, example: Example) -> float:
        """How much an example counts in the mean that the step minimizes."""
        raise NotImplementedError

    def known_of(self, batch: Batch, examples: Sequence[Example]) -> Tensor | None:
        """What the loss compares the model with, of each ending, shape (examples, endings); None where with nothing."""
        return None

    def loss_of(
        self, scores: SequenceLogps, examples: Sequence[Example], known: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and metrics of each example of a micro-batch.

        Args:
            scores: of all endings, example by example.
            examples: the examples.
            known: from `known_of`.
        Returns:
            Loss of each example, shape (examples,), to be summed and divided by the step's counts; and for each
            metric its sum over the examples, to be divided the same way.
        """
        raise NotImplementedError

    # The step.

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One step over all its examples; memory that runs out halves the micro-batches and repeats the step."""
        model.eval()  # dropout stays off; gradients flow all the same
        recomputing(model)
        examples: list[Example] = inputs["examples"]
        while True:
            try:
                with keeping_copies():
                    return self._step(model, examples)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                too_small = len(split([e.group for e in examples], self.budget, self.scorer.path)) >= len(examples)
            self._free_memory(model)
            if too_small:
                raise does_not_fit([example.group for example in examples], training=True)
            self.budget //= 2
            self.on_smaller_budget(self.budget)

    def _step(self, model: nn.Module, examples: list[Example]) -> Tensor:
        self.operations = self.tokens = 0
        counted = sum(self.counts(example) for example in examples)
        total = torch.zeros((), device=self.args.device)
        sums: dict[str, Tensor] = {}
        parts = split([example.group for example in examples], self.budget, self.scorer.path)
        for number, members in enumerate(parts):
            micro = [examples[i] for i in members]
            last = number == len(parts) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                losses, metrics, batch = self._losses(model, micro)
                loss = losses.sum() / counted
                with computing(model, batch):
                    self.accelerator.backward(loss)
            total += loss.detach()
            for name, value in metrics.items():
                sums[name] = sums[name] + value if name in sums else value
        for name, value in sums.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counted += counted
        return total

    def _losses(self, model: nn.Module, examples: list[Example]) -> tuple[Tensor, dict[str, Tensor], Batch]:
        batch = build_batch([example.group for example in examples], self.scorer.path, self.args.device)
        self.tokens += batch.tokens
        self.operations += 3 * self._cost.forward(batch)
        known = self.known_of(batch, examples)
        scores = sequence_logps(model, batch, autocast=self.scorer.autocast)
        losses, metrics = self.loss_of(scores, examples, known)
        # Waiting for the GPU at every step would cost more than a late message; there the log looks instead.
        if losses.device.type == "cpu" and not bool(torch.isfinite(losses).all()):
            raise not_finite(losses.tolist(), examples, self.state.global_step + 1)
        return losses, metrics, batch

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        found = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        if isinstance(found, Tensor) and found.device.type == "cpu" and not bool(torch.isfinite(found)):
            raise RunError(
                f"The gradient is not finite at step {self.state.global_step + 1}; the weights were not changed by it.",
                fix=GENTLER,
            )
        return found

    def _free_memory(self, model: nn.Module) -> None:
        model.zero_grad(set_to_none=True)
        give_back()

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Operations that the step just done needed."""
        return self.operations

    # The log.

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the means of the metrics since the last log; a loss that is not finite ends the run."""
        if "loss" in logs and self._counted:
            means = {name: float(value) / self._counted for name, value in self._sums.items()}
            logs = {**logs, **means}
            self._sums, self._counted = {}, 0.0
            # Every checkpoint is logged first, so that none is written of weights that are broken.
            if not abs(logs["loss"]) < 1e30 or not abs(logs.get("grad_norm", 0.0)) < 1e30:
                raise RunError(f"Loss or gradient are not finite at step {self.state.global_step}.", fix=GENTLER)
        if self.steps_an_epoch is not None:
            self.state.epoch = self.state.global_step / self.steps_an_epoch
        super().log(logs, start_time)

    # The evaluation.

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """Metrics of held-out examples, means over what they count."""
        examples: Examples = dataloader.dataset
        self.model_wrapped.eval()
        with keeping_copies():
            sums, counted = self._evaluate_share(examples)
        names = sorted(sums)
        gathered = torch.stack([counted, *(sums[name] for name in names)])
        gathered = self.accelerator.reduce(gathered, reduction="sum")
        means = (gathered[1:] / gathered[0]).tolist()
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in zip(names, means, strict=True)}
        return EvalLoopOutput(predictions=np.empty(0), label_ids=None, metrics=metrics, num_samples=len(examples))

    @torch.no_grad()
    def _evaluate_share(self, examples: Examples) -> tuple[dict[str, Tensor], Tensor]:
        """Sums over this process's share of the examples."""
        device = self.args.device
        sums: dict[str, Tensor] = {}
        counted = torch.zeros((), dtype=torch.float64, device=device)
        for micro in self._microbatches_of(examples):
            for name, value in self._evaluated(micro).items():
                sums[name] = sums.get(name, torch.zeros((), dtype=torch.float64, device=device)) + value.double()
            counted += sum(self.counts(example) for example in micro)
        return sums, counted

    def _evaluated(self, micro: list[Example]) -> dict[str, Tensor]:
        """Sums over one micro-batch; in two halves where memory does not suffice for the whole."""
        try:
            batch = build_batch([example.group for example in micro], self.scorer.path, self.args.device)
            known = self.known_of(batch, micro)
            scores = sequence_logps(self.model_wrapped, batch, autocast=self.scorer.autocast)
            losses, metrics = self.loss_of(scores, micro, known)
            return {**metrics, "loss": losses.sum()}
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        give_back()
        if len(micro) == 1:
            raise does_not_fit([micro[0].group], training=False)
        half = len(micro) // 2
        first, second = self._evaluated(micro[:half]), self._evaluated(micro[half:])
        return {name: first[name] + second[name] for name in first}

    def _microbatches_of(self, examples: Examples) -> Iterator[list[Example]]:
        for number, start in enumerate(range(0, len(examples), BLOCK)):
            if number % self.args.world_size != self.args.process_index:
                continue
            block = [examples[i] for i in range(start, min(start + BLOCK, len(examples)))]
            for members in split([example.group for example in block], self.budget, self.scorer.path):
                # Weights say how much to learn from a pair, not how much it says about the model.
                yield [replace(block[i], weight=1.0) for i in members]

    def measure(self) -> dict[str, float]:
        """Held-out metrics of the model as it stands, without a line in the log."""
        loop = self.evaluation_loop(self.get_eval_dataloader(), "Evaluation")
        return dict(loop.metrics or {})

    # Checkpoints.

    def load_finished(self, checkpoint: Path) -> None:
        """Take over the weights and the state of a run whose last step is done."""
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        self._load_from_checkpoint(str(checkpoint))

    def load_best(self) -> int:
        """Take over the weights of the best checkpoint, if a metric decides; returns the step of the weights.

        Raises:
            RunError: that checkpoint is gone.
        """
        step = self.state.best_global_step
        if self.args.metric_for_best_model is None or not step or step == self.state.global_step:
            return self.state.global_step
        folder = Path(str(self.args.output_dir)) / f"checkpoint-{step}"
        if not folder.is_dir():
            raise RunError(
                f"The best checkpoint, of step {step}, is gone.",
                where=str(folder),
                fix="train again, or start a new run with train.keep_best=null",
            )
        self._load_from_checkpoint(str(folder))
        return int(step)

    def _determine_best_metric(self, metrics: Any, trial: Any) -> bool:
        """Whether an evaluation is the best so far; such a model is saved at once, not when the next save is due."""
        is_best = bool(super()._determine_best_metric(metrics, trial))
        if is_best:
            self.control.should_save = True
        return is_best

    def _init_training_state(self, *args: Any) -> Any:
        found = super()._init_training_state(*args)
        if self.state.best_global_step:  # the recorded path is that of the folder the run began in
            folder = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.best_global_step}"
            self.state.best_model_checkpoint = str(folder)
        return found

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._saving_to) if self._saving_to is not None else str(super()._get_output_dir(trial))

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a checkpoint beside its place and rename it there, so that a killed write leaves none."""
        folder = Path(super()._get_output_dir(trial))
        name = f"checkpoint-{self.state.global_step}"
        self._saving_to = folder / _PARTIAL
        if self.state.best_global_step:
            self.state.best_model_checkpoint = str(folder / f"checkpoint-{self.state.best_global_step}")
        try:
            super()._save_checkpoint(model, trial)
            partial = self._saving_to / name
            if self.args.should_save:
                if self.state.best_global_step:  # the Trainer noted the place where the checkpoint was written
                    self.state.best_model_checkpoint = str(folder / f"checkpoint-{self.state.best_global_step}")
                    self.state.save_to_json(str(partial / "trainer_state.json"))
                flush_folder(partial)
                move_folder(partial, folder / name)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors have errors of their own
            raise RunError(
                f"The checkpoint of step {self.state.global_step} cannot be written: {first_line(error)}.",
                where=str(folder),
                fix="free some disk, then go on with --resume: all earlier checkpoints are whole",
            ) from error
        finally:
            remove_partial(folder)
            self._saving_to = None
        if self.args.should_save:
            rotate_checkpoints(
                str(folder),
                save_total_limit=self.keep_checkpoints,
                best_model_checkpoint=self.state.best_model_checkpoint,
            )


def _warn_of_budget(budget: int) -> None:
    logger.warning("memory ran out: going on with %d tokens a micro-batch", budget)


def remove_partial(checkpoints: Path) -> None:
    """Remove what a checkpoint that was never finished left behind."""
    shutil.rmtree(checkpoints / _PARTIAL, ignore_errors=True)
