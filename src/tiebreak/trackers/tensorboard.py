"""The client of TensorBoard, over its own event files, so that neither torch nor TensorFlow is loaded for it."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tiebreak.trackers.clients import COLUMNS, Samples, TrackedRun, flat, is_number, table_of


class TensorBoard:
    """TensorBoard: event files. It has no artifacts; samples are a table in its text tab."""

    def __init__(self, run: TrackedRun, known: str | None) -> None:
        proto = "tensorboard.compat.proto"  # the package has no types
        self.event = import_module(f"{proto}.event_pb2").Event
        self.summary = import_module(f"{proto}.summary_pb2").Summary
        self.tensor = import_module(f"{proto}.tensor_pb2").TensorProto
        self.shape = import_module(f"{proto}.tensor_shape_pb2").TensorShapeProto
        self.metadata = import_module("tensorboard.plugins.text.metadata").create_summary_metadata
        hparams_pb = import_module("tensorboard.plugins.hparams.summary_v2").hparams_pb
        writer = import_module("tensorboard.summary.writer.event_file_writer").EventFileWriter

        named = os.environ.get("TENSORBOARD_LOGGING_DIR")
        folder = Path(named).expanduser() / run.name if named else run.folder
        self.writer = writer(str(folder))
        self.id, self.where = known or secrets.token_hex(4), f"in {folder}"
        if known is None:
            plain = {name: _plain(value) for name, value in flat(run.config).items()}
            self._add(0, hparams_pb(plain, trial_id=self.id))
            self._add_text(0, "recipe", f"```yaml\n{run.recipe}```")

    def log(self, step: int, row: Mapping[str, Any]) -> None:
        """Add a scalar for each metric; the step is the axis."""
        scalars = {name: value for name, value in row.items() if name != "step" and is_number(value)}
        self._add(step, self.summary(value=[_scalar(self.summary, name, value) for name, value in scalars.items()]))
        self.writer.flush()

    def show(self, step: int, metrics: Mapping[str, float], samples: Samples, report_path: Path) -> None:
        """Add metrics and samples."""
        self.log(step, metrics)
        if samples:
            lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
            lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in table_of(samples)]
            self._add_text(step, "samples", "\n".join(lines))

    def close(self, failed: bool) -> None:
        """Write what is left."""
        self.writer.close()

    def _add(self, step: int, summary: Any) -> None:
        self.writer.add_event(self.event(wall_time=time.time(), step=step, summary=summary))

    def _add_text(self, step: int, tag: str, text: str) -> None:
        tensor = self.tensor(
            dtype="DT_STRING",
            string_val=[text.encode("utf-8", errors="replace")],
            tensor_shape=self.shape(dim=[self.shape.Dim(size=1)]),
        )
        value = self.summary.Value(tag=tag, metadata=self.metadata(tag, ""), tensor=tensor)
        self._add(step, self.summary(value=[value]))


def _cell(value: Any) -> str:
    """A value in a table of Markdown."""
    text = "" if value is None else str(value)
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("\n", "<br>")):
        text = text.replace(sign, escaped)
    return text


def _plain(value: Any) -> str | float | bool:
    """A setting as TensorBoard takes it."""
    return value if isinstance(value, str | int | float | bool) else "null" if value is None else str(value)


def _scalar(summary: Any, name: str, value: float) -> Any:
    return summary.Value(tag=name, simple_value=float(value))
