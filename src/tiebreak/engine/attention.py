"""Attention over a tree batch, for models that attend through the attention interface of `transformers`.

The linear layers of a model see one flat row of tokens; attention sees one tree at a time, so that no time goes into
pairs of tokens of different trees. Registered under a name of its own and switched on for the length of a block.
Only the attention of the model changes: nothing in a model's code is patched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel
from transformers.modeling_utils import AttentionInterface

from tiebreak.engine.tree import TreeBatch

NAME = "tiebreak_tree"


class TreesUnsupported(Exception):
    """The model asks attention for something that the tree path does not compute."""


@dataclass(frozen=True)
class TreePlan:
    """What attention needs to know of a tree batch.

    Attributes:
        trees: start and end of each tree in the flat row.
        position: depth of each token, shape (tokens,).
        masks: for each tree, which token may attend to which, shape (length, length), bool;
            None for a tree without branches, where attention is plainly causal.
    """

    trees: tuple[tuple[int, int], ...]
    position: Tensor
    masks: tuple[Tensor | None, ...]


def plan_of(batch: TreeBatch) -> TreePlan:
    """Work out the masks once a batch, for all layers."""
    masks: list[Tensor | None] = []
    for start, stop in batch.trees:
        end = batch.subtree_end[start:stop]
        if int(end.min()) == stop:  # every subtree reaches the end: one chain
            masks.append(None)
            continue
        index = torch.arange(start, stop, device=end.device)
        masks.append((index[:, None] >= index[None, :]) & (index[:, None] < end[None, :]))
    return TreePlan(batch.trees, batch.position, tuple(masks))


def tree_attention(
    module: nn.Module,  # noqa: ARG001  the interface passes it
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    tree: TreePlan | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention within each tree of a flat row.

    Args:
        module: the attention layer; not used beyond what the interface passes.
        query: shape (1, heads, tokens, head_dim).
        key, value: shape (1, key_value_heads, tokens, head_dim).
        attention_mask: must be None; the plan says who attends to whom.
        scaling: factor of the scores; None is 1 / sqrt(head_dim).
        dropout: must be 0.
        tree: the plan of the batch.
        sliding_window: tokens a query may look back, itself included, counted along its own branch.
        softcap, s_aux: features of some models that are not computed here.
    Returns:
        Attention output, shape (1, tokens, heads, head_dim), and None for the weights.
    Raises:
        TreesUnsupported: the model asks for something else than what is computed here.
    """
    if tree is None:
        raise TreesUnsupported("the model does not hand extra arguments to its attention")
    if attention_mask is not None or softcap is not None or s_aux is not None or dropout:
        raise TreesUnsupported("the model needs a mask of its own, capped scores, sinks or dropout in attention")
    repeat = query.shape[1] // key.shape[1]
    if repeat > 1:
        key, value = key.repeat_interleave(repeat, dim=1), value.repeat_interleave(repeat, dim=1)
    parts = []
    for (start, stop), mask in zip(tree.trees, tree.masks, strict=True):
        if sliding_window is not None and stop - start > sliding_window:
            mask = _within_window(mask, tree.position[start:stop], sliding_window)
        parts.append(
            scaled_dot_product_attention(
                query[:, :, start:stop],
                key[:, :, start:stop],
                value[:, :, start:stop],
                attn_mask=mask,
                is_causal=mask is None,
                scale=scaling,
            )
        )
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


def _within_window(mask: Tensor | None, position: Tensor, window: int) -> Tensor:
    if mask is None:
        mask = torch.ones(len(position), len(position), dtype=torch.bool, device=position.device).tril()
    # Along one branch a token's depth is its place in the sequence, so depths measure the distance.
    return mask & (position[:, None] - position[None, :] < window)


AttentionInterface.register(NAME, tree_attention)


@contextmanager
def attending_to_trees(model: PreTrainedModel) -> Iterator[None]:
    """Within the block, the model attends by tree; after it, as before.

    Raises:
        TreesUnsupported: the model does not let its attention be chosen.
    """
    before = model.config._attn_implementation
    try:
        model.set_attn_implementation(NAME)
    except (ValueError, KeyError, NotImplementedError) as error:
        raise TreesUnsupported(f"the model does not let its attention be chosen: {error}") from error
    if model.config._attn_implementation != NAME:
        raise TreesUnsupported("the model does not let its attention be chosen")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
