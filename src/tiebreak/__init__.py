"""Tiebreak: turn comparisons of two answers into a language model that gives the better one.

The public API, by name. Nothing heavy is imported until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tiebreak.errors import InputError, Interrupted, RunError, TiebreakError
from tiebreak.version import __version__

if TYPE_CHECKING:
    from tiebreak.data.load import load_demonstrations, load_labelled, load_preferences
    from tiebreak.data.preference import Demonstration, LabelledCompletion, Message, Preference
    from tiebreak.evaluate.generate import Sampling
    from tiebreak.hub.data import push_data
    from tiebreak.hub.models import push
    from tiebreak.hub.space import push_space
    from tiebreak.recipe import Recipe, load_recipe
    from tiebreak.training.labelled import LabelledTrainer
    from tiebreak.training.supervised import SupervisedTrainer
    from tiebreak.training.trainer import PreferenceTrainer
    from tiebreak.workflow.evaluate import Evaluation, Question, evaluate_model
    from tiebreak.workflow.export import export_run
    from tiebreak.workflow.run import Run, open_run
    from tiebreak.workflow.train import resume, train

_WHERE = {
    "Demonstration": "tiebreak.data.preference",
    "Evaluation": "tiebreak.workflow.evaluate",
    "LabelledCompletion": "tiebreak.data.preference",
    "LabelledTrainer": "tiebreak.training.labelled",
    "Message": "tiebreak.data.preference",
    "Preference": "tiebreak.data.preference",
    "PreferenceTrainer": "tiebreak.training.trainer",
    "Question": "tiebreak.workflow.evaluate",
    "Recipe": "tiebreak.recipe",
    "Run": "tiebreak.workflow.run",
    "Sampling": "tiebreak.evaluate.generate",
    "SupervisedTrainer": "tiebreak.training.supervised",
    "evaluate_model": "tiebreak.workflow.evaluate",
    "export_run": "tiebreak.workflow.export",
    "load_labelled": "tiebreak.data.load",
    "load_demonstrations": "tiebreak.data.load",
    "load_preferences": "tiebreak.data.load",
    "load_recipe": "tiebreak.recipe",
    "open_run": "tiebreak.workflow.run",
    "push": "tiebreak.hub.models",
    "push_data": "tiebreak.hub.data",
    "push_space": "tiebreak.hub.space",
    "resume": "tiebreak.workflow.train",
    "train": "tiebreak.workflow.train",
}

__all__ = [
    "Demonstration",
    "Evaluation",
    "InputError",
    "Interrupted",
    "LabelledCompletion",
    "LabelledTrainer",
    "Message",
    "Preference",
    "PreferenceTrainer",
    "Question",
    "Recipe",
    "Run",
    "RunError",
    "Sampling",
    "SupervisedTrainer",
    "TiebreakError",
    "__version__",
    "evaluate_model",
    "export_run",
    "load_demonstrations",
    "load_labelled",
    "load_preferences",
    "load_recipe",
    "open_run",
    "push",
    "push_data",
    "push_space",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a name of the public API when it is first asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module 'tiebreak' has no attribute '{name}'")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
