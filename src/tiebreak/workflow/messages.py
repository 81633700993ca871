"""What a run says on the console while it gets ready and trains: every sentence of it, in the order of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tiebreak.doctor.finding import Finding
from tiebreak.runs.manifest import DataRecord, ModelRecord, PrecisionRecord, SelfCheckRecord

_TEMPLATES = {"chat": "the model's chat template", "transcript": "Human/Assistant turns (the model has no template)"}
ENOUGH = 30
"""Held-out examples below which their figures come with a warning."""
_BITS = {"nf4": " in 4 bits", "int8": " in 8 bits", None: ""}


def data_lines(data: DataRecord) -> Iterator[str]:
    """What was read, and what was dropped and trimmed of it."""
    held_out = f", {data.held_out:,} held out ({data.held_out_from})" if data.held_out else ""
    yield (
        f"data    {data.source}: {data.train:,} rows{held_out}; "
        f"form {data.schema_}; text by {_TEMPLATES[str(data.template)]}"
    )
    for note, seen in (data.report.notes if data.report is not None else {}).items():
        yield f"        {seen.count:,} with {note}"
    unused = data.report.unused if data.report is not None else {}
    if data.report is not None and data.report.passed_over:
        yield "        files not read, of no split: " + ", ".join(data.report.passed_over)
    if unused:
        yield "        not used: " + ", ".join(f"{name} ({count:,} rows)" for name, count in unused.items())
    for word, reasons in (
        ("dropped", data.dropped),
        ("trimmed", data.trimmed),
        ("dropped from the held-out set", data.held_out_dropped),
    ):
        if reasons:
            yield f"        {word}: " + "; ".join(f"{reason}: {n:,}" for reason, n in sorted(reasons.items()))
    if data.held_out is not None and 0 < data.held_out < ENOUGH:
        yield f"        only {data.held_out} held out: with fewer than {ENOUGH}, what is measured on them says little"


def lines_header(log_every: int, held_out: int, examples: str) -> str:
    """What the lines are that follow."""
    often = "each step" if log_every == 1 else f"every {log_every:,} steps"
    exact = f"; held-out lines: exact, over all {held_out:,} {examples}" if held_out else ""
    return f"train   a line {often}: means over the steps since the line before{exact}"


def needed_line(needed: int, steps: int) -> str:
    """That a short run sees only some of the rows."""
    return f"        {needed:,} of them are needed for {steps:,} steps"


def model_lines(model: ModelRecord, precision: PrecisionRecord, device: str) -> Iterator[str]:
    """What is trained, and in which arithmetic."""
    arithmetic = f"{precision.name} ({precision.reason})"
    yield f"model   {model.name}: {model.parameters:,} parameters on {device}, {arithmetic}"
    if model.gguf is not None:
        yield f"        {model.gguf}"
    adapter = model.adapter
    if adapter is not None:
        yield (
            f"        trained: {adapter.kind} of rank {adapter.rank}, {adapter.parameters:,} parameters; "
            f"the model{_BITS[model.quantize]} stays as it is"
        )


def router_line(weight: float) -> str:
    """That the experts of a mixture are kept in even use."""
    return (
        f"        a mixture of experts: its router loss is added, times {weight:g}; train.router_loss=off leaves it out"
    )


def no_router_line(why: str) -> str:
    """That they are not, though the model asks for it."""
    return f"        its router loss is not added: {why}"


def plan_line(check: SelfCheckRecord, budget: int) -> str:
    """How batches are laid out, and how large a micro-batch is."""
    return f"        {check.reason}; {budget:,} tokens a micro-batch"


def cached_line(found: int, total: int) -> str:
    """That the reference need not be scored again."""
    return f"        reference log-probs of {found:,} of {total:,} examples were in the cache"


def finished_line(path: Path) -> str:
    """That there is nothing to go on with."""
    return f"The run {path} is finished: there is nothing to resume."


def finding_lines(found: Sequence[Finding], path: Path) -> Iterator[str]:
    """What is wrong with a run that has ended, and where more is said of it."""
    for finding in found:
        yield finding.line
    if found:
        yield f"        what to change: tiebreak doctor {path}"


def few_votes_line(new: int, least: int) -> str:
    """That a turn of the loop has to wait."""
    return f"There are {new:,} votes since the last turn, and a turn is made of {least:,}."


def scoring_line(model: str, device: str, precision: str) -> str:
    """Which model is measured, and how."""
    return f"model   {model} on {device}, {precision}"


def resumed_line(step: int, steps: int) -> str:
    """Where a run goes on."""
    return f"train   resumed from step {step} of {steps}"


SMALLER_BUDGET = "Memory ran out: the step is repeated in smaller micro-batches, with the same result."
