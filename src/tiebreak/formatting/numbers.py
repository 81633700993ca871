"""How numbers are written for people: shares, losses, intervals, durations, dates.

A value that is missing is a dash; a value that is not finite says so. Nothing here knows what is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

DASH = "–"
NOT_FINITE = "not finite"


def percent(share: float | None) -> str:
    """0.7123 as `71.2%`."""
    return _written(share, lambda value: f"{100 * value:.1f}%")


def share_of(count: int, whole: int) -> str:
    """A count of a whole that is not 0: `40 of 500 (8.0%)`."""
    return f"{count:,} of {whole:,} ({percent(count / whole)})"


def signed(value: float | None, digits: int = 2) -> str:
    """1.234 as `+1.23`, and a zero without a sign."""

    def write(number: float) -> str:
        size = f"{abs(number):.{digits}f}"
        return size if not float(size) else f"{'+' if number > 0 else '−'}{size}"

    return _written(value, write)


def hundredths(value: float | None) -> str:
    """A log-prob: two decimals, `−40.12`."""
    return _written(value, lambda number: f"{number:.2f}".replace("-", "−"))


def decimal(value: float | None) -> str:
    """A loss: four decimals, or an exponent where it is very large."""
    return _written(value, lambda number: f"{number:.4f}" if abs(number) < 1e4 else f"{number:.2e}")


def plain(value: float | None) -> str:
    """Four significant digits, without trailing zeros: 1e-6, 0.05, 12.5."""
    return _written(value, lambda number: f"{number:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e"))


def whole(value: float | None) -> str:
    """12345 as `12,345`."""
    return _written(value, lambda number: f"{number:,.0f}")


def percent_range(low: float, high: float) -> str:
    """An interval of shares: `66.9–75.1%`."""
    return f"{100 * low:.1f}–{100 * high:.1f}%" if math.isfinite(low) and math.isfinite(high) else NOT_FINITE


def with_interval(share: float | None, interval: tuple[float, float] | None) -> str:
    """A share with its interval, where there is one: `71.2% (66.9–75.1%)`."""
    if share is None or interval is None or not math.isfinite(share):
        return percent(share)
    return f"{percent(share)} ({percent_range(*interval)})"


def duration(seconds: float | None) -> str:
    """`4.2 s`, `3 min 20 s`, `2 h 5 min`."""

    def write(value: float) -> str:
        if value < 10:
            return f"{value:.1f} s"
        rounded = round(value)
        if rounded < 60:
            return f"{rounded} s"
        if rounded < 3600:
            return f"{rounded // 60} min {rounded % 60} s"
        return f"{rounded // 3600} h {rounded % 3600 // 60} min"

    return _written(seconds, write)


def memory(size: float) -> str:
    """Bytes as `512 kB`, `31 MB`, `1.4 GB`."""
    for unit, width in (("GB", 1e9), ("MB", 1e6)):
        if size >= width:
            return f"{size / width:,.1f} {unit}" if size < 10 * width else f"{size / width:,.0f} {unit}"
    return f"{size / 1e3:,.0f} kB"


def when(stamp: str | None) -> str:
    """An ISO time to the minute, with its zone where it has one; other text as it stands."""
    if not stamp:
        return DASH
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".rstrip()


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95% interval of a share that was counted in n independent cases.

    Args:
        share: between 0 and 1.
        n: number of cases, at least 1.
    Returns:
        Lower and upper end, between 0 and 1.
    Source:
        Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    z = 1.959964
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def _written(value: float | None, write: Callable[[float], str]) -> str:
    if value is None:
        return DASH
    return write(value) if math.isfinite(value) else NOT_FINITE
