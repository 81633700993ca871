"""What a training step can end in, as sentences: a loss that is not finite, an example that does not fit."""

from __future__ import annotations

from collections.abc import Sequence

from tiebreak.errors import RunError
from tiebreak.training.examples import Example

GENTLER = "lower train.learning_rate, or set train.precision=fp32; the last checkpoint is whole"


def not_finite(losses: Sequence[float], examples: Sequence[Example], step: int) -> RunError:
    """The error for a step whose losses, one an example, are not all finite."""
    rows = [str(e.group.row) for e, loss in zip(examples, losses, strict=True) if not abs(loss) < 1e30]
    return RunError(
        f"The loss is not finite at step {step}.",
        where=f"row{'s' if len(rows) > 1 else ''} {', '.join(rows[:10])} of the training data",
        fix=GENTLER,
    )


def does_not_fit(examples: Sequence[Example]) -> RunError:
    """The error for a step of which not even one example fits into memory."""
    longest = max(examples, key=lambda example: example.group.tokens)
    return RunError(
        f"Memory does not suffice for a single example of {longest.group.tokens} tokens.",
        where=f"row {longest.group.row} of the training data",
        fix="set train.gradient_checkpointing=true, lower data.max_length, or set train.precision=bf16",
    )


def first_line(error: BaseException) -> str:
    """What an error of a library says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().split("\n")[0].rstrip(".")
