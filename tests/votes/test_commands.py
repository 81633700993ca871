"""`tiebreak votes`: results on stdout, talk on stderr, JSON where it is asked for; text is text."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.votes.made import answer, said, vote
from tiebreak.cli.votes import app
from tiebreak.errors import InputError
from tiebreak.votes import open_votes
from tiebreak.votes.export import csv_row
from tiebreak.votes.pairs import training_rows
from tiebreak.votes.vote import Vote

VOTES = [
    said("left", "ann", 0, edited="better"),
    said("left", "bob", 1),
    said("tie", "ann", 2, "C", "D"),
    vote(3, left=answer("=1+1\n\x1b[31mred [bold]x[/bold]", "third"), right=answer("b", "[red]m\x07"), voter="cid"),
]


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def filled(url: str) -> str:
    """The address of a store with votes."""
    with open_votes(url) as store:
        for each in VOTES:
            store.add(each)
        store.add(vote(4, voter="gone"))
        store.withdraw(vote(4).id)
    return url


def test_list_shows_the_newest_first_with_control_characters_made_visible(filled: str) -> None:
    result = call("list", filled)
    assert result.exit_code == 0, result.output
    assert result.stdout.index(VOTES[3].id) < result.stdout.index(VOTES[0].id)
    assert vote(4).id not in result.stdout
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout
    assert "[bold]x[/bold]" in result.stdout


def test_list_as_json_gives_whole_votes_back(filled: str) -> None:
    found = [Vote.from_row(row) for row in json.loads(call("list", filled, "--json").stdout)]
    assert found == VOTES[::-1]
    assert "\\u001b" in call("list", filled, "--json").stdout


def test_list_is_narrowed_by_model_verdict_and_limit(filled: str) -> None:
    def ids(*words: str) -> list[str]:
        return [row["id"] for row in json.loads(call("list", filled, "--json", *words).stdout)]

    assert ids("--model", "third") == [VOTES[3].id]
    assert ids("--verdict", "tie") == [VOTES[2].id]
    assert ids("--limit", "2") == [VOTES[3].id, VOTES[2].id]
    assert "newest 1 of 4" in call("list", filled, "--limit", "1").stderr
    assert isinstance(call("list", filled, "--verdict", "up").exception, InputError)
    nothing = call("list", filled, "--model", "nobody")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "no such votes" in nothing.stderr


def test_export_writes_every_vote_that_counts_as_json_lines(filled: str, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    result = call("export", filled, str(target))
    assert result.stdout == f"wrote 4 votes to {target}\n"
    assert [Vote.from_row(json.loads(line)) for line in target.read_text().splitlines()] == VOTES
    again = call("export", filled, str(target))
    assert isinstance(again.exception, InputError)
    assert call("export", filled, str(target), "--force").exit_code == 0
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_export_as_csv_makes_no_formula(filled: str, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    assert call("export", filled, str(target)).exit_code == 0
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows == [csv_row(each) for each in VOTES]
    assert rows[3]["left_text"].startswith("'=1+1\n")
    assert rows[0]["winner"] == "base"
    assert rows[0]["prompt"] == "user: Question?"


def test_export_of_pairs_writes_the_rows_to_train_on(filled: str, tmp_path: Path) -> None:
    target = tmp_path / "rows.jsonl"
    result = call("export", filled, str(target), "--pairs", "--json")
    assert json.loads(result.stdout) == {"file": str(target), "rows": 4, "left_out": {"a tie": 1}}
    assert [json.loads(line) for line in target.read_text().splitlines()] == training_rows(VOTES)[0]
    assert "left out 1: a tie" in call("export", filled, str(target), "--pairs", "--force").stderr


@pytest.mark.parametrize(
    "words", [("out.txt",), ("rows.csv", "--pairs"), ("nowhere/out.jsonl",)], ids=["ending", "pairs", "folder"]
)
def test_export_to_what_is_not_written_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    open_votes(str(tmp_path / "votes.db")).close()
    result = call("export", str(tmp_path / "votes.db"), str(tmp_path / words[0]), *words[1:])
    assert isinstance(result.exception, InputError)


def test_stats_shows_scores_and_agreement(filled: str) -> None:
    result = call("stats", filled)
    assert result.exit_code == 0, result.output
    assert "95% interval" in result.stdout
    assert "100.0% of 1 cases, on 1 comparisons" in result.stdout
    told = json.loads(call("stats", filled, "--json").stdout)
    assert told["votes"] == 4
    assert {each["model"] for each in told["standings"]} == {"base", "tuned", "third", "[red]m\x07"}
    assert told["agreement"] == {"share": 1.0, "pairs": 1, "comparisons": 1}


def test_stats_of_an_empty_store_say_so(tmp_path: Path) -> None:
    open_votes(str(tmp_path / "votes.db")).close()
    result = call("stats", str(tmp_path / "votes.db"))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no votes" in result.stderr


def test_withdraw_takes_one_vote_or_all_of_a_voter(filled: str) -> None:
    assert call("withdraw", filled, "--id", VOTES[3].id).stdout == "withdrew 1 vote\n"
    assert call("withdraw", filled, "--id", VOTES[3].id).stdout == "withdrew 0 votes\n"
    assert json.loads(call("withdraw", filled, "--voter", "ann", "--json").stdout) == {"withdrawn": 2}
    with open_votes(filled) as store:
        assert [each.id for each in store.every()] == [VOTES[1].id]
    for words in ((), ("--voter", "ann", "--id", VOTES[0].id)):
        assert isinstance(call("withdraw", filled, *words).exception, InputError)
    assert isinstance(call("withdraw", filled, "--id", "f" * 32).exception, InputError)


def test_the_command_line_refuses_with_exit_code_2_and_without_the_password(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tiebreak", "votes", "list", f"postgresql://u:topsecret@/x?host={tmp_path}"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2
    assert "cannot be reached" in done.stderr
    assert "topsecret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
