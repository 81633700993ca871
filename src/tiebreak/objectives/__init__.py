"""The losses: small pure functions over log-probs, and the registry that knows them by name.

Where each is: `dpo` has sigmoid, robust, sigmoid_norm, hinge, ipo, exo_pair, discopop and dpop, all of a pair's margin;
`pointwise` has nca_pair, bco_pair, apo_zero, apo_down and sppo_hard, of each completion by itself; `aot` and `kto` have
their two forms each; `reference_free` has simpo, orpo, cpo, slic_hf and nll. Importing them does not import torch.
"""

from tiebreak.objectives import (  # noqa: F401  each module registers its objectives
    aot,
    dpo,
    kto,
    pointwise,
    reference_free,
)
from tiebreak.objectives.logps import PairLogps, UnpairedLogps, pair_metrics, unpaired_metrics
from tiebreak.objectives.loss import Loss, configured
from tiebreak.objectives.registry import Objective, objective, objective_named, objective_names, task_of_objective

__all__ = [
    "Loss",
    "Objective",
    "PairLogps",
    "UnpairedLogps",
    "configured",
    "objective",
    "objective_named",
    "objective_names",
    "pair_metrics",
    "task_of_objective",
    "unpaired_metrics",
]
