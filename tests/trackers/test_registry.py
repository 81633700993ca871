"""The table of trackers: what recipes, the command line and the extras read from it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tiebreak.cli.main import app
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, parse_recipe
from tiebreak.tasks import load_part
from tiebreak.trackers import registry
from tiebreak.trackers.registry import TRACKERS, Tracker, check_trackers

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("tracker", TRACKERS.values(), ids=list(TRACKERS))
def test_an_entry_names_its_extra_and_a_client_with_all_methods(tracker: Tracker) -> None:
    (requirement,) = PROJECT["optional-dependencies"][tracker.name]
    assert requirement.startswith(f"{tracker.package}>=")
    client = load_part(tracker.client)
    assert all(callable(getattr(client, method)) for method in ("log", "show", "close"))


def test_recipes_and_flags_take_every_tracker() -> None:
    assert Recipe(track=list(TRACKERS)).track == tuple(TRACKERS)
    described = Recipe.model_fields["track"].description or ""
    shown = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).output
    for name in TRACKERS:
        assert name in described
        assert name in shown


@pytest.mark.parametrize(
    ("track", "says"),
    [
        ("wandbb", "track.0: there is no tracker 'wandbb'; did you mean 'wandb'?"),
        (["mlflow", "xyz"], "track.1: there is no tracker 'xyz'; known: wandb, trackio, tensorboard, mlflow"),
    ],
)
def test_an_unknown_tracker_is_answered_with_the_nearest(track: object, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_recipe({"track": track}, where="mine.yaml")
    assert says in caught.value.what


def test_a_missing_package_is_refused_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_trackers(TRACKERS)
    (tmp_path / "no_such_tracker").mkdir()  # a folder of that name is no package
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("no_such_tracker", "nor_this_one"):
        entry = Tracker(name, name, name, "tiebreak.trackers.clients:Wandb")
        monkeypatch.setattr(registry, "TRACKERS", {**TRACKERS, name: entry})
        with pytest.raises(InputError) as caught:
            check_trackers(["tensorboard", name])
        assert f'pip install "tiebreak[{name}]"' in str(caught.value)
