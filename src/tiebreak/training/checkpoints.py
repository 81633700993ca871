"""Checkpoints that are whole or not there: the Trainer's, written beside their place and moved to it by a rename.

Knows what belongs to a checkpoint and when one is the best; nothing of how a step is made.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from torch import nn
from transformers import Trainer, TrainerState
from transformers.trainer_utils import rotate_checkpoints

from tiebreak.engine.logprobs import unwrapped
from tiebreak.errors import RunError
from tiebreak.files import flush_folder, move_folder
from tiebreak.models.adapters import has_adapter, read_adapter
from tiebreak.models.save import named_write_errors, save_weights
from tiebreak.training.means import SoFar

_PARTIAL = ".partial"
_BEST = "best"
# What a checkpoint has to go on from; the rest of it is the model.
_TO_GO_ON = ("optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state*.pth", "trainer_state.json", "training_args.bin")


class SafeCheckpoints(Trainer):
    """A trainer that can be killed at any moment and leaves only whole checkpoints.

    Attributes:
        keep_checkpoints: how many stay on the disk, the newest and the best among them. Of one alone it is the newest,
            with the weights of the best in a folder of its own.
    """

    keep_checkpoints = 2
    _saving_to: Path | None = None

    def save_more(self, folder: Path) -> None:
        """Write into a checkpoint what a subclass keeps beside the weights."""

    def load_more(self, folder: Path) -> None:
        """Take over what `save_more` wrote."""

    def so_far(self, steps: int = 0) -> SoFar:
        """What there is of a run that breaks.

        Args:
            steps: how many of the steps done are in question themselves.
        """
        saved = any(Path(str(self.args.output_dir)).glob("checkpoint-*"))
        return SoFar(begun=self.state.global_step > steps, saved=saved)

    def load_finished(self, checkpoint: Path) -> None:
        """Take over the weights and the state of a run whose last step is done."""
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        self._load_from_checkpoint(str(checkpoint))
        self._remove_older(checkpoint.parent)

    def load_best(self) -> int:
        """Take over the weights of the best checkpoint, if a metric decides; returns the step of the weights.

        Raises:
            RunError: that checkpoint is gone.
        """
        step = self.state.best_global_step
        if self.args.metric_for_best_model is None or not step or step == self.state.global_step:
            return self.state.global_step
        checkpoints = Path(str(self.args.output_dir))
        folder = self._weights_of_best(checkpoints)
        if folder is None:
            raise RunError(
                f"The best checkpoint, of step {step}, is gone.",
                where=str(checkpoints / f"checkpoint-{step}"),
                fix="train again, or start a new run with train.keep_best=null",
            )
        self._load_from_checkpoint(str(folder))
        return int(step)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        whole: Any = self.model
        inner = unwrapped(whole)
        if not has_adapter(inner):
            super()._save(output_dir, state_dict)
            return
        folder = Path(str(output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_weights(inner, folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        whole: Any = self.model if model is None else model
        inner = unwrapped(whole)
        if has_adapter(inner):  # the Trainer knows adapters in a wrapper only
            read_adapter(inner, Path(resume_from_checkpoint))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        self.load_more(Path(resume_from_checkpoint))

    def _determine_best_metric(self, metrics: Any, trial: Any) -> bool:
        """Whether an evaluation is the best so far; such a model is saved at once, not when the next save is due."""
        is_best = bool(super()._determine_best_metric(metrics, trial))
        if is_best:
            self.control.should_save = True
        return is_best

    def _init_training_state(self, *args: Any) -> Any:
        found = super()._init_training_state(*args)
        if self.state.best_global_step:  # the recorded path is that of the folder the run began in
            folder = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.best_global_step}"
            self.state.best_model_checkpoint = str(folder)
        return found

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._saving_to) if self._saving_to is not None else str(super()._get_output_dir(trial))

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a checkpoint beside its place and rename it there, so that a killed write leaves none."""
        folder = Path(super()._get_output_dir(trial))
        name = f"checkpoint-{self.state.global_step}"
        self._saving_to = folder / _PARTIAL
        if self.state.best_global_step:
            self.state.best_model_checkpoint = str(folder / f"checkpoint-{self.state.best_global_step}")
        what = f"The checkpoint of step {self.state.global_step}"
        then = "go on with --resume: all earlier checkpoints are whole"
        try:
            with named_write_errors(what, folder, then=then):
                super()._save_checkpoint(model, trial)
                partial = self._saving_to / name
                if self.args.should_save:
                    self.save_more(partial)
                    self._keep_best_inside(folder, partial)
                    if self.state.best_global_step:  # the Trainer noted the path where the checkpoint was written
                        self.state.best_model_checkpoint = str(folder / f"checkpoint-{self.state.best_global_step}")
                        self.state.save_to_json(str(partial / "trainer_state.json"))
                    flush_folder(partial)
                    move_folder(partial, folder / name)
        finally:
            remove_partial(folder)
            self._saving_to = None
        if self.args.should_save:
            self._remove_older(folder)

    def _remove_older(self, checkpoints: Path) -> None:
        """Remove all checkpoints but the newest and, of several that are kept, the best."""
        best = self.state.best_model_checkpoint if self.keep_checkpoints > 1 else None
        rotate_checkpoints(str(checkpoints), save_total_limit=self.keep_checkpoints, best_model_checkpoint=best)

    def _keep_best_inside(self, checkpoints: Path, partial: Path) -> None:
        """Where one checkpoint alone is kept, put the best one's weights into the new one before the old one goes."""
        if self.keep_checkpoints > 1 or self.state.best_global_step in (None, 0, self.state.global_step):
            return
        weights = self._weights_of_best(checkpoints)
        if weights is not None:
            without = shutil.ignore_patterns(*_TO_GO_ON, _BEST)
            shutil.copytree(weights, partial / _BEST, ignore=without, copy_function=_linked)

    def _weights_of_best(self, checkpoints: Path) -> Path | None:
        """The folder with the weights of the best step: its checkpoint, or inside the one that alone is kept."""
        step = self.state.best_global_step
        inside = sorted(checkpoints.glob(f"checkpoint-*/{_BEST}"), key=lambda path: path.stat().st_mtime)
        return next((path for path in (checkpoints / f"checkpoint-{step}", *inside[::-1]) if path.is_dir()), None)


def _linked(source: str, target: str) -> str:
    """The same file under a second name, which takes no room; a copy where the file system has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def remove_partial(checkpoints: Path) -> None:
    """Remove what a checkpoint that was never finished left behind."""
    shutil.rmtree(checkpoints / _PARTIAL, ignore_errors=True)
