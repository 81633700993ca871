"""What runs of one process share: made once, and the numbers of each run are those that it has by itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import small_recipe
from tiebreak.engine import reference
from tiebreak.recipe import Recipe
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.workflow import data, finish, model, plan
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.run import Run
from tiebreak.workflow.shared import ALONE, Shared
from tiebreak.workflow.train import train, train_among


def test_the_newest_of_each_kind_stay() -> None:
    shared, made = Shared(keeps=2), list[int]()

    def make(number: int) -> int:
        made.append(number)
        return number

    for number in (1, 2, 1, 3, 2, 1):
        assert shared.once("kind", number, partial(make, number)) == number
    assert made == [1, 2, 3, 1]  # the oldest went when the third came
    assert shared.once("other", 2, lambda: 5) == 5


def test_a_copy_may_be_changed_and_a_run_alone_keeps_nothing() -> None:
    shared = Shared()
    first = shared.copied("weights", "key", lambda: [1])
    first.append(2)
    assert shared.copied("weights", "key", lambda: [3]) == [1]
    assert ALONE.once("kind", 1, lambda: "a") == "a"
    assert ALONE.once("kind", 1, lambda: "b") == "b"
    assert ALONE.copied("kind", 1, lambda: "c") == "c"


def numbers(run: Run) -> tuple[Any, Any]:
    """What a run measured, without its times."""
    timeless = {"seconds", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second"}
    logged = read_metrics(run.folder.metrics_path)
    return run.metrics, [{key: row[key] for key in row if key not in timeless} for row in logged]


def test_runs_that_share_have_the_numbers_of_runs_alone(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(cache))
    calls: dict[str, int] = {}

    def counted(where: Any, name: str) -> None:
        real = getattr(where, name)

        def count(*given: Any, **named: Any) -> Any:
            calls[name] = calls.get(name, 0) + 1
            return real(*given, **named)

        monkeypatch.setattr(where, name, count)

    for where, name in (
        *((data, "load_data"), (model, "load_model"), (model, "fingerprint_weights")),
        *((plan, "self_check"), (plan, "token_budget"), (finish, "answers_with_ends"), (finish, "read_plain_text")),
    ):
        counted(where, name)
    shared = Shared()
    recipes: list[Recipe] = [small_recipe(train__max_steps=8, train__learning_rate=rate) for rate in (1e-3, 2e-3)]
    recipes.append(small_recipe(train__max_steps=8, model__adapter="lora"))
    among = [
        train_among(shared, recipe, out=tmp_path / f"among{n}", progress=Progress()) for n, recipe in enumerate(recipes)
    ]
    assert calls == {
        "load_data": 1,
        "fingerprint_weights": 2,
        "load_model": 2,  # with an adapter it is loaded in another way
        "self_check": 2,
        "token_budget": 2,
        "answers_with_ends": 2 + 3,  # before, of two kinds of model; after, of each run
        "read_plain_text": 2 + 3,
    }
    manifests = [run.folder.load_manifest() for run in among]
    assert manifests[0].budget == manifests[1].budget is not None
    for number, (run, recipe) in enumerate(zip(among, recipes, strict=True)):
        assert numbers(run) == numbers(train(recipe, out=tmp_path / f"alone{number}"))


def test_what_is_found_of_a_part_of_the_rows_is_not_taken_for_another_part(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(cache))
    checked: list[int] = []
    real: Any = vars(plan)["self_check"]

    def check(model: Any, groups: Any, **named: Any) -> Any:
        checked.append(len(groups))
        return real(model, groups, **named)

    monkeypatch.setattr(plan, "self_check", check)
    shared = Shared()
    for number, (steps, seed) in enumerate([(2, 0), (3, 0), (3, 1), (4, 0), (5, 1)]):
        settings = {"max_steps": steps, "seed": seed, "batch_size": 4, "eval_every": 9}
        recipe = small_recipe(data__limit=16, **{f"train__{key}": value for key, value in settings.items()})
        train_among(shared, recipe, out=tmp_path / f"run{number}", progress=Progress())
    assert checked == [8, 12, 12, 16]


def test_the_reference_is_scored_once_for_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))
    scored: list[int] = []
    real: Any = vars(reference)["score_parts"]

    def count(of: Any, parts: Any, scorer: Any) -> Any:
        scored.append(sum(map(len, parts)))
        return real(of, parts, scorer)

    monkeypatch.setattr(reference, "score_parts", count)
    shared = Shared()
    varied: list[dict[str, Any]] = [{"train__learning_rate": 1e-3}, {"objective__beta": 0.5}, {"train__seed": 3}]
    for number, changes in enumerate(varied):
        recipe = small_recipe(data__limit=16, train__max_steps=2, **changes)
        train_among(shared, recipe, out=tmp_path / f"run{number}", progress=Progress())
    assert sum(scored) == 16 + 16  # the rows to train on and the held-out ones, each once


def test_weights_in_four_bits_are_copied_as_they_are(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bitsandbytes", reason="pip install bitsandbytes")
    monkeypatch.setenv("TIEBREAK_CACHE", str(cache))
    shared = Shared()
    recipe = small_recipe(train__max_steps=2, model__adapter="lora", model__quantize="nf4")
    runs = [train_among(shared, recipe, out=tmp_path / str(number), progress=Progress()) for number in range(2)]
    alone = numbers(train(recipe, out=tmp_path / "alone"))
    assert [numbers(run) for run in runs] == [alone, alone]
