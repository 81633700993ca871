"""Within a step no value is read and nothing is counted: a GPU would be waited for, and then wait for the host."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import TrainerCallback

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, tokenized_pairs
from tests.training.test_tree_steps import _kto
from tiebreak.engine.lm_head import plain_head
from tiebreak.engine.microbatch import BatchPath
from tiebreak.engine.score import Scorer
from tiebreak.objectives import configured

# What gives a number to the host, and what has a shape that only the values say.
_READS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal", "bincount")


class Refusing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operation that would wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[str] = []
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func.overloadpacket).removeprefix("aten.").strip("_")
        self.operations += 1
        if any(name == read.strip("_") or name.startswith("unique") for read in _READS) and not _of_the_mask():
            self.seen.append(str(func))
        if name in ("index", "index_put") and any(
            isinstance(each, Tensor) and each.dtype in (torch.bool, torch.uint8) for each in tree_leaves(args[1])
        ):
            self.seen.append(f"{func} by a mask")
        return func(*args, **(kwargs or {}))


def _of_the_mask() -> bool:
    """Whether `transformers` asks whether anything is padded, once a padded batch; trees have no such mask."""
    frame: Any = sys._getframe()
    while frame is not None and not frame.f_code.co_filename.endswith("transformers/masking_utils.py"):
        frame = frame.f_back
    return frame is not None


class Watch(TrainerCallback):
    """Refuses from the beginning of each step to its end: forward, backward, clipping and optimizer."""

    def __init__(self) -> None:
        self.mode, self.steps = Refusing(), 0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.mode.__enter__()  # type: ignore[no-untyped-call]

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        self.steps += 1


def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tree_steps", "slopes"):
        monkeypatch.setattr(f"tiebreak.training.{module}.reading_waits", lambda device: True)


@pytest.mark.parametrize(
    ("name", "path", "kept_bytes", "objective"),
    [
        ("llama", "tree", None, "sigmoid"),
        ("llama", "padded", 4 * 61 * 3, "sigmoid"),  # the head in parts
        ("gemma2_capped", "tree", None, "bco_pair"),  # logits as a whole, and a loss of the whole step
    ],
)
def test_no_step_waits(
    name: str,
    path: BatchPath,
    kept_bytes: int | None,
    objective: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _as_on_a_gpu(monkeypatch)
    if kept_bytes is not None:
        monkeypatch.setattr("tiebreak.engine.lm_head.KEPT_BYTES", {"cpu": kept_bytes})
    trainer = preference_trainer(
        ARCHITECTURES[name](),
        tokenized_pairs(12),
        tmp_path,
        scorer=Scorer(path, budget=60),
        objective=configured(objective, {}),
        batch_size=6,
        max_steps=2,
        log_every=1,
    )
    watch = Watch()
    trainer.add_callback(watch)
    trainer.train()
    assert watch.steps == 2
    assert watch.mode.operations > 100
    assert not watch.mode.seen, watch.mode.seen[:3]


@pytest.mark.parametrize("budget", [10_000, 60])
def test_no_step_over_unpaired_completions_waits(budget: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _as_on_a_gpu(monkeypatch)
    trainer = _kto(tmp_path, budget)
    examples: Any = trainer.train_dataset
    model: Any = trainer.model
    step = [replace(examples[i], reference=(-20.0 - i, -30.0 + i)) for i in range(6)]
    plain_head(model)  # which looks, once a model
    with Refusing() as mode:
        trainer.training_step(model, {"examples": step})
    assert mode.operations > 100
    assert not mode.seen


def test_the_watch_sees_what_waits() -> None:
    values = torch.arange(4.0)
    with Refusing() as mode:
        values[1].item()
        values[values > 1].sum()
        values[values > 1] = 0
        torch.unique(values)
        bool((values > 0).any())
    assert len(mode.seen) >= 5
