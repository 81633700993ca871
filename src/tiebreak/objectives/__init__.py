"""The losses: small pure functions over log-probs, and the registry that knows them by name."""

from tiebreak.objectives import sigmoid as _sigmoid  # noqa: F401  registers itself
from tiebreak.objectives.pairs import PairLogps, pair_metrics
from tiebreak.objectives.registry import Objective, objective_named, objective_names

__all__ = ["Objective", "PairLogps", "objective_named", "objective_names", "pair_metrics"]
