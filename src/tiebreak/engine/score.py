"""Scoring many groups without gradients: the reference's log-probs, held-out metrics, evaluation."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tiebreak.engine.batch import Batch, ScoredGroup
from tiebreak.engine.logprobs import PLAIN, Measures, attending, sequence_logps, unwrapped
from tiebreak.engine.microbatch import BatchPath, lay_out, split
from tiebreak.engine.overlap import Ahead, read_late, reading_waits
from tiebreak.engine.rope import rope_lengths
from tiebreak.errors import RunError
from tiebreak.process.fast_linear import keeping_copies
from tiebreak.process.memory import unless_memory_runs_out

# Groups looked at together when micro-batches are formed; bounds memory, and fixes the split for a given data set.
BLOCK = 256

# Tokens of a micro-batch that is only scored, on each kind of device: fixed, so that what is cached can be shared.
SCORING_TOKENS = {"cpu": 2048, "cuda": 16384}

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scorer:
    """How a model scores: everything that the numbers depend on besides weights and tokens.

    Attributes:
        path: tree or padded batches.
        autocast: type of the arithmetic; None is the type of the weights.
        budget: tokens a micro-batch may compute.
        measures: what is summed over a completion's tokens.
    """

    path: BatchPath = "tree"
    autocast: torch.dtype | None = None
    budget: int = 2048
    measures: Measures = PLAIN


@dataclass(frozen=True)
class Scores:
    """One row a group, one column a completion.

    Attributes:
        logp: sum of the completion's token log-probabilities, in nats, shape (groups, completions).
        tokens: tokens of the completion, shape (groups, completions).
        mean_logit: mean raw logit at the completion's positions, shape (groups, completions).
    """

    logp: Floats
    tokens: Floats
    mean_logit: Floats


def score_microbatch(model: torch.nn.Module, groups: Sequence[ScoredGroup], scorer: Scorer) -> Floats:
    """Score groups in one forward pass, or in two halves where memory does not suffice for the whole.

    Args:
        model: the model, on its device.
        groups: groups with equally many completions.
        scorer: how to score.
    Returns:
        Shape (3, groups, completions): log-probs, token counts and mean logits.
    Raises:
        RunError: memory does not suffice for a single group.
    """
    return np.asarray(read_late(_scored(model, groups, scorer))(), dtype=np.float32)


def score_parts(
    model: torch.nn.Module, parts: Sequence[Sequence[ScoredGroup]], scorer: Scorer
) -> Generator[Floats, None, None]:
    """Score micro-batches one after the other; on a GPU each is read when the next one has been asked for.

    Args:
        model, scorer: as for `score_microbatch`.
        parts: the groups of each.
    Yields:
        What `score_microbatch` gives for each, in order.
    """
    inner = unwrapped(model)
    device, lengths = inner.device, rope_lengths(inner)
    makes = [partial(lay_out, groups, scorer.path, device, lengths) for groups in parts]
    before: Callable[[], Floats] | None = None
    with Ahead(on=reading_waits(device)) as ahead, attending(scorer.path, inner):
        for groups, batch in zip(parts, ahead.each(makes), strict=True):
            asked = read_late(_scored(model, groups, scorer, batch))
            if before is not None:
                yield before()
            before = asked
        if before is not None:
            yield before()


def _scored(
    model: torch.nn.Module, groups: Sequence[ScoredGroup], scorer: Scorer, batch: Batch | None = None
) -> Tensor:
    """As `score_microbatch`, on the model's device and not waited for; `batch` is what the groups are laid out as."""
    scores = unless_memory_runs_out(lambda: _score(model, groups, scorer, batch))
    if scores is not None:
        return scores
    if len(groups) == 1:
        raise does_not_fit(groups, training=False)
    half = len(groups) // 2
    return torch.cat([_scored(model, part, scorer) for part in (groups[:half], groups[half:])], dim=1)


def does_not_fit(groups: Sequence[ScoredGroup], *, training: bool) -> RunError:
    """The error for memory that does not suffice for a single group.

    Args:
        groups: what was computed when memory ran out; the longest is named.
        training: whether gradients were wanted, which take most of the memory.
    """
    longest = max(groups, key=lambda group: group.tokens)
    other = "set train.gradient_checkpointing=true" if training else "choose a smaller model"
    return RunError(
        f"Memory does not suffice for a single example of {longest.tokens:,} tokens.",
        where=f"row {longest.row} of the data",
        fix=f"lower data.max_length, set train.precision=bf16, or {other}",
    )


@torch.no_grad()
def _score(model: torch.nn.Module, groups: Sequence[ScoredGroup], scorer: Scorer, batch: Batch | None) -> Tensor:
    inner = unwrapped(model)
    laid_out = batch or lay_out(groups, scorer.path, inner.device, rope_lengths(inner))
    batch = laid_out.to(inner.device)
    found = sequence_logps(model, batch, autocast=scorer.autocast, measures=scorer.measures.sums_only())
    return torch.stack([found.logp, found.tokens, found.mean_logit]).float().view(3, len(groups), -1)


@keeping_copies()
def score_groups(
    model: torch.nn.Module,
    groups: Sequence[ScoredGroup],
    scorer: Scorer,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> Scores:
    """Score any number of groups, micro-batch by micro-batch.

    Args:
        model: the model, on its device; its training mode is left alone.
        groups: groups with equally many completions; a lazy sequence is read block by block.
        scorer: how to score.
        on_progress: called with the number of groups done so far.
    """
    blocks = []
    done = 0
    lengths = rope_lengths(unwrapped(model))
    for block in blocks_of(groups):
        out = np.empty((3, len(block), len(block[0].completions)), dtype=np.float32)
        parts = split(block, scorer.budget, scorer.path, lengths)
        with closing(score_parts(model, [[block[i] for i in members] for members in parts], scorer)) as scores:
            for members, found in zip(parts, scores, strict=True):
                out[:, members] = found
                done += len(members)
                if on_progress is not None:
                    on_progress(done)
        blocks.append(out)
    joined = np.concatenate(blocks, axis=1) if blocks else np.empty((3, 0, 2), dtype=np.float32)
    return Scores(joined[0], joined[1], joined[2])


def blocks_of(groups: Sequence[ScoredGroup]) -> Iterator[list[ScoredGroup]]:
    """The groups, `BLOCK` at a time."""
    for start in range(0, len(groups), BLOCK):
        yield [groups[i] for i in range(start, min(start + BLOCK, len(groups)))]
