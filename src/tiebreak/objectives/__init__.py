"""The losses: small pure functions over log-probs, and the registry that knows them by name."""

from tiebreak.objectives import (  # noqa: F401  each module registers its objectives
    discovered,
    dpo,
    each_alone,
    exact,
    hinge,
    kto,
    regression,
    transport,
    without_reference,
)
from tiebreak.objectives.configure import Loss, configured
from tiebreak.objectives.labelled import LabelledLogps, labelled_metrics
from tiebreak.objectives.pairs import PairLogps, pair_metrics
from tiebreak.objectives.registry import Objective, objective_named, objective_names

__all__ = [
    "LabelledLogps",
    "Loss",
    "Objective",
    "PairLogps",
    "configured",
    "labelled_metrics",
    "objective_named",
    "objective_names",
    "pair_metrics",
]
