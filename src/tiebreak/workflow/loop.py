"""One turn of the circle: train on what people said, from the accepted model, and accept what is better.

The held-out pairs are drawn once, when the loop begins, so that every turn is measured on the same ones. A turn that
was cut off is gone on with: its data are written before its training begins.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.data.convert import write_rows
from tiebreak.data.gather import gather
from tiebreak.data.load import load_kind
from tiebreak.data.sources import SourceSpec
from tiebreak.errors import InputError
from tiebreak.evaluate.judging import judge_for
from tiebreak.files import write_json, write_text
from tiebreak.recipe import DataSection, Recipe, load_recipe
from tiebreak.report.table import accuracy_interval
from tiebreak.runs import RunFolder
from tiebreak.runs.entries import interval, number
from tiebreak.runs.loop import RUN_OF_TURN, LoopFolder, Turn
from tiebreak.votes import open_votes
from tiebreak.workflow.talk import Talk
from tiebreak.workflow.train import resume, train

if TYPE_CHECKING:
    from datasets import Dataset

Accept = Literal["better", "not-worse", "always"]
_HELD_OUT, _BASE, _DATA = "held_out.jsonl", "base.jsonl", "data.jsonl"


@dataclass(frozen=True)
class Circle:
    """What a loop is asked for.

    Attributes:
        folder: the loop folder.
        votes: URL of the votes.
        recipe: of each turn; None is what the loop began with, or the default.
        accept: take a model whose interval lies above one half, one that does not lie below it, or any.
        votes_only: train on the votes alone; the data of the recipe are still where held-out pairs come from.
        min_votes: votes since the last turn that make another one worth while.
    """

    folder: Path
    votes: str
    recipe: Recipe | None = None
    accept: Accept = "better"
    votes_only: bool = False
    min_votes: int = 1


def take_turn(circle: Circle, *, talk: Talk | None = None) -> Turn | None:
    """Train, compare, accept or not.

    Returns:
        The turn; None where there are too few new votes for one.
    Raises:
        InputError: the loop, the votes or the recipe are wrong, or another process is at work in the loop.
        RunError, Interrupted: the training ended so; the next call goes on with it.
    """
    talk, loop = talk or Talk(), LoopFolder(circle.folder)
    if not loop.exists:
        _begin(loop, circle.recipe or Recipe(), talk)
    with loop.locked():
        recipe = circle.recipe or load_recipe(loop.path / "recipe.yaml")
        turns = loop.turns()
        place = loop.path / f"turn-{len(turns) + 1}"
        counted = _written(place) or _write_data(circle, loop, place, turns, talk)
        if counted is None:
            return None
        against = loop.current()
        run = place / RUN_OF_TURN
        if RunFolder(run).recipe_path.is_file():
            resume(run, talk=talk)
        else:
            train(_of_turn(recipe, loop, place, against), out=run, talk=talk)
        turn = _judged(loop, circle, place, against, counted)
        loop.add(turn)
        return turn


def _begin(loop: LoopFolder, recipe: Recipe, talk: Talk) -> None:
    """Fix what all turns share: the recipe, the model at the start, the other data and the held-out pairs."""
    with talk.share("reading") as update:
        _, selection = gather(recipe.data, on_progress=update)
    if not len(selection.held_out):
        raise InputError(
            "A loop needs held-out pairs, to see whether a turn made the model better.",
            where="data.eval_fraction",
            fix="set data.eval_fraction, data.eval_source or data.eval_split",
        )
    loop.path.mkdir(parents=True, exist_ok=True)
    write_rows(selection.held_out, loop.path / _HELD_OUT, force=True)
    write_rows(selection.train, loop.path / _BASE, force=True)
    write_text(loop.path / "recipe.yaml", recipe.to_yaml())
    loop.begin(_whole(recipe.model.name))


def _whole(name: str) -> str:
    """A model's name that holds from any folder."""
    path = Path(name).expanduser()
    return str(path.resolve()) if path.exists() else name


def _written(place: Path) -> dict[str, int] | None:
    """What a turn that was cut off counted, if it got as far as its data."""
    import json

    file = place / "counts.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _write_data(circle: Circle, loop: LoopFolder, place: Path, turns: list[Turn], talk: Talk) -> dict[str, int] | None:
    with open_votes(circle.votes) as store:
        votes = store.count()
    before = turns[-1].votes if turns else 0
    if votes - before < circle.min_votes:
        talk.say(f"There are {votes - before:,} votes since the last turn, and a turn is made of {circle.min_votes:,}.")
        return None
    chosen: Dataset = load_kind(SourceSpec(f"votes:{circle.votes}"), "preference").dataset
    pairs, base = len(chosen), 0
    if not circle.votes_only:
        from datasets import concatenate_datasets

        other = load_kind(SourceSpec(str(loop.path / _BASE)), "preference").dataset
        base = len(other)
        chosen = concatenate_datasets([other, chosen.cast(other.features)])
    place.mkdir(parents=True, exist_ok=True)
    write_rows(chosen, place / _DATA, force=True)
    counted = {"votes": votes, "pairs": pairs, "base": base}
    write_json(place / "counts.json", counted)
    return counted


def _of_turn(recipe: Recipe, loop: LoopFolder, place: Path, against: str) -> Recipe:
    """The recipe of a turn: from the accepted model, on the data written for it, measured on the loop's own pairs."""
    judge = recipe.evaluate.judge
    if judge == "auto":
        judge = "bundled" if judge_for(recipe.data.source) is not None else "none"
    data = DataSection(
        source=str(place / _DATA),
        eval_source=str(loop.path / _HELD_OUT),
        template=recipe.data.template,
        max_length=recipe.data.max_length,
        max_prompt_length=recipe.data.max_prompt_length,
        max_completion_length=recipe.data.max_completion_length,
        too_long=recipe.data.too_long,
        duplicates="keep",  # two people who agree are two
    )
    return recipe.model_copy(
        update={
            "model": recipe.model.model_copy(update={"name": against}),
            "data": data,
            "evaluate": recipe.evaluate.model_copy(update={"judge": judge}),
        }
    )


def _judged(loop: LoopFolder, circle: Circle, place: Path, against: str, counted: dict[str, int]) -> Turn:
    manifest = RunFolder.open(place / RUN_OF_TURN).manifest()
    measure, value, low, high = _measured(manifest)
    taken = {"better": low > 0.5, "not-worse": high >= 0.5, "always": True}[circle.accept]
    said = {"win_rate": "win rate against the model before", "accuracy": "held-out accuracy"}[measure]
    clear = "above" if low > 0.5 else "below" if high < 0.5 else "not clear of"
    state = loop.state()
    return Turn(
        number=len(state["turns"]) + 1,
        outcome="accepted" if taken else "rejected",
        why=f"{said} {value:.1%} (95% interval {low:.1%} to {high:.1%}) is {clear} one half; rule: {circle.accept}",
        model=str((place / RUN_OF_TURN).relative_to(loop.path)),
        against=against,
        began_from=int(state["current"]),
        **counted,
        measure=measure,
        value=value,
        low=low,
        high=high,
        pass_rate=number(manifest, "judge", "after", "pass_rate"),
        time=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _measured(manifest: dict[str, Any]) -> tuple[str, float, float, float]:
    """The judge's win rate where there is a judge, else the held-out accuracy: both are one half for equal models."""
    wins, chance = number(manifest, "judge", "win_rate", "value"), interval(manifest, "judge", "win_rate", "interval")
    if wins is not None and chance is not None:
        return "win_rate", wins, *chance
    share, bounds = number(manifest, "after", "eval_rewards/accuracies"), accuracy_interval(manifest)
    if share is None or bounds is None:
        raise InputError("The turn has no held-out figures to decide by.", where="objective.name")
    return "accuracy", share, *bounds
