"""A loaded model through the harness: its own class for models of `transformers`, as many texts at a time as fit.

Seeds, the order of documents and the way of scoring are the harness's, so figures are those that its own command gives.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from tiebreak.errors import InputError
from tiebreak.evaluate.harness.scores import DRAWS, Aggregate, Score, TaskScore, difference, error_of
from tiebreak.evaluate.harness.tasks import LoadedTasks, quiet_tasks
from tiebreak.models.embeddings import rows_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LOGITS = 2**28  # numbers at a time: 1 GiB
_MOST_TEXTS = 64
_GENERATED = 16  # answers that are generated together
_SLOW = ("bleu", "chrf", "chrf++", "ter")  # metrics of which the harness draws documents a hundred times
_SLOW_DRAWS = 100
_NOT_METRICS = ("name", "alias", "sample_len", "sample_count")


def ask(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    loaded: LoadedTasks,
    *,
    name: str,
    autocast: torch.dtype | None = None,
    limit: int | None = None,
    chat: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[tuple[TaskScore, ...], int]:
    """Ask a model all documents of some tasks.

    Args:
        model: on its device.
        tokenizer: the model's.
        loaded: the tasks.
        name: of the model, for errors.
        autocast: type of the arithmetic; None is that of the weights.
        limit: documents of each task; None is all.
        chat: whether prompts go through the tokenizer's chat template.
        on_progress: called with how many requests are answered, and how many there are of this kind.
    Returns:
        The metrics of each task and group, and how many texts were longer than the model takes, and cut.
    Raises:
        InputError: the model has no chat template, or is too small for what a task wants.
    """
    if chat and not tokenizer.chat_template:
        raise InputError(f"The model '{name}' has no chat template.", where="--harness-chat", fix="leave the flag out")
    import lm_eval
    from lm_eval.defaults import DEFAULT_OTHER_SEED, DEFAULT_RANDOM_SEED

    asked = _model(model, tokenizer, name, autocast, on_progress)
    random.seed(DEFAULT_RANDOM_SEED)
    np.random.seed(DEFAULT_OTHER_SEED)
    torch.manual_seed(DEFAULT_OTHER_SEED)
    for task in loaded.tasks.values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=DEFAULT_OTHER_SEED)
    # Errors are worked out here, document by document: the harness would start a process for each core to draw them.
    with quiet_tasks():
        found = lm_eval.evaluate(
            lm=asked,
            task_dict={"tasks": loaded.tasks, "groups": loaded.groups},
            limit=limit,
            bootstrap_iters=0,
            log_samples=True,
            apply_chat_template=chat,
            fewshot_as_multiturn=True,
        )
    return _read(found, loaded), asked.cut


def group_differences(
    loaded: LoadedTasks, after: Sequence[TaskScore], before: Sequence[TaskScore]
) -> dict[tuple[str, str, str], Score]:
    """What a model is ahead of another in groups of tasks, weighted as the harness weights them.

    Args:
        loaded: the tasks.
        after, before: the metrics of both models.
    Returns:
        By `TaskScore.key`.
    """
    others = {each.key: each for each in before}
    leads = {each.key: difference(each, others[each.key]) for each in after if not each.group and each.key in others}
    many = {each.task: each.documents for each in after if not each.group}
    found: dict[tuple[str, str, str], Score] = {}
    for name, scores in _aggregated(loaded, leads, many).items():
        found |= {(name, metric, kind): score for (metric, kind), score in scores.items()}
    return found


def _model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    name: str,
    autocast: torch.dtype | None,
    on_progress: Callable[[int, int], None] | None,
) -> Any:
    """The model as the harness asks it."""
    from lm_eval.api.model import CacheHook
    from lm_eval.models.huggingface import HFLM

    class Counting(CacheHook):  # type: ignore[misc]
        """Called with each answer; keeps none."""

        def __init__(self, total: int) -> None:
            super().__init__(None)
            self.done, self.total = 0, total

        def add_partial(self, attr: str, req: Any, res: Any) -> None:
            self.done += 1
            if on_progress is not None:
                on_progress(self.done, self.total)

    class Asked(HFLM):  # type: ignore[misc]
        """Without bars, in batches that fit, with a sentence where a task wants more than the model can do."""

        cut = 0

        def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> Any:
            self.set_cache_hook(Counting(len(requests)))
            return super().loglikelihood(requests, disable_tqdm=True)

        def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> Any:
            self.set_cache_hook(Counting(len(requests)))
            self.batch_size_per_gpu = _texts_at_a_time(self.max_length, model)
            return super().loglikelihood_rolling(requests, disable_tqdm=True)

        def _loglikelihood_tokens(self, requests: list[Any], disable_tqdm: bool = False, **more: Any) -> Any:
            longest = 1
            for _, context, continuation in requests:
                if len(continuation) > self.max_length:
                    raise _too_small(name, self.max_length, f"scores an answer of {len(continuation):,} tokens")
                self.cut += len(context) + len(continuation) > self.max_length + 1
                longest = max(longest, min(len(context) + len(continuation), self.max_length))
            self.batch_size_per_gpu = _texts_at_a_time(longest, model)
            return super()._loglikelihood_tokens(requests, disable_tqdm=True, **more)

        def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> Any:
            self.set_cache_hook(Counting(len(requests)))
            wanted = [_longest_answer(each.args[1], self.max_gen_toks) for each in requests]
            if max(wanted, default=0) >= self.max_length:
                raise _too_small(name, self.max_length, f"wants answers of {max(wanted):,} tokens")
            for each, answer in zip(requests, wanted, strict=True):
                self.cut += len(self.tok_encode(each.args[0])) > self.max_length - answer
            self.batch_size_per_gpu = _GENERATED
            return super().generate_until(requests, disable_tqdm=True)

    return Asked(pretrained=model, tokenizer=tokenizer, mixed_precision_dtype=autocast)


def _longest_answer(settings: Mapping[str, Any], default: int) -> int:
    """Tokens that a task wants at most, under any of the names that the harness takes."""
    names = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
    return next((int(settings[name]) for name in names if settings.get(name) is not None), default)


def _texts_at_a_time(length: int, model: PreTrainedModel) -> int:
    """How many texts are scored together: their log-probs over the vocabulary are held at once.

    Args:
        length: of the longest, in tokens.
        model: it has a log-prob of each token of its vocabulary.
    """
    wide: int = rows_of(model)
    return max(1, min(_MOST_TEXTS, _LOGITS // (length * wide)))


def _too_small(name: str, longest: int, wants: str) -> InputError:
    return InputError(
        f"A task {wants}, and the model '{name}' takes {longest:,} in all.",
        where="--harness",
        fix="name other tasks, or lower max_gen_toks in a copy of the task's file (--harness-tasks)",
    )


def _read(found: Mapping[str, Any], loaded: LoadedTasks) -> tuple[TaskScore, ...]:
    """The harness's results as plain data: the tasks in their order, each group before its tasks."""
    tasks = [each for name in loaded.tasks for each in _of_task(name, found, loaded)]
    scores = {each.key: each.score for each in tasks}
    many = {each.task: each.documents for each in tasks}
    better = found["higher_is_better"]
    groups = [
        TaskScore(
            task=name,
            metric=metric,
            filter=kind,
            shots=found["n-shot"].get(name),
            documents=sum(many[part] for part in parts),
            higher_is_better=better.get(name, {}).get(metric),
            score=score,
            group=True,
            parts=parts,
        )
        for name, of_group in _aggregated(loaded, scores, many).items()
        for parts in [tuple(task.task_name for task in loaded.groups[name].get_all_tasks())]
        for (metric, kind), score in of_group.items()
    ]
    return (*groups, *tasks)


def _of_task(name: str, found: Mapping[str, Any], loaded: LoadedTasks) -> list[TaskScore]:
    task, samples = loaded.tasks[name], found["samples"][name]
    scores = []
    for key, value in found["results"][name].items():
        metric, _, kind = key.partition(",")
        if key in _NOT_METRICS or metric.endswith("_stderr") or not isinstance(value, int | float):
            continue
        values = {each["doc_id"]: each[metric] for each in samples if each["filter"] == kind and metric in each}
        aggregate = _aggregate(task, metric)
        draws = _SLOW_DRAWS if metric in _SLOW else DRAWS
        scores.append(
            TaskScore(
                task=name,
                metric=metric,
                filter=kind,
                shots=found["n-shot"].get(name),
                documents=len(values),
                higher_is_better=found["higher_is_better"].get(name, {}).get(metric),
                score=Score(float(value), error_of(list(values.values()), aggregate, draws=draws)),
                values=values,
                aggregate=aggregate,
                draws=draws,
            )
        )
    return scores


def _aggregate(task: Any, metric: str) -> Aggregate | Literal["mean"] | None:
    """What makes a task's figure of its documents; None where the harness knows no error of it."""
    from lm_eval.api.metrics import mean, stderr_for_metric

    found: Aggregate = task.aggregation().get(metric, mean)
    if found is mean:
        return "mean"
    known = stderr_for_metric(found, bootstrap_iters=1)
    # The others have formulas of their own, for figures in which documents do not count one by one.
    return found if known is not None and known.__name__ == "<lambda>" else None


def _aggregated(
    loaded: LoadedTasks, scores: Mapping[tuple[str, str, str], Score], many: Mapping[str, int]
) -> dict[str, dict[tuple[str, str], Score]]:
    """The figures of groups from those of their tasks, by the harness's own weights.

    Args:
        loaded: the tasks and groups.
        scores: of tasks, by task, metric and filter.
        many: documents of each task.
    Returns:
        By group, then by metric and filter.
    """
    metrics: dict[str, dict[str, Any]] = {name: {"sample_len": many[name]} for name in many}
    for (task, metric, kind), score in scores.items():
        metrics[task][f"{metric},{kind}"] = score.value
        metrics[task][f"{metric}_stderr,{kind}"] = "N/A" if score.error is None else score.error
    found = {}
    for name, group in loaded.groups.items():
        if not group.has_aggregation:
            continue
        figures = {
            (metric, kind): value
            for key, value in group.aggregate(metrics).items()
            if key not in _NOT_METRICS
            for metric, _, kind in [key.partition(",")]
        }
        found[name] = {
            (metric, kind): Score(float(value), error if isinstance(error, float) else None)
            for (metric, kind), value in figures.items()
            if not metric.endswith("_stderr")
            for error in [figures.get((f"{metric}_stderr", kind))]
        }
    return found
