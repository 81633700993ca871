"""Tiebreak: turn comparisons of two answers into a language model that gives the better one.

The public API, by name; docs/python.md shows it at work. Nothing heavy is imported until it is used, nothing is printed
unless it is asked for, and nothing of the process stays changed.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from tiebreak.errors import InputError, Interrupted, RunError, TiebreakError
from tiebreak.process.imports import quiet_imports
from tiebreak.version import __version__

if TYPE_CHECKING:
    from tiebreak.data.preference import Demonstration, Message, Preference, UnpairedCompletion
    from tiebreak.doctor.examine import Diagnosis
    from tiebreak.doctor.finding import Finding
    from tiebreak.generation.generate import Sampling
    from tiebreak.hub.data import push_data
    from tiebreak.hub.models import push
    from tiebreak.hub.space import push_space
    from tiebreak.process.allocator import tune_process
    from tiebreak.recipe import Recipe, judge_from_flag
    from tiebreak.recipe.builtin import recipe_named as load_recipe
    from tiebreak.report.beside import compare_runs
    from tiebreak.report.frontier import FrontierPoint, frontier_svg, write_frontier
    from tiebreak.runs.compare import Comparison
    from tiebreak.serve.run import serve_models as serve
    from tiebreak.serve.settings import Limits, ServeSettings
    from tiebreak.sweep.search import Search, SweepTrial, open_search
    from tiebreak.sweep.search import search as sweep
    from tiebreak.training.preference import PreferenceTrainer
    from tiebreak.training.supervised import SupervisedTrainer
    from tiebreak.training.unpaired import UnpairedTrainer
    from tiebreak.votes import Answer, Vote, open_votes
    from tiebreak.votes.store import VoteStore
    from tiebreak.workflow.callback import Callback, Event
    from tiebreak.workflow.diagnose import diagnose
    from tiebreak.workflow.evaluate import Question, evaluate_model
    from tiebreak.workflow.evaluation import Evaluation
    from tiebreak.workflow.evaluation_report import write_evaluation
    from tiebreak.workflow.export import export_run
    from tiebreak.workflow.frontier import frontier
    from tiebreak.workflow.harness import HarnessEvaluation, HarnessQuestion, evaluate_harness
    from tiebreak.workflow.judged import AnswersEvaluation
    from tiebreak.workflow.judging import AnswersQuestion, evaluate_answers
    from tiebreak.workflow.progress import Progress
    from tiebreak.workflow.rows import load_demonstrations, load_preferences, load_unpaired
    from tiebreak.workflow.run import Run, open_run
    from tiebreak.workflow.train import resume, sft, train

# The module of each name; where it has another name there, that one after a colon.
_WHERE = {
    "Answer": "tiebreak.votes",
    "AnswersEvaluation": "tiebreak.workflow.judged",
    "AnswersQuestion": "tiebreak.workflow.judging",
    "Callback": "tiebreak.workflow.callback",
    "Comparison": "tiebreak.runs.compare",
    "Demonstration": "tiebreak.data.preference",
    "Diagnosis": "tiebreak.doctor.examine",
    "Evaluation": "tiebreak.workflow.evaluation",
    "Event": "tiebreak.workflow.callback",
    "Finding": "tiebreak.doctor.finding",
    "FrontierPoint": "tiebreak.report.frontier",
    "HarnessEvaluation": "tiebreak.workflow.harness",
    "HarnessQuestion": "tiebreak.workflow.harness",
    "Limits": "tiebreak.serve.settings",
    "Message": "tiebreak.data.preference",
    "Preference": "tiebreak.data.preference",
    "PreferenceTrainer": "tiebreak.training.preference",
    "Progress": "tiebreak.workflow.progress",
    "Question": "tiebreak.workflow.evaluate",
    "Recipe": "tiebreak.recipe",
    "Run": "tiebreak.workflow.run",
    "Sampling": "tiebreak.generation.generate",
    "Search": "tiebreak.sweep.search",
    "ServeSettings": "tiebreak.serve.settings",
    "SupervisedTrainer": "tiebreak.training.supervised",
    "SweepTrial": "tiebreak.sweep.search",
    "UnpairedCompletion": "tiebreak.data.preference",
    "UnpairedTrainer": "tiebreak.training.unpaired",
    "Vote": "tiebreak.votes",
    "VoteStore": "tiebreak.votes.store",
    "compare_runs": "tiebreak.report.beside",
    "diagnose": "tiebreak.workflow.diagnose",
    "evaluate_answers": "tiebreak.workflow.judging",
    "evaluate_harness": "tiebreak.workflow.harness",
    "evaluate_model": "tiebreak.workflow.evaluate",
    "export_run": "tiebreak.workflow.export",
    "frontier": "tiebreak.workflow.frontier",
    "frontier_svg": "tiebreak.report.frontier",
    "judge_from_flag": "tiebreak.recipe",
    "load_demonstrations": "tiebreak.workflow.rows",
    "load_preferences": "tiebreak.workflow.rows",
    "load_recipe": "tiebreak.recipe.builtin:recipe_named",
    "load_unpaired": "tiebreak.workflow.rows",
    "open_run": "tiebreak.workflow.run",
    "open_search": "tiebreak.sweep.search",
    "open_votes": "tiebreak.votes",
    "push": "tiebreak.hub.models",
    "push_data": "tiebreak.hub.data",
    "push_space": "tiebreak.hub.space",
    "resume": "tiebreak.workflow.train",
    "sft": "tiebreak.workflow.train",
    "train": "tiebreak.workflow.train",
    "tune_process": "tiebreak.process.allocator",
    "write_evaluation": "tiebreak.workflow.evaluation_report",
    "write_frontier": "tiebreak.report.frontier",
}
# Names of before, which still work and say what they are called now.
_RENAMED = {
    "LabelledCompletion": "UnpairedCompletion",
    "LabelledTrainer": "UnpairedTrainer",
    "load_labelled": "load_unpaired",
}

__all__ = [
    "Answer",
    "AnswersEvaluation",
    "AnswersQuestion",
    "Callback",
    "Comparison",
    "Demonstration",
    "Diagnosis",
    "Evaluation",
    "Event",
    "Finding",
    "FrontierPoint",
    "HarnessEvaluation",
    "HarnessQuestion",
    "InputError",
    "Interrupted",
    "Limits",
    "Message",
    "Preference",
    "PreferenceTrainer",
    "Progress",
    "Question",
    "Recipe",
    "Run",
    "RunError",
    "Sampling",
    "Search",
    "ServeSettings",
    "SupervisedTrainer",
    "SweepTrial",
    "TiebreakError",
    "UnpairedCompletion",
    "UnpairedTrainer",
    "Vote",
    "VoteStore",
    "__version__",
    "compare_runs",
    "diagnose",
    "evaluate_answers",
    "evaluate_harness",
    "evaluate_model",
    "export_run",
    "frontier",
    "frontier_svg",
    "judge_from_flag",
    "load_demonstrations",
    "load_preferences",
    "load_recipe",
    "load_unpaired",
    "open_run",
    "open_search",
    "open_votes",
    "push",
    "push_data",
    "push_space",
    "resume",
    "serve",
    "sft",
    "sweep",
    "train",
    "tune_process",
    "write_evaluation",
    "write_frontier",
]


def __getattr__(name: str) -> Any:
    """Import a name of the public API when it is first asked for."""
    if name in _RENAMED:
        warnings.warn(f"tiebreak.{name} is now called tiebreak.{_RENAMED[name]}", DeprecationWarning, stacklevel=2)
        return __getattr__(_RENAMED[name])
    if name in ("serve", "sweep"):  # the packages of these names, which can be called
        return importlib.import_module(f"tiebreak.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'tiebreak' has no attribute '{name}'")
    module, _, other = _WHERE[name].partition(":")
    with quiet_imports():
        value = getattr(importlib.import_module(module), other or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
