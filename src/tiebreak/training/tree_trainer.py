"""The trainer over tree batches: `transformers.Trainer` with another step, evaluation and way of saving.

Everything else is the Trainer's: callbacks and trackers, schedules, the optimizer, resume.
What is overridden: the step (micro-batches by tokens, summed so that the split does not matter), the evaluation
(over groups, not padded rows), the log (means of the metrics since the last one), and checkpoints (by rename).
Knows nothing of losses: a subclass says what an example counts and what its loss is.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import EvalLoopOutput

from tiebreak.engine.checkpointing import recomputing
from tiebreak.engine.logprobs import Batch, SequenceLogps, computing, sequence_logps
from tiebreak.engine.memory import does_not_fit, unless_memory_runs_out
from tiebreak.engine.microbatch import build_batch, split
from tiebreak.engine.operations import cost_of
from tiebreak.engine.products import keeping_copies
from tiebreak.engine.score import BLOCK, Scorer
from tiebreak.errors import RunError
from tiebreak.training.checkpoints import SafeCheckpoints
from tiebreak.training.examples import Example, Examples, collate
from tiebreak.training.means import Means, divided
from tiebreak.training.scored import joined
from tiebreak.training.troubles import GENTLER, not_finite

logger = logging.getLogger(__name__)
_PARTIAL = ".partial"


class TreeTrainer(SafeCheckpoints):
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
        self.keep_checkpoints = keep_checkpoints
        self.remove_callback(PrinterCallback)  # the caller says what is shown
        self.scorer = scorer
        self.budget = scorer.budget
        self.steps_an_epoch = steps_an_epoch
        self.on_smaller_budget = on_smaller_budget or _warn_of_budget
        self._means = Means()
        self._cost = cost_of(model)
        self.operations = self.tokens = 0  # of the newest step

    # What a subclass says.

    def counts(self, example: Example) -> float:
        """How much an example counts in the mean that the step minimizes."""
        raise NotImplementedError

    def known_of(self, batch: Batch, examples: Sequence[Example]) -> Tensor | None:
        """What the loss compares the model with, of each ending, shape (examples, endings); None where with nothing."""
        return None

    @property
    def whole_step(self) -> bool:
        """Whether the loss of an example depends on the others of its step."""
        return False

    def loss_of(
        self, scores: SequenceLogps, examples: Sequence[Example], known: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and metrics of each example.

        Args:
            scores: of all endings, example by example.
            examples: the examples.
            known: from `known_of`.
        Returns:
            Loss of each example, shape (examples,), to be summed and divided by the step's counts; and the metrics,
            each of shape (examples,), NaN where one does not apply.
        """
        raise NotImplementedError

    def derived(self, means: Mapping[str, float]) -> dict[str, float]:
        """Further metrics, from the means of others."""
        return {}

    # The step.

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One step over all its examples; memory that runs out halves the micro-batches and repeats the step."""
        model.eval()  # dropout stays off; gradients flow all the same
        recomputing(model)
        examples: list[Example] = inputs["examples"]
        while True:
            loss = unless_memory_runs_out(lambda: self._step(model, examples))
            if loss is not None:
                return loss
            model.zero_grad(set_to_none=True)
            groups = [example.group for example in examples]
            if len(split(groups, self.budget, self.scorer.path)) >= len(examples):
                raise does_not_fit(groups, training=True)
            self.budget //= 2
            self.on_smaller_budget(self.budget)

    @keeping_copies()
    def _step(self, model: nn.Module, examples: list[Example]) -> Tensor:
        self.operations = self.tokens = 0
        counted = sum(self.counts(example) for example in examples)
        total = torch.zeros((), device=self.args.device)
        indices = split([example.group for example in examples], self.budget, self.scorer.path)
        parts = [[examples[i] for i in members] for members in indices]
        means = Means()
        slopes = self._slopes_of_step(model, parts, counted) if self.whole_step and len(parts) > 1 else None
        for number, micro in enumerate(parts):
            last = number == len(parts) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                batch = self._batch_of(micro)
                if slopes is None:
                    scores, known = self._scored(model, batch, micro)
                    loss = self._loss(scores, micro, known, counted, means)
                    total += loss.detach()
                else:
                    loss = (self._scores_of(model, batch).logp * slopes.of[number]).sum()
                with computing(model, batch):
                    self.accelerator.backward(loss)
        if slopes is not None:
            means, total = slopes.means, slopes.loss
        self._means.merge(means)
        return total

    @torch.no_grad()
    def _slopes_of_step(self, model: nn.Module, parts: list[list[Example]], counted: float) -> _Slopes:
        """Score a whole step, and find how its loss changes with each ending's log-prob.

        A loss that compares the examples of a step cannot be summed up from micro-batches. But its gradient is that of
        the log-probs, each times the slope of the loss at it; so the slopes are found first, and every micro-batch
        then goes its way alone.
        """
        scored = [self._scored(model, self._batch_of(micro), micro, backward=False) for micro in parts]
        scores, known = joined(scored)
        means = Means()
        with torch.enable_grad():
            leaf = scores.logp.detach().requires_grad_()
            examples = [example for micro in parts for example in micro]
            loss = self._loss(replace(scores, logp=leaf), examples, known, counted, means)
            (slope,) = torch.autograd.grad(loss, leaf)
        return _Slopes(loss.detach(), torch.split(slope, [len(s.logp) for s, _ in scored]), means)

    def _batch_of(self, examples: list[Example]) -> Batch:
        return build_batch([example.group for example in examples], self.scorer.path, self.args.device)

    def _scores_of(self, model: nn.Module, batch: Batch, *, backward: bool = True) -> SequenceLogps:
        self.tokens += batch.tokens
        self.operations += self._cost.forward(batch) + (self._cost.backward(batch) if backward else 0)
        return sequence_logps(model, batch, autocast=self.scorer.autocast, measures=self.scorer.measures)

    def _scored(
        self, model: nn.Module, batch: Batch, examples: list[Example], *, backward: bool = True
    ) -> tuple[SequenceLogps, Tensor | None]:
        known = self.known_of(batch, examples)
        return self._scores_of(model, batch, backward=backward), known

    def _loss(
        self, scores: SequenceLogps, examples: list[Example], known: Tensor | None, counted: float, means: Means
    ) -> Tensor:
        losses, metrics = self.loss_of(scores, examples, known)
        # Waiting for the GPU at every step would cost more than a late message; there the log looks instead.
        if losses.device.type == "cpu" and not bool(torch.isfinite(losses).all()):
            raise not_finite(losses.tolist(), examples, self.state.global_step + 1)
        means.add({name: value.detach() for name, value in metrics.items()})
        return losses.sum() / counted

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        found = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        if isinstance(found, Tensor) and found.device.type == "cpu" and not bool(torch.isfinite(found)):
            raise RunError(
                f"The gradient is not finite at step {self.state.global_step + 1}; the weights were not changed by it.",
                fix=GENTLER,
            )
        return found

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Operations that the step just done needed."""
        return self.operations

    # The log.

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the means of the metrics since the last log; a loss that is not finite ends the run."""
        if "loss" in logs:
            means = self._means.take()
            logs = {**logs, **means, **self.derived(means)}
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
            found = self._evaluate_share(examples)
        names, sums = found.stacked()
        means = divided(names, self.accelerator.reduce(sums.to(self.args.device), reduction="sum"))
        means |= self.derived(means)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in means.items()}
        return EvalLoopOutput(predictions=np.empty(0), label_ids=None, metrics=metrics, num_samples=len(examples))

    @torch.no_grad()
    def _evaluate_share(self, examples: Examples) -> Means:
        """Means over this process's share of the examples, which are looked at as one step."""
        seen: list[Example] = []
        scored = []
        for micro in self._microbatches_of(examples):
            scored += self._evaluated(micro)
            seen += micro
        means = Means()
        if seen:
            scores, known = joined(scored)
            losses, metrics = self.loss_of(replace(scores, confidence=None), seen, known)
            counts = torch.tensor([self.counts(example) for example in seen], device=losses.device)
            means.add(metrics)
            means.add_weighted("loss", losses, counts)
        return means

    def _evaluated(self, micro: list[Example]) -> list[tuple[SequenceLogps, Tensor | None]]:
        """Scores of one micro-batch; of two halves where memory does not suffice for the whole."""
        scored = unless_memory_runs_out(lambda: self._scored(self.model_wrapped, self._batch_of(micro), micro))
        if scored is not None:
            return [scored]
        if len(micro) == 1:
            raise does_not_fit([micro[0].group], training=False)
        half = len(micro) // 2
        return self._evaluated(micro[:half]) + self._evaluated(micro[half:])

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


@dataclass(frozen=True)
class _Slopes:
    """A step that was scored as a whole: its loss, the loss's slope at each ending of each part, and its metrics."""

    loss: Tensor
    of: Sequence[Tensor]
    means: Means


def _warn_of_budget(budget: int) -> None:
    logger.warning("memory ran out: going on with %d tokens a micro-batch", budget)
