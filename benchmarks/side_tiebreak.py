"""Tiebreak's side of a comparison: the parts that `tiebreak train` runs, put together in the same way."""

from __future__ import annotations

from pathlib import Path

from tiebreak.engine.allocator import keep_memory

keep_memory()  # as the command does, before torch is there

import torch
import transformers
from job import BETA, LEARNING_RATE, Clock, Job, answer
from pairs import hash_ids

from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.training.tree_trainer import TreeTrainer
from tiebreak.version import __version__
from tiebreak.workflow.assemble import assemble
from tiebreak.workflow.talk import Talk


class Counter(Clock):
    """Notes what each step computed, too."""

    trainer: TreeTrainer

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.operations: list[float] = []
        self.tokens: list[int] = []

    def on_step_end(self, args: object, state: object, control: object, **_: object) -> None:
        super().on_step_end(args, state, control)
        self.operations.append(self.trainer.operations)
        self.tokens.append(self.trainer.tokens)


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
    recipe, clock = recipe_of(job), Counter(job.device)
    run = assemble(RunFolder.create(recipe, Path(job.out)), recipe, Talk(), callbacks=[clock])
    clock.trainer = run.trainer
    run.trainer.train()
    groups = run.data.train
    ids = hash_ids((groups[i].prompt, *groups[i].endings) for i in range(len(groups)))
    answer(
        clock,
        ids=ids,
        versions={"tiebreak": __version__, "torch": torch.__version__, "transformers": transformers.__version__},
        operations=clock.operations[1:],
        tokens=sum(clock.tokens[1:]),
        path=run.scorer.path,
        budget=run.trainer.budget,
    )


if __name__ == "__main__":
    main()
