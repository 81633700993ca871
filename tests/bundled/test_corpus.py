import json
from pathlib import Path

from tiebreak.bundled.corpus import corpus, write_corpus
from tiebreak.bundled.judge import judge
from tiebreak.data.preference import Demonstration


def test_corpus_is_written_to_the_same_bytes_each_time(tmp_path: Path) -> None:
    write_corpus(tmp_path / "a.jsonl", seed=0)
    write_corpus(tmp_path / "b.jsonl", seed=0)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    rows = [Demonstration.from_row(json.loads(line)) for line in (tmp_path / "a.jsonl").open(encoding="utf-8")]
    assert rows == corpus(0)


def test_about_a_third_of_the_corpus_is_good() -> None:
    rows = corpus(0)[::5]
    share = sum(judge(row.prompt, row.completion).passed for row in rows) / len(rows)
    assert 0.3 <= share <= 0.4
