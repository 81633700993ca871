"""What a key may be, in words: choices and ranges read from its JSON Schema, and the units of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "data.max_length": "tokens",
        "data.max_prompt_length": "tokens",
        "data.max_completion_length": "tokens",
        "data.min_chars": "characters",
        "data.max_chars": "characters",
        "data.limit": "examples",
        "data.eval_limit": "examples",
        "data.eval_fraction": "share of the prompts",
        "objective.delta": "nats",
        "train.batch_size": "examples",
        "train.epochs": "passes over the data",
        "train.max_steps": "steps",
        "train.warmup_ratio": "share of the steps",
        "train.tokens_per_microbatch": "tokens",
        "train.memory_share": "share of the free memory",
        "train.reference_update_every": "steps",
        "train.reference_mix": "share of the weights",
        "train.log_every": "steps",
        "train.eval_every": "steps; below 1 a share of the run",
        "train.save_every": "steps; below 1 a share of the run",
        "train.keep_checkpoints": "checkpoints",
        "train.early_stopping": "evaluations",
        "evaluate.samples": "prompts",
        "evaluate.max_new_tokens": "tokens",
        "evaluate.judge_prompts": "prompts",
    }
)
"""Units of the keys whose numbers have one."""

_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "a mapping",
}
_BOUNDS = (
    ("exclusiveMinimum", "above"),
    ("minimum", "of at least"),
    ("exclusiveMaximum", "below"),
    ("maximum", "of at most"),
)


_ELSEWHERE_SAID = ("title", "description", "default")


def allowed_values(schema: Mapping[str, Any]) -> str:
    """What a JSON Schema without references allows, in words.

    Args:
        schema: of one value.
    """
    if "anyOf" in schema:
        return _listed(list(dict.fromkeys(_parts(schema))))
    if "enum" in schema:
        return _listed(_parts(schema))
    if "const" in schema:
        return _written(schema["const"])
    if "pattern" in schema:
        return str(schema.get("description", "text"))
    kind = schema.get("type")
    if kind == "array":
        inner = allowed_values(schema["items"]) if schema.get("items") else "values"
        count = schema.get("minItems")
        fixed = count is not None and count == schema.get("maxItems")
        return f"a list of {count}, each {inner}" if fixed else f"a list of {inner}"
    bounds = [f"{words} {_written(schema[bound])}" for bound, words in _BOUNDS if bound in schema]
    return " ".join(filter(None, [_KINDS.get(str(kind), "any value"), " and ".join(bounds)]))


def plain_schema(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of one value with its references put in, and without what is said elsewhere of the key.

    Args:
        schema: of a field.
        defs: what it may refer to, by name.
    """
    if "$ref" in schema:
        section = defs[str(schema["$ref"]).rpartition("/")[2]]
        return {"type": "object", "description": section.get("description", "")}
    kept = {key: value for key, value in schema.items() if key not in _ELSEWHERE_SAID or "pattern" in schema}
    for key in ("anyOf", "items"):
        if isinstance(kept.get(key), list):
            kept[key] = [plain_schema(part, defs) for part in kept[key]]
        elif isinstance(kept.get(key), Mapping):
            kept[key] = plain_schema(kept[key], defs)
    return kept


def _parts(schema: Mapping[str, Any]) -> list[str]:
    """The choices that a schema has, one by one."""
    if "anyOf" in schema:
        return [part for each in schema["anyOf"] for part in _parts(each)]
    return [_written(choice) for choice in schema["enum"]] if "enum" in schema else [allowed_values(schema)]


def _written(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else f"{value:,g}" if isinstance(value, float) else str(value)


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"
