"""What the settings of objectives may be, and the error messages for those that may not.

An objective annotates its keyword arguments with the types below; its signature is all that is checked against.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from tiebreak.errors import InputError

Beta = Annotated[float, Field(gt=0, description="Strength of the pull towards the reference, per nat.")]
LabelSmoothing = Annotated[float, Field(ge=0, lt=0.5, description="Assumed share of flipped labels.")]
SomeLabelSmoothing = Annotated[float, Field(gt=0, lt=0.5, description="Assumed share of flipped labels, never zero.")]
Divergence = Annotated[
    Literal["reverse_kl", "forward_kl", "js", "alpha"], Field(description="Distance from the reference.")
]
DivergenceAlpha = Annotated[float, Field(gt=0, lt=1, description="Order of the alpha divergence.")]
Gamma = Annotated[float, Field(ge=0, description="Margin that rewards should differ by.")]
Delta = Annotated[float, Field(gt=0, description="Margin that log-probs should differ by, in nats.")]
Tau = Annotated[float, Field(gt=0, le=1, description="Temperature of a blend of losses.")]
PositivePenalty = Annotated[float, Field(ge=0, description="Weight of the chosen ending's loss of likelihood.")]
NllWeight = Annotated[float, Field(ge=0, description="Weight of the supervised term.")]
ExampleWeight = Annotated[float, Field(gt=0, description="Weight of the examples with one label.")]


def defaults_of(loss: Callable[..., Any]) -> dict[str, Any]:
    """The settings of an objective and what they are when nobody sets them.

    Args:
        loss: the function; its keyword-only arguments are its settings.
    Raises:
        TypeError: a setting has no default or no type.
    """
    found: dict[str, Any] = {}
    for parameter in inspect.signature(loss).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        if parameter.default is parameter.empty or parameter.annotation is parameter.empty:
            raise TypeError(f"the setting '{parameter.name}' of '{loss.__name__}' needs a type and a default")
        found[parameter.name] = parameter.default
    return found


def validated(loss: Callable[..., Any], given: Mapping[str, Any], *, where: Mapping[str, str]) -> dict[str, Any]:
    """All settings of an objective: the given ones, checked, and the defaults of the others.

    Args:
        loss: the function of the objective.
        given: settings by name; each is one that the objective takes.
        where: the key of the recipe that each given setting stands at.
    Raises:
        InputError: a value is not allowed.
    """
    model = _model_of(loss)
    try:
        return model(**given).model_dump()
    except ValidationError as error:
        fault = error.errors()[0]
        key = str(fault["loc"][0])
        raise InputError(
            f"The objective '{loss.__name__}' cannot use {key} = {given[key]!r}.",
            where=where[key],
            fix=f"give {_allowed(model.model_fields[key])}",
        ) from None


@cache
def _model_of(loss: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(loss, include_extras=True)
    fields: dict[str, Any] = {key: (hints[key], default) for key, default in defaults_of(loss).items()}
    config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)
    return create_model(f"{loss.__name__}_settings", __config__=config, **fields)


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(field.annotation))
    bounds = [
        f"{phrase} {getattr(bound, kind)}"
        for bound in field.metadata
        for kind, phrase in (("gt", "above"), ("ge", "of at least"), ("lt", "below"), ("le", "of at most"))
        if hasattr(bound, kind)
    ]
    return "a finite number " + " and ".join(bounds)
