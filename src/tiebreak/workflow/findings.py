"""The doctor's findings of a run where they are due: before its first step, and while it trains.

What a finding is and when it speaks is known to `doctor`. What stops a run is decided here, for the command line,
Python, the page and the loop alike.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from tiebreak.doctor.examine import run_findings
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Finding, at_least
from tiebreak.doctor.registry import diagnose
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.manifest import DataRecord
from tiebreak.workflow.progress import Progress

_REST = 99  # times as long as a look took, before the next one


class Hopeless(InputError):
    """A finding says that nothing can come of a run."""


def starting_findings(recipe: Recipe, data: DataRecord, parameters: int | None) -> tuple[Finding, ...]:
    """What is known to be wrong with settings and data before the first step, the most severe first.

    Args:
        recipe: as it runs.
        data: what was read and counted.
        parameters: of the model; None where they were not counted.
    """
    return diagnose(Facts(recipe=recipe, parameters=parameters, data=data))


def say_before_training(found: Sequence[Finding], progress: Progress, *, anyway: bool) -> None:
    """Show what is wrong, and refuse to begin where nothing can come of it.

    Args:
        found: of `starting_findings`.
        progress: where it is shown: each warning in a line, and how many notes there are.
        anyway: begin in any case.
    Raises:
        Hopeless: a finding says that nothing can come of the run as it is.
    """
    severe = at_least(found, "warning")
    progress.say_all(finding.line for finding in severe)
    if notes := len(found) - len(severe):
        progress.say(f"doctor  {notes} {'note' if notes == 1 else 'notes'} on data and settings: see the report")
    stops = at_least(found, "stop")
    if stops and not anyway:
        first = stops[0]
        what_to_do = "; ".join((*(f"set {key}={value}" for key, value in first.change.items()), *first.advice))
        raise Hopeless(
            f"Nothing can come of this run: {first.title} ({first.figures_text}).",
            where=f"{first.name}, see docs/doctor.md",
            fix=f"{what_to_do.rstrip('.')}; or train all the same with --anyway",
        )


class SayFindings(TrainerCallback):
    """Says each finding over the log in one line, once two looks in a row show it: what comes and goes is noise.

    It looks after each evaluation, or after each log where nothing is held out; in a long log less often, so that all
    looks together take a hundredth of the time at most. The manifest keeps what was said, so that a run which goes on
    does not say it again.

    Args:
        folder: of the run, whose log is read.
        known: names of findings that were said before the first step.
        progress: where it is shown.
    """

    def __init__(self, folder: RunFolder, known: Sequence[str], progress: Progress) -> None:
        self.folder = folder
        self.said = {*known, *folder.load_manifest().said}
        self.seen: frozenset[str] = frozenset()
        self.progress = progress
        self.next_look = 0.0

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Look at the log so far."""
        self._look()
        return control

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        """Look at the log so far, where no evaluation is to come."""
        if args.eval_strategy == IntervalStrategy.NO:
            self._look()
        return control

    def _look(self) -> None:
        began = time.monotonic()
        if began < self.next_look:
            return
        manifest = self.folder.load_manifest()
        found = at_least(run_findings(self.folder, manifest, self.folder.recipe()), "warning")
        sure = [finding for finding in found if finding.severity == "stop" or finding.name in self.seen]
        new = [finding for finding in sure if finding.name not in self.said]
        if new:
            names = [finding.name for finding in new]
            self.progress.say_all(finding.line for finding in new)
            self.said.update(names)
            self.folder.update_manifest(said=(*manifest.said, *names))
        self.seen = frozenset(finding.name for finding in found)
        ended = time.monotonic()
        self.next_look = ended + _REST * (ended - began)
