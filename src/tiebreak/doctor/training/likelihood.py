"""Likelihood displacement: the margin grows while chosen completions become less likely, slower than rejected ones.

Some of it is usual in DPO on real pairs, so it is a note; it is a warning where chosen completions lose more than the
margin gains, or half of their log-prob and more.
"""

from __future__ import annotations

from dataclasses import dataclass

from tiebreak.doctor.advice import lower_rate
from tiebreak.doctor.curves import beginning, ending
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding
from tiebreak.doctor.log import Curve, TrainingLog
from tiebreak.doctor.objective import from_reference
from tiebreak.metrics import HELD_OUT, MARGIN

_CHOSEN, _LOGP = "rewards/chosen", "logps/chosen"


@dataclass(frozen=True)
class _Move:
    """How far a metric went: from where training starts, or from the first it says, to its end."""

    name: str
    at: float
    start: float
    end: float
    error: float

    @property
    def fall(self) -> float:
        return self.start - self.end


def likelihood_displacement(facts: Facts) -> Finding | None:
    """Chosen reward or log-prob falls while the margin grows."""
    log = facts.log
    if log is None:
        return None
    prefix = HELD_OUT if log.evaluated(_CHOSEN) or log.evaluated(_LOGP) else ""
    margin = _reward(facts, log, prefix + MARGIN.name)
    chosen = _reward(facts, log, prefix + _CHOSEN)
    logp = _log_prob(facts, log, prefix)
    gained = -margin.fall if margin is not None else 0.0
    if margin is not None and gained <= max(0.01, 3 * margin.error):
        return None
    if chosen is not None:
        fell = chosen.fall > max(0.1 * gained, 3 * chosen.error, 0.01)
        over = chosen.fall >= gained
    elif logp is not None and margin is not None:
        fell, over = logp.fall > max(1.0, 3 * logp.error), False
    else:
        return None
    if not fell or margin is None:
        return None
    halved = logp is not None and logp.fall > max(0.5 * abs(logp.start), 1.0, 3 * logp.error)
    severe = over or halved
    figures = [log.figure(move.name, move.at, move.end) for move in (chosen, logp, margin) if move is not None]
    if logp is not None:
        figures.insert(-1, Figure("log-prob before training", logp.start, log.figure(logp.name, 0, logp.start).written))
    return Finding(
        name="likelihood-displacement",
        severity="warning" if severe else "note",
        title="chosen completions become less likely, too",
        evidence=tuple(figures),
        means="The loss asks only that chosen gains on rejected, and both may fall. What becomes likelier instead is "
        "neither: other answers, which may be worse than both.",
        change={"objective.add.nll": "0.2", **lower_rate(facts)},
        advice=(
            "`objective.name: dpop` forbids that chosen falls below the reference.",
            "Pairs whose completions are nearly the same do most of this: drop them.",
        ),
        source="Razin et al. 2024, arXiv 2410.08847; dpop: Pal et al. 2024, arXiv 2402.13228.",
        sure="possible" if not severe else "likely" if facts.known_objective is None else "certain",
    )


def _reward(facts: Facts, log: TrainingLog, name: str) -> _Move | None:
    """A reward's way, which begins at zero under an objective with a reference."""
    curve = log.curve(name)
    if not curve:
        return None
    end = ending(curve)
    if from_reference(facts):
        return _Move(name, end.at, 0.0, end.value, end.error)
    return _between(name, curve)


def _between(name: str, curve: Curve) -> _Move | None:
    if len(curve) < 2:
        return None
    start, end = beginning(curve), ending(curve)
    return _Move(name, end.at, start.value, end.value, start.error + end.error)


def _log_prob(facts: Facts, log: TrainingLog, prefix: str) -> _Move | None:
    """The way of the chosen log-prob, from before training where that can be worked out.

    A reward is beta times how far its log-prob is from the reference's, so two rows give beta, and one the start.
    """
    curve, rewards = log.curve(prefix + _LOGP), log.curve(prefix + _CHOSEN)
    moved = _between(prefix + _LOGP, curve)
    if not from_reference(facts) or not prefix or len(curve) < 2 or curve.at != rewards.at:
        return moved
    far, near = curve.values[-1], curve.values[0]
    if abs(far - near) < 1:
        return moved
    beta = (rewards.values[-1] - rewards.values[0]) / (far - near)
    if not 1e-3 < beta < 20:
        return moved
    return _Move(prefix + _LOGP, curve.at[-1], far - rewards.values[-1] / beta, far, 0.0)
