"""Judges of answers, one small language for all: comparisons go in, verdicts come out.

A judge of single answers gives each a score, and the higher one wins; a judge of pairs sees both answers. Knows neither
which models wrote the answers nor what their verdicts are used for.
"""

from tiebreak.evaluate.judges.judge import Comparison, Judge, PointwiseJudge, Prompt, Score, Verdicts
from tiebreak.evaluate.judges.opened import bundled_judge, has_judge, open_judge

__all__ = [
    "Comparison",
    "Judge",
    "PointwiseJudge",
    "Prompt",
    "Score",
    "Verdicts",
    "bundled_judge",
    "has_judge",
    "open_judge",
]
