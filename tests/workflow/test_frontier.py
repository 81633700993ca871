"""Models as points: the win rate of the first judge by KL, refused in time where there is no such point."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tiebreak.cli.main import app
from tiebreak.errors import InputError
from tiebreak.generation.generate import Sampling
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.recipe import judge_from_flag
from tiebreak.workflow.frontier import check_frontier, frontier
from tiebreak.workflow.judging import AnswersQuestion, evaluate_answers

BASE = "bundled:base"
JUDGES = (judge_from_flag("python:judge_of_frontier:length"), judge_from_flag("bundled"))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two models, the second further from the bundled one."""
    folder = tmp_path_factory.mktemp("others")
    for name, size in (("near", 0.02), ("far", 0.5)):
        model = load_model(BASE)
        torch.manual_seed(0)
        with torch.no_grad():
            for weights in model.parameters():
                weights.add_(size * weights.std() * torch.randn_like(weights))
        model.save_pretrained(folder / name)
        load_tokenizer(BASE).save_pretrained(folder / name)
    return str(folder / "near"), str(folder / "far")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    names = ("France", "Italy", "Peru", "Japan", "Kenya", "Spain", "Norway", "Chile")
    Path("prompts.txt").write_text("\n".join(f"What is the capital of {name}?" for name in names))
    Path("judge_of_frontier.py").write_text("def length(prompt, answer):\n    return len(answer)\n")


def asked(*models: str) -> AnswersQuestion:
    return AnswersQuestion(
        models, "prompts.txt", BASE, JUDGES, sampling=Sampling(1.0, max_new_tokens=12, seed=1), kl=True
    )


def test_points_are_the_first_judges_win_rate_by_kl(others: tuple[str, str]) -> None:
    question = asked(*others)
    check_frontier(question)
    found = evaluate_answers(question)
    drawn = frontier(found)
    assert (drawn.reference, drawn.against) == ("base", "base")
    assert [point.name for point in drawn.points] == ["near", "far"]
    for point, one, measured in zip(drawn.points, found.compared, found.kl, strict=True):
        assert one.judgements[0].win_rate is not None
        assert measured.found is not None
        assert (point.kl, point.win_rate) == (measured.found.value, one.judgements[0].win_rate.value)
    assert drawn.points[0].kl.high < drawn.points[1].kl.low
    apart = replace(found, kl=(found.kl[0], replace(found.kl[1], fingerprint="of another")))
    with pytest.raises(InputError, match="from different references"):
        frontier(apart)
    nowhere = replace(found, kl=(found.kl[0], replace(found.kl[1], found=None)))
    with pytest.raises(InputError, match="no KL that is a number"):
        frontier(nowhere)
    with pytest.raises(InputError, match="no win rate"):
        frontier(replace(found, compared=tuple(replace(one, judgements=()) for one in found.compared)))
    with pytest.raises(InputError, match="needs the KL of each model"):
        frontier(replace(found, kl=()))


def test_a_question_without_a_picture_is_refused_first(others: tuple[str, str]) -> None:
    question = asked(*others)
    with pytest.raises(InputError, match="none is named"):
        check_frontier(replace(question, against=None))
    with pytest.raises(InputError, match="by a judge"):
        check_frontier(replace(question, judges=()))


def test_names_that_end_alike_are_written_whole(others: tuple[str, str], tmp_path: Path) -> None:
    found = evaluate_answers(asked(*others))
    first, second = found.compared
    second = replace(second, answers=replace(second.answers, model="elsewhere/near"))
    names = [point.name for point in frontier(replace(found, compared=(first, second))).points]
    assert names == [others[0], "elsewhere/near"]


def test_the_command_draws_and_shows(others: tuple[str, str]) -> None:
    flags = ["evaluate", *others, "--against", BASE, "--prompts", "prompts.txt", "--max-new-tokens", "12"]
    judge = ["--judge", "python:judge_of_frontier:length", "--frontier-out", "frontier.svg"]
    shown = CliRunner().invoke(app, [*flags, *judge])
    assert shown.exit_code == 0, shown.output
    assert Path("frontier.svg").read_text().startswith("<svg")
    for word in (f"KL of {others[1]} from {BASE}, on answers at temperature 1", "standard error", "nats a token"):
        assert word in shown.stdout
    refused = CliRunner().invoke(app, [*flags, *judge])
    assert isinstance(refused.exception, InputError)
    assert "exists" in str(refused.exception)
    found = json.loads(CliRunner().invoke(app, [*flags, *judge, "--force", "--json"]).stdout)["answers"]
    assert [each["reference"] for each in found["kl"]] == [BASE, BASE]
    assert found["kl"][0]["kl"]["value"]["value"] < found["kl"][1]["kl"]["value"]["value"]
    assert found["compared"][0]["plain_text"]["paragraphs"] == 20
    assert found["compared"][0]["changes"][-1]["name"] == "perplexity of plain text"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--frontier-out", "a.gif"], "is no picture"),
        (["--frontier-out", "a.png", "--judge", "bundled"], "none is named"),
        (["--frontier-out", "a.png", "--against", "other/model"], "by a judge"),
        (["--kl"], "nothing to measure its KL from"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence_before_any_model_is_loaded(flags: list[str], sentence: str) -> None:
    found = CliRunner().invoke(app, ["evaluate", "no/such-model", "--prompts", "prompts.txt", *flags])
    assert isinstance(found.exception, InputError)
    assert sentence in str(found.exception)
