"""Which held-out pairs got better or worse, and of which the likelier completion changed."""

from __future__ import annotations

import pytest

from tiebreak.evaluate.pairs import PairChange, counted, pair_changes


@pytest.mark.parametrize(
    ("before", "after", "flipped"),
    [
        (-1.0, 2.0, "to chosen"),
        (0.0, 2.0, "to chosen"),  # neither was likelier
        (1.0, -2.0, "to rejected"),
        (1.0, 0.0, "to rejected"),
        (1.0, 0.5, None),
        (-1.0, -0.5, None),
        (0.0, 0.0, None),
    ],
)
def test_a_pair_flips_where_another_completion_is_the_likelier_one(
    before: float, after: float, flipped: str | None
) -> None:
    change = PairChange(0, before, after)
    assert (change.flipped, change.gain) == (flipped, after - before)


def test_pairs_are_counted_by_what_became_of_them() -> None:
    before = [(-5.0, -4.0), (-5.0, -6.0), (-3.0, -3.5), (-2.0, -2.0)]
    after = [(-4.0, -6.0), (-9.0, -8.0), (-9.0, -9.75), (-3.0, -3.0)]
    changes = pair_changes(before, after)
    assert [(each.pair, each.before, each.after) for each in changes] == [
        *((0, -1.0, 2.0), (1, 1.0, -1.0), (2, 0.5, 0.75), (3, 0.0, 0.0))
    ]
    found = counted(changes)
    assert (found.better, found.worse, found.to_chosen, found.to_rejected) == (2, 1, 1, 1)


def test_other_pairs_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        pair_changes([(0.0, 0.0)], [])
