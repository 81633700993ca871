"""Which way of computing several texts a model is given: that of all together, where it is proven on the model itself.

Two things are looked at when a model is loaded: whether the steps give the logits of a plain forward pass, and whether
a text's logits are the same to the bit in every row and in any company. Where either fails, texts are computed one
after the other. So an answer with a seed is always the one that its asker would get alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tiebreak.engine.self_check import look_back_windows
from tiebreak.generation.steps import BatchedSteps, SequentialSteps, Steps, StepsUnsupported
from tiebreak.process.failures import is_device_error, is_out_of_memory, named

logger = logging.getLogger(__name__)

# Largest difference of a log-probability from a plain forward pass, in nats.
_TOLERANCE = {torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 2e-1}
_PROMPT, _ANSWER = 11, 3
_LONGEST = 640  # a window that is longer than this is not looked beyond


@dataclass(frozen=True)
class Chosen:
    """The way a model takes.

    Attributes:
        steps: ready to be used.
        together: whether several texts share a step.
        reason: one sentence, for the user.
    """

    steps: Steps
    together: bool
    reason: str


@torch.inference_mode()
def choose_steps(model: PreTrainedModel, rows: int) -> Chosen:
    """Check a model and choose.

    Args:
        model: in evaluation mode, on its device.
        rows: texts a step.
    """
    before = model.config._attn_implementation
    ids = _check_ids(model)
    plain = _plain_logps(model, ids)
    try:
        steps = BatchedSteps(model, rows)
        difference = _difference(steps, ids, plain)
        same = difference <= _TOLERANCE.get(model.dtype, 1e-3) and _same_in_any_company(steps, ids)
    except (StepsUnsupported, TypeError, IndexError, RuntimeError) as error:
        if is_out_of_memory(error) or is_device_error(error):
            raise
        if not isinstance(error, StepsUnsupported):
            logger.warning("several texts cannot be computed together, so one goes after the other: %s", named(error))
        _restore(model, before)
        return Chosen(
            SequentialSteps(model, rows), False, f"requests one after the other: {str(error).splitlines()[0][:160]}"
        )
    if not same:
        _restore(model, before)
        what = f"logits differ by {difference:.0e} nats" if difference > 1e-6 else "logits depend on the company"
        return Chosen(SequentialSteps(model, rows), False, f"requests one after the other: together, {what}")
    return Chosen(steps, True, f"up to {rows} requests a step: alike to the bit in any company")


def _restore(model: Any, implementation: str | None) -> None:
    if model.config._attn_implementation != implementation:
        model.set_attn_implementation(implementation)


def _check_ids(model: PreTrainedModel) -> list[int]:
    """Tokens that mean nothing; enough of them to look beyond the windows that the model has."""
    config = model.config.get_text_config()
    windows = [window for window in look_back_windows(config) if window < _LONGEST]
    length = max([_PROMPT, *(window + 2 for window in windows)]) + _ANSWER
    room = getattr(config, "max_position_embeddings", None)
    length = min(length, room) if isinstance(room, int) and room > _ANSWER else length
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, int(config.vocab_size), (length,), generator=generator).tolist()


def _plain_logps(model: Any, ids: list[int]) -> Tensor:
    logits = model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits[0]
    return torch.log_softmax(logits[-_ANSWER - 1 :].float(), dim=-1)


def _difference(steps: BatchedSteps, ids: list[int], plain: Tensor) -> float:
    """Largest difference in nats, with a second text of another length in the next row."""
    text, first = steps.prefill(ids[:-_ANSWER], len(ids))
    states = [steps.prefill(ids[:2], 2 + _ANSWER)[0], text] if steps.rows > 1 else [text]
    found = [first]
    found += [steps.step(states, [token] * len(states))[-1] for token in ids[-_ANSWER:]]
    return float((torch.log_softmax(torch.stack(found).float(), dim=-1) - plain).abs().max())


def _same_in_any_company(steps: BatchedSteps, ids: list[int]) -> bool:
    """Whether one text has the same logits in the first row alone, and in every row beside other texts."""
    prompt, token = ids[:-_ANSWER], ids[-1]
    state, _ = steps.prefill(prompt, len(ids))
    alone = steps.step([state], [token])[0]
    for row in range(steps.rows):
        state.length -= 1  # the step is taken back, and taken again in another row
        others = [steps.prefill(ids[: 1 + other % 3], 4)[0] for other in range(steps.rows - 1)]
        states = [*others[:row], state, *others[row:]]
        tokens = [ids[other % len(ids)] for other in range(steps.rows)]
        tokens[row] = token
        if not torch.equal(steps.step(states, tokens)[row], alone):
            return False
    return True
