"""What a run will be, before it is begun: what is used of its data, its steps, and estimates of memory and time.

Reads and tokenizes the data as the run would (what was read is kept for it), and the model's configuration; loads no
weights. Numbers of rows, tokens and steps are exact; memory and time are estimates, worked out in `models.size`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tiebreak.doctor.finding import Finding
from tiebreak.formatting.numbers import duration, memory
from tiebreak.models.load import load_config
from tiebreak.models.precision import choose_device, choose_precision
from tiebreak.models.size import Shape, TrainingSize, forward_flops, shape_of, training_flops
from tiebreak.process.memory import free_bytes
from tiebreak.recipe import Recipe
from tiebreak.training.arguments import pairs_a_step
from tiebreak.training.examples import Groups
from tiebreak.workflow.data import check_tokens, load_data
from tiebreak.workflow.early import Early, check_early, disk_needed, size_of
from tiebreak.workflow.findings import starting_findings
from tiebreak.workflow.plan import rows_needed
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.resolve import ResolvedRecipe

_SIDE = 1024  # of the square matrices whose product says how fast this machine is
_SECONDS = 0.3
_REACHED = 0.4
"""Share of the speed of one large product that a step is taken to reach: an assumption, not a measurement."""


@dataclass(frozen=True)
class Lengths:
    """How long the examples of a run are, in tokens.

    Attributes:
        mean, median, longest: of an example: its prompt once, and its completions.
    """

    mean: float
    median: float
    longest: int


@dataclass(frozen=True)
class Check:
    """What a run will be.

    Attributes:
        task, objective, model, data: what is trained on what, by name.
        parameters, trained: of the model, and of these those that are trained; None where they are not known.
        examples, held_out: rows that are trained on and held out.
        dropped, trimmed: rows that are not used or were cut, by reason.
        lengths: of the examples.
        steps, examples_a_step, seen: optimizer steps, examples in one, and examples that they see, repeated ones too.
        device, arithmetic: where it would run, and in what numbers.
        size: memory by part, in bytes; an estimate.
        free: bytes of memory that are free on the device.
        disk_needed, disk_free: bytes of the run folder, an estimate, and what is free there.
        seconds: of all steps, an estimate.
        speed: FLOPs a second that were measured here for it.
        findings: what is wrong with settings and data, the most severe first.
    """

    task: str
    objective: str
    model: str
    data: str
    parameters: int | None
    trained: int | None
    examples: int
    held_out: int
    dropped: Mapping[str, int]
    trimmed: Mapping[str, int]
    lengths: Lengths
    steps: int
    examples_a_step: int
    seen: int
    device: str
    arithmetic: str
    size: TrainingSize | None
    free: int
    disk_needed: int | None
    disk_free: int | None
    seconds: float | None
    speed: float
    findings: tuple[Finding, ...] = ()

    @property
    def largest(self) -> int | None:
        """Bytes that a step with the longest example alone takes: less than this and it cannot run. An estimate."""
        return None if self.size is None else self.size.fixed + self.size.a_token * self.lengths.longest

    def to_json(self) -> dict[str, Any]:
        """As plain values; what is estimated is listed as such."""
        estimates = ["size", "largest", "disk_needed", "seconds"]
        found = [finding.to_json() for finding in self.findings]
        return {**asdict(self), "largest": self.largest, "estimates": estimates, "findings": found}

    def rows(self) -> list[tuple[str, str]]:
        """Label and value of each, in plain words."""
        found = [
            ("objective", f"{self.objective} ({self.task})"),
            ("model", f"{self.model}{self._parameters()}"),
            ("data", f"{self.data}: {self.examples:,} to train on, {self.held_out:,} held out"),
            *((f"dropped: {reason}", f"{count:,}") for reason, count in sorted(self.dropped.items())),
            *((f"trimmed: {reason}", f"{count:,}") for reason, count in sorted(self.trimmed.items())),
            ("tokens an example", f"{self.lengths.mean:,.0f} on average, {self.lengths.longest:,} at most"),
            ("steps", f"{self.steps:,} of {self.examples_a_step} examples; {self.seen:,} are seen"),
            ("runs on", f"{self.device}, {self.arithmetic}"),
        ]
        found += [(f"{each.severity}: {each.name}", each.title) for each in self.findings]
        if self.size is None or self.largest is None:
            return [*found, ("memory, time", "unknown: the model is of a kind that is not worked out here")]
        size = self.size
        parts = (
            f"weights {memory(size.weights)}, gradients {memory(size.gradients)}, optimizer {memory(size.optimizer)}"
        )
        found += [
            ("memory, estimated", f"{memory(size.fixed)} ({parts}), and {memory(size.a_token)} a token"),
            ("", f"{memory(self.largest)} at least, for the longest example; {memory(self.free)} are free"),
            ("time, estimated", f"{duration(self.seconds)} of steps (evaluations and samples come to it)"),
        ]
        if self.disk_needed is not None and self.disk_free is not None:
            found.append(("disk, estimated", f"{memory(self.disk_needed)}; {memory(self.disk_free)} are free"))
        if self.largest > self.free:
            found.append(("warning", "the longest example may not fit into the memory: see docs/recipes.md"))
        return found

    def _parameters(self) -> str:
        if self.parameters is None:
            return ""
        if self.trained == self.parameters or self.trained is None:
            return f", {self.parameters:,} parameters"
        return f", {self.parameters:,} parameters and {self.trained:,} of an adapter that is trained"


def check_run(recipe: Recipe, out: Path | None = None, *, new: bool = True, progress: Progress | None = None) -> Check:
    """Find what is wrong with a run, and what it will take.

    Args:
        recipe: as written.
        out: the run folder; None is one that is made under `runs/`.
        new: whether the folder has to be new.
        progress: where progress is shown; None is nowhere.
    Raises:
        InputError: something in the recipe or the data is wrong.
    """
    early = check_early(recipe, out, new=new)
    recipe = early.resolved.recipe
    data = load_data(recipe, early.resolved.task, progress or Progress())
    needed, length = rows_needed(data, recipe.train)
    shape, parameters = _of_model(early, recipe)
    if shape is not None and not recipe.model.resize_embeddings:
        check_tokens(data, shape.vocabulary, recipe.model.name)
    device = choose_device()
    arithmetic = choose_precision(recipe.train.precision, device, parameters or (shape.parameters if shape else 0)).name
    size = None if shape is None else size_of(recipe, shape, parameters, arithmetic=arithmetic)
    disk = None if size is None else disk_needed(recipe, size, out or Path("runs"))
    lengths = _lengths(needed.train)
    seen = length.steps * pairs_a_step(recipe.train)
    speed = _speed(device, arithmetic)
    scored = len(needed.train)
    seconds = None if shape is None else _seconds(early.resolved, shape, seen, scored, lengths.mean, speed)
    return Check(
        task=early.resolved.task.name,
        objective=recipe.objective.name,
        model=recipe.model.name,
        data=recipe.data.source,
        parameters=parameters if parameters is not None else None if shape is None else shape.parameters,
        trained=None if size is None else size.optimizer // (2 * (4 if recipe.model.adapter else _width(recipe))),
        examples=len(data.train),
        held_out=0 if data.held_out is None else len(data.held_out),
        dropped=dict(data.record.dropped),
        trimmed=dict(data.record.trimmed),
        lengths=lengths,
        steps=length.steps,
        examples_a_step=pairs_a_step(recipe.train),
        seen=seen,
        device=str(device),
        arithmetic=arithmetic,
        size=size,
        free=free_bytes(device),
        disk_needed=None if disk is None else disk[0],
        disk_free=None if disk is None else disk[1],
        seconds=seconds,
        speed=speed,
        findings=starting_findings(recipe, data.record, parameters),
    )


def _of_model(early: Early, recipe: Recipe) -> tuple[Shape | None, int | None]:
    """Shape and parameters, by the configuration with all its defaults."""
    section = recipe.model
    config = load_config(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)
    return shape_of(config.to_dict()), early.parameters


def _width(recipe: Recipe) -> int:
    return 2 if recipe.model.dtype == "bfloat16" else 4


def _lengths(groups: Groups) -> Lengths:
    lengths = groups.lengths()
    return Lengths(float(np.mean(lengths)), float(np.median(lengths)), int(np.max(lengths)))


def _seconds(resolved: ResolvedRecipe, shape: Shape, seen: int, scored: int, mean: float, speed: float) -> float:
    """Of the steps and of the reference: cached it scores each example once, else whenever it is seen."""
    recipe = resolved.recipe
    adapter, again = recipe.model.adapter is not None, recipe.train.gradient_checkpointing
    flops = training_flops(shape, round(seen * mean), adapter=adapter, recomputed=again)
    if resolved.reference is not None:
        flops += forward_flops(shape, round((scored if resolved.reference == "cached" else seen) * mean))
    return flops / (speed * _REACHED)


def _speed(device: torch.device, arithmetic: str) -> float:
    """FLOPs a second of one large product on this machine, in the arithmetic of the run."""
    dtype = torch.bfloat16 if arithmetic == "bf16" else torch.float32
    matrix = torch.ones(_SIDE, _SIDE, dtype=dtype, device=device)
    _ = float((matrix @ matrix)[0, 0])  # the first product prepares the library
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < _SECONDS:
        _ = float((matrix @ matrix)[0, 0])
        count += 1
    return count * 2 * _SIDE**3 / (time.perf_counter() - began)
