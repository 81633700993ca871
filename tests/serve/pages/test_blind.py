"""What is drawn for a comparison: models, sides, seeds, and the vote's id; and how it goes on."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.serve.pages.engine_double import BASE, OTHER, RUN
from tiebreak.serve.generation.engine import ServedModel
from tiebreak.serve.pages.blind import (
    DrawnComparison,
    drawn_models,
    going_on,
    new_comparison,
    requests_of,
    sign,
    vote_on,
)
from tiebreak.serve.pages.sampling_settings import MAX_SEED, SamplingSettings
from tiebreak.serve.pages.streaming import Draft
from tiebreak.votes.checks import check_vote
from tiebreak.votes.tally import Games
from tiebreak.votes.vote import Verdict

SAMPLING = SamplingSettings(system=None, temperature=0.7, top_p=1.0, max_tokens=20, seed=None)
HELLO = (("user", "Hello"),)
MODELS = (RUN, BASE, OTHER)


def _answered(comparison: DrawnComparison, left: str = "One", right: str = "Two") -> DrawnComparison:
    comparison.drafts = [Draft(text, True, "stop", 4) for text in (left, right)]
    sign(comparison)
    return comparison


def _new(sampling: SamplingSettings = SAMPLING, draws: Random | None = None) -> DrawnComparison:
    return new_comparison(HELLO, (RUN, BASE), sampling, draws or Random(0))


def test_each_model_stands_left_about_half_of_the_time() -> None:
    draws = Random(0)
    left = [_new(draws=draws).models[0].name for _ in range(400)]
    assert 160 < left.count("tern-run") < 240


@pytest.mark.parametrize("chosen", [None, 0, 7, MAX_SEED])
@pytest.mark.parametrize("models", [(RUN, BASE), (RUN, RUN)], ids=["two", "one-twice"])
def test_both_sides_draw_seeds_of_their_own_whatever_a_voter_chose(
    chosen: int | None, models: tuple[ServedModel, ServedModel]
) -> None:
    draws = Random(0)
    sampling = SamplingSettings(None, 0.7, 1.0, 20, chosen)
    seeds = []
    for _ in range(50):
        comparison = new_comparison(HELLO, models, sampling, draws)
        one, other = (request.seed for request in requests_of(comparison, draws))
        assert one is not None
        assert other is not None
        assert one != other
        assert 0 <= min(one, other) <= max(one, other) <= MAX_SEED
        seeds += [one, other]
    assert len(set(seeds)) == 100
    assert chosen not in seeds


def test_a_vote_says_what_was_asked_with_the_system_prompt_and_can_be_kept() -> None:
    comparison = _answered(_new(SamplingSettings("Be brief.", 0.5, 0.9, 20, 4)))
    vote = vote_on(comparison, "left", " because ", "  ", "v-someone")
    check_vote(vote)
    assert vote.id == comparison.vote_id
    assert vote.prompt == (("system", "Be brief."), ("user", "Hello"))
    assert (vote.reason, vote.edited) == ("because", None)
    assert [request.system for request in requests_of(comparison, Random(0))] == ["Be brief."] * 2


def test_there_is_no_vote_and_no_going_on_without_two_whole_answers() -> None:
    for call in (lambda: vote_on(_new(), "left", "", "", "key"), lambda: going_on(_new(), "And?", Random(0))):
        with pytest.raises(ValueError, match="without two whole answers"):
            call()
    half = _new()
    half.drafts = [Draft("One", True, "stop", 1), Draft("Tw", True, None, 1)]
    sign(half)
    assert not half.whole


def test_before_the_vote_each_side_goes_on_from_its_own_answer_and_stays_where_it_is() -> None:
    first = _answered(_new())
    second = going_on(first, "And then?", Random(1))
    assert (second.models, second.prompt) == (first.models, HELLO)
    assert second.vote_id != first.vote_id
    asked = [[turn.content for turn in request.turns] for request in requests_of(second, Random(0))]
    assert asked == [["Hello", "One", "And then?"], ["Hello", "Two", "And then?"]]
    third = going_on(_answered(second, "Three", "Four"), "More?", Random(2))
    vote = vote_on(_answered(third, "Five", "Six"), "right", "", "", "v-someone")
    check_vote(vote)
    assert [turn[1] for turn in vote.left.turns] == ["One", "And then?", "Three", "More?", "Five"]
    assert [turn[1] for turn in vote.right.turns] == ["Two", "And then?", "Four", "More?", "Six"]


@pytest.mark.parametrize(
    ("verdict", "edited", "common"),
    [("left", "", {"One"}), ("right", "", {"Two"}), ("tie", "", {"One", "Two"}), ("both_bad", "Best", {"Best"})],
)
def test_after_the_vote_both_go_on_from_the_better_answer_and_change_sides_by_a_new_draw(
    verdict: Verdict, edited: str, common: set[str]
) -> None:
    draws, left, said = Random(0), Counter[str](), set()
    for _ in range(100):
        first = _answered(_new(draws=draws))
        first.vote = vote_on(first, verdict, "", edited, "v-someone")
        second = going_on(first, "And then?", draws)
        assert second.before == ((), ())
        assert second.prompt[0] == HELLO[0]
        assert second.prompt[-1] == ("user", "And then?")
        said.add(second.prompt[1][1])
        left[f"{second.models[0] == first.models[0]}"] += 1
    assert said == common
    assert 30 < left["True"] < 70


def test_uniform_draws_every_pair_as_often_and_one_model_meets_itself() -> None:
    draws = Random(0)
    drawn = Counter(frozenset(m.name for m in drawn_models(MODELS, {}, "uniform", draws)) for _ in range(600))
    assert len(drawn) == 3
    assert all(150 < number < 250 for number in drawn.values())
    assert drawn_models((RUN,), {}, "uniform", draws) == (RUN, RUN)
    assert drawn_models((RUN,), {}, "least-known", draws) == (RUN, RUN)


def test_least_known_is_the_pair_with_the_widest_difference_of_scores() -> None:
    run, base, other = ((model.name, model.fingerprint) for model in MODELS)
    draws = Random(0)
    games: Games = {(run, base, "left"): 30, (base, run, "left"): 30, (run, other, "tie"): 4}
    drawn = {frozenset(model.name for model in drawn_models(MODELS, games, "least-known", draws)) for _ in range(20)}
    assert drawn == {frozenset({"tern-base", "plover"})}
    before: Games = {
        (run, ("gone", "f"), "left"): 900,
        (("gone", "f"), base, "left"): 900,
    }  # known by a model not served
    drawn = {frozenset(model.name for model in drawn_models(MODELS, before, "least-known", draws)) for _ in range(40)}
    assert frozenset({"tern-run", "tern-base"}) not in drawn
    nothing = {frozenset(model.name for model in drawn_models(MODELS, {}, "least-known", draws)) for _ in range(60)}
    assert len(nothing) == 3
