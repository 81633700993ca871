"""Run: a finished run as an object to ask: its figures, its answers, its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tiebreak.data.preference import Message
from tiebreak.data.render import choose_template
from tiebreak.evaluate.generate import Sampling, stream_answer
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.metrics import read_metrics


@dataclass(frozen=True)
class Run:
    """A run on the disk.

    Attributes:
        folder: where everything lies.
    """

    folder: RunFolder

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def recipe(self) -> Recipe:
        """Exactly what ran."""
        return self.folder.recipe()

    @property
    def metrics(self) -> dict[str, float]:
        """Held-out metrics of the trained model; empty where nothing was held out."""
        return dict(self.folder.manifest().get("after") or {})

    @property
    def history(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return read_metrics(self.folder.metrics_path)

    @cached_property
    def model(self) -> PreTrainedModel:
        """The trained model."""
        return load_model(str(self.path), trust_remote_code=self.recipe.model.trust_remote_code)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its tokenizer."""
        return load_tokenizer(str(self.path), trust_remote_code=self.recipe.model.trust_remote_code)

    def answer(self, prompt: str | Sequence[Message], *, sampling: Sampling | None = None) -> str:
        """The trained model's answer.

        Args:
            prompt: a question, or a conversation so far.
            sampling: how tokens are drawn; None is greedy.
        """
        turns = [Message("user", prompt)] if isinstance(prompt, str) else list(prompt)
        drawn = sampling or Sampling(temperature=0.0)
        template = choose_template(self.tokenizer, self.recipe.data.template)
        return "".join(stream_answer(self.model, self.tokenizer, turns, drawn, template=template))


def open_run(path: Path | str) -> Run:
    """A run that is on the disk.

    Raises:
        InputError: there is no run in that folder.
    """
    return Run(RunFolder.open(Path(path)))
