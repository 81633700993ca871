"""The data of a run: read, selected, and as token ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from tiebreak.data.load import LoadedPreferences
from tiebreak.data.preparing.gather import gather
from tiebreak.data.preparing.select import Selection
from tiebreak.data.preparing.templates import Renderer, Template, choose_template
from tiebreak.data.preparing.tokenize import Limits, Tokenized
from tiebreak.data.profile.template import template_traits
from tiebreak.data.profile.traits import traits
from tiebreak.errors import InputError
from tiebreak.models.embeddings import check_vocabulary
from tiebreak.models.load import load_config, load_tokenizer
from tiebreak.recipe import DataSection, Recipe
from tiebreak.runs.manifest import DataRecord, LoadRecord, TemplateRecord, TokensRecord, TraitsRecord
from tiebreak.tasks import Task, load_part
from tiebreak.training.examples import Groups
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.shared import Shared

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class RunData:
    """The data of a run.

    Attributes:
        train, held_out: token ids; `held_out` is None where nothing is held out.
        train_rows: the training rows as text, in the canonical form.
        held_out_rows: the held-out rows as text, with the same columns.
        tokenizer: the model's.
        template: the form that conversations take.
        record: what was read, dropped and trimmed, for the manifest.
    """

    train: Groups
    held_out: Groups | None
    train_rows: Dataset
    held_out_rows: Dataset
    tokenizer: PreTrainedTokenizerBase
    template: Template
    record: DataRecord


def load_data(recipe: Recipe, task: Task, progress: Progress) -> RunData:
    """Read, select and tokenize.

    Args:
        recipe: its sections `model` (for the tokenizer) and `data`.
        task: what the rows serve as.
        progress: where progress is shown.
    Raises:
        InputError: the source, a row, or the selection is wrong, or nothing is left to train on.
    """
    settings, model = recipe.data, recipe.model
    limits = Limits(
        _longest(recipe), settings.max_prompt_length, settings.max_completion_length, too_long=settings.too_long
    )
    tokenizer = load_tokenizer(model.name, revision=model.revision, trust_remote_code=model.trust_remote_code)
    template = choose_template(tokenizer, settings.template)
    with progress.share("reading") as on_progress:
        loaded, selection = gather(settings, task=task.name, on_progress=on_progress)
    encode = load_part(task.encoder)

    def encoded(side: str, rows: Dataset) -> Tokenized:
        with progress.bar("tokenizing", len(rows)) as on_progress:
            key = f"{selection.fingerprint}|{side}"
            tokenized: Tokenized = encode(
                rows,
                tokenizer,
                template=template,
                limits=limits,
                score_turns=settings.score_turns,
                special_tokens=settings.special_tokens,
                key=key,
                progress=on_progress,
            )
        progress.say_all(
            f"{side}: {note} ({count}: {', '.join(tokenized.examples[note])}{', …' if count > 5 else ''})."
            for note, count in tokenized.notes.items()
        )
        return tokenized

    train, held_out = encoded("train", selection.train), encoded("held_out", selection.held_out)
    if not len(train.dataset):
        reasons = "; ".join(f"{reason}: {count}" for reason, count in train.counts.items())
        where, fix = _what_helps(train.counts, limits)
        raise InputError(f"None of the {len(selection.train)} training rows is left ({reasons}).", where=where, fix=fix)
    rows, renderer = (
        selection.train.select(train.dataset["row"]),
        Renderer(tokenizer, template, settings.special_tokens),
    )
    written = template_traits(rows, train.dataset, task.text_columns, renderer, score_turns=settings.score_turns)
    record = _record(settings, loaded, selection, train, held_out, task)
    return RunData(
        Groups(train.dataset, task),
        Groups(held_out.dataset, task) if len(held_out.dataset) else None,
        rows,
        selection.held_out.select(held_out.dataset["row"]),
        tokenizer,
        template,
        record.model_copy(update={"written": TemplateRecord.model_validate(asdict(written))}),
    )


def read_record(settings: DataSection, task: Task, progress: Progress) -> DataRecord:
    """What is known of the data without a tokenizer: read, selected, counted.

    Args:
        settings: of a recipe.
        task: what the rows serve as.
        progress: where progress is shown.
    Raises:
        InputError: the source, a row or the selection is wrong.
    """
    with progress.share("reading") as on_progress:
        loaded, selection = gather(settings, task=task.name, on_progress=on_progress)
    report, selected = loaded.report, selection.report
    dropped = Counter({reason: tally.count for reason, tally in report.dropped.items()})
    dropped.update(selected.dropped)
    return DataRecord(
        source=settings.source,
        schema=loaded.recognition.schema,
        why=loaded.recognition.why,
        fingerprint=selection.fingerprint,
        train=len(selection.train),
        held_out=len(selection.held_out),
        held_out_from=selected.held_out_from,
        held_out_dropped=dict(selected.held_out_dropped),
        dropped=dict(dropped),
        labels=selected.labels,
        contradicting=selected.contradicting,
        traits=_traits(selection, task),
        report=LoadRecord.model_validate(report.to_json()),
    )


def shared_data(recipe: Recipe, task: Task, progress: Progress, shared: Shared) -> RunData:
    """As `load_data`, read once for all runs whose sections say the same.

    Args:
        recipe, task, progress: as there.
        shared: what the run has in common with others.
    """
    model = recipe.model
    key = (task.name, model.name, model.revision, model.trust_remote_code, recipe.data.model_dump_json())
    return shared.once("data", key, lambda: load_data(recipe, task, progress))


def check_tokens(data: RunData, rows: int, name: str) -> None:
    """Make sure that a model has an embedding for each token of the data.

    Args:
        data: of the run.
        rows: of the model's embeddings.
        name: of the model.
    Raises:
        InputError: it has not.
    """
    for groups in filter(None, (data.train, data.held_out)):
        check_vocabulary(rows, groups.largest_id(), name)


def _what_helps(counts: Mapping[str, int], limits: Limits) -> tuple[str, str]:
    """Where to look and what to change where no row is left, by what most of them met."""
    most = max(counts, key=lambda reason: counts[reason], default="")
    if "tools" in most:
        return "model.name", "choose a model whose chat template writes tools, or use data without them"
    if "template" in most:
        turns = "use data without the turns that the template refuses"
        return "data.template", f"set data.template to transcript, or {turns}"
    other = "" if limits.too_long == "trim_prompt" else ", or set data.too_long to trim_prompt"
    return f"data.max_length = {limits.total}, data.too_long = {limits.too_long}", f"raise data.max_length{other}"


def _longest(recipe: Recipe) -> int | None:
    """The length limit: the recipe's, or what the model has positions for, whichever is less."""
    section = recipe.model
    config = load_config(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    limits = [limit for limit in (recipe.data.max_length, positions) if isinstance(limit, int) and limit > 0]
    return min(limits) if limits else None


def _record(
    settings: DataSection,
    loaded: LoadedPreferences,
    selection: Selection,
    train: Tokenized,
    held_out: Tokenized,
    task: Task,
) -> DataRecord:
    report, selected = loaded.report, selection.report
    dropped = Counter({reason: tally.count for reason, tally in report.dropped.items()})
    if report.bad.count:
        dropped["could not be read"] += report.bad.count
    dropped.update(selected.dropped)
    dropped.update(_dropped(train))
    return DataRecord(
        source=settings.source,
        commit=loaded.commit,
        schema=loaded.recognition.schema,
        why=loaded.recognition.why,
        fingerprint=selection.fingerprint,
        template=train.template,
        special_tokens=settings.special_tokens,
        score_turns=settings.score_turns,
        notes=dict(Counter(train.notes) + Counter(held_out.notes)),
        train=len(train.dataset),
        held_out=len(held_out.dataset),
        held_out_from=selected.held_out_from,
        held_out_dropped=dict(selected.held_out_dropped) | _dropped(held_out),
        dropped=dict(dropped),
        trimmed={reason: n for reason, n in train.counts.items() if _is_trimmed(reason)},
        labels=selected.labels,
        contradicting=selected.contradicting,
        traits=_traits(selection, task),
        tokens={name: _spread(lengths) for name, lengths in Groups(train.dataset, task).part_lengths().items()},
        report=LoadRecord.model_validate(report.to_json()),
    )


def _traits(selection: Selection, task: Task) -> TraitsRecord | None:
    if not task.pairs:
        return None
    found = traits(selection.train, selection.held_out if len(selection.held_out) else None)
    return TraitsRecord.model_validate(asdict(found))


def _spread(lengths: NDArray[np.int64]) -> TokensRecord:
    median, p95 = np.quantile(lengths, (0.5, 0.95), method="higher")
    return TokensRecord(median=int(median), p95=int(p95), longest=int(lengths.max()))


def _dropped(tokenized: Tokenized) -> dict[str, int]:
    return {reason: n for reason, n in tokenized.counts.items() if not _is_trimmed(reason)}


def _is_trimmed(reason: str) -> bool:
    return reason.endswith("trimmed")
