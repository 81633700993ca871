"""Shares with their intervals as pictures: those that have one, where they lie, and nothing beyond the axis."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from tests.report.made import manifest_of, supervised_manifest
from tiebreak.report.shares import share_svg, shares_of
from tiebreak.runs.manifest import Manifest


def test_a_run_has_its_shares_with_intervals_before_and_after() -> None:
    assert [(share.label, share.written, share.is_after) for share in shares_of(manifest_of())] == [
        ("held-out accuracy, after", "81.2% (77.1–84.8%)", True),
        ("judge's pass rate, before", "31.0% (26.7–35.7%)", False),
        ("judge's pass rate, after", "88.4% (84.9–91.2%)", True),
        ("win rate against the model before", "93.1% (90.2–95.2%)", True),
    ]


def test_without_intervals_there_are_none() -> None:
    assert shares_of(Manifest()) == []
    assert shares_of(supervised_manifest()) == []
    judge = {"name": "x", "win_rate": {"value": 1.5, "interval": [0.5, 2.0]}}
    assert [share.label for share in shares_of(manifest_of(judge=judge, after=None))] == []


def test_the_picture_is_to_scale() -> None:
    svg = ElementTree.fromstring(share_svg(0.75, (0.5, 1.0), chance=0.5, said="75.0% (50.0–100.0%)"))
    axis, chance, interval, dot = svg
    assert (svg.get("role"), svg.get("aria-label")) == ("img", "75.0% (50.0–100.0%)")
    assert axis.get("d") == "M10 12H390"
    assert chance.get("d") == "M200 1V23"
    assert interval.get("d") == "M200 12H390"
    assert dot.get("cx") == "295"
    assert len(ElementTree.fromstring(share_svg(0.5, (0.4, 0.6), chance=None, said=""))) == 3
