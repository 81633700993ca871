"""Measured pairs as a table to sort and look at, the pairs that the model gets most wrong first.

There stand the wrong labels, if there are any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tiebreak.data.preference import conversation_text
from tiebreak.evaluate.measured_pairs import MeasuredPairs
from tiebreak.runs.sheet import Cell, Sheet


def pair_sheet(pairs: MeasuredPairs, rows: Sequence[Mapping[str, Any]]) -> Sheet:
    """One row a pair, by its margin.

    Args:
        pairs: the table of figures.
        rows: the same pairs as text, in the canonical form.
    """
    columns: dict[str, Sequence[Any]] = {
        "row": pairs.rows.tolist(),
        "id": [row["id"] for row in rows],
        **{by: tags for by, tags in pairs.tags.items() if any(tag is not None for tag in tags)},
        "prompt": [conversation_text(row["prompt"]) for row in rows],
        "chosen": [row["chosen"] for row in rows],
        "rejected": [row["rejected"] for row in rows],
        "turns": pairs.turns.tolist(),
        "prompt_tokens": pairs.prompt_tokens.tolist(),
        **_of_both("tokens", pairs.tokens),
        **_of_both("logp", pairs.logp),
        **({} if pairs.reference_logp is None else _of_both("reference_logp", pairs.reference_logp)),
        **({} if pairs.reward is None else _of_both("reward", pairs.reward)),
        "margin": pairs.margin.tolist(),
        **({} if pairs.loss is None else {"loss": pairs.loss.tolist()}),
        "right": pairs.right.tolist(),
    }
    order = np.argsort(pairs.margin, kind="stable").tolist()
    cells: list[tuple[Cell, ...]] = [tuple(column[number] for column in columns.values()) for number in order]
    return Sheet(tuple(columns), tuple(cells), title="pairs")


def _of_both(name: str, values: np.ndarray[Any, Any]) -> dict[str, list[Any]]:
    return {f"{side}_{name}": values[:, column].tolist() for column, side in enumerate(("chosen", "rejected"))}
