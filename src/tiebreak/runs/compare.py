"""Runs side by side: what differs in their recipes, how their metrics compare, and whether they may be compared.

Reads recipes and manifests; runs that are not finished, or of which a part is missing, are compared as far as they go.
Which metrics are compared, and which way is better, stands in `metrics`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tiebreak.errors import InputError
from tiebreak.formatting import numbers
from tiebreak.metrics import ACCURACY, LOSS, Better, Metric, metric_named, shown_in
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.intervals import Interval, intervals
from tiebreak.runs.manifest import Manifest
from tiebreak.runs.metrics_file import last_step
from tiebreak.tasks import TASKS


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

    def written(self) -> tuple[str, ...]:
        """The values as text; what is no text is as in JSON."""
        return tuple(v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in self.values)


@dataclass(frozen=True)
class ComparedMetric:
    """A metric of each run.

    Attributes:
        values: in the order of the runs; None where it was not measured.
        best: index of the best run; None where no way is better, or fewer than two can be compared.
        intervals: the 95% intervals of the values; None where there is none.
    """

    name: str
    values: tuple[float | None, ...]
    best: int | None
    intervals: tuple[Interval | None, ...]

    @property
    def differs(self) -> bool:
        """Whether not all runs have the same value; two that are not finite are the same."""
        return len({value if value is None or math.isfinite(value) else "not finite" for value in self.values}) > 1

    def written(self) -> tuple[str, ...]:
        """The values as people read them, with their intervals."""
        metric = metric_named(self.name)
        pairs = zip(self.values, self.intervals, strict=True)
        return tuple(
            metric.format(value) if interval is None else numbers.with_interval(value, interval)
            for value, interval in pairs
        )


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        runs: the runs, in the order given.
        settings: the keys of their recipes that differ.
        metrics: final metrics that at least one run has.
        notes: why metrics cannot be compared directly, if so.
    """

    runs: tuple[Summary, ...]
    settings: tuple[Setting, ...]
    metrics: tuple[ComparedMetric, ...]
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What the runs are called: by their names, or by their paths where two have the same name."""
        names = tuple(run.name for run in self.runs)
        return names if len(set(names)) == len(names) else tuple(run.path for run in self.runs)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def summarize(run: RunFolder) -> Summary:
    """A run on one line; a run whose manifest cannot be read is one with the status `damaged`."""
    try:
        manifest, status = run.load_manifest(), None
    except (InputError, OSError):
        manifest, status = Manifest(), "damaged"
    return Summary(
        name=run.path.name or str(run.path),
        path=str(run.path),
        status=status or manifest.status or "not begun",
        model=(manifest.model.name if manifest.model else None) or None,
        data=(manifest.data.source if manifest.data else None) or None,
        step=last_step(run.metrics_path),
        steps=manifest.length.steps if manifest.length else None,
        accuracy=manifest.final(ACCURACY.recorded),
        loss=manifest.final(LOSS.recorded),
        created=manifest.created or None,
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
    manifests = [run.load_manifest() for run in runs]
    settings = differing([run.recipe().model_dump(by_alias=True, mode="json") for run in runs])
    changed = {setting.key for setting in settings}
    one_loss = not any(key.startswith("objective.") for key in changed)
    same_scale = one_loss and len({manifest.task for manifest in manifests}) == 1
    metrics = [_compared(metric, manifests, same_scale) for metric, _ in shown_in("compare")]
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


def _compared(metric: Metric, manifests: Sequence[Manifest], same_scale: bool) -> ComparedMetric:
    """Losses and margins of one objective with one beta can be ranked; of different ones they cannot."""
    values = tuple(manifest.final(metric.recorded) for manifest in manifests)
    better = metric.better if same_scale or not metric.own_scale else None
    found = tuple(intervals(manifest, "after").get(metric.recorded) for manifest in manifests)
    return ComparedMetric(metric.recorded, values, _best(values, better), found)


def _best(values: Sequence[float | None], better: Better | None) -> int | None:
    ranked = [(value, i) for i, value in enumerate(values) if value is not None and value == value]
    if better is None or len({value for value, _ in ranked}) < 2:
        return None
    return (max if better == "higher" else min)(ranked, key=lambda pair: pair[0])[1]


def _notes(manifests: Sequence[Manifest], same_scale: bool) -> list[str]:
    def differs(part: Callable[[Manifest], Hashable]) -> bool:
        return len({part(manifest) for manifest in manifests}) > 1

    notes = []
    if any(manifest.status != "finished" for manifest in manifests):
        notes.append("Not all of these runs are finished.")
    if differs(lambda run: (run.data.fingerprint, run.data.held_out) if run.data else (None, None)):
        tasks = {manifest.task for manifest in manifests}
        rows = TASKS[tasks.pop()].examples if len(tasks) == 1 else "rows"
        notes.append(f"The runs used different data, so their held-out figures are not of the same {rows}.")
    if differs(lambda run: run.model.fingerprint if run.model else None):
        notes.append("The runs began from different models: accuracy, margin and win rate are each against its own.")
    if not same_scale:
        notes.append("The objectives differ, so losses and margins are on different scales and are not ranked.")
    if differs(lambda run: (run.hardware, run.threads)):
        notes.append("The runs ran on different machines, so their times are not comparable.")
    return notes
