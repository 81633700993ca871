"""Votes written to a file: JSON lines with everything, CSV for a spreadsheet, or the rows to train on.

Knows the forms of the files; which votes are written is the caller's choice. A file appears whole or not at all.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError, RunError
from tiebreak.votes.vote import Answer, Vote

# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def check_target(target: Path, *, force: bool, pairs: bool) -> None:
    """Refuse a file that cannot be written, before any work is done.

    Raises:
        InputError: its extension is not one we write, it exists (unless forced), or its folder does not.
    """
    extensions = (".jsonl",) if pairs else (".jsonl", ".csv")
    if target.suffix.lower() not in extensions:
        raise InputError(
            f"Cannot write '{target}': its extension is not supported.",
            fix=f"use {' or '.join(extensions)}"
            + ("; other formats: `tiebreak data convert votes:URL FILE`" if pairs else ""),
        )
    if target.is_dir():
        raise InputError(f"'{target}' is a folder.", fix="name a file in it")
    if not target.parent.is_dir():
        raise InputError(f"There is no folder '{target.parent}'.", fix="create it first, or name another file")
    if target.exists() and not force:
        raise InputError(f"'{target}' exists already.", fix="name another file, or use --force to overwrite it")


def write_lines(rows: Iterable[dict[str, Any]], target: Path) -> int:
    """Write one JSON object a line; returns how many."""
    return _write((json.dumps(row, ensure_ascii=False) + "\n" for row in rows), target)


def write_csv(votes: Iterable[Vote], target: Path) -> int:
    """Write a table for a spreadsheet; returns how many votes.

    Text that a spreadsheet would take for a formula gets an apostrophe before it; the exact text is in JSON lines.
    """
    return _write(_csv_lines(votes), target, header_lines=1)


def csv_row(vote: Vote) -> dict[str, str]:
    """A vote as cells."""
    winner = {"left": vote.left.model, "right": vote.right.model}.get(vote.verdict, "")
    cells = {
        "id": vote.id,
        "time": vote.to_row()["time"],
        "voter": vote.voter,
        "verdict": vote.verdict,
        "winner": winner,
        "prompt": "\n\n".join(f"{role}: {content}" for role, content in vote.prompt),
        **_answer_cells("left", vote.left),
        **_answer_cells("right", vote.right),
        "reason": vote.reason or "",
        "edited": vote.edited or "",
        "withdrawn": str(vote.withdrawn).lower(),
        "unblind": str(vote.unblind).lower(),
        "corrections": json.dumps([earlier.to_row() for earlier in vote.corrections], ensure_ascii=False)
        if vote.corrections
        else "",
        "comparison": vote.comparison or "",
    }
    return {name: f"'{cell}" if cell.startswith(_FORMULA) else cell for name, cell in cells.items()}


def _answer_cells(side: str, answer: Answer) -> dict[str, str]:
    return {
        f"{side}_model": answer.model,
        f"{side}_fingerprint": answer.fingerprint,
        f"{side}_text": answer.text,
        f"{side}_before": "\n\n".join(f"{role}: {content}" for role, content in answer.before),
        f"{side}_sampling": json.dumps(dict(answer.sampling), ensure_ascii=False),
        f"{side}_seed": "" if answer.seed is None else str(answer.seed),
    }


_NOTHING = Answer("", "", "", {}, None)
_COLUMNS = (
    *("id", "time", "voter", "verdict", "winner", "prompt"),
    *_answer_cells("left", _NOTHING),
    *_answer_cells("right", _NOTHING),
    *("reason", "edited", "withdrawn", "unblind", "corrections", "comparison"),
)


def _csv_lines(votes: Iterable[Vote]) -> Iterator[str]:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, _COLUMNS)
    writer.writeheader()
    yield buffer.getvalue()
    for vote in votes:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(csv_row(vote))
        yield buffer.getvalue()


def _write(lines: Iterable[str], target: Path, header_lines: int = 0) -> int:
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    count = -header_lines
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            for line in lines:
                file.write(line)
                count += 1
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise RunError(f"The file cannot be written: {error.strerror or error}.", where=str(target)) from None
    finally:
        partial.unlink(missing_ok=True)
    return count
