"""What an evaluation found: the metrics of a model on preferences, and what stands behind them, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tiebreak.evaluate.breakdown import Breakdown
from tiebreak.evaluate.compare import Difference, difference
from tiebreak.evaluate.measured_pairs import MeasuredPairs
from tiebreak.evaluate.pair_sheet import pair_sheet
from tiebreak.formatting.numbers import DASH, wilson, with_interval
from tiebreak.metrics import ACCURACY, HELD_OUT, Metric, is_tied, shown_in
from tiebreak.report.breakdown import breakdown_rows
from tiebreak.report.notebook import table_html
from tiebreak.runs.manifest import JudgeRecord

if TYPE_CHECKING:
    from datasets import Dataset

    from tiebreak.runs.sheet import Sheet

_SAME = 1e-6  # a mean in single precision against one in double


@dataclass(frozen=True)
class Evaluation:
    """The answer.

    Attributes:
        pairs: pairs that were scored.
        dropped: pairs that were not, by reason.
        reference: what the rewards are measured against, or None.
        metrics: means over the pairs, with the prefix `eval_`.
        judge: verdicts on sampled answers, where the data has a judge.
        model: what was measured.
        breakdown: accuracy with its interval, by slices, at equal lengths, and beside simple rules.
        measured: the figures of each pair.
        texts: the pairs as text, in the same order.
        objective: the loss that was measured, as JSON that two evaluations can be compared by.
        data: the source of the pairs.
    """

    pairs: int
    dropped: dict[str, int]
    reference: str | None
    metrics: dict[str, float]
    judge: JudgeRecord | None
    model: str = ""
    breakdown: Breakdown | None = None
    measured: MeasuredPairs | None = field(default=None, compare=False, repr=False)
    texts: Dataset | None = field(default=None, compare=False, repr=False)
    objective: str = ""
    data: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "model": self.model,
            "pairs": self.pairs,
            "dropped": self.dropped,
            "reference": self.reference,
            "metrics": self.metrics,
            "breakdown": None if self.breakdown is None else asdict(self.breakdown),
            "judge": None if self.judge is None else self.judge.model_dump(mode="json", exclude_none=True),
        }

    def sheet(self) -> Sheet:
        """Each pair with its figures, the pairs that the model gets most wrong first."""
        assert self.measured is not None  # every evaluation that was made has its pairs
        assert self.texts is not None
        return pair_sheet(self.measured, self.texts)

    def ahead_of(self, other: Evaluation) -> Difference | None:
        """What this model is ahead of another on the pairs that both were measured on; None where there are none."""
        if self.measured is None or other.measured is None:
            return None
        return difference(other.measured, self.measured, same_loss=self.objective == other.objective)

    def _repr_html_(self) -> str:
        """The same as a table for a notebook."""
        return table_html((*self.rows(), *self.breakdown_rows()))

    def rows(self) -> list[tuple[str, str]]:
        """Label and value of each metric, in plain words."""
        found = [("pairs", f"{self.pairs:,}")]
        found += [(f"dropped: {reason}", f"{count:,}") for reason, count in sorted(self.dropped.items())]
        for metric, shown in shown_in("evaluate"):
            if metric == ACCURACY and is_tied(self.metrics, HELD_OUT):
                found.append((shown.label, DASH))
            elif metric.recorded in self.metrics:
                value, form = self.metrics[metric.recorded], metric.exact or metric.format
                counted = metric.chance is not None and self.pairs and 0 <= value <= 1
                told = with_interval(value, self._interval(metric, value)) if counted else form(value)
                found.append((shown.label, told))
        rate = None if self.judge is None else self.judge.after
        if self.judge is not None and rate is not None:
            low, high = rate.interval
            found.append((f"passes {self.judge.name}", f"{rate.pass_rate:.1%} ({low:.1%} to {high:.1%})"))
        found.append(("reference", self.reference or "none: no rewards, only log-probs"))
        return found

    def breakdown_rows(self) -> list[tuple[str, str]]:
        """Label and value of what stands behind the accuracy; a label without a value is a heading."""
        return breakdown_rows(None if self.breakdown is None else self.breakdown.record())

    def _interval(self, metric: Metric, value: float) -> tuple[float, float]:
        """By prompts, where that was worked out for this share; else as if each pair had a prompt of its own."""
        parts = self.breakdown
        if parts is not None and metric == ACCURACY and abs(parts.accuracy.value - value) < _SAME:
            return parts.accuracy.low, parts.accuracy.high
        return wilson(value, self.pairs)


def ahead_of(found: Sequence[Evaluation], against: str | None) -> list[tuple[Evaluation, Difference | None]]:
    """Each model but one with what it is ahead of that one.

    Args:
        found: of all of them, on the same data.
        against: the name of the one; None is nothing to compare with.
    """
    before = next((one for one in found if one.model == against), None)
    return [] if before is None else [(one, one.ahead_of(before)) for one in found if one is not before]
