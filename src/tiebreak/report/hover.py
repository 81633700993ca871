"""What a page's script needs to say the values of a plot at the pointer: where the axes are, and the points.

Plain numbers and names; the script itself is `templates/page.js`, and which pages may run it is known to `script`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from tiebreak.report.curves import Series
from tiebreak.report.inline_svg import BOX, HEIGHT, WIDTH
from tiebreak.report.looks import VARIABLES


@dataclass(frozen=True)
class HoverLine:
    """One line as the page says it.

    Attributes:
        name: what it is called; it may come from outside, and is only ever shown as text.
        colour: a marked one (see `looks`).
        series: its points.
    """

    name: str
    colour: str
    series: Series


@dataclass(frozen=True)
class Hover:
    """The values of a plot, with its axes.

    Attributes:
        steps, values: from where to where the axes reach.
        percent: whether the values are shares.
        lines: at least one.
        unit: what is counted from left to right.
    """

    steps: tuple[float, float]
    values: tuple[float, float]
    percent: bool
    lines: tuple[HoverLine, ...]
    unit: str = "step"

    def to_json(self) -> str:
        """For a data attribute: one line, numbers to five digits; a value that is not finite is null."""
        left, bottom, width, height = BOX
        box = [left * WIDTH, (1 - bottom - height) * HEIGHT, width * WIDTH, height * HEIGHT]
        plain = {
            "box": [round(each, 2) for each in box],
            "steps": self.steps,
            "values": self.values,
            "percent": self.percent,
            "lines": [
                {"name": line.name, "colour": VARIABLES[line.colour], "points": _points(line.series)}
                for line in self.lines
            ],
        }
        if self.unit != "step":
            plain["unit"] = self.unit
        return json.dumps(plain, separators=(",", ":"), allow_nan=False)


def _points(series: Series) -> list[list[float | None]]:
    """Each point as [step, value], or with the range that it stands for as [step, value, lowest, highest]."""
    columns = [series.values, series.low, series.high] if series.is_thinned else [series.values]
    return [
        [_whole(round(step, 1)), *map(_short, values)] for step, *values in zip(series.steps, *columns, strict=True)
    ]


def _short(value: float) -> float | None:
    return _whole(float(f"{value:.5g}")) if math.isfinite(value) else None


def _whole(value: float) -> float:
    """A whole number without its `.0`, which would be two more bytes a point."""
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
