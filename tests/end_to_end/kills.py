"""Runs that are killed at random moments and gone on with, cheaply: sessions forked from a process that is warm.

A session is a process of its own that begins or resumes a run and can be killed like any other. What takes long in a
real one, the import of the libraries, is done once, in the server that sessions are forked from.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from tests.hub_store import Store
from tests.recipe.conftest import SEEDS
from tests.recipe.miniature import furnish
from tiebreak.recipe import Recipe, load_recipe
from tiebreak.recipe.builtin import recipe_named

# A few steps with evaluations and checkpoints between them, all of which a kill may hit.
SHORT: Mapping[str, Any] = {
    "train.max_steps": 6,
    "train.log_every": 1,
    "train.eval_every": 2,
    "train.save_every": 1,
    "train.keep_best": "eval_loss",
    "data.eval_limit": 6,
    "evaluate.samples": 1,
    "evaluate.max_new_tokens": 4,
    "track": [],
}
_LORA = {"model.adapter.kind": "lora", "model.adapter.rank": 4}
_LASTING = ("before.json", "held_out.jsonl", "samples.json")
# What in a row of metrics.jsonl differs from run to run.
_BY_THE_CLOCK = ("seconds", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second")
# What of a manifest is the result of a run, and not of its sessions.
_OUTCOME = ("status", "before", "after", "best", "pairs", "judge", "answers", "length")


KINDS = (*SEEDS, "sft", "lora", "kto", "sft-lora", "ipo-live")
"""The kinds of runs that are killed: the seeds' recipes, and what they leave out."""


def kinds(folder: Path) -> dict[str, Recipe]:
    """The recipes that are killed, each on a tiny model of the seed's architecture.

    Args:
        folder: where the models and data are made.
    """
    furnish(Store(folder / "hub"), folder)
    seeds = {name: _local(recipe_named(name), folder) for name in SEEDS}
    smol, truthy = folder / "HuggingFaceTB/SmolLM2-360M-Instruct", folder / "jondurbin/truthy-dpo-v0.1"
    others = {"train.batch_size": 4, "train.learning_rate": 1e-3, "data.eval_fraction": 0.2}
    plain = Recipe().with_settings({"model.name": str(smol), "data.source": str(truthy), **others, **SHORT})
    made = seeds | {
        "sft": plain.with_settings({"objective.name": "supervised"}),
        "lora": plain.with_settings({**_LORA, "train.keep_checkpoints": 1}),
        "kto": plain.with_settings({"objective.name": "kto"}),
        "sft-lora": plain.with_settings({"objective.name": "supervised", **_LORA}),
        "ipo-live": plain.with_settings({"objective.name": "ipo", "train.reference": "live"}),
    }
    assert tuple(made) == KINDS
    return made


def _local(recipe: Recipe, folder: Path) -> Recipe:
    named = {"model.name": str(folder / recipe.model.name), "data.source": str(folder / str(recipe.data.source))}
    return recipe.with_settings({**named, **SHORT})


def _session(recipe: str, out: str, cache: str) -> None:
    """Begin the run, or go on with what an earlier session left of it."""
    os.environ["TIEBREAK_CACHE"] = cache
    import torch

    from tiebreak.workflow.train import resume, train

    torch.set_num_threads(1)
    if (Path(out) / "recipe.yaml").is_file():
        resume(out)
    else:
        train(load_recipe(Path(recipe)), out=out)


def warm() -> ForkServerContext:
    """A server to fork sessions from, which has imported what they need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tiebreak.workflow.train", "tests.end_to_end.preloaded"])
    return context


@dataclass(frozen=True)
class Killed:
    """A run that was killed and finished all the same.

    Attributes:
        moments: seconds into its sessions at which it was killed.
        outcome: what came of it, see `outcome_of`.
    """

    moments: tuple[float, ...]
    outcome: dict[str, Any]


@dataclass(frozen=True)
class Arena:
    """A recipe, and where its runs lie.

    Attributes:
        recipe: what is run.
        folder: for the runs and their caches.
        context: that sessions are forked from.
    """

    recipe: Recipe
    folder: Path
    context: ForkServerContext

    def session(self, name: str, *, kill_after: float | None = None) -> float | None:
        """One session of a run.

        Args:
            name: of the run.
            kill_after: seconds until it is killed, if it is not done by then; None lets it finish.
        Returns:
            How long it took; None where it was killed.
        """
        file = self.folder / "recipe.yaml"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            file.write_text(self.recipe.to_yaml(), encoding="utf-8")
        out, cache = self.folder / name, self.folder / f"{name}-cache"
        process = self.context.Process(target=_session, args=(str(file), str(out), str(cache)))
        began = time.monotonic()
        process.start()
        process.join(kill_after)
        if process.is_alive():
            process.kill()
            process.join()
            return None
        assert process.exitcode == 0, f"a session of {name} ended with {process.exitcode}"
        return time.monotonic() - began

    def untouched(self) -> tuple[dict[str, Any], float]:
        """What comes of a run that is never killed, and how many seconds it takes."""
        took = [self.session(f"whole-{number}") or 0.0 for number in range(2)]
        outcomes = [outcome_of(self.folder / f"whole-{number}") for number in range(2)]
        assert outcomes[0] == outcomes[1], "two runs that nobody killed differ"
        return outcomes[0], min(took)

    def killed(self, draw: random.Random, whole: float) -> Iterator[Killed]:
        """Runs that are killed one to three times each, at moments that are drawn from the length of a whole run.

        Args:
            draw: where moments come from.
            whole: seconds of a run that is not killed.
        """
        number = 0
        while True:
            name, moments = f"killed-{number}", []
            for _ in range(draw.randint(1, 3)):
                moment = draw.uniform(0.0, whole)
                if self.session(name, kill_after=moment) is not None:
                    break  # it was done before its time
                moments.append(moment)
            self.session(name)
            if moments:
                yield Killed(tuple(moments), outcome_of(self.folder / name))
            number += 1


def outcome_of(run: Path) -> dict[str, Any]:
    """All that a run leaves which must not depend on whether it was killed: weights, metrics, answers, figures."""
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    weights = {path.name: _digest(path) for path in sorted((run / "model").glob("*.safetensors"))}
    assert weights, f"{run} has no weights"
    return {
        "weights": weights,
        "metrics": [{name: value for name, value in row.items() if name not in _BY_THE_CLOCK} for row in rows],
        "files": {name: _digest(run / name) for name in _LASTING if (run / name).exists()},
        "manifest": {name: manifest.get(name) for name in _OUTCOME} | {"seen": manifest["data"].get("seen")},
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
