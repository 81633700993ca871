"""The notebook is one that was run as it stands, shows no path of a machine, and its cells run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.run_notebook import MACHINE, NOTEBOOK, blank, script_of, source_of, tidied
from tests.end_to_end.conftest import environment


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return found


def _code(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_it_was_run_once_from_top_to_bottom_without_an_error(notebook: dict[str, Any]) -> None:
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert [cell["execution_count"] for cell in _code(notebook)] == list(range(1, len(_code(notebook)) + 1))
    outputs = [output for cell in _code(notebook) for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"execute_result", "stream", "display_data"}
    assert not [output for output in outputs if output.get("name") == "stderr"]  # nothing is printed unasked
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])


def test_it_shows_a_run_with_table_and_curves(notebook: dict[str, Any]) -> None:
    pages = [
        "".join(output["data"]["text/html"])
        for cell in _code(notebook)
        for output in cell["outputs"]
        if "text/html" in output.get("data", {})
    ]
    assert any("<svg" in page and "<table" in page and "held-out" in page for page in pages)
    assert not [page for page in pages if "<script" in page]


def test_it_holds_no_path_of_a_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not MACHINE.search(text)
    assert str(Path.home()) not in text


@pytest.mark.parametrize(
    ("shown", "kept"),
    [
        ("/tmp/abc/runs/mine", "runs/mine"),
        ("in '/tmp/abc'", "in '.'"),
        ("/home/somebody/x.py:3", "…:3"),
        ("https://example.org/tmp/x and 1/2", "https://example.org/tmp/x and 1/2"),
    ],
)
def test_paths_of_the_machine_are_taken_out(shown: str, kept: str) -> None:
    cell = {"cell_type": "code", "id": "x", "metadata": {"execution": {}}, "source": [], "execution_count": 1}
    made = tidied(
        {"cells": [{**cell, "outputs": [{"text": shown}]}], "metadata": {"kernelspec": {"name": "mine"}}}, "/tmp/abc"
    )
    assert made["cells"][0]["outputs"][0]["text"] == kept
    assert made["cells"][0]["metadata"] == {}
    assert made["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.journey
def test_its_cells_run(notebook: dict[str, Any], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{script_of(notebook)}\nassert again.metrics == run.metrics"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Stopped by Enough.on_step at step 5 of 24" in done.stdout
    assert done.stderr == ""


def test_the_source_of_a_cell_may_be_lines() -> None:
    assert source_of({"source": ["a\n", "b"]}) == source_of({"source": "a\nb"}) == "a\nb"


def test_a_notebook_that_was_run_can_be_run_again(notebook: dict[str, Any]) -> None:
    cells = [blank(cell) for cell in notebook["cells"]]
    assert all(isinstance(cell["source"], str) for cell in cells)
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
