"""Numbers that are not finite, gradients that jump, a learning rate that never came down."""

from __future__ import annotations

import math

import pytest

from tests.doctor.made import facts_of, noisy
from tiebreak.doctor.training.stability import gradient_spikes, not_finite, warmup_longer_than_run


@pytest.mark.parametrize("name", ["loss", "eval_loss", "rewards/chosen", "eval_logps/rejected"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_a_stop(name: str, value: float) -> None:
    finding = not_finite(facts_of({name: [(10, 0.6), (20, value), (30, value)], "grad_norm": [(10, 1.0)]}))
    assert finding is not None
    assert (finding.severity, finding.evidence[0].step) == ("stop", 20)
    assert finding.to_json()["evidence"][0]["value"] is None


def test_a_few_gradients_that_overflow_are_usual_and_many_are_not() -> None:
    for lost, expected in ((2, None), (20, "warning")):
        norms = [(step, math.inf if step <= lost else 1.0) for step in range(1, 101)]
        finding = not_finite(facts_of({"grad_norm": norms, "loss": [(1, 0.69), (100, 0.6)]}))
        assert (finding.severity if finding else None) == expected
    assert not_finite(facts_of({"loss": [(1, 0.69)]})) is None


def _norms(spikes: tuple[int, ...]) -> list[tuple[float, float]]:
    usual = noisy(3, [1.0] * 100, 0.1)
    return [(at, 40.0 if index in spikes else value) for index, (at, value) in enumerate(usual)]


def test_spikes_are_a_note_and_a_warning_where_the_loss_stays_higher() -> None:
    calm = noisy(4, [0.6 - 0.002 * i for i in range(100)], 0.01)
    worse = [(at, value + (0.5 if at >= 510 else 0)) for at, value in calm]
    assert gradient_spikes(facts_of({"grad_norm": _norms((50,)), "loss": calm})) is None
    several = gradient_spikes(facts_of({"grad_norm": _norms((20, 50, 80)), "loss": calm}))
    assert several is not None
    assert several.severity == "note"
    harmful = gradient_spikes(facts_of({"grad_norm": _norms((50,)), "loss": worse}))
    assert harmful is not None
    assert (harmful.severity, harmful.evidence[0].step) == ("warning", 510)


def test_a_gradient_that_falls_or_rises_steadily_has_no_spike() -> None:
    for norms in ([5 * 0.93**i for i in range(100)], [0.1 * 1.05**i for i in range(100)], [0.0] * 100):
        assert gradient_spikes(facts_of({"grad_norm": noisy(5, norms, 0.0)})) is None


def test_a_learning_rate_that_still_rises_at_the_end() -> None:
    rising = [(10.0 * i, 1e-8 * i) for i in range(1, 11)]
    finding = warmup_longer_than_run(facts_of({"learning_rate": rising}, planned=100))
    assert finding is not None
    assert (finding.severity, finding.sure) == ("warning", "certain")
    assert warmup_longer_than_run(facts_of({"learning_rate": rising}, planned=1000)) is None  # it goes on
    assert warmup_longer_than_run(facts_of({"learning_rate": [(at, 1e-6) for at, _ in rising]})) is None
    assert warmup_longer_than_run(facts_of({"learning_rate": [*rising, (110, 5e-8)]})) is None
