"""The model card: the README.md that travels with the weights, and in its head the YAML that the Hub reads.

Says what the model is, what was measured and what was not, and how to make it again. Whatever came from names, data or
answers is quoted, so that it can neither change the front matter nor become markup. Paths of this machine go by their
last part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tiebreak.doctor.finding import Finding
from tiebreak.formatting.hub_names import BUNDLED_LICENSE, HERE, hub_id, last_part, license_fields, public_name
from tiebreak.formatting.text import fenced, front_matter, inline, one_line, table
from tiebreak.metrics import shown_in
from tiebreak.recipe import Recipe
from tiebreak.report.changed import changed_notes, changed_rows
from tiebreak.report.facts import Fact, data_facts, dropped, run_facts
from tiebreak.report.steps import markdown_blocks
from tiebreak.report.table import result_rows
from tiebreak.report.usage import Loading, python_snippet
from tiebreak.report.verdict import verdict
from tiebreak.runs.manifest import Manifest
from tiebreak.runs.public import public_manifest, public_recipe
from tiebreak.runs.samples import Sample
from tiebreak.runs.steps import steps_table
from tiebreak.tasks import TASKS

Form = Literal["model", "adapter", "merged"]
"""What the weights are: a whole model, an adapter beside one, or an adapter merged into one."""


@dataclass(frozen=True)
class Publication:
    """Where and in which form a run is published.

    Attributes:
        form: what the weights are.
        repo: the Hub id; None is a folder that has none yet.
        revision: branch of the repository; None is the default one.
        picture: path of a picture of the curves beside the card; None where there is none.
        tokenizer: whether the tokenizer lies beside the weights.
        files: whether recipe, metrics and report lie there too.
        license: of the base model, where the manifest does not know it.
        roots: folders in which the names of a recipe may be paths.
    """

    form: Form = "model"
    repo: str | None = None
    revision: str | None = None
    picture: str | None = None
    tokenizer: bool = True
    files: bool = False
    license: str | None = None
    roots: Sequence[Path] = HERE


_BUNDLED = "bundled:base"
_SHOWN_SAMPLES = 3
_RUN_FACTS = (
    "steps",
    "best step",
    "held-out pairs",
    "answers",
    "batches",
    "precision",
    "time",
    "resumed",
    "versions",
)  # no machine names in public
_FORMS: dict[Form, str] = {
    "model": "It was made with Tiebreak, and loads with plain transformers.",
    "adapter": "What was trained is an adapter: small weights that are loaded into the base model. "
    "It was made with Tiebreak, and loads with peft.",
    "merged": "What was trained is an adapter; here it is merged into its base model. "
    "It was made with Tiebreak, and loads with plain transformers.",
}


def model_card(
    manifest: Manifest,
    recipe: Recipe,
    *,
    samples: Sequence[Sample] = (),
    logged: Sequence[Mapping[str, Any]] = (),
    findings: Sequence[Finding] = (),
    publication: Publication | None = None,
) -> str:
    """The README.md of a trained model.

    Args:
        manifest: of the run; any part may be missing.
        recipe: what ran.
        samples: of the run; a few are shown.
        logged: the rows of its metrics.jsonl, for the table of its steps.
        findings: what is wrong with the run or worth knowing.
        publication: where it is published; None is the run folder's own `model/`.
    Returns:
        Markdown with YAML front matter.
    """
    publication = publication or Publication(form="model" if recipe.model.adapter is None else "adapter")
    head = front_matter(_head(manifest, recipe, publication))
    base, data = (public_name(name, publication.roots) for name in (recipe.model.name, recipe.data.source))
    manifest = public_manifest(manifest, publication.roots)
    sections = [
        f"# {inline(f'{last_part(base)} tuned on {last_part(data)}')}",
        _about(manifest, recipe, publication, inline(base), inline(data)),
        f"## Results\n\n{_results(manifest)}",
        _findings(findings),
        f"## Use\n\n{_use(manifest, recipe, publication)}",
        _steps(logged),
        _samples(samples),
        _curves(publication),
        f"## Data\n\n{_data(manifest)}",
        f"## Training\n\n{_training(manifest, recipe)}",
        f"## Limits\n\n{_limits(manifest)}",
        f"## Make it again\n\n{_again(manifest, recipe, publication)}",
    ]
    return head + "\n" + "\n\n".join(filter(None, sections)) + "\n"


def _head(manifest: Manifest, recipe: Recipe, publication: Publication) -> dict[str, Any]:
    """What the Hub reads: what the model came from, and what was measured."""
    base, data = hub_id(recipe.model.name, publication.roots), hub_id(recipe.data.source, publication.roots)
    fields: dict[str, Any] = {
        "library_name": "peft" if publication.form == "adapter" else "transformers",
        "pipeline_tag": "text-generation",
        "tags": _tags(manifest, recipe),
    }
    if base:
        relation = "adapter" if publication.form == "adapter" else "finetune"
        fields |= {"base_model": base, "base_model_relation": relation}
    if data:
        fields["datasets"] = [data]
    recorded = manifest.model.license if manifest.model is not None else None
    known = BUNDLED_LICENSE if recipe.model.name == _BUNDLED else publication.license
    if license_ := recorded or known:
        fields |= license_fields(one_line(license_))
    if results := _model_index(manifest, recipe, publication.roots):
        name = publication.repo or f"{last_part(recipe.model.name)}-{last_part(recipe.data.source)}"
        fields["model-index"] = [{"name": one_line(name), "results": results}]
    return fields


def _tags(manifest: Manifest, recipe: Recipe) -> list[str]:
    task = TASKS[manifest.task]
    names = [one_line(recipe.objective.name), *map(one_line, recipe.objective.add)] if task.compares else []
    return list(dict.fromkeys(["tiebreak", *task.tags, *names]))


def _model_index(manifest: Manifest, recipe: Recipe, roots: Sequence[Path]) -> list[dict[str, Any]]:
    """The held-out metrics in the form of the Hub's model index; empty where nothing was measured."""
    metrics = [
        {"type": metric.hub_type, "value": round(value, 6), "name": shown.label}
        for metric, shown in shown_in(TASKS[manifest.task].card)
        if (value := manifest.final(metric.recorded)) is not None and math.isfinite(value)
    ]
    if not metrics:
        return []
    rows = TASKS[manifest.task].words.rows
    source = one_line(public_name(recipe.data.source, roots))
    data: dict[str, Any] = {"name": source, "type": hub_id(recipe.data.source, roots) or rows}
    data["split"] = recipe.data.eval_split or "held-out"
    task = {"type": "text-generation", "name": "Text generation"}
    return [{"task": task, "dataset": data, "metrics": metrics}]


def _about(manifest: Manifest, recipe: Recipe, publication: Publication, model: str, data: str) -> str:
    task, by = TASKS[manifest.task], ""
    if task.fixed_objective is None:
        settings = recipe.objective.settings
        beta = f", beta {settings['beta']:g}" if "beta" in settings else ""
        added = "".join(f" + {inline(name)}" for name in recipe.objective.add)
        by = f" (objective {inline(recipe.objective.name)}{added}{beta})"
    return f"It is {model}, {task.words.training.format(data=data)}{by}. {_FORMS[publication.form]}"


def _results(manifest: Manifest) -> str:
    rows = result_rows(manifest)
    if not rows:
        return "Nothing was measured on held-out data."
    said = verdict(manifest)
    cells = [[f"**{row.label}**: {row.hint}", row.before, row.after] for row in rows]
    found = f"**{said.headline}** {inline(said.detail, 1200)}\n\n{table(['held-out figure', 'before', 'after'], cells)}"
    changed = [[inline(row.label), row.before, row.after, row.difference] for row in changed_rows(manifest)]
    if not changed:
        return found
    notes = " ".join(changed_notes(manifest))
    return f"{found}\n\n{table(['what else changed', 'before', 'after', 'difference'], changed)}\n\n{notes}"


def _findings(findings: Sequence[Finding]) -> str:
    """What the doctor found; nothing where it found nothing."""
    if not findings:
        return ""
    cells = [
        [
            f"{each.severity}: {each.name}",
            inline(each.title),
            inline("; ".join(figure.text for figure in each.evidence)),
        ]
        for each in findings
    ]
    return f"## Findings\n\n{table(['finding', 'what', 'figures'], cells)}"


def _use(manifest: Manifest, recipe: Recipe, publication: Publication) -> str:
    name = publication.repo or "path/or/hub-id/of/this/model"
    base = hub_id(recipe.model.name, publication.roots)
    if publication.form == "adapter" and base is None:
        what = public_name(recipe.model.name, publication.roots)
        if not what.startswith("bundled:"):
            return f"The adapter belongs to the model {inline(what)}, which is not on the Hub, and works with it alone."
        return (
            f"The adapter belongs to {inline(what)}, the model that comes with Tiebreak:\n\n"
            f"{fenced(f'tiebreak chat {name}', 'sh')}"
        )
    loading = Loading(
        adapter=publication.form == "adapter",
        tokenizer=None if publication.tokenizer else base,
        revision=publication.revision,
        trust_remote_code=recipe.model.trust_remote_code,
    )
    return fenced(python_snippet(manifest, name, loading), "python")


def _steps(logged: Sequence[Mapping[str, Any]]) -> str:
    steps = steps_table(logged)
    return f"## Steps\n\n{markdown_blocks(steps)}\n\n{steps.note}" if steps.rows else ""


def _samples(samples: Sequence[Sample]) -> str:
    shown = [sample for sample in samples if sample.after is not None][:_SHOWN_SAMPLES]
    if not shown:
        return ""
    blocks = []
    for sample in shown:
        lines = [f"{turn.speaker}: {turn.content}" for turn in sample.prompt]
        lines += [f"Before: {sample.before}"] if sample.before is not None else []
        lines += [f"After: {sample.after}"]
        blocks.append(fenced("\n".join(lines), limit=1500))
    return "## Samples\n\nHeld-out prompts, answered before and after training.\n\n" + "\n\n".join(blocks)


def _curves(publication: Publication) -> str:
    if publication.picture is None:
        return ""
    more = "\n\nMore of them, with how to read them, are in `report.html`." if publication.files else ""
    return f"## Curves\n\n![Loss, accuracy and margin over the steps of training]({publication.picture}){more}"


def _data(manifest: Manifest) -> str:
    parts = [_list(data_facts(manifest)) or "What data was used is not recorded."]
    if out := dropped(manifest):
        parts.append(table(["dropped or cut, by reason", "rows"], [[inline(f.name), f.value] for f in out[:40]]))
    return "\n\n".join(parts)


def _training(manifest: Manifest, recipe: Recipe) -> str:
    train, adapter = recipe.train, recipe.model.adapter
    rate = train.learning_rate if train.learning_rate == "auto" else f"{train.learning_rate:g}"
    settings = [
        Fact("learning rate", f"{rate}, {train.schedule}, warm-up {train.warmup_ratio:g}"),
        Fact("batch", f"{train.batch_size * train.gradient_accumulation} a step"),
        Fact("epochs", f"{train.epochs:g}" + (f", at most {train.max_steps} steps" if train.max_steps else "")),
        Fact("longest sequence", f"{recipe.data.max_length} tokens" if recipe.data.max_length else "no limit"),
    ]
    if adapter is not None:
        settings.append(Fact("adapter", f"{adapter.kind}, rank {adapter.rank}, alpha {adapter.alpha:g}"))
    if recipe.model.quantize is not None:
        settings.append(Fact("frozen weights held in", recipe.model.quantize))
    return _list([*settings, *(fact for fact in run_facts(manifest) if fact.name in _RUN_FACTS)])


def _limits(manifest: Manifest) -> str:
    limits = [
        "It keeps the weaknesses, the biases and the terms of use of the model that it started from and of the data.",
        "The figures above hold for held-out data of the same kind; elsewhere it was not measured.",
    ]
    if limit := TASKS[manifest.task].words.limit:
        limits.append(limit)
    limits.append("Whether it refuses harmful requests was not tested.")
    return "\n".join(f"- {limit}" for limit in limits)


def _again(manifest: Manifest, recipe: Recipe, publication: Publication) -> str:
    public = public_recipe(recipe, publication.roots)
    paths = "" if public == recipe else " Paths of the machine that it ran on stand there by their last part."
    found = "`recipe.yaml` beside this card is" if publication.files else "Save this as `recipe.yaml`: it is"
    commit = manifest.model.commit if manifest.model is not None else None
    command = f"tiebreak {TASKS[manifest.task].command} recipe.yaml"
    pinned = f" The base model was at commit `{inline(commit, 64)}`." if commit else ""
    rows = manifest.data.commit if manifest.data is not None else None
    pinned += f" The data were at commit `{inline(rows, 64)}`." if rows else ""
    return (
        f"{found} exactly what ran, defaults included. Run `{command}`.{paths}{pinned}\n\n"
        f"{fenced(public.to_yaml(), 'yaml', limit=20_000)}"
    )


def _list(facts: Iterable[Fact]) -> str:
    return "\n".join(f"- {inline(fact.name)}: {inline(fact.value, 400)}" for fact in facts)
