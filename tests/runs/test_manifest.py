"""The manifest is read whatever version wrote it, and a damaged one is named with its key and its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.report.made import recorded
from tiebreak.errors import InputError
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.manifest import (
    VERSION,
    AdapterRecord,
    BestRecord,
    HardwareRecord,
    JudgeRecord,
    LoadRecord,
    Manifest,
    RateRecord,
    RowsSeen,
    WinRateRecord,
    parse_manifest,
    read_manifest,
    write_manifest,
)

FIXTURES = Path(__file__).parent / "fixtures" / "version-1"


def test_a_run_on_unpaired_completions_of_version_1() -> None:
    manifest = RunFolder(FIXTURES / "kto").load_manifest()
    assert (manifest.version, manifest.task, manifest.status, manifest.measured) == (2, "unpaired", "finished", True)
    assert (manifest.created, manifest.finished) == ("2026-11-26T13:03:34+00:00", "2026-11-26T13:05:10+00:00")
    assert manifest.hardware == HardwareRecord(system="Linux x86_64", processor="AMD EPYC", cores=2, memory_gb=25.3)
    data = manifest.data
    assert data is not None
    assert (data.schema_, data.template, data.train, data.held_out) == ("tiebreak", "chat", 200, 900)
    assert data.dropped == {"exact duplicates": 50, "past data.limit": 12170}
    assert (data.held_out_dropped, data.trimmed, data.labels) == ({}, {}, {"good": 100, "bad": 100})
    assert data.report == LoadRecord(
        source="bundled:preferences (train)", rows=6210, made=12420, bad=RowsSeen(), splits=("train", "held_out")
    )
    assert manifest.timings == {"prepare": 1.52, "reference": 18.72, "train": 54.29, "samples": 0.91}
    assert manifest.best == BestRecord(step=4, metric="eval_loss", value=0.4999978374441465)
    rate = RateRecord(pass_rate=0.6, interval=(0.3865814992347542, 0.7811934687282198))
    assert manifest.judge == JudgeRecord(
        name="the bundled judge",
        prompts=20,
        before=rate,
        after=rate,
        win_rate=WinRateRecord(value=0.5, interval=(0.5, 0.5)),
    )
    assert manifest.final("eval_rewards/rejected") == -6.49770094489731e-06


def test_a_run_on_pairs_of_version_1() -> None:
    manifest = RunFolder(FIXTURES / "pairs").load_manifest()
    assert (manifest.task, manifest.tokens_per_microbatch) == ("preference", 4096)
    assert manifest.data is not None
    assert manifest.data.dropped == {"exact duplicates": 2, "past data.limit": 6008}
    assert manifest.self_check is not None
    assert (manifest.self_check.path, manifest.length and manifest.length.steps) == ("tree", 6)
    assert manifest.before is not None
    assert manifest.final("eval_rewards/margins", "before") == 0.0


def test_a_run_on_demonstrations_of_version_1() -> None:
    manifest = RunFolder(FIXTURES / "sft").load_manifest()
    assert manifest.task == "supervised"
    assert manifest.model is not None
    assert manifest.model.adapter == AdapterRecord(
        kind="lora",
        rank=16,
        alpha=32.0,
        targets=("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"),
        parameters=217088,
        base="bundled:base",
    )


@pytest.mark.parametrize("name", ["kto", "pairs", "sft"])
def test_nothing_of_version_1_is_lost(name: str) -> None:
    older = json.loads((FIXTURES / name / "manifest.json").read_text(encoding="utf-8"))
    newer = RunFolder(FIXTURES / name).load_manifest().to_json()
    renamed = {".kind": "task", ".data.left_out": "dropped", ".data.report.left_out": "dropped"}
    renamed |= {".data.held_out_left_out": "held_out_dropped"}

    def lost(old: Any, new: Any, key: str = "") -> list[str]:
        if not isinstance(old, dict):
            return [] if old == new or (old, new) == ("labelled", "unpaired") else [f"{key}: {old} is {new}"]
        inner = [(value, f"{key}.{name}", name) for name, value in old.items()]
        return [each for value, path, name in inner for each in lost(value, new.get(renamed.get(path, name)), path)]

    assert lost(older, newer) == []


def _as_far_as(newer: Any, older: Any) -> Any:
    """What a newer record has of the keys of an older one."""
    if not (isinstance(newer, dict) and isinstance(older, dict)):
        return newer
    return {key: _as_far_as(newer[key], value) for key, value in older.items()}


def test_a_run_of_version_2_that_recorded_less_is_read_as_it_is() -> None:
    """Version 2 before it knew what was seen, commands, commits, resumes, held-out pairs and what answers are like."""
    folder = RunFolder(FIXTURES.parent / "version-2" / "pairs")
    manifest, before = folder.load_manifest(), folder.before()
    older = json.loads(folder.manifest_path.read_text(encoding="utf-8"))
    newer = manifest.to_json()
    for key in older.keys() - {"data", "budget"}:
        assert _as_far_as(newer[key], older[key]) == older[key]
    assert (manifest.status, manifest.resumed, manifest.commands) == ("finished", 0, ())
    assert (manifest.pairs, manifest.answers) == (None, None)
    assert manifest.data is not None
    assert (manifest.data.train, manifest.data.seen, manifest.data.commit) == (64, None, None)
    assert before is not None
    assert before.logps is None
    assert before.metrics is not None


def test_an_accuracy_of_ties_is_not_measured() -> None:
    tied = {"eval_rewards/accuracies": 0.0, "eval_rewards/margins": 0.0}
    manifest = parse_manifest(recorded(after=tied), where="here")
    assert manifest.final("eval_rewards/accuracies") is None
    assert manifest.final("eval_rewards/margins") == 0.0


def test_reading_writes_nothing_and_writing_gives_back_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    text = (FIXTURES / "sft" / "manifest.json").read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    manifest = read_manifest(path)
    assert path.read_text(encoding="utf-8") == text
    write_manifest(path, manifest)
    assert json.loads(path.read_text(encoding="utf-8"))["version"] == VERSION
    assert read_manifest(path) == manifest


def test_a_run_that_has_not_begun_has_an_empty_manifest(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "manifest.json") == Manifest()
    assert Manifest().state is None


@pytest.mark.parametrize(
    ("entries", "task"),
    [
        ({"kind": "labelled"}, "unpaired"),
        ({"kind": "unpaired"}, "unpaired"),
        ({"task": "unpaired"}, "unpaired"),
        ({"after": {"eval_loss": 1.0}}, "supervised"),
        ({"before": {"eval_loss": 1.0, "eval_rewards/margins": 0.0}}, "preference"),
        ({"before": {"eval_loss": 1.0, "eval_rewards/margins": 0.0, "eval_kl": 0.0}}, "unpaired"),
        ({"before": None}, "preference"),
    ],
)
def test_the_task_of_version_1(entries: dict[str, Any], task: str) -> None:
    assert parse_manifest(entries, where="here").task == task


def test_what_a_version_1_run_measured_last_makes_it_finished() -> None:
    assert parse_manifest({"status": "running", "after": None}, where="here").state == "finished"
    assert parse_manifest({"status": "running"}, where="here").state == "running"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "damaged: Expecting property name"),
        ("[1]", "it is no JSON object"),
        ('{"version": 3}', "has form 3, and this Tiebreak knows forms up to 2"),
        ('{"version": "2"}', '"2" is no version'),
        ('{"version": true}', "true is no version"),
        ('{"version": 0}', "0 is no version"),
        ('{"status": "asleep"}', "damaged: status: Input should be"),
        ('{"kind": "both"}', "damaged: task: Input should be"),
        ('{"model": 3}', "damaged: model: "),
        ('{"model": {"parameters": 3}}', "damaged: model.name: Field required"),
        ('{"data": []}', "damaged: data: "),
        ('{"data": {"source": "x", "left_out": {"too long": "many"}}}', "damaged: data.dropped.too long: "),
        ('{"judge": {"name": "j", "win_rate": {"value": 0.5}}}', "damaged: judge.win_rate.interval: Field required"),
        ('{"after": "x"}', "damaged: after: "),
        ('{"after": {"eval_loss": "low"}}', "damaged: after.eval_loss: "),
        ('{"version": 2, "length": {"steps": 1.5, "steps_an_epoch": 1}}', "damaged: length.steps: "),
    ],
)
def test_what_cannot_be_read_says_what_and_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert said in caught.value.what
    assert caught.value.where == str(path)


def test_a_later_form_says_what_to_do() -> None:
    with pytest.raises(InputError, match="the version of Tiebreak that wrote it, or a later one"):
        parse_manifest({"version": VERSION + 1}, where="here")


def test_what_a_later_version_added_is_dropped() -> None:
    assert parse_manifest(recorded(weather="fine"), where="here") == parse_manifest(recorded(), where="here")


def test_values_that_are_not_finite_are_null_in_the_file(tmp_path: Path) -> None:
    manifest = parse_manifest(recorded(after={"eval_loss": float("nan")}), where="here")
    write_manifest(tmp_path / "manifest.json", manifest)
    assert read_manifest(tmp_path / "manifest.json").after == {"eval_loss": None}


def test_a_copy_is_checked_as_any_other() -> None:
    manifest = Manifest(status="running")
    assert manifest.replace(status="failed", error="No room.").state == "failed"
    with pytest.raises(ValueError, match="Manifest has no field weather"):
        manifest.replace(weather="fine")
    with pytest.raises(ValueError, match="threads"):
        manifest.replace(threads="many")
    with pytest.raises(ValueError, match="frozen"):
        manifest.status = "failed"  # type: ignore[misc]


def test_final_metrics_by_name() -> None:
    manifest = parse_manifest(recorded(), where="here")
    assert manifest.final("eval_loss") == 0.4312
    assert (manifest.final("judge.pass_rate", "before"), manifest.final("judge.pass_rate")) == (0.31, 0.884)
    assert (manifest.final("judge.win_rate", "before"), manifest.final("judge.win_rate")) == (None, 0.931)
    assert (manifest.final("train_seconds", "before"), manifest.final("train_seconds")) == (None, 221.5)
    assert [Manifest().final(name) for name in ("eval_loss", "judge.pass_rate", "train_seconds")] == [None] * 3


@pytest.mark.parametrize(
    ("licence", "text"), [(None, None), ("mit", "mit"), (["mit", "apache-2.0"], "mit, apache-2.0"), (3, "3")]
)
def test_a_licence_may_be_whatever_a_models_configuration_says(licence: object, text: str | None) -> None:
    recorded = {"status": "finished", "model": {"name": "gpt2", "license": licence}}
    manifest = parse_manifest(recorded, where="manifest.json")
    assert manifest.model is not None
    assert manifest.model.license == text
