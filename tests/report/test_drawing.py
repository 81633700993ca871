"""Figures show what was logged, in few bytes, the same each time."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib

from tests.report.made import metric_rows
from tiebreak.report.curves import plots, series_of
from tiebreak.report.drawing import draw_plots, write_picture


def test_each_plot_is_drawn_once_and_is_well_formed() -> None:
    drawn = draw_plots(metric_rows())
    assert [figure.name for figure in drawn] == [plot.name for plot in plots()]
    for figure in drawn:
        assert ElementTree.fromstring(figure.svg).tag.endswith("svg")
        assert len(figure.svg) < 30_000


def test_the_same_rows_give_the_same_svg() -> None:
    assert draw_plots(metric_rows()) == draw_plots(metric_rows())


def test_figures_take_colours_and_font_from_the_page() -> None:
    for figure in draw_plots(metric_rows()):
        assert "var(--curve-accent" in figure.svg
        assert not re.search(r"#0102\d\d", figure.svg)
        assert "DejaVu" not in figure.svg
        assert "<style" not in figure.svg
        assert "<metadata" not in figure.svg


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    before = dict(matplotlib.rcParams)
    draw_plots(metric_rows(50))
    assert dict(matplotlib.rcParams) == before


def test_lines_are_labelled_where_they_end() -> None:
    loss = next(figure for figure in draw_plots(metric_rows()) if figure.name == "loss")
    assert ">training<" in loss.svg
    assert ">held-out<" in loss.svg


def test_a_supervised_run_has_only_the_figures_that_it_logged() -> None:
    rows = [{"step": step, "loss": 2.0, "grad_norm": 1.0, "learning_rate": 1e-5} for step in (10, 20)]
    assert [figure.name for figure in draw_plots(rows)] == ["loss", "gradient-norm", "learning-rate"]


def test_nothing_logged_gives_no_figure() -> None:
    assert draw_plots([]) == []
    assert draw_plots([{"step": 1}, {"loss": 1.0}, {"step": "x", "loss": 1.0}, {"step": 3, "loss": "hostile"}]) == []


def test_one_point_is_a_dot() -> None:
    (figure,) = draw_plots([{"step": 7, "loss": 0.6}])
    assert "<use" in figure.svg


def test_values_that_are_not_finite_are_counted_and_leave_a_gap() -> None:
    rows = [{"step": step, "loss": math.nan if step == 4 else math.inf if step == 6 else 1.0} for step in range(10)]
    (figure,) = draw_plots(rows)
    assert "2 values of training loss not finite, first at step 4." in figure.caption
    assert "nan" not in figure.svg.lower()


def test_a_metric_that_was_never_finite_is_said_in_words() -> None:
    (figure,) = draw_plots([{"step": 1, "loss": math.nan}])
    assert figure.svg == ""
    assert "One value of training loss not finite, first at step 1." in figure.caption


def test_extreme_values_do_not_stop_the_drawing() -> None:
    rows = [{"step": step, "loss": value} for step, value in enumerate((1e308, -1e308, 1e99, 0.0, 10**400))]
    (figure,) = draw_plots(rows)
    assert figure.svg.startswith("<svg")


def test_the_picture_of_a_card_has_what_was_logged(tmp_path: Path) -> None:
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    assert not write_picture([{"step": 1}], first)
    assert not first.exists()
    assert write_picture(metric_rows(), first)
    assert write_picture(metric_rows(), second)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(b"\x89PNG")


def test_a_spike_does_not_flatten_the_rest_and_is_told() -> None:
    rows = [{"step": step, "grad_norm": 1e6 if step == 50 else 1 + step % 3} for step in range(100)]
    (figure,) = draw_plots(rows)
    assert "all lie between 1 and 1M" in figure.caption


def test_a_long_run_is_thinned_and_its_spikes_stay_visible() -> None:
    rows = [{"step": step, "loss": 9.0 if step == 12_345 else 0.5} for step in range(100_000)]
    series = series_of(rows, "loss")
    assert len(series.steps) <= 240
    assert max(series.high) == 9.0
    assert max(series.values) < 1.0
    assert len(draw_plots(rows)[0].svg) < 40_000
