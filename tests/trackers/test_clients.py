"""What every client sends: settings under dotted names, samples as a table, numbers alone as metrics.

`test_tracking.py` reads back what the real trackers wrote.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tiebreak.recipe import Recipe
from tiebreak.trackers.clients import COLUMNS, MLflow, TrackedRun, flat, is_number, table_of


def test_nested_settings_have_dotted_names() -> None:
    nested = {"a": 1, "b": {"c": None, "d": {"e": [1, {"f": 2}]}}, "g": {}}
    assert flat(nested) == {"a": 1, "b.c": None, "b.d.e": [1, {"f": 2}]}
    recipe = Recipe()
    assert flat(recipe.model_dump())["train.batch_size"] == recipe.train.batch_size


def test_samples_are_rows_of_the_same_columns_whatever_they_hold() -> None:
    whole: dict[str, Any] = {name: name.upper() for name in COLUMNS}
    assert table_of([whole, {"prompt": "Hi", "mood": "good"}]) == [
        [name.upper() for name in COLUMNS],
        ["Hi", *[None] * (len(COLUMNS) - 1)],
    ]
    assert table_of([]) == []


@pytest.mark.parametrize(
    ("value", "number"), [(1, True), (0.5, True), (float("nan"), True), (True, False), ("1", False), (None, False)]
)
def test_only_numbers_are_metrics(value: object, number: bool) -> None:
    assert is_number(value) is number


@pytest.fixture
def tracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackedRun:
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    for name in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "1")  # clients set defaults for a process of their own: this one gets its own back
    folder = tmp_path / "mlflow"
    folder.mkdir()
    config = {"train": {f"key{number}": "x" * 600 for number in range(120)}}
    return TrackedRun("mine", folder, config, "model: bundled:base\n")


def test_mlflow_takes_more_and_longer_settings_than_one_request_may_have(tracked: TrackedRun) -> None:
    pytest.importorskip("mlflow", reason="pip install 'tiebreak[mlflow]'")
    client = MLflow(tracked, None)
    found = client.client.get_run(client.id).data.params
    assert len(found) == 120
    assert {len(value) for value in found.values()} == {500}
    client.close(failed=True)
    assert client.client.get_run(client.id).info.status == "FAILED"


def test_mlflow_goes_on_with_a_run_whose_id_is_known(tracked: TrackedRun) -> None:
    pytest.importorskip("mlflow", reason="pip install 'tiebreak[mlflow]'")
    first = MLflow(tracked, None)
    first.log(1, {"step": 1, "loss": 0.5, "note": "text", "best": True})
    first.close(failed=False)
    again = MLflow(tracked, first.id)
    again.log(2, {"step": 2, "loss": 0.25})
    assert again.id == first.id
    assert [point.value for point in again.client.get_metric_history(again.id, "loss")] == [0.5, 0.25]
    assert set(again.client.get_run(again.id).data.metrics) == {"loss"}
    assert again.client.get_run(again.id).info.status == "RUNNING"
