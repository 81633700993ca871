"""What all sections of a recipe are: frozen, closed to unknown keys; and the values that may be a word or a number."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema


class Section(BaseModel):
    """A part of a recipe: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, validate_default=True, coerce_numbers_to_str=True
    )

    @classmethod
    def further_keys(cls) -> Mapping[str, str]:
        """Keys that are not fields, with their descriptions; their default is null."""
        return {}

    @classmethod
    def further_schema(cls, key: str) -> Mapping[str, Any]:
        """What one of these may be, as JSON Schema."""
        raise KeyError(key)


def _every(value: object) -> object:
    """Accept `epoch`, a share of the run in (0, 1), or a whole number of steps."""
    if value is None or value == "epoch":
        return value
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError("give 'epoch', a share of the run between 0 and 1, or a number of steps") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("give 'epoch', a share of the run between 0 and 1, or a number of steps")
    if 0 < value < 1:
        return float(value)
    if value >= 1 and float(value).is_integer():
        return int(value)
    raise ValueError("give 'epoch', a share of the run between 0 and 1, or a number of steps")


_AboveZero = Annotated[float, Field(gt=0)]
Every = Annotated[
    Literal["epoch"] | int | float, BeforeValidator(_every, json_schema_input_type=Literal["epoch"] | _AboveZero)
]


def shorthand(key: str, section: type[Section]) -> BeforeValidator:
    """Let a section be written as the value of one of its keys.

    Args:
        key: of the section.
        section: its class.
    """
    field = section.model_fields[key]
    said = [mark for mark in field.metadata if isinstance(mark, WithJsonSchema)]
    short: Any = Annotated[field.annotation, *said] if said else field.annotation
    return BeforeValidator(
        lambda value: {key: value} if isinstance(value, str) else value, json_schema_input_type=short | section
    )


def _auto_or(most: float, said: str) -> Callable[[object], object]:
    """Accept `auto` or a number above 0 and up to `most`, which errors call `said`."""

    def check(value: object) -> object:
        try:
            number = value if value == "auto" or isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = None
        if number == "auto" or (isinstance(number, float) and 0 < number <= most):
            return number
        raise ValueError(f"give auto, or {said}")

    return check


Rate = Annotated[
    Literal["auto"] | float,
    BeforeValidator(
        _auto_or(sys.float_info.max, "a number above 0"), json_schema_input_type=Literal["auto"] | _AboveZero
    ),
]
Share = Annotated[
    Literal["auto"] | float,
    BeforeValidator(
        _auto_or(1, "a number above 0 and up to 1"),
        json_schema_input_type=Literal["auto"] | Annotated[float, Field(gt=0, le=1)],
    ),
]
AutoOrCount = Annotated[
    Literal["auto"] | int, WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1}]})
]
_DECAY = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
Betas = Annotated[tuple[float, float], WithJsonSchema({"type": "array", "items": _DECAY, "minItems": 2, "maxItems": 2})]


def _adapter_kind(value: object) -> object:
    if isinstance(value, str) and value.lower() in ("qlora", "qdora"):
        raise ValueError(
            f"'{value}' is two keys here: model.adapter: {value.lower()[1:]} and model.quantize: nf4 "
            f"(--adapter {value.lower()[1:]} --quantize nf4)"
        )
    return value


AdapterKind = Annotated[Literal["lora", "dora", "rslora"], BeforeValidator(_adapter_kind)]
