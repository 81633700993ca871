"""How judges are written: in a recipe, on the command line, in a file; and what is refused, without showing a key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, described_keys, judge_from_flag, parse_recipe
from tiebreak.recipe.judge import OPENAI, JudgeSection, OpenAISection

LOCAL = "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("text", "judge"),
    [
        ("bundled", "bundled"),
        ("python:my.module:f", JudgeSection(python="my.module:f")),
        ("command:python judge.py --fast", JudgeSection(command="python judge.py --fast")),
        ("reward_model:org/name", JudgeSection(reward_model="org/name")),
        (f"openai:m@{LOCAL}/", JudgeSection(openai=OpenAISection(model="m", base_url=LOCAL))),
        (f"openai:org/m@v2@{LOCAL}", JudgeSection(openai=OpenAISection(model="org/m@v2", base_url=LOCAL))),
        ("openai:gpt-x", JudgeSection(openai=OpenAISection(model="gpt-x", base_url=OPENAI))),
    ],
)
def test_the_short_forms_are_the_same_on_the_command_line_and_in_a_recipe(text: str, judge: object) -> None:
    assert judge_from_flag(text) == judge
    recipe = Recipe().with_settings({"evaluate.judge": text})
    assert recipe.evaluate.judge == judge
    assert parse_recipe(yaml.safe_load(recipe.to_yaml()), where="x") == recipe


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_file_has_the_mapping_of_a_recipe(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"judge.{suffix}"
    path.write_text(f'{{"openai": {{"model": "m", "base_url": "{LOCAL}", "concurrency": 2}}}}')
    found = judge_from_flag(str(path))
    assert isinstance(found, JudgeSection)
    assert found.openai is not None
    assert found.openai.concurrency == 2
    for text, sentence in (("", "names no judge"), ("[1]", "is no judge"), ("{", "is not valid YAML")):
        path.write_text(text)
        with pytest.raises(InputError, match=sentence):
            judge_from_flag(str(path))
    with pytest.raises(InputError, match="cannot be read"):
        judge_from_flag(str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("mine", "write bundled, python:"),
        ("python:", "write bundled"),
        ("openai:@http://x/v1", "openai.model is missing"),
        ({"openai": {"base_url": LOCAL}}, "openai.model is missing"),
        ({"opena": {}}, "has no key 'opena'"),
        ("people", "no run waits for them"),
        ("votes:votes.db", "people are asked by `tiebreak evaluate MODEL --against MODEL --votes URL`"),
        ({"votes": "votes.db"}, "no run waits for them"),
        ({"openai": {"modle": "m"}}, "has no key 'openai.modle'"),
        ({"openai": {"model": "m", "concurrency": 0}}, "openai.concurrency"),
        ({"openai": {"model": "m", "base_url": "127.0.0.1:80"}}, "begins with http"),
        ({"openai": {"model": "m", "base_url": "http://me:sk-1@x/v1"}}, "holds no user or password"),
        ({"openai": {"model": "m", "api_key_env": "sk-1"}}, "not the key"),
        ({"python": "a:b", "command": "c"}, "given: python, command"),
        ({}, "given: none"),
        (3, "write bundled"),
        ([{"python": "a:b"}], "write bundled"),
    ],
)
def test_what_is_wrong_is_one_sentence(written: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        parse_recipe({"evaluate": {"judge": written}}, where="recipe.yaml")
    assert "sk-1" not in str(caught.value)


def test_words_that_are_no_judge_on_the_command_line() -> None:
    for text in ("auto", "none", "mine"):
        with pytest.raises(InputError, match="judge"):
            judge_from_flag(text)


def test_every_key_is_described_and_can_be_set_by_itself() -> None:
    keys = {key.name for key in described_keys(Recipe)}
    assert {"evaluate.judge", "evaluate.judge.python", "evaluate.judge.openai.api_key_env"} <= keys
    settings = {"evaluate.judge.openai.model": "m", "evaluate.judge.openai.base_url": LOCAL}
    assert Recipe().with_settings(settings).evaluate.judge == judge_from_flag(f"openai:m@{LOCAL}")
    with pytest.raises(InputError, match=r"here it is 'evaluate\.judge\.openai\.model'"):
        Recipe().with_settings({"evaluate.judge.opnai.model": "m"})
