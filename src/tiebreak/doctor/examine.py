"""A run, a file or rows to findings: what `tiebreak doctor` and `tiebreak.diagnose` call.

Gathers the facts: the log, and of a run folder its recipe and what its manifest recorded. Writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Finding
from tiebreak.doctor.reading.json_logs import rows_log
from tiebreak.doctor.reading.logs import read_log
from tiebreak.doctor.registry import Unseen, diagnose, unseen
from tiebreak.errors import InputError
from tiebreak.objectives import objective_named
from tiebreak.objectives.outside import is_outside
from tiebreak.recipe import Recipe
from tiebreak.recipe.builtin import RecipeLike, chosen_recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.folder import find_run
from tiebreak.runs.manifest import Manifest

Logged = str | os.PathLike[str] | Sequence[Mapping[str, Any]]
"""A run folder or its name, a file or folder with a log, or the rows themselves."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found, and what could not be looked at.

    Attributes:
        facts: what was looked at.
        findings: the most severe first.
        unseen: what the log has too little for.
    """

    facts: Facts
    findings: tuple[Finding, ...]
    unseen: tuple[Unseen, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        log = self.facts.log
        return {
            "log": None
            if log is None
            else {
                "source": log.source,
                "kind": log.kind,
                "axis": log.axis,
                "last": log.last,
                "metrics": sorted(log.curves),
                "unread": list(log.unread),
            },
            "objective": self.facts.known_objective,
            "held_out": self.facts.held_out_examples,
            "findings": [finding.to_json() for finding in self.findings],
            "not_looked_at": [{"names": list(each.names), "missing": each.missing} for each in self.unseen],
        }


def examine(
    logged: Logged | None = None,
    *,
    recipe: RecipeLike | None = None,
    held_out: int | None = None,
    objective: str | None = None,
) -> Diagnosis:
    """Say what is wrong with a run, and what to change.

    Args:
        logged: a run, a file or folder with a log of any kind that is read, or rows such as
            `trainer.state.log_history`; None looks at the recipe alone.
        recipe: of the run; a run folder has its own.
        held_out: how many held-out examples there are, where the log does not say.
        objective: name of the loss, where neither recipe nor log say it.
    Returns:
        The findings, and what could not be looked at.
    Raises:
        InputError: there is nothing to look at, or it cannot be read.
    """
    if held_out is not None and held_out < 1:
        raise InputError("The number of held-out examples has to be at least 1.", where="held_out")
    facts = _told(recipe, held_out, objective)
    if logged is None:
        if facts.recipe is None:
            raise InputError("There is nothing to look at.", fix="name a run, a log or a recipe")
        return Diagnosis(facts, diagnose(facts))
    if isinstance(logged, str | os.PathLike):
        facts = _of_path(os.fspath(logged), facts)
    else:
        facts = replace(facts, log=rows_log(list(logged), "the rows", "rows of metrics"))
    assert facts.log is not None
    return Diagnosis(facts, diagnose(facts), unseen(facts.log))


def _told(recipe: RecipeLike | None, held_out: int | None, objective: str | None) -> Facts:
    """What the user says of the run."""
    if objective is not None and objective != "supervised" and not is_outside(objective):
        objective = objective_named(objective, where="--objective").name
    chosen = None if recipe is None else chosen_recipe(recipe, {}, fix="name a recipe")
    return Facts(recipe=chosen, held_out=held_out, objective=objective)


def _of_path(name: str, facts: Facts) -> Facts:
    path = Path(name).expanduser()
    if not path.exists():
        path = find_run(name).path
    run = _run_of(path)
    if run is None:
        return replace(facts, log=read_log(path))
    found = _of_run(run, run.load_manifest(), facts.recipe or run.recipe())
    return replace(found, objective=facts.objective, held_out=facts.held_out or found.held_out)


def run_findings(run: RunFolder, manifest: Manifest, recipe: Recipe | None) -> tuple[Finding, ...]:
    """What is found in a run, for whoever shows it beside other things.

    Of a log with nothing in it that could be looked at, settings and data are left; `examine` says why that is so.

    Args:
        run: its folder.
        manifest: of the run.
        recipe: of the run; None looks at no settings.
    """
    try:
        return diagnose(_of_run(run, manifest, recipe))
    except InputError:
        return diagnose(_recorded(manifest, recipe))


def _recorded(manifest: Manifest, recipe: Recipe | None) -> Facts:
    """What is known of a run beside its log."""
    return Facts(
        recipe=recipe,
        held_out=manifest.data.held_out if manifest.data is not None else None,
        parameters=manifest.model.parameters if manifest.model is not None else None,
        data=manifest.data,
        answers=manifest.answers,
    )


def _of_run(run: RunFolder, manifest: Manifest, recipe: Recipe | None) -> Facts:
    planned = None if manifest.length is None else float(manifest.length.steps)
    log = replace(read_log(run.metrics_path), source=str(run.path), kind="run of Tiebreak", planned=planned)
    return replace(_recorded(manifest, recipe), log=log)


def _run_of(path: Path) -> RunFolder | None:
    """The run that a folder is, or that its metrics.jsonl was named of."""
    folder = path.parent if path.name == "metrics.jsonl" else path
    run = RunFolder(folder)
    if not run.recipe_path.is_file():
        return None
    if not run.metrics_path.is_file():
        raise InputError("The run has logged nothing yet.", where=str(folder), fix="look again after its first steps")
    return run
