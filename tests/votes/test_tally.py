"""The tally: counts and scores of each model; the strengths behind them are as by hand, at the mode, finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.votes.made import answer, vote
from tiebreak.votes.count import tally
from tiebreak.votes.strengths import PRIOR_SD, bradley_terry
from tiebreak.votes.tally import POINTS
from tiebreak.votes.vote import Vote


def _game(number: int, left: str, right: str, verdict: str) -> Vote:
    return vote(number, left=answer("l", left), right=answer("r", right), verdict=verdict)


def test_games_are_counted_for_each_model_on_either_side() -> None:
    votes = [
        _game(0, "a", "b", "left"),
        _game(1, "b", "a", "left"),
        _game(2, "b", "a", "right"),
        _game(3, "a", "c", "tie"),
        _game(4, "c", "b", "both_bad"),
        _game(5, "a", "a", "left"),
        vote(6, withdrawn=True),
    ]
    found = tally(votes)
    counts = {each.model: (each.games, each.wins, each.losses, each.ties, each.both_bad) for each in found.standings}
    assert counts == {"a": (4, 2, 1, 1, 0), "b": (4, 1, 2, 0, 1), "c": (2, 0, 0, 1, 1)}
    assert [each.model for each in found.standings] == ["a", "c", "b"]
    assert (found.votes, found.same_model) == (6, 1)


def test_nothing_is_a_tally_of_nothing() -> None:
    found = tally([])
    assert (found.standings, found.votes, found.agreement.share) == ((), 0, None)


def test_a_tie_and_both_bad_are_half_a_win_for_each() -> None:
    ties = tally([_game(0, "a", "b", "tie"), _game(1, "a", "b", "both_bad"), _game(2, "a", "b", "left")])
    halves = bradley_terry(np.array([[0.0, 2.0], [1.0, 0.0]]))
    assert ties.standings[0].score == pytest.approx(1000 + POINTS * halves.values[0])


def test_a_model_that_won_everything_stays_finite_and_uncertain() -> None:
    few = tally([_game(i, "a", "b", "left") for i in range(3)]).standings[0]
    many = tally([_game(i, "a", "b", "left") for i in range(300)]).standings[0]
    assert 1000 < few.score < many.score < 2500
    assert few.low < 1000 < many.low
    extreme = bradley_terry(np.array([[0.0, 1e7], [0.0, 0.0]]))
    assert np.isfinite(extreme.values).all()
    assert np.isfinite(extreme.errors).all()


def test_the_same_name_with_other_weights_is_another_model() -> None:
    new, old = answer("x", "run", fingerprint="2"), answer("y", "run", fingerprint="1")
    found = tally([vote(i, left=new, right=old) for i in range(4)])
    assert [(each.model, each.fingerprint, each.wins) for each in found.standings] == [("run", "2", 4), ("run", "1", 0)]


def test_two_models_score_as_computed_by_hand() -> None:
    """Three wins of four: log-odds ln 3, half of it on either side of the mean; error 1 / sqrt(4 · 3/4 · 1/4) / 2."""
    fit = bradley_terry(np.array([[0.0, 3.0], [1.0, 0.0]]), prior_sd=1e4)
    assert fit.values == pytest.approx([math.log(3) / 2, -math.log(3) / 2], abs=1e-6)
    assert fit.errors == pytest.approx([math.sqrt(4 / 3) / 2] * 2, abs=1e-6)


def test_the_scores_are_where_the_posterior_has_no_slope() -> None:
    wins = np.random.default_rng(3).integers(0, 9, (5, 5)).astype(float)
    np.fill_diagonal(wins, 0)
    values = bradley_terry(wins).values

    def log_posterior(at: NDArray[np.float64]) -> float:
        return float(-(wins * np.log1p(np.exp(at[None, :] - at[:, None]))).sum() - (at**2).sum() / (2 * PRIOR_SD**2))

    for direction in np.eye(5):
        slope = (log_posterior(values + 1e-4 * direction) - log_posterior(values - 1e-4 * direction)) / 2e-4
        assert slope == pytest.approx(0, abs=1e-5)
    assert values.sum() == pytest.approx(0, abs=1e-8)


def test_simulated_votes_give_back_the_strengths_within_their_intervals() -> None:
    """Of 300 simulated tallies of five models, the 95% intervals hold the truth in about 95% of cases."""
    draw = np.random.default_rng(0)
    truth = np.array([1.2, 0.5, 0.0, -0.5, -1.2])
    chance = 1 / (1 + np.exp(truth[None, :] - truth[:, None]))
    inside = []
    for _ in range(300):
        wins = np.zeros((5, 5))
        for i in range(5):
            for j in range(i):
                wins[i, j] = draw.binomial(30, chance[i, j])
                wins[j, i] = 30 - wins[i, j]
        fit = bradley_terry(wins)
        inside.append(np.abs(fit.values - truth) < 1.96 * fit.errors)
    assert 0.93 < np.mean(inside) < 0.97
