"""What a search varies: a list of values or a range for a key, as a recipe says it.

Knows the forms in which both are written, and which of them are no search. Which keys a recipe has, and which values
they take, is known to the recipe.
"""

from __future__ import annotations

import datetime
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

Scalar = str | int | float | bool | None
_FORMS = "a list of values, {range: [LOW, HIGH]} or {log: [LOW, HIGH]}"
_KEYS = ("range", "log", "step", "points")


@dataclass(frozen=True)
class Choices:
    """A key that takes one of several values.

    Attributes:
        values: at least one, all different.
    """

    values: tuple[Any, ...]

    @property
    def ordered(self) -> tuple[float, ...] | None:
        """The values as rising numbers; None where they are not all numbers."""
        return tuple(sorted(map(float, self.values))) if all(map(is_number, self.values)) else None

    def written(self) -> str:
        """As people read it."""
        return ", ".join(map(value_text, self.values))


@dataclass(frozen=True)
class Span:
    """A key that takes any number between two.

    Attributes:
        low, high: both can be drawn; the first is the smaller one.
        log: whether each factor is as likely as any other, and not each difference.
        whole: whether only whole numbers are drawn.
        step: between two neighbouring numbers that can be drawn; None is any.
        points: how many a grid has of it; None is that no grid was asked for.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: float | None = None
    points: int | None = None

    def share(self, value: float) -> float:
        """How far a value lies between the ends, from 0 to 1, on the scale that it is drawn on."""
        low, high, at = (math.log(each) if self.log else each for each in (self.low, self.high, value))
        return (at - low) / (high - low)

    def at(self, share: float) -> float:
        """The number that lies so far between the ends; the inverse of `share`, and a number that can be drawn."""
        if self.log:
            found = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            found = self.low + share * (self.high - self.low)
        if self.step is not None:
            last = math.floor((self.high - self.low) / self.step * (1 + 1e-12))
            found = self.low + min(last, round((found - self.low) / self.step)) * self.step
        found = min(self.high, max(self.low, found))
        return round(found) if self.whole else float(f"{found:.6g}")

    def on_grid(self) -> tuple[float, ...]:
        """Its points on a grid, both ends among them, as far as its steps reach the upper one."""
        assert self.points is not None
        shares = [i / (self.points - 1) for i in range(self.points)]
        return tuple(dict.fromkeys(self.at(share) for share in shares))

    def written(self) -> str:
        """As people read it."""
        how = ", each factor alike" if self.log else "" if self.step is None else f", by {value_text(self.step)}"
        return f"{value_text(self.low)} to {value_text(self.high)}{how}"


Dimension = Choices | Span


def plain_dimension(value: object) -> object:
    """What a recipe says of a key, in plain values; ends of a range are numbers, though YAML 1.1 reads 1e-7 as text.

    Args:
        value: a list, a range as a mapping, or a single value, which is a list of one; from Python also `range`, arrays
            of numpy, paths and dates.
    Returns:
        The list or the mapping.
    Raises:
        ValueError: it is neither, is empty, has a value twice, or its ends are not those of a range.
    """
    if isinstance(value, Mapping) and set(value) & set(_KEYS):
        found = {str(key): _number(_plain(part)) for key, part in value.items() if part is not None}
        dimension_of(found)
        return found
    if isinstance(value, Mapping):
        raise ValueError(f"give {_FORMS}; a mapping as a value stands in a list")
    plain = _plain(value)
    values = plain if isinstance(plain, list) else [plain]
    dimension_of(values)
    return values


def dimension_of(plain: object) -> Dimension:
    """The typed form of what `plain_dimension` gives.

    Args:
        plain: a list or a mapping.
    Raises:
        ValueError: as for `plain_dimension`.
    """
    if isinstance(plain, Mapping):
        return _span(plain)
    assert isinstance(plain, Sequence)
    if not plain:
        raise ValueError("the list is empty: there is nothing to try")
    check_different(plain, plain)
    return Choices(tuple(plain))


def check_different(values: Sequence[Any], meant: Sequence[Any]) -> None:
    """See that no value is in a list twice.

    Args:
        values: as they are written.
        meant: what each stands for: 4 and 4.0 may be one number.
    Raises:
        ValueError: one is.
    """
    texts = [json.dumps(each, sort_keys=True) for each in meant]
    twice = [value_text(value) for value, text in zip(values, texts, strict=True) if texts.count(text) > 1]
    if twice:
        said = twice[0] if len(set(twice)) == 1 else f"{' and '.join(dict.fromkeys(twice))}, which are the same,"
        raise ValueError(f"{said} is in the list twice; to repeat trials, set sweep.seeds")


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_text(value: object) -> str:
    """A value of a key as people read it: 1e-06 and not 0.000001, null and not None."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _span(plain: Mapping[str, Any]) -> Span:
    unknown = [key for key in plain if key not in _KEYS]
    if unknown:
        raise ValueError(f"a range has no '{unknown[0]}'; it has {', '.join(_KEYS)}")
    if ("range" in plain) == ("log" in plain):
        raise ValueError("give one of range and log")
    kind = "log" if "log" in plain else "range"
    ends = plain[kind]
    if not isinstance(ends, list | tuple) or len(ends) != 2 or not all(map(_is_finite, ends)):
        raise ValueError(f"{kind} takes two numbers: {{{kind}: [LOW, HIGH]}}")
    low, high = ends
    if low > high:
        raise ValueError(f"the ends are swapped; write {kind}: [{value_text(high)}, {value_text(low)}]")
    if low == high:
        raise ValueError(f"both ends are {value_text(low)}; give a list of one value: [{value_text(low)}]")
    if kind == "log" and low <= 0:
        raise ValueError(
            f"log reaches down to {value_text(low)}, and no factor leads there; begin above 0, or use range"
        )
    step, points = plain.get("step"), plain.get("points")
    if step is not None and (kind == "log" or not _is_finite(step) or not 0 < step <= high - low):
        raise ValueError("step is a number above 0 and up to the length of a range; log has none")
    if points is not None and (isinstance(points, bool) or not isinstance(points, int) or points < 2):
        raise ValueError("points is how many values a grid has of it: a whole number of at least 2")
    whole = all(isinstance(end, int) for end in ends) and (step is None or isinstance(step, int))
    return Span(low, high, kind == "log", whole, step, points)


def _is_finite(value: object) -> bool:
    return is_number(value) and math.isfinite(value)


def _plain(value: Any) -> Any:
    """A value as YAML and JSON have it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, set | frozenset):
        raise ValueError("a set has no order: give a list")
    if isinstance(value, list | tuple | range):
        return [_plain(part) for part in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return _plain(value.tolist()) if hasattr(value, "tolist") else value


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return [_number(part) for part in value]
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
