"""The picture of reward against KL: points where they belong, names of any kind, the same each time."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import pytest

from tiebreak.errors import InputError
from tiebreak.evaluate.bootstrap import Estimate
from tiebreak.report.frontier import FrontierPoint, check_picture, frontier_svg, is_finite, write_frontier

POINTS = (
    FrontierPoint("beta-1", Estimate(2.0, 1.5, 2.5), Estimate(0.6, 0.55, 0.65)),
    FrontierPoint("beta-0.1", Estimate(9.0, 8.0, 10.5), Estimate(0.72, 0.66, 0.78)),
)


def circles(svg: str) -> list[tuple[float, float]]:
    """Where the points stand, from the left and from above."""
    return [(float(x), float(y)) for x, y in re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', svg)]


def test_more_kl_is_further_right_and_more_wins_are_higher() -> None:
    svg = frontier_svg(POINTS, reference="base", against="gpt2")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    (x1, y1), (x2, y2) = circles(svg)
    assert x1 < x2
    assert y1 > y2
    for text in ("beta-1", "beta-0.1", "KL from base, nats", "win rate against gpt2", "60%"):
        assert f">{text}<" in svg


def test_the_svg_takes_its_colours_from_the_page_and_is_the_same_each_time() -> None:
    before = dict(matplotlib.rcParams)
    svg = frontier_svg(POINTS)
    assert svg == frontier_svg(POINTS)
    assert dict(matplotlib.rcParams) == before
    assert "var(--curve-accent" in svg
    assert not re.search(r"#0102\d\d", svg)
    assert "<style" not in svg
    assert len(svg) < 20_000


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "$x^2", "a\x00b\u202e", "\\1", "\"&'", "x" * 500])
def test_a_name_of_any_kind_is_text(name: str) -> None:
    point = FrontierPoint(name, Estimate(1.0, 0.5, 1.5), Estimate(0.6, 0.5, 0.7))
    svg = frontier_svg([point], reference=name, against=name)
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert "x" * 28 not in svg


def test_names_of_points_that_lie_together_do_not_cover_each_other() -> None:
    point = Estimate(1.0, 0.5, 1.5), Estimate(0.6, 0.5, 0.7)
    svg = frontier_svg([FrontierPoint(name, *point) for name in ("one", "two", "three", "four")])
    found = re.findall(
        r'transform="translate\(([\d.]+) ([\d.]+)\)"[^>]*>(?:one|two|three|four)<|x="([\d.]+)" y="([\d.]+)"'
        r"[^>]*>(?:one|two|three|four)<",
        svg,
    )
    assert len(set(found)) == 4


@pytest.mark.parametrize("value", [0.0, -0.25, 400.0])
def test_a_single_point_without_a_width_is_drawn(value: float) -> None:
    point = FrontierPoint("one", Estimate(value, value, value), Estimate(0.5, 0.5, 0.5))
    assert len(circles(frontier_svg([point]))) == 1


def test_files_are_whole_and_pictures(tmp_path: Path) -> None:
    first, second, drawn = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "a.svg"
    write_frontier(POINTS, first)
    write_frontier(POINTS, str(second))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(b"\x89PNG")
    write_frontier(POINTS, drawn, reference="base")
    assert drawn.read_text() == frontier_svg(POINTS, reference="base") + "\n"
    with pytest.raises(InputError, match="exists"):
        write_frontier(POINTS, first)
    write_frontier(POINTS[:1], first, force=True)
    assert first.read_bytes() != second.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.png", "a.svg", "b.png"]


@pytest.mark.parametrize(
    ("name", "said"), [("a.jpg", "is no picture"), ("none/a.png", "no folder"), (".png", "no picture")]
)
def test_a_file_that_cannot_be_written_is_refused_first(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        check_picture(tmp_path / name, where="--frontier-out")


def test_what_is_no_number_has_no_place() -> None:
    assert is_finite(POINTS[0])
    assert not is_finite(FrontierPoint("a", Estimate(math.inf, 0, 0), Estimate(0.5, 0.5, 0.5)))
    assert not is_finite(FrontierPoint("a", Estimate(1, 1, 1), Estimate(0.5, math.nan, 0.5)))
