"""What changed in an answer, and the orders by it."""

from __future__ import annotations

import math

from tiebreak.report.answers import answers_shown, within_page
from tiebreak.runs.samples import Sample, SampleMessage


def test_what_changed_most_stands_first_and_what_cannot_be_compared_last() -> None:
    samples = [
        Sample(before="a b c d", after="a b c d"),
        Sample(after="only after"),
        Sample(before="a b c d", after="d c x y"),
        Sample(before="one", after="two"),
        Sample(before="", after=""),
    ]
    shown, orders = answers_shown(samples)
    assert [(each.place, each.changes.get("words")) for each in shown] == [
        (3, 1.0),
        (2, 0.5),
        (0, 0.0),
        (4, 0.0),
        (1, None),
    ]
    assert [order.key for order in orders] == ["words"]
    assert [each.said for each in shown] == [
        "100% of the words changed",
        "50% of the words changed",
        "0% of the words changed",
        "0% of the words changed",
        "",
    ]


def test_every_change_that_was_measured_has_its_order() -> None:
    one = Sample(
        before="a", after="b", before_passed=True, after_passed=False, before_tokens=5, after_tokens=2,
        before_repetition=0.5, after_repetition=0.25, gain=-3.0,
    )  # fmt: skip
    two = Sample(
        before="a", after="a", before_passed=False, after_passed=True, before_tokens=2, after_tokens=2, gain=1.0
    )
    three = Sample(before="a", after="a", before_passed=True, after_passed=True)
    shown, orders = answers_shown([three, two, one])
    assert [order.key for order in orders] == ["words", "verdict", "length", "repetition", "gain"]
    by_place = {each.place: dict(each.changes) for each in shown}
    assert by_place[2] == {"words": 1.0, "verdict": 2.0, "length": 3.0, "repetition": 0.25, "gain": 3.0}
    assert by_place[1] == {"words": 0.0, "verdict": 1.0, "length": 0.0, "gain": 1.0}
    assert by_place[0] == {"words": 0.0, "verdict": 0.0}


def test_what_is_not_finite_is_not_measured() -> None:
    ((only,), orders) = answers_shown([Sample(before="a", after="a", gain=math.nan, before_repetition=math.inf)])
    assert dict(only.changes) == {"words": 0.0}
    assert orders == []
    assert answers_shown([]) == ([], [])


def test_texts_are_shortened_only_where_all_of_them_are_too_long() -> None:
    short = [Sample(prompt=(SampleMessage("user", "x" * 7000),), after="y" * 7000)]
    assert within_page(short, longest=6000) == short
    (first, *_) = found = within_page(short * 200, longest=6000)
    assert len(found) == 200
    assert first.after == f"{'y' * 1500} … (5,500 more characters)"
    assert first.prompt[0].content == f"{'x' * 1500} … (5,500 more characters)"
    assert first.before is None
