"""Where the time of one optimizer step goes.

    python benchmarks/profile_step.py --shape gpt2 --precision bf16

Runs a few steps as `train_speed.py --skip-peer` would, and the last of them under torch's profiler.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from tiebreak.process.allocator import tune_process

tune_process()

import torch
from cases import Case
from shapes import SHAPES
from side_tiebreak import recipe_of
from torch.profiler import ProfilerActivity, profile
from train_speed import SHARED, prepared
from transformers import TrainerCallback

from tiebreak.runs import RunFolder
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.resolve import resolve
from tiebreak.workflow.train import make_ready

# The first that a kernel's name contains decides.
KINDS = (
    ("attention", ("attention", "flash", "flex")),
    ("matrix products", ("mm", "linear", "matmul", "gemm")),
    ("optimizer", ("adam", "clip", "norm_", "foreach")),
    ("copies, casts, joins", ("copy", "cat", "index", "gather", "scatter", "zero", "fill", "embedding")),
    ("element by element", ("gelu", "silu", "tanh", "mul", "add", "sub", "pow", "layer_norm", "rms", "softmax", "exp")),
    ("element by element", ("sum", "logsumexp", "div", "neg", "rsqrt", "mean", "sigmoid", "max", "log")),
)


class ProfileOneStep(TrainerCallback):
    """Profiles the step of that number."""

    def __init__(self, step: int, device: str) -> None:
        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device == "cuda" else [])
        self.step, self.profile = step, profile(activities=activities)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step - 1:
            self.profile.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            self.profile.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="gpt2")
    parser.add_argument("--data", type=Path, default=SHARED / "hh-rlhf" / "harmless-base-test.jsonl.gz")
    parser.add_argument("--tokenizer", type=Path, default=SHARED / "gpt2-tokenizer")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--reference", choices=("cached", "live"), default="live")
    parser.add_argument("--adapter", choices=("none", "lora"), default="none")
    parser.add_argument("--step", type=int, default=3, help="the step that is looked at")
    parser.add_argument("--rows", type=int, default=25, help="kernels that are listed")
    asked = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case = Case(
            shape=asked.shape,
            precision=asked.precision,
            adapter=asked.adapter,
            batch_size=asked.batch_size,
            max_length=asked.max_length,
            reference=asked.reference,
            steps=asked.step - 1,  # those that `train_speed.py` counts; one more is made before
        )
        job = replace(prepared(case, asked.data, asked.tokenizer, folder, device), out=str(folder / "run"))
        resolved, watch = resolve(recipe_of(job)), ProfileOneStep(asked.step, device)
        run = make_ready(RunFolder.create(resolved.recipe, Path(job.out)), resolved, Progress(), callbacks=[watch])
        run.trainer.train()
    show(watch.profile, rows=asked.rows, device=device)


def show(found: Any, *, rows: int, device: str) -> None:
    """Print shares of the time by kind, then the kernels that took most."""
    averages = found.key_averages()

    def own(event: Any) -> float:
        return float(event.self_device_time_total if device == "cuda" else event.self_cpu_time_total)

    total = sum(own(event) for event in averages)
    kinds: dict[str, float] = defaultdict(float)
    for event in averages:
        kinds[kind_of(event.key)] += own(event)
    print(f"one step: {total / 1e6:.2f} s on {device}")
    for kind, spent in sorted(kinds.items(), key=lambda item: -item[1]):
        print(f"  {spent / total:6.1%}  {kind}")
    for event in sorted(averages, key=own, reverse=True)[:rows]:
        print(f"  {own(event) / total:6.1%}  {event.count:6}  {event.key[:90]}")


def kind_of(name: str) -> str:
    """The kind of work that a kernel does."""
    name = name.lower()
    for kind, words in KINDS:
        if any(word in name for word in words):
            return kind
    return "the rest"


if __name__ == "__main__":
    main()
