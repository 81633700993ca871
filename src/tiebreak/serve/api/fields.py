"""Fields that a request has beside those that are served: which change nothing, and which are refused.

A field that is not known is refused, with the name that it may have been meant to be; so is a known one that asks for
another answer than the one that would be given. Null asks for nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict

ANYTHING: Final = object()
"""Stands for every value of a field that changes nothing."""


class OpenModel(BaseModel):
    """A part of a request; what it has beside its own fields is kept, to be looked at by `refused_fields`.

    Attributes:
        neutral: fields that clients send and that are not served, with the values that change nothing.
    """

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)
    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {}


@dataclass(frozen=True)
class RefusedField:
    """A field that cannot be let through.

    Attributes:
        path: names and positions from the top of the request, such as `messages.0.nmae`.
        known: whether it is a field of OpenAI's API.
        near: a served field of a like name.
    """

    path: str
    known: bool
    near: str | None = None

    @property
    def message(self) -> str:
        """What is wrong, in a sentence."""
        if self.known:
            return f"'{self.path}' is not supported here with this value."
        meant = "" if self.near is None else f" Did you mean '{self.near}'?"
        return f"There is no field '{self.path}' here.{meant}"

    @property
    def code(self) -> str:
        """The word for programs."""
        return "unsupported_parameter" if self.known else "unknown_parameter"


def refused_fields(part: BaseModel, path: str = "") -> Iterator[RefusedField]:
    """The fields of a request, and of all in it, that cannot be let through."""
    served, neutral = type(part).model_fields, part.neutral if isinstance(part, OpenModel) else {}
    for name, value in (part.model_extra or {}).items():
        if value is None:
            continue
        if name not in neutral:
            near = difflib.get_close_matches(name, [*served, *neutral], 1, 0.8)
            # What a client sent is repeated only where it is a plain name.
            shown = name if name.isidentifier() and len(name) <= 60 else "…"
            yield RefusedField(path + shown, False, near[0] if near else None)
        # 0 and False are the same to Python, and mean the same here.
        elif not any(fine is ANYTHING or value == fine for fine in neutral[name]):
            yield RefusedField(path + name, True)
    for name in served:
        yield from _inside(getattr(part, name), f"{path}{name}.")


def _inside(value: Any, path: str) -> Iterator[RefusedField]:
    if isinstance(value, BaseModel):
        yield from refused_fields(value, path)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _inside(each, f"{path}{at}.")
