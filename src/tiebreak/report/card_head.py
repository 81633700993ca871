"""The head of a model card: the YAML that the Hub reads to say what the model came from and what was measured.

Knows the Hub's fields; writes no text for people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tiebreak.recipe import Recipe
from tiebreak.report.hub_ids import hub_id, last_part, public_name
from tiebreak.report.licenses import license_fields
from tiebreak.report.publication import Publication
from tiebreak.report.text import one_line
from tiebreak.runs.entries import is_supervised, number, text, with_kind

_BUNDLED = "bundled:base"
_BUNDLED_LICENSE = "mit"  # that of Tiebreak, which makes it from a seed
# Where a figure stands in a manifest, the Hub's type for it, and its name.
_PAIRS = (
    (("after", "eval_rewards/accuracies"), "accuracy", "Held-out accuracy"),
    (("after", "eval_loss"), "loss", "Held-out loss"),
    (("after", "eval_rewards/margins"), "margin", "Held-out margin"),
    (("after", "eval_logps/accuracies"), "accuracy", "Chosen answer is the likelier one"),
)
_DEMONSTRATIONS = ((("after", "eval_loss"), "loss", "Held-out loss, nats a token"),)
_JUDGED = (
    (("judge", "after", "pass_rate"), "pass_rate", "Judge's pass rate"),
    (("judge", "win_rate", "value"), "win_rate", "Win rate against the model before"),
)


def card_head(manifest: Mapping[str, Any], recipe: Recipe, place: Publication) -> str:
    """The front matter, with the lines that begin and end it.

    Args:
        manifest: of the run; any part may be missing.
        recipe: what ran.
        place: where and in which form it is published.
    """
    manifest = with_kind(manifest, recipe.objective.name)
    base, data = hub_id(recipe.model.name, place.roots), hub_id(recipe.data.source, place.roots)
    fields: dict[str, Any] = {
        "library_name": "peft" if place.form == "adapter" else "transformers",
        "pipeline_tag": "text-generation",
        "tags": _tags(manifest, recipe),
    }
    if base:
        relation = "adapter" if place.form == "adapter" else "finetune"
        fields |= {"base_model": base, "base_model_relation": relation}
    if data:
        fields["datasets"] = [data]
    known = _BUNDLED_LICENSE if recipe.model.name == _BUNDLED else place.license
    if license_ := text(manifest, "model", "license") or known:
        fields |= license_fields(one_line(license_))
    if results := _results(manifest, recipe, place.roots):
        name = place.repo or f"{last_part(recipe.model.name)}-{last_part(recipe.data.source)}"
        fields["model-index"] = [{"name": one_line(name), "results": results}]
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---\n"


def _tags(manifest: Mapping[str, Any], recipe: Recipe) -> list[str]:
    if is_supervised(manifest):
        return ["tiebreak", "sft"]
    family = [] if text(manifest, "kind") == "labelled" else ["dpo"]
    names = [one_line(recipe.objective.name), *map(one_line, recipe.objective.add)]
    return list(dict.fromkeys(["tiebreak", "preference", *family, *names]))


def _results(manifest: Mapping[str, Any], recipe: Recipe, roots: Sequence[Path]) -> list[dict[str, Any]]:
    """The held-out figures in the form of the Hub's model index; empty where nothing was measured."""
    figures = [*(_DEMONSTRATIONS if is_supervised(manifest) else _PAIRS), *_JUDGED]
    metrics = [
        {"type": kind, "value": round(value, 6), "name": name}
        for place, kind, name in figures
        if (value := number(manifest, *place)) is not None and math.isfinite(value)
    ]
    if not metrics:
        return []
    source = one_line(public_name(recipe.data.source, roots))
    data: dict[str, Any] = {"name": source, "type": hub_id(recipe.data.source, roots) or "preferences"}
    data["split"] = recipe.data.eval_split or "held-out"
    task = {"type": "text-generation", "name": "Text generation"}
    return [{"task": task, "dataset": data, "metrics": metrics}]
