"""Before and after: measured once, answered by the same prompts, and judged where there is a judge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workflow.conftest import Small, small_recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.held_out import read_held_out
from tiebreak.runs.manifest import BeforeRecord
from tiebreak.workflow import finish as module
from tiebreak.workflow.finish import measure_before
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.resolve import resolve
from tiebreak.workflow.train import ReadyRun, make_ready


def ready_in(folder: RunFolder) -> ReadyRun:
    return make_ready(folder, resolve(folder.recipe()), Progress())


def before_of(folder: RunFolder, run: ReadyRun) -> BeforeRecord:
    return measure_before(folder, run.resolved, run.model, run.data, run.reference, run.trainer, Progress())


def test_what_was_measured_before_the_first_step_is_read_by_a_resumed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(data__limit=8, data__eval_limit=4, train__tokens_per_microbatch=512)
    folder = RunFolder.create(recipe, tmp_path / "run")
    run = ready_in(folder)
    first = before_of(folder, run)
    assert first.metrics is not None
    assert first.metrics["eval_loss"] == pytest.approx(0.693147, abs=1e-5)
    assert len(first.answers) == recipe.evaluate.samples

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was measured again")

    monkeypatch.setattr(module, "held_out_metrics", never)
    monkeypatch.setattr(module, "answers_with_ends", never)
    assert before_of(folder, run) == first


def test_where_nothing_is_held_out_nothing_is_measured_or_answered(tmp_path: Path) -> None:
    recipe = small_recipe(data__limit=8, data__eval_fraction=0.0, data__eval_limit=None)
    folder = RunFolder.create(recipe.with_settings({"data.source": str(_pairs(tmp_path))}), tmp_path / "run")
    assert before_of(folder, ready_in(folder)) == BeforeRecord(metrics=None, answers=())


def _pairs(folder: Path) -> Path:
    rows = [{"prompt": f"What is {n}?", "chosen": f"It is {n}.", "rejected": "Who knows."} for n in range(8)]
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("objective", ["sigmoid", "simpo"])
def test_every_held_out_pair_says_what_became_of_it(objective: str, small: Small) -> None:
    run = small(objective, objective__name=objective, train__learning_rate=1e-2)
    pairs, manifest = read_held_out(run.folder.held_out_path), run.folder.load_manifest()
    assert len(pairs) == 16
    assert manifest.pairs is not None
    assert manifest.before is not None
    assert manifest.after is not None
    moved = [pair.moved for pair in pairs]
    assert (manifest.pairs.better, manifest.pairs.worse) == (moved.count("better"), moved.count("worse"))
    for side, name in (("before", "before"), ("after", "after")):
        likelier = sum(getattr(pair, name) > 0 for pair in pairs) / 16
        assert likelier == manifest.final("eval_logps/accuracies", side)  # type: ignore[arg-type]
    flips = manifest.pairs.to_chosen - manifest.pairs.to_rejected
    assert flips == sum(pair.after > 0 for pair in pairs) - sum(pair.before > 0 for pair in pairs)
    for i, name in enumerate(("chosen", "rejected")):
        for side, rewards in (("before", "rewards_before"), ("after", "rewards_after")):
            mean = sum(getattr(pair, rewards)[i] for pair in pairs) / 16
            assert mean == pytest.approx(manifest.final(f"eval_rewards/{name}", side), rel=1e-4, abs=1e-6)  # type: ignore[arg-type]
    assert any(pair.rewards_before != (0.0, 0.0) for pair in pairs) == (objective == "simpo")
    if objective == "sigmoid":  # its accuracy is that of the gains
        assert manifest.final("eval_rewards/accuracies") == pytest.approx(moved.count("better") / 16)
    (sample,) = run.folder.samples()
    assert sample.gain == pytest.approx(pairs[0].gain)
    assert sample.after_tokens is not None
    assert 0 <= sample.after_tokens <= 5
    assert manifest.answers is not None
    assert (manifest.answers.prompts, manifest.answers.after.tokens) == (1, sample.after_tokens)
    page = run.folder.report_path.read_text()
    assert "<h2>Held-out pairs</h2>" in page


def test_unpaired_completions_have_no_pairs_to_tell_of(small: Small) -> None:
    run = small(objective__name="kto", train__max_steps=1)
    assert run.folder.load_manifest().pairs is None
    assert not run.folder.held_out_path.exists()


@pytest.mark.parametrize(
    ("samples", "judge", "prompts", "shown", "judged"),
    [(2, "none", 5, 2, None), (2, "bundled", 5, 2, 5), (6, "bundled", 5, 6, 6), (0, "bundled", 3, 0, 3)],
)
def test_samples_are_shown_and_as_many_prompts_judged_as_the_recipe_says(
    samples: int, judge: str, prompts: int, shown: int, judged: int | None, small: Small
) -> None:
    run = small(train__max_steps=1, evaluate__samples=samples, evaluate__judge=judge, evaluate__judge_prompts=prompts)
    found = run.folder.samples()
    assert len(found) == shown
    assert all((sample.before_passed is None) == (judged is None) for sample in found)
    assert all(sample.chosen and sample.rejected for sample in found)
    verdict = run.folder.load_manifest().judge
    assert (verdict.prompts if verdict is not None else None) == judged
