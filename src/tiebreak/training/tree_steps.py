"""The step over tree batches: micro-batches by tokens, summed so that the split does not matter.

A step goes in one of two ways. Where the loss of an example is its own, each micro-batch is scored and trained in turn.
Where it depends on the others of its step, the whole step is scored first, and what is trained then are the completions
that the loss has a slope at (`slopes.py`). The router loss of a mixture is of the whole step, and goes the second way.

Knows nothing of losses: a subclass says what an example counts and what its loss is.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tiebreak.engine.batch import Batch, ScoredGroup
from tiebreak.engine.flops import flops_of
from tiebreak.engine.gradient_checkpointing import recomputing
from tiebreak.engine.logprobs import Measures, SequenceLogps, attending, computing, sequence_logps
from tiebreak.engine.microbatch import build_batch, lay_out, split
from tiebreak.engine.overlap import Ahead, reading_waits
from tiebreak.engine.rope import rope_lengths
from tiebreak.engine.router_loss import Loads, RouterLoss, loads_of, token_counts
from tiebreak.engine.router_loss import loss_of as router_loss
from tiebreak.engine.score import Scorer, does_not_fit
from tiebreak.process.fast_linear import keeping_copies
from tiebreak.process.memory import unless_memory_runs_out
from tiebreak.training.checkpoints import SafeCheckpoints
from tiebreak.training.examples import Example
from tiebreak.training.laid_out import LaidOut
from tiebreak.training.means import Means, not_finite
from tiebreak.training.slopes import (
    Pulled,
    Scored,
    StepSlopes,
    is_flat,
    joined,
    only_completions,
    pulled,
    slope_of,
    zeros_where_gradients_would_be,
)

logger = logging.getLogger(__name__)


class TreeSteps(SafeCheckpoints):
    """A trainer that makes its steps of tree batches.

    Args:
        model: on any device; the Trainer moves it.
        scorer: path, arithmetic and token budget of a micro-batch.
        router: the model's router loss, where it is added; None is not.
        on_smaller_budget: called with the new token budget when memory ran out and a step is repeated.
        settings: of the `Trainer`.
    """

    # The completions of an example that only inform the loss, by their place in it: they are scored, never trained.
    informing: Container[int] = ()

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        scorer: Scorer,
        router: RouterLoss | None = None,
        on_smaller_budget: Callable[[int], None] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(model=model, **settings)
        self.scorer = scorer
        self.budget = scorer.budget
        self.router = router
        self.on_smaller_budget = on_smaller_budget or _warn_of_budget
        self._means = Means()
        self._cost = flops_of(model)
        self._lengths = rope_lengths(model)
        self.operations = self.tokens = self.backward_tokens = self.microbatches = 0  # of the newest step
        self.ahead = Ahead(on=reading_waits(self.args.device))
        self._collate: Any = self.data_collator
        self.data_collator = self._begun

    def train(self, *args: Any, **settings: Any) -> Any:
        """Train; a thread that lays out batches ends with it, however it ends."""
        with self.ahead:
            return super().train(*args, **settings)

    # What a subclass says.

    def counts(self, example: Example) -> float:
        """How much an example counts in the mean that the step minimizes."""
        raise NotImplementedError

    def reference_logps(self, batch: Batch, examples: Sequence[Example]) -> Tensor | None:
        """The reference's log-probs, shape (examples, completions); None where the loss compares with none."""
        return None

    @property
    def scoring(self) -> Sequence[nn.Module]:
        """The models beside the policy that score in a step."""
        return ()

    @property
    def whole_step(self) -> bool:
        """Whether the loss of an example depends on the others of its step."""
        return False

    def loss_of(
        self, scores: SequenceLogps, examples: Sequence[Example], reference_logps: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and metrics of each example.

        Args:
            scores: of all completions, example by example.
            examples: the examples.
            reference_logps: from `reference_logps`.
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
        laid_out = inputs["laid_out"]() if "laid_out" in inputs else self._laid_out(examples, self.budget)
        while True:
            step = laid_out if laid_out.budget == self.budget else self._laid_out(examples, self.budget)
            loss = unless_memory_runs_out(partial(self._step, model, examples, step))
            if loss is not None:
                return loss
            model.zero_grad(set_to_none=True)
            groups = [example.group for example in examples]
            if len(split(groups, self.budget, self.scorer.path, self._lengths)) >= len(examples):
                raise does_not_fit(groups, training=True)
            self.budget //= 2
            self.on_smaller_budget(self.budget)

    def _begun(self, examples: list[Example]) -> dict[str, Any]:
        """What the data loader gives for a step, one step before it is due: its batches are begun to be laid out."""
        collated: dict[str, Any] = self._collate(examples)
        return collated | {"laid_out": self.ahead.start(partial(self._laid_out, examples, self.budget))}

    def _laid_out(self, examples: Sequence[Example], budget: int) -> LaidOut:
        groups = [example.group for example in examples]
        indices = split(groups, budget, self.scorer.path, self._lengths)
        device = self.args.device
        batches = [lay_out([groups[i] for i in part], self.scorer.path, device, self._lengths) for part in indices]
        return LaidOut(budget, indices, batches)

    @keeping_copies()
    def _step(self, model: nn.Module, examples: list[Example], laid_out: LaidOut) -> Tensor:
        self.operations = self.tokens = self.backward_tokens = 0
        self.microbatches = len(laid_out.indices)
        counted = sum(self.counts(example) for example in examples)
        with attending(self.scorer.path, model, *self.scoring):
            if self._is_scored_first(examples, len(laid_out.indices)):
                return self._step_by_slopes(model, examples, laid_out, counted)
            return self._step_in_turn(model, examples, laid_out, counted)

    def _step_in_turn(self, model: nn.Module, examples: list[Example], laid_out: LaidOut, counted: float) -> Tensor:
        """A step whose micro-batches are scored and trained one after the other."""
        means, total = Means(), torch.zeros((), device=self.args.device)
        for number, (members, ready) in enumerate(laid_out):
            with self._syncing(model, number == len(laid_out.indices) - 1):
                micro = [examples[i] for i in members]
                batch = ready.to(self.args.device)
                scores, reference_logps = self._scored(model, batch, micro, routers=self.router is not None)
                loss, slope = slope_of(partial(self._loss, micro, reference_logps, counted, means), scores)
                total += loss
                loads = self._loads(batch, scores, micro)
                if loads is not None:
                    means.add({"aux_loss": router_loss(loads, loads).detach()[None]})
                elif is_flat(slope):
                    zeros_where_gradients_would_be(scores.logp)
                    continue
                self._pull(model, batch, scores.logp, slope, loads, loads)
        self._means.merge(means)
        return total

    def _is_scored_first(self, examples: Sequence[Example], parts: int) -> bool:
        """Whether a step is scored as a whole before anything in it is trained."""
        if parts > 1 and (self.whole_step or self.router is not None):
            return True
        trained = [self._trained(example.group) for example in examples]
        if not any(
            len(left.completions) < len(one.group.completions) for left, one in zip(trained, examples, strict=True)
        ):
            return False
        # A third of the work is the forward pass; what only informs the loss is left out of all else.
        every, fewer = self._size_of([example.group for example in examples]), self._size_of(trained)
        return self.router is not None or every + 3 * fewer < 3 * every

    def _trained(self, group: ScoredGroup) -> ScoredGroup:
        """A group without what only informs the loss."""
        left = [i for i in range(len(group.completions)) if i not in self.informing]
        return only_completions(group, left) if left else group

    def _step_by_slopes(self, model: nn.Module, examples: list[Example], laid_out: LaidOut, counted: float) -> Tensor:
        """A step that is scored first, and then trained where its loss has a slope."""
        slopes = self._slopes_of_step(model, examples, laid_out, counted)
        groups = [example.group for example in examples]
        apart, routers = self.scorer.measures.length_alpha == 1, self.router is not None
        left = pulled(groups, slopes.of, apart=apart, only=self.informing if routers else None, never=self.informing)
        left = left or [Pulled(groups[0], slopes.of[0])]  # zeros, but they are gradients
        indices = split([one.group for one in left], self.budget, self.scorer.path, self._lengths)
        for number, members in enumerate(indices):
            with self._syncing(model, number == len(indices) - 1):
                micro = [left[i] for i in members]
                batch = self._batch_of([one.group for one in micro])
                scores = self._scores_of(model, batch, self.scorer.measures.sums_only(), routers=routers)
                loads = self._loads(batch, scores)
                self._pull(model, batch, scores.logp, torch.cat([one.slope for one in micro]), loads, slopes.loads)
        self._means.merge(slopes.means)
        return slopes.loss

    @torch.no_grad()
    def _slopes_of_step(
        self, model: nn.Module, examples: list[Example], laid_out: LaidOut, counted: float
    ) -> StepSlopes:
        """Score a whole step, and find how its loss changes with each completion's log-prob.

        A loss that compares the examples of a step cannot be summed up from micro-batches. But its gradient is that of
        the log-probs, each times the slope of the loss at it; so the slopes are found first, and every micro-batch
        then goes its way alone.
        """
        scored, loads, means = list[Scored](), None, Means()
        for members, ready in laid_out:
            micro = [examples[i] for i in members]
            batch = ready.to(self.args.device)
            scores, reference_logps = self._scored(model, batch, micro, routers=self.router is not None)
            found = self._loads(batch, scores, micro)
            loads = found if loads is None or found is None else loads + found
            scored.append((replace(scores, router_logits=()), reference_logps))
        scores, reference_logps = joined(scored)
        order = [i for members in laid_out.indices for i in members]
        in_order = [examples[i] for i in order]
        loss, slope = slope_of(partial(self._loss, in_order, reference_logps, counted, means), scores)
        if loads is not None:
            means.add({"aux_loss": router_loss(loads, loads)[None]})
        of = dict(zip(order, torch.split(slope, [len(one.group.completions) for one in in_order]), strict=True))
        return StepSlopes(loss, [of[i] for i in range(len(examples))], means, loads)

    def _pull(
        self, model: nn.Module, batch: Batch, logp: Tensor, slope: Tensor, loads: Loads | None, whole: Loads | None
    ) -> None:
        """The backward pass of a micro-batch, and its part of the router loss."""
        self.backward_tokens += batch.tokens
        self.operations += self._cost.backward(batch)
        loss = (logp * slope).sum()
        if self.router is not None and loads is not None and whole is not None:
            loss = loss + self.router.weight * router_loss(loads, whole.detached())
        with computing(model, batch):
            self.accelerator.backward(loss)

    def _loads(self, batch: Batch, scores: SequenceLogps, examples: Sequence[Example] | None = None) -> Loads | None:
        """How the experts are used by what is trained; None where that is not asked."""
        if self.router is None:
            return None
        counted = [True] * batch.sequences
        if examples is not None:
            counted = [i not in self.informing for e in examples for i in range(len(e.group.completions))]
        return loads_of(scores.router_logits, self.router.top_k, token_counts(batch, counted))

    def _syncing(self, model: nn.Module, last: bool) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if last else self.accelerator.no_sync(model)

    def _size_of(self, groups: Sequence[ScoredGroup]) -> int:
        padded = self.scorer.path == "padded"
        return sum(group.longest * len(group.completions) if padded else group.tokens for group in groups)

    def _batch_of(self, groups: Sequence[ScoredGroup]) -> Batch:
        return build_batch(groups, self.scorer.path, self.args.device, self._lengths)

    def _scores_of(self, model: nn.Module, batch: Batch, measures: Measures, *, routers: bool) -> SequenceLogps:
        self.tokens += batch.tokens
        self.operations += self._cost.forward(batch)
        return sequence_logps(model, batch, autocast=self.scorer.autocast, measures=measures, routers=routers)

    def _scored(self, model: nn.Module, batch: Batch, examples: list[Example], *, routers: bool = False) -> Scored:
        reference_logps = self.reference_logps(batch, examples)
        return self._scores_of(model, batch, self.scorer.measures, routers=routers), reference_logps

    def _loss(
        self,
        examples: list[Example],
        reference_logps: Tensor | None,
        counted: float,
        means: Means,
        scores: SequenceLogps,
    ) -> Tensor:
        losses, metrics = self.loss_of(scores, examples, reference_logps)
        # Waiting for the GPU at every step would cost more than a late message; there the log looks instead.
        if not reading_waits(losses.device) and not bool(torch.isfinite(losses).all()):
            rows = [example.group.row for example in examples]
            what = f"The loss is not finite at step {self.state.global_step + 1}."
            raise not_finite(what, losses.tolist(), rows, self.so_far())
        means.add({name: value.detach() for name, value in metrics.items()})
        return losses.sum() / counted

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        found = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        if isinstance(found, Tensor) and not reading_waits(found.device) and not bool(torch.isfinite(found)):
            step = self.state.global_step + 1
            what = f"The gradient is not finite at step {step}; the weights were not changed by it."
            raise not_finite(what, so_far=self.so_far())
        return found

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Operations that the step just done needed."""
        return self.operations


def _warn_of_budget(budget: int) -> None:
    logger.warning("memory ran out: going on with %d tokens a micro-batch", budget)
