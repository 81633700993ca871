"""What a run shows when it is done: before and after, answers side by side, the model folder, the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tiebreak.data.preference import Message, better_and_worse, messages_from
from tiebreak.data.preparing.encode import encode_texts
from tiebreak.doctor.examine import run_findings
from tiebreak.doctor.finding import at_least
from tiebreak.evaluate.answers import repetition
from tiebreak.evaluate.held_out import held_out_metrics, pair_rewards
from tiebreak.evaluate.judges import Judge, open_judge
from tiebreak.evaluate.judging import judge_answers
from tiebreak.evaluate.pairs import PairChange, counted, pair_changes
from tiebreak.files import folder_at_once, write_text
from tiebreak.formatting.text import one_line
from tiebreak.generation.generate import Answer, Sampling, answers_with_ends
from tiebreak.models.save import named_write_errors, save_weights
from tiebreak.recipe import Recipe
from tiebreak.report.card import model_card
from tiebreak.report.page import write_report
from tiebreak.runs import RunFolder
from tiebreak.runs.held_out import HeldOutPair, write_held_out
from tiebreak.runs.manifest import BeforeRecord, JudgeRecord
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.runs.samples import Sample, SampleMessage, write_samples
from tiebreak.training.evaluation import Evaluated
from tiebreak.training.tree_trainer import TreeTrainer
from tiebreak.workflow import messages
from tiebreak.workflow.changed import Asked, changed_answers, measure_against_start
from tiebreak.workflow.data import RunData
from tiebreak.workflow.lifecycle import now, timed
from tiebreak.workflow.measured import held_out_breakdown
from tiebreak.workflow.model import RunModel
from tiebreak.workflow.plain_text import read_plain_text
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.reference import Reference
from tiebreak.workflow.resolve import ResolvedRecipe
from tiebreak.workflow.shared import ALONE, Shared

Rewards = Sequence[tuple[float, float]]
"""Of each held-out pair the rewards of the chosen and of the rejected completion."""


def measure_before(
    folder: RunFolder,
    resolved: ResolvedRecipe,
    model: RunModel,
    data: RunData,
    reference: Reference,
    trainer: TreeTrainer,
    progress: Progress,
    shared: Shared = ALONE,
) -> BeforeRecord:
    """Measure the model before its first step; a resumed run reads what was measured then.

    Args:
        folder, resolved, model, data, reference, trainer: of the run.
        progress: where progress is shown.
        shared: what the run has in common with others, whose answers before training are the same.
    """
    open_judge(resolved.judge)  # what is wrong with it is said before the first step
    if (recorded := folder.before()) is not None:
        return recorded
    rewards: Rewards | None = None
    metrics, scores, logps = None, reference.held_out, None
    if scores is not None and resolved.objective is not None and resolved.task.pairs:
        metrics = held_out_metrics(scores, scores, objective=resolved.objective)
        logps = scores.logp.tolist()
        rewards = pair_rewards(scores, scores, objective=resolved.objective)
    elif data.held_out is not None:
        metrics = trainer.measure()
        if trainer.evaluated is not None and resolved.task.pairs:
            logps, rewards = trainer.evaluated.logps, trainer.evaluated.rewards
    adapter = resolved.recipe.model.adapter
    key = (
        (model.fingerprint, None if adapter is None else adapter.model_dump_json(), model.precision.name),
        (resolved.task.name, resolved.recipe.data.model_dump_json(), resolved.recipe.evaluate.model_dump_json()),
    )
    answers = shared.once("answers", key, lambda: _answers(resolved, model, data, "answers before", progress))
    read = None
    if answers:
        read = shared.once("plain text", key[0], lambda: read_plain_text(resolved.recipe.model, model, progress))
    before = BeforeRecord(
        metrics=metrics,
        answers=tuple(answer.text for answer in answers),
        ended=tuple(answer.ended for answer in answers) if answers else None,
        plain_text=None if read is None else read.logp,
        logps=logps,
        rewards=None if rewards is None else tuple(rewards),
    )
    folder.save_before(before)
    return before


def finish(
    folder: RunFolder,
    resolved: ResolvedRecipe,
    model: RunModel,
    data: RunData,
    before: BeforeRecord,
    after: Mapping[str, float] | None,
    progress: Progress,
    *,
    evaluated: Evaluated | None = None,
) -> None:
    """Measure the model after its last step and write everything that stays.

    Args:
        folder, resolved, model, data: of the run.
        before: what the model was like before training.
        after: its held-out metrics now.
        progress: where progress is shown.
        evaluated: each held-out example as it was measured now; None where nothing was.
    """
    recipe = resolved.recipe
    with timed(folder, "samples"):
        answers = _answers(resolved, model, data, "answers after", progress)
        judge = open_judge(resolved.judge)
        changes = []
        if before.logps is not None and evaluated is not None:
            changes = pair_changes(before.logps, evaluated.logps)
            write_held_out(folder.held_out_path, _pairs(data, changes, before.rewards, evaluated.rewards))
        texts = [answer.text for answer in answers]
        samples, verdict = _samples(resolved, data, before.answers, texts, judge, changes, progress)
        read = read_plain_text(recipe.model, model, progress) if answers and before.plain_text is not None else None
        kl, harness = measure_against_start(resolved, model, data, _kl_prompts(resolved, data), progress)
        breakdown = held_out_breakdown(resolved, data, before, evaluated)
    folder.update_manifest(
        before=before.metrics,
        after=after,
        measured=True,
        judge=verdict,
        pairs=counted(changes) if changes else None,
        breakdown=None if breakdown is None else breakdown.record(),
        answers=changed_answers(data, before, answers, read) if answers else None,
        kl=kl,
        harness=harness,
        finished=now(),
    )
    write_samples(folder.samples_path, samples)
    save_model(folder, recipe, model, data, samples)
    write_report(folder)
    found = at_least(run_findings(folder, folder.load_manifest(), recipe), "warning")
    progress.say_all(messages.finding_lines(found, folder.path))


def save_model(folder: RunFolder, recipe: Recipe, model: RunModel, data: RunData, samples: list[Sample]) -> None:
    """Write `model/`: weights, tokenizer, template and card, all or nothing.

    Raises:
        RunError: the disk does not take it, or the GPU failed; the last checkpoint is kept.
    """
    then = f"go on with: tiebreak train --out {folder.path} --resume"
    with named_write_errors("The trained model", folder.model, then=then), folder_at_once(folder.model) as partial:
        save_weights(model.model, partial)
        data.tokenizer.save_pretrained(partial)
        logged = read_metrics(folder.metrics_path)
        manifest = folder.load_manifest()
        found = run_findings(folder, manifest, recipe)
        card = model_card(manifest, recipe, samples=samples, logged=logged, findings=found)
        write_text(partial / "README.md", card)


def _shown(resolved: ResolvedRecipe, data: RunData) -> int:
    """How many held-out prompts are answered: those that are shown, or more where a judge reads them."""
    if data.held_out is None:
        return 0
    settings = resolved.recipe.evaluate
    judge_prompts = settings.judge_prompts if resolved.judge != "none" else 0
    wanted = max(settings.samples, judge_prompts)
    return min(wanted, len(data.held_out_rows))


def _kl_prompts(resolved: ResolvedRecipe, data: RunData) -> list[Asked]:
    """The held-out conversations, as many as a judge would see, each with its tools."""
    if data.held_out is None:
        return []
    rows = data.held_out_rows[: resolved.recipe.evaluate.judge_prompts]
    return [(messages_from(turns), tools) for turns, tools in zip(rows["prompt"], rows["tools"], strict=True)]


def _prompts(resolved: ResolvedRecipe, data: RunData) -> list[tuple[Message, ...]]:
    return [messages_from(turns) for turns in data.held_out_rows[: _shown(resolved, data)]["prompt"]]


def _tools(resolved: ResolvedRecipe, data: RunData) -> list[str | None]:
    return list(data.held_out_rows[: _shown(resolved, data)]["tools"])


def _answers(resolved: ResolvedRecipe, model: RunModel, data: RunData, title: str, progress: Progress) -> list[Answer]:
    prompts = _prompts(resolved, data) if _shown(resolved, data) else []
    if not prompts:
        return []
    settings = resolved.recipe.evaluate
    sampling = Sampling(settings.temperature, max_new_tokens=settings.max_new_tokens, seed=settings.seed)
    with progress.bar(title, len(prompts)) as update:
        return answers_with_ends(
            model.model,
            data.tokenizer,
            prompts,
            sampling,
            template=data.template,
            tools=_tools(resolved, data),
            special_tokens=resolved.recipe.data.special_tokens,
            autocast=model.precision.autocast,
            progress=update,
        )


def _pairs(
    data: RunData, changes: Sequence[PairChange], before: Rewards | None, after: Rewards | None
) -> Iterator[HeldOutPair]:
    """The lines of held_out.jsonl.

    Args:
        data: of the run.
        changes: of every held-out pair.
        before, after: rewards of the pairs; None where they were not measured.
    """
    for change, turns in zip(changes, data.held_out_rows["prompt"], strict=True):
        asked = messages_from(turns)
        yield HeldOutPair(
            pair=change.pair,
            prompt=one_line(asked[-1].content) if asked else "",
            before=change.before,
            after=change.after,
            moved="better" if change.gain > 0 else "worse" if change.gain < 0 else None,
            flipped=change.flipped,
            rewards_before=None if before is None else before[change.pair],
            rewards_after=None if after is None else after[change.pair],
        )


def _tokens(data: RunData, answers: Sequence[str]) -> list[int]:
    """How many tokens each answer has."""
    return [len(ids) for ids in encode_texts(data.tokenizer, list(answers))]


def _samples(
    resolved: ResolvedRecipe,
    data: RunData,
    before: Sequence[str],
    after: Sequence[str],
    judge: Judge | None,
    changes: Sequence[PairChange],
    progress: Progress,
) -> tuple[list[Sample], JudgeRecord | None]:
    """The rows of samples.json, and the judge's verdict over all answers."""
    prompts = _prompts(resolved, data) if after else []
    verdicts: list[tuple[bool | None, bool | None]] = [(None, None)] * len(prompts)
    verdict = None
    if judge is not None and prompts:
        with progress.bar(f"judging, {judge.name}", len(prompts)) as update:
            said, verdict = judge_answers(judge, prompts, before, after, update)
        if said.first is not None and said.second is not None:
            verdicts = [
                (first if isinstance(first, bool) else None, second if isinstance(second, bool) else None)
                for first, second in zip(said.second, said.first, strict=True)
            ]
    shown = data.held_out_rows.select(range(min(resolved.recipe.evaluate.samples, len(prompts))))
    rows = []
    tokens = [_tokens(data, answers[: len(shown)]) for answers in (before, after)]
    for i, row in enumerate(shown):
        chosen, rejected = better_and_worse(row, resolved.task)
        rows.append(
            Sample(
                prompt=tuple(SampleMessage(turn.role, turn.content) for turn in prompts[i]),
                chosen=chosen,
                rejected=rejected,
                before=before[i],
                after=after[i],
                before_passed=verdicts[i][0],
                after_passed=verdicts[i][1],
                before_tokens=tokens[0][i],
                after_tokens=tokens[1][i],
                before_repetition=repetition(before[i]),
                after_repetition=repetition(after[i]),
                gain=changes[i].gain if changes else None,
                flipped=changes[i].flipped if changes else None,
            )
        )
    return rows, verdict
