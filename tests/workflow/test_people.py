"""People as a judge: what is put to them and what is not, and how their votes become verdicts; to the command's end."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import gradio as gr
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from tests.serve.pages.engine_double import EngineDouble
from tests.votes.made import answering
from tiebreak.cli.main import app
from tiebreak.data.preference import Message
from tiebreak.errors import InputError
from tiebreak.evaluate.judges import Comparison
from tiebreak.evaluate.win_rate import win_rate
from tiebreak.generation.sampling import Sampling
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.serve.generation.loading import find_models, load_found
from tiebreak.serve.pages.compare import ComparePage
from tiebreak.serve.pages.context import PageContext, Session
from tiebreak.serve.settings import PageSettings
from tiebreak.votes import open_votes
from tiebreak.votes.open_comparison import OpenComparison, key_of
from tiebreak.votes.open_comparisons import Waiting
from tiebreak.votes.vote import Verdict, Vote
from tiebreak.votes.voters import new_voter
from tiebreak.workflow.answers import SampledAnswers
from tiebreak.workflow.judging import AnswersQuestion, estimate, evaluate_answers
from tiebreak.workflow.people import Author, People, Put, open_for_people, people_for, served_name
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.prompts import AskedPrompt

BASE = "bundled:base"
HI = (Message("user", "Hi"),)
TUNED, PLAIN = Author("tuned", "t1", {"temperature": 1.0, "seed": 1}), Author("base", "b1", {"temperature": 1.0})


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def people(url: str = "votes.db") -> People:
    """The people who vote in a store."""
    return People(url, key_of("an evaluation"), TUNED, PLAIN)


def different(many: int) -> list[Comparison]:
    """Comparisons of different answers to different prompts."""
    return [Comparison((Message("user", f"Question {n}"),), f"good {n}", f"bad {n}") for n in range(many)]


def questions(url: str = "votes.db") -> list[OpenComparison]:
    """What is open, by its prompt."""
    found, passed = [], set[str]()
    with open_votes(url, create=False) as store:
        for _ in range(store.open_comparisons.waiting(None).comparisons):
            each = store.open_comparisons.next(None, passed, Random(0))
            assert each is not None
            passed.add(each.id)
            found.append(each)
    return sorted(found, key=lambda each: each.prompt)


def cast(each: OpenComparison, better: str, voter: str, **changes: Any) -> Vote:
    """A vote for a model, a tie or both bad, the answers standing as they were stored."""
    side = {each.first.model: "left", each.second.model: "right"}.get(better, better)
    return answering(each, side, voter, **changes)


def test_votes_become_verdicts_ties_halves_and_several_voters_their_mean(url: str) -> None:
    asked = different(6)
    before = people(url).compare(asked)
    assert (before.points, before.waiting, dict(before.notes)) == ((None,) * 6, 6, {})
    assert win_rate(before.points, [0] * 6) is None
    open_ones = questions(url)
    with open_votes(url) as store:
        for each, said in zip(open_ones, ("tuned", "base", "tie", "both_bad"), strict=False):
            store.add(cast(each, said, "ann"))
        for voter in ("bob", "cid"):
            store.add(cast(open_ones[0], "base" if voter == "cid" else "tuned", voter))
    after = people(url).compare(asked)
    assert after.points == (2 / 3, 0.0, 0.5, 0.5, None, None)
    assert (after.waiting, dict(after.notes)) == (2, {"votes": 6, "voters": 3})
    found = win_rate(after.points, [0] * 6)
    assert found is not None
    assert (found.wins, found.losses, found.ties, found.not_judged) == (1, 1, 2, 2)
    assert found.value.value == pytest.approx((2 / 3 + 0 + 0.5 + 0.5) / 4)


def test_votes_that_were_withdrawn_or_corrected_leave_their_comparison_waiting() -> None:
    asked = different(3)
    people().compare(asked)
    with open_votes("votes.db") as store:
        votes = [cast(each, "tuned", "ann") for each in questions()]
        store.add_all(votes)
        store.withdraw(votes[0].id)
        store.correct(votes[1].id, verdict="tie")
    found = people().compare(asked)
    assert (found.points, found.waiting) == ((None, None, 1.0), 2)


def test_the_same_comparisons_with_the_models_turned_round_have_the_turned_verdicts() -> None:
    asked = different(2)
    people().compare(asked)
    with open_votes("votes.db") as store:
        store.add_all(cast(each, "tuned", "ann") for each in questions())
    turned = replace(people(), first=PLAIN, second=TUNED)
    assert turned.compare([Comparison(each.prompt, each.second, each.first) for each in asked]).points == (0.0, 0.0)
    with open_votes("votes.db") as store:
        assert store.open_comparisons.waiting(None) == Waiting(2, 0)


def test_equal_answers_are_ties_without_asking_once_the_first_vote_is_there() -> None:
    asked = [*different(1), Comparison(HI, "Same.", " Same.\n")]
    assert people().compare(asked).points == (None, None)
    assert len(questions()) == 1
    with open_votes("votes.db") as store:
        store.add(cast(questions()[0], "base", "ann"))
    found = people().compare(asked)
    assert found.points == (0.0, 0.5)
    assert found.notes["equal answers, a tie without asking"] == 1
    nothing_to_ask = people().compare(asked[1:])
    assert (nothing_to_ask.points, nothing_to_ask.waiting) == ((0.5,), 0)
    assert people().compare([]).points == ()


def test_what_people_cannot_see_or_a_vote_cannot_hold_is_not_put_to_them_and_said() -> None:
    called = Message("assistant", "", tool_calls='[{"name": "f"}]')
    asked = [
        *different(1),
        Comparison(HI, "a", "b", tools='[{"name": "f"}]'),
        Comparison((*HI, called, Message("tool", "3")), "a", "b"),
        Comparison((*HI, Message("assistant", "Hello.")), "a", "b"),
        Comparison(HI, "a\0", "b"),
        Comparison((), "a", "b"),
    ]
    found = people().compare(asked)
    assert (found.points, found.waiting) == ((None,) * 6, 1)
    assert len(questions()) == 1
    assert found.notes["prompts with tools, not put to people"] == 2
    assert [name for name in found.notes if "NUL character" in name and name.startswith("not put to people: ")]
    assert sum(found.notes.values()) == 5


def test_the_same_comparison_twice_is_asked_once_and_judged_twice() -> None:
    asked = different(1) * 2
    assert people().compare(asked).waiting == 2
    with open_votes("votes.db") as store:
        store.add(cast(questions()[0], "tuned", "ann"))
    assert people().compare(asked).points == (1.0, 1.0)


def test_a_password_is_in_no_record() -> None:
    pytest.importorskip("psycopg")
    record = people("postgresql://ann:hunter2@db.example.org/votes").record
    assert "hunter2" not in json.dumps(dict(record))
    assert "db.example.org" in record["votes"]


def _sampled(model: str, fingerprint: str) -> SampledAnswers:
    return SampledAnswers(model, ("a",), (True,), (1,), ((1,),), ((2,),), 0, 1, 0, {"fingerprint": fingerprint})


def test_an_evaluation_is_known_by_prompts_models_and_sampling() -> None:
    asked, drawing = [AskedPrompt(HI)], Sampling(0.7, max_new_tokens=8, seed=1)
    one, other = _sampled("x/one", "f1"), _sampled("x/other", "f2")
    key = people_for("v.db", asked, one, other, drawing).evaluation
    assert people_for("v.db", asked, other, one, drawing).evaluation == key
    assert key not in {
        people_for("v.db", [AskedPrompt(HI, tools="[]")], one, other, drawing).evaluation,
        people_for("v.db", [*asked, AskedPrompt((Message("user", "Ho"),))], one, other, drawing).evaluation,
        people_for("v.db", asked, _sampled("x/one", "f3"), other, drawing).evaluation,
        people_for("v.db", asked, one, other, replace(drawing, seed=2)).evaluation,
    }


def test_models_are_called_as_the_server_calls_them() -> None:
    Path("runs/mine").mkdir(parents=True)
    Path("runs/mine/recipe.yaml").write_text("model: gpt2\n")
    assert [served_name(name) for name in ("runs/mine", BASE, "/srv/models/tern")] == ["mine", BASE, "tern"]
    found = people_for("v.db", [], _sampled("/a/tern", "f1"), _sampled("/b/tern", "f2"), Sampling(top_k=5))
    assert (found.first.model, found.second.model) == ("tern-2", "tern")
    assert found.first.sampling == {"temperature": 0.7, "top_p": 1.0, "max_tokens": 128, "seed": 0, "top_k": 5}


# What follows is sampled from models.

ASKED = ["What is the capital of France?", "What is the capital of Italy?", "Say hello.", "Name a bird."]
FLAGS = ["--against", BASE, "--prompts", "prompts.txt", "--max-new-tokens", "8", "--votes", "votes.db"]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that answers otherwise."""
    folder = tmp_path_factory.mktemp("models") / "other"
    model = load_model(BASE)
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.3 * weights.std() * torch.randn_like(weights))
    model.save_pretrained(folder)
    load_tokenizer(BASE).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def prompts(tmp_path: Path) -> None:
    Path("prompts.txt").write_text("\n".join(ASKED))
    Path("judge_of_test.py").write_text("def length(prompt, answer):\n    return len(answer)\n")


def call(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_answers_go_to_the_page_and_the_same_command_reads_the_verdicts(other: str, prompts: None) -> None:
    judged = [*FLAGS, "--judge", "python:judge_of_test:length"]
    first = call("evaluate", other, *judged)
    assert first.exit_code == 0, first.output
    assert "there were no votes in votes.db: a new store was made" in first.stderr
    waiting = len(questions())
    assert waiting == len(ASKED)
    assert f"{waiting} of {len(ASKED)} comparisons" in first.stdout
    assert f"{waiting} comparisons wait in votes.db: tiebreak serve {other} --votes votes.db" in first.stdout
    assert "kappa" not in first.stdout

    again = call("evaluate", other, *judged)
    assert "new store" not in again.stderr
    assert len(questions()) == waiting

    key = new_voter()
    with open_votes("votes.db") as store, gr.Blocks():
        # A server of other models, which generates nothing for this.
        engine = EngineDouble()
        context = PageContext(engine, store, Path("runs"), PageSettings(), Random(0))
        page = ComparePage(context, gr.State(Session()), gr.BrowserState(None))
        session = Session()
        for number in range(waiting):
            asyncio.run(page.show_waiting(session, key))
            shown = session.comparison
            assert shown is not None
            assert shown.left is not None
            side: Verdict = "left" if shown.left.model == "other" else "right"
            asyncio.run(page.vote(session, "both_bad" if number == 0 else side, key, None, None))
        assert engine.requests == []
        assert store.count() == waiting

    found = call("evaluate", other, *judged, "--json", "--answers-out", "answers.jsonl")
    (one,) = json.loads(found.stdout)["answers"]["compared"]
    by_people, by_length = one["judges"]
    assert (by_people["name"], by_people["waiting"], by_people["judge"]["votes"]) == ("people", 0, "votes.db")
    assert by_people["notes"] == {"votes": waiting, "voters": 1}
    wins = by_people["win_rate"]
    assert (wins["wins"], wins["ties"], wins["losses"], wins["not_judged"]) == (waiting - 1, 1, 0, 0)
    assert wins["value"]["value"] == (waiting - 0.5) / waiting
    assert by_length["waiting"] == 0
    assert one["agreement"]["comparisons"] == waiting
    rows = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert sorted(row[f"people: {other} verdict"] for row in rows) == [0.5, *[1.0] * (waiting - 1)]
    shown = call("evaluate", other, *judged).stdout
    assert "judge: people" in shown
    assert "wait in votes.db" not in shown


def test_votes_say_which_models_as_the_server_does(other: str, prompts: None) -> None:
    question = AnswersQuestion((other,), "prompts.txt", BASE, votes="votes.db", most=1, sampling=Sampling(1.0, seed=1))
    evaluate_answers(question)
    (each,) = questions()
    served = [load_found(found).served for found in find_models([other, BASE])]
    assert {(side.model, side.fingerprint) for side in (each.first, each.second)} == {
        (model.name, model.fingerprint) for model in served
    }


def test_a_dry_run_says_how_many_at_most_and_makes_no_store(prompts: None) -> None:
    shown = call("evaluate", "no/such-model", *FLAGS, "--judge", "bundled", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "people: at most 4 comparisons to vote on" in shown.stdout
    as_json = json.loads(call("evaluate", "no/such-model", *FLAGS, "--dry-run", "--json").stdout)
    assert as_json == {"judges": [{"name": "people", "cost": {"comparisons": 4}}]}
    question = AnswersQuestion(("a", "b"), "prompts.txt", BASE, votes="votes.db")
    assert estimate(question) == [("people", Put(8))]
    assert not Path("votes.db").exists()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--prompts", "prompts.txt", "--votes", "votes.db"], "People compare two answers, and there is one model"),
        (["--against", BASE, "--prompts", "prompts.txt", "--votes", "nowhere/votes.db"], "no folder 'nowhere'"),
        (["--against", BASE, "--prompts", "prompts.txt", "--votes", "mysql://x"], "names something else"),
        (["--against", BASE, "--prompts", "prompts.txt", "--votes", "folder"], "This is a folder"),
        (["--against", BASE, "--votes", "votes.db"], "nothing to measure on"),
        (["--against", BASE, "--prompts", "prompts.txt", "--judge", "votes:votes.db"], "people are asked by"),
    ],
)
def test_what_is_wrong_is_a_sentence_before_any_model_is_loaded(flags: list[str], sentence: str, prompts: None) -> None:
    Path("folder").mkdir()
    found = call("evaluate", "no/such-model", *flags)
    assert isinstance(found.exception, InputError)
    assert sentence in str(found.exception)
    assert not Path("votes.db").exists()


def test_the_library_refuses_the_same(prompts: None) -> None:
    with pytest.raises(InputError, match="People compare two answers"):
        evaluate_answers(AnswersQuestion(("a",), "prompts.txt", votes="votes.db"))
    with pytest.raises(InputError, match="People compare two answers"):
        estimate(AnswersQuestion(("a",), "prompts.txt", votes="votes.db"))


def test_only_a_new_store_is_announced() -> None:
    said = StringIO()
    for _ in range(2):
        open_for_people("votes.db", Progress(Console(file=said, width=200)))
    assert said.getvalue() == "there were no votes in votes.db: a new store was made\n"
    assert Path("votes.db").is_file()
