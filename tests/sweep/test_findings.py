"""What is said of a search: each rule where it must speak, and where it must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sweep.made import begun, searched
from tiebreak.doctor.finding import Finding
from tiebreak.sweep import findings as module
from tiebreak.sweep.findings import findings_of
from tiebreak.sweep.study import Trial


def said(tmp_path: Path, over: dict[str, Any], results: list[tuple[Any, ...]], **section: Any) -> list[str]:
    """Names of the findings; of each trial its value of the one key, and its losses of each seed."""
    plan, folder = begun(tmp_path, searched(over, **section))
    key = next(iter(over))
    trials = [
        Trial(n, {key: value}, "finished", (sum(losses) / len(losses),), tuple((loss,) for loss in losses))
        for n, (value, *losses) in enumerate(results)
    ]
    return [finding.name for finding in findings_of(plan, folder, trials)]


@pytest.mark.parametrize(
    ("tried", "results", "speaks"),
    [
        ([1, 2, 4], [(1, 0.4), (2, 0.5), (4, 0.6)], True),
        ([4, 2, 1], [(1, 0.6), (2, 0.5), (4, 0.4)], True),
        ([1, 2, 4], [(1, 0.6), (2, 0.4), (4, 0.5)], False),
        ([1, 2], [(1, 0.4), (2, 0.5)], False),  # one of two is always at an end
        ({"range": [1, 100]}, [(2, 0.4), (50, 0.5), (90, 0.6)], True),
        ({"range": [1, 100]}, [(99, 0.4), (50, 0.5), (90, 0.6)], True),
        ({"range": [1, 100]}, [(10, 0.6), (50, 0.5), (90, 0.4)], False),
        ({"range": [1, 100]}, [(2, 0.4)], False),
    ],
)
def test_a_best_value_at_an_end_asks_for_a_wider_search(
    tmp_path: Path, tried: Any, results: list[tuple[Any, ...]], speaks: bool
) -> None:
    assert ("best-at-border" in said(tmp_path, {"train.batch_size": tried}, results)) == speaks


def test_trials_that_were_ended_early_were_tried_too(tmp_path: Path) -> None:
    plan, folder = begun(tmp_path, searched({"train.batch_size": [1, 2, 4]}))
    pruned = [Trial(n, {"train.batch_size": size}, "pruned") for n, size in enumerate((1, 2))]
    best = Trial(2, {"train.batch_size": 4}, "finished", (0.5,), ((0.5,),))
    assert [finding.name for finding in findings_of(plan, folder, [*pruned, best])] == ["best-at-border"]


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([(1, 0.5), (2, 0.5), (4, 0.6)], ["equal-best"]),  # one of the best lies between the ends
        ([(1, 0.5), (2, 0.6), (4, 0.5)], ["equal-best"]),
        ([(1, 0.5), (2, 0.6), (4, 0.7)], ["best-at-border"]),
        ([(1, 0.6), (2, 0.5), (4, 0.7)], []),
    ],
)
def test_equally_good_trials_are_said_and_have_no_border_of_their_own(
    tmp_path: Path, results: list[tuple[Any, ...]], expected: list[str]
) -> None:
    assert said(tmp_path, {"train.batch_size": [1, 2, 4]}, results) == expected


def test_an_objective_that_is_one_has_one_scale(tmp_path: Path) -> None:
    assert said(tmp_path, {"objective.beta": [0.1]}, [(0.1, 0.5)]) == []
    assert said(tmp_path / "two", {"objective.beta": [0.1, 0.2]}, [(0.1, 0.5), (0.2, 0.6)]) == ["own-scales"]


def test_names_have_no_ends(tmp_path: Path) -> None:
    results: list[tuple[Any, ...]] = [("linear", 0.4), ("cosine", 0.5), ("constant", 0.6)]
    assert said(tmp_path, {"train.schedule": [name for name, _ in results]}, results) == []


@pytest.mark.parametrize(
    ("results", "speaks"),
    [
        ([(1, 0.50, 0.60), (2, 0.52, 0.62)], True),
        ([(1, 0.50, 0.51), (2, 0.70, 0.71)], False),
        ([(1, 0.50, 0.60)], False),
    ],
)
def test_a_difference_within_the_seeds_asks_for_more_seeds(
    tmp_path: Path, results: list[tuple[Any, ...]], speaks: bool
) -> None:
    assert ("within-seeds" in said(tmp_path, {"train.batch_size": [1, 2]}, results, seeds=2)) == speaks


def test_losses_of_other_objectives_are_on_scales_of_their_own(tmp_path: Path) -> None:
    results = [(0.1, 0.5), (0.3, 0.4)]
    over = {"objective.beta": [0.1, 0.3]}
    assert said(tmp_path / "loss", over, results) == ["own-scales"]
    assert said(tmp_path / "accuracy", over, results, objective="accuracy") == []
    assert said(tmp_path / "rate", {"train.epochs": [1, 3]}, results) == []


def test_all_trials_memorise_or_not_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Finding(
        "memorising", "warning", "it memorises", (), "It does.", "A paper.", "likely", {"train.epochs": "1"}
    )

    def all_do(run: Any, *_: Any) -> tuple[Finding, ...]:
        return (found,)

    def one_does_not(run: Any, *_: Any) -> tuple[Finding, ...]:
        return () if run.path.name == "0001" else (found,)

    results = [(1, 0.5), (2, 0.4)]
    for name, findings, speaks in (("all", all_do, True), ("some", one_does_not, False)):
        plan, folder = begun(tmp_path / name, searched({"train.epochs": [1, 2]}))
        for number in range(2):
            run = folder.run(number, 0, 1)
            run.path.mkdir()
            run.recipe_path.write_text("{}")
        monkeypatch.setattr(module, "run_findings", findings)
        trials = [Trial(n, {"train.epochs": value}, "finished", (loss,)) for n, (value, loss) in enumerate(results)]
        names = [each.name for each in findings_of(plan, folder, trials)]
        assert ("all-memorise" in names) == speaks
