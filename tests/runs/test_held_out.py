"""held_out.jsonl is written whole, and read as far as it can be."""

from __future__ import annotations

from pathlib import Path

from tiebreak.runs.held_out import HeldOutPair, read_held_out, write_held_out


def test_what_is_written_is_read(tmp_path: Path) -> None:
    pairs = (
        HeldOutPair(pair=0, prompt="Wie geht’s?", before=-1.0, after=2.5, moved="better", flipped="to chosen"),
        HeldOutPair(pair=1, prompt="", before=1.0, after=1.0),
        HeldOutPair(pair=2, prompt="x", before=1.0, after=1.0, rewards_before=(0.0, 0.0), rewards_after=(-0.25, 0.5)),
    )
    path = tmp_path / "held_out.jsonl"
    write_held_out(path, pairs)
    assert read_held_out(path) == pairs
    assert pairs[0].gain == 3.5
    assert [pair.margin for pair in pairs] == [None, None, -0.75]


def test_a_file_of_an_earlier_version_has_no_rewards(tmp_path: Path) -> None:
    path = tmp_path / "held_out.jsonl"
    path.write_text(
        '{"pair": 0, "prompt": "x", "before": -1.5, "after": 0.5, "moved": "better", "flipped": "to chosen"}'
    )
    (pair,) = read_held_out(path)
    assert (pair.gain, pair.rewards_before, pair.rewards_after, pair.margin) == (2.0, None, None, None)


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "held_out.jsonl"
    assert read_held_out(path) == ()
    path.write_text('{"pair": 0, "prompt": "x", "before": 0, "after": 1}\n{"pair": 1}\nnot JSON\n[1]\n')
    assert [pair.pair for pair in read_held_out(path)] == [0]
