"""What stands behind a run's held-out accuracy is what an evaluation of the run on the same pairs says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workflow.conftest import Small
from tiebreak.runs.outcome import BreakdownRecord, EstimateRecord
from tiebreak.workflow.evaluate import evaluate_model


def _rows(path: Path) -> str:
    rows = [
        {
            "prompt": f"What is {number} plus {number % 3}?",
            "chosen": f"It is {number + number % 3}." + " Yes, it is." * (number % 2),
            "rejected": "I will not say." + " Never." * (number % 4),
            "category": "sums" if number % 5 else "zeros",
        }
        for number in range(20)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def _near(one: EstimateRecord | None, other: EstimateRecord | None) -> None:
    assert one is not None
    assert other is not None
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=2e-4)


@pytest.mark.parametrize("objective", ["sigmoid", "simpo"])
def test_a_run_records_what_an_evaluation_on_its_held_out_pairs_finds(
    objective: str, small: Small, tmp_path: Path
) -> None:
    held_out = _rows(tmp_path / "held_out.jsonl")
    run = small(
        data__eval_source=held_out, data__eval_limit=None, objective__name=objective, train__tokens_per_microbatch=2048
    )
    recorded = run.folder.load_manifest().breakdown
    assert recorded is not None
    found = evaluate_model(run, held_out).breakdown
    assert found is not None
    measured = found.record()
    assert (recorded.pairs, recorded.prompts, recorded.measure) == (20, 20, "reward")
    _near(recorded.accuracy, measured.accuracy)
    _near(recorded.loss, measured.loss)
    _near(recorded.length_controlled, measured.length_controlled)
    assert [(part.by, part.name, part.pairs) for part in recorded.slices] == [
        (part.by, part.name, part.pairs) for part in measured.slices
    ]
    assert {part.name for part in recorded.slices if part.by == "category"} == {"sums", "zeros"}
    for mine, other in zip(recorded.slices, measured.slices, strict=True):
        _near(mine.accuracy, other.accuracy)
    for rule, its in zip(recorded.rules, measured.rules, strict=True):
        assert rule.name == its.name
        _near(rule.accuracy, its.accuracy)
    assert "What stands behind the accuracy" in run.folder.report_path.read_text(encoding="utf-8")


def test_a_run_on_no_pairs_has_none(small: Small) -> None:
    run = small(objective__name="kto", data__limit=16)
    assert run.folder.load_manifest().breakdown is None
    assert "What stands behind the accuracy" not in run.folder.report_path.read_text(encoding="utf-8")


def test_a_record_is_read_as_it_was_written() -> None:
    estimate = EstimateRecord(value=0.5, low=0.25, high=0.75)
    record = BreakdownRecord(pairs=4, prompts=3, measure="reward", accuracy=estimate)
    assert BreakdownRecord.model_validate_json(record.model_dump_json()) == record
