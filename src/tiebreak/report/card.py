"""The model card: the README.md that travels with the weights and that the Hub reads.

Says what the model is, what was measured and what was not, and how to make it again. Whatever came from names, data or
answers is quoted, so that it can neither change the front matter nor become markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from tiebreak.recipe import Recipe
from tiebreak.report.facts import Fact, data_facts, left_out, run_facts
from tiebreak.report.hub_ids import hub_id
from tiebreak.report.markdown import fenced, inline, table
from tiebreak.report.samples import Sample, parse_samples
from tiebreak.report.table import result_rows
from tiebreak.report.text import one_line
from tiebreak.report.usage import python_snippet
from tiebreak.report.verdict import verdict
from tiebreak.runs.entries import is_supervised, text, with_kind

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,40}")
_SHOWN_SAMPLES = 3
_RUN_FACTS = ("steps", "best step", "batches", "precision", "time", "versions")  # no machine names in public


def model_card(manifest: Mapping[str, Any], recipe: Recipe, *, samples: Sequence[Any] = ()) -> str:
    """The README.md of `model/`.

    Args:
        manifest: of the run; any part may be missing.
        recipe: what ran.
        samples: the entries of samples.json; a few are shown.
    Returns:
        Markdown with YAML front matter.
    """
    manifest = with_kind(manifest, recipe.objective.name)
    sections = [
        f"# {inline(_title(recipe))}",
        _about(manifest, recipe),
        f"## Results\n\n{_results(manifest)}",
        f"## Use\n\n{fenced(python_snippet(manifest, 'path/or/hub-id/of/this/model'), 'python')}",
        _samples(parse_samples(list(samples))),
        f"## Data\n\n{_data(manifest)}",
        f"## Training\n\n{_training(manifest, recipe)}",
        f"## Limits\n\n{_limits(manifest)}",
        f"## Make it again\n\n{_again(manifest, recipe)}",
    ]
    return _front_matter(manifest, recipe) + "\n" + "\n\n".join(filter(None, sections)) + "\n"


def _front_matter(manifest: Mapping[str, Any], recipe: Recipe) -> str:
    supervised = is_supervised(manifest)
    base, data = hub_id(recipe.model.name), hub_id(recipe.data.source)
    fields: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["tiebreak", "sft"] if supervised else ["tiebreak", "dpo", one_line(recipe.objective.name)],
    }
    if base:
        fields |= {"base_model": base, "base_model_relation": "finetune"}
    if data:
        fields["datasets"] = [data]
    if license_ := text(manifest, "model", "license"):
        # The Hub knows licences by short names; any other is "other", with the name beside it.
        known = _LICENSE.fullmatch(license_.lower())
        fields |= {"license": license_.lower()} if known else {"license": "other", "license_name": one_line(license_)}
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---\n"


def _title(recipe: Recipe) -> str:
    return f"{_last_part(recipe.model.name)} tuned on {_last_part(recipe.data.source)}"


def _about(manifest: Mapping[str, Any], recipe: Recipe) -> str:
    model, data = _public(recipe.model.name), _public(recipe.data.source)
    if is_supervised(manifest):
        how = f"It is {model}, trained to imitate the demonstrations of {data}."
    else:
        how = (
            f"It is {model}, trained on the comparisons of {data} with direct preference optimization "
            f"(objective {inline(recipe.objective.name)}, beta {recipe.objective.beta:g})."
        )
    return f"{how} It was made with Tiebreak, and loads with plain transformers."


def _results(manifest: Mapping[str, Any]) -> str:
    rows = result_rows(manifest)
    if not rows:
        return "Nothing was measured on held-out data."
    said = verdict(manifest)
    cells = [[f"**{row.label}**: {row.hint}", row.before, row.after] for row in rows]
    return f"**{said.headline}** {inline(said.detail, 1200)}\n\n{table(['held-out figure', 'before', 'after'], cells)}"


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


def _data(manifest: Mapping[str, Any]) -> str:
    facts = [Fact(fact.name, _public_text(fact.value)) for fact in data_facts(manifest)]
    parts = [_list(facts) or "What data was used is not recorded."]
    if out := left_out(manifest):
        parts.append(table(["left out or cut, by reason", "rows"], [[inline(f.name), f.value] for f in out[:40]]))
    return "\n\n".join(parts)


def _training(manifest: Mapping[str, Any], recipe: Recipe) -> str:
    train = recipe.train
    settings = [
        Fact("learning rate", f"{train.learning_rate:g}, {train.schedule}, warm-up {train.warmup_ratio:g}"),
        Fact("batch", f"{train.batch_size * train.gradient_accumulation} a step"),
        Fact("epochs", f"{train.epochs:g}" + (f", at most {train.max_steps} steps" if train.max_steps else "")),
        Fact("longest sequence", f"{recipe.data.max_length} tokens" if recipe.data.max_length else "no limit"),
    ]
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


def _again(manifest: Mapping[str, Any], recipe: Recipe) -> str:
    verb = "sft" if is_supervised(manifest) else "train"
    # A path of somebody's machine helps nobody else, and may say more than its owner wants to publish.
    names = {"model.name": recipe.model.name, "data.source": recipe.data.source}
    if recipe.data.eval_source:
        names["data.eval_source"] = recipe.data.eval_source
    recipe = recipe.with_settings({key: _public_text(name) for key, name in names.items()})
    return (
        f"Save this as `recipe.yaml` and run `tiebreak {verb} recipe.yaml`.\n\n"
        f"{fenced(recipe.to_yaml(), 'yaml', limit=20_000)}"
    )


def _list(facts: Iterable[Fact]) -> str:
    return "\n".join(f"- {inline(fact.name)}: {inline(fact.value, 400)}" for fact in facts)


def _public(name: str) -> str:
    """A name as a stranger can use it: a link for a Hub id is left to the front matter; of a path, the last part."""
    return inline(_public_text(name))


def _public_text(name: str) -> str:
    return _last_part(name) if name.startswith(("/", "~", ".")) else name


def _last_part(name: str) -> str:
    return name.rstrip("/").split("/")[-1].split(":")[-1] or name
