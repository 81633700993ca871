"""Scores of whole texts by a sequence classifier: one forward pass of a tree batch, to one number a sequence.

A classifier that is made of a causal model reads its logits off the hidden state of a text's last token, by one linear
layer. So what texts share is computed once, as for log-probs. Knows trees alone: padded batches are laid out by whoever
asks, since encoders need more than token ids.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from transformers import PreTrainedModel

from tiebreak.engine.attention import TreesUnsupported, plan_of
from tiebreak.engine.batch import TreeBatch
from tiebreak.engine.logprobs import computing

_LABELS = (1, 2)


@dataclass(frozen=True)
class EndScores:
    """What a forward pass says of each sequence.

    Attributes:
        score: shape (sequences,), float32.
        size: the sizes of all products that a score is the sum of, added up: what its rounding goes by; shape
            (sequences,), float32, no gradient.
    """

    score: Tensor
    size: Tensor


def one_score(logits: Tensor) -> Tensor:
    """The score in the logits of a text: the only one, or of two labels what the second has more than the first.

    Args:
        logits: shape (texts, 1) or (texts, 2).
    Returns:
        Shape (texts,).
    """
    return logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]


def end_scores(model: PreTrainedModel, batch: TreeBatch) -> EndScores:
    """Score the sequences of a tree batch at their last tokens.

    Args:
        model: a sequence classifier of `transformers` with one label or two. It must not be used in another thread.
        batch: on the model's device.
    Raises:
        TreesUnsupported: the model has no linear head over the last token, or its attention cannot do trees.
    """
    head = _head(model)
    with computing(model, batch):
        # Extra keyword arguments reach the attention function; that is how it learns of the trees.
        out = model.base_model(
            input_ids=batch.input_ids[None], position_ids=batch.position[None], use_cache=False, tree=plan_of(batch)
        )
        last: Tensor = out[0][0].index_select(0, batch.last)
        score = one_score(head(last).float())
    size = last.detach().float().abs() @ one_score(head.weight.detach().float().t()).abs()
    return EndScores(score, size)


def _head(model: PreTrainedModel) -> nn.Linear:
    head = getattr(model, "score", None)
    if not isinstance(head, nn.Linear) or head.out_features not in _LABELS:
        raise TreesUnsupported("the model has no linear head over the last token of a text")
    return head
