"""Run: a finished run as an object to ask: its figures, its answers, its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tiebreak.data.preference import Message
from tiebreak.data.preparing.templates import choose_template
from tiebreak.errors import InputError
from tiebreak.generation.generate import Sampling, stream_answer
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.process.host import same_host
from tiebreak.recipe import Recipe
from tiebreak.report.notebook import failed_html, run_html
from tiebreak.report.page import write_report
from tiebreak.report.page_file import check_page
from tiebreak.runs import RunFolder
from tiebreak.runs.metrics_file import read_metrics


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

    def __fspath__(self) -> str:
        """The run stands for its folder wherever a path is asked for."""
        return str(self.path)

    @property
    def recipe(self) -> Recipe:
        """Exactly what ran."""
        return self.folder.recipe()

    @property
    def metrics(self) -> dict[str, float]:
        """Held-out metrics of the trained model that are finite; empty where nothing was held out."""
        found = self.folder.load_manifest().after or {}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def history(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return read_metrics(self.folder.metrics_path)

    @cached_property
    def model(self) -> PreTrainedModel:
        """The trained model."""
        with same_host():
            return load_model(str(self.path), trust_remote_code=self.recipe.model.trust_remote_code)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its tokenizer."""
        with same_host():
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
        with same_host():
            return "".join(stream_answer(self.model, self.tokenizer, turns, drawn, template=template))

    def write_report(self, path: Path | str, *, force: bool = False) -> Path:
        """Write the run's report anew, as one HTML file.

        Args:
            path: of the file, which ends in `.html`.
            force: replace a file that exists.
        Returns:
            The same path.
        Raises:
            InputError: the file is refused, or the manifest is damaged.
            RunError: the disk does not take it.
        """
        check_page(Path(path), force=force, where="path")
        return write_report(self.folder, Path(path))

    def _repr_html_(self) -> str:
        """The run as a notebook shows it: what it was, before and after, curves; or what is wrong with its files."""
        try:
            return run_html(self.folder.load_manifest(), self.history, name=self.folder.title)
        except InputError as error:  # a notebook would show a traceback, and nothing of the run
            return failed_html(str(error))


def open_run(path: Run | Path | str) -> Run:
    """A run that is on the disk, finished or not.

    Args:
        path: the run folder.
    Raises:
        InputError: there is no run in that folder.
    """
    return Run(RunFolder.open(Path(path)))
