"""`votes:URL` as a source: what voters said becomes pairs, and what makes none is in the load report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.data.files import preferences
from tests.votes.made import answer, compared, vote
from tiebreak.cli.data import app
from tiebreak.data.load import LoadedPreferences, load_demonstrations, load_preferences, load_unpaired
from tiebreak.data.preference import plain_row
from tiebreak.data.preparing.select import select
from tiebreak.data.reading.rows import NoPair, Pair
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.data.reading.vote_pairs import open_vote_pairs
from tiebreak.errors import InputError
from tiebreak.recipe import DataSection
from tiebreak.votes import open_votes
from tiebreak.votes.pairs import training_rows
from tiebreak.votes.vote import Vote

VOTES = [
    compared("tie", "ann", 0, "E", "F"),
    compared("left", "ann", 1),
    compared("left", "bob", 2),
    compared("right", "cid", 3, edited="better"),
    vote(4, prompt=(("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."), ("user", "And now?"))),
    compared("both_bad", "ann", 5, "G", "H"),
    compared("left", "ann", 6, "I", "J"),
    compared("right", "bob", 7, "I", "J"),
    compared("left", "ann", 8, "same", "same"),
    vote(9, left=answer(""), verdict="right"),
    vote(10, voter="gone", edited="withdrawn text"),
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def _filled(votes: list[Vote] = VOTES) -> None:
    with open_votes("votes.db") as store:
        for each in votes:
            store.add(each)
        store.withdraw_voter("gone")


def _load(address: str = "votes.db") -> LoadedPreferences:
    return load_preferences(SourceSpec(f"votes:{address}"))


def test_votes_come_out_as_the_rows_of_the_policy() -> None:
    _filled()
    loaded = _load()
    expected, _ = training_rows(VOTES[:-1])
    assert [plain_row(pair.to_row()) for pair in preferences(loaded)] == expected
    assert {row["weight"] for row in expected} == {1.0, 1 / 3}
    assert not any("withdrawn text" in str(row) for row in expected)


def test_what_makes_no_pair_is_counted_by_its_reason_with_the_vote_to_look_at() -> None:
    _filled()
    report = _load().report
    counts = {reason: tally.count for reason, tally in report.dropped.items()}
    assert counts == {"a tie": 1, "both bad": 1, "voters disagree evenly": 1, "both answers have the same text": 1}
    assert report.dropped["a tie"].examples == (f"votes votes.db:{VOTES[0].id}",)
    assert (report.made, report.rows) == (5, 9)
    assert report.source == "votes votes.db"


@pytest.mark.parametrize(("load", "made"), [(load_demonstrations, 5), (load_unpaired, 10)])
def test_votes_serve_the_other_tasks_with_the_same_report(
    load: Callable[[SourceSpec], LoadedPreferences], made: int
) -> None:
    _filled()
    report = load(SourceSpec("votes:votes.db")).report
    assert (report.rows, report.made) == (9, made)
    assert report.dropped == _load().report.dropped


def test_pairs_of_votes_are_typed_and_say_why_a_comparison_gives_none() -> None:
    _filled()
    source = open_vote_pairs("votes.db")
    shares: list[float] = []
    found = list(source.pairs(shares.append))
    assert [each.preference for each in found if isinstance(each, Pair)] == preferences(_load())
    reasons = [each for each in found if isinstance(each, NoPair)]
    assert reasons[0] == NoPair(f"votes votes.db:{VOTES[0].id}", "a tie")
    assert [each.reason for each in reasons] == [
        "a tie",
        "both bad",
        "voters disagree evenly",
        "both answers have the same text",
    ]
    assert shares[-1] == 1.0


def test_a_limit_counts_pairs_and_what_makes_none_and_an_empty_answer_is_noted() -> None:
    _filled()
    limited = load_preferences(SourceSpec("votes:votes.db"), max_rows=3).report
    assert (limited.rows, limited.made, limited.dropped["a tie"].count) == (3, 2, 1)
    (note,) = _load().report.notes.values()
    assert note.examples == (f"votes votes.db:{VOTES[9].id}",)


def test_the_form_of_votes_is_known_and_another_one_is_refused() -> None:
    _filled()
    assert _load().recognition.schema == "tiebreak"
    assert preferences(load_preferences(SourceSpec("votes:votes.db"), schema="tiebreak")) == preferences(_load())
    with pytest.raises(InputError, match="has pairs, not rows of the schema 'text'"):
        load_preferences(SourceSpec("votes:votes.db"), schema="text")


def test_every_change_of_the_votes_is_read_anew_and_no_change_is_not() -> None:
    _filled()
    first = _load()
    assert _load().dataset.cache_files == first.dataset.cache_files
    seen = {first.fingerprint}
    with open_votes("votes.db") as store:
        for change in (
            lambda: store.add(vote(20)),
            lambda: store.correct(VOTES[0].id, verdict="left"),
            lambda: store.withdraw(VOTES[4].id),
        ):
            change()
            seen.add(_load().fingerprint)
    assert len(seen) == 4
    assert _load().report.dropped.get("a tie") is None


def test_all_forms_of_the_address_lead_to_the_same_votes(tmp_path: Path) -> None:
    _filled()
    expected = preferences(_load())
    for address in ("sqlite:///votes.db", f"sqlite:///{tmp_path}/votes.db", str(tmp_path / "votes.db")):
        assert preferences(_load(address)) == expected


def test_a_store_that_is_empty_or_not_there_is_one_sentence() -> None:
    with pytest.raises(InputError, match="There is no file"):
        _load()
    assert not Path("votes.db").exists()
    open_votes("votes.db").close()
    with pytest.raises(InputError, match="There are no votes yet"):
        _load()
    _filled([vote(1, voter="gone")])
    with pytest.raises(InputError, match="There are no votes yet"):
        _load()


def test_votes_that_make_no_pair_at_all_say_why() -> None:
    _filled([compared("tie", "ann"), compared("both_bad", "ann", 1, "C", "D")])
    with pytest.raises(InputError, match=r"a tie \(1\); both bad \(1\)"):
        _load()


@pytest.mark.parametrize(
    "address", ["postgresql://u:topsecret@host/votes", "postgresql+psycopg://u@/votes?host=/tmp&password=topsecret"]
)
def test_a_password_in_a_source_is_refused_since_run_folders_are_shared(address: str) -> None:
    with pytest.raises(InputError, match="password") as refused:
        _load(address)
    assert "topsecret" not in str(refused.value)
    assert "PGPASSWORD" in str(refused.value)


@pytest.mark.parametrize("name", ["config", "data_dir", "split", "revision"])
def test_what_only_other_sources_have_is_refused(name: str) -> None:
    _filled()
    with pytest.raises(InputError, match=name):
        load_preferences(SourceSpec("votes:votes.db", **{name: "x"}))


def test_votes_can_be_selected_to_train_on() -> None:
    _filled()
    selection = select(_load(), DataSection(source="votes:votes.db", eval_fraction=0.3))
    assert selection.report.train + selection.report.held_out == 5
    assert selection.report.held_out > 0


def test_inspect_and_convert_take_votes() -> None:
    _filled()
    inspected = CliRunner().invoke(app, ["inspect", "votes:votes.db", "--json"])
    assert inspected.exit_code == 0, inspected.output
    assert "voters disagree evenly" in inspected.stdout
    converted = CliRunner().invoke(app, ["convert", "votes:sqlite:///votes.db", "rows.jsonl"])
    assert converted.exit_code == 0, converted.output
    assert f"dropped 1: both bad (votes votes.db:{VOTES[5].id})" in converted.stderr
    rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    assert rows == training_rows(VOTES[:-1])[0]


def test_votes_of_a_server_are_a_source_too(request: pytest.FixtureRequest) -> None:
    from tests.votes.postgres import binaries, running_server

    bin = binaries()
    if bin is None:
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    with running_server(bin) as server:
        url = server.new_database()
        with pytest.raises(InputError, match="no votes here"):
            _load(url)
        with open_votes(url) as store:
            for each in VOTES[:5]:
                store.add(each)
        assert [plain_row(pair.to_row()) for pair in preferences(_load(url))] == training_rows(VOTES[:5])[0]
