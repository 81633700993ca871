"""What a run used and how it ran, as pairs of a name and a value in plain words.

Only what the manifest records: a fact that is not there is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tiebreak.report import forms
from tiebreak.runs.entries import counts, entry, is_supervised, number, text

_TEMPLATES = {"chat": "the model's chat template", "transcript": "Human / Assistant turns"}
_TIMES = (("prepare", "preparing"), ("reference", "reference"), ("train", "training"), ("samples", "samples"))


@dataclass(frozen=True)
class Fact:
    """A name and a value, both plain text."""

    name: str
    value: str


def data_facts(manifest: Mapping[str, Any]) -> list[Fact]:
    """Which data was used, in which form, how much of it."""
    unit = "demonstration" if is_supervised(manifest) else "pair"
    schema, why = text(manifest, "data", "schema"), text(manifest, "data", "why")
    template = text(manifest, "data", "template")
    train, held_out = number(manifest, "data", "train"), number(manifest, "data", "held_out")
    return _given(
        ("source", text(manifest, "data", "source")),
        ("trained on", _counted(train, unit)),
        ("held out", _counted(held_out, unit)),
        ("format", f"{schema} ({why})" if schema and why else schema),
        ("conversations as", _TEMPLATES.get(template, template) if template else None),
        ("data fingerprint", text(manifest, "data", "fingerprint")),
    )


def left_out(manifest: Mapping[str, Any]) -> list[Fact]:
    """How many rows were left out, and how many were cut and used, by reason, the commonest first."""
    dropped = [Fact(reason, forms.whole(n)) for reason, n in counts(manifest, "data", "left_out").items()]
    trimmed = [Fact(f"{reason}, but used", forms.whole(n)) for reason, n in counts(manifest, "data", "trimmed").items()]
    return dropped + trimmed


def model_facts(manifest: Mapping[str, Any]) -> list[Fact]:
    """What was trained."""
    return _given(
        ("model", text(manifest, "model", "name")),
        ("revision", text(manifest, "model", "revision")),
        ("architecture", text(manifest, "model", "architecture")),
        ("parameters", _whole(number(manifest, "model", "parameters"))),
        ("license", text(manifest, "model", "license")),
        ("model fingerprint", text(manifest, "model", "fingerprint")),
    )


def run_facts(manifest: Mapping[str, Any]) -> list[Fact]:
    """How it was computed, where, and how long it took."""
    precision, why = text(manifest, "precision", "name"), text(manifest, "precision", "reason")
    check = text(manifest, "self_check", "reason") or text(manifest, "self_check", "path")
    tokens = number(manifest, "tokens_per_microbatch")
    return _given(
        ("steps", _steps(manifest)),
        ("best step", _best(manifest)),
        ("batches", check),
        ("precision", f"{precision} ({why})" if precision and why else precision),
        ("micro-batch", f"{forms.whole(tokens)} tokens" if tokens is not None else None),
        ("time", _times(manifest)),
        ("machine", _machine(manifest)),
        ("device", text(manifest, "device")),
        ("versions", _versions(manifest)),
        ("began", forms.when(text(manifest, "created")) if text(manifest, "created") else None),
        ("ended", forms.when(text(manifest, "finished")) if text(manifest, "finished") else None),
    )


def _given(*pairs: tuple[str, str | None]) -> list[Fact]:
    return [Fact(name, value) for name, value in pairs if value]


def _counted(n: float | None, unit: str) -> str | None:
    return None if n is None else f"{forms.whole(n)} {unit}{'' if n == 1 else 's'}"


def _whole(value: float | None) -> str | None:
    return None if value is None else forms.whole(value)


def _steps(manifest: Mapping[str, Any]) -> str | None:
    steps, epoch = number(manifest, "length", "steps"), number(manifest, "length", "steps_an_epoch")
    if steps is None:
        return None
    return forms.whole(steps) + (f" ({forms.whole(epoch)} an epoch)" if epoch else "")


def _best(manifest: Mapping[str, Any]) -> str | None:
    step, metric = number(manifest, "best", "step"), text(manifest, "best", "metric")
    if step is None or metric is None:
        return None
    return f"{forms.whole(step)}, by {metric} {forms.plain(number(manifest, 'best', 'value'))}"


def _times(manifest: Mapping[str, Any]) -> str | None:
    spent = [(word, number(manifest, "timings", name)) for name, word in _TIMES]
    return _joined(f"{word} {forms.duration(seconds)}" for word, seconds in spent if seconds is not None)


def _machine(manifest: Mapping[str, Any]) -> str | None:
    cores, threads = number(manifest, "hardware", "cores"), number(manifest, "threads")
    memory, gpus = number(manifest, "hardware", "memory_gb"), entry(manifest, "hardware", "gpus")
    return _joined(
        part
        for part in (
            text(manifest, "hardware", "system"),
            text(manifest, "hardware", "processor"),
            f"{forms.whole(cores)} cores" if cores else None,
            f"{forms.whole(threads)} threads used" if threads else None,
            f"{forms.plain(memory)} GB memory" if memory else None,
            *(str(gpu) for gpu in (gpus if isinstance(gpus, list) else [])),
        )
        if part
    )


def _versions(manifest: Mapping[str, Any]) -> str | None:
    found = entry(manifest, "versions")
    return _joined(f"{name} {version}" for name, version in found.items()) if isinstance(found, Mapping) else None


def _joined(parts: Iterable[str]) -> str | None:
    return ", ".join(parts) or None
