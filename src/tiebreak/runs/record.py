"""What is recorded as JSON: frozen, typed, with the version of its form; older forms are read, damaged ones are named.

Knows nothing of what is recorded; `manifest` and `loop` say that. Reading writes nothing back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tiebreak.errors import InputError
from tiebreak.files import without_nan, write_json

Upgrade = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From the plain values of a form to those of the next one."""


class Record(BaseModel):
    """A part of what is recorded: frozen; keys that it does not know are dropped on reading."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, protected_namespaces=())

    def replace(self, **fields: Any) -> Self:
        """A copy with some fields changed, checked as any other.

        Raises:
            ValueError: there is no such field, or a value is not of its type.
        """
        unknown = fields.keys() - type(self).model_fields.keys()
        if unknown:
            raise ValueError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return type(self).model_validate({**dict(self), **fields})

    def to_json(self) -> dict[str, Any]:
        """As plain values, where what is not finite is null."""
        plain: dict[str, Any] = without_nan(self.model_dump(mode="json", by_alias=True))
        return plain


Kind = TypeVar("Kind", bound=Record)


def read_json(path: Path, *, what: str) -> object:
    """The plain values in a file.

    Args:
        path: of the file.
        what: the file's name in errors, such as `manifest`.
    Raises:
        FileNotFoundError: there is no file.
        InputError: it holds no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"The {what} is damaged: {error}.", where=str(path)) from None


def parse_record(
    kind: type[Kind], recorded: object, *, what: str, where: str, version: int = 1, upgrades: tuple[Upgrade, ...] = ()
) -> Kind:
    """A record from plain values of any version.

    Args:
        kind: the record.
        recorded: as JSON gives it; values without a `version` have the first form.
        what, where: name and path in errors.
        version: of the newest form.
        upgrades: from the first form to the second, from that to the third, and so on.
    Raises:
        InputError: it is damaged, or a later version of Tiebreak wrote it.
    """
    if not isinstance(recorded, dict):
        raise InputError(f"The {what} is damaged: it is no JSON object.", where=where)
    found = recorded.get("version", 1)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise InputError(f"The {what} is damaged: {json.dumps(found)} is no version.", where=where)
    if found > version:
        raise InputError(
            f"The {what} has form {found}, and this Tiebreak knows forms up to {version}.",
            where=where,
            fix="use the version of Tiebreak that wrote it, or a later one",
        )
    values: Mapping[str, Any] = recorded
    for upgrade in upgrades[found - 1 :]:
        values = upgrade(values)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        said = f"{key}: {fault['msg']}" if key else str(fault["msg"])
        raise InputError(f"The {what} is damaged: {said}.", where=where) from None


def write_record(path: Path, record: Record) -> None:
    """Replace a file at once."""
    write_json(path, record.to_json())
