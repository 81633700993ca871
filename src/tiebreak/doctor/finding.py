"""A finding: what is wrong, the figures that show it, what they mean, what to change, and how sure that is.

Knows how one is written as JSON and which comes first; knows no rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tiebreak.formatting import numbers

Severity = Literal["stop", "warning", "note"]
"""`stop`: nothing can come of the run as it is. `warning`: something is probably wrong. `note`: worth knowing, or the
evidence is within its interval."""
Sure = Literal["certain", "likely", "possible"]
"""`certain`: it follows from the figures. `likely`: that is what they mostly mean. `possible`: they can mean it."""

SEVERITIES: tuple[Severity, ...] = ("stop", "warning", "note")
"""The most severe first."""


@dataclass(frozen=True)
class Figure:
    """A number that a finding rests on.

    Attributes:
        what: its name in words: a metric, a recipe's key, a count.
        value: the number.
        written: as people read it.
        step, epoch: where in the run it was logged, where that is known.
    """

    what: str
    value: float
    written: str
    step: float | None = None
    epoch: float | None = None

    @property
    def text(self) -> str:
        """`held-out loss 1.8479 at step 1,000`."""
        where = position(self.step, self.epoch)
        return f"{self.what} {self.written}" + (f" at {where}" if where else "")

    def to_json(self) -> dict[str, Any]:
        """As plain values; a number that is not finite is null."""
        value = self.value if math.isfinite(self.value) else None
        return {"what": self.what, "value": value, "written": self.written, "step": self.step, "epoch": self.epoch}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a run, or worth knowing.

    Attributes:
        name: stable, in kebab case; the heading of its paragraph in docs/doctor.md.
        severity: how much it matters.
        title: in a few words.
        evidence: the figures that show it.
        means: two sentences: what happens, and why that matters.
        change: what to set, by recipe key, each value as it is written in a recipe.
        advice: what to do that is no key, a sentence each.
        source: the paper or the measurement that it rests on.
        sure: how sure it is.
    """

    name: str
    severity: Severity
    title: str
    evidence: tuple[Figure, ...]
    means: str
    source: str
    sure: Sure
    change: Mapping[str, str] = field(default_factory=dict)
    advice: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """All of it on one line: name, title, figures."""
        figures = self.figures_text
        return f"{self.severity} {self.name}: {self.title}" + (f" ({figures})" if figures else "")

    @property
    def figures_text(self) -> str:
        """The evidence on one line."""
        return "; ".join(figure.text for figure in self.evidence)

    @property
    def flags(self) -> tuple[str, ...]:
        """What to change as flags of `tiebreak train`."""
        return tuple(f"--set {key}={value}" for key, value in self.change.items())

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "name": self.name,
            "severity": self.severity,
            "title": self.title,
            "evidence": [figure.to_json() for figure in self.evidence],
            "means": self.means,
            "change": dict(self.change),
            "advice": list(self.advice),
            "source": self.source,
            "sure": self.sure,
        }


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most severe first; of one severity as they came."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def at_least(findings: Iterable[Finding], severity: Severity) -> tuple[Finding, ...]:
    """Those that are as severe as that, or more."""
    bound = SEVERITIES.index(severity)
    return tuple(finding for finding in findings if SEVERITIES.index(finding.severity) <= bound)


def position(step: float | None, epoch: float | None) -> str:
    """`step 1,000`, `epoch 1.5`, or nothing where neither is known."""
    if step is not None:
        return f"step {numbers.whole(step)}"
    return "" if epoch is None else f"epoch {numbers.plain(epoch)}"
