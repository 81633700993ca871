"""Histograms of held-out pairs: shared bins, nothing lost, and no picture of zeros."""

from __future__ import annotations

import math
import random

import pytest

from tiebreak.report.histogram import Bins, bins_of, draw_histograms
from tiebreak.runs.held_out import HeldOutPair


def pairs_of(*rewards: tuple[tuple[float, float] | None, tuple[float, float] | None]) -> list[HeldOutPair]:
    return [
        HeldOutPair(pair=i, prompt="x", before=-1.0, after=i - 0.5, rewards_before=before, rewards_after=after)
        for i, (before, after) in enumerate(rewards)
    ]


def test_both_kinds_share_their_bins_and_every_value_is_in_one() -> None:
    draw = random.Random(0)
    chosen, rejected = [draw.gauss(1, 1) for _ in range(400)], [draw.gauss(-1, 2) for _ in range(300)]
    bins = bins_of(chosen, rejected)
    assert bins is not None
    assert bins.outside == 0
    assert (sum(bins.counts(chosen)), sum(bins.counts(rejected))) == (400, 300)
    assert 0.0 in bins.edges
    widths = [b - a for a, b in zip(bins.edges, bins.edges[1:], strict=False)]
    assert widths == pytest.approx([widths[0]] * len(widths))
    assert 8 <= len(widths) <= 42


def test_the_last_bin_has_its_upper_edge() -> None:
    assert Bins((0.0, 1.0, 2.0)).counts([0.0, 0.99, 1.0, 2.0, 2.01, -0.01]) == (2, 2)


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [0.0], [1e99, -1e99], [1e8, 1e8 + 1e-7], [5e-324, 1e99]])
def test_few_or_extreme_values_have_bins(values: list[float]) -> None:
    bins = bins_of(values)
    assert bins is not None
    assert sum(bins.counts(values)) == len(values)
    assert list(bins.edges) == sorted(bins.edges)


def test_nothing_has_no_bins() -> None:
    assert bins_of([], []) is None
    assert draw_histograms([]) == []


def test_a_few_far_values_do_not_flatten_the_rest_and_are_counted() -> None:
    bins = bins_of([i / 100 for i in range(300)] + [1e6, -1e6])
    assert bins is not None
    assert bins.outside == 2 + 4  # a hundredth at each end may lie outside
    assert bins.edges[-1] < 4


def test_of_a_model_that_is_its_own_reference_only_rewards_after_are_drawn() -> None:
    zero = (0.0, 0.0)
    drawn = draw_histograms(pairs_of((zero, (0.5, -1.0)), (zero, (0.1, 0.2)), (zero, (1.0, 0.0))))
    assert [plot.name for plot in drawn] == ["rewards-after", "gaps"]
    assert "Before training every reward is zero, since the model is its own reference." in drawn[0].caption
    assert "In 2 of 3 held-out pairs the chosen answer has the higher reward." in drawn[0].caption
    assert "66.7% of 3 held-out pairs after training, 0.0% before." in drawn[1].caption
    assert all(plot.svg.startswith("<svg") and plot.hover is None for plot in drawn)


def test_without_a_reference_rewards_are_drawn_before_and_after_in_the_same_bins() -> None:
    drawn = draw_histograms(pairs_of(((-2.0, -1.0), (-1.0, -3.0)), ((-2.0, -2.5), (-1.5, -1.0))))
    assert [plot.name for plot in drawn] == ["rewards-before", "rewards-after", "gaps"]
    assert "no reference" in drawn[0].caption
    assert "In 1 of 2 held-out pairs" in drawn[0].caption


def test_a_file_of_an_earlier_version_has_the_gaps_alone() -> None:
    assert [plot.name for plot in draw_histograms(pairs_of((None, None)))] == ["gaps"]
    resumed = draw_histograms(pairs_of((None, (1.0, 0.5))))  # begun by an earlier version
    assert [plot.name for plot in resumed] == ["rewards-after", "gaps"]
    assert resumed[0].caption == "In 1 of 1 held-out pair the chosen answer has the higher reward."


def test_values_that_are_not_finite_are_passed_over() -> None:
    pair = HeldOutPair(pair=0, prompt="x", before=math.nan, after=math.inf, rewards_after=(math.nan, 1e200))
    assert draw_histograms([pair]) == []


def test_the_same_pairs_give_the_same_svg() -> None:
    pairs = pairs_of(((0.0, 0.0), (0.5, -1.0)), ((0.0, 0.0), (0.1, 0.2)))
    assert draw_histograms(pairs) == draw_histograms(pairs)
