"""`tiebreak votes`: results on stdout, notes on stderr, JSON where it is asked for; text is text."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.votes.made import EVALUATION, START, answer, answering, asked, compared, vote
from tiebreak.cli.votes import app
from tiebreak.errors import InputError
from tiebreak.votes import open_votes
from tiebreak.votes.export import csv_row
from tiebreak.votes.pairs import training_rows
from tiebreak.votes.vote import OPERATOR, Vote
from tiebreak.votes.voters import voter_of

VOTES = [
    compared("left", "ann", 0, edited="better"),
    compared("left", "bob", 1),
    compared("tie", "ann", 2, "C", "D"),
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
    assert json.loads(result.stdout) == {"file": str(target), "rows": 4, "dropped": {"a tie": 1}}
    assert [json.loads(line) for line in target.read_text().splitlines()] == training_rows(VOTES)[0]
    assert "dropped 1: a tie" in call("export", filled, str(target), "--pairs", "--force").stderr


@pytest.mark.parametrize(
    "words", [("out.txt",), ("rows.csv", "--pairs"), ("nowhere/out.jsonl",)], ids=["extension", "pairs", "folder"]
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
    found = json.loads(call("stats", filled, "--json").stdout)
    assert found["votes"] == 4
    assert {each["model"] for each in found["standings"]} == {"base", "tuned", "third", "[red]m\x07"}
    assert found["agreement"] == {"share": 1.0, "pairs": 1, "comparisons": 1}
    assert "3 voters; the busiest (ann) cast 50.0% of the votes." in result.stdout
    assert "Left won 100.0% of 3 votes for a side" in result.stdout
    assert found["voters"]["top"][0] == {"voter": "ann", "votes": 2}
    assert (found["position"]["left"], found["position"]["right"], found["corrected"]) == (3, 0, 0)


def test_a_corrected_vote_is_marked_and_left_out_unless_asked_for(filled: str, tmp_path: Path) -> None:
    with open_votes(filled) as store:
        store.correct(VOTES[3].id, verdict="right", by="v-steward")
    plain = call("stats", filled)
    assert "Left out: 1 vote" in plain.stderr
    assert json.loads(call("stats", filled, "--json").stdout)["votes"] == 3
    assert json.loads(call("stats", filled, "--corrected", "--json").stdout)["votes"] == 4
    assert call("export", filled, str(tmp_path / "all.jsonl")).exit_code == 0
    row = json.loads((tmp_path / "all.jsonl").read_text().splitlines()[3])
    assert (row["unblind"], row["corrections"][0]["by"], row["corrections"][0]["verdict"]) == (
        True,
        "v-steward",
        "left",
    )
    assert row["corrections"][0]["until"] > row["time"]
    call("export", filled, str(tmp_path / "all.csv"))
    assert "v-steward" in (tmp_path / "all.csv").read_text()
    found = [
        json.loads(call("export", filled, str(tmp_path / name), "--pairs", "--json", *words).stdout)
        for name, words in (("plain.jsonl", ()), ("asked.jsonl", ("--corrected",)))
    ]
    assert found[0]["dropped"] == {"a tie": 1, "the verdict was corrected after the models were named": 1}
    assert [each["rows"] for each in found] == [3, 4]


def test_an_export_is_imported_once_into_a_store_that_need_not_be_there(filled: str, tmp_path: Path) -> None:
    file, other = str(tmp_path / "out.jsonl"), str(tmp_path / "other.db")
    call("export", filled, file)
    first = call("import", other, file)
    assert first.exit_code == 0, first.output
    assert "imported 4 votes" in first.stdout
    assert json.loads(call("import", other, file, "--json").stdout) == {"added": 0, "there": 4, "dropped": {}}
    with open_votes(other) as store:
        assert list(store.every()) == VOTES


def test_import_without_a_store_goes_where_serve_keeps_votes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIEBREAK_DATA", str(tmp_path / "data"))
    Path("rows.csv").write_text("prompt,answer_a,answer_b,winner\nQ,one,two,b\nQ,one,two,tie\n")
    result = call("import", "rows.csv")
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "data" / "votes.db") in result.stdout
    assert json.loads(call("stats", str(tmp_path / "data" / "votes.db"), "--json").stdout)["votes"] == 2


def test_import_of_a_file_that_is_not_there_makes_no_store(tmp_path: Path) -> None:
    result = call("import", str(tmp_path / "new.db"), str(tmp_path / "typo.jsonl"))
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "new.db").exists()


def test_withdraw_takes_the_key_of_a_browser_and_the_name_that_follows_from_it(url: str) -> None:
    with open_votes(url) as store:
        for number in range(2):
            store.add(vote(number, voter=voter_of("a-browser-key")))
            assert call("withdraw", url, "--voter", ("a-browser-key", voter_of("a-browser-key"))[number]).exit_code == 0
            kept = store.get(vote(number).id)
            assert kept is not None
            assert kept.withdrawn_by == OPERATOR


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


def test_open_shows_what_waits_and_closes_it_and_its_votes_stay(url: str) -> None:
    nobody = call("open", url)
    assert isinstance(nobody.exception, InputError)
    hostile = answer("x", "[red]m\x07", fingerprint="m")
    with open_votes(url) as store:
        store.open_comparisons.add_all([asked(0, first=hostile), asked(1, first=hostile)])
        store.add(answering(asked(0, first=hostile), "left", "ann"))
    shown = call("open", url)
    assert "[red]m␇ and base" in shown.stdout
    assert "\x07" not in shown.stdout
    assert shown.stdout.split()[-3:] == ["2", "1", "1"]
    assert json.loads(call("open", url, "--json").stdout) == [
        {
            "key": EVALUATION,
            "made": START.isoformat(),
            "models": ["[red]m\x07", "base"],
            "comparisons": 2,
            "unanswered": 1,
            "votes": 1,
        }
    ]
    assert isinstance(call("open", url, "--close", "x").exception, InputError)
    assert call("open", url, "--close", EVALUATION).stdout == "closed 2 comparisons\n"
    assert json.loads(call("open", url, "--close", EVALUATION, "--json").stdout) == {"closed": 0}
    empty = call("open", url)
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "No comparison is open." in empty.stderr
    (kept,) = json.loads(call("list", url, "--json").stdout)
    assert kept["comparison"] == asked(0, first=hostile).id


def test_votes_on_open_comparisons_are_listed_counted_and_exported_as_others(url: str, tmp_path: Path) -> None:
    cast = answering(asked(), "left", "ann")
    with open_votes(url) as store:
        store.open_comparisons.add_all([asked()])
        store.add(cast)
    assert json.loads(call("stats", url, "--json").stdout)["votes"] == 1
    assert call("export", url, str(tmp_path / "rows.jsonl"), "--pairs").stdout.startswith("wrote 1 rows")
    (row,) = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert (row["chosen"], row["rejected"]) == ("It is Tuesday.", "I do not know.")
    call("export", url, str(tmp_path / "votes.jsonl"))
    there = tmp_path / "there.db"
    assert call("import", str(there), str(tmp_path / "votes.jsonl")).stdout.startswith("imported 1 votes")
    with open_votes(str(there)) as store:
        assert store.open_comparisons.votes_on([asked().id]) == [cast]
    call("export", url, str(tmp_path / "votes.csv"))
    (cells,) = csv.DictReader((tmp_path / "votes.csv").read_text().splitlines())
    assert cells["comparison"] == asked().id
