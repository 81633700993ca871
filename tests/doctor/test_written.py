"""A diagnosis as text: within its width, and with every part."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.made import QUICKSTART, TABLES, as_csv
from tiebreak.doctor.examine import examine
from tiebreak.doctor.written import written


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", TABLES)
def test_no_line_is_wider_than_asked_for(
    name: str, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(as_csv(TABLES[name]))
    lines = list(written(examine("table.csv"), width))
    assert max(map(len, lines)) <= width


def test_every_part_of_a_finding_is_there(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(as_csv(TABLES["hot"]))
    text = " ".join(" ".join(written(examine(tmp_path / "table.csv"))).split())
    for part in (
        "WARNING memorising: the model learns its training pairs by heart",
        "training loss 0.1006 at step 1,000; held-out loss 3.1629 at step 500",
        "--set train.keep_best=eval_loss",
        "How sure: certain.",
        "held-out examples: not said (--held-out)",
        "gradient-spikes (the log has no gradient norm)",
        "docs/doctor.md",
    ):
        assert part in text


def test_no_finding_says_over_how_many_steps() -> None:
    lines = list(written(examine(QUICKSTART, recipe="quickstart")))
    assert "No finding in 291 steps." in lines
    assert "docs/doctor.md" not in " ".join(lines)
    assert "No finding in the settings." in list(written(examine(recipe="quickstart")))


def test_a_name_that_would_move_the_cursor_is_made_visible(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2Jb.csv"
    path.write_text(as_csv(TABLES["hot"]))
    assert "\x1b" not in "".join(written(examine(path)))
