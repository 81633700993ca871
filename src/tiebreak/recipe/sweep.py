"""The section `sweep` of a recipe: what a search varies, how it looks, what it ranks by, and when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from tiebreak.recipe.section import Section
from tiebreak.recipe.space import Dimension, Span, dimension_of, plain_dimension


def _plain_space(value: object) -> object:
    """Every key of what is varied, each with its list or range; an error names the key."""
    if not isinstance(value, Mapping):
        raise ValueError("give a mapping from keys to lists or ranges: {train.learning_rate: [1e-6, 5e-6]}")
    found = {}
    for key, part in value.items():
        try:
            found[str(key)] = plain_dimension(part)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    return found


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_PAIR = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_SPAN = {
    "type": "object",
    "properties": {
        "range": _PAIR,
        "log": _PAIR,
        "step": {"type": "number", "exclusiveMinimum": 0},
        "points": {"type": "integer", "minimum": 2},
    },
    "additionalProperties": False,
}
_SPACE = {"type": "object", "additionalProperties": {"anyOf": [{"type": "array", "minItems": 1}, _SPAN]}}
Over = Annotated[dict[str, Any], BeforeValidator(_plain_space), WithJsonSchema(_SPACE)]
Named = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])]


class SweepSection(Section):
    """A search over recipes: each trial is a run of the recipe with other values of some keys."""

    over: Over = Field(
        default_factory=dict,
        description="What is varied: for each key a list of values, {range: [LOW, HIGH]} or {log: [LOW, HIGH]}; of a "
        "range, points is how many values a grid has, and step what lies between two.",
    )
    search: Literal["auto", "grid", "random", "tpe"] = Field(
        "auto",
        description="All combinations, ones drawn at random, or ones by what was seen so far (TPE); auto is a grid of "
        "lists, and tpe where there is a range.",
    )
    objective: Named = Field(
        ("eval_loss",),
        description="What trials are ranked by: a held-out metric, judge.win_rate, judge.pass_rate or train_seconds; "
        "several give those trials that no other beats in all of them.",
    )
    trials: int | None = Field(
        None, ge=1, description="Trials at most; null is the whole grid, and else 20, or with hours as many as fit."
    )
    hours: float | None = Field(
        None, gt=0, description="Begin no trial after so many hours of a command; null is no limit."
    )
    prune: Literal["median", "asha"] | None = Field(
        None,
        description="End a trial early that is behind at an evaluation: behind the median of the others, or not among "
        "the best quarter (successive halving); null is never.",
    )
    prune_after: int = Field(4, ge=1, description="Trials that the median needs before it ends any.")
    seeds: int = Field(1, ge=1, le=100, description="Runs of each trial, each with a seed of its own, for an interval.")
    keep: Literal["best", "all", "none"] = Field(
        "best", description="Whose weights stay on the disk; metrics and reports of all trials do."
    )
    anyway: bool = Field(
        False, description="Train also a trial of which a finding says beforehand that nothing can come of it."
    )
    storage: str | None = Field(
        None,
        description="Where the search is kept: null is a journal file in its folder; sqlite is a database there; or "
        "the URL of a PostgreSQL database.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of what random and tpe draw.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        grid_lacks = [k for k, d in self.space.items() if isinstance(d, Span) and d.points is None]
        if self.search == "grid" and grid_lacks:
            raise ValueError(
                f"a grid has to know how many values of {grid_lacks[0]} it tries: add points to its range, "
                "or set search to tpe"
            )
        if not self.objective:
            raise ValueError("objective is empty: name a metric, such as eval_loss")
        if len(set(self.objective)) < len(self.objective):
            raise ValueError(f"objective names '{self.objective[0]}' twice")
        if self.prune is not None and len(self.objective) > 1:
            raise ValueError("prune compares trials by one metric; name one in objective, or leave prune out")
        return self

    @property
    def space(self) -> dict[str, Dimension]:
        """What is varied, typed."""
        return {key: dimension_of(plain) for key, plain in self.over.items()}

    @property
    def method(self) -> Literal["grid", "random", "tpe"]:
        """How it looks, with `auto` decided."""
        if self.search != "auto":
            return self.search
        endless = any(isinstance(d, Span) and d.points is None for d in self.space.values())
        return "tpe" if endless else "grid"
