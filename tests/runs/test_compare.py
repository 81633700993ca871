"""Runs side by side: what differs, which is better, and when that cannot be said."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.report.made import make_run, manifest_of, metric_rows, recorded, supervised_manifest
from tiebreak.errors import InputError
from tiebreak.runs.compare import ComparedMetric, compare, summarize


def test_a_comparison_names_the_settings_that_differ(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", manifest=manifest_of())
    second = make_run(tmp_path / "b", manifest=manifest_of(), recipe={"train": {"learning_rate": 5e-6, "epochs": 2}})
    found = compare([first, second])
    assert [(setting.key, setting.values) for setting in found.settings] == [
        ("train.learning_rate", (1e-6, 5e-6)),
        ("train.epochs", (1.0, 2.0)),
    ]
    assert found.notes == ()


def test_the_better_run_of_each_figure_is_found(tmp_path: Path) -> None:
    after = {"eval_loss": 0.40, "eval_rewards/accuracies": 0.79, "eval_logps/accuracies": 0.7425}
    runs = [
        make_run(tmp_path / "a", manifest=manifest_of()),
        make_run(tmp_path / "b", manifest=manifest_of(after=after, judge=None)),
    ]
    metrics = {metric.name: metric for metric in compare(runs).metrics}
    assert metrics["eval_rewards/accuracies"].best == 0
    assert metrics["eval_loss"].best == 1
    assert metrics["eval_logps/accuracies"].best is None  # equal
    assert metrics["judge.win_rate"].values == (0.931, None)
    assert metrics["judge.win_rate"].best is None  # only one was judged


def test_losses_of_different_objectives_are_not_ranked(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / "a", manifest=manifest_of()),
        make_run(tmp_path / "b", manifest=manifest_of(after={"eval_loss": 0.1}), recipe={"objective": {"beta": 0.5}}),
    ]
    found = compare(runs)
    assert next(metric for metric in found.metrics if metric.name == "eval_loss").best is None
    assert any("different scales" in note for note in found.notes)


def test_a_supervised_and_a_preference_loss_are_not_ranked(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a", manifest=manifest_of()), make_run(tmp_path / "b", manifest=supervised_manifest())]
    assert next(metric for metric in compare(runs).metrics if metric.name == "eval_loss").best is None


def test_runs_on_different_data_are_told_apart(tmp_path: Path) -> None:
    other = {**recorded()["data"], "fingerprint": "other"}
    runs = [
        make_run(tmp_path / "a", manifest=manifest_of()),
        make_run(tmp_path / "b", manifest=manifest_of(data=other)),
    ]
    assert any("not of the same pairs" in note for note in compare(runs).notes)
    runs.append(make_run(tmp_path / "c", manifest=supervised_manifest()))
    assert any("not of the same rows" in note for note in compare(runs).notes)
    imitated = [supervised_manifest(), supervised_manifest(data=other)]
    runs = [make_run(tmp_path / f"d{i}", manifest=manifest) for i, manifest in enumerate(imitated)]
    assert any("not of the same demonstrations" in note for note in compare(runs).notes)


def test_unfinished_runs_are_compared_as_far_as_they_go(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a", manifest=manifest_of(after=None, status="interrupted")), make_run(tmp_path / "b")]
    found = compare(runs)
    assert "Not all of these runs are finished." in found.notes
    assert [run.status for run in found.runs] == ["interrupted", "not begun"]


def test_one_run_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least two"):
        compare([make_run(tmp_path / "a")])


def test_a_summary_has_the_last_logged_step(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", manifest=manifest_of(status="running"), rows=metric_rows(120)[:-1])
    with run.metrics_path.open("a") as file:
        file.write('{"step": 130, "lo')
    assert (summarize(run).step, summarize(run).steps) == (120, 300)


def test_a_damaged_run_is_listed_as_such(tmp_path: Path) -> None:
    for number, text in enumerate(("{", "[]", '{"model": 3}', '{"version": 99}')):
        run = make_run(tmp_path / str(number))
        run.manifest_path.write_text(text, encoding="utf-8")
        assert summarize(run).status == "damaged"


def test_values_have_their_intervals_and_what_is_the_same_does_not_differ(tmp_path: Path) -> None:
    after = {"eval_rewards/accuracies": 0.85, "eval_loss": math.nan, "eval_rewards/margins": 1.382}
    runs = [
        make_run(tmp_path / "a", manifest=manifest_of()),
        make_run(tmp_path / "b", manifest=manifest_of(after=after, judge=None)),
    ]
    metrics = {metric.name: metric for metric in compare(runs).metrics}
    accuracy = metrics["eval_rewards/accuracies"]
    assert accuracy.written() == ("81.2% (77.1–84.8%)", "85.0% (81.2–88.2%)")
    assert accuracy.differs
    assert metrics["judge.win_rate"].written() == ("93.1% (90.2–95.2%)", "–")
    assert metrics["judge.win_rate"].differs
    assert metrics["eval_loss"].differs
    assert not metrics["eval_rewards/margins"].differs


def test_runs_that_both_diverged_do_not_differ() -> None:
    nothing = (None, None)
    assert not ComparedMetric("eval_loss", (math.nan, math.inf), None, nothing).differs
    assert ComparedMetric("eval_loss", (math.nan, 0.5), None, nothing).differs
    assert ComparedMetric("eval_loss", (math.nan, 0.5), None, nothing).written() == ("not finite", "0.5000")


def test_settings_are_written_as_in_a_recipe(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / "a", manifest=manifest_of(), recipe={"train": {"keep_best": None}, "model": "a"}),
        make_run(tmp_path / "b", manifest=manifest_of(), recipe={"train": {"keep_best": "eval_loss"}, "model": "b"}),
    ]
    assert {setting.key: setting.written() for setting in compare(runs).settings} == {
        "model.name": ("a", "b"),
        "train.keep_best": ("null", "eval_loss"),
    }
