"""The figures of a comparison, on answers whose figures one can see."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    path = REPOSITORY / "benchmarks" / "figures.py"
    spec = importlib.util.spec_from_file_location("benchmark_figures", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def answer(*seconds: float, losses: tuple[float, ...] = (0.5, 0.4), ids: str = "same") -> dict[str, Any]:
    return {"seconds": list(seconds), "losses": list(losses), "ids": ids, "peak_bytes": 100, "operations": [8.0, 8.0]}


def test_speed_is_of_all_steps_and_of_the_middle_round(figures: ModuleType) -> None:
    assert figures.pairs_per_second([answer(1.0, 3.0)], 8) == 4.0
    assert figures.pairs_per_second([answer(1.0, 1.0), answer(2.0, 2.0), answer(4.0, 4.0)], 8) == 4.0
    assert figures.operations_per_second([answer(1.0, 3.0)]) == 4.0


def test_times_faster_is_by_step(figures: ModuleType) -> None:
    found = figures.ratios([answer(1.0, 2.0)], [answer(3.0, 2.0)])
    assert (found.median, found.low, found.high) == (2.0, 1.5, 2.5)
    assert figures.spread([7.0]) == figures.Spread(7.0, 7.0, 7.0)
    assert figures.Spread(2.0, 1.5, 2.25).text() == "2.00 (1.50 to 2.25)"


def test_the_roofline_is_the_slower_of_products_and_bytes_step_by_step(figures: ModuleType) -> None:
    one = answer(4.0, 4.0) | {"operations": [20.0, 5.0], "least_bytes": [10.0, 30.0]}
    assert figures.of_roofline([one], 10.0, 10.0) == (2.0 + 3.0) / 8.0
    assert figures.of_roofline([one], 10.0, 1e9) == pytest.approx((2.0 + 0.5) / 8.0)


def test_losses_differ_relatively_and_other_ids_are_other_work(figures: ModuleType) -> None:
    assert figures.loss_difference(answer(1, 1, losses=(0.5, 0.44)), answer(1, 1)) == pytest.approx(0.1)
    assert figures.loss_difference(answer(1, 1), answer(1, 1)) == 0
    assert figures.loss_difference(answer(1, 1, ids="others"), answer(1, 1)) == float("inf")
