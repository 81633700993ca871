"""Every objective trains, from the recipe to the report, and the run records exactly what ran."""

from __future__ import annotations

import math

import pytest

from tests.workflow.conftest import Small, small_recipe
from tiebreak.errors import InputError
from tiebreak.objectives import objective_named, objective_names
from tiebreak.recipe import load_recipe
from tiebreak.workflow.resolve import resolve

pytestmark = pytest.mark.journey  # each of these is a run, or a server that is asked many times


@pytest.mark.parametrize("name", objective_names())
def test_an_objective_trains(name: str, small: Small) -> None:
    run = small(objective__name=name, train__max_steps=2)
    entry = objective_named(name)
    manifest = run.folder.load_manifest().to_json()
    assert manifest["status"] == "finished"
    assert manifest["task"] == entry.task
    rows = [row for row in run.history if "loss" in row]
    assert len(rows) == 2
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert {"rewards/chosen", "rewards/rejected", "logps/chosen"} <= set().union(*rows)
    assert ("rewards/accuracies" in rows[0]) == (entry.task == "preference")
    assert "reference" in manifest["timings"]
    assert math.isfinite(run.metrics["eval_loss"])
    assert run.recipe.objective.settings == entry.settings
    assert name in (run.path / "report.html").read_text()


@pytest.mark.parametrize("name", ["simpo", "orpo", "cpo", "slic_hf", "nll"])
def test_no_reference_is_computed_where_none_is_needed(
    name: str, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a reference was scored")

    monkeypatch.setattr("tiebreak.workflow.reference.reference_scores", never)
    monkeypatch.setattr("tiebreak.workflow.reference.frozen_copy", never)
    for reference in ("cached", "live"):
        run = small(reference, objective__name=name, train__reference=reference, train__max_steps=1)
        assert run.metrics["eval_rewards/margins"] != 0


@pytest.mark.parametrize("name", ["simpo", "orpo"])
def test_rewards_without_a_reference_are_means_over_tokens(name: str, small: Small) -> None:
    run = small(objective__name=name, train__max_steps=1)
    beta = run.recipe.objective.settings["beta"]
    row = next(row for row in run.history if "loss" in row)
    assert 0 > row["rewards/chosen"] > beta * row["logps/chosen"]


def test_a_sum_of_objectives_is_the_sum_of_their_losses(small: Small) -> None:
    first = {name: small(name, objective__name=name, train__max_steps=1) for name in ("sigmoid", "nll", "ipo")}
    summed = small(
        "sum",
        train__max_steps=1,
        objective__name="sigmoid",
        objective__weight=0.5,
        objective__add={"nll": 0.2, "ipo": {"weight": 0.1, "beta": 0.1}},
    )
    losses = {name: next(row["loss"] for row in run.history if "loss" in row) for name, run in first.items()}
    expected = 0.5 * losses["sigmoid"] + 0.2 * losses["nll"] + 0.1 * losses["ipo"]
    assert next(row["loss"] for row in summed.history if "loss" in row) == pytest.approx(expected, rel=1e-5)


def test_a_recorded_recipe_is_the_same_objective_again(small: Small) -> None:
    run = small(objective__name="sigmoid", objective__add={"exo_pair": 0.5, "sigmoid_norm": 0.1}, train__max_steps=1)
    again = load_recipe(run.folder.recipe_path)
    assert resolve(again).recipe == again
    assert resolve(again).objective == resolve(run.recipe).objective


def test_wpo_weights_lower_the_loss_of_unlikely_pairs(small: Small) -> None:
    plain, weighted = small("plain", train__max_steps=1), small("wpo", objective__weighting="wpo", train__max_steps=1)
    losses = [next(row["loss"] for row in run.history if "loss" in row) for run in (plain, weighted)]
    assert 0 < losses[1] < losses[0]
    # Held out, every pair says as much about the model as the next.
    assert plain.folder.load_manifest().to_json()["before"] == weighted.folder.load_manifest().to_json()["before"]


def test_desensitized_lengths_change_what_is_summed_on_both_sides(small: Small) -> None:
    plain, other = small("plain", train__max_steps=1), small("ld", objective__length_alpha=0.2, train__max_steps=1)
    rows = [next(row for row in run.history if "loss" in row) for run in (plain, other)]
    assert rows[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert rows[1]["loss"] == pytest.approx(math.log(2), abs=1e-5)  # the reference is summed alike
    assert rows[1]["logps/rejected"] > rows[0]["logps/rejected"]


def test_unpaired_completions_are_measured_apart(small: Small) -> None:
    run = small(objective__name="kto", train__max_steps=6, train__batch_size=16)
    assert run.metrics["eval_rewards/margins"] == pytest.approx(
        run.metrics["eval_rewards/chosen"] - run.metrics["eval_rewards/rejected"]
    )
    assert run.metrics["eval_rewards/margins"] > 0
    assert "eval_kl" in run.metrics
    assert run.folder.load_manifest().to_json()["data"]["labels"]["good"] > 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"objective__name": "simpo", "objective__label_smoothing": 0.1}, "label_smoothing"),
        ({"objective__name": "kto", "objective__length_alpha": 0.5}, "compare the two of a pair"),
        ({"objective__name": "kto", "objective__add": {"nll": 1.0}}, "kto"),
        ({"objective__name": "sigmiod"}, "did you mean 'sigmoid'?"),
        ({"objective__add": {"nl": 1.0}}, "nll"),
        ({"objective__name": "supervised", "objective__beta": 0.1}, "takes no settings"),
        (
            {"objective__name": "simpo", "train__reference": "live", "train__reference_update": "soft"},
            "no reference to update",
        ),
    ],
)
def test_what_does_not_apply_is_refused_before_anything_is_loaded(changes: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(small_recipe(**changes))
    assert says in str(caught.value)
    assert caught.value.exit_code == 2
