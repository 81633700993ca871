"""Which model another is measured from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.small import word_tokenizer
from tests.workflow.conftest import small_recipe
from tiebreak.errors import InputError
from tiebreak.models.load import load_tokenizer
from tiebreak.recipe import ModelSection
from tiebreak.runs import RunFolder
from tiebreak.workflow.measured_from import check_same_vocabulary, reference_of

BASE = "bundled:base"


def test_a_run_is_measured_from_what_it_was_trained_from_whole(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.recipe_path.write_text(small_recipe(model__revision="v1", model__adapter="lora").to_yaml())
    assert reference_of(str(folder.path)) == ModelSection(name=BASE, revision="v1")
    assert reference_of(str(folder.path), "gpt2") == ModelSection(name="gpt2")


def test_what_is_no_run_has_no_reference_of_its_own(tmp_path: Path) -> None:
    assert reference_of(BASE) is None
    assert reference_of(str(tmp_path)) is None
    assert reference_of(BASE, BASE) == ModelSection(name=BASE)


def test_tokens_that_mean_something_else_are_refused() -> None:
    check_same_vocabulary(load_tokenizer(BASE), ModelSection(name=BASE))
    with pytest.raises(InputError, match="'bundled:base' has another vocabulary"):
        check_same_vocabulary(word_tokenizer(), ModelSection(name=BASE))
