"""What else training changed, beside the held-out metrics: traits of the answers, plain text, KL, benchmarks.

Works on the models of a run while they are there. `tiebreak evaluate` measures the same of models on the disk.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tiebreak.data.preference import Message
from tiebreak.data.preparing.encode import encode_texts
from tiebreak.engine.batch import ScoredGroup
from tiebreak.evaluate.answers import answer_stats
from tiebreak.evaluate.changes import Change, changes
from tiebreak.evaluate.harness.ask import ask, group_differences
from tiebreak.evaluate.harness.scores import HarnessRow, TaskScore, rows
from tiebreak.evaluate.harness.tasks import LoadedTasks, check_harness, load_tasks
from tiebreak.evaluate.kl import kl_estimate
from tiebreak.evaluate.perplexity import ReadText, perplexity_change
from tiebreak.generation.decoding import prompt_ids
from tiebreak.generation.generate import Answer, Sampling, answers_with_ends
from tiebreak.models.adapters import REFERENCE, without_adapter
from tiebreak.recipe import EvaluateSection
from tiebreak.runs.manifest import BeforeRecord
from tiebreak.runs.outcome import AnswersRecord, BenchmarkRecord, ChangeRecord, EstimateRecord, HarnessRecord, KlRecord
from tiebreak.workflow.data import RunData
from tiebreak.workflow.kl import answer_logps, kl_sampling
from tiebreak.workflow.model import RunModel, prepare_model
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.resolve import ResolvedRecipe

Asked = tuple[tuple[Message, ...], str | None]
"""A conversation that is to be answered, and its tools as JSON text."""


def changed_answers(
    data: RunData, before: BeforeRecord, after: Sequence[Answer], read: ReadText | None
) -> AnswersRecord:
    """What all answers are like, those to the judge's prompts included.

    Args:
        data: of the run.
        before: what was measured before training, its answers among it.
        after: the answers to the same prompts now, at least one.
        read: what the model says of the plain text now; None where it was not read.
    """
    texts = [answer.text for answer in after]
    tokens = (_tokens(data, before.answers), _tokens(data, texts))
    traits: list[Change] = []
    if before.ended is not None:
        ended = (before.ended, [answer.ended for answer in after])
        traits += changes(before.answers, texts, tokens=tokens, ended=ended)
    if read is not None and before.plain_text is not None:
        line = perplexity_change(replace(read, logp=before.plain_text), read)
        traits += [] if line is None else [line]
    return AnswersRecord(
        prompts=len(texts),
        before=answer_stats(before.answers, tokens[0]),
        after=answer_stats(texts, tokens[1]),
        changes=tuple(ChangeRecord.model_validate(asdict(trait)) for trait in traits),
    )


@contextmanager
def starting_model(resolved: ResolvedRecipe, model: RunModel) -> Iterator[RunModel]:
    """The model that training started from: the trained one without its adapter, else loaded beside it.

    Args:
        resolved: of the run.
        model: that was trained.
    """
    adapter = model.adapter
    inside: Any = getattr(model.model, "peft_config", {})
    if adapter is not None and (adapter.continued is None or REFERENCE in inside):
        with without_adapter(model.model):
            yield model
    else:
        yield prepare_model(resolved.recipe)


def measure_against_start(
    resolved: ResolvedRecipe,
    model: RunModel,
    data: RunData,
    prompts: Sequence[Asked],
    progress: Progress,
) -> tuple[KlRecord | None, HarnessRecord | None]:
    """What `evaluate.kl` and `evaluate.harness` ask for; the model before is there only where one of them is wanted.

    Args:
        resolved: of the run.
        model: that was trained.
        data: of the run.
        prompts: held-out conversations, each with its tools as JSON text.
        progress: where progress is shown.
    Returns:
        The KL from the model that training started from, and the benchmarks of both; None is what was not asked for.
    """
    settings = resolved.recipe.evaluate
    tasks = open_harness(settings)
    drawn = _own_answers(resolved, model, data, prompts, progress) if settings.kl and prompts else None
    if drawn is None and tasks is None:
        return None, None
    after = None if tasks is None else _asked(model, data, tasks, settings, "after", progress)
    with starting_model(resolved, model) as start:
        kl = None if drawn is None else _kl(drawn, start, resolved.recipe.model.name, progress)
        if tasks is None or after is None:
            return kl, None
        before = _asked(start, data, tasks, settings, "before", progress)
    leads = group_differences(tasks, after[0], before[0])
    record = HarnessRecord(
        version=tasks.version,
        task_versions={name: str(task.VERSION) for name, task in tasks.tasks.items()},
        limit=settings.harness_limit,
        chat=settings.harness_chat,
        cut=max(after[1], before[1]),
        rows=tuple(_benchmark(row) for row in rows(after[0], before[0], leads)),
    )
    return kl, record


def open_harness(settings: EvaluateSection) -> LoadedTasks | None:
    """The benchmarks that a recipe asks for, with their documents; None where it asks for none.

    Args:
        settings: of the recipe.
    Raises:
        InputError: the extra is not installed, there is no such task, or its data cannot be had.
    """
    if not settings.harness:
        return None
    folder = None if settings.harness_tasks is None else Path(settings.harness_tasks)
    where = "evaluate.harness"
    check_harness(settings.harness, folder, settings.harness_limit, where=where)
    with redirect_stdout(sys.stderr):  # the code of a task may print
        return load_tasks(settings.harness, folder, where=where)


@dataclass(frozen=True)
class _Drawn:
    """Answers that the trained model drew at temperature 1, with its log-probs of them, in nats."""

    groups: tuple[ScoredGroup, ...]
    logp: tuple[float, ...]
    cut: int
    left_out: int


def _own_answers(
    resolved: ResolvedRecipe, model: RunModel, data: RunData, prompts: Sequence[Asked], progress: Progress
) -> _Drawn:
    settings, special = resolved.recipe.evaluate, resolved.recipe.data.special_tokens
    sampling = kl_sampling(Sampling(max_new_tokens=settings.max_new_tokens, seed=settings.seed))
    with progress.bar("answers at temperature 1", len(prompts)) as update:
        answers = answers_with_ends(
            model.model,
            data.tokenizer,
            [turns for turns, _ in prompts],
            sampling,
            template=data.template,
            tools=[tools for _, tools in prompts],
            special_tokens=special,
            autocast=model.precision.autocast,
            progress=update,
        )
    there = [i for i, answer in enumerate(answers) if answer.ids]
    asked = [
        prompt_ids(data.tokenizer, prompts[i][0], data.template, tools=prompts[i][1], special_tokens=special)
        for i in there
    ]
    groups = tuple(ScoredGroup(tuple(ids), (answers[i].ids,), i) for i, ids in zip(there, asked, strict=True))
    cut = sum(not answers[i].ended for i in there)
    return _Drawn(groups, answer_logps(model, groups, "after", progress), cut, len(prompts) - len(there))


def _kl(drawn: _Drawn, start: RunModel, name: str, progress: Progress) -> KlRecord:
    logp = answer_logps(start, drawn.groups, "before", progress)
    found = kl_estimate(drawn.logp, logp, [len(group.completions[0]) for group in drawn.groups])
    return KlRecord(
        measured_from=name,
        answers=len(drawn.groups),
        value=None if found is None else EstimateRecord.model_validate(asdict(found.value)),
        standard_error=None if found is None else found.standard_error,
        tokens=None if found is None else found.tokens,
        cut=drawn.cut,
        left_out=drawn.left_out,
    )


def _asked(
    model: RunModel, data: RunData, tasks: LoadedTasks, settings: EvaluateSection, when: str, progress: Progress
) -> tuple[tuple[TaskScore, ...], int]:
    with redirect_stdout(sys.stderr), progress.share(f"benchmarks {when}") as update:
        return ask(
            model.model,
            data.tokenizer,
            tasks,
            name=model.record.name,
            autocast=model.precision.autocast,
            limit=settings.harness_limit,
            chat=settings.harness_chat,
            on_progress=lambda done, total: update(done / total),
        )


def _benchmark(row: HarnessRow) -> BenchmarkRecord:
    values = {key: value for key, value in asdict(row).items() if key in BenchmarkRecord.model_fields}
    return BenchmarkRecord.model_validate(values)


def _tokens(data: RunData, answers: Sequence[str]) -> list[int]:
    """How many tokens each answer has."""
    return [len(ids) for ids in encode_texts(data.tokenizer, list(answers))]
