"""The pictures of a search: what is said at the pointer, and text that wants to be more than text."""

from __future__ import annotations

import json

from tiebreak.report.trials import Drawn, draw_history, on_axis, parallel_svg

TRIALS = [
    Drawn(0, 0.6, (0.0, 0.0), "trial 0: a=1", False),
    Drawn(2, 0.4, (1.0, 1.0), "trial 2: a=<script>", True),
    Drawn(3, 0.5, (0.5, 0.5), "trial 3: a=2", False),
]


def test_the_history_says_each_trial_and_the_best_so_far() -> None:
    drawn = draw_history(TRIALS, "eval_loss", "lower")
    assert drawn is not None
    assert drawn.hover is not None
    hover = json.loads(drawn.hover.to_json())
    assert hover["unit"] == "trial"
    assert hover["lines"][0]["points"] == [[0, 0.6], [2, 0.4], [3, 0.5]]
    assert hover["lines"][1]["points"] == [[0, 0.6], [2, 0.4], [3, 0.4]]
    higher = draw_history(TRIALS, "accuracy", "higher")
    assert higher is not None
    assert higher.hover is not None
    assert [point[1] for point in json.loads(higher.hover.to_json())["lines"][1]["points"]] == [0.6, 0.6, 0.6]
    assert draw_history([], "eval_loss", "lower") is None
    assert draw_history(TRIALS[:1], "eval_loss", "lower") is not None


def test_lines_say_which_trial_they_are_and_the_best_is_drawn_last() -> None:
    svg = parallel_svg(TRIALS, [("model.name<i>", "", "x"), ("eval_loss", "0.6", "0.4")])
    titles = [part.partition("</title>")[0] for part in svg.split("<title>")[1:]]
    assert titles == ["trial 0: a=1", "trial 3: a=2", "trial 2: a=&lt;script&gt;"]
    assert "model.name&lt;i&gt;" in svg
    assert svg.count("var(--curve-accent") == 1


def test_values_stand_on_an_axis() -> None:
    assert [on_axis(value, 1, 3) for value in (1, 2, 3)] == [0, 0.5, 1]
    assert [on_axis(value, 3, 1) for value in (1, 3)] == [1, 0]
    assert on_axis(1, 1, 1) == on_axis(float("nan"), 0, 1) == 0.5
