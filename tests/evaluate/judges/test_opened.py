"""From what is written to a judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiebreak.data.preference import Message
from tiebreak.errors import InputError
from tiebreak.evaluate.judges import Comparison, bundled_judge, has_judge, open_judge
from tiebreak.recipe.judge import JudgeSection, OpenAISection


def test_only_bundled_data_has_a_judge() -> None:
    assert not has_judge("Anthropic/hh-rlhf")
    assert has_judge("bundled:preferences")


def test_the_bundled_judge_knows_its_world() -> None:
    question = (Message("user", "What is the capital of France?"),)
    paris, rome = "The capital of France is Paris.", "The capital of France is Rome."
    found = bundled_judge().compare([Comparison(question, paris, rome), Comparison(question, rome, paris)])
    assert found.first == (True, False)
    assert found.points == (1.0, 0.0)


def test_each_kind_is_opened_and_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "judge_to_open.py").write_text("def f(prompt, answer): return 1\n")
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("openai", reason='pip install "tiebreak[judge]"')
    assert open_judge("none") is None
    bundled = open_judge("bundled")
    assert bundled is not None
    assert bundled.name == "the bundled judge"
    kinds = {
        "python": JudgeSection(python="judge_to_open:f"),
        "command": JudgeSection(command="cat"),
        "reward_model": JudgeSection(reward_model="some/model"),
        "openai": JudgeSection(openai=OpenAISection(model="m", base_url="http://here/v1")),
    }
    for kind, section in kinds.items():
        judge = open_judge(section)
        assert judge is not None
        assert kind in judge.record
        assert section.kind == kind


def test_what_is_wrong_is_said_when_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        open_judge(JudgeSection(openai=OpenAISection(model="m")))
    with pytest.raises(InputError) as caught:
        open_judge(JudgeSection(python="nowhere_at_all:f"), where="--judge")
    assert caught.value.where == "--judge"
