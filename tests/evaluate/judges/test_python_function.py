"""A function of the user's: found, called with plain values, and its faults named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tiebreak.data.preference import Message
from tiebreak.errors import InputError
from tiebreak.evaluate.judges.judge import Comparison
from tiebreak.evaluate.judges.python_function import python_judge

CODE = """
import numpy
def longer(prompt, answer): return len(answer)
def polite(prompt, answer): return "please" in answer
def number(prompt, answer): return numpy.float32(len(answer))
def flag(prompt, answer): return numpy.bool_(True)
def sees(prompt, answer): return prompt == [{"role": "user", "content": "Why?"}]
def unsure(prompt, answer): return None
def breaks(prompt, answer): return 1 / 0
def text(prompt, answer): return "good"
def endless(prompt, answer): return float("nan")
def lonely(answer): return 1
"""
PROMPT = (Message("user", "Why?"),)


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_judges_here.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)


def test_a_function_scores_and_its_file_is_recorded(tmp_path: Path) -> None:
    judge = python_judge("my_judges_here:longer")
    assert judge.compare([Comparison(PROMPT, "long", "x")]).points == (1.0,)
    digest = hashlib.sha256((tmp_path / "my_judges_here.py").read_bytes()).hexdigest()
    assert judge.record == {"python": "my_judges_here:longer", "sha256": digest}


@pytest.mark.parametrize(
    ("name", "score"), [("polite", True), ("number", 6.0), ("flag", True), ("sees", True), ("unsure", None)]
)
def test_what_a_function_may_give(name: str, score: object) -> None:
    found, notes = python_judge(f"my_judges_here:{name}").scores([(PROMPT, "please")])
    assert found == [score]
    assert type(found[0]) is type(score)
    assert notes == ({"answers without a score": 1} if score is None else {})
    assert np.float32(6.0) == 6.0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("breaks", "failed on an answer: ZeroDivisionError"),
        ("text", "gives a finite number"),
        ("endless", "gives a finite number"),
    ],
)
def test_a_fault_names_the_prompt(name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        python_judge(f"my_judges_here:{name}").scores([(PROMPT, "x")])
    assert "Why?" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("my_judges_here", "does not name a function"),
        ("my_judges_here:", "does not name a function"),
        ("my_judges_here:nothing", "has no function 'nothing'"),
        ("no_such_judges:f", "cannot be imported"),
        ("my_judges_here:lonely", "does not take a prompt and an answer"),
    ],
)
def test_a_name_that_leads_nowhere(name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        python_judge(name, where="--judge")
    assert caught.value.where == "--judge"
