"""Attention over a tree batch by FlexAttention: one kernel for the whole flat row, compiled on a GPU.

The kernel works on blocks of 128 by 128 tokens and needs to know which of them are empty and which are full. Both
follow from the trees without looking at single pairs of tokens: token q may attend to token k exactly when
`k <= q < subtree_end[k]`, so for a block of keys before a block of queries the largest and the smallest `subtree_end`
in it decide. The mask written out, pair by pair, would take gigabytes for a large batch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._dynamo.exc import FailOnRecompileLimitHit
from torch.nn.attention.flex_attention import AuxRequest, BlockMask, flex_attention

from tiebreak.engine.batch import TreeBatch
from tiebreak.errors import RunError

BLOCK = 128
# How often the kernel is compiled in a process: for a type, a head's size, a window, a cap; not for each length.
COMPILED = 64


@dataclass(frozen=True)
class Scores:
    """How much a query heeds a key, besides their product.

    Attributes:
        scaling: factor of the product; None is 1 / sqrt(head_dim).
        window: tokens a query may look back, itself included; None is all.
        softcap: what scores are bent to stay below, on either side; None is no cap.
        sinks: scores of one more key without a value, shape (heads,); None is none.
    """

    scaling: float | None = None
    window: int | None = None
    softcap: float | None = None
    sinks: Tensor | None = None

    @property
    def plain(self) -> bool:
        """Whether they are scaled products and no more."""
        return self.softcap is None and self.sinks is None


@dataclass(frozen=True)
class FlexPlan:
    """What the kernel needs to know of a tree batch.

    Attributes:
        position: depth of each token, shape (tokens,).
        subtree_end: index after the subtree below each token, shape (tokens,).
        masks: the block mask for each window that was asked for so far; None is no window.
    """

    position: Tensor
    subtree_end: Tensor
    masks: dict[int | None, BlockMask]

    def mask(self, window: int | None) -> BlockMask:
        """The block mask for layers that look back so many tokens."""
        if window not in self.masks:
            self.masks[window] = block_mask(self.position, self.subtree_end, window)
        return self.masks[window]


def flex_plan_of(batch: TreeBatch) -> FlexPlan:
    """Work out the block mask once a batch, for all layers."""
    return FlexPlan(batch.position, batch.subtree_end, {None: batch_mask(batch)})


def runs_here(device: torch.device) -> bool:
    """Whether the kernel can be compiled for a device: on a GPU, with Triton."""
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None


def batch_mask(batch: TreeBatch) -> BlockMask:
    """The block mask of a batch without a window."""
    return block_mask(batch.position, batch.subtree_end, None)


def block_mask(position: Tensor, subtree_end: Tensor, window: int | None) -> BlockMask:
    """Which blocks of keys each block of queries attends to, and the rule for single pairs.

    Args:
        position: depth of each token, shape (tokens,), int64.
        subtree_end: index after the subtree below each token, shape (tokens,), int64.
        window: tokens that a query may look back, itself included, along its own path; None is all.
    """
    tokens = len(subtree_end)
    blocks = -(-tokens // BLOCK)
    ends = _in_blocks(subtree_end, blocks, fill=0)
    highest = ends.amax(1)
    lowest = _in_blocks(subtree_end, blocks, fill=tokens + BLOCK).amin(1)
    number = torch.arange(blocks, device=subtree_end.device)
    earlier = number[:, None] > number[None, :]
    some = (earlier & (highest[None, :] > BLOCK * number[:, None])) | (number[:, None] == number[None, :])
    last = torch.clamp(BLOCK * (number + 1), max=tokens)
    full = earlier & (lowest[None, :] >= last[:, None])
    if window is not None:
        far = _in_blocks(position, blocks, fill=-1).amax(1)
        near = _in_blocks(position, blocks, fill=tokens).amin(1)
        full &= (far[:, None] - near[None, :]) < window
    partial = some & ~full
    return BlockMask.from_kv_blocks(
        *_ordered(partial),
        *_ordered(full),
        BLOCK_SIZE=BLOCK,
        mask_mod=_rule(position, subtree_end, window),
        seq_lengths=(tokens, tokens),
    )


def _in_blocks(values: Tensor, blocks: int, *, fill: int) -> Tensor:
    """One row a block, shape (blocks, BLOCK)."""
    room = torch.full((blocks * BLOCK,), fill, dtype=values.dtype, device=values.device)
    room[: len(values)] = values
    return room.view(blocks, BLOCK)


def _ordered(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """For each row how many are chosen, and their numbers first: shapes (1, 1, rows) and (1, 1, rows, columns)."""
    counts = chosen.sum(1, dtype=torch.int32)
    order = torch.argsort(chosen.to(torch.int8), dim=1, descending=True, stable=True).to(torch.int32)
    return counts[None, None], order[None, None].contiguous()


def _rule(position: Tensor, subtree_end: Tensor, window: int | None) -> Callable[..., Tensor]:
    back = len(position) if window is None else window

    def ancestor(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001
        return (key <= query) & (query < subtree_end[key])

    def near_ancestor(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return ancestor(batch, head, query, key) & (position[query] - position[key] < back)

    return ancestor if window is None else near_ancestor


def attend(query: Tensor, key: Tensor, value: Tensor, plan: FlexPlan, scores: Scores) -> Tensor:
    """Attention of a flat row.

    Args:
        query: shape (1, heads, tokens, head_dim).
        key, value: shape (1, key_value_heads, tokens, head_dim).
        plan: of the batch.
        scores: how much each query heeds each key.
    Returns:
        Shape (1, tokens, heads, head_dim).
    """
    if torch.is_autocast_enabled(query.device.type):  # rotary embeddings may leave some of the three in float32
        dtype = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    grouped = query.shape[1] != key.shape[1]
    settings: dict[str, Any] = {
        "score_mod": None if scores.softcap is None else _capped(scores.softcap),
        "block_mask": plan.mask(scores.window),
        "scale": scores.scaling,
        "enable_gqa": grouped,
    }
    out: Tensor
    if scores.sinks is None:
        out = _computed(query, key, value, **settings)
    else:
        out, more = _computed(query, key, value, **settings, return_aux=AuxRequest(lse=True))
        # A sink adds to what the weights are divided by, and nothing to what they are summed up to.
        share = torch.sigmoid(more.lse - scores.sinks.to(more.lse.dtype).view(1, -1, 1))
        out = out * share[..., None].to(out.dtype)
    return out.transpose(1, 2).contiguous()


@cache
def _capped(softcap: float) -> Callable[..., Tensor]:
    def capped(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001
        return softcap * torch.tanh(score / softcap)

    return capped


def _computed(query: Tensor, key: Tensor, value: Tensor, **settings: Any) -> Any:
    """What the kernel gives.

    Raises:
        RunError: it was compiled for as many kinds of batches as it may be. What torch would do then, attention written
            out over all pairs of tokens, takes memory by the square of the length.
    """
    try:
        return _kernel(query.device.type)(query, key, value, **settings)
    except FailOnRecompileLimitHit as error:
        raise RunError(
            f"FlexAttention was compiled {COMPILED} times, and this batch would need another kernel.",
            where=f"attention over {query.shape[2]:,} tokens",
            fix="set train.path=padded, and report it with your model's name: one kernel should do for many lengths",
        ) from error


@cache
def _kernel(device: str) -> Callable[..., Any]:
    """FlexAttention as it runs on a kind of device; on a CPU it is not compiled, and has no backward pass."""
    plain: Any = flex_attention
    return compiled() if device == "cuda" else plain


def compiled(backend: str | Callable[..., Any] = "inductor") -> Callable[..., Any]:
    """FlexAttention compiled for all lengths at once, whole or not at all; the limit is of this function alone.

    Args:
        backend: of `torch.compile`.
    """
    compile_whole: Any = torch.compile  # its stated types lack the limit
    found: Callable[..., Any] = compile_whole(
        flex_attention, dynamic=True, fullgraph=True, recompile_limit=COMPILED, backend=backend
    )
    return found
