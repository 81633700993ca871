"""Attention over a tree batch, for models that attend through the attention interface of `transformers`.

The linear layers of a model see one flat row of tokens. On a CPU attention sees one branch of a tree at a time, with
the path that leads to it, so that no time goes into pairs of tokens of which one is not an ancestor of the other; on a
GPU one kernel skips what is empty (`flex_attention.py`). It is registered with `transformers` under a name of its own,
as their interface provides, and a model is set to it for the length of a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel
from transformers.modeling_utils import AttentionInterface

from tiebreak.engine.batch import Branch, TreeBatch
from tiebreak.engine.flex_attention import FlexPlan, Scores, attend, flex_plan_of, runs_here

NAME = "tiebreak_tree"


class TreesUnsupported(Exception):
    """The model asks attention for something that the tree path does not compute."""


@dataclass(frozen=True)
class TreePlan:
    """What attention needs to know of a tree batch.

    Attributes:
        branches: the flat row cut into branches, in order.
        masks: for each branch, which of its tokens may attend to which of its path and itself, shape
            (length, depth + length), bool; None where the path is no longer than the branch. There attention is plainly
            causal over both, and what it says of the path again is thrown away: half of a square is no larger.
    """

    branches: tuple[Branch, ...]
    masks: tuple[Tensor | None, ...]


Kernel = Literal["branches", "flex"]


def plan_of(batch: TreeBatch, kernel: Kernel | None = None) -> TreePlan | FlexPlan:
    """Work out who attends to whom once a batch, for all layers.

    Args:
        batch: on the model's device.
        kernel: branch by branch, or all at once by FlexAttention; None is what is fast on the device.
    """
    device = batch.input_ids.device
    if kernel == "flex" or (kernel is None and runs_here(device)):
        return flex_plan_of(batch)
    return TreePlan(
        batch.branches,
        tuple(_causal(b, device) if b.depth > b.stop - b.start else None for b in batch.branches),
    )


def _causal(branch: Branch, device: torch.device, window: int | None = None) -> Tensor:
    """Who attends to whom: ancestors only, and where there is a window, near ones only."""
    length = branch.stop - branch.start
    mask = torch.ones(length, branch.depth + length, dtype=torch.bool, device=device).tril(branch.depth)
    return mask if window is None else mask.triu(branch.depth - window + 1)


def tree_attention(
    module: nn.Module,  # noqa: ARG001  the interface passes it
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    tree: TreePlan | FlexPlan | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention along the branches of the trees of a flat row.

    Args:
        module: the attention layer; not used beyond what the interface passes.
        query: shape (1, heads, tokens, head_dim).
        key, value: shape (1, key_value_heads, tokens, head_dim).
        attention_mask: must be None; the plan says who attends to whom.
        scaling: factor of the scores; None is 1 / sqrt(head_dim).
        dropout: must be 0.
        tree: the plan of the batch.
        sliding_window: tokens a query may look back, itself included, along its own path.
        softcap: scores are bent to stay between this and its negative (Gemma 2); None is no cap.
        s_aux: sinks (GPT-OSS): scores of one more key without a value for each head, shape (heads,); None is none.
        more: what else the interface passes; of it, no tensor may be about who attends to whom.
    Returns:
        Attention output, shape (1, tokens, heads, head_dim), and None for the weights.
    Raises:
        TreesUnsupported: the model asks for something else than what is computed here.
    """
    if tree is None:
        raise TreesUnsupported("the model does not hand extra arguments to its attention")
    if attention_mask is not None or dropout:
        raise TreesUnsupported("the model needs a mask of its own or dropout in attention")
    unknown = sorted(name for name, given in more.items() if isinstance(given, Tensor) and name not in _OF_NO_CONCERN)
    if unknown:
        raise TreesUnsupported(f"the model asks its attention for more than trees compute: {', '.join(unknown)}")
    scores = Scores(scaling, sliding_window, softcap, s_aux)
    if isinstance(tree, FlexPlan):
        return attend(query, key, value, tree, scores), None
    if query.device.type == "cpu" and query.dtype != torch.float32:
        # The kernels for bfloat16 cast block by block, which takes longer than the products save.
        with torch.autocast("cpu", enabled=False):
            wide = _attend(query.float(), key.float(), value.float(), tree, scores)
        return wide.to(query.dtype), None
    return _attend(query, key, value, tree, scores), None


# Tensors that come along to every attention and say nothing that the plan does not.
_OF_NO_CONCERN = {"position_ids", "cache_position", "logits_to_keep", "cu_seq_lens_q", "cu_seq_lens_k"}


def _attend(query: Tensor, key: Tensor, value: Tensor, tree: TreePlan, scores: Scores) -> Tensor:
    repeat = query.shape[1] // key.shape[1]
    if repeat > 1:
        key, value = key.repeat_interleave(repeat, dim=1), value.repeat_interleave(repeat, dim=1)
    lengths = [branch.stop - branch.start for branch in tree.branches]
    queries, keys, values = (torch.split(x, lengths, dim=2) for x in (query, key, value))
    parts = []
    for number, (branch, mask) in enumerate(zip(tree.branches, tree.masks, strict=True)):
        if scores.window is not None and branch.depth + lengths[number] > scores.window:
            mask = _causal(branch, query.device, scores.window)
        ahead, told = _along(branch, number, keys), _along(branch, number, values)
        if not scores.plain:
            mask = _causal(branch, query.device) if mask is None else mask
            parts.append(_written_out(queries[number], ahead, told, mask, scores))
            continue
        along = _along(branch, number, queries) if mask is None else queries[number]
        out = scaled_dot_product_attention(
            along, ahead, told, attn_mask=mask, is_causal=mask is None, scale=scores.scaling
        )
        parts.append(out[:, :, -lengths[number] :])
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous()


def _written_out(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scores: Scores) -> Tensor:
    """Attention step by step, for scores that no kernel of torch computes on a CPU."""
    scaling = query.shape[-1] ** -0.5 if scores.scaling is None else scores.scaling
    found = query @ key.transpose(-1, -2) * scaling
    if scores.softcap is not None:
        found = scores.softcap * torch.tanh(found / scores.softcap)
    found = found.masked_fill(~mask, float("-inf"))
    if scores.sinks is None:
        return torch.softmax(found, dim=-1) @ value
    sinks = scores.sinks.to(found.dtype).view(1, -1, 1, 1).expand(*found.shape[:-1], 1)
    return torch.softmax(torch.cat([found, sinks], dim=-1), dim=-1)[..., :-1] @ value


def _along(branch: Branch, number: int, pieces: tuple[Tensor, ...]) -> Tensor:
    """What a branch can see: its path from the root, then itself."""
    if not branch.path:
        return pieces[number]
    return torch.cat([*(pieces[i][:, :, :count] for i, count in branch.path), pieces[number]], dim=2)


AttentionInterface.register(NAME, tree_attention)


@contextmanager
def attending_to_trees(model: PreTrainedModel) -> Iterator[None]:
    """Within the block, the model's attention is set to `tiebreak_tree`; after it, to what it was.

    Within such a block another one does nothing, so that around a step it is set once.

    Raises:
        TreesUnsupported: the model does not let its attention be chosen.
    """
    before = [(config, config._attn_implementation) for config in _configs(model.config)]
    if all(name == NAME for _, name in before):  # by a block around this one; to set it looks at every module
        yield
        return
    try:
        try:
            model.set_attn_implementation(NAME)
        except (ValueError, KeyError, NotImplementedError) as error:
            raise TreesUnsupported(f"the model does not let its attention be chosen: {error}") from error
        if model.config.get_text_config()._attn_implementation != NAME:
            raise TreesUnsupported("the model does not let its attention be chosen")
        yield
    finally:
        for config, name in before:  # its parts' come after a model's own, which sets theirs too
            config._attn_implementation = name


def _configs(config: Any) -> Iterator[Any]:
    """The configuration of a model, then those of its parts, each with an attention of its own."""
    yield config
    for key in getattr(config, "sub_configs", None) or {}:
        part = getattr(config, key, None)
        if part is not None:
            yield from _configs(part)
