"""Pairs that were scored, as the table that every figure of them is worked out from: tokens and texts put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiebreak.data.forms.tags import TAGS
from tiebreak.engine.score import Floats
from tiebreak.evaluate.breakdown import Breakdown, broken_down
from tiebreak.evaluate.held_out import Logps
from tiebreak.evaluate.measured_pairs import MeasuredPairs, measured_pairs
from tiebreak.objectives import Loss
from tiebreak.runs.manifest import BeforeRecord
from tiebreak.training.evaluation import Evaluated
from tiebreak.training.examples import Groups
from tiebreak.workflow.data import RunData
from tiebreak.workflow.resolve import ResolvedRecipe

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class _OfATrainer:
    """Log-probs that a trainer kept, with the tokens that they are of; shape (pairs, 2)."""

    logp: Floats
    tokens: Floats


def measured_of(
    groups: Groups, texts: Dataset, policy: Logps, reference: Logps | None, objective: Loss
) -> MeasuredPairs:
    """The table of pairs.

    Args:
        groups: the pairs as tokens.
        texts: the same pairs as text, in the canonical form.
        policy, reference: their scores, in the same order; `reference` is None where there is none.
        objective: the loss, which also says what a reward is.
    """
    prompts = [np.asarray(group.prompt, np.int32) for group in groups]
    return measured_pairs(
        policy,
        reference,
        objective=objective,
        rows=groups.dataset["row"],
        prompts=[prompt.tobytes() for prompt in prompts],
        turns=[sum(turn["role"] == "user" for turn in turns) for turns in texts["prompt"]],
        prompt_tokens=[len(prompt) for prompt in prompts],
        tags={by: texts[by] for by in TAGS},
    )


def held_out_breakdown(
    resolved: ResolvedRecipe, data: RunData, before: BeforeRecord, evaluated: Evaluated | None
) -> Breakdown | None:
    """What stands behind the held-out accuracy of a run, the model before it being the reference.

    Args:
        resolved, data: of the run.
        before: what the model was like before training.
        evaluated: each held-out pair as it was measured now; None where nothing was.
    Returns:
        None where nothing is held out, or the run is on no pairs.
    """
    objective = resolved.objective
    if objective is None or not resolved.task.pairs or data.held_out is None:
        return None
    if evaluated is None or before.logps is None:
        return None
    tokens = np.array(
        [[len(group.targets(number)) for number in range(len(group.completions))] for group in data.held_out],
        dtype=np.float32,
    )
    policy = _OfATrainer(np.array(evaluated.logps, dtype=np.float32), tokens)
    reference = _OfATrainer(np.array(before.logps, dtype=np.float32), tokens)
    return broken_down(measured_of(data.held_out, data.held_out_rows, policy, reference, objective))
