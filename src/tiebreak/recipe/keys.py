"""Which keys a recipe has: all of them described, the section that a key stands in, and the nearest to a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import yaml

from tiebreak.recipe.allowed import UNITS, allowed_values, plain_schema
from tiebreak.recipe.elsewhere import at_home, ours_for
from tiebreak.recipe.section import Section


@dataclass(frozen=True)
class Key:
    """A key of a recipe, described.

    Attributes:
        name: dotted.
        default: as JSON has it.
        description: a sentence or more.
        schema: of its values, as JSON Schema.
        unit: of its numbers; None where they have none, or it has no numbers.
    """

    name: str
    default: Any
    description: str
    schema: Mapping[str, Any]
    unit: str | None = None

    @property
    def written_default(self) -> str:
        """The default as YAML."""
        return yaml.safe_dump(self.default, default_flow_style=True).removesuffix("\n").removesuffix("\n...")

    @property
    def allowed(self) -> str:
        """What it may be, in words: choices, or the kind of value with its range and unit."""
        return allowed_values(self.schema) + (f"; unit: {self.unit}" if self.unit else "")

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "key": self.name,
            "default": self.default,
            "allowed": self.allowed,
            "unit": self.unit,
            "schema": dict(self.schema),
            "description": self.description,
        }


def described_keys(kind: type[Section], prefix: str = "") -> list[Key]:
    """Every key of a recipe or of a section, dotted, in its order."""
    schema = kind.model_json_schema(by_alias=True)
    return list(_described(kind, schema, schema.get("$defs", {}), prefix))


def _described(kind: type[Section], schema: Mapping[str, Any], defs: Mapping[str, Any], prefix: str) -> Iterator[Key]:
    defaults = kind().model_dump(by_alias=True, mode="json")
    for name, field in kind.model_fields.items():
        key = field.alias or name
        dotted, inner = f"{prefix}{key}", _section_in(field.annotation)
        if inner is None or not isinstance(defaults[key], dict):
            values = plain_schema(schema["properties"][key], defs)
            yield Key(dotted, defaults[key], field.description or "", values, UNITS.get(dotted))
        if inner is not None:
            yield from _described(inner, defs[inner.__name__], defs, f"{dotted}.")
    for key, description in kind.further_keys().items():
        dotted = f"{prefix}{key}"
        yield Key(dotted, None, description, kind.further_schema(key), UNITS.get(dotted))


def keys_of(kind: type[Section]) -> list[str]:
    """The keys of a section, as they are written."""
    return [*(field.alias or name for name, field in kind.model_fields.items()), *kind.further_keys()]


def section_at(kind: type[Section], path: Sequence[str]) -> type[Section] | None:
    """The section that a path leads to, from the recipe as a whole; None where there is a value or a free mapping."""
    found: type[Section] | None = kind
    for part in path:
        if found is None:
            return None
        fields = {field.alias or name: field for name, field in found.model_fields.items()}
        found = _section_in(fields[part].annotation) if part in fields else None
    return found


def unknown_key(dotted: str, key: str, section: type[Section], whole: type[Section]) -> str:
    """What is said of a key that does not exist: what others' key of that name is here, or the nearest one.

    Args:
        dotted: as it was written, with its section.
        key: the part of it that is not known.
        section: where it was looked for.
        whole: the recipe.
    """
    known = keys_of(section)
    near = difflib.get_close_matches(key, known, n=1)
    meant = at_home(dotted, [each.name for each in described_keys(whole)]) or ours_for(dotted)
    if meant is not None:
        hint = f"; {meant}"
    else:
        hint = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}"
    return f"There is no key '{dotted}' in a recipe{hint}"


def _section_in(annotation: Any) -> type[Section] | None:
    """The section among the types that a field may have."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)
