"""Our own packing without sharing: Tiebreak's side, but every sequence is a tree of its own in the same flat rows.

So all that is not the sharing of prompts is the same: no padding, kernels, the head apart, the optimizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import side_tiebreak  # first: it sets the process

from tiebreak.engine import microbatch
from tiebreak.engine.batch import RopeLengths, ScoredGroup
from tiebreak.engine.layout import build_tree


def cost(groups: Sequence[ScoredGroup], bundle: Sequence[int], lengths: RopeLengths | None) -> int:  # noqa: ARG001
    """Tokens of groups none of which shares anything."""
    return sum(len(groups[i].prompt) + len(completion) for i in bundle for completion in groups[i].completions)


if __name__ == "__main__":
    laying_out: Any = microbatch  # of this process alone
    laying_out.build_tree = partial(build_tree, share=False)
    laying_out._tree_cost = cost
    side_tiebreak.main()
