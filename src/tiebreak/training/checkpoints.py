"""Checkpoints that are whole or not there: the Trainer's, written beside their place and moved to it by a rename.

Knows what belongs to a checkpoint and when one is the best; nothing of how a step is made.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import nn
from transformers import Trainer, TrainerState
from transformers.trainer_utils import rotate_checkpoints

from tiebreak.engine.logprobs import unwrapped
from tiebreak.errors import RunError
from tiebreak.files import flush_folder, move_folder
from tiebreak.models.adapters import has_adapter, read_adapter, save_weights
from tiebreak.training.troubles import first_line

_PARTIAL = ".partial"


class SafeCheckpoints(Trainer):
    """A trainer that can be killed at any moment and leaves only whole checkpoints.

    Attributes:
        keep_checkpoints: how many stay on the disk, the newest and the best among them.
    """

    keep_checkpoints = 2
    _saving_to: Path | None = None

    def save_more(self, folder: Path) -> None:
        """Write into a checkpoint what a subclass keeps beside the weights."""

    def load_more(self, folder: Path) -> None:
        """Take over what `save_more` wrote."""

    def load_finished(self, checkpoint: Path) -> None:
        """Take over the weights and the state of a run whose last step is done."""
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        self._load_from_checkpoint(str(checkpoint))

    def load_best(self) -> int:
        """Take over the weights of the best checkpoint, if a metric decides; returns the step of the weights.

        Raises:
            RunError: that checkpoint is gone.
        """
        step = self.state.best_global_step
        if self.args.metric_for_best_model is None or not step or step == self.state.global_step:
            return self.state.global_step
        folder = Path(str(self.args.output_dir)) / f"checkpoint-{step}"
        if not folder.is_dir():
            raise RunError(
                f"The best checkpoint, of step {step}, is gone.",
                where=str(folder),
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
        try:
            super()._save_checkpoint(model, trial)
            partial = self._saving_to / name
            if self.args.should_save:
                self.save_more(partial)
                if self.state.best_global_step:  # the Trainer noted the place where the checkpoint was written
                    self.state.best_model_checkpoint = str(folder / f"checkpoint-{self.state.best_global_step}")
                    self.state.save_to_json(str(partial / "trainer_state.json"))
                flush_folder(partial)
                move_folder(partial, folder / name)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors have errors of their own
            raise RunError(
                f"The checkpoint of step {self.state.global_step} cannot be written: {first_line(error)}.",
                where=str(folder),
                fix="free some disk, then go on with --resume: all earlier checkpoints are whole",
            ) from error
        finally:
            remove_partial(folder)
            self._saving_to = None
        if self.args.should_save:
            rotate_checkpoints(
                str(folder),
                save_total_limit=self.keep_checkpoints,
                best_model_checkpoint=self.state.best_model_checkpoint,
            )


def remove_partial(checkpoints: Path) -> None:
    """Remove what a checkpoint that was never finished left behind."""
    shutil.rmtree(checkpoints / _PARTIAL, ignore_errors=True)
