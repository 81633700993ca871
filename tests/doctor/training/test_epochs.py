"""Cliffs of the training loss where epochs end."""

from __future__ import annotations

from tests.doctor.made import facts_of, noisy
from tiebreak.doctor.training.epochs import epoch_cliffs

EPOCHS = [(10 * i, i / 30) for i in range(1, 91)]


def test_a_fall_at_the_end_of_an_epoch() -> None:
    finding = epoch_cliffs(facts_of({"loss": noisy(0, [0.6] * 30 + [0.4] * 30 + [0.2] * 30, 0.03)}, epochs=EPOCHS))
    assert finding is not None
    assert finding.severity == "note"
    assert finding.change["train.epochs"] == "1"
    assert [figure.step for figure in finding.evidence] in ([300, 350], [600, 650])


def test_silent_on_a_steady_fall_on_noise_and_without_epochs() -> None:
    steady = noisy(0, [0.69 - 0.005 * i for i in range(90)], 0.03)
    wild = noisy(1, [0.5] * 90, 0.15)
    cliff = noisy(0, [0.6] * 30 + [0.3] * 60, 0.03)
    assert epoch_cliffs(facts_of({"loss": steady}, epochs=EPOCHS)) is None
    assert epoch_cliffs(facts_of({"loss": wild}, epochs=EPOCHS)) is None
    assert epoch_cliffs(facts_of({"loss": cliff})) is None
    assert epoch_cliffs(facts_of({"loss": cliff}, epochs=[(at, epoch / 10) for at, epoch in EPOCHS])) is None
    assert epoch_cliffs(facts_of({"loss": cliff[:33]}, epochs=EPOCHS[:33])) is None  # two rows are no new level
