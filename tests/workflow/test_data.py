"""The data of a run: token ids and text row by row, the limit that holds, and a record that adds up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import small_recipe
from tiebreak.errors import InputError
from tiebreak.tasks import TASKS, TaskName
from tiebreak.workflow.data import RunData, load_data
from tiebreak.workflow.progress import Progress


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Forty pairs, of which two are the same, two have equal completions, and two have a long completion."""
    rows = [{"prompt": f"What is {n} and 1?", "chosen": f"It is {n + 1}.", "rejected": "Who knows."} for n in range(36)]
    rows += [dict(rows[0]), {"prompt": "Same?", "chosen": "Yes.", "rejected": "Yes."}]
    rows += [{"prompt": f"Long {n}?", "chosen": "one two three " * 200, "rejected": "No."} for n in range(2)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def loaded(source: Path, task: TaskName = "preference", **changes: Any) -> RunData:
    plain: dict[str, Any] = {"data__limit": None, "data__eval_limit": None, "data__eval_fraction": 0.25}
    recipe = small_recipe(**{**plain, "data__source": str(source), "data__max_length": 64, **changes})
    return load_data(recipe, TASKS[task], Progress())


def test_every_row_is_used_held_out_or_dropped_for_a_reason(source: Path) -> None:
    data = loaded(source)
    record = data.record
    assert data.held_out is not None
    assert (record.train, record.held_out) == (len(data.train), len(data.held_out))
    assert record.report is not None
    assert record.report.rows == 40
    dropped = sum(record.dropped.values()) + sum(record.held_out_dropped.values())
    assert len(data.train) + len(data.held_out) + dropped == 40
    assert dropped == 4
    assert len(data.held_out) > 0


def test_ids_and_text_stand_in_the_same_order(source: Path) -> None:
    data = loaded(source, data__shuffle=True)
    assert data.held_out is not None
    for groups, rows in ((data.train, data.train_rows), (data.held_out, data.held_out_rows)):
        assert len(groups) == len(rows)
        for group, row in zip(groups, rows, strict=True):
            chosen, rejected = (
                str(data.tokenizer.decode(list(ids), skip_special_tokens=True)).strip() for ids in group.completions
            )
            assert (chosen, rejected) == (row["chosen"], row["rejected"])


def test_what_is_too_long_is_trimmed_where_the_recipe_says_so(source: Path) -> None:
    data = loaded(source, data__too_long="trim_completion", data__eval_fraction=0.0)
    assert data.held_out is None
    assert sum(data.record.trimmed.values()) == 2
    assert data.record.train == 38
    assert all(group.longest <= 64 for group in data.train)


def test_the_model_s_positions_are_a_limit_too(source: Path) -> None:
    data = loaded(source, data__max_length=None, data__too_long="trim_completion", data__eval_fraction=0.0)
    assert max(group.longest for group in data.train) == 512


def test_nothing_left_to_train_on_says_which_settings_did_it(source: Path) -> None:
    with pytest.raises(InputError, match=r"None of the \d+ training rows is left") as refused:
        loaded(source, data__max_length=8)
    assert refused.value.where == "data.max_length = 8, data.too_long = drop"
    assert "trim_prompt" in str(refused.value.fix)
    with pytest.raises(InputError) as refused:
        loaded(source, data__max_length=8, data__too_long="trim_prompt")
    assert refused.value.fix == "raise data.max_length"


def test_a_template_without_tools_is_no_matter_of_lengths_or_transcripts(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    row = {"prompt": [{"role": "user", "content": "a"}], "chosen": "b", "rejected": "c", "tools": json.dumps(tools)}
    path = tmp_path / "tools.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    for template in ("auto", "transcript"):
        with pytest.raises(InputError, match=r"None of the \d+ training rows is left") as refused:
            loaded(path, data__eval_fraction=0.0, data__template=template)
        assert refused.value.where == "model.name"
        assert "tools" in str(refused.value.fix)


@pytest.mark.parametrize(("task", "columns"), [("preference", 2), ("unpaired", 2), ("supervised", 1)])
def test_each_task_has_its_own_completions(task: TaskName, columns: int, source: Path) -> None:
    data = loaded(source, task)
    assert {len(group.completions) for group in data.train} == {columns}
    assert (data.record.labels is not None) == (task == "unpaired")


def test_completions_that_a_limit_left_without_an_end_are_counted(source: Path) -> None:
    whole = loaded(source).record.written
    assert whole is not None
    assert whole.without_end == {}
    cut = loaded(source, data__too_long="trim_completion", data__eval_fraction=0.0)
    assert cut.record.written is not None
    assert {side: seen.count for side, seen in cut.record.written.without_end.items()} == {"chosen": 2}
    assert cut.record.written.without_end["chosen"].examples == ("row 37", "row 38")
    numbers = [
        number for number, group in enumerate(cut.train) if group.completions[0][-1] != cut.tokenizer.eos_token_id
    ]
    assert [cut.train_rows[number]["prompt"][-1]["content"] for number in numbers] == ["Long 0?", "Long 1?"]


@pytest.mark.parametrize("task", ["preference", "unpaired", "supervised"])
def test_what_the_template_does_is_counted_for_every_task(task: TaskName, source: Path) -> None:
    data = loaded(source, task)
    assert data.record.written is not None
    assert data.record.written.looked_at == data.record.train
    assert data.record.written.lost_completions.count == 0
