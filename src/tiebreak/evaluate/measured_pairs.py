"""Held-out pairs as they were measured, one row each: their lengths, and what a model and its reference say of them.

Every figure of an evaluation is worked out from such a table. Knows neither texts nor models.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tiebreak.evaluate.held_out import Logps, pair_logps
from tiebreak.objectives import Loss, pair_metrics

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class MeasuredPairs:
    """Pairs, one row each; of two columns the first is the chosen completion.

    Attributes:
        rows: their places in the data, shape (pairs,).
        prompts: the prompt of each; pairs of one prompt have equal ones.
        turns: turns of the user before the completion, shape (pairs,).
        prompt_tokens: length of the prompt, shape (pairs,).
        tokens: scored tokens of the completions, shape (pairs, 2).
        logp: log-probs of the completions in nats, shape (pairs, 2).
        reference_logp: the same by the reference; None where there is none.
        reward: implicit rewards, shape (pairs, 2); None where they need a reference and there is none.
        loss: of each pair, shape (pairs,); None as for the rewards.
        tags: what each pair is told apart by, by kind, such as where it is from; None where it has no such tag.
    """

    rows: Counts
    prompts: tuple[Hashable, ...]
    turns: Counts
    prompt_tokens: Counts
    tokens: Counts
    logp: Numbers
    reference_logp: Numbers | None
    reward: Numbers | None
    loss: Numbers | None
    tags: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def measure(self) -> str:
        """What says which completion the model prefers."""
        return "reward" if self.reward is not None else "log-prob"

    @cached_property
    def margin(self) -> Numbers:
        """What the chosen completion has more than the rejected one, by `measure`; shape (pairs,)."""
        of = self.reward if self.reward is not None else self.logp
        return of[:, 0] - of[:, 1]

    @cached_property
    def right(self) -> Numbers:
        """1 where the model prefers the chosen completion, 0 the other, one half where neither; shape (pairs,)."""
        return preferred(self.margin)

    @cached_property
    def longer(self) -> Counts:
        """Tokens that the chosen completion has more than the rejected one, shape (pairs,)."""
        return self.tokens[:, 0] - self.tokens[:, 1]

    def select(self, which: NDArray[np.bool_] | Counts) -> MeasuredPairs:
        """Some of the pairs."""
        numbers = np.flatnonzero(which) if which.dtype == bool else which

        def of(values: Numbers | None) -> Numbers | None:
            return None if values is None else values[numbers]

        return replace(
            self,
            rows=self.rows[numbers],
            prompts=tuple(self.prompts[number] for number in numbers),
            turns=self.turns[numbers],
            prompt_tokens=self.prompt_tokens[numbers],
            tokens=self.tokens[numbers],
            logp=self.logp[numbers],
            reference_logp=of(self.reference_logp),
            reward=of(self.reward),
            loss=of(self.loss),
            tags={by: tuple(tags[number] for number in numbers) for by, tags in self.tags.items()},
        )


def preferred(margin: Numbers | Counts) -> Numbers:
    """From margins to points: 1 for the chosen completion, 0 for the other, one half for neither."""
    return (np.sign(margin) + 1) / 2


def measured_pairs(
    policy: Logps,
    reference: Logps | None,
    *,
    objective: Loss,
    rows: Sequence[int],
    prompts: Sequence[Hashable],
    turns: Sequence[int],
    prompt_tokens: Sequence[int],
    tags: Mapping[str, Sequence[str | None]] | None = None,
) -> MeasuredPairs:
    """The table of pairs that were scored.

    Args:
        policy: scores of the model that is measured, chosen first.
        reference: scores of its reference; None where there is none.
        objective: the loss, which also says what a reward is.
        rows, prompts, turns, prompt_tokens, tags: of each pair, as of `MeasuredPairs`.
    """
    reward = loss = None
    if reference is not None or not objective.needs_reference:
        mine = pair_logps(policy)
        theirs = pair_logps(reference) if reference is not None and objective.needs_reference else None
        values = pair_metrics(mine, theirs, beta=objective.beta, reward=objective.reward)
        reward = np.stack([values[f"rewards/{side}"].double().numpy() for side in ("chosen", "rejected")], axis=1)
        loss = objective(mine, theirs).double().numpy()
    return MeasuredPairs(
        rows=np.asarray(rows, dtype=np.int64),
        prompts=tuple(prompts),
        turns=np.asarray(turns, dtype=np.int64),
        prompt_tokens=np.asarray(prompt_tokens, dtype=np.int64),
        tokens=policy.tokens.astype(np.int64),
        logp=policy.logp.astype(np.float64),
        reference_logp=None if reference is None else reference.logp.astype(np.float64),
        reward=reward,
        loss=loss,
        tags={by: tuple(each) for by, each in (tags or {}).items()},
    )
