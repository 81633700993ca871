"""The report is one safe, complete file, whatever a run left behind."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.report.made import SAMPLES, made_recipe, make_run, manifest_of, metric_rows, recorded, supervised_manifest
from tiebreak.errors import InputError, RunError
from tiebreak.report.page import write_report
from tiebreak.report.script import script
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.held_out import HeldOutPair, write_held_out
from tiebreak.runs.manifest import Manifest

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b onclick=\"x()\" style='color:red'>"
    "\x00\x1b[31m\u202ebackwards</textarea></style></svg></div><!-- --><a href=javascript:x()>{{ 7 * 7 }}{% if %}"
    "]]>&lt;&#60;script&#62;\ud800"
)
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "article", "figure", "figcaption"),
    *("h1", "h2", "h3", "h4", "p", "b", "small", "span", "bdi", "div", "dl", "dt", "dd", "pre", "code"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
    *("svg", "g", "defs", "path", "use", "text", "clippath", "rect", "circle", "button", "script"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "http-equiv", "class", "scope", "data-side", "dir"),
    *("xmlns", "xmlns:xlink", "viewbox", "role", "aria-label", "stroke-linejoin", "id", "d", "style", "x", "y"),
    *("clip-path", "xlink:href", "width", "height", "transform", "cx", "cy", "r"),
    *(
        "data-hover",
        "data-place",
        "data-by",
        "data-words",
        "data-verdict",
        "data-length",
        "data-repetition",
        "data-gain",
    ),
    *("type", "aria-pressed", "hidden", "tabindex"),
}


class Page(HTMLParser):
    """Counts elements and attributes, and keeps the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.comments: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def page_of(run: RunFolder) -> Page:
    return Page(write_report(run).read_text(encoding="utf-8"))


def hostile_run(path: Path, words: str, steps: int = 100) -> RunFolder:
    """A run in which every text that can come from outside is `words`."""
    turn = {"role": words, "content": words}
    texts = dict.fromkeys(("chosen", "rejected", "before", "after"), words)
    manifest = manifest_of(
        error=words,
        created=words,
        device=words,
        versions={words: words},
        hardware={"system": words, "processor": words, "gpus": [words]},
        precision={"name": words, "reason": words},
        model=dict.fromkeys(("name", "revision", "architecture", "fingerprint", "license"), words),
        data={
            **dict.fromkeys(("source", "schema", "why", "fingerprint", "template"), words),
            "held_out": 400,
            "train": 10,
            "dropped": {words: 3},
            "trimmed": {words: 2},
        },
        self_check={"path": "tree", "difference": 0.0, "reason": words, "seconds": 0.4},
        best={"step": 3, "metric": words, "value": 0.1},
        judge={**recorded()["judge"], "name": words},
    )
    rows = [{**row, words: words} for row in metric_rows(steps)]
    samples: list[Any] = [{"prompt": [turn, turn], **texts, "before_passed": True, "after_passed": False}]
    samples.append({**samples[0], "after": "another", "gain": 1.5})
    run = make_run(path, manifest=manifest, rows=rows, samples=samples, recipe={"model": "x", "data": "y"})
    pairs = [
        HeldOutPair(pair=i, prompt=words, before=i - 2.0, after=2.0 - i, rewards_after=(0.5 * i, 1.0)) for i in range(5)
    ]
    write_held_out(run.held_out_path, pairs)
    return run


def test_no_element_or_attribute_comes_from_data(tmp_path: Path) -> None:
    hostile = page_of(hostile_run(tmp_path / "hostile", HOSTILE))
    tame = page_of(hostile_run(tmp_path / "tame", "tame"))
    assert set(hostile.elements) <= ELEMENTS
    assert {name for name, _ in hostile.attributes} <= ATTRIBUTES
    assert hostile.elements == tame.elements
    assert hostile.attributes == tame.attributes
    assert hostile.elements["script"] == 1
    assert hostile.comments == []


def test_hostile_text_is_shown_as_it_was_written(tmp_path: Path) -> None:
    words = page_of(hostile_run(tmp_path / "run", HOSTILE)).words
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>" in words
    assert "{{ 7 * 7 }}{% if %}" in words
    assert "␀␛[31m" in words


def test_a_hostile_run_name_is_text_too(tmp_path: Path) -> None:
    run = make_run(tmp_path / '<img src=x onerror="x()">', manifest=manifest_of())
    assert "img" not in page_of(run).elements


def test_the_page_names_nothing_on_a_network(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of(), rows=metric_rows(), samples=SAMPLES)
    page = page_of(run)
    links = [value for name, value in page.attributes if name in ("src", "href", "xlink:href")]
    assert all(str(link).startswith("#") for link in links)
    assert page.elements["script"] == 1
    text = run.report_path.read_text(encoding="utf-8")
    assert "@import" not in text
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|innerHTML|eval|Function)\b", script())
    # The browser runs what has the hash that the policy names: the bytes between the tags, and no others.
    (written,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(written.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
    policy += "base-uri 'none'; form-action 'none'"
    assert ("content", policy) in page.attributes


def test_every_id_is_used_once(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of(), rows=metric_rows(), samples=SAMPLES)
    ids = [value for name, value in page_of(run).attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_report_says_how_the_run_went(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of(), rows=metric_rows(), samples=SAMPLES)
    words = page_of(run).words
    for expected in (
        "The trained model answers better than the model it started from.",
        "93.1% (95% interval 90.2–95.2%",
        "One, one, one, one.",
        "✗ judge rejects",
        "✓ judge accepts",
        "an empty answer",
        "too long",
        "tree batches: they agree",
        "fp32 (the model is small)",
        "learning_rate: 1.0e-06",
        f"tiebreak chat {run.path}",
        f"tiebreak train {run.path}/recipe.yaml --out runs/again",
        "AutoModelForCausalLM.from_pretrained(name)",
    ):
        assert expected in words


@pytest.mark.parametrize(
    ("manifest", "rows", "samples"),
    [
        (None, [], None),
        ({}, [{"step": 1}], []),
        (manifest_of(before=None, after=None, judge=None), metric_rows(), None),
        (supervised_manifest(), [{"step": 1, "loss": 2.0}], [{"prompt": "a question", "after": "an answer"}]),
        ({"status": "finished"}, [], ["x", {}]),
    ],
)
def test_a_run_of_which_parts_are_missing_still_has_a_report(
    tmp_path: Path, manifest: Manifest | dict[str, Any] | None, rows: list[dict[str, Any]], samples: list[Any] | None
) -> None:
    run = make_run(tmp_path / "run", manifest=manifest, rows=rows, samples=samples, model=False)
    page = page_of(run)
    assert "How to go on" in page.words
    assert "None" not in page.words


def test_an_interrupted_run_says_how_to_resume(tmp_path: Path) -> None:
    run = make_run(tmp_path / "my run", manifest=manifest_of(status="interrupted", after=None, judge=None), model=False)
    words = page_of(run).words
    assert "interrupted and can be resumed" in words
    assert f"tiebreak train --out '{run.path}' --resume" in words
    assert "from_pretrained" not in words


def test_an_enormous_answer_is_shortened(tmp_path: Path) -> None:
    sample = {**SAMPLES[0], "after": "x" * 3_000_000, "prompt": SAMPLES[0]["prompt"] * 500}
    run = make_run(tmp_path / "run", manifest=manifest_of(), samples=[sample] + [SAMPLES[0]] * 79)
    written = write_report(run)
    assert written.stat().st_size < 1_500_000
    words = Page(written.read_text(encoding="utf-8")).words
    assert "2,994,000 more characters" in words
    assert "30 more samples are in samples.json" in words


def test_damaged_samples_do_not_stop_the_report(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of())
    run.samples_path.write_text("[{", encoding="utf-8")
    assert "No samples were recorded." in page_of(run).words


@pytest.mark.parametrize("text", ["{", "[]", '{"status": "finished", "model": 3}', '{"judge": {"win_rate": 1}}'])
def test_a_damaged_manifest_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    run = make_run(tmp_path / "run")
    run.manifest_path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"manifest\.json"):
        write_report(run)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of(), rows=metric_rows(), samples=SAMPLES)
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_a_recipe_of_another_version_is_shown_as_it_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of())
    run.recipe_path.write_text(made_recipe().to_yaml() + "future: {key: 1}\n", encoding="utf-8")
    assert "future: {key: 1}" in page_of(run).words


def test_a_supervised_run_without_held_out_data_is_known_by_its_recipe(tmp_path: Path) -> None:
    manifest = {key: value for key, value in recorded(before=None, after=None, judge=None).items() if key != "task"}
    sample = {**SAMPLES[0], "rejected": None}
    run = make_run(tmp_path / "run", manifest=manifest, recipe={"objective": "supervised"}, samples=[sample])
    words = page_of(run).words
    assert "3,800 demonstrations" in words
    assert "In the data" in words
    assert "Rejected" not in words


def test_the_page_has_steps_pairs_and_what_answers_are_like(tmp_path: Path) -> None:
    answers = {"prompts": 4, "before": {"tokens": 20, "repetition": 0.5}, "after": {"tokens": 31, "repetition": 0.0}}
    manifest = manifest_of(
        pairs={"better": 260, "worse": 140, "to_chosen": 40, "to_rejected": 7}, answers=answers, resumed=2
    )
    run = make_run(tmp_path / "run", manifest=manifest, rows=metric_rows())
    write_held_out(run.held_out_path, [HeldOutPair(pair=0, prompt="<script>x</script>", before=-1.0, after=0.5)])
    page = write_report(run).read_text()
    assert "<h2>Steps</h2>" in page
    assert '<th scope="col">validation loss</th>' in page
    assert "260 better, 140 worse; the chosen answer became the likelier one in 40, the rejected one in 7" in page
    assert "20 tokens before, 31 after; said again 50.0% before, 0.0% after (means of 4; triples of words)" in page
    assert "<dt>resumed</dt><dd>twice</dd>" in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<script>x" not in page


def test_the_verdict_stands_first_and_the_paragraph_after_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of(), rows=metric_rows(), samples=SAMPLES)
    text = write_report(run).read_text(encoding="utf-8")
    places = [text.index(part) for part in ('<section class="findings">', 'class="verdict better"', "<h2>", "What ran")]
    assert places == sorted(places)
    assert (
        text.index("<h2>") < text.index("What ran") < text.index("trained on pairs of") < text.index("Before and after")
    )


def test_the_step_whose_weights_were_kept_is_marked(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of(), rows=metric_rows())
    words = page_of(run).words
    assert words.count("The upright line is step 280, whose weights were kept.") == 5  # where there are held-out values
    other = make_run(tmp_path / "other", manifest=manifest_of(best=None), rows=metric_rows())
    assert "upright line is step" not in page_of(other).words


def test_answers_are_in_the_order_of_what_changed_most(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run", manifest=manifest_of(), samples=[*SAMPLES, {**SAMPLES[0], "before": "Three, two, one."}]
    )
    page = page_of(run)
    # In the second sample all words are new, in the first five of seven, in the third none.
    assert [value for name, value in page.attributes if name == "data-place"] == ["1", "0", "2"]
    assert [value for name, value in page.attributes if name == "data-by"] == ["words", "verdict", "place"]


def test_a_report_without_samples_before_has_one_order(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of(), samples=[{"after": "a"}, {"after": "b"}])
    page = page_of(run)
    assert "button" not in page.elements
    assert [value for name, value in page.attributes if name == "data-place"] == ["0", "1"]


def test_all_texts_together_stay_within_the_page(tmp_path: Path) -> None:
    long = "<&\x00\ud800語" * 2000
    sample = {
        "prompt": [{"role": "user", "content": long}] * 12,
        **dict.fromkeys(("chosen", "rejected", "before", "after"), long),
    }
    run = make_run(tmp_path / "run", manifest=manifest_of(), samples=[sample] * 50, rows=metric_rows())
    assert write_report(run).stat().st_size < 1_500_000


def test_a_report_is_written_elsewhere(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of())
    assert write_report(run, tmp_path / "there.html") == tmp_path / "there.html"
    assert not run.report_path.exists()
    assert (tmp_path / "there.html").read_bytes() == write_report(run).read_bytes()
    with pytest.raises(RunError, match="cannot be written"):
        write_report(run, tmp_path / "run" / "recipe.yaml" / "there.html")


def test_a_run_of_a_hundred_thousand_steps_has_a_small_report(tmp_path: Path) -> None:
    row = metric_rows(10)[0]
    run = make_run(tmp_path / "run", manifest=manifest_of(), samples=[SAMPLES[0]] * 50)
    rng = random.Random(0)
    with run.metrics_path.open("w", encoding="utf-8") as file:
        for step in range(1, 100_001):
            noisy = {name: value * rng.uniform(0.5, 1.5) for name, value in row.items()} | {"step": step}
            file.write(json.dumps(noisy) + "\n")
            if step % 1000 == 0:
                evaluated = {f"eval_{name}": noisy[name] for name in noisy if "/" in name or name == "loss"}
                file.write(json.dumps({**evaluated, "step": step}) + "\n")
    assert write_report(run).stat().st_size < 1_500_000


def memorising() -> list[dict[str, Any]]:
    """Training loss to nothing while held-out loss rises."""
    return [
        {"step": step, "loss": 0.7 * 0.9 ** (step / 10), "eval_loss": 0.69 + step / 400, "eval_rewards/accuracies": 0.6}
        for step in range(10, 501, 10)
    ]


def test_findings_stand_right_after_the_verdict(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", manifest=manifest_of(), rows=memorising())
    html = write_report(run).read_text(encoding="utf-8")
    places = [html.index(each) for each in ('<div class="verdict', '<article class="finding', "<h2>What ran")]
    assert places == sorted(places)
    assert "<small>memorising</small>" in html
    assert "--set " in page_of(run).words


def test_a_run_with_nothing_wrong_has_no_finding(tmp_path: Path) -> None:
    written = write_report(make_run(tmp_path / "run", rows=[{"step": 1}]))
    assert 'class="finding ' not in written.read_text(encoding="utf-8")
