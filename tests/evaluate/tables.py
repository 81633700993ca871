"""Tables of measured pairs with the margins that a test wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tiebreak.evaluate.measured_pairs import MeasuredPairs


def measured(
    margins: Sequence[float],
    *,
    longer: Sequence[int] | None = None,
    prompts: Sequence[Any] | None = None,
    turns: Sequence[int] | None = None,
    prompt_tokens: Sequence[int] | None = None,
    reference: Sequence[float] | None = None,
    rows: Sequence[int] | None = None,
    tags: Mapping[str, Sequence[str | None]] | None = None,
) -> MeasuredPairs:
    """Pairs whose chosen completions have so much more reward, and the reference finds so much likelier."""
    many, margin = len(margins), np.asarray(margins, dtype=np.float64)
    more = np.zeros(many, dtype=np.int64) if longer is None else np.asarray(longer)
    base = np.zeros(many) if reference is None else np.asarray(reference, dtype=np.float64)
    return MeasuredPairs(
        rows=np.arange(many) if rows is None else np.asarray(rows),
        prompts=tuple(range(many)) if prompts is None else tuple(prompts),
        turns=np.ones(many, dtype=np.int64) if turns is None else np.asarray(turns),
        prompt_tokens=np.full(many, 8) if prompt_tokens is None else np.asarray(prompt_tokens),
        tokens=np.stack([10 + more, np.full(many, 10)], axis=1),
        logp=np.stack([-20 + margin, np.full(many, -20.0)], axis=1),
        reference_logp=np.stack([-20 + base, np.full(many, -20.0)], axis=1),
        reward=np.stack([margin, np.zeros(many)], axis=1),
        loss=np.log1p(np.exp(-margin)),
        tags={by: tuple(each) for by, each in (tags or {}).items()},
    )
