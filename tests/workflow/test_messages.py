"""What a run says on the console: counts by reason, and only of what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tiebreak.doctor.finding import Finding
from tiebreak.runs.manifest import (
    AdapterRecord,
    DataRecord,
    LoadRecord,
    ModelRecord,
    PrecisionRecord,
    RowsSeen,
    SelfCheckRecord,
)
from tiebreak.workflow import messages

FP32 = PrecisionRecord(name="fp32", reason="a small model")


def data(**more: Any) -> DataRecord:
    return DataRecord(source="pairs.jsonl", schema="text", template="chat", train=1234, **more)


def test_clean_data_are_one_line() -> None:
    assert list(messages.data_lines(data(held_out=0))) == [
        "data    pairs.jsonl: 1,234 rows; form text; text by the model's chat template"
    ]


def test_what_was_dropped_and_trimmed_is_counted_by_reason() -> None:
    report = LoadRecord(source="pairs.jsonl", rows=2000, made=1300, notes={"empty prompts": RowsSeen(count=1500)})
    lines = messages.data_lines(
        data(
            held_out=60,
            held_out_from="5% of the prompts",
            dropped={"too long": 12, "exact duplicates": 1400},
            trimmed={"prompt trimmed": 3},
            held_out_dropped={"too long": 1},
            report=report,
        )
    )
    assert list(lines) == [
        "data    pairs.jsonl: 1,234 rows, 60 held out (5% of the prompts); "
        "form text; text by the model's chat template",
        "        1,500 with empty prompts",
        "        dropped: exact duplicates: 1,400; too long: 12",
        "        trimmed: prompt trimmed: 3",
        "        dropped from the held-out set: too long: 1",
    ]


@pytest.mark.parametrize(("held_out", "warned"), [(0, False), (1, True), (29, True), (30, False), (500, False)])
def test_few_held_out_examples_come_with_a_warning(held_out: int, warned: bool) -> None:
    lines = list(messages.data_lines(data(held_out=held_out, held_out_from="a share")))
    assert [f"only {held_out} held out" in line for line in lines[1:]] == [True] * warned


@pytest.mark.parametrize(
    ("every", "held_out", "line"),
    [
        (1, 0, "train   a line each step: means over the steps since the line before"),
        (
            10,
            1500,
            "train   a line every 10 steps: means over the steps since the line before; "
            "held-out lines: exact, over all 1,500 pairs",
        ),
    ],
)
def test_the_header_says_what_the_lines_are(every: int, held_out: int, line: str) -> None:
    assert messages.lines_header(every, held_out, "pairs") == line


def test_a_whole_model_is_one_line() -> None:
    model = ModelRecord(name="gpt2", parameters=124_439_808)
    assert list(messages.model_lines(model, FP32, "cpu")) == [
        "model   gpt2: 124,439,808 parameters on cpu, fp32 (a small model)"
    ]


@pytest.mark.parametrize(("quantize", "bits"), [(None, ""), ("nf4", " in 4 bits"), ("int8", " in 8 bits")])
def test_an_adapter_says_what_is_trained_and_how_the_rest_is_held(quantize: str | None, bits: str) -> None:
    adapter = AdapterRecord(kind="lora", rank=16, alpha=32, targets=("q",), parameters=5000, base="gpt2")
    model = ModelRecord(name="gpt2", parameters=100_000, adapter=adapter, quantize=quantize)
    assert list(messages.model_lines(model, FP32, "cpu"))[1] == (
        f"        trained: lora of rank 16, 5,000 parameters; the model{bits} stays as it is"
    )


def test_the_lines_of_plan_cache_and_resume() -> None:
    check = SelfCheckRecord(path="tree", difference=1e-6, reason="trees agree", seconds=0.1)
    assert messages.plan_line(check, 4096) == "        trees agree; 4,096 tokens a micro-batch"
    assert messages.needed_line(64, 4).strip() == "64 of them are needed for 4 steps"
    assert messages.cached_line(10, 1000).strip() == "reference log-probs of 10 of 1,000 examples were in the cache"
    assert messages.resumed_line(3, 12) == "train   resumed from step 3 of 12"


def test_findings_of_a_run_are_lines_with_where_more_is_said() -> None:
    finding = Finding("memorising", "warning", "learned by heart", (), "It did. It should not.", "measured", "likely")
    assert list(messages.finding_lines([finding], Path("runs/mine"))) == [
        "warning memorising: learned by heart",
        "        what to change: tiebreak doctor runs/mine",
    ]
    assert list(messages.finding_lines([], Path("runs/mine"))) == []
