"""A change is written with its interval, in points where it is a share."""

from __future__ import annotations

import pytest

from tiebreak.evaluate.bootstrap import Estimate
from tiebreak.evaluate.changes import Change
from tiebreak.formatting.changes import written_change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change("n", 1.0, 2.5, Estimate(1.5, 1.0, 2.0), share=False), ("1.0", "2.5", "+1.5 (+1.0 to +2.0)")),
        (
            Change("n", 0.1, 0.0, Estimate(-0.1, -0.2, 0.0), share=True),
            ("10.0%", "0.0%", "−10.0 points (−20.0 to 0.0)"),
        ),
        (
            Change("n", 20.0, 21.0, Estimate(0.0488, 0.04, 0.0561), share=False, unit="nats a token"),
            ("20", "21", "+0.049 nats a token (+0.040 to +0.056)"),
        ),
    ],
)
def test_before_after_and_the_difference(change: Change, said: tuple[str, str, str]) -> None:
    assert written_change(change) == said
