"""What the page's script is given: plain numbers, short, and names as text."""

from __future__ import annotations

import json
import math

from tests.report.made import metric_rows
from tiebreak.report.curves import Series, series_of
from tiebreak.report.drawing import draw_plots
from tiebreak.report.hover import Hover, HoverLine
from tiebreak.report.looks import ACCENT, RUN_COLOURS


def test_points_are_short_and_what_is_not_finite_is_null() -> None:
    series = Series(
        (1.0, 2.0, 3.0), (0.123456789, math.nan, 2.0), (0.123456789, math.nan, 2.0), (0.123456789, 0.0, 2.0)
    )
    series = Series(series.steps, series.values, series.values, series.values)
    found = json.loads(Hover((0, 3), (-1, 2), False, (HoverLine("a", ACCENT, series),)).to_json())
    assert found["lines"] == [{"name": "a", "colour": "--curve-accent", "points": [[1, 0.12346], [2, None], [3, 2]]}]
    assert found["box"] == [54.6, 12.65, 289.8, 190.9]
    assert (found["steps"], found["values"], found["percent"]) == ([0, 3], [-1, 2], False)


def test_a_thinned_point_has_the_range_that_it_stands_for() -> None:
    series = series_of([{"step": step, "loss": float(step % 2)} for step in range(1000)], "loss", points=100)
    (line,) = json.loads(Hover((0, 999), (0, 1), False, (HoverLine("a", RUN_COLOURS[7], series),)).to_json())["lines"]
    assert line["colour"] == "--run-8"
    assert len(line["points"]) == 100
    assert line["points"][0] == [4.5, 0.5, 0, 1]


def test_a_name_from_outside_cannot_end_the_json() -> None:
    name = '</script>"]}\x00\u202e\ud800'
    line = HoverLine(name, ACCENT, Series((1.0,), (1.0,), (1.0,), (1.0,)))
    text = Hover((0, 2), (0, 2), True, (line,)).to_json()
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text)["lines"][0]["name"] == name


def test_every_line_of_a_plot_has_a_name_of_its_own_and_the_points_lie_in_its_axes() -> None:
    spoken = {}
    for plot in draw_plots(metric_rows()):
        assert plot.hover is not None
        spoken[plot.name] = [line.name for line in plot.hover.lines]
        for line in plot.hover.lines:
            assert all(plot.hover.steps[0] <= step <= plot.hover.steps[1] for step in line.series.steps)
            assert all(plot.hover.values[0] <= value <= plot.hover.values[1] for value in line.series.values)
    assert spoken["loss"] == ["training", "held-out"]
    assert spoken["rewards"] == ["chosen", "rejected", "chosen, held-out", "rejected, held-out"]
    assert spoken["gradient-norm"] == ["gradient norm"]
