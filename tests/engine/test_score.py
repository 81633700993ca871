"""Scoring many groups: in smaller parts where memory runs out, and only there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.engine.groups import PAIRS
from tiebreak.engine.batch import Batch, ScoredGroup
from tiebreak.engine.microbatch import lay_out
from tiebreak.engine.score import Scorer, score_groups, score_microbatch
from tiebreak.errors import RunError


@pytest.mark.parametrize("groups", [1, 4])
def test_an_error_while_scoring_is_not_met_with_smaller_parts(groups: int) -> None:
    calls = []

    class Broken(torch.nn.Module):
        def forward(self, *_: object, **__: object) -> None:
            calls.append(1)
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    model = ARCHITECTURES["llama"]()
    model.model.layers[0] = Broken()
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        score_microbatch(model, [PAIRS[0]] * groups, Scorer())
    assert calls == [1]


def test_memory_that_runs_out_halves_what_is_scored_and_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ARCHITECTURES["llama"]()
    expected = score_microbatch(model, PAIRS, Scorer())
    sizes: list[int] = []

    def short(groups: list[ScoredGroup], *rest: Any) -> Batch:
        sizes.append(len(groups))
        if len(groups) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return lay_out(groups, *rest)

    monkeypatch.setattr("tiebreak.engine.score.lay_out", short)
    np.testing.assert_allclose(score_microbatch(model, PAIRS, Scorer()), expected, rtol=1e-5, atol=1e-5)
    assert sizes == [3, 1, 2, 1, 1]


def test_memory_that_does_not_suffice_for_one_group_names_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("tiebreak.engine.score.lay_out", short)
    with pytest.raises(RunError, match="single example of 11 tokens") as caught:
        score_microbatch(ARCHITECTURES["llama"](), PAIRS[:1], Scorer())
    assert caught.value.where == "row 0 of the data"


def test_progress_counts_groups_and_the_split_changes_no_number() -> None:
    model, done = ARCHITECTURES["gpt2"](), list[int]()
    whole = score_groups(model, PAIRS, Scorer())
    parts = score_groups(model, PAIRS, Scorer(budget=1), on_progress=done.append)
    assert done == [1, 2, 3]
    np.testing.assert_allclose(parts.logp, whole.logp, rtol=1e-5, atol=1e-5)
    assert (whole.tokens == [[5, 3], [2, 6], [2, 2]]).all()
