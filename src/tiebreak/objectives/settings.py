"""The settings of objectives: declared once, as annotated keyword-only arguments of the loss, and read from there.

What a recipe may say, `tiebreak recipes keys`, and every error about a value are made from these declarations. Only the
settings' own annotations are resolved, so that a loss may name torch's types without importing torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from tiebreak.errors import InputError

Beta = Annotated[float, Field(gt=0, description="Strength of the pull towards the reference, per nat.")]
LabelSmoothing = Annotated[float, Field(ge=0, lt=0.5, description="Assumed share of flipped labels.")]
SomeLabelSmoothing = Annotated[float, Field(gt=0, lt=0.5, description="Assumed share of flipped labels, never zero.")]
Divergence = Annotated[
    Literal["reverse_kl", "forward_kl", "js", "alpha"],
    Field(description="Distance from the reference: reverse_kl, forward_kl, js or alpha."),
]
DivergenceAlpha = Annotated[float, Field(gt=0, lt=1, description="Order of the alpha divergence.")]
Gamma = Annotated[float, Field(ge=0, description="Margin that rewards should differ by.")]
Delta = Annotated[float, Field(gt=0, description="Margin that log-probs should differ by, in nats.")]
Tau = Annotated[float, Field(gt=0, le=1, description="Temperature of a blend of losses.")]
PositivePenalty = Annotated[float, Field(ge=0, description="Weight of the chosen completion's loss of likelihood.")]
NllWeight = Annotated[float, Field(ge=0, description="Weight of the supervised term.")]
DesirableWeight = Annotated[float, Field(gt=0, description="Weight of good completions.")]
UndesirableWeight = Annotated[float, Field(gt=0, description="Weight of bad completions.")]

# Keys of a recipe's objective section that belong to no single objective.
RESERVED = frozenset({"name", "weight", "add", "weighting", "length_alpha"})

_BOUNDS = (("gt", "above"), ("ge", "of at least"), ("lt", "below"), ("le", "of at most"))
_KINDS: Mapping[Any, str] = {float: "a finite number", int: "a whole number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class Setting:
    """One setting of one objective.

    Attributes:
        name: the keyword-only argument's, and the recipe's key.
        default: where nobody sets it.
        annotation: its type, with bounds and a description.
    """

    name: str
    default: Any
    annotation: Any

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.annotation, config=ConfigDict(allow_inf_nan=False))

    @cached_property
    def _field(self) -> FieldInfo:
        return FieldInfo.from_annotation(self.annotation)

    @property
    def description(self) -> str:
        """One sentence; empty where there is none."""
        return self._field.description or ""

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        kind = self._field.annotation
        if get_origin(kind) is Literal:
            return "one of " + ", ".join(str(choice) for choice in get_args(kind))
        bounds = [
            f"{phrase} {getattr(bound, key)}"
            for bound in self._field.metadata
            for key, phrase in _BOUNDS
            if hasattr(bound, key)
        ]
        return " ".join([_KINDS.get(kind, f"a value of type {kind}"), *([" and ".join(bounds)] if bounds else [])])

    def schema(self) -> dict[str, Any]:
        """What it may be, as JSON Schema."""
        return self._adapter.json_schema()

    def check(self, value: Any) -> Any:
        """The value in the setting's type.

        Raises:
            ValidationError: it is not allowed.
            TypeError: the annotation says nothing that a value could be checked by.
        """
        try:
            return self._adapter.validate_python(value)
        except PydanticUserError:
            raise TypeError(f"values of the setting '{self.name}' cannot be checked by its type") from None


@cache
def settings_of(loss: Callable[..., Any]) -> Mapping[str, Setting]:
    """The settings of an objective, by name.

    Args:
        loss: the function; its keyword-only arguments are its settings.
    Raises:
        TypeError: a setting has no default, no type, a type that is not to be found, or the name of another key of
            the objective section.
    """
    wanted = {p.name: p for p in inspect.signature(loss).parameters.values() if p.kind is p.KEYWORD_ONLY}
    for parameter in wanted.values():
        if parameter.default is parameter.empty or parameter.annotation is parameter.empty:
            raise TypeError(f"the setting '{parameter.name}' of '{loss.__name__}' needs a type and a default")
        if parameter.name in RESERVED:
            raise TypeError(f"'{loss.__name__}' cannot have a setting '{parameter.name}': recipes use that key")
    # The other annotations may name what is imported for type checkers only.
    holder = type("Settings", (), {"__annotations__": {name: p.annotation for name, p in wanted.items()}})
    scope = getattr(inspect.unwrap(loss), "__globals__", {})
    try:
        types = get_type_hints(holder, globalns=scope, include_extras=True)
    except NameError as error:
        raise TypeError(f"the type of a setting of '{loss.__name__}' is not to be found: {error}") from None
    return MappingProxyType({name: Setting(name, p.default, types[name]) for name, p in wanted.items()})


def filled(
    objective: str, settings: Mapping[str, Setting], given: Mapping[str, Any], *, where: Mapping[str, str]
) -> dict[str, Any]:
    """All settings of an objective: the given ones, checked, and the defaults of the others.

    Args:
        objective: its name.
        settings: those that it takes.
        given: values by name; each is one that the objective takes.
        where: the key of the recipe that each given setting stands at.
    Raises:
        InputError: a value is not allowed.
    """
    values = {}
    for key, setting in settings.items():
        try:
            values[key] = setting.check(given[key]) if key in given else setting.default
        except ValidationError:
            raise InputError(
                f"The objective '{objective}' cannot use {key} = {given[key]!r}.",
                where=where[key],
                fix=f"give {setting.allowed}",
            ) from None
    return values
