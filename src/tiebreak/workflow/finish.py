"""What a run shows when it is done: before and after, answers side by side, the model folder, the report."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError

from tiebreak.data.preference import Message, messages_from
from tiebreak.errors import RunError
from tiebreak.evaluate.generate import Sampling, answer_all
from tiebreak.evaluate.held_out import held_out_metrics
from tiebreak.evaluate.judging import judge_named, judged
from tiebreak.files import folder_at_once, write_json, write_text
from tiebreak.models.adapters import save_weights
from tiebreak.recipe import Recipe
from tiebreak.report.card import model_card
from tiebreak.report.page import write_report
from tiebreak.runs import RunFolder
from tiebreak.training.troubles import first_line
from tiebreak.workflow.assemble import Assembled
from tiebreak.workflow.prepare import PreparedData, PreparedModel, kind_of, objective_of
from tiebreak.workflow.talk import Talk


@dataclass(frozen=True)
class Before:
    """What the model was like before training.

    Attributes:
        metrics: held-out metrics, or None.
        answers: its answers to the held-out prompts that are shown or judged.
    """

    metrics: dict[str, float] | None
    answers: list[str]


def measure_before(folder: RunFolder, recipe: Recipe, parts: Assembled, talk: Talk) -> Before:
    """Measure the model before its first step; a resumed run reads what was measured then.

    Args:
        folder, recipe, parts: of the run.
        talk: where progress is shown.
    """
    kept = folder.path / "before.json"
    if kept.is_file():
        recorded = json.loads(kept.read_text(encoding="utf-8"))
        return Before(recorded["metrics"], recorded["answers"])
    metrics, scores = None, parts.reference
    if scores is not None and kind_of(recipe) == "preference":
        metrics = held_out_metrics(scores, scores, objective=objective_of(recipe))
    elif parts.data.held_out is not None:
        metrics = parts.trainer.measure()
    before = Before(metrics, _answers(recipe, parts.prepared, parts.data, "answers before", talk))
    write_json(kept, {"metrics": before.metrics, "answers": before.answers})
    return before


def finish(
    folder: RunFolder,
    recipe: Recipe,
    prepared: PreparedModel,
    data: PreparedData,
    before: Before,
    after: Mapping[str, float] | None,
    talk: Talk,
) -> None:
    """Measure the model after its last step and write everything that stays."""
    began = time.perf_counter()
    answers = _answers(recipe, prepared, data, "answers after", talk)
    found = judge_named(recipe.evaluate.judge, recipe.data.source)
    samples, verdict = _samples(recipe, data, before.answers, answers, found)
    timings = {**folder.manifest().get("timings", {}), "samples": round(time.perf_counter() - began, 2)}
    ended = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    folder.record(before=before.metrics, after=after, judge=verdict, timings=timings, finished=ended)
    write_json(folder.samples_path, samples)
    save_model(folder, recipe, prepared, data, samples)
    write_report(folder)


def save_model(
    folder: RunFolder, recipe: Recipe, prepared: PreparedModel, data: PreparedData, samples: list[dict[str, Any]]
) -> None:
    """Write `model/`: weights, tokenizer, template and card, all or nothing.

    Raises:
        RunError: the disk does not take it; the last checkpoint is kept.
    """
    try:
        with folder_at_once(folder.model) as partial:
            save_weights(prepared.model, partial)
            data.tokenizer.save_pretrained(partial)
            write_text(partial / "README.md", model_card(folder.manifest(), recipe, samples=samples))
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"The trained model cannot be written: {first_line(error)}.",
            where=str(folder.model),
            fix=f"free some disk, then go on with: tiebreak train --out {folder.path} --resume",
        ) from error


def _shown(recipe: Recipe, data: PreparedData) -> int:
    """How many held-out prompts are answered: those that are shown, or more where a judge reads them."""
    if data.held_out is None:
        return 0
    judged_too = judge_named(recipe.evaluate.judge, recipe.data.source) is not None
    wanted = max(recipe.evaluate.samples, recipe.evaluate.judge_prompts if judged_too else 0)
    return min(wanted, len(data.held_out_rows))


def _prompts(recipe: Recipe, data: PreparedData) -> list[tuple[Message, ...]]:
    return [messages_from(turns) for turns in data.held_out_rows[: _shown(recipe, data)]["prompt"]]


def _answers(recipe: Recipe, prepared: PreparedModel, data: PreparedData, title: str, talk: Talk) -> list[str]:
    prompts = _prompts(recipe, data) if _shown(recipe, data) else []
    if not prompts:
        return []
    settings = recipe.evaluate
    sampling = Sampling(settings.temperature, max_new_tokens=settings.max_new_tokens, seed=settings.seed)
    with talk.progress(title, len(prompts)) as update:
        return answer_all(prepared.model, data.tokenizer, prompts, sampling, template=data.template, progress=update)


def _samples(
    recipe: Recipe, data: PreparedData, before: list[str], after: list[str], found: Any
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The rows of samples.json, and the judge's verdict over all answers."""
    prompts = _prompts(recipe, data) if after else []
    verdicts: list[tuple[bool | None, bool | None]] = [(None, None)] * len(prompts)
    verdict = None
    if found is not None and prompts:
        name, judge = found
        passed = [
            (judge(prompt, first), judge(prompt, second))
            for prompt, first, second in zip(prompts, before, after, strict=True)
        ]
        verdict = judged(name, [first for first, _ in passed], [second for _, second in passed])
        verdicts = list(passed)
    shown = data.held_out_rows.select(range(min(recipe.evaluate.samples, len(prompts))))
    rows = []
    for i, row in enumerate(shown):
        chosen, rejected = _endings_of(row)
        rows.append(
            {
                "prompt": [{"role": m.role, "content": m.content} for m in prompts[i]],
                "chosen": chosen,
                "rejected": rejected,
                "before": before[i],
                "after": after[i],
                "before_passed": verdicts[i][0],
                "after_passed": verdicts[i][1],
            }
        )
    return rows, verdict


def _endings_of(row: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The better and the worse ending of a row of pairs, demonstrations or labelled endings, where it has them."""
    if "chosen" in row:
        return row["chosen"], row["rejected"]
    good = row.get("label", True)
    return (row["completion"], None) if good else (None, row["completion"])
