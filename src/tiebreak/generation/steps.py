"""The next token's logits of several texts at once, each with its own keys and values, the same to the bit as alone.

A text is computed in a shape that does not depend on its company. Its prompt runs through the model by itself. After
that the linear layers see one token of each text, always in the same number of rows, idle rows included, and
attention goes from row to row, each over exactly its own keys. Nothing is padded, and a text can join or leave
between any two steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import DynamicCache, PreTrainedModel
from transformers.modeling_utils import AttentionInterface

from tiebreak.engine.lm_head import plain_head

NAME = "tiebreak_steps"


class StepsUnsupported(Exception):
    """The model asks attention for something that the steps do not compute."""


class SequenceState(Protocol):
    """What a model remembers of a text."""

    length: int


class Steps(Protocol):
    """A model that goes on with several texts, a token each at a time."""

    rows: int
    model: Any

    @property
    def head(self) -> nn.Linear | None:
        """The model's LM head, where it can be done apart."""
        ...

    def prefill(self, ids: Sequence[int], capacity: int) -> tuple[SequenceState, Tensor]:
        """Read a prompt.

        Args:
            ids: its tokens, at least one.
            capacity: longest prompt and answer together, in tokens.
        Returns:
            The state of the text, and the logits of its next token, shape (vocabulary,).
        """
        ...

    def step(self, states: Sequence[SequenceState], tokens: Sequence[int]) -> Tensor:
        """Add a token to each text.

        Args:
            states: at most `rows`.
            tokens: one for each.
        Returns:
            Logits of the tokens after those, shape (states, vocabulary).
        """
        ...

    def whole(self, ids: Sequence[int]) -> Tensor:
        """Read a text, and remember nothing of it.

        Returns:
            What the model gives after each token: logits, shape (tokens, vocabulary), or hidden states where its LM
            head is taken off.
        """
        ...


class KVCache:
    """Keys and values of one text, layer by layer; room for the whole text is taken at once.

    Args:
        capacity: longest text, in tokens.
    Attributes:
        length: tokens whose keys and values are stored in every layer.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    def add(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store what a layer computed for the newest tokens.

        Args:
            layer: number of the layer.
            key, value: shape (1, key_value_heads, new, head_dim).
        Returns:
            All keys and values of the text, new ones included, shape (1, key_value_heads, length + new, head_dim).
        """
        if layer not in self._layers:
            shapes = [(*x.shape[:2], self.capacity, x.shape[-1]) for x in (key, value)]
            self._layers[layer] = (key.new_empty(shapes[0]), value.new_empty(shapes[1]))
        keys, values = self._layers[layer]
        end = self.length + key.shape[2]
        keys[:, :, self.length : end] = key
        values[:, :, self.length : end] = value
        return keys[:, :, :end], values[:, :, :end]


def steps_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    texts: Sequence[KVCache] | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_bias: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of each row over the keys of its own text.

    Args:
        module: the attention layer, which knows its number.
        query: shape (rows, heads, new, head_dim); `new` is 1 unless there is one row.
        key, value: of the new tokens, shape (rows, key_value_heads, new, head_dim).
        attention_mask: must be None.
        scaling: factor of the scores; None is 1 / sqrt(head_dim).
        dropout: must be 0.
        texts: those of the first rows; rows after them are idle, and what they give is 0.
        sliding_window: tokens a query may look back, itself included.
        softcap, s_aux, position_bias: features of some models that are not computed here.
    Returns:
        Attention output, shape (rows, new, heads, head_dim), and None for the weights.
    Raises:
        StepsUnsupported: the model asks for something else than what is computed here.
    """
    layer = getattr(module, "layer_idx", None)
    if texts is None or layer is None:
        raise StepsUnsupported(
            "the model does not hand extra arguments to its attention, or does not number its layers"
        )
    if attention_mask is not None or softcap is not None or s_aux is not None or position_bias is not None or dropout:
        raise StepsUnsupported(
            "the model needs a mask of its own, capped scores, sinks, biases or dropout in attention"
        )
    out = query.new_zeros(query.shape[0], query.shape[2], query.shape[1], value.shape[-1])
    grouped = query.shape[1] != key.shape[1]
    for row, text in enumerate(texts):
        one = slice(row, row + 1)
        keys, values = text.add(layer, key[one], value[one])
        mask = None
        if sliding_window is not None and keys.shape[2] > sliding_window:
            keys, values, mask = _near(keys, values, query.shape[2], sliding_window)
        out[one] = scaled_dot_product_attention(
            query[one],
            keys,
            values,
            attn_mask=mask,
            is_causal=mask is None and query.shape[2] > 1,
            scale=scaling,
            enable_gqa=grouped,
        ).transpose(1, 2)
    return out, None


def _near(keys: Tensor, values: Tensor, new: int, window: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Where a layer looks back only so far: the keys in sight, and a mask if the new tokens are several."""
    if new == 1:
        return keys[:, :, -window:], values[:, :, -window:], None
    mask = torch.ones(new, keys.shape[2], dtype=torch.bool, device=keys.device).tril(keys.shape[2] - new)
    return keys, values, mask.triu(keys.shape[2] - new - window + 1)


AttentionInterface.register(NAME, steps_attention)


class BatchedSteps:
    """Several texts a step.

    Args:
        model: in evaluation mode, on its device; its attention is exchanged for good.
        rows: texts a step.
    Raises:
        StepsUnsupported: the model does not let its attention be chosen.
    """

    def __init__(self, model: PreTrainedModel, rows: int) -> None:
        self._head = plain_head(model)  # asks the model, so before its attention is another
        try:
            model.set_attn_implementation(NAME)
        except (ValueError, KeyError, NotImplementedError) as error:
            raise StepsUnsupported(f"the model does not let its attention be chosen: {error}") from error
        if model.config._attn_implementation != NAME:
            raise StepsUnsupported("the model does not let its attention be chosen")
        self.model: Any = model
        self.rows = rows

    @property
    def head(self) -> nn.Linear | None:
        """As in `Steps`."""
        return self._head

    @torch.inference_mode()
    def prefill(self, ids: Sequence[int], capacity: int) -> tuple[KVCache, Tensor]:
        """As in `Steps`."""
        text = KVCache(capacity)
        row = torch.tensor([list(ids)], device=self.model.device)
        position = torch.arange(len(ids), device=row.device)[None]
        logits = self._forward(row, position, [text])[0]
        text.length = len(ids)
        return text, logits

    @torch.inference_mode()
    def step(self, states: Sequence[Any], tokens: Sequence[int]) -> Tensor:
        """As in `Steps`; the states are `KVCache`."""
        idle = [0] * (self.rows - len(states))
        rows = torch.tensor([*tokens, *idle], device=self.model.device)[:, None]
        position = torch.tensor([*(state.length for state in states), *idle], device=rows.device)[:, None]
        logits = self._forward(rows, position, states)[: len(states)]
        for state in states:
            state.length += 1
        return logits

    @torch.inference_mode()
    def whole(self, ids: Sequence[int]) -> Tensor:
        """As in `Steps`."""
        row = torch.tensor([list(ids)], device=self.model.device)
        position = torch.arange(len(ids), device=row.device)[None]
        out = self.model(input_ids=row, position_ids=position, use_cache=False, texts=[KVCache(len(ids))])
        logits: Tensor = out.logits[0]
        return logits

    def _forward(self, rows: Tensor, position: Tensor, texts: Sequence[KVCache]) -> Tensor:
        out = self.model(input_ids=rows, position_ids=position, use_cache=False, logits_to_keep=1, texts=texts)
        logits: Tensor = out.logits[:, -1]
        return logits


# What models call the memory of a text among the arguments of `forward` and in what it returns: keys and values, the
# state of a state-space model, that of RWKV.
_CACHES = ("past_key_values", "cache_params", "state")


class OwnCache:
    """A text in the form in which the model's own code remembers it.

    Attributes:
        length: tokens so far.
        cache: what the model gave back, to be handed in again; None before the first token.
        ids: all tokens, for a model that gives nothing back.
    """

    def __init__(self) -> None:
        self.length = 0
        self.cache: Any = None
        self.ids: list[int] = []


class SequentialSteps:
    """One text after the other, by the model's own code: for models that the other way does not compute alike.

    A model that takes or gives no memory of a text under a name known here is given the whole text at each step.

    Args:
        model: in evaluation mode, on its device.
        rows: texts a step.
    """

    def __init__(self, model: PreTrainedModel, rows: int) -> None:
        self.model: Any = model
        self.rows = rows
        taken = inspect.signature(model.forward).parameters
        self._cache_name = next((name for name in _CACHES if name in taken), None)
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in taken else {}

    @property
    def head(self) -> nn.Linear | None:
        """As in `Steps`."""
        return plain_head(self.model)

    @torch.inference_mode()
    def prefill(self, ids: Sequence[int], capacity: int) -> tuple[OwnCache, Tensor]:
        """As in `Steps`."""
        text = OwnCache()
        if self._cache_name == "past_key_values":
            text.cache = DynamicCache(config=self.model.config)
        return text, self._forward(text, list(ids))

    @torch.inference_mode()
    def step(self, states: Sequence[Any], tokens: Sequence[int]) -> Tensor:
        """As in `Steps`; the states are `OwnCache`s."""
        return torch.stack([self._forward(state, [token]) for state, token in zip(states, tokens, strict=True)])

    @torch.inference_mode()
    def whole(self, ids: Sequence[int]) -> Tensor:
        """As in `Steps`."""
        logits: Tensor = self.model(input_ids=torch.tensor([list(ids)], device=self.model.device)).logits[0]
        return logits

    def _forward(self, text: OwnCache, ids: list[int]) -> Tensor:
        text.length += len(ids)
        text.ids += ids
        if self._cache_name is None:
            out = self.model(input_ids=torch.tensor([text.ids], device=self.model.device), **self._last_only)
        else:
            row = torch.tensor([ids], device=self.model.device)
            known = {} if text.cache is None else {self._cache_name: text.cache}
            out = self.model(input_ids=row, use_cache=True, **known, **self._last_only)
            text.cache = getattr(out, self._cache_name, None)
            if text.cache is None:
                self._cache_name = None
        logits: Tensor = out.logits[0, -1]
        return logits
