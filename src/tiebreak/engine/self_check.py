"""The self-check at the start of a run: does this model give the same by trees as by plain padded batches?

Being right is a matter of what the model computes, never of a list of names.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from tiebreak.engine.attention import TreesUnsupported
from tiebreak.engine.batch import ScoredGroup
from tiebreak.engine.flex_attention import BLOCK, runs_here
from tiebreak.engine.flops import layer_configs
from tiebreak.engine.influence import gradient_difference, leaks, sees_what_follows
from tiebreak.engine.logprobs import unwrapped
from tiebreak.engine.microbatch import BatchPath
from tiebreak.engine.score import Floats, Scorer, does_not_fit, score_microbatch
from tiebreak.errors import InputError, RunError
from tiebreak.process.failures import first_line, is_device_error, is_out_of_memory, named
from tiebreak.process.fast_linear import keeping_copies
from tiebreak.process.memory import unless_memory_runs_out

logger = logging.getLogger(__name__)

# Largest difference of a log-probability, a token, in nats, from plain batches in the weights' own arithmetic. Wrong
# masks miss the first by orders of magnitude; the others leave room for rounding and none for a broken kernel.
TOLERANCE = {None: 1e-4, torch.bfloat16: 1e-1, torch.float16: 3e-2}
# Largest difference of the gradients at the embeddings, as a share of their norm, in the run's arithmetic.
GRADIENT_TOLERANCE = {None: 1e-2, torch.bfloat16: 3e-1, torch.float16: 1e-1}
# Few and short ones: the check costs every run its time.
_GROUPS = 2
_PROMPT = 24
_COMPLETION = 12
_LOOKED_AT = 512
# Blocks of FlexAttention over which its gradients are compared: some are full, some in part, some empty.
_BLOCKS = 8


@dataclass(frozen=True)
class SelfCheck:
    """What the check found.

    Attributes:
        path: the path that the run takes.
        difference: largest difference between the two, in nats a token; None where trees could not run.
        reason: one sentence, for the user.
        seconds: what the check took.
    """

    path: BatchPath
    difference: float | None
    reason: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the manifest."""
        return asdict(self)


@keeping_copies()
def self_check(
    model: torch.nn.Module,
    groups: Sequence[ScoredGroup],
    *,
    autocast: torch.dtype | None,
    plain: torch.dtype | None = None,
    windows: Sequence[int] = (),
    longest: ScoredGroup | None = None,
) -> SelfCheck:
    """Score a few groups both ways and choose the path.

    A model that says that it cannot do trees, gives other log-probs or other gradients by them, or lets completions
    depend on each other, goes by padded batches. So does one that fails by trees, forward or backward, with a warning
    that names the error.

    Args:
        model: the model that will be trained, on its device.
        groups: the data of the run.
        autocast: arithmetic of the run; the check runs in it, and in `plain`.
        plain: arithmetic of the plain batches; None is that of the weights, where they are all of one type.
        windows: how far the model's layers look back, where that is limited, in tokens; the check then includes a
            sequence longer than each, if the data has one.
        longest: the group with the longest sequence of all the data, which is scored uncut: what a model does
            otherwise from some length on shows there. None where `groups` are few and short.
    Raises:
        RunError: memory does not suffice for the few groups.
        RuntimeError: the GPU failed.
    """
    began = time.perf_counter()
    sample = sample_of(groups, windows)

    def found(path: BatchPath, difference: float | None, reason: str) -> SelfCheck:
        return SelfCheck(path, difference, reason, time.perf_counter() - began)

    padded = score_microbatch(model, sample, Scorer("padded", plain))
    try:
        worst, wrong = _compared(model, sample, padded, (plain, autocast))
        if not wrong and longest is not None and longest.longest > max(group.longest for group in sample):
            uncut, wrong = _compared_uncut(model, longest, plain)
            worst = max(worst, uncut)
        fault = wrong or unless_memory_runs_out(lambda: _fault_of_gradients(model, sample, autocast))
        if fault == "" and longest is not None and runs_here(unwrapped(model).device):
            fault = _fault_of_kernel(model, longest, autocast)
    except TreesUnsupported as error:
        if error.__cause__ is not None:
            _warn_of_padding(error.__cause__)
        return found("padded", None, f"padded batches: {first_line(error)[:160]}")
    except RunError:
        raise
    except Exception as error:  # whatever a model's own code raises by trees, its plain form may still be right
        if is_out_of_memory(error) or is_device_error(error):
            raise
        _warn_of_padding(error)
        return found("padded", None, f"padded batches: {named(error)[:160]}")
    if fault is None:
        raise does_not_fit(sample, training=True)
    if fault:
        return found("padded", worst, f"padded batches: by trees this model's {fault}")
    return found("tree", worst, f"tree batches: they agree with plain batches to {worst:.0e} nats a token")


@keeping_copies()
def check_causal(model: torch.nn.Module, groups: Sequence[ScoredGroup], *, plain: torch.dtype | None = None) -> None:
    """Refuse a model by which the log-prob of a completion is not a matter of its own tokens alone.

    Args:
        model: on its device.
        groups: the data of the run.
    Raises:
        InputError: it attends in both directions, gives a row other numbers beside a longer one or each time, or cannot
            be called with token ids alone.
        RunError: memory does not suffice for the few groups.
        RuntimeError: the GPU failed.
    """
    name = type(unwrapped(model)).__name__
    sample = sample_of(groups, ())[0]
    try:
        seen = sees_what_follows(model, sample, plain)
        difference = _difference_alone(model, sample, plain)
    except (RunError, InputError):
        raise
    except Exception as error:  # whatever a model's own code raises, it is no model for this
        if is_out_of_memory(error) or is_device_error(error):
            raise
        raise _refusal(f"{name} does not score a text by its token ids: {named(error)[:160]}") from error
    if seen is None:
        logger.warning("it cannot be checked whether this model sees the tokens that it is to predict")
    if seen:
        raise _refusal(f"{name} sees the tokens that it is to predict: it is no causal language model.")
    # Weights of a few bits are multiplied in units that go by the whole batch, so company changes some digits.
    few_bits = getattr(unwrapped(model), "is_quantized", False)
    if not difference <= TOLERANCE[torch.bfloat16 if few_bits else coarser_arithmetic(model, plain)]:
        raise _refusal(
            f"{name} gives a text other log-probs beside a longer one, or each time: {difference:.1e} nats a token."
        )


def _refusal(what: str) -> InputError:
    return InputError(what, where="model.name", fix="choose a model that is trained to go on with a text")


def _difference_alone(model: torch.nn.Module, group: ScoredGroup, arithmetic: torch.dtype | None) -> float:
    """The largest difference between a sequence alone and beside one of another length, in nats a token."""
    completion = group.completions[0]
    long = ScoredGroup(group.prompt, (completion,))
    short = ScoredGroup(group.prompt[len(group.prompt) // 2 :], (completion[: -(-len(completion) // 2)],))
    plain = Scorer("padded", arithmetic)
    together = score_microbatch(model, [short, long], plain)
    alone = np.concatenate([score_microbatch(model, [each], plain) for each in (short, long)], axis=1)
    return float(np.max(np.abs(together[0] - alone[0]) / alone[1]))


def _compared(
    model: torch.nn.Module, sample: Sequence[ScoredGroup], padded: Floats, arithmetics: Sequence[torch.dtype | None]
) -> tuple[float, str]:
    """The largest difference of log-probs in nats a token, and what is wrong where it is too large."""
    worst = 0.0
    for arithmetic in dict.fromkeys(arithmetics):
        trees = score_microbatch(model, sample, Scorer("tree", arithmetic))
        difference = float(np.max(np.abs(trees[0] - padded[0]) / padded[1]))
        if not difference <= TOLERANCE[coarser_arithmetic(model, arithmetic)]:
            return difference, f"log-probs differ by {difference:.1e} nats a token"
        worst = max(worst, difference)
    return worst, ""


def _compared_uncut(model: torch.nn.Module, longest: ScoredGroup, plain: torch.dtype | None) -> tuple[float, str]:
    """As `_compared`, of one row; a plain batch takes more memory than a tree, and its want is no reason to stop."""
    try:
        padded = score_microbatch(model, [longest], Scorer("padded", plain))
    except RunError as error:
        logger.warning("the longest row (%d tokens) was not compared: %s", longest.longest, error.what)
        return 0.0, ""
    difference, wrong = _compared(model, [longest], padded, (plain,))
    return difference, wrong and f"{wrong} in the longest row ({longest.longest:,} tokens)"


def _fault_of_gradients(model: torch.nn.Module, sample: Sequence[ScoredGroup], autocast: torch.dtype | None) -> str:
    """What is wrong with the gradients by trees; empty where nothing is."""
    if leaks(model, sample, autocast):
        return "completions depend on each other"
    difference = gradient_difference(model, sample, autocast)
    if not difference <= GRADIENT_TOLERANCE[coarser_arithmetic(model, autocast)]:
        return f"gradients differ by {difference:.1%}"
    return ""


def _fault_of_kernel(model: torch.nn.Module, longest: ScoredGroup, autocast: torch.dtype | None) -> str:
    """As `_fault_of_gradients`, of one row over several blocks of the kernel: its backward pass goes by blocks."""
    if longest.tokens <= _BLOCKS * BLOCK:
        return ""
    short = _shortened(longest, _BLOCKS * BLOCK // 2, _BLOCKS * BLOCK // 4)
    fault = unless_memory_runs_out(lambda: _fault_of_gradients(model, [short], autocast))
    if fault is None:
        logger.warning("gradients of a long row were not compared: memory does not suffice for padded batches of it")
    return f"{fault} in a row of {short.longest:,} tokens" if fault else ""


def coarser_arithmetic(model: torch.nn.Module, autocast: torch.dtype | None) -> torch.dtype | None:
    """The type that is computed in where it is coarser than float32: the run's, or that of the weights."""
    dtype = autocast or unwrapped(model).dtype
    return dtype if dtype in TOLERANCE else None


def _warn_of_padding(error: BaseException) -> None:
    logger.warning("tree batches fail with this model, so it goes by padded ones, slower: %s", named(error))


def look_back_windows(config: Any) -> tuple[int, ...]:
    """The windows that a model's configuration states, in tokens; none for models that see everything."""
    names = ("sliding_window", "attention_chunk_size", "window_size", "local_attention")
    found: set[int] = set()
    for layer in layer_configs(config):
        unused = {"sliding_window"} if getattr(layer, "use_sliding_window", True) is False else set()
        values = [getattr(layer, name, None) for name in names if name not in unused]
        found |= {value for value in values if isinstance(value, int) and value > 0}
    return tuple(sorted(found))


def sample_of(groups: Sequence[ScoredGroup], windows: Sequence[int]) -> list[ScoredGroup]:
    """A few short groups of the data, and for each window the shortest that is longer."""
    looked_at = [groups[i] for i in range(min(len(groups), _LOOKED_AT))]
    looked_at.sort(key=lambda group: group.tokens)
    begin = len(looked_at) // 16  # not the very shortest, whose prompts may be a token or two
    sample = [_shortened(group) for group in looked_at[begin : begin + _GROUPS]]
    for window in windows:
        if all(group.longest <= window for group in sample):
            sample += [group for group in looked_at if group.longest > window][:1]
    return sample


def _shortened(group: ScoredGroup, prompt: int = _PROMPT, completion: int = _COMPLETION) -> ScoredGroup:
    """The end of a group's prompt and the beginnings of its completions, of so many tokens at most."""
    return ScoredGroup(group.prompt[-prompt:], tuple(each[:completion] for each in group.completions))
