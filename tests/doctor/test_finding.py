"""A finding as text and as JSON, and which comes first."""

from __future__ import annotations

import json
import math

from tiebreak.doctor.finding import Figure, Finding, Severity, at_least, ordered, position


def finding(name: str, severity: Severity) -> Finding:
    return Finding(
        name=name,
        severity=severity,
        title="it is so",
        evidence=(Figure("held-out loss", 1.8479, "1.8479", step=1000),),
        means="It is. And so.",
        source="a paper",
        sure="likely",
        change={"train.epochs": "1"},
    )


def test_a_figure_says_where_it_stands() -> None:
    assert Figure("held-out loss", 1.8479, "1.8479", step=1000).text == "held-out loss 1.8479 at step 1,000"
    assert Figure("held-out loss", 1.8479, "1.8479", epoch=1.5).text == "held-out loss 1.8479 at epoch 1.5"
    assert Figure("pairs a step", 4, "4").text == "pairs a step 4"
    assert position(None, None) == ""


def test_one_line_and_the_flags_to_paste() -> None:
    found = finding("memorising", "warning")
    assert found.line == "warning memorising: it is so (held-out loss 1.8479 at step 1,000)"
    assert found.flags == ("--set train.epochs=1",)


def test_json_has_every_part_and_no_number_that_json_lacks() -> None:
    found = finding("memorising", "warning").to_json()
    assert set(found) == {"name", "severity", "title", "evidence", "means", "change", "advice", "source", "sure"}
    assert Figure("loss", math.nan, "not finite").to_json()["value"] is None
    json.dumps(found, allow_nan=False)


def test_the_most_severe_first_and_else_as_they_came() -> None:
    found = [finding("a", "note"), finding("b", "warning"), finding("c", "stop"), finding("d", "warning")]
    assert [each.name for each in ordered(found)] == ["c", "b", "d", "a"]
    assert [each.name for each in at_least(found, "warning")] == ["b", "c", "d"]
    assert at_least([], "note") == ()
