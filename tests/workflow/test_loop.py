"""The circle, with the bundled judge as the voter: turns, what is accepted and why, going back, being cut off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import SMALL, small_recipe
from tiebreak.bundled.vote import cast_votes
from tiebreak.errors import InputError
from tiebreak.models.load import load_model, locate
from tiebreak.runs import RunFolder
from tiebreak.runs.loop import LoopFolder
from tiebreak.votes import open_votes
from tiebreak.workflow.loop import LoopSettings, take_turn

RECIPE: dict[str, Any] = {
    "data__limit": 200,
    "data__eval_limit": 60,
    "train__max_steps": None,
    "train__epochs": 2,
    "train__batch_size": 16,
    "train__learning_rate": 3e-4,
    "train__eval_every": None,
    "train__save_every": None,
    "objective__beta": 1.0,
    "evaluate__judge": "auto",
    "evaluate__judge_prompts": 60,
    "evaluate__max_new_tokens": 48,
}


@pytest.fixture(autouse=True)
def _cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(cache))


def _circle(tmp_path: Path, **more: Any) -> LoopSettings:
    given = {"recipe": small_recipe(**RECIPE), "accept": "not-worse", **more}
    return LoopSettings(tmp_path / "loop", str(tmp_path / "votes.db"), **given)


ENOUGH = {"data__eval_limit": 220, "evaluate__judge_prompts": 220}  # for the rule `better`


@pytest.mark.journey
def test_three_turns_raise_the_pass_rate(tmp_path: Path) -> None:
    recipe = small_recipe(**{**RECIPE, **ENOUGH})
    circle, votes = _circle(tmp_path, recipe=recipe, accept="better"), str(tmp_path / "votes.db")
    model, rates = "bundled:base", list[float]()
    for number in range(3):
        cast_votes(model, votes, count=120, seed=number)
        turn = take_turn(circle if number == 0 else LoopSettings(circle.folder, votes))
        assert turn is not None
        assert turn.number == number + 1
        assert turn.pairs > 0
        assert turn.base == 200
        assert (tmp_path / "loop" / turn.model / "report.html").is_file()
        assert turn.pass_rate is not None
        rates.append(turn.pass_rate)
        model = str(circle.folder)
        if turn.outcome == "accepted":
            assert turn.low > 0.5
            assert LoopFolder(circle.folder).current() == str(circle.folder / turn.model)
    first = json.loads((tmp_path / "loop/turn-1/run/manifest.json").read_text())["judge"]["before"]["pass_rate"]
    assert first + 0.1 < rates[0]
    assert first + 0.2 < rates[2]
    assert min(rates[1:]) > rates[0] - 0.03  # near the top, a turn may fall within its interval
    assert LoopFolder(circle.folder).turns()[0].outcome == "accepted"


def test_a_loop_is_a_model_wherever_one_is_named_and_goes_back(tmp_path: Path) -> None:
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=40, seed=0)
    circle = _circle(tmp_path, recipe=small_recipe(**{**RECIPE, "train__epochs": 0.2}), accept="always")
    turn = take_turn(circle)
    assert turn is not None
    assert turn.outcome == "accepted"
    assert locate(str(circle.folder)).source == str(circle.folder / turn.model / "model")
    assert load_model(str(circle.folder)).num_parameters() > 0
    loop = LoopFolder(circle.folder)
    assert loop.roll_back() == "bundled:base"
    assert locate(str(circle.folder)) == locate("bundled:base")
    with pytest.raises(InputError, match="nothing to roll back"):
        loop.roll_back()


@pytest.mark.journey
def test_a_model_that_is_no_better_is_not_accepted(tmp_path: Path) -> None:
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=40, seed=0)
    recipe = small_recipe(**{**RECIPE, **ENOUGH, "train__learning_rate": 1e-12, "train__epochs": 0.2})
    turn = take_turn(_circle(tmp_path, recipe=recipe, accept="better"))
    assert turn is not None
    assert turn.outcome == "rejected"
    assert "not clear of one half" in turn.why
    assert LoopFolder(tmp_path / "loop").current() == "bundled:base"


@pytest.mark.journey
@pytest.mark.parametrize(("rate", "outcome"), [(3e-4, "accepted"), (1e-12, "rejected")])
def test_without_a_judge_held_out_pairs_decide(tmp_path: Path, rate: float, outcome: str) -> None:
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=40, seed=0)
    settings = {"train__learning_rate": rate, "train__epochs": 1, "evaluate__judge": "none"}
    circle = _circle(tmp_path, recipe=small_recipe(**{**RECIPE, **ENOUGH, **settings}), accept="better")
    turn = take_turn(circle)
    assert turn is not None
    assert turn.measure == "accuracy_difference"
    assert turn.outcome == outcome
    assert "held-out accuracy 50.0% to" in turn.why  # the first model is its own reference
    if outcome == "accepted":
        assert turn.low > 0
        cast_votes("bundled:base", str(tmp_path / "votes.db"), count=20, seed=1)
        following = take_turn(LoopSettings(circle.folder, circle.votes))
        assert following is not None
        before = float(following.why.split("held-out accuracy ")[1].split("%")[0])
        assert before == pytest.approx(100 * (0.5 + turn.value), abs=0.06)  # against the same reference as before


def test_a_mistyped_address_of_the_votes_is_an_error_and_begins_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        take_turn(_circle(tmp_path))
    assert not (tmp_path / "loop").exists()
    assert not (tmp_path / "votes.db").exists()


def test_too_few_held_out_prompts_begin_nothing(tmp_path: Path) -> None:
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=4, seed=0)
    with pytest.raises(InputError, match="Too few held-out prompts"):
        take_turn(_circle(tmp_path, accept="better"))
    assert not (tmp_path / "loop").exists()


@pytest.mark.journey
def test_votes_that_were_withdrawn_hide_none_that_came_since(tmp_path: Path) -> None:
    votes = str(tmp_path / "votes.db")
    cast_votes("bundled:base", votes, count=40, seed=0)
    circle = _circle(tmp_path, recipe=small_recipe(**{**RECIPE, "train__epochs": 0.2}))
    first = take_turn(circle)
    assert first is not None
    with open_votes(votes) as store:
        for id in [vote.id for vote in store.every()][:30]:
            store.withdraw(id)
    assert take_turn(circle) is None  # what went is nothing new
    cast_votes("bundled:base", votes, count=5, seed=1)
    second = take_turn(circle)
    assert second is not None
    assert second.votes == 15
    assert take_turn(circle) is None


@pytest.mark.journey
def test_a_turn_uses_rows_as_the_recipe_says(tmp_path: Path) -> None:
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=40, seed=0)
    recipe = small_recipe(
        **{**RECIPE, "train__epochs": 0.2, "data__min_chars": 2, "data__max_chars": 5000, "data__seed": 3}
    )
    assert take_turn(_circle(tmp_path, recipe=recipe)) is not None
    data = RunFolder.open(tmp_path / "loop/turn-1/run").recipe().data
    assert (data.min_chars, data.max_chars, data.seed, data.limit) == (2, 5000, 3, None)


@pytest.mark.journey
def test_without_new_votes_there_is_no_turn(tmp_path: Path) -> None:
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=40, seed=0)
    circle = _circle(tmp_path, recipe=small_recipe(**{**RECIPE, "train__epochs": 0.2}))
    assert take_turn(circle) is not None
    assert take_turn(circle) is None
    assert len(LoopFolder(circle.folder).turns()) == 1


@pytest.mark.journey
def test_a_turn_that_was_cut_off_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=40, seed=0)
    circle = _circle(tmp_path, recipe=small_recipe(**{**RECIPE, "train__epochs": 0.2}))
    with monkeypatch.context() as cut:
        cut.setattr(LoopFolder, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            take_turn(circle)
    data = (tmp_path / "loop/turn-1/data.jsonl").read_bytes()
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=40, seed=1)  # come too late for this turn
    turn = take_turn(circle)
    assert turn is not None
    assert turn.number == 1
    assert turn.votes == 40
    assert (tmp_path / "loop/turn-1/data.jsonl").read_bytes() == data


@pytest.mark.journey
def test_votes_alone_are_enough(tmp_path: Path) -> None:
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=60, seed=0)
    recipe = small_recipe(**{**RECIPE, "train__epochs": 0.5})
    turn = take_turn(_circle(tmp_path, recipe=recipe, votes_only=True))
    assert turn is not None
    assert turn.base == 0
    rows = (tmp_path / "loop/turn-1/data.jsonl").read_text().splitlines()
    assert len(rows) == turn.pairs


@pytest.mark.journey
def test_two_at_once_are_refused(tmp_path: Path) -> None:
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=40, seed=0)
    circle = _circle(tmp_path, recipe=small_recipe(**{**RECIPE, "train__epochs": 0.2}))
    take_turn(circle)
    with LoopFolder(circle.folder).locked(), pytest.raises(InputError, match="Another process"):
        take_turn(circle)


def test_a_loop_needs_held_out_pairs(tmp_path: Path) -> None:
    cast_votes("bundled:base", str(tmp_path / "votes.db"), count=4, seed=0)
    with pytest.raises(InputError, match="needs held-out pairs"):
        take_turn(_circle(tmp_path, recipe=small_recipe(**{**RECIPE, "data__eval_fraction": 0.0})))
    assert SMALL["data.source"] == "bundled:preferences"
