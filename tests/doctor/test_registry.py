"""Every rule on the tables that others published, and on trainings with nothing wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.doctor.made import FORMS, QUICKSTART, TABLES, as_csv, facts_of, noisy, sound_rows
from tiebreak.doctor.examine import examine
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import SEVERITIES
from tiebreak.doctor.log import TrainingLog
from tiebreak.doctor.registry import NAMES, RULES, diagnose, unseen
from tiebreak.errors import InputError
from tiebreak.recipe.builtin import builtin_names, recipe_named

# Written down before there was a rule: the first finding of each published table, and figures that it has to name.
EXPECTED = {
    "one pair a step at 5e-5": (
        "memorising",
        "warning",
        ("0.0000 at step 1,000", "1.5714 at step 500", "1.8479", "63.0%"),
    ),
    "sixteen tokens": ("memorising", "warning", ("0.0013", "1.5696", "1.8797", "59.4%")),
    "hot": ("memorising", "warning", ("0.1006 at step 1,000", "3.1629 at step 500", "4.5122", "59.7%")),
    "adapter at 5e-7": ("nothing-learned", "note", ("0.6760", "ln 2 0.6931")),
    "adapter at 1e-6": ("worse-than-chance-loss", "note", ("0.6984", "ln 2 0.6931")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TABLES)
def test_the_first_finding_of_a_published_table(name: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / form
    path.write_text(FORMS[form](TABLES[name]), encoding="utf-8")
    findings = examine(path).findings
    expected, severity, figures = EXPECTED[name]
    assert (findings[0].name, findings[0].severity) == (expected, severity)
    if form != "trainer_state.json" or name != "sixteen tokens":
        assert all(figure in findings[0].line for figure in figures), findings[0].line
    if expected == "memorising":
        assert [finding.name for finding in findings] == ["memorising", "likelihood-displacement"]
        assert {"train.keep_best", "train.early_stopping", "train.learning_rate"} <= set(findings[0].change)
        assert "best model that was seen" in findings[0].advice[0]
    else:
        assert [finding.name for finding in findings] == [expected]


def test_two_final_losses_in_one_table_are_two_runs(tmp_path: Path) -> None:
    header, rows = TABLES["adapter at 5e-7"]
    path = tmp_path / "both.csv"
    path.write_text(as_csv((header, (*rows, *TABLES["adapter at 1e-6"][1]))), encoding="utf-8")
    with pytest.raises(InputError, match="more than one run"):
        examine(path)


def test_all_right_in_training_and_hardly_better_than_a_coin_elsewhere() -> None:
    """Training accuracy 100% from step 40, held-out accuracy 60 to 68%, and no more is said."""
    right = [(10, 0.7), (20, 0.9), (30, 0.96), *((step, 1.0) for step in range(40, 210, 10))]
    held = [(50, 0.60), (100, 0.68), (150, 0.64), (200, 0.66)]
    (finding,) = diagnose(facts_of({"rewards/accuracies": right, "eval_rewards/accuracies": held}, objective=None))
    assert (finding.name, finding.severity) == ("memorising", "warning")
    assert [(figure.written, figure.step) for figure in finding.evidence] == [
        ("100.0%", 40),
        ("60.0%", 50),
        ("66.0%", 200),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_a_sound_training_has_no_warning(seed: int, tmp_path: Path) -> None:
    rows, examples = sound_rows(seed)
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for told in ({"held_out": examples, "objective": "sigmoid"}, {}):
        found = examine(path, **told)  # type: ignore[arg-type]
        assert [finding.line for finding in found.findings if finding.severity != "note"] == []


def test_sound_trainings_are_mostly_silent() -> None:
    """A note is no alarm, but rules that speak of everything would say nothing."""
    said = [examine(rows, held_out=examples).findings for rows, examples in map(sound_rows, range(20))]
    assert sum(map(len, said)) <= 12


def test_the_quickstart_has_no_finding() -> None:
    found = examine(QUICKSTART, recipe="quickstart")
    assert found.facts.held_out_examples == 450
    assert [finding.line for finding in found.findings] == []


@pytest.mark.parametrize("name", ["quickstart", *(name for name in builtin_names() if name.startswith("recommended"))])
def test_a_recommended_recipe_has_no_finding(name: str) -> None:
    assert [finding.line for finding in diagnose(Facts(recipe=recipe_named(name)))] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt2-hh", ["many-epochs", "rate-too-high", "small-batch"]),
        ("gpt2-hh-hot", ["rate-too-high", "small-batch"]),
        ("gpt2-hh-qlora", ["rate-too-low", "small-batch"]),
        ("qwen2-full-hh", ["length-limit-short", "beta-scale", "small-batch"]),
        ("qwen2-truthy", ["rate-too-high", "many-epochs", "small-batch"]),
    ],
)
def test_what_is_said_of_the_settings_of_student_projects(name: str, expected: list[str]) -> None:
    assert [finding.name for finding in diagnose(Facts(recipe=recipe_named(name)))] == expected


def test_nothing_known_is_nothing_said() -> None:
    assert diagnose(Facts()) == ()
    assert diagnose(Facts(log=TrainingLog("none", "none", {}))) == ()


def test_findings_are_ordered_by_severity_and_each_has_all_its_parts() -> None:
    curves = {
        "loss": noisy(0, [0.69] * 30, 0.0),
        "grad_norm": noisy(0, [0.0] * 30, 0.0),
        "eval_loss": [(150, 0.6931), (300, 0.80)],
    }
    findings = diagnose(facts_of(curves, held_out=1000))
    assert [finding.name for finding in findings] == ["nothing-learned", "worse-than-chance-loss"]
    assert [finding.severity for finding in findings] == sorted(
        (finding.severity for finding in findings), key=SEVERITIES.index
    )
    for finding in findings:
        assert finding.name in NAMES
        assert finding.title
        assert finding.evidence
        assert finding.source
        assert finding.means.count(".") >= 2


def test_what_was_not_looked_at_is_named_with_what_is_missing() -> None:
    facts = facts_of({"loss": [(10, 0.6), (20, 0.5)]})
    assert facts.log is not None
    lacking = {name: each.missing for each in unseen(facts.log) for name in each.names}
    assert lacking["memorising"] == "held-out loss or held-out accuracy"
    assert lacking["gradient-spikes"] == "gradient norm"
    assert lacking["epoch-cliffs"] == "epoch"
    assert "worse-than-chance-loss" not in lacking


def test_every_rule_of_a_log_says_what_it_needs() -> None:
    assert all(bool(rule.needs) == (rule.over == "log") for rule in RULES)


def test_every_finding_has_its_paragraph() -> None:
    page = (REPOSITORY / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### (\S+)$", page, flags=re.M)) == sorted(NAMES)
