"""The model card: the README.md that travels with the weights and that the Hub reads.

Says what the model is, what was measured and what was not, and how to make it again. Whatever came from names, data or
answers is quoted, so that it can neither change the front matter nor become markup. Paths of this machine go by their
last part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tiebreak.recipe import Recipe
from tiebreak.report.card_head import card_head
from tiebreak.report.facts import Fact, data_facts, left_out, run_facts
from tiebreak.report.hub_ids import hub_id, last_part, public_manifest, public_name, public_recipe
from tiebreak.report.markdown import fenced, inline, table
from tiebreak.report.publication import Form, Publication
from tiebreak.report.samples import Sample, parse_samples
from tiebreak.report.table import result_rows
from tiebreak.report.usage import Loading, python_snippet
from tiebreak.report.verdict import verdict
from tiebreak.runs.entries import is_supervised, text, with_kind

_SHOWN_SAMPLES = 3
_RUN_FACTS = ("steps", "best step", "batches", "precision", "time", "versions")  # no machine names in public
_FORMS: dict[Form, str] = {
    "model": "It was made with Tiebreak, and loads with plain transformers.",
    "adapter": "What was trained is an adapter: small weights that are loaded into the base model. "
    "It was made with Tiebreak, and loads with peft.",
    "merged": "What was trained is an adapter; here it is merged into its base model. "
    "It was made with Tiebreak, and loads with plain transformers.",
}


def model_card(
    manifest: Mapping[str, Any],
    recipe: Recipe,
    *,
    samples: Sequence[Any] = (),
    publication: Publication | None = None,
) -> str:
    """The README.md of a trained model.

    Args:
        manifest: of the run; any part may be missing.
        recipe: what ran.
        samples: the entries of samples.json; a few are shown.
        publication: where it is published; None is the run folder's own `model/`.
    Returns:
        Markdown with YAML front matter.
    """
    place = publication or Publication(form="model" if recipe.model.adapter is None else "adapter")
    head = card_head(manifest, recipe, place)
    base, data = (public_name(name, place.roots) for name in (recipe.model.name, recipe.data.source))
    manifest = public_manifest(with_kind(manifest, recipe.objective.name), place.roots)
    sections = [
        f"# {inline(f'{last_part(base)} tuned on {last_part(data)}')}",
        _about(manifest, recipe, place, inline(base), inline(data)),
        f"## Results\n\n{_results(manifest)}",
        f"## Use\n\n{_use(manifest, recipe, place)}",
        _samples(parse_samples(list(samples))),
        _curves(place),
        f"## Data\n\n{_data(manifest)}",
        f"## Training\n\n{_training(manifest, recipe)}",
        f"## Limits\n\n{_limits(manifest)}",
        f"## Make it again\n\n{_again(manifest, recipe, place)}",
    ]
    return head + "\n" + "\n\n".join(filter(None, sections)) + "\n"


def _about(manifest: Mapping[str, Any], recipe: Recipe, place: Publication, model: str, data: str) -> str:
    if is_supervised(manifest):
        how = f"It is {model}, trained to imitate the demonstrations of {data}."
    else:
        beta = f", beta {recipe.objective.beta:g}" if recipe.objective.beta is not None else ""
        added = "".join(f" + {inline(name)}" for name in recipe.objective.add)
        how = (
            f"It is {model}, trained on the comparisons of {data} with preference optimization "
            f"(objective {inline(recipe.objective.name)}{added}{beta})."
        )
    return f"{how} {_FORMS[place.form]}"


def _results(manifest: Mapping[str, Any]) -> str:
    rows = result_rows(manifest)
    if not rows:
        return "Nothing was measured on held-out data."
    said = verdict(manifest)
    cells = [[f"**{row.label}**: {row.hint}", row.before, row.after] for row in rows]
    return f"**{said.headline}** {inline(said.detail, 1200)}\n\n{table(['held-out figure', 'before', 'after'], cells)}"


def _use(manifest: Mapping[str, Any], recipe: Recipe, place: Publication) -> str:
    name = place.repo or "path/or/hub-id/of/this/model"
    base = hub_id(recipe.model.name, place.roots)
    if place.form == "adapter" and base is None:
        what = public_name(recipe.model.name, place.roots)
        if not what.startswith("bundled:"):
            return f"The adapter belongs to the model {inline(what)}, which is not on the Hub, and works with it alone."
        return (
            f"The adapter belongs to {inline(what)}, the model that comes with Tiebreak:\n\n"
            f"{fenced(f'tiebreak chat {name}', 'sh')}"
        )
    loading = Loading(
        adapter=place.form == "adapter",
        tokenizer=None if place.tokenizer else base,
        revision=place.revision,
        trust_remote_code=recipe.model.trust_remote_code,
    )
    return fenced(python_snippet(manifest, name, loading), "python")


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


def _curves(place: Publication) -> str:
    if place.picture is None:
        return ""
    more = "\n\nMore of them, with how to read them, are in `report.html`." if place.files else ""
    return f"## Curves\n\n![Loss, accuracy and margin over the steps of training]({place.picture}){more}"


def _data(manifest: Mapping[str, Any]) -> str:
    parts = [_list(data_facts(manifest)) or "What data was used is not recorded."]
    if out := left_out(manifest):
        parts.append(table(["left out or cut, by reason", "rows"], [[inline(f.name), f.value] for f in out[:40]]))
    return "\n\n".join(parts)


def _training(manifest: Mapping[str, Any], recipe: Recipe) -> str:
    train, adapter = recipe.train, recipe.model.adapter
    settings = [
        Fact("learning rate", f"{train.learning_rate:g}, {train.schedule}, warm-up {train.warmup_ratio:g}"),
        Fact("batch", f"{train.batch_size * train.gradient_accumulation} a step"),
        Fact("epochs", f"{train.epochs:g}" + (f", at most {train.max_steps} steps" if train.max_steps else "")),
        Fact("longest sequence", f"{recipe.data.max_length} tokens" if recipe.data.max_length else "no limit"),
    ]
    if adapter is not None:
        settings.append(Fact("adapter", f"{adapter.kind}, rank {adapter.rank}, alpha {adapter.alpha:g}"))
    if recipe.model.quantize is not None:
        settings.append(Fact("frozen weights held in", recipe.model.quantize))
    return _list([*settings, *(fact for fact in run_facts(manifest) if fact.name in _RUN_FACTS)])


def _limits(manifest: Mapping[str, Any]) -> str:
    limits = [
        "It keeps the weaknesses, the biases and the terms of use of the model that it started from and of the data.",
        "The figures above hold for held-out data of the same kind; elsewhere it was not measured.",
    ]
    if not is_supervised(manifest):
        limits.append(
            "Held-out accuracy says that the model tells the better of two given answers, "
            "not that its own answers are good or true."
        )
    limits.append("Whether it refuses harmful requests was not tested.")
    return "\n".join(f"- {limit}" for limit in limits)


def _again(manifest: Mapping[str, Any], recipe: Recipe, place: Publication) -> str:
    verb = "sft" if is_supervised(manifest) else "train"
    public = public_recipe(recipe, place.roots)
    paths = "" if public == recipe else " Paths of the machine that it ran on stand there by their last part."
    found = "`recipe.yaml` beside this card is" if place.files else "Save this as `recipe.yaml`: it is"
    commit = text(manifest, "model", "commit")
    pinned = f" The base model was at commit `{inline(commit, 64)}`." if commit else ""
    return (
        f"{found} exactly what ran, defaults included. Run `tiebreak {verb} recipe.yaml`.{paths}{pinned}\n\n"
        f"{fenced(public.to_yaml(), 'yaml', limit=20_000)}"
    )


def _list(facts: Iterable[Fact]) -> str:
    return "\n".join(f"- {inline(fact.name)}: {inline(fact.value, 400)}" for fact in facts)
