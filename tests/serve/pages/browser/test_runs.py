"""The Runs page in a real browser: the curves of a run move while it is being trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.serve.pages.browser.conftest import Site
from tests.serve.pages.browser.steps import drawn, open_page, settled, until
from tiebreak.recipe import Recipe
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.metrics_file import append_metrics
from tiebreak.runs.search import SearchRecord, TrialRecord, write_search


def _run(parent: Path, name: str, status: str, **entries: Any) -> RunFolder:
    run = RunFolder.create(Recipe(), parent / name)
    run.update_manifest(
        status=status, model={"name": "bundled:base"}, data={"source": "bundled:preferences"}, **entries
    )
    return run


def test_a_run_that_is_being_trained_moves_on_the_page(page: Any, site: Site) -> None:
    run = _run(site.runs, "live-run", "running", length={"steps": 10, "steps_an_epoch": 10})
    for step in (1, 2):
        append_metrics(run.metrics_path, {"step": step, "loss": 0.7 - 0.01 * step})
    open_page(page, "Runs")
    curve = page.locator("figure[data-figure=loss] svg")
    curve.wait_for()
    page.get_by_text("step 2 of 10", exact=True).wait_for()
    before = curve.inner_html()
    append_metrics(run.metrics_path, {"step": 6, "loss": 0.4, "rewards/accuracies": 0.8})
    page.get_by_text("step 6 of 10", exact=True).wait_for()
    page.locator("figure[data-figure=accuracy] svg").wait_for()
    assert curve.inner_html() != before
    run.update_manifest(
        status="finished",
        before={"eval_loss": 0.7},
        after={"eval_rewards/accuracies": 0.75, "eval_loss": 0.4},
        measured=True,
        data={"source": "bundled:preferences", "held_out": 400},
    )
    page.get_by_text("The model learned the preferences.").wait_for()
    assert "75.0%" in page.locator("#runs-run").inner_text()


def test_another_run_is_picked_from_the_list_and_a_damaged_one_says_so(page: Any, site: Site) -> None:
    _run(site.runs, "first-run", "failed", error="The disk was full.")
    damaged = _run(site.runs, "broken-run", "running")
    damaged.manifest_path.write_text("{", encoding="utf-8")
    open_page(page, "Runs")
    page.get_by_role("button", name="first-run").click()
    page.get_by_text("The disk was full.").wait_for()
    page.get_by_role("button", name="broken-run").click()
    page.get_by_text("This run cannot be read.").wait_for()


def test_findings_of_a_run_stand_first_and_stay_text(page: Any, site: Site) -> None:
    nasty = "<img src=x onerror='window.__pwned = 1'>"
    separator = {"what": f'the word "{nasty}"', "side": "chosen", "pairs": 500, "there": 480, "elsewhere": 1}
    counts = dict.fromkeys(
        ("other_script", "scored", "scored_lower", "sources", "of_main_source", "emails", "secrets"), 0
    )
    traits = {"pairs": 1000, "looked_at": 1000, "chosen_longer": 500, "rejected_longer": 500, "main_source": None}
    run = _run(site.runs, "doubtful-run", "running")
    record = {"source": "a.jsonl", "train": 1000, "traits": {**traits, **counts, "separator": separator}}
    run.update_manifest(data=record)
    open_page(page, "Runs")
    page.get_by_role("button", name="doubtful-run").click()
    found = page.locator("#run-findings li")
    found.first.wait_for()
    assert "style-bias" in found.first.inner_text()
    assert nasty in found.first.inner_text()


def test_a_name_that_is_no_run_of_the_folder_opens_nothing(page: Any, site: Site) -> None:
    outside = site.runs.parent / "outside"
    RunFolder.create(Recipe(), outside).update_manifest(status="finished")
    (outside / "metrics.jsonl").write_text(json.dumps({"step": 1, "loss": 1}), encoding="utf-8")
    _run(site.runs, "inside", "running")
    open_page(page, "Runs")
    inside = page.get_by_role("button", name="inside")
    inside.wait_for()
    inside.evaluate("button => { button.dataset.pick = '../outside'; }")
    inside.click()
    settled(page, site.wire)
    assert "outside" not in page.locator("#runs-run").inner_text()


def test_no_page_but_runs_looks_at_the_folder_again_and_again(page: Any, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, "Runs")
    until(lambda: len(asked) > 4, page)
    open_page(page, "Chat")
    settled(page, site.wire)
    asked.clear()
    drawn(page, 60)  # three times as long as from one look to the next
    assert asked == []
    open_page(page, "Runs")
    until(lambda: len(asked) > 2, page)


def test_a_search_moves_on_the_page_and_leads_to_its_runs(page: Any, site: Site) -> None:
    path = site.runs.parent / "sweeps" / "first"
    try:
        trials = (
            TrialRecord(
                number=0, state="finished", settings={"objective.beta": "0.1"}, values=("0.61",), runs=("0000",)
            ),
            TrialRecord(number=1, state="running", settings={"objective.beta": "0.2"}, runs=("0001",)),
        )
        for name, status in (("0000", "finished"), ("0001", "running")):
            run = _run(path / "trials", name, status, length={"steps": 10, "steps_an_epoch": 10})
            append_metrics(run.metrics_path, {"step": 2, "loss": 0.6, "eval_loss": 0.65})
        record = SearchRecord(over=("objective.beta",), goals=("eval_loss",), limit=2, trials=trials)
        write_search(path, record.replace(ranked=(0,), best=(0,)))
        open_page(page, "Runs")
        page.get_by_role("button", name="first running").click()
        page.get_by_text("1 of 2 trials have ended").wait_for()
        page.get_by_text("step 2 of 10").wait_for()
        append_metrics(path / "trials" / "0001" / "metrics.jsonl", {"step": 6, "loss": 0.5, "eval_loss": 0.55})
        page.get_by_text("step 6 of 10").wait_for()
        RunFolder(path / "trials" / "0001").update_manifest(status="finished")
        ended = trials[1].replace(state="finished", values=("0.55",))
        write_search(path, record.replace(trials=(trials[0], ended), ranked=(1, 0), best=(1,)))
        page.get_by_text("Trial 1 is the best.").wait_for()
        page.get_by_role("button", name="1", exact=True).click()
        page.get_by_role("heading", name="0001 finished").wait_for()
        page.get_by_role("button", name="← first").click()
        page.get_by_text("2 of 2 trials have ended").wait_for()
        settled(page, site.wire)
    finally:
        shutil.rmtree(path.parent)
