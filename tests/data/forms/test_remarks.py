"""What is noted of rows that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.files import load, preferences, write
from tiebreak.data.forms.remarks import CONTRADICTED, PICTURED, RENDERED, REPEATED

PAIR = {"prompt": "2+2?", "chosen": "4", "rejected": "5"}


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        ({"chosen_score": 1, "rejected_score": 2}, CONTRADICTED),
        ({"rating": [1, 9]}, CONTRADICTED),
        ({"chosen_score": 2, "rejected_score": 2}, None),
        ({"chosen": "4<|im_end|>"}, RENDERED),
        ({"rejected": "<|eot_id|>5"}, RENDERED),
        ({"prompt": "[INST] 2+2? [/INST]"}, RENDERED),
        ({"chosen": "a < b and [x]"}, None),
        ({"chosen": "2+2? 4", "rejected": "2+2? 5"}, REPEATED),
        ({"chosen": "2+2? 4"}, None),
        ({"prompt": "<image>\nHow many?"}, PICTURED),
        ({"prompt": "How many?\n<video>"}, PICTURED),
        ({"rejected": "<audio> 5"}, PICTURED),
        ({"prompt": "<img src=x> in HTML, an <images> tag"}, None),
    ],
)
def test_a_row_is_kept_and_what_is_odd_is_noted(tmp_path: Path, change: dict[str, Any], remark: str | None) -> None:
    row = {**PAIR, **change}
    loaded = load(write(tmp_path / "data.jsonl", [row]))
    assert list(loaded.report.notes) == ([] if remark is None else [remark])
    assert preferences(loaded)[0].chosen == row["chosen"]
