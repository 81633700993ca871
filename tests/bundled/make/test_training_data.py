"""The packaged preferences, and the corpus that is made beside them."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import pytest

from tiebreak.bundled import preferences_path
from tiebreak.bundled.judge import judge
from tiebreak.bundled.make.questions import Split
from tiebreak.bundled.make.training_data import corpus, write_corpus, write_preferences
from tiebreak.data.preference import Demonstration, Message, Preference

SPLITS: tuple[Split, ...] = ("train", "held_out")


@lru_cache
def pairs(split: Split) -> tuple[Preference, ...]:
    with gzip.open(preferences_path(split), "rt", encoding="utf-8") as lines:
        return tuple(Preference.from_row(json.loads(line)) for line in lines)


def user_texts(prompts: Iterable[tuple[Message, ...]]) -> set[str]:
    return {message.content for prompt in prompts for message in prompt if message.role == "user"}


def test_there_are_enough_pairs_of_every_kind() -> None:
    assert len(pairs("train")) >= 2000
    assert len(pairs("held_out")) >= 400
    for split, least in (("train", 150), ("held_out", 30)):
        kinds = Counter(str(pair.id).partition("-")[0] for pair in pairs(split))
        assert len(kinds) >= 8
        assert min(kinds.values()) >= least


def test_ids_are_unique_over_both_splits() -> None:
    ids = [pair.id for split in SPLITS for pair in pairs(split)]
    assert len(ids) == len(set(ids))


def test_no_training_text_asks_a_held_out_question() -> None:
    held_out = {pair.prompt[-1].content for pair in pairs("held_out")}
    assert len(held_out) >= 400
    assert not held_out & user_texts(pair.prompt for pair in pairs("train"))
    assert not held_out & user_texts(row.prompt for row in corpus(0))


def test_earlier_turns_of_held_out_conversations_ask_no_held_out_question() -> None:
    held_out = {pair.prompt[-1].content for pair in pairs("held_out")}
    assert not held_out & user_texts(pair.prompt[:-1] for pair in pairs("held_out"))


@pytest.mark.parametrize("split", SPLITS)
def test_pairs_are_well_formed(split: Split) -> None:
    for pair in pairs(split):
        assert [m.role for m in pair.prompt if m.role != "system"] in (["user"], ["user", "assistant", "user"])
        assert pair.chosen != pair.rejected
        for text in (pair.chosen, pair.rejected, *(m.content for m in pair.prompt)):
            assert text == text.strip() != ""
            assert text.isascii()
            assert "{" not in text


@pytest.mark.parametrize("split", SPLITS)
def test_the_judge_passes_every_chosen_and_no_rejected_answer(split: Split) -> None:
    failed = [(p.id, p.chosen, judge(p.prompt, p.chosen).reasons) for p in pairs(split) if not judged(p, p.chosen)]
    passed = [(p.id, p.rejected) for p in pairs(split) if judged(p, p.rejected)]
    assert failed == []
    assert passed == []


def judged(pair: Preference, answer: str) -> bool:
    return judge(pair.prompt, answer).passed


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9']+|[^\sa-z0-9]", text.lower()))


@pytest.mark.parametrize("split", SPLITS)
def test_no_single_word_tells_chosen_from_rejected(split: Split) -> None:
    lead: Counter[str] = Counter()
    for pair in pairs(split):
        lead.update(words(pair.chosen))
        lead.subtract(words(pair.rejected))
    best = max(abs(count) for count in lead.values())
    assert 0.5 + 0.5 * best / len(pairs(split)) < 0.75


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("length", [len, lambda text: len(text.split())], ids=["characters", "words"])
def test_no_length_tells_chosen_from_rejected(split: Split, length: Callable[[str], int]) -> None:
    lengths = [(length(pair.chosen), length(pair.rejected)) for pair in pairs(split)]
    longer = sum((a > b) - (a < b) for a, b in lengths)
    over = [sum((a > limit) - (b > limit) for a, b in lengths) for limit in range(max(map(max, lengths)))]
    for lead in (longer, *over):
        assert 0.5 + 0.5 * abs(lead) / len(lengths) < 0.75


def test_the_packaged_files_are_what_the_generator_writes(tmp_path: Path) -> None:
    write_preferences(tmp_path, seed=0)
    for split in SPLITS:
        assert (tmp_path / f"{split}.jsonl.gz").read_bytes() == preferences_path(split).read_bytes()


def test_another_seed_gives_other_pairs(tmp_path: Path) -> None:
    write_preferences(tmp_path, seed=1)
    assert (tmp_path / "train.jsonl.gz").read_bytes() != preferences_path("train").read_bytes()


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
