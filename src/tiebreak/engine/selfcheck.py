"""The check at the start of a run: does this model give the same numbers by trees as by plain padded batches?

Being right is a matter of what the model computes, never of a list of names.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from tiebreak.engine.attention import TreesUnsupported
from tiebreak.engine.memory import is_out_of_memory
from tiebreak.engine.microbatch import Path
from tiebreak.engine.products import keeping_copies
from tiebreak.engine.score import Scorer, score_microbatch
from tiebreak.engine.sequences import ScoredGroup

# Largest difference of a log-probability, a token, in nats, from plain batches in the weights' own arithmetic. Wrong
# masks miss the first by orders of magnitude; the others leave room for rounding and none for a broken kernel.
TOLERANCE = {None: 1e-4, torch.bfloat16: 1e-1, torch.float16: 3e-2}
# Few and short ones: the check costs every run its time.
_GROUPS = 2
_PROMPT = 24
_ENDING = 12
_LOOKED_AT = 512


@dataclass(frozen=True)
class SelfCheck:
    """What the check found.

    Attributes:
        path: the path that the run takes.
        difference: largest difference between the two, in nats a token; None where trees could not run.
        reason: one sentence, for the user.
        seconds: what the check took.
    """

    path: Path
    difference: float | None
    reason: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the manifest."""
        return asdict(self)


@keeping_copies()
def self_check(
    model: torch.nn.Module, groups: Sequence[ScoredGroup], *, autocast: torch.dtype | None, windows: Sequence[int] = ()
) -> SelfCheck:
    """Score a few groups both ways and choose the path.

    Args:
        model: the model that will be trained, on its device.
        groups: the data of the run.
        autocast: arithmetic of the run; the check runs in it, and in that of the weights.
        windows: how far the model's layers look back, where that is limited, in tokens; the check then includes a
            sequence longer than each, if the data has one.
    """
    began = time.perf_counter()
    sample = _sample(groups, windows)
    worst = 0.0
    padded = score_microbatch(model, sample, Scorer("padded", None))
    for arithmetic in dict.fromkeys((None, autocast)):
        try:
            trees = score_microbatch(model, sample, Scorer("tree", arithmetic))
        except (TreesUnsupported, TypeError, IndexError, RuntimeError) as error:  # a kernel that cannot be compiled too
            if is_out_of_memory(error):
                raise
            reason = f"padded batches: {_first_line(error)}"
            return SelfCheck("padded", None, reason, time.perf_counter() - began)
        difference = float(np.max(np.abs(trees[0] - padded[0]) / padded[1]))
        if not difference <= TOLERANCE[arithmetic]:
            reason = f"padded batches: by trees this model's log-probs differ by {difference:.1e} nats a token"
            return SelfCheck("padded", difference, reason, time.perf_counter() - began)
        worst = max(worst, difference)
    reason = f"tree batches: they agree with plain batches to {worst:.0e} nats a token"
    return SelfCheck("tree", worst, reason, time.perf_counter() - began)


def look_back_windows(config: Any) -> tuple[int, ...]:
    """The windows that a model's configuration states, in tokens; none for models that see everything."""
    names = ("sliding_window", "attention_chunk_size", "window_size", "local_attention")
    values = [getattr(config, name, None) for name in names]
    if getattr(config, "use_sliding_window", True) is False:
        values[0] = None
    return tuple(sorted({value for value in values if isinstance(value, int) and value > 0}))


def _sample(groups: Sequence[ScoredGroup], windows: Sequence[int]) -> list[ScoredGroup]:
    """A few short groups of the data, and for each window the shortest that is longer."""
    looked_at = [groups[i] for i in range(min(len(groups), _LOOKED_AT))]
    looked_at.sort(key=lambda group: group.tokens)
    begin = len(looked_at) // 16  # not the very shortest, whose prompts may be a token or two
    sample = [_shortened(group) for group in looked_at[begin : begin + _GROUPS]]
    for window in windows:
        if all(group.longest <= window for group in sample):
            sample += [group for group in looked_at if group.longest > window][:1]
    return sample


def _shortened(group: ScoredGroup) -> ScoredGroup:
    """The end of a group's prompt and the beginnings of its endings."""
    return ScoredGroup(group.prompt[-_PROMPT:], tuple(ending[:_ENDING] for ending in group.endings))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:160]
