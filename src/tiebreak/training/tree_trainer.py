"""The trainer over tree batches: `transformers.Trainer` with another step, evaluation and way of saving.

Everything else is the Trainer's: callbacks and trackers, schedules, the optimizer, resume.
What is overridden: the step (`tree_steps.py`), the evaluation (over groups, not padded rows), the log (means of the
metrics since the last one), and checkpoints (by rename).
Knows nothing of losses: a subclass says what an example counts and what its loss is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import EvalLoopOutput

from tiebreak.engine.logprobs import attending
from tiebreak.engine.microbatch import split
from tiebreak.engine.router_loss import RouterLoss
from tiebreak.engine.score import BLOCK, SCORING_TOKENS, Scorer, does_not_fit
from tiebreak.process.fast_linear import keeping_copies
from tiebreak.process.memory import unless_memory_runs_out
from tiebreak.training.evaluation import Evaluated, Evaluating, unseen
from tiebreak.training.examples import Example, Examples, collate
from tiebreak.training.means import Means, divided, not_finite
from tiebreak.training.slopes import Scored, joined
from tiebreak.training.stochastic_adamw import optimizer_for
from tiebreak.training.tree_steps import TreeSteps


class TreeTrainer(TreeSteps):
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
        on_smaller_budget: called with the new token budget when memory ran out and a step is repeated.
        router: the model's router loss, where it is added; None is not.
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
        router: RouterLoss | None = None,
    ) -> None:
        super().__init__(
            model,
            scorer=scorer,
            router=router,
            on_smaller_budget=on_smaller_budget,
            args=args,
            data_collator=collate,
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
            callbacks=list(callbacks),
            optimizer_cls_and_kwargs=optimizer_for(model, args),
        )
        self.keep_checkpoints = keep_checkpoints
        self.remove_callback(PrinterCallback)  # the caller says what is shown
        self.steps_an_epoch = steps_an_epoch
        self.evaluating: Evaluating = unseen
        self.evaluated: Evaluated | None = None

    # The log.

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the means of the metrics since the last log; a loss that is not finite ends the run."""
        if "loss" in logs:
            means = self._means.take()
            logs = {**logs, **means, **self.derived(means)}
            # Every checkpoint is logged first, so that none is written of weights that are broken.
            if not abs(logs["loss"]) < 1e30 or not abs(logs.get("grad_norm", 0.0)) < 1e30:
                what = f"Loss or gradient are not finite at step {self.state.global_step}."
                raise not_finite(what, so_far=self.so_far(steps=1))
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
        with keeping_copies(), attending(self.scorer.path, self.model_wrapped, *self.scoring):
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
        with self.evaluating(len(examples)) as on_progress:
            for micro in self._microbatches_of(examples):
                scored += self._evaluated(micro)
                seen += micro
                on_progress(len(seen))
        means = Means()
        if seen:
            scores, reference_logps = joined(scored)
            losses, metrics = self.loss_of(replace(scores, confidence=None), seen, reference_logps)
            counts = torch.tensor([self.counts(example) for example in seen], device=losses.device)
            means.add(metrics)
            means.add_weighted("loss", losses, counts)
            self.evaluated = Evaluated.of(seen, scores.logp, metrics)
        return means

    def _evaluated(self, micro: list[Example]) -> list[Scored]:
        """Scores of one micro-batch; of two halves where memory does not suffice for the whole."""
        groups = [example.group for example in micro]
        scored = unless_memory_runs_out(lambda: self._scored(self.model_wrapped, self._batch_of(groups), micro))
        if scored is not None:
            return [scored]
        if len(micro) == 1:
            raise does_not_fit([micro[0].group], training=False)
        half = len(micro) // 2
        return self._evaluated(micro[:half]) + self._evaluated(micro[half:])

    def _microbatches_of(self, examples: Examples) -> Iterator[list[Example]]:
        # Nothing is kept for a backward pass: the budget of steps may be far too small.
        budget = max(self.budget, SCORING_TOKENS.get(self.args.device.type, SCORING_TOKENS["cpu"]))
        for number, start in enumerate(range(0, len(examples), BLOCK)):
            if number % self.args.world_size != self.args.process_index:
                continue
            block = [examples[i] for i in range(start, min(start + BLOCK, len(examples)))]
            for members in split([example.group for example in block], budget, self.scorer.path, self._lengths):
                # Weights say how much to learn from a pair, not how much it says about the model.
                yield [replace(block[i], weight=1.0) for i in members]

    def measure(self) -> dict[str, float]:
        """Held-out metrics of the model as it stands, without a line in the log."""
        loop = self.evaluation_loop(self.get_eval_dataloader(), "Evaluation")
        return dict(loop.metrics or {})
