"""A recipe as it is written becomes a recipe as it runs: here and nowhere else.

The command line, the Python API, the loop, a resumed run and evaluation all come through `resolve`. What is wrong with
a recipe by itself is found here, before any data or model is read. Knows no data and no weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tiebreak.errors import InputError
from tiebreak.evaluate.judges import has_judge
from tiebreak.models.precision import check_quantization
from tiebreak.objectives import Loss, configured, task_of_objective
from tiebreak.recipe import JudgeSection, ObjectiveSection, Recipe
from tiebreak.tasks import Task
from tiebreak.trackers.registry import check_trackers

if TYPE_CHECKING:  # a recipe is resolved before torch is loaded
    from tiebreak.engine.logprobs import Measures


@dataclass(frozen=True)
class ResolvedRecipe:
    """A recipe in which nothing is left to be decided.

    Attributes:
        recipe: with its learning rate and its objective's settings written out.
        task: what the run learns from.
        objective: the loss; None in supervised training, whose loss is the likelihood itself.
        reference: how the reference's log-probs come about; None where nothing is compared with a reference.
        judge: the judge of sampled answers. The recipe keeps what was written, since `auto` goes by the data.
    """

    recipe: Recipe
    task: Task
    objective: Loss | None
    reference: Literal["cached", "live"] | None
    judge: Literal["none", "bundled"] | JudgeSection

    @property
    def measures(self) -> Measures:
        """What is summed over a completion's tokens."""
        from tiebreak.engine.logprobs import Measures

        section = self.recipe.objective
        return Measures(section.length_alpha, confidence=section.weighting == "wpo")


def resolve(recipe: Recipe) -> ResolvedRecipe:
    """Decide everything that a recipe leaves open; a resolved recipe resolves to itself.

    Args:
        recipe: as written in a file, by flags, or in Python.
    Raises:
        InputError: an unknown objective, settings that do not go together, or a package that is not installed.
    """
    check_trackers(recipe.track)
    _check_one_run(recipe)
    task, section = task_of(recipe), recipe.objective
    objective = None
    if task.fixed_objective is not None:
        if section != ObjectiveSection(name=task.fixed_objective):
            raise InputError(
                "Supervised training takes no settings of an objective.",
                where="objective",
                fix="give only its name",
            )
    else:
        objective = _objective(section)
        section = section.model_copy(update={**objective.settings, "add": objective.added})
    _check_unpaired(recipe, task)
    _check_reference_update(recipe, objective)
    _check_new_rows(recipe)
    if recipe.model.quantize is not None:
        check_quantization()
    train = recipe.train.model_copy(update={"learning_rate": learning_rate(recipe, task)})
    compared = objective is not None and objective.needs_reference
    return ResolvedRecipe(
        recipe=recipe.model_copy(update={"objective": section, "train": train}),
        task=task,
        objective=objective,
        reference=recipe.train.reference if compared else None,
        judge=judge_of(recipe),
    )


def task_of(recipe: Recipe) -> Task:
    """What a recipe learns from: its objective says so.

    Raises:
        InputError: there is no such objective.
    """
    task = task_of_objective(recipe.objective.name)
    assert task is not None  # every objective that can be loaded says it
    return task


def learning_rate(recipe: Recipe, task: Task) -> float:
    """The recipe's peak learning rate; where it is `auto`, the task's, for an adapter or for whole weights."""
    written = recipe.train.learning_rate
    if written != "auto":
        return written
    return task.learning_rate if recipe.model.adapter is None else task.adapter_learning_rate


def judge_of(recipe: Recipe) -> Literal["none", "bundled"] | JudgeSection:
    """The judge that a recipe asks for; where it is `auto`, the one that the data come with, if any."""
    if recipe.evaluate.judge == "auto":
        return "bundled" if has_judge(recipe.data.source) else "none"
    return recipe.evaluate.judge


def _objective(section: ObjectiveSection) -> Loss:
    return configured(section.name, section.settings, weight=section.weight, add=section.add)


def _check_one_run(recipe: Recipe) -> None:
    if recipe.sweep is not None:
        raise InputError(
            "This recipe is a search over many runs, and not one run.",
            where="sweep",
            fix="search with: tiebreak sweep RECIPE; to train once, take the section sweep out of the recipe",
        )


def _check_unpaired(recipe: Recipe, task: Task) -> None:
    section = recipe.objective
    if not task.pairs and (section.length_alpha != 1 or section.weighting != "none"):
        raise InputError(
            f"'{section.name}' learns from single completions; length_alpha and weighting compare the two of a pair.",
            where="objective",
            fix="leave them out, or choose an objective for pairs",
        )


def _check_new_rows(recipe: Recipe) -> None:
    """New rows of embeddings are trained beside an adapter in the one table that there is."""
    if not recipe.model.resize_embeddings or recipe.model.adapter is None:
        return
    if recipe.train.reference == "live":
        raise InputError(
            "A live reference would see the new embeddings change: beside an adapter there is one table of them.",
            where="train.reference",
            fix="set train.reference=cached, or train the whole model",
        )
    if recipe.train.weight_decay > 0:
        raise InputError(
            "Weight decay would shrink the old embeddings, which stay as they are beside an adapter.",
            where="train.weight_decay",
            fix="set train.weight_decay=0, or train the whole model",
        )


def _check_reference_update(recipe: Recipe, objective: Loss | None) -> None:
    if recipe.train.reference_update is None or objective is None:
        return
    if objective.needs_reference and recipe.model.adapter is None:
        return
    why = "takes the model without its adapter as reference" if objective.needs_reference else "has no reference"
    raise InputError(
        f"There is no reference to update: this run {why}.",
        where="train.reference_update",
        fix="leave it out, or train the whole model with an objective that has a reference",
    )
