"""What ran, in one paragraph of plain sentences: model, data, objective, how much was seen, time, machine, outcome.

Only what is recorded; a sentence of which nothing is known is not there. Escapes nothing.
"""

from __future__ import annotations

from tiebreak.formatting import numbers
from tiebreak.formatting.text import one_line
from tiebreak.recipe import Recipe
from tiebreak.report.table import result_rows
from tiebreak.runs.manifest import Manifest, ModelRecord
from tiebreak.tasks import TASKS

_FIGURES = 3
_KINDS = {"lora": "LoRA", "dora": "DoRA", "rslora": "rsLoRA"}


def what_ran(manifest: Manifest, recipe: Recipe | None) -> str:
    """The paragraph.

    Args:
        manifest: of the run; any part may be missing.
        recipe: of the run; None where this version cannot read it.
    """
    sentences = (_trained(manifest, recipe), _seen(manifest), _computed(manifest), _kept(manifest), _came_out(manifest))
    return " ".join(filter(None, sentences))


def _trained(manifest: Manifest, recipe: Recipe | None) -> str:
    model, data, task = manifest.model, manifest.data, TASKS[manifest.task]
    if model is None:
        return ""
    verb = "was trained" if manifest.state == "finished" else "is trained" if manifest.state else "is to be trained"
    on = f" on {task.examples} of {one_line(data.source, 100)}" if data is not None and data.source else ""
    return f"{_model(model)} {verb}{on}{_objective(manifest, recipe)}."


def _model(model: ModelRecord) -> str:
    size = f"{numbers.whole(model.parameters)} parameters" if model.parameters is not None else ""
    details = ", ".join(filter(None, (size, f"in {one_line(model.quantize)}" if model.quantize else "")))
    whole = one_line(model.name, 100) + (f" ({details})" if details else "")
    if model.adapter is None:
        return whole
    kind = _KINDS.get(model.adapter.kind, one_line(model.adapter.kind))
    return f"A {kind} adapter of rank {model.adapter.rank:,} on {whole}"


def _objective(manifest: Manifest, recipe: Recipe | None) -> str:
    if recipe is None or TASKS[manifest.task].fixed_objective is not None:
        return ""
    names = " + ".join(one_line(name) for name in (recipe.objective.name, *recipe.objective.add))
    beta = recipe.objective.settings.get("beta")
    settings = [f"beta {beta:g}"] if isinstance(beta, int | float) else []
    if isinstance(recipe.train.learning_rate, int | float):
        settings.append(f"a learning rate of {numbers.plain(recipe.train.learning_rate)}")
    return f" with the objective {names}" + (f", {' and '.join(settings)}" if settings else "")


def _seen(manifest: Manifest) -> str:
    data, length, task = manifest.data, manifest.length, TASKS[manifest.task]
    if data is None or data.train is None:
        return ""
    there = f"{data.train:,} {task.example if data.train == 1 else task.examples}"
    steps = (
        f" in {numbers.whole(length.steps)} {'step' if length.steps == 1 else 'steps'}" if length is not None else ""
    )
    apart = f"; {data.held_out:,} are held out" if data.held_out else "; nothing is held out"
    if data.seen is None:
        return f"There {'is' if data.train == 1 else 'are'} {there} to train on{apart}."
    seen = f"all {there}" if data.seen >= data.train else f"{data.seen:,} of {there}"
    return f"It saw {seen}{steps}{apart}."


def _computed(manifest: Manifest) -> str:
    hardware, seconds = manifest.hardware, manifest.timings.get("train")
    cores = f" with {hardware.cores:,} {'core' if hardware.cores == 1 else 'cores'}" if hardware.cores else ""
    processor = f"{one_line(hardware.processor or 'a processor')}{cores}" if hardware.processor or cores else ""
    machine = ", ".join(map(one_line, hardware.gpus)) or processor
    if seconds is None:
        return f"It runs on {machine}." if machine else ""
    whole = sum(manifest.timings.values())
    parts = (
        f"Training took {numbers.duration(seconds)}",
        f"the whole run {numbers.duration(whole)}" if whole > seconds else "",
        f"on {machine}" if machine else "",
        f"in {one_line(manifest.precision.name)}" if manifest.precision is not None else "",
    )
    return f"{', '.join(filter(None, parts))}."


def _kept(manifest: Manifest) -> str:
    best, length = manifest.best, manifest.length
    if best is None or length is None:
        return ""
    last = " (the last one)" if best.step == length.steps else ""
    return f"The weights of step {numbers.whole(best.step)}{last} were kept, the best by {one_line(best.metric)}."


def _came_out(manifest: Manifest) -> str:
    rows = [row for row in result_rows(manifest) if row.after != numbers.DASH][:_FIGURES]
    said = [
        f"{row.label} {row.after}" if row.before == numbers.DASH else f"{row.label} from {row.before} to {row.after}"
        for row in rows
    ]
    return f"What came out: {', '.join(said)}." if said else ""
