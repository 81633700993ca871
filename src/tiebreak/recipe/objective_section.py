"""The objective section of a recipe: the loss with its settings, which are read from the objectives themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, WithJsonSchema, model_validator
from pydantic_core import InitErrorDetails

from tiebreak.objectives.outside import is_outside
from tiebreak.objectives.registry import known_settings, plain_name, setting_for, written_names
from tiebreak.objectives.settings import Setting
from tiebreak.recipe.section import Section

_OUTSIDE = {"type": "string", "pattern": r"^[\w.]+:\w+$", "description": "MODULE:FUNCTION"}
_Name = Annotated[str, WithJsonSchema({"anyOf": [{"enum": written_names()}, _OUTSIDE]})]


class ObjectiveSection(Section):
    """The loss: its name in the registry, its settings, and what is added to it.

    A setting is any further key; objectives declare which they take. What is null is not set.
    """

    model_config = ConfigDict(extra="allow")

    name: _Name = Field(
        "sigmoid", description="A name from `tiebreak recipes objectives`, or MODULE:FUNCTION, a loss of your own."
    )
    weight: float = Field(1.0, gt=0, description="Factor of this objective, where others are added.")
    add: dict[str, float | dict[str, Any]] = Field(
        default_factory=dict,
        description="More objectives and their weights, {nll: 0.2}, or with settings, {ipo: {weight: 0.5, beta: 1}}.",
    )
    weighting: Literal["none", "wpo"] = Field(
        "none", description="Weight of a pair: all alike, or by how likely the policy itself finds it (WPO)."
    )
    length_alpha: float = Field(
        1.0, ge=0, le=1, description="Weight of the tokens by which a completion is longer than the other (LD-DPO)."
    )

    @model_validator(mode="before")
    @classmethod
    def _settings_known(cls, document: Any) -> Any:
        """Check settings against the objectives that take them; those of one from outside when the run begins."""
        if not isinstance(document, Mapping):
            return document
        document = {**document, "name": plain_name(document.get("name", "sigmoid"))}
        if isinstance(document.get("add"), Mapping):
            document["add"] = {plain_name(name): value for name, value in document["add"].items()}
        fixed = {key: value for key, value in document.items() if key in cls.model_fields}
        settings = {key: value for key, value in document.items() if key not in fixed and value is not None}
        added = fixed.get("add")
        named = [fixed.get("name", "sigmoid"), *(added if isinstance(added, Mapping) else ())]
        names = [name for name in named if isinstance(name, str)]
        if any(map(is_outside, names)):
            return {**fixed, **settings}
        problems: list[InitErrorDetails] = []
        for key, value in settings.items():
            setting = setting_for(key, names)
            if setting is None:
                problems.append(InitErrorDetails(type="extra_forbidden", loc=(key,), input=value))
                continue
            try:
                settings[key] = setting.check(value)
            except ValidationError as error:
                fault = error.errors()[0]
                problems.append(InitErrorDetails(type=fault["type"], loc=(key,), input=value, ctx=fault.get("ctx", {})))
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return {**fixed, **settings}

    @property
    def settings(self) -> Mapping[str, Any]:
        """Values by setting, of all that are set; what is not set is the objective's own default."""
        return MappingProxyType(self.model_extra or {})

    @classmethod
    def further_keys(cls) -> Mapping[str, str]:
        """The settings of Tiebreak's own objectives, with what each objective takes where nothing is set."""
        return {key: _described_setting(takers) for key, takers in known_settings().items()}

    @classmethod
    def further_schema(cls, key: str) -> Mapping[str, Any]:
        """What a setting may be, by whichever objectives take it."""
        return {"anyOf": [*_schemas(known_settings()[key].values()), {"type": "null"}]}


def _schemas(takers: Iterable[Setting]) -> list[dict[str, Any]]:
    """What objectives take, each form once."""
    found: list[dict[str, Any]] = []
    for setting in takers:
        schema = {key: value for key, value in setting.schema().items() if key != "description"}
        if schema not in found:
            found.append(schema)
    return found


def _described_setting(takers: Mapping[str, Setting]) -> str:
    """A setting's sentence, and its default by objective; the commonest default first."""
    by_default: dict[Any, list[str]] = {}
    for name, setting in takers.items():
        by_default.setdefault(setting.default, []).append(name)
    groups = sorted(by_default.items(), key=lambda group: -len(group[1]))
    said = [f"{default} ({', '.join(names)})" for default, names in groups]
    return f"{next(iter(takers.values())).description} Null is the objective's own: {'; '.join(said)}."
