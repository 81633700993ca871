"""Held-out preference metrics of any models on any preferences, each against its reference where there is one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from transformers import PreTrainedModel

from tiebreak.data.preference import messages_from
from tiebreak.data.reading.sources import evaluated_split
from tiebreak.engine.score import Scorer, Scores, score_groups
from tiebreak.errors import InputError
from tiebreak.evaluate.breakdown import broken_down
from tiebreak.evaluate.held_out import held_out_metrics
from tiebreak.evaluate.judges import PointwiseJudge, open_judge
from tiebreak.evaluate.judging import judged_alone
from tiebreak.generation.generate import Sampling, answer_all
from tiebreak.models.embeddings import rows_of
from tiebreak.process.host import same_host
from tiebreak.recipe import DataSection, ModelSection, ObjectiveSection, Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.manifest import JudgeRecord
from tiebreak.workflow import messages
from tiebreak.workflow.data import RunData, check_tokens, load_data
from tiebreak.workflow.early import check_settings
from tiebreak.workflow.evaluation import Evaluation
from tiebreak.workflow.measured import measured_of
from tiebreak.workflow.measured_from import check_same_vocabulary, reference_of
from tiebreak.workflow.model import RunModel, prepare_model
from tiebreak.workflow.own_data import held_out_pairs_of
from tiebreak.workflow.plan import scoring_only
from tiebreak.workflow.progress import Progress, progress_of
from tiebreak.workflow.resolve import ResolvedRecipe, resolve, task_of
from tiebreak.workflow.run import Run


@dataclass(frozen=True)
class Question:
    """What is asked: which model, on which data, against which reference.

    Attributes:
        model: run folder, Hub id, folder, or `bundled:base`.
        data: source of preferences; all of its pairs are used.
        reference: model to measure against; None is a run's own base, or no reference.
        max_length: longest prompt plus completion, in tokens; None is a run's own.
        split, schema, columns, limit, skip_bad_rows: as in a recipe's data section.
        config, data_dir, revision, transform: as there.
        beta: scale of the rewards; None is a run's own, or 0.1.
        settings: further keys of the recipe, dotted, which win over all else.
    """

    model: str
    data: str
    reference: str | None = None
    split: str | None = None
    schema: str = "auto"
    max_length: int | None = None
    limit: int | None = None
    beta: float | None = None
    skip_bad_rows: bool = False
    columns: Mapping[str, Any] | None = None
    config: str | None = None
    data_dir: str | None = None
    revision: str | None = None
    transform: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def evaluate_models(question: Question, models: Sequence[str], *, progress: Progress | None = None) -> list[Evaluation]:
    """Score several models on the same preferences, one after the other.

    Args:
        question: what is asked of each; its `model` is exchanged.
        models: at least one.
        progress: where progress is shown.
    Raises:
        InputError: a model or the data is wrong.
    """
    return [evaluate_model(replace(question, model=model), progress=progress) for model in models]


class QuestionOptions(TypedDict, total=False):
    """What may be asked beside model and data, as in `Question`."""

    reference: str | None
    config: str | None
    data_dir: str | None
    split: str | None
    revision: str | None
    schema: str
    max_length: int | None
    limit: int | None
    beta: float | None
    skip_bad_rows: bool
    columns: Mapping[str, Any] | None
    transform: str | None
    settings: Mapping[str, Any]


def evaluate_model(
    model: Question | Run | Path | str,
    data: Path | str | None = None,
    *,
    progress: Progress | bool | None = None,
    **options: Unpack[QuestionOptions],
) -> Evaluation:
    """Score a model on preferences: how often the chosen completion has the higher reward. As `tiebreak evaluate` does.

    Args:
        model: a run or its folder, Hub id, folder, or `bundled:base`; or a whole `Question`, and nothing beside it.
        data: source of preferences; all of its pairs are used. None is the pairs that the run held out.
        progress: True shows it on stderr; else nothing is shown.
        options: any other field of `Question`, such as `reference`, `limit` or `beta`.
    Returns:
        Metrics, and how many pairs they are of.
    Raises:
        InputError: the model or the data is wrong, or no data is named and the model is no run.
    """
    question = _question(model, data, options)
    with same_host():
        return _evaluate(question, progress_of(progress))


def _question(model: Question | Run | Path | str, data: Path | str | None, options: QuestionOptions) -> Question:
    if isinstance(model, Question):
        if data is not None or options:
            raise InputError(
                "A whole question was given, and more beside it.",
                where="evaluate_model",
                fix="put everything into the Question, or give model and data by themselves",
            )
        return model
    if data is None:
        data = held_out_pairs_of([model], where="evaluate_model")
    unknown = options.keys() - {each.name for each in fields(Question)}
    if unknown:
        raise InputError(
            f"There is no option '{min(unknown)}'.",
            where="evaluate_model",
            fix=f"there are: {', '.join(QuestionOptions.__annotations__)}",
        )
    return Question(model=os.fspath(model), data=str(data), **options)


def _evaluate(question: Question, progress: Progress) -> Evaluation:
    written, reference = _recipe_for(question)
    resolved = resolve(written)
    recipe, objective = resolved.recipe, resolved.objective
    assert objective is not None  # a recipe for preferences has one
    data = load_data(recipe, resolved.task, progress)
    progress.say_all(messages.data_lines(data.record))
    policy = prepare_model(recipe)
    check_tokens(data, rows_of(policy.model), question.model)
    scorer = scoring_only(policy.model, data.train, policy.precision, resolved.measures)
    progress.say(messages.scoring_line(question.model, str(policy.device), policy.precision.name))
    if policy.record.gguf is not None:
        progress.say(f"        {policy.record.gguf}")
    scores = _scores(policy.model, data, scorer, progress, "scoring")
    judge = _judged(resolved, policy, data, progress)
    del policy
    reference_scores = None
    if reference is not None:
        base = prepare_model(Recipe(model=reference, train=recipe.train))
        check_same_vocabulary(data.tokenizer, reference)
        scorer = scoring_only(base.model, data.train, base.precision, resolved.measures)
        reference_scores = _scores(base.model, data, scorer, progress, "reference")
    metrics = held_out_metrics(scores, reference_scores, objective=objective)
    measured = measured_of(data.train, data.train_rows, scores, reference_scores, objective)
    return Evaluation(
        model=question.model,
        breakdown=broken_down(measured),
        measured=measured,
        texts=data.train_rows,
        objective=json.dumps(recipe.objective.model_dump(mode="json")),
        data=question.data,
        pairs=len(data.train),
        dropped=dict(data.record.dropped),
        reference=None if reference is None else reference.name,
        metrics=metrics,
        judge=judge,
    )


def _recipe_for(question: Question) -> tuple[Recipe, ModelSection | None]:
    """A recipe that reads all of the data for this model, and the reference."""
    run = RunFolder(Path(question.model))
    own = run.recipe() if run.recipe_path.is_file() else None
    # A run on single completions is measured on pairs by the plain objective.
    of_pairs = own is not None and task_of(own).pairs
    objective = own.objective if own is not None and of_pairs else ObjectiveSection()
    if question.beta is not None:
        objective = ObjectiveSection(**{**objective.model_dump(), "beta": question.beta})
    reference = reference_of(question.model, question.reference)
    base = own.data if own is not None else DataSection()  # how rows become tokens is the run's
    trusted = own is not None and own.model.trust_remote_code
    split = evaluated_split(question.data, question.split)
    data = DataSection(
        source=question.data,
        config=question.config,
        data_dir=question.data_dir,
        split=split,
        revision=question.revision,
        transform=question.transform,
        schema_=question.schema,
        columns=dict(question.columns) if question.columns else None,
        template=base.template,
        max_length=question.max_length or base.max_length,
        max_prompt_length=base.max_prompt_length,
        max_completion_length=base.max_completion_length,
        too_long=base.too_long,
        special_tokens=base.special_tokens,
        score_turns=base.score_turns,
        limit=question.limit,
        eval_fraction=0.0,
        duplicates="keep",
        skip_bad_rows=question.skip_bad_rows,
    )
    model = ModelSection(name=question.model, trust_remote_code=trusted)
    rest = own if own is not None else Recipe()
    evaluate = rest.evaluate.model_copy(update={"judge": "auto"})  # by the data of this evaluation
    recipe = Recipe(model=model, data=data, objective=objective, train=rest.train, evaluate=evaluate)
    check_settings(question.settings)
    return recipe.with_settings(dict(question.settings)), reference


def _scores(model: PreTrainedModel, data: RunData, scorer: Scorer, progress: Progress, title: str) -> Scores:
    with progress.bar(title, len(data.train)) as update:
        return score_groups(model, data.train, scorer, on_progress=update)


def _judged(resolved: ResolvedRecipe, policy: RunModel, data: RunData, progress: Progress) -> JudgeRecord | None:
    judge, settings = open_judge(resolved.judge), resolved.recipe.evaluate
    if not isinstance(judge, PointwiseJudge):
        return None
    rows = data.train_rows[: settings.judge_prompts]
    prompts = [messages_from(turns) for turns in rows["prompt"]]
    sampling = Sampling(settings.temperature, max_new_tokens=settings.max_new_tokens, seed=settings.seed)
    with progress.bar("answers", len(prompts)) as on_progress:
        answers = answer_all(
            policy.model,
            data.tokenizer,
            prompts,
            sampling,
            template=data.template,
            tools=rows["tools"],
            special_tokens=resolved.recipe.data.special_tokens,
            autocast=policy.precision.autocast,
            progress=on_progress,
        )
    scores, _ = judge.scores(list(zip(prompts, answers, strict=True)))
    return judged_alone(judge, scores)
