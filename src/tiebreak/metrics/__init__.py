"""The metrics: what each means, which way is better, how it is written, and where it is listed.

Progress line, curves, tables, cards, comparisons, `tiebreak evaluate` and `train.keep_best` read the one list in
`registry`; what is said of a metric is in `metric`. How one is computed stands in `objectives`. Knows no torch.
"""

from tiebreak.metrics.lookup import (
    ACCURACY,
    COORDINATES,
    LIKELIER,
    LOSS,
    MARGIN,
    PASS_RATE,
    WIN_RATE,
    best_metric,
    is_tied,
    keeps_best,
    metric_named,
    shown_in,
    written,
)
from tiebreak.metrics.metric import HELD_OUT, Better, Format, Listing, Metric, Plot, Shown
from tiebreak.metrics.registry import METRICS

__all__ = [
    "ACCURACY",
    "COORDINATES",
    "HELD_OUT",
    "LIKELIER",
    "LOSS",
    "MARGIN",
    "METRICS",
    "PASS_RATE",
    "WIN_RATE",
    "Better",
    "Format",
    "Listing",
    "Metric",
    "Plot",
    "Shown",
    "best_metric",
    "is_tied",
    "keeps_best",
    "metric_named",
    "shown_in",
    "written",
]
