"""The table of published recipes is of recipes that this program could run."""

from __future__ import annotations

from tiebreak.doctor.published import PUBLISHED, published_for
from tiebreak.tasks import TASKS


def test_ranges_are_ranges_and_have_sources() -> None:
    for each in PUBLISHED:
        assert 0 < each.rates[0] <= each.rates[1] < 1e-4
        assert each.betas is None or 0 < each.betas[0] <= each.betas[1]
        assert 0 < each.billions[0] <= each.billions[1]
        assert each.source
    assert len({each.name for each in PUBLISHED}) == len(PUBLISHED)


def test_the_default_rate_of_whole_weights_is_within_what_was_published() -> None:
    known = published_for("pairs with a reference", "whole")
    assert min(each.rates[0] for each in known) <= TASKS["preference"].learning_rate <= max(e.rates[1] for e in known)
    assert published_for("length-normalised", "adapter") == ()
