"""Reading a manifest of which any part may be missing or of another kind than expected.

Knows that a manifest is nested mappings; knows nothing of what the entries mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def entry(manifest: Mapping[str, Any], *keys: str) -> Any:
    """What stands under nested keys; None where a key is missing."""
    found: Any = manifest
    for key in keys:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def text(manifest: Mapping[str, Any], *keys: str) -> str | None:
    """A text under nested keys; None where there is none, or an empty one."""
    found = entry(manifest, *keys)
    return found if isinstance(found, str) and found else None


def number(manifest: Mapping[str, Any], *keys: str) -> float | None:
    """A number under nested keys, NaN and infinity included; None where there is none."""
    return as_number(entry(manifest, *keys))


def as_number(value: object) -> float | None:
    """A value as a float; None where it is no number, or one too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def interval(manifest: Mapping[str, Any], *keys: str) -> tuple[float, float] | None:
    """A pair of numbers under nested keys; None where there is none."""
    found = entry(manifest, *keys)
    if not isinstance(found, list | tuple) or len(found) != 2:
        return None
    low, high = as_number(found[0]), as_number(found[1])
    return None if low is None or high is None else (low, high)


def counts(manifest: Mapping[str, Any], *keys: str) -> dict[str, int]:
    """Counts by reason under nested keys, largest first; empty where there are none."""
    found = entry(manifest, *keys)
    if not isinstance(found, Mapping):
        return {}
    whole = {str(k): v for k, v in found.items() if isinstance(v, int) and not isinstance(v, bool) and v}
    return dict(sorted(whole.items(), key=lambda item: (-item[1], item[0])))


def state(manifest: Mapping[str, Any]) -> str | None:
    """How far the run came: its status, where a run whose last figures are recorded counts as finished.

    The report and the model card are written before the run can call itself finished.
    """
    status = text(manifest, "status")
    return "finished" if status == "running" and "after" in manifest else status


def with_kind(manifest: Mapping[str, Any], objective: str) -> dict[str, Any]:
    """The manifest with its `kind`, from the objective of the recipe where it does not say itself."""
    return {"kind": "supervised" if objective == "supervised" else "preference", **manifest}


def is_supervised(manifest: Mapping[str, Any]) -> bool:
    """Whether the run imitated demonstrations: what the manifest says, else what was measured on held-out data."""
    kind = text(manifest, "kind")
    if kind is not None:
        return kind == "supervised"
    sides = [entry(manifest, side) for side in ("before", "after")]
    measured = [name for side in sides if isinstance(side, Mapping) for name in side]
    return bool(measured) and not any("rewards/" in name for name in measured)
