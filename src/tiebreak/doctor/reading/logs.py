"""Which reader a path needs, by what is in it: the one way from a file or folder to a log."""

from __future__ import annotations

import re
from pathlib import Path

from tiebreak.doctor.log import TrainingLog
from tiebreak.doctor.reading.json_logs import json_log
from tiebreak.doctor.reading.markup import html_tables, is_markdown, markdown_tables
from tiebreak.doctor.reading.mlflow import mlflow_log, mlflow_runs
from tiebreak.doctor.reading.tables import csv_log, page_log, sheet_log
from tiebreak.doctor.reading.tensorboard import MARK, event_files, tensorboard_log
from tiebreak.errors import InputError

_STATE = "trainer_state.json"
_ZIP, _EVENTS = b"PK\x03\x04", b"brain.Event:"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_HEAD = 1 << 12
_CHECKPOINT = re.compile(r"checkpoint-(\d+)$")


def read_log(path: Path) -> TrainingLog:
    """The log in a file or a folder.

    Args:
        path: metrics.jsonl or the folder of a run, `trainer_state.json` or a folder with one, a CSV export of Weights &
            Biases, event files of TensorBoard, a run of MLflow, or a table: CSV, Excel, Markdown or HTML.
    Raises:
        InputError: it is not there, is none of these, is empty or damaged, or holds more than one run.
    """
    if path.is_dir():
        return _of_folder(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InputError(f"The log cannot be read: {error.strerror or error}.", where=str(path)) from None
    if not head.strip():
        raise InputError("The log is empty.", where=str(path))
    if _EVENTS in head[:64]:
        return tensorboard_log(path)
    if head.startswith(_ZIP):
        return sheet_log(path)
    is_utf16 = head.startswith(_UTF16)
    if b"\0" in head and not is_utf16:
        raise InputError("The file holds no text.", where=str(path), fix="name a log: see docs/doctor.md")
    beginning = head.decode("utf-16" if is_utf16 else "utf-8-sig", errors="replace").lstrip()
    if beginning.startswith(("{", "[")):
        return json_log(_text(path), path)
    named_markdown = path.suffix.lower() in (".md", ".markdown")
    if beginning.startswith("<") and not named_markdown:
        return page_log(html_tables(_text(path)), path, "table in HTML")
    if named_markdown or "|" in beginning:
        text = _text(path)
        if is_markdown(text):
            return page_log(markdown_tables(text), path, "table in Markdown")
        if named_markdown:  # it may have its table in HTML
            return page_log(html_tables(text), path, "table in HTML")
    return csv_log(path)


def _of_folder(folder: Path) -> TrainingLog:
    if (folder / "metrics.jsonl").is_file():
        return read_log(folder / "metrics.jsonl")
    if (folder / _STATE).is_file():
        return read_log(folder / _STATE)
    numbered = {
        int(found[1]): inner for inner in folder.glob("checkpoint-*") if (found := _CHECKPOINT.search(inner.name))
    }
    states = [numbered[number] / _STATE for number in sorted(numbered) if (numbered[number] / _STATE).is_file()]
    if states:
        return read_log(states[-1])
    if mlflow_runs(folder):
        return mlflow_log(folder)
    if event_files(folder):
        return tensorboard_log(folder)
    raise InputError(
        "There is no log of a training in this folder.",
        where=str(folder),
        fix=f"a folder has metrics.jsonl, {_STATE}, files of {MARK}, or `metrics` and `meta.yaml` of MLflow",
    )


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("The file is no UTF-8 text.", where=f"{path}:{line}", fix="save it as UTF-8") from None
