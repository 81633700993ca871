"""Values that may be a word or a number, and sections that may be written as one value."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tiebreak.errors import InputError
from tiebreak.recipe import parse_recipe
from tiebreak.recipe.section import AdapterKind, Every, Rate, Share


@pytest.mark.parametrize(("written", "read"), [("epoch", "epoch"), (0.5, 0.5), (3, 3), (3.0, 3), ("2", 2)])
def test_every(written: object, read: object) -> None:
    assert TypeAdapter(Every).validate_python(written) == read


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Every, 1.5),
        (Every, 0),
        (Every, True),
        (Rate, 0),
        (Rate, "fast"),
        (Share, 1.1),
        (Share, 0),
        (AdapterKind, "ia3"),
    ],
)
def test_what_is_out_of_range_is_refused(kind: Any, value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize("written", ["qlora", "QLoRA", {"kind": "qlora"}])
def test_qlora_is_two_keys(written: object) -> None:
    with pytest.raises(InputError) as caught:
        parse_recipe({"model": {"adapter": written}}, where="mine.yaml")
    assert "model.adapter: lora and model.quantize: nf4" in str(caught.value)
