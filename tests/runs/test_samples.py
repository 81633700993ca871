"""samples.json: what is written is read again, and what is damaged stops nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.report.made import SAMPLES
from tiebreak.runs.samples import Sample, SampleMessage, parse_samples, read_samples, write_samples


def test_samples_keep_their_form_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "samples.json"
    path.write_text(json.dumps(SAMPLES), encoding="utf-8")
    samples = read_samples(path)
    assert samples[1] == Sample(
        prompt=(SampleMessage("user", "What is the colour of the sky on a clear day?"),),
        chosen="Blue.",
        rejected="The sky.",
        before="",
        after="It is blue.",
    )
    write_samples(path, samples)
    again = json.loads(path.read_text(encoding="utf-8"))
    assert [{key: row[key] for key in older} for row, older in zip(again, SAMPLES, strict=True)] == SAMPLES
    measured = replace(
        samples[1], before_tokens=0, after_tokens=4, after_repetition=0.25, gain=-1.5, flipped="to rejected"
    )
    write_samples(path, [measured])
    assert read_samples(path) == (measured,)


def test_a_speaker_has_a_name_in_plain_words() -> None:
    assert [SampleMessage(role, "").speaker for role in ("user", "assistant", "system", "tool")] == [
        "User",
        "Assistant",
        "System",
        "tool",
    ]


def test_what_is_no_sample_is_dropped_and_what_is_missing_is_none(tmp_path: Path) -> None:
    path = tmp_path / "samples.json"
    assert read_samples(path) == ()
    for text in ("[{", "{}", "3"):
        path.write_text(text, encoding="utf-8")
        assert read_samples(path) == ()
    assert parse_samples(["x", {"prompt": "hello", "chosen": 3, "after_passed": "yes"}]) == (
        Sample(prompt=(SampleMessage("user", "hello"),)),
    )
