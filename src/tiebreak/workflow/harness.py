"""Benchmarks of lm-evaluation-harness on models, each beside the one that it came from: `evaluate --harness`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tiebreak.evaluate.harness.ask import ask, group_differences
from tiebreak.evaluate.harness.scores import HarnessRow, TaskScore, rows
from tiebreak.evaluate.harness.tasks import LoadedTasks, load_tasks
from tiebreak.files import without_nan
from tiebreak.models.load import load_tokenizer
from tiebreak.process.host import same_host
from tiebreak.recipe import ModelSection, Recipe
from tiebreak.runs import RunFolder
from tiebreak.workflow.early import check_against
from tiebreak.workflow.judging import recipe_of
from tiebreak.workflow.model import prepare_model
from tiebreak.workflow.progress import Progress, progress_of


@dataclass(frozen=True)
class HarnessQuestion:
    """What is asked: which models, on which tasks.

    Attributes:
        models: run folders, Hub ids, folders, GGUF files, or `bundled:base`.
        tasks: of the harness, by name: tasks, groups, tags.
        against: model that the others are compared with; None is the base of each run, and nothing for other models.
        folder: of own task files.
        limit: documents of each task; None is all.
        chat: whether prompts go through each model's chat template.
        settings: further keys of the recipe, dotted, such as `train.precision`.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    against: str | None = None
    folder: Path | None = None
    limit: int | None = None
    chat: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HarnessComparison:
    """A model on the tasks, beside the one that it is compared with.

    Attributes:
        model, against: their names; `against` is None where there is no other.
        rows: one a metric.
        cut: texts that were longer than one of the models takes, and cut from the left.
    """

    model: str
    against: str | None
    rows: tuple[HarnessRow, ...]
    cut: int


@dataclass(frozen=True)
class HarnessEvaluation:
    """The answer.

    Attributes:
        version: of the harness.
        tasks: as asked for.
        task_versions: of each task, as its file says.
        limit, chat: as asked.
        models: one a model.
    """

    version: str
    tasks: tuple[str, ...]
    task_versions: Mapping[str, str]
    limit: int | None
    chat: bool
    models: tuple[HarnessComparison, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values; figures that are not finite are null."""
        found: dict[str, Any] = without_nan(asdict(self))
        return found


def evaluate_harness(
    question: HarnessQuestion, *, loaded: LoadedTasks | None = None, progress: Progress | bool | None = None
) -> HarnessEvaluation:
    """Run benchmarks of lm-evaluation-harness, by its own settings: examples, prompts, seeds and metrics of the tasks.

    Args:
        question: what is asked.
        loaded: the tasks of `question`, where they were loaded before.
        progress: True shows it on stderr; else nothing is shown.
    Raises:
        InputError: the extra is not installed, there is no such task, or a model is wrong.
    """
    with same_host():
        return _evaluated(question, loaded or open_tasks(question), progress_of(progress))


def open_tasks(question: HarnessQuestion) -> LoadedTasks:
    """The tasks of a question with their documents, so that a mistyped one is found before a model is loaded.

    Args:
        question: its `tasks`, `folder` and `against` are looked at.
    Raises:
        InputError: the extra is not installed, there is no such task, or its data cannot be had.
    """
    check_against(question.models, question.against)
    with same_host():
        return load_tasks(question.tasks, question.folder)


def _evaluated(question: HarnessQuestion, loaded: LoadedTasks, progress: Progress) -> HarnessEvaluation:
    found: dict[str, tuple[tuple[TaskScore, ...], int]] = {}

    def scores(name: str, recipe: Recipe) -> tuple[tuple[TaskScore, ...], int]:
        known = repr(recipe.model)
        if known not in found:
            found[known] = _asked(name, recipe, loaded, question, progress)
        return found[known]

    compared = []
    for name in dict.fromkeys(question.models):
        if name == question.against:
            continue
        after, cut = scores(name, recipe_of(name, question.settings))
        base = _compared_with(name, question)
        before, other_cut = (None, 0) if base is None else scores(base.model.name, base)
        leads = {} if before is None else group_differences(loaded, after, before)
        cut = max(cut, other_cut)
        if cut:
            progress.say(f"{name}: {cut:,} texts of the benchmarks are longer than the model takes: cut from the left")
        compared.append(
            HarnessComparison(name, None if base is None else base.model.name, rows(after, before, leads), cut)
        )
    versions = {name: str(task.VERSION) for name, task in loaded.tasks.items()}
    return HarnessEvaluation(loaded.version, loaded.names, versions, question.limit, question.chat, tuple(compared))


def _compared_with(name: str, question: HarnessQuestion) -> Recipe | None:
    """How the model that another is compared with is loaded; None where there is no other."""
    if question.against is not None:
        return recipe_of(question.against, question.settings)
    run = RunFolder(Path(name))
    if not run.recipe_path.is_file():
        return None
    own = run.recipe()
    base: ModelSection = own.model.model_copy(update={"adapter": None, "quantize": None})
    # Everything but the model is as for the run itself.
    return recipe_of(name, question.settings).model_copy(update={"model": base})


def _asked(
    name: str, recipe: Recipe, loaded: LoadedTasks, question: HarnessQuestion, progress: Progress
) -> tuple[tuple[TaskScore, ...], int]:
    section = recipe.model
    model = prepare_model(recipe)
    tokenizer = load_tokenizer(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)
    progress.say(f"benchmarks {', '.join(loaded.names)}: {name}, {model.device}, {model.precision.name}")
    with progress.share(f"benchmarks, {name}") as update:
        return ask(
            model.model,
            tokenizer,
            loaded,
            name=name,
            autocast=model.precision.autocast,
            limit=question.limit,
            chat=question.chat,
            on_progress=lambda done, total: update(done / total),
        )
