"""One turn of the loop: train on what people said, from the accepted model, and accept what is better.

The held-out pairs are drawn once, when the loop begins, so that every turn is measured on the same ones. A turn that
was cut off is gone on with: its data are written before its training begins.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tiebreak.data.convert import write_rows
from tiebreak.data.load import load_for
from tiebreak.data.preparing.gather import gather
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError, RunError
from tiebreak.files import write_text
from tiebreak.metrics import ACCURACY, keeps_best
from tiebreak.recipe import Recipe, load_recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.loop import RUN_OF_TURN, LoopFolder, Turn, TurnCounts, counts_of, keep_counts
from tiebreak.votes import open_votes
from tiebreak.votes.vote import counts
from tiebreak.workflow import messages
from tiebreak.workflow.gate import Accept, Verdict, by_pairs, by_win_rate, check_size, compare_models, read_from
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.resolve import judge_of, resolve
from tiebreak.workflow.train import resume, train

if TYPE_CHECKING:
    from datasets import Dataset

_HELD_OUT, _BASE, _DATA = "held_out.jsonl", "base.jsonl", "data.jsonl"


@dataclass(frozen=True)
class LoopSettings:
    """What a loop is asked for.

    Attributes:
        folder: the loop folder.
        votes: URL of the votes.
        recipe: of each turn; None is what the loop began with, or the default.
        accept: take a model that is better by the interval of the gate's measure, one that is not worse, or any.
        votes_only: train on the votes alone; the data of the recipe are still where held-out pairs come from.
        min_votes: votes since the last turn that make another one worth while.
    """

    folder: Path
    votes: str
    recipe: Recipe | None = None
    accept: Accept = "better"
    votes_only: bool = False
    min_votes: int = 1


def take_turn(settings: LoopSettings, *, progress: Progress | None = None) -> Turn | None:
    """Train, compare, accept or not.

    Returns:
        The turn; None where there are too few new votes for one.
    Raises:
        InputError: the loop, the votes or the recipe are wrong, or another process is at work in the loop.
        RunError, Interrupted: the training ended so; the next call goes on with it.
    """
    progress, loop = progress or Progress(), LoopFolder(settings.folder)
    if not loop.exists:
        _vote_ids(settings.votes)  # a mistyped address begins no loop
        _begin(loop, settings.recipe or Recipe(), settings.accept, progress)
    with loop.locked():
        recipe = settings.recipe or load_recipe(loop.path / "recipe.yaml")
        folder = loop.path / f"turn-{len(loop.turns()) + 1}"
        counts = counts_of(folder) or _write_data(settings, recipe, loop, folder, progress)
        if counts is None:
            return None
        against = loop.current()
        run = folder / RUN_OF_TURN
        if RunFolder(run).recipe_path.is_file():
            resume(run, progress=progress)
        else:
            # The gate decides about the turn; what is wrong with it is said all the same.
            train(_of_turn(recipe, loop, folder, against), out=run, progress=progress, anyway=True)
        turn = _turn(loop, folder, against, counts, _verdict(loop, settings.accept, folder, against, progress))
        loop.add(turn)
        return turn


def _begin(loop: LoopFolder, recipe: Recipe, accept: Accept, progress: Progress) -> None:
    """Fix what all turns share: the recipe, the model at the start, the other data and the held-out pairs."""
    task = resolve(recipe).task
    if judge_of(recipe) == "none" and ACCURACY.recorded not in keeps_best(task):
        raise InputError(
            f"A loop on {task.examples} has no accuracy to accept a model by, and no judge.",
            where="objective.name",
            fix="choose an objective for pairs, or data that come with a judge",
        )
    with progress.share("reading") as update:
        _, selection = gather(recipe.data, on_progress=update)
    if not len(selection.held_out):
        raise InputError(
            "A loop needs held-out pairs, to see whether a turn made the model better.",
            where="data.eval_fraction",
            fix="set data.eval_fraction, data.eval_source or data.eval_split",
        )
    _check_size(selection.held_out, recipe, accept)
    loop.path.mkdir(parents=True, exist_ok=True)
    write_rows(selection.held_out, loop.path / _HELD_OUT, force=True)
    write_rows(selection.train, loop.path / _BASE, force=True)
    write_text(loop.path / "recipe.yaml", recipe.to_yaml())
    loop.begin(_whole(recipe.model.name))


def _whole(name: str) -> str:
    """A model's name that holds from any folder."""
    path = Path(name).expanduser()
    return str(path.resolve()) if path.exists() else name


def _vote_ids(url: str) -> list[str]:
    """The votes that count, by their ids."""
    with open_votes(url, create=False) as store:
        return [vote.id for vote in store.every() if counts(vote)]


def _new_votes(ids: Sequence[str], loop: LoopFolder) -> int:
    """How many of the votes were in no turn before; one that was withdrawn hides none that came since."""
    turns = loop.turns()
    made = [counts_of((loop.path / turn.model).parent) for turn in turns]
    known = [counts.vote_ids for counts in made if counts is not None and counts.vote_ids is not None]
    if len(known) == len(turns):
        return len(set(ids).difference(*known))
    return max(0, len(ids) - turns[-1].votes)  # an older turn only counted them


def _check_size(held_out: Dataset, recipe: Recipe, accept: Accept) -> str:
    """What the held-out prompts can show, in a sentence; an error where that is too little."""
    judged = judge_of(recipe) != "none"
    prompts = len({json.dumps(prompt, sort_keys=True) for prompt in held_out["prompt"]})
    return check_size(min(prompts, recipe.evaluate.judge_prompts) if judged else prompts, accept, judged=judged)


def _write_data(
    settings: LoopSettings, recipe: Recipe, loop: LoopFolder, folder: Path, progress: Progress
) -> TurnCounts | None:
    ids = _vote_ids(settings.votes)
    new = _new_votes(ids, loop)
    if new < settings.min_votes:
        progress.say(messages.few_votes_line(new, settings.min_votes))
        return None
    held_out = load_for(SourceSpec(str(loop.path / _HELD_OUT)), "preference").dataset
    progress.say(_check_size(held_out, recipe, settings.accept))
    chosen: Dataset = load_for(SourceSpec(f"votes:{settings.votes}"), "preference").dataset
    pairs, base = len(chosen), 0
    if not settings.votes_only:
        from datasets import concatenate_datasets

        other = load_for(SourceSpec(str(loop.path / _BASE)), "preference").dataset
        base = len(other)
        chosen = concatenate_datasets([other, chosen.cast(other.features)])
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(chosen, folder / _DATA, force=True)
    counts = TurnCounts(votes=len(ids), pairs=pairs, base=base, vote_ids=tuple(ids))
    keep_counts(folder, counts)
    return counts


def _of_turn(recipe: Recipe, loop: LoopFolder, folder: Path, against: str) -> Recipe:
    """The recipe of a turn: from the accepted model, on the data written for it, measured on the loop's own pairs."""
    return recipe.model_copy(
        update={
            "model": recipe.model.model_copy(update={"name": against}),
            "data": read_from(recipe.data, folder / _DATA, held_out=loop.path / _HELD_OUT),
            "evaluate": recipe.evaluate.model_copy(update={"judge": judge_of(recipe)}),
        }
    )


def _verdict(loop: LoopFolder, accept: Accept, folder: Path, against: str, progress: Progress) -> Verdict:
    """By the judge of the turn's run, where there is one, or by the held-out pairs."""
    run = RunFolder.open(folder / RUN_OF_TURN)
    judge = run.load_manifest().judge
    if judge is not None and judge.win_rate is not None:
        return by_win_rate(judge.win_rate, accept)
    if judge is not None and judge_of(run.recipe()) != "none":
        raise RunError(
            f"{judge.name} gave no verdict on any answer, so nothing decides.",
            where=str(run.manifest_path),
            fix="correct the judge, or set evaluate.judge to none to decide by the held-out pairs",
        )
    start, held_out = loop.state().start, loop.path / _HELD_OUT
    found = compare_models(run.recipe(), held_out, start=start, before=against, after=str(run.path), progress=progress)
    return by_pairs(found, accept)


def _turn(loop: LoopFolder, folder: Path, against: str, counts: TurnCounts, verdict: Verdict) -> Turn:
    state = loop.state()
    return Turn(
        number=len(state.turns) + 1,
        outcome="accepted" if verdict.accepted else "rejected",
        why=verdict.why,
        model=str((folder / RUN_OF_TURN).relative_to(loop.path)),
        against=against,
        began_from=state.current,
        votes=counts.votes,
        pairs=counts.pairs,
        base=counts.base,
        measure=verdict.measure,
        value=verdict.value,
        low=verdict.low,
        high=verdict.high,
        pass_rate=RunFolder.open(folder / RUN_OF_TURN).load_manifest().final("judge.pass_rate"),
        time=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
