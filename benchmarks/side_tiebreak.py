"""Tiebreak's side of a comparison: the parts that `tiebreak train` runs, put together in the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiebreak.process.allocator import tune_process

tune_process()  # as the command does, before torch is there

import torch
import transformers
from job import BETA, LEARNING_RATE, Clock, Job, answer
from pairs import hash_ids

from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.training.tree_trainer import TreeTrainer
from tiebreak.version import __version__
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.resolve import resolve
from tiebreak.workflow.train import make_ready


class Counter(Clock):
    """Notes what each step computed, too."""

    trainer: TreeTrainer

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.operations: list[float] = []
        self.tokens: list[int] = []
        self.least_bytes: list[int] = []

    def on_step_end(self, args: object, state: object, control: object, **_: object) -> None:
        super().on_step_end(args, state, control)
        self.operations.append(self.trainer.operations)
        self.tokens.append(self.trainer.tokens)
        self.least_bytes.append(least_bytes(self.trainer))


def least_bytes(trainer: TreeTrainer) -> int:
    """Bytes that a step moves at least: weights once a pass, gradients once a micro-batch, the optimizer's state once.

    Activations are not counted: how often they leave a cache is a matter of the machine.
    """
    model: Any = trainer.model
    narrow = 2 if trainer.scorer.autocast is not None else 4
    whole = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    passes = 3 * narrow * whole  # forward; backward for what went in, and for the weights
    return int(trainer.microbatches * (passes + 4 * trained) + 7 * 4 * trained)


def recipe_of(job: Job) -> Recipe:
    """The job as a recipe."""
    settings = {
        "model.name": job.model,
        "model.adapter": None if job.adapter == "none" else job.adapter,
        "data.source": job.data,
        "data.template": "transcript",
        "data.max_length": job.max_length,
        "data.eval_fraction": 0.0,
        "objective.beta": BETA,
        "train.learning_rate": LEARNING_RATE,
        "train.batch_size": job.batch_size,
        "train.max_steps": job.steps,
        "train.schedule": "constant",
        "train.warmup_ratio": 0.0,
        "train.precision": job.precision,
        "train.reference": job.reference,
        "train.gradient_checkpointing": job.gradient_checkpointing,
        "train.shuffle": False,
        "train.log_every": 1,
        "train.save_every": None,
        "train.keep_best": None,
    }
    return Recipe().with_settings(settings | job.settings)


def main() -> None:
    job = Job.from_argv()
    resolved, clock = resolve(recipe_of(job)), Counter(job.device)
    run = make_ready(RunFolder.create(resolved.recipe, Path(job.out)), resolved, Progress(), callbacks=[clock])
    clock.trainer = run.trainer
    run.trainer.train()
    groups = run.data.train
    ids = hash_ids((groups[i].prompt, *groups[i].completions) for i in range(len(groups)))
    answer(
        clock,
        ids=ids,
        versions={"tiebreak": __version__, "torch": torch.__version__, "transformers": transformers.__version__},
        operations=clock.operations[1:],
        tokens=sum(clock.tokens[1:]),
        least_bytes=clock.least_bytes[1:],
        path=run.plan.scorer.path,
        budget=run.trainer.budget,
    )


if __name__ == "__main__":
    main()
