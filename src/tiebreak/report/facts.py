"""What a run used and how it ran, as pairs of a name and a value in plain words.

Only what the manifest records: a fact that is not there is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tiebreak.formatting import numbers
from tiebreak.runs.manifest import DataRecord, Manifest, TokensRecord
from tiebreak.tasks import TASKS

_TEMPLATES = {"chat": "the model's chat template", "transcript": "Human / Assistant turns"}
_PARTS = ("prompt", "chosen", "rejected", "completion")
_TIMES = (("prepare", "preparing"), ("reference", "reference"), ("train", "training"), ("samples", "samples"))


@dataclass(frozen=True)
class Fact:
    """A name and a value, both plain text."""

    name: str
    value: str


def data_facts(manifest: Manifest) -> list[Fact]:
    """Which data was used, in which form, how much of it."""
    data, task = manifest.data, TASKS[manifest.task]
    if data is None:
        return []

    def counted(examples: int | None) -> str | None:
        return None if examples is None else f"{examples:,} {task.example if examples == 1 else task.examples}"

    return _given(
        ("source", data.source),
        ("commit", data.commit),
        ("rows read", _read(data)),
        _trained_on(manifest, data),
        ("held out", counted(data.held_out)),
        ("dropped of those held out", numbers.whole(gone) if (gone := sum(data.held_out_dropped.values())) else None),
        ("labels", _joined(f"{count:,} {label}" for label, count in (data.labels or {}).items())),
        ("format", _because(data.schema_, data.why)),
        ("conversations as", _TEMPLATES.get(data.template, data.template) if data.template else None),
        ("unlike others", _joined(f"{count:,} {note}" for note, count in data.notes.items() if count)),
        *((f"tokens of the {name}", _spread(data.tokens[name])) for name in _PARTS if name in data.tokens),
        ("data fingerprint", data.fingerprint),
    )


def _spread(tokens: TokensRecord) -> str:
    return f"half have up to {tokens.median:,}, 95% up to {tokens.p95:,}, the longest {tokens.longest:,}"


def _read(data: DataRecord) -> str | None:
    """What the rows of the source became when it was read."""
    report = data.report
    if report is None:
        return None
    made = f"{report.made:,} usable" if report.made != report.rows else None
    bad = f"{report.bad.count:,} damaged" if report.bad.count else None
    return _joined(filter(None, (f"{report.rows:,}", made, bad)))


def _trained_on(manifest: Manifest, data: DataRecord) -> tuple[str, str | None]:
    """How many examples there are and how many were seen, which in a short run are fewer."""
    task = TASKS[manifest.task]
    if data.train is None:
        return "trained on", None
    there = f"{data.train:,} {task.example if data.train == 1 else task.examples}"
    if data.seen is None:
        return ("trained on" if manifest.state == "finished" else "to train on"), there
    return "trained on", there if data.seen >= data.train else f"{data.seen:,} of {there}"


def dropped(manifest: Manifest) -> list[Fact]:
    """How many rows were dropped, and how many were trimmed and used, by reason, the commonest first."""
    if manifest.data is None:
        return []
    gone = [Fact(reason, numbers.whole(n)) for reason, n in _commonest_first(manifest.data.dropped)]
    trimmed = [Fact(f"{reason}, but used", numbers.whole(n)) for reason, n in _commonest_first(manifest.data.trimmed)]
    return gone + trimmed


def model_facts(manifest: Manifest) -> list[Fact]:
    """What was trained."""
    model = manifest.model
    if model is None:
        return []
    return _given(
        ("model", model.name),
        ("revision", model.revision),
        ("model commit", model.commit),
        ("architecture", model.architecture),
        ("parameters", None if model.parameters is None else numbers.whole(model.parameters)),
        ("license", model.license),
        ("model fingerprint", model.fingerprint),
    )


def run_facts(manifest: Manifest) -> list[Fact]:
    """How it was computed, where, and how long it took."""
    precision, check, tokens = manifest.precision, manifest.self_check, manifest.tokens_per_microbatch
    return _given(
        ("steps", _steps(manifest)),
        ("best step", _best(manifest)),
        ("held-out pairs", _pairs(manifest)),
        ("answers", _answers(manifest)),
        ("batches", None if check is None else check.reason or check.path),
        ("precision", None if precision is None else _because(precision.name, precision.reason)),
        ("micro-batch", None if tokens is None else f"{numbers.whole(tokens)} tokens"),
        ("time", _times(manifest)),
        ("resumed", _often(manifest.resumed)),
        ("command", manifest.commands[-1] if manifest.commands else None),
        ("machine", _machine(manifest)),
        ("device", manifest.device),
        ("versions", _joined(f"{name} {version}" for name, version in manifest.versions.items())),
        ("began", numbers.when(manifest.created) if manifest.created else None),
        ("ended", numbers.when(manifest.finished) if manifest.finished else None),
    )


def _given(*pairs: tuple[str, str | None]) -> list[Fact]:
    return [Fact(name, value) for name, value in pairs if value]


def _because(what: str | None, why: str | None) -> str | None:
    return f"{what} ({why})" if what and why else what


def _commonest_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(((reason, n) for reason, n in counts.items() if n), key=lambda item: (-item[1], item[0]))


def _steps(manifest: Manifest) -> str | None:
    length = manifest.length
    if length is None:
        return None
    an_epoch = f" ({numbers.whole(length.steps_an_epoch)} an epoch)" if length.steps_an_epoch else ""
    return numbers.whole(length.steps) + an_epoch


def _best(manifest: Manifest) -> str | None:
    best = manifest.best
    return None if best is None else f"{numbers.whole(best.step)}, by {best.metric} {numbers.plain(best.value)}"


def _times(manifest: Manifest) -> str | None:
    spent = [(word, manifest.timings.get(name)) for name, word in _TIMES]
    return _joined(f"{word} {numbers.duration(seconds)}" for word, seconds in spent if seconds is not None)


def _pairs(manifest: Manifest) -> str | None:
    pairs = manifest.pairs
    if pairs is None:
        return None
    flips = (
        f"the chosen answer became the likelier one in {pairs.to_chosen:,}, the rejected one in {pairs.to_rejected:,}"
    )
    return f"{pairs.better:,} better, {pairs.worse:,} worse; {flips}"


def _answers(manifest: Manifest) -> str | None:
    answers = manifest.answers
    if answers is None:
        return None
    before, after = answers.before, answers.after
    return (
        f"{before.tokens:.0f} tokens before, {after.tokens:.0f} after; "
        f"said again {numbers.percent(before.repetition)} before, {numbers.percent(after.repetition)} after "
        f"(means of {answers.prompts:,}; triples of words)"
    )


def _often(times: int) -> str | None:
    return {0: None, 1: "once", 2: "twice"}.get(times, f"{times:,} times")


def _machine(manifest: Manifest) -> str | None:
    hardware, threads = manifest.hardware, manifest.threads
    return _joined(
        part
        for part in (
            hardware.system,
            hardware.processor,
            f"{numbers.whole(hardware.cores)} cores" if hardware.cores else None,
            f"{numbers.whole(threads)} threads used" if threads else None,
            f"{numbers.plain(hardware.memory_gb)} GB memory" if hardware.memory_gb else None,
            *hardware.gpus,
        )
        if part
    )


def _joined(parts: Iterable[str]) -> str | None:
    return ", ".join(parts) or None
