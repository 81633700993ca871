"""Runs side by side: what differs in their recipes, how their figures compare, and whether they may be compared.

Reads recipes and manifests; runs that are not finished, or of which a part is missing, are compared as far as they go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.errors import InputError
from tiebreak.runs.entries import as_number, entry, is_supervised, number, text

if TYPE_CHECKING:
    from tiebreak.runs.folder import RunFolder

_TAIL = 1 << 16  # bytes: many lines of metrics, and little to read of a long run
# What is compared: the name in JSON, where it stands in a manifest, and which way is better.
METRICS: tuple[tuple[str, tuple[str, ...], Literal["higher", "lower"] | None], ...] = (
    ("eval_rewards/accuracies", ("after", "eval_rewards/accuracies"), "higher"),
    ("eval_rewards/margins", ("after", "eval_rewards/margins"), None),  # grows with beta
    ("eval_loss", ("after", "eval_loss"), None),  # each objective has its own scale
    ("eval_logps/accuracies", ("after", "eval_logps/accuracies"), "higher"),
    ("judge.pass_rate", ("judge", "after", "pass_rate"), "higher"),
    ("judge.win_rate", ("judge", "win_rate", "value"), "higher"),
    ("train_seconds", ("timings", "train"), "lower"),
)


@dataclass(frozen=True)
class Summary:
    """A run on one line; None is what is not known.

    Attributes:
        step: the last step that was logged.
        steps: how many the whole run has.
        accuracy, loss: on held-out data, after training.
        created: when it began, as ISO text.
    """

    name: str
    path: str
    status: str
    model: str | None
    data: str | None
    step: int | None
    steps: int | None
    accuracy: float | None
    loss: float | None
    created: str | None


@dataclass(frozen=True)
class Setting:
    """A key of the recipe with its value in each run."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Metric:
    """A figure of each run.

    Attributes:
        values: in the order of the runs; None where it was not measured.
        best: index of the best run; None where no way is better, or fewer than two can be compared.
    """

    name: str
    values: tuple[float | None, ...]
    best: int | None


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        runs: the runs, in the order given.
        settings: the keys of their recipes that differ.
        metrics: final figures that at least one run has.
        notes: why figures cannot be compared directly, if so.
    """

    runs: tuple[Summary, ...]
    settings: tuple[Setting, ...]
    metrics: tuple[Metric, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def summarize(run: RunFolder) -> Summary:
    """A run on one line; a run that cannot be read is one with the status `damaged`."""
    try:
        manifest = run.manifest()
    except (InputError, OSError):
        manifest = {"status": "damaged"}
    steps = number(manifest, "length", "steps")
    return Summary(
        name=run.path.name or str(run.path),
        path=str(run.path),
        status=text(manifest, "status") or "not begun",
        model=text(manifest, "model", "name"),
        data=text(manifest, "data", "source"),
        step=_last_step(run.metrics_path),
        steps=None if steps is None else int(steps),
        accuracy=number(manifest, "after", "eval_rewards/accuracies"),
        loss=number(manifest, "after", "eval_loss"),
        created=text(manifest, "created"),
    )


def compare(runs: Sequence[RunFolder]) -> Comparison:
    """Put runs side by side.

    Args:
        runs: at least two.
    Returns:
        What differs between them.
    Raises:
        InputError: fewer than two runs, or one whose recipe or manifest cannot be read.
    """
    if len(runs) < 2:
        raise InputError("A comparison needs at least two runs.", fix="`tiebreak runs list` names them")
    manifests = [run.manifest() for run in runs]
    settings = differing([run.recipe().model_dump(by_alias=True, mode="json") for run in runs])
    changed = {setting.key for setting in settings}
    one_loss = not any(key.startswith("objective.") for key in changed)
    same_scale = one_loss and len({is_supervised(each) for each in manifests}) == 1
    metrics = [
        _metric(name, [number(manifest, *keys) for manifest in manifests], better or _if_same_scale(name, same_scale))
        for name, keys, better in METRICS
    ]
    return Comparison(
        runs=tuple(summarize(run) for run in runs),
        settings=settings,
        metrics=tuple(metric for metric in metrics if any(value is not None for value in metric.values)),
        notes=tuple(_notes(manifests, same_scale)),
    )


def differing(documents: Sequence[Mapping[str, Any]]) -> tuple[Setting, ...]:
    """The dotted keys whose values are not the same in all documents; None where a document has no such key."""
    flat = [_flat(document) for document in documents]
    keys = dict.fromkeys(key for each in flat for key in each)
    found = (Setting(key, tuple(each.get(key) for each in flat)) for key in keys)
    return tuple(setting for setting in found if any(value != setting.values[0] for value in setting.values))


def _flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _if_same_scale(name: str, same_scale: bool) -> Literal["higher", "lower"] | None:
    """Losses and margins of one objective with one beta can be ranked; of different ones they cannot."""
    if not same_scale:
        return None
    return "lower" if name == "eval_loss" else "higher"


def _metric(name: str, values: Sequence[float | None], better: Literal["higher", "lower"] | None) -> Metric:
    ranked = [(value, i) for i, value in enumerate(values) if value is not None and value == value]
    best = None
    if better is not None and len({value for value, _ in ranked}) > 1:
        best = (max if better == "higher" else min)(ranked, key=lambda pair: pair[0])[1]
    return Metric(name, tuple(values), best)


def _notes(manifests: Sequence[Mapping[str, Any]], same_scale: bool) -> list[str]:
    def differs(*keys: str) -> bool:
        return len({json.dumps(entry(manifest, *keys)) for manifest in manifests}) > 1

    notes = []
    if any(text(manifest, "status") != "finished" for manifest in manifests):
        notes.append("Not all of these runs are finished.")
    if differs("data", "fingerprint") or differs("data", "held_out"):
        notes.append("The runs used different data, so their held-out figures are not of the same pairs.")
    if differs("model", "fingerprint"):
        notes.append("The runs began from different models: accuracy, margin and win rate are each against its own.")
    if not same_scale:
        notes.append("The objectives differ, so losses and margins are on different scales and are not ranked.")
    if differs("hardware") or differs("threads"):
        notes.append("The runs ran on different machines, so their times are not comparable.")
    return notes


def _last_step(path: Path) -> int | None:
    """The last logged step, from the end of the file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            row = json.loads(line)
        except ValueError:  # cut off by a kill, or by where reading began
            continue
        step = as_number(row.get("step")) if isinstance(row, dict) else None
        if step is not None:
            return int(step)
    return None
