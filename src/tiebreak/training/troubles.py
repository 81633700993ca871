"""What a training step can end in, as sentences: a loss that is not finite, an error of a library."""

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


def first_line(error: BaseException) -> str:
    """What an error of a library says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().split("\n")[0].rstrip(".")
