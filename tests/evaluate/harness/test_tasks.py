"""Tasks by name: what is wrong is found without the harness, mistyped names are told the nearest, files are read."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docs.blocks import blocks_of
from tests.evaluate.harness.folder import needs_harness, own_tasks
from tiebreak.errors import InputError
from tiebreak.evaluate.harness import tasks
from tiebreak.evaluate.harness.tasks import check_harness, load_tasks, quiet_tasks


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_tasks(tmp_path, monkeypatch)


def test_what_is_wrong_is_said_without_the_harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "find_spec", lambda name: ModuleSpec(name, None))
    check_harness(["hellaswag"], tmp_path, 1)
    with pytest.raises(InputError, match="No task is named"):
        check_harness([])
    with pytest.raises(InputError, match="No task is named"):
        check_harness(["hellaswag", ""])
    with pytest.raises(InputError, match="at least one document"):
        check_harness(["hellaswag"], None, 0)
    with pytest.raises(InputError, match="no folder"):
        check_harness(["hellaswag"], tmp_path / "nothing")
    monkeypatch.setattr(tasks, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="not installed") as error:
        check_harness(["hellaswag"])
    assert error.value.fix == 'pip install "tiebreak[harness]"'


@needs_harness
def test_a_mistyped_task_is_told_the_nearest_ones(folder: Path) -> None:
    with pytest.raises(InputError, match="no task 'helaswag'") as error:
        load_tasks(["helaswag"])
    assert error.value.fix is not None
    assert error.value.fix.startswith("did you mean 'hellaswag'")
    with pytest.raises(InputError) as error:
        load_tasks(["tiebreak_facts", "tiebreak_fcts"], folder)
    assert error.value.fix is not None
    assert error.value.fix.startswith("did you mean 'tiebreak_facts'")
    assert error.value.fix.endswith(
        f"'{folder}' has tiebreak_facts, tiebreak_facts_classes, tiebreak_facts_read, tiebreak_facts_written, "
        "tiebreak_group"
    )


@needs_harness
def test_a_folder_without_a_task_is_said_to_be_one(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "broken.yaml").write_text("task: [")
    with pytest.raises(InputError) as error:
        load_tasks(["qqqqzzzz"], tmp_path / "other")
    assert error.value.fix == (
        f"'{tmp_path / 'other'}' has no task file that can be read: files end in .yaml and name a task"
    )


@needs_harness
def test_tasks_groups_and_tags_are_loaded_with_their_documents(folder: Path) -> None:
    found = load_tasks(["tiebreak_group", "tiebreak_local", "tiebreak_group"], folder)
    assert found.names == ("tiebreak_group", "tiebreak_local")
    assert set(found.groups) == {"tiebreak_group"}
    documents = {name: len(task.eval_docs) for name, task in found.tasks.items()}
    assert documents == {"tiebreak_facts": 20, "tiebreak_group::facts_small": 5, "tiebreak_facts_written": 20}


@needs_harness
@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("dataset_path: json\ndataset_kwargs: {data_files: {test: nothing.jsonl}}\n", "nothing.jsonl"),
        ("dataset_path: ann/data-that-is-not-there\n", "ann/data-that-is-not-there"),
        ("dataset_path: json\ndataset_kwargs: {data_files: {test: facts.jsonl}}\ndoc_to_choice: nothing\n", ""),
    ],
)
def test_what_is_wrong_with_a_task_is_an_error_that_names_it(folder: Path, lines: str, said: str) -> None:
    (folder / "wrong.yaml").write_text(
        f"task: tiebreak_wrong\n{lines}test_split: test\noutput_type: multiple_choice\n"
        'doc_to_text: "{{question}}"\ndoc_to_target: answer\n'
    )
    with pytest.raises(InputError, match="The task 'tiebreak_wrong' cannot be loaded") as error:
        load_tasks(["tiebreak_wrong"], folder)
    assert said in str(error.value)


@needs_harness
def test_a_task_that_runs_what_a_model_writes_is_refused(folder: Path) -> None:
    (folder / "facts.yaml").write_text((folder / "facts.yaml").read_text() + "unsafe_code: true\n")
    with pytest.raises(InputError, match="runs code that the model writes"):
        load_tasks(["tiebreak_facts"], folder)


@needs_harness
def test_the_harness_has_its_bar_again_afterwards() -> None:
    from lm_eval.api import task

    before = task.tqdm
    with quiet_tasks():
        assert list(task.tqdm([1, 2])) == [1, 2]
        assert task.tqdm is not before
    assert task.tqdm is before


@needs_harness
def test_the_task_file_of_the_documents_is_one(folder: Path) -> None:
    (text,) = [each.text for each in blocks_of(REPOSITORY / "docs" / "evaluate.md") if each.text.startswith("task: ")]
    (folder / "facts.yaml").write_text(text)
    (task,) = load_tasks(["tiebreak_facts"], folder).tasks.values()
    assert len(task.eval_docs) == 20
    assert set(task.aggregation()) == {"acc", "acc_norm"}
