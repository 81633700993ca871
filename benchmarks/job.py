"""What one side of a comparison is asked to do, what it answers, and the clock that both sides share."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

LEARNING_RATE, BETA = 1e-5, 0.1


@dataclass(frozen=True)
class Job:
    """One training run.

    Attributes:
        model: folder of the model.
        data: JSON lines of `prompt`, `chosen` and `rejected`.
        out: folder for whatever the side writes.
        steps, batch_size: optimizer steps, and pairs in each.
        max_length: of a sequence, in tokens.
        precision: `fp32` or `bf16`.
        reference: `live` or `cached`.
        adapter: `none` or `lora`.
        device: `cpu` or `cuda`.
        gradient_checkpointing: recompute activations in the backward pass.
        settings: of the side's own.
    """

    model: str
    data: str
    out: str
    steps: int
    batch_size: int
    max_length: int
    precision: str
    reference: str
    adapter: str
    device: str
    gradient_checkpointing: bool
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_argv(cls) -> Job:
        """The job that the parent process gave."""
        return cls(**json.loads(sys.argv[1]))

    def to_argv(self) -> str:
        """The job for a child process."""
        return json.dumps(asdict(self))


class Clock(TrainerCallback):
    """Notes when each step ended, what it computed, and the losses."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.ended: list[float] = []
        self.losses: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.ended.append(time.perf_counter())

    def on_log(self, args: Any, state: Any, control: Any, **event: Any) -> None:
        if "loss" in event["logs"]:
            self.losses.append(float(event["logs"]["loss"]))


def answer(clock: Clock, *, ids: str, **more: Any) -> None:
    """Print what the parent reads: seconds of each step after the first, losses, peak memory."""
    seconds = [later - earlier for earlier, later in zip(clock.ended, clock.ended[1:], strict=False)]
    result = {"seconds": seconds, "losses": clock.losses, "ids": ids, "peak_bytes": peak_bytes(clock.device), **more}
    print(json.dumps(result))


def peak_bytes(device: str) -> int:
    """Most memory so far: resident in this process, or allocated on the GPU."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
