"""Losses from outside, by `module:function`: found, refused in sentences, trained by, and recorded."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

import tiebreak
from tests.objectives.logps import drawn_pairs
from tests.workflow.conftest import SMALL
from tiebreak.errors import InputError
from tiebreak.objectives import configured, objective, objective_named
from tiebreak.objectives.dpo import sigmoid
from tiebreak.recipe import Recipe, load_recipe, parse_recipe
from tiebreak.workflow.resolve import resolve

SOURCE = '''
"""Losses of somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tiebreak.objectives import PairLogps, UnpairedLogps, objective
from tiebreak.objectives.settings import Beta

if TYPE_CHECKING:
    from torch import Tensor


@objective(reward="mean", whole_step=True)
def decorated(policy: PairLogps, *, beta: Beta = 0.5) -> Tensor:
    """A loss with one setting.

    Source:
        Nobody, and
        nowhere.
    """
    return beta * (policy.mean_rejected - policy.mean_chosen)


def plain(
    policy: PairLogps,
    reference: PairLogps,
    *,
    scale: Annotated[float, Field(gt=0, description="Factor of the log-ratios.")] = 0.25,
    squared: bool = True,
) -> Tensor:
    """The margin less one, squared or not."""
    margin = scale * (policy.chosen - reference.chosen - policy.rejected + reference.rejected)
    return (margin - 1) ** 2 if squared else (1 - margin).relu()


@objective(unpaired=True)
def of_one(policy: UnpairedLogps, reference: UnpairedLogps) -> Tensor:
    """Good completions up, bad ones down."""
    return (reference.logp - policy.logp) * (2 * policy.desirable - 1)


@objective(task="unpaired")
def of_one_alone(policy: UnpairedLogps) -> Tensor:
    """The same without a reference."""
    return -policy.logp * (2 * policy.desirable - 1)


def averaged(policy: PairLogps) -> Tensor:
    """A mean over the step, which no loss may take by itself."""
    return (policy.rejected - policy.chosen).mean()


def nothing(policy: PairLogps) -> None:
    """No loss at all."""


def backwards(reference: PairLogps, policy: PairLogps) -> Tensor:
    return policy.chosen


def undecided(policy: PairLogps, *, beta: Beta) -> Tensor:
    return beta * policy.chosen


def impossible(policy: PairLogps, *, beta: Beta = -1.0) -> Tensor:
    return beta * policy.chosen


def unscaled(policy: PairLogps, *, beta: str = "strong") -> Tensor:
    return policy.chosen


NUMBER = 3
'''

DOCS = Path(__file__).parents[2] / "docs"
TRAIN = ("train", "--model", "bundled:base", "--data", "bundled:preferences")

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """A working directory with modules of its own, `own_losses` among them; none is left imported."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)

    def written(name: str, source: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return path

    written("own_losses.py", SOURCE)
    yield written
    for name in set(sys.modules) - before:
        if name.startswith(("own_", "my_losses", "broken")):
            del sys.modules[name]


def test_a_plain_function_says_what_it_needs_and_takes() -> None:
    entry = objective_named("own_losses:plain")
    assert (entry.name, entry.needs_reference, entry.whole_step, entry.reward) == (
        "own_losses:plain",
        True,
        False,
        "sum",
    )
    assert entry.settings == {"scale": 0.25, "squared": True}
    assert entry.summary == "The margin less one, squared or not."
    assert entry.declared["scale"].description == "Factor of the log-ratios."


def test_a_decorated_function_says_more() -> None:
    entry = objective_named("own_losses:decorated")
    assert (entry.whole_step, entry.task, entry.reward, entry.needs_reference) == (True, "preference", "mean", False)
    assert entry.settings == {"beta": 0.5}
    assert entry.source == "Nobody, and nowhere."
    assert objective_named("own_losses:of_one").task == "unpaired"
    assert objective_named("own_losses:of_one_alone").task == "unpaired"


def test_a_task_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no task 'ranking'; there are: preference, unpaired, supervised"):
        objective(task="ranking")(lambda policy: policy)  # type: ignore[arg-type]


def test_it_is_configured_like_any_other_and_added_to_any_other() -> None:
    policy, reference = drawn_pairs(1), drawn_pairs(2)
    loss = configured("sigmoid", {"beta": 0.2}, add={"own_losses:plain": {"weight": 0.5, "scale": "1e-1"}})
    margin = 0.1 * (policy.chosen - reference.chosen - policy.rejected + reference.rejected)
    torch.testing.assert_close(loss(policy, reference), sigmoid(policy, reference, beta=0.2) + 0.5 * (margin - 1) ** 2)
    assert loss.added == {"own_losses:plain": 0.5}
    assert (loss.settings["scale"], loss.settings["squared"]) == (0.1, True)


def test_a_setting_that_it_does_not_take_is_refused_like_any_other() -> None:
    with pytest.raises(InputError) as caught:
        configured("own_losses:plain", {"scal": 1.0})
    assert caught.value.what == "The objective 'own_losses:plain' takes no 'scal'."
    assert caught.value.fix is not None
    assert caught.value.fix.startswith("did you mean 'scale'?")
    with pytest.raises(InputError, match="cannot use scale = 0"):
        configured("own_losses:plain", {"scale": 0})


@pytest.mark.parametrize(
    ("name", "says", "fix"),
    [
        ("own_losses:", "'own_losses:' does not name an objective.", "write MODULE:FUNCTION"),
        ("own/losses.py:plain", "'own/losses.py:plain' does not name an objective.", "write MODULE:FUNCTION"),
        ("own_los:plain", "There is no module 'own_los'.", "in the folder of own_los.py"),
        ("own_losses.more:plain", "There is no module 'own_losses.more'.", None),
        ("own_losses:plian", "The module 'own_losses' has no 'plian'.", "did you mean 'own_losses:plain'?"),
        ("own_losses:NUMBER", "'own_losses:NUMBER' is of type int and not a function.", None),
        ("own_losses:backwards", "takes ['reference', 'policy']", "docs/objectives.md"),
        ("own_losses:undecided", "the setting 'beta' of 'undecided' needs a type and a default", None),
        ("own_losses:impossible", "the default -1.0 of 'beta' is not allowed", None),
        ("own_losses:unscaled", "rewards are scaled by 'beta', and it is no number", None),
    ],
)
def test_what_is_no_objective_is_refused_in_a_sentence(name: str, says: str, fix: str | None) -> None:
    for recipe, where in (
        (Recipe(objective=name), "objective.name"),
        (Recipe(objective={"name": "sigmoid", "add": {name: 1.0}}), "objective.add"),
    ):
        with pytest.raises(InputError) as caught:
            resolve(recipe)
        assert says in caught.value.what
        assert caught.value.where == where
        assert caught.value.exit_code == 2
        if fix is not None:
            assert fix in str(caught.value.fix)


def test_what_goes_wrong_in_a_module_is_said(write: Write) -> None:
    write("broken_syntax.py", "def loss(:")
    write("broken_import.py", "import own_missing_package")
    for name, says in (("broken_syntax", "SyntaxError"), ("broken_import", "No module named 'own_missing_package'")):
        with pytest.raises(InputError, match=f"The module '{name}' cannot be imported") as caught:
            objective_named(f"{name}:loss")
        assert says in caught.value.what


@pytest.mark.parametrize(("name", "what"), [("averaged", r"a tensor of shape \(\)"), ("nothing", "a NoneType")])
def test_a_loss_that_is_not_one_number_an_example_is_refused(name: str, what: str) -> None:
    with pytest.raises(InputError, match=f"'own_losses:{name}' gives {what} for 16 examples"):
        configured(f"own_losses:{name}", {})(drawn_pairs(1))


def test_a_module_in_a_package_of_the_working_directory_is_found(write: Write) -> None:
    write("own_package/__init__.py", "")
    write("own_package/losses.py", SOURCE)
    recipe = Recipe().with_settings(
        {"objective.add.own_package.losses:plain": 0.5, "objective.add.own_package.losses:decorated.weight": 2}
    )
    assert recipe.objective.add == {"own_package.losses:plain": 0.5, "own_package.losses:decorated": {"weight": 2}}
    assert resolve(recipe).recipe.objective.add["own_package.losses:plain"] == 0.5


def test_the_working_directory_is_searched_for_the_one_import_only() -> None:
    before = list(sys.path)
    objective_named("own_losses:plain")
    assert sys.path == before


def test_a_recipe_is_read_without_importing_the_module() -> None:
    document = {"objective": {"name": "own_losses:plain", "scale": 2, "beta": None, "add": {"own_losses:decorated": 1}}}
    recipe = parse_recipe(document, where="mine.yaml")
    assert "own_losses" not in sys.modules
    assert recipe.objective.settings == {"scale": 2}
    assert parse_recipe(yaml.safe_load(recipe.to_yaml()), where="again") == recipe


def test_the_fingerprint_is_of_its_file_and_tiebreaks_own_have_none() -> None:
    loss = configured("own_losses:plain", {}, add={"sigmoid": 1.0})
    assert loss.fingerprints == {"own_losses:plain": hashlib.sha256(Path("own_losses.py").read_bytes()).hexdigest()}


def test_it_trains_from_the_api_and_the_recipe_records_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))
    settings = {**SMALL, "train.max_steps": 2, "objective.name": "own_losses:plain", "objective.scale": 0.5}
    run = tiebreak.train(Recipe().with_settings(settings), out=tmp_path / "run")
    first = next(row for row in run.history if "loss" in row)
    assert first["loss"] == pytest.approx(1.0, abs=1e-5)  # the margin is 0 where policy and reference agree
    assert load_recipe(run.folder.recipe_path).objective.settings == {"scale": 0.5, "squared": True}
    assert run.folder.load_manifest().status == "finished"


@pytest.mark.journey
def test_the_example_of_the_documentation_runs_as_it_is_typed(tmp_path: Path, write: Write) -> None:
    page = (DOCS / "objectives.md").read_text(encoding="utf-8")
    module, use = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    write("my_losses.py", module)
    lines = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)[-1].replace("\\\n", " ").splitlines()
    listing, training = (shlex.split(line)[1:] for line in lines)
    listed = _tiebreak(tmp_path, *listing)
    assert listed.stdout.startswith("my_losses:capped (beta=0.1, cap=5.0)  [pairs, with a reference]\n    DPO whose")
    small = {key: value for key, value in SMALL.items() if not key.endswith((".name", ".source"))}
    words = [word for key, value in small.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    done = _tiebreak(tmp_path, *training, *words)
    assert done.returncode == 0, done.stderr
    recipe = load_recipe(tmp_path / "runs" / "capped" / "recipe.yaml")
    assert recipe.objective.name == "my_losses:capped"
    assert recipe.objective.settings == {"cap": 3.0, "beta": 0.1}
    assert recipe.objective.add == {"my_losses:centred": {"weight": 0.1, "beta": 2.0}}
    scope: dict[str, Recipe] = {}
    exec(use.replace("run = tiebreak.train", "# "), scope)
    assert resolve(scope["recipe"]).recipe.objective.settings == {"cap": 3.0, "beta": 0.1}


@pytest.mark.journey
def test_it_trains_from_the_command_line(tmp_path: Path) -> None:
    settings = {**SMALL, "train.max_steps": 2, "objective.squared": False, "objective.add.own_losses:decorated": 0.1}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    done = _tiebreak(tmp_path, *TRAIN, "--objective", "own_losses:plain", *words, "--out", "runs/mine")
    assert done.returncode == 0, done.stderr
    objective = yaml.safe_load((tmp_path / "runs" / "mine" / "recipe.yaml").read_text())["objective"]
    assert objective["name"] == "own_losses:plain"
    assert objective["add"] == {"own_losses:decorated": 0.1}
    assert {key: objective[key] for key in ("scale", "squared", "beta")} == {
        "scale": 0.25,
        "squared": False,
        "beta": 0.5,
    }
    # A run is listed where its loss no longer is.
    (tmp_path / "own_losses.py").unlink()
    listed = _tiebreak(tmp_path, "runs", "list")
    assert listed.returncode == 0, listed.stderr
    assert "mine" in listed.stdout


def test_a_missing_module_ends_the_command_with_code_2(tmp_path: Path) -> None:
    done = _tiebreak(tmp_path, *TRAIN, "--objective", "own_absent:loss")
    assert done.returncode == 2
    assert "There is no module 'own_absent'." in done.stderr
    assert "Traceback" not in done.stderr


def _tiebreak(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a user types it: Python puts no working directory on its path."""
    environment = {**os.environ, "TIEBREAK_CACHE": str(folder / "cache"), "NO_COLOR": "1", "COLUMNS": "200"}
    code = "from tiebreak.cli.main import run; run()"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
