"""What else changed is said in rows: before, after, the difference with what is known of its error."""

from __future__ import annotations

from tests.report.made import manifest_of
from tiebreak.report.changed import changed_notes, changed_rows, changed_table

ZERO = {"value": 0.0, "low": -0.1, "high": 0.1}
ANSWERS = {
    "prompts": 1_200,
    "before": {"tokens": 10.0, "repetition": 0.0},
    "after": {"tokens": 12.0, "repetition": 0.0},
    "changes": [
        {
            "name": "tokens",
            "before": 10,
            "after": 12.04,
            "difference": {"value": 2.04, "low": 1, "high": 3},
            "share": False,
        },
        {"name": "ends", "before": 0.5, "after": 0.4, "difference": {**ZERO, "value": -0.1}, "share": True},
        {"name": "text", "before": 20, "after": 21, "difference": ZERO, "share": False, "unit": "nats a token"},
    ],
}
KL = {"measured_from": "a", "answers": 9, "value": {"value": 1.5, "low": 1, "high": 2}, "standard_error": 0.2, "cut": 3}
HARNESS = {
    "version": "0.4",
    "task_versions": {"facts": "1"},
    "limit": 5,
    "chat": False,
    "cut": 0,
    "rows": [
        {
            "task": "facts",
            "metric": "acc",
            "filter": "none",
            "shots": 0,
            "documents": 5,
            "higher_is_better": True,
            "after": {"value": 0.5, "error": 0.1},
            "before": {"value": 0.25, "error": None},
            "difference": {"value": 0.25, "error": 0.05},
        }
    ],
}


def test_each_row_has_before_after_and_the_difference() -> None:
    rows = changed_rows(manifest_of(answers=ANSWERS, kl=KL, harness=HARNESS))
    assert [(row.label, row.before, row.after, row.difference) for row in rows] == [
        ("tokens", "10.0", "12.0", "+2.0 (+1.0 to +3.0)"),
        ("ends", "50.0%", "40.0%", "−10.0 points (−10.0 to +10.0)"),
        ("text", "20", "21", "0.000 nats a token (−0.100 to +0.100)"),
        ("KL, nats an answer", "–", "1.50", "(1.00 to 2.00)"),
        ("facts: acc", "0.2500", "0.5000 ± 0.1000", "+0.2500 ± 0.0500"),
    ]


def test_how_to_read_them_is_said_of_what_is_there() -> None:
    notes = " ".join(changed_notes(manifest_of(answers=ANSWERS, kl=KL, harness=HARNESS)))
    assert "1,200 held-out prompts" in notes
    assert "9 answers of its own" in notes
    assert "3 were cut at the length limit" in notes
    assert "first 5 documents" in notes
    assert "lm-evaluation-harness" not in " ".join(changed_notes(manifest_of(kl=KL)))


def test_a_kl_that_could_not_be_measured_says_why() -> None:
    (row,) = changed_rows(manifest_of(kl={"measured_from": "a", "answers": 0, "left_out": 4}))
    assert (row.after, row.difference) == ("–", "no prompt leaves room for an answer")
    assert "4 prompts leave no room" in " ".join(
        changed_notes(manifest_of(kl={"measured_from": "a", "answers": 0, "left_out": 4}))
    )


def test_where_nothing_was_measured_nothing_is_said() -> None:
    assert changed_rows(manifest_of()) == []
    assert list(changed_notes(manifest_of())) == []
    assert changed_table(manifest_of()) is None
