"""The comparisons that are published: a shape, a kind of pairs, and how they are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        shape: of the model, a name of `shapes.SHAPES`.
        data: a kind of pairs, a name of `pairs.KINDS`.
        precision: `fp32` or `bf16`.
        adapter: `none` or `lora`.
        batch_size: pairs a step.
        max_length: of a sequence, in tokens.
        reference: `cached` or `live`. A cached one is scored before the first step by either side and not counted.
        steps: how many are timed; one more is made before.
    """

    shape: str = "gpt2"
    data: str = "hh"
    precision: str = "fp32"
    adapter: str = "none"
    batch_size: int = 8
    max_length: int = 512
    reference: str = "cached"
    steps: int = 8

    @property
    def name(self) -> str:
        """As a file name."""
        parts = [self.shape, self.data, self.precision, self.adapter if self.adapter != "none" else "full"]
        return "-".join([*parts, f"{self.batch_size}-a-step", *(["live"] if self.reference == "live" else [])])

    @property
    def title(self) -> str:
        """As people read it."""
        adapter = "LoRA" if self.adapter == "lora" else "all weights"
        live = ", live reference" if self.reference == "live" else ""
        return f"{self.shape}, {self.data}, {self.precision}, {adapter}, {self.batch_size} a step{live}"


# One at a time away from the first, which is what most people run, and then all of them together.
_HEADLINE = (
    Case(),
    Case(precision="bf16"),
    Case(batch_size=1, steps=16),
    Case(adapter="lora", precision="bf16"),
    Case(reference="live"),
    Case(data="long", max_length=1024),
    Case(data="short"),
    Case(shape="smollm2-135m"),
    Case(shape="qwen2-0.5b", precision="bf16"),
)
_ALL = (
    *_HEADLINE,
    *(
        Case(shape, data, precision, adapter, batch_size, 1024 if data == "long" else 512, steps=8)
        for shape, data, precision, adapter, batch_size in product(
            ("gpt2", "smollm2-135m", "qwen2-0.5b"), ("hh", "long", "short"), ("fp32", "bf16"), ("none", "lora"), (8, 1)
        )
    ),
)
CASES: Mapping[str, Case] = MappingProxyType({case.name: case for case in reversed(_ALL)})
HEADLINE = tuple(case.name for case in _HEADLINE)
