"""How large a model and its training are, worked out from its configuration: parameters, FLOPs, bytes by part.

Arithmetic alone: nothing is loaded or measured, and no torch is imported. Parameters are exact for the families whose
peculiarities stand here, and otherwise those of the usual decoder. Bytes of activations are an estimate: what PyTorch
keeps for the backward pass, without buffers that come and go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

_HIDDEN = ("hidden_size", "n_embd", "d_model", "dim")
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
_INNER = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "ffn_dim_multiplier")
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
# Of two matrices in the middle, with biases everywhere and layer norms that have one: the form of GPT-2.
_OF_GPT2 = frozenset({"gpt2", "gpt_neo", "gpt_neox", "gptj", "opt", "bloom", "phi", "gpt_bigcode", "codegen", "biogpt"})
_LEARNED = frozenset({"gpt2", "gpt_neo", "opt", "gpt_bigcode", "biogpt"})
_UNGATED = _OF_GPT2 | {"falcon", "starcoder2", "mpt", "nemotron"}
_QKV_BIAS = frozenset({"qwen2", "qwen2_moe"})
_QK_NORM = frozenset({"qwen3", "qwen3_moe", "gemma3", "gemma3_text"})
_FOUR_NORMS = frozenset({"gemma2", "gemma3", "gemma3_text"})

Arithmetic = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Shape:
    """The numbers of a decoder that its size follows from.

    Attributes:
        family: `model_type` of the configuration.
        hidden, layers, vocabulary: width, depth, rows of the embeddings.
        heads, kv_heads, head: attention heads, those of keys and values, width of one.
        inner: width of the middle of a block, or of one expert.
        positions: rows of learned positions; 0 where they are turned or added otherwise.
        tied: the LM head is the embeddings.
        gated: three matrices in the middle of a block and not two.
        experts, used: experts of a block, and how many a token sees; 1 and 1 where there are none.
        shared: width of the expert that every token sees besides; 0 where there is none.
        attention_bias, middle_bias: of the linear layers, beyond what the family has.
    """

    family: str
    hidden: int
    layers: int
    vocabulary: int
    heads: int
    kv_heads: int
    head: int
    inner: int
    positions: int
    tied: bool
    gated: bool
    experts: int
    used: int
    shared: int
    attention_bias: bool
    middle_bias: bool

    @property
    def attention(self) -> int:
        """Parameters of the matrices of one block's attention."""
        return self.hidden * self.head * (2 * self.heads + 2 * self.kv_heads)

    @property
    def expert(self) -> int:
        """Parameters of the matrices of one expert, or of the middle where there is one."""
        return (3 if self.gated else 2) * self.hidden * self.inner

    @property
    def shared_expert(self) -> int:
        """Parameters of the matrices of the expert that every token sees."""
        return (3 if self.gated else 2) * self.hidden * self.shared

    @property
    def router(self) -> int:
        """Parameters of what chooses the experts of one block."""
        return self.hidden * self.experts if self.experts > 1 else 0

    @property
    def embeddings(self) -> int:
        """Parameters of the embeddings and, where it is apart, of the LM head."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def small(self) -> int:
        """Parameters of norms, biases and learned positions, of the whole model."""
        like_gpt2 = self.family in _OF_GPT2
        norm = self.hidden * (2 if like_gpt2 or self.family in ("falcon", "starcoder2", "stablelm") else 1)
        norms = {"gptj": 1, "phi": 1, "codegen": 1, "falcon": 1}.get(
            self.family, 4 if self.family in _FOUR_NORMS else 2
        )
        block = norms * norm + (2 * self.head if self.family in _QK_NORM else 0)
        if self.family in ("olmo2", "olmo3"):  # over all heads at once
            block += self.head * (self.heads + self.kv_heads)
        if self.family == "gpt_oss":  # biases of experts and router, and a sink for each head
            block += self.experts * (2 * self.inner + self.hidden + 1) + self.heads
        qkv, out = self.head * (self.heads + 2 * self.kv_heads), self.hidden
        bias_everywhere = like_gpt2 and self.family not in ("gptj", "codegen", "gpt_neo")
        if self.family in _QKV_BIAS:
            block += qkv
        elif self.attention_bias or bias_everywhere:
            block += qkv + out
        elif self.family == "gpt_neo":
            block += out
        if self.middle_bias or like_gpt2:
            block += self.hidden + self.inner * (2 if self.gated else 1)
        block += self.hidden if self.family == "qwen2_moe" else 0  # the gate of its shared expert
        head_bias = self.vocabulary if self.family in ("phi", "gptj", "codegen") else 0
        first_norm = norm if self.family == "bloom" else 0
        return self.layers * block + norm + first_norm + self.positions * self.hidden + head_bias

    @property
    def matrices(self) -> int:
        """Parameters of the matrices of all blocks."""
        block = self.attention + self.experts * self.expert + self.shared_expert + self.router
        return self.layers * block

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.embeddings + self.matrices + self.small

    @property
    def used_matrices(self) -> int:
        """Parameters of the matrices that one token goes through, the LM head aside."""
        block = self.attention + self.used * self.expert + self.shared_expert + self.router
        return self.layers * block

    def adapter_parameters(self, rank: int, *, dora: bool = False) -> int:
        """Parameters of a low-rank adapter at every linear layer of the blocks."""
        wide, kv = self.head * self.heads, self.head * self.kv_heads
        shapes = [(self.hidden, wide), (self.hidden, kv), (self.hidden, kv), (wide, self.hidden)]
        if self.experts == 1:
            shapes += [(self.hidden, self.inner)] * (2 if self.gated else 1) + [(self.inner, self.hidden)]
        if self.family in ("gpt2", "gpt_neox", "bloom", "gpt_bigcode"):  # one layer makes queries, keys and values
            shapes = [(self.hidden, wide + 2 * kv), *shapes[3:]]
        return self.layers * sum(rank * (into + out) + (out if dora else 0) for into, out in shapes)


def shape_of(config: Mapping[str, Any]) -> Shape | None:
    """The shape of the model of a configuration; None where that lacks what is needed, or is of another kind.

    Args:
        config: as `config.json` has it; written out in full where it can be, since defaults are not known here.
    """
    config = config.get("text_config") or config
    hidden, layers, heads = _first(config, _HIDDEN), _first(config, _LAYERS), _first(config, _HEADS)
    vocabulary = _first(config, ("vocab_size",))
    if not (hidden and layers and heads and vocabulary):
        return None
    family = str(config.get("model_type", ""))
    experts, expert_width = _first(config, _EXPERTS) or 1, _first(config, ("moe_intermediate_size",))
    inner = _first(config, _INNER) or 4 * hidden
    grouped = _first(config, ("num_key_value_heads",)) or (1 if config.get("multi_query") else heads)
    return Shape(
        family=family,
        hidden=hidden,
        layers=layers,
        vocabulary=vocabulary,
        heads=heads,
        kv_heads=grouped,
        head=_first(config, ("head_dim",)) or hidden // heads,
        inner=(expert_width or inner) if experts > 1 else inner,
        positions=_positions(config, family),
        tied=bool(config.get("tie_word_embeddings", True)),
        gated=family not in _UNGATED,
        experts=experts,
        used=(_first(config, ("num_experts_per_tok",)) or 1) if experts > 1 else 1,
        shared=_first(config, ("shared_expert_intermediate_size",)) or 0,
        attention_bias=bool(config.get("attention_bias", False)),
        middle_bias=bool(config.get("mlp_bias", False) or (family == "starcoder2" and config.get("use_bias", True))),
    )


def _positions(config: Mapping[str, Any], family: str) -> int:
    if family not in _LEARNED:
        return 0
    rows = _first(config, ("n_positions", "max_position_embeddings")) or 0
    return rows + (2 if family in ("opt", "biogpt") else 0)


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    found = next((config[name] for name in names if config.get(name) is not None), None)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


@dataclass(frozen=True)
class TrainingSize:
    """The memory of a run by part, in bytes; an estimate.

    Attributes:
        weights: of the model, a live reference and copies in the type of the arithmetic included.
        gradients, optimizer: of what is trained.
        a_token: activations of one token of a micro-batch.
        checkpoint: of one checkpoint on the disk.
        model: of the finished model on the disk.
    """

    weights: int
    gradients: int
    optimizer: int
    a_token: int
    checkpoint: int
    model: int

    @property
    def fixed(self) -> int:
        """What is there whatever the micro-batch."""
        return self.weights + self.gradients + self.optimizer


def training_size(
    shape: Shape,
    *,
    parameters: int | None = None,
    trained: int | None = None,
    weight_bytes: int = 4,
    quantized_bytes: float | None = None,
    arithmetic: Arithmetic = "fp32",
    live_reference: bool = False,
    recomputed: bool = False,
) -> TrainingSize:
    """The memory that training takes, by part.

    Args:
        shape: of the model.
        parameters: of the model, where they were counted; None is as the shape says.
        trained: parameters that are trained; None is all of them, else those of an adapter.
        weight_bytes: of one weight that is held.
        quantized_bytes: of one weight of the blocks' matrices, where those are quantized.
        arithmetic: of the passes; in bf16 there are copies of the matrices.
        live_reference: a second model is in memory.
        recomputed: with gradient checkpointing.
    """
    whole = shape.parameters if parameters is None else parameters
    adapter = trained is not None
    learned = trained if trained is not None else whole
    if quantized_bytes is None:
        model = whole * weight_bytes
    else:
        model = round(shape.matrices * quantized_bytes) + max(0, whole - shape.matrices) * weight_bytes
    copies = 2 * (shape.matrices + shape.embeddings) if arithmetic == "bf16" and weight_bytes > 2 else 0
    held = model * (2 if live_reference and not adapter else 1) + (learned * 4 if adapter else 0) + copies
    trained_bytes = 4 if adapter else weight_bytes
    return TrainingSize(
        weights=held,
        gradients=learned * trained_bytes,
        optimizer=2 * learned * trained_bytes,
        a_token=activation_bytes(shape, arithmetic=arithmetic, recomputed=recomputed),
        checkpoint=3 * learned * trained_bytes,
        model=learned * trained_bytes,
    )


def activation_bytes(shape: Shape, *, arithmetic: Arithmetic = "fp32", recomputed: bool = False) -> int:
    """What is kept of one token for the backward pass, in bytes.

    Of each block: the inputs of its two norms and what these give, queries, keys, values and what attention gives, and
    the middle with its activation; of the whole, the log-probs and logits of one prediction in float32.

    Args:
        shape: of the model.
        arithmetic: of the passes.
        recomputed: with gradient checkpointing only a block's input is kept, and one block at a time is whole.
    """
    size = 2 if arithmetic == "bf16" else 4
    middle = shape.inner * shape.used + shape.shared
    heads = shape.head * (2 * shape.heads + 2 * shape.kv_heads)
    block = size * (2 * shape.hidden + heads + (4 if shape.gated else 3) * middle) + 4 * 2 * shape.hidden
    blocks = shape.layers * 4 * shape.hidden + block if recomputed else shape.layers * block
    return blocks + 2 * 4 * shape.vocabulary


def forward_flops(shape: Shape, tokens: int) -> int:
    """FLOPs of a forward pass over so many tokens, that of attention aside."""
    return 2 * (shape.used_matrices + shape.vocabulary * shape.hidden) * tokens


def training_flops(shape: Shape, tokens: int, *, adapter: bool = False, recomputed: bool = False) -> int:
    """FLOPs of forward and backward passes over so many tokens.

    Args:
        shape: of the model.
        tokens: that are seen, with every pass over the data counted.
        adapter: the weights are frozen, and the backward pass computes no gradients for them.
        recomputed: with gradient checkpointing, which goes forward twice.
    """
    return forward_flops(shape, tokens) * (2 + (0 if adapter else 1) + (1 if recomputed else 0))
