"""A run goes to the Hub whole, in one commit, and comes back as it went; nothing private goes with it.

An adapter goes as it is, alone, or merged; and each form says what it is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from tests.hub.conftest import Ask, environment, python, started
from tests.hub_server import Hub
from tests.hub_store import COMMIT, Repository
from tiebreak.bundled import base_model_path

pytestmark = pytest.mark.journey
WEIGHTS, ADAPTER = "model.safetensors", "adapter_model.safetensors"
BASE = "base_model_name_or_path"  # in the configuration of an adapter
ANSWERS = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
for name in sys.argv[1:3]:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(name), AutoTokenizer.from_pretrained(name)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is two plus two?"}],
        add_generation_prompt=True, return_tensors="pt", return_dict=True,
    )
    print(tokenizer.decode(model.generate(**asked, max_new_tokens=12, do_sample=False)[0]).encode())
exec(sys.argv[3])
"""


def card_of(text: str) -> Any:
    return ModelCard(text).data


def test_a_pushed_run_is_loaded_back_by_its_id_and_says_the_same(run: Path, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    first, again = ask(["push", "runs/mine", "ann/tuned", "--json"], ["push", "mine", "ann/tuned"])
    assert first.code == 0, first.err
    pushed = json.loads(first.out)
    repository = hub.repository("ann/tuned")
    files = repository.files()
    assert {file["path"]: file["size"] for file in pushed["files"]} == {path: len(files[path]) for path in files}
    assert {WEIGHTS, "config.json", "tokenizer.json", "chat_template.jinja", "README.md"} <= files.keys()
    assert {"report.html", "recipe.yaml", "metrics.jsonl", "curves.png", "curves/loss.svg"} <= files.keys()
    assert files[WEIGHTS] == (run / "model" / WEIGHTS).read_bytes()

    # One commit, and none for a second push of the same run.
    assert repository.messages == ["Upload mine with Tiebreak"]
    assert (again.code, "Nothing has changed" in again.err) == (0, True)
    assert pushed["commit"] == repository.heads["main"]
    assert not list(run.glob(".push-*"))

    # Elsewhere, with an empty cache and plain transformers; the card's own lines of Python do what they promise.
    snippet = files["README.md"].decode().split("```python\n")[1].split("```")[0]
    assert '"ann/tuned"' in snippet
    elsewhere = environment(tmp_path / "elsewhere", hub, token=None)
    said = python(ANSWERS, "ann/tuned", str(run / "model"), snippet.replace("128", "8"), cwd=tmp_path, env=elsewhere)
    by_id, by_folder, answer = said.splitlines()[:3]
    assert by_id == by_folder
    assert answer.strip()


def test_the_card_says_what_the_hub_reads(run: Path, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    (said,) = ask(["push", "runs/mine", "ann/tuned", "--dry-run", "--out", "shown"], online=False, token=None)
    assert said.code == 0, said.err
    data = card_of((tmp_path / "shown" / "README.md").read_text())
    manifest = json.loads((run / "manifest.json").read_text())
    assert {"dpo", "tiebreak", "preference", "sigmoid"} <= set(data.tags)
    assert (data.library_name, data.pipeline_tag, data.license) == ("transformers", "text-generation", "mit")
    measured = {result.metric_name: result.metric_value for result in data.eval_results}
    for name, expected in {
        "Held-out accuracy": manifest["after"]["eval_rewards/accuracies"],
        "Held-out loss": manifest["after"]["eval_loss"],
        "Held-out margin": manifest["after"]["eval_rewards/margins"],
        "Judge's pass rate": manifest["judge"]["after"]["pass_rate"],
    }.items():
        assert abs(measured[name] - expected) < 1e-6
    assert "![" in (tmp_path / "shown" / "README.md").read_text()


def test_a_dry_run_shows_what_a_push_uploads_without_a_network(run: Path, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    dry, pushed, twice = ask(
        ["push", "runs/mine", "ann/tuned", "--dry-run", "--json"],
        ["push", "runs/mine", "ann/tuned"],
        ["push", "runs/mine", "ann/tuned", "--dry-run"],
    )
    assert (dry.code, pushed.code) == (0, 0), dry.err + pushed.err
    shown = tmp_path / "tuned-dry-run"
    there = {str(path.relative_to(shown)): path.read_bytes() for path in shown.rglob("*") if path.is_file()}
    assert there == hub.repository("ann/tuned").files()
    assert not any(path.is_symlink() for path in shown.rglob("*"))
    assert (twice.code, "not an empty folder" in twice.err) == (2, True)


def test_paths_of_this_machine_do_not_leave_it(run: Path, ask: Ask, tmp_path: Path) -> None:
    private = tmp_path / "private-place"
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["model"]["name"], recipe["data"]["source"] = str(private / "secret-base"), "private-place/votes.jsonl"
    recipe["data"]["eval_source"] = str(private / "held.jsonl")
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["model"]["name"], manifest["data"]["source"] = recipe["model"]["name"], recipe["data"]["source"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    (run / "model" / "config.json").write_text(
        json.dumps(
            {**json.loads((run / "model" / "config.json").read_text()), "_name_or_path": str(private / "secret-base")}
        )
    )
    (said,) = ask(["push", str(run), "ann/tuned", "--dry-run", "--out", "shown"], online=False)
    assert said.code == 0, said.err
    for path in (tmp_path / "shown").rglob("*"):
        found = path.read_bytes() if path.is_file() else b""
        assert b"private-place" not in found, path
        assert str(tmp_path).encode() not in found, path
    shown = yaml.safe_load((tmp_path / "shown" / "recipe.yaml").read_text())
    assert (shown["model"]["name"], shown["data"]["source"]) == ("./secret-base", "votes.jsonl")
    card = (tmp_path / "shown" / "README.md").read_text()
    assert "secret\\-base" in card or "secret-base" in card
    assert card_of(card).base_model is None
    assert "private-place" in (run / "model" / "config.json").read_text()  # the run itself is left alone


def test_an_upload_that_was_cut_off_goes_on_where_it_was(run: Path, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    hub.moods.cut_above = 1_000_000  # the weights; the tokenizer and the picture pass
    command = [sys.executable, "-m", "tiebreak", "push", "runs/mine", "ann/tuned"]
    process = started(command, tmp_path, environment(tmp_path, hub))
    try:
        assert hub.moods.cut.wait(30)
        while hub.count("PUT") < 3 or len(hub.store.objects) < 2:  # three large files, of which two are there whole
            assert process.poll() is None, process.communicate()
    finally:
        process.kill()  # in the middle of it all, with nothing tidied up
        process.communicate()
    repository = hub.repository("ann/tuned")
    assert repository.files() == {}  # no half of a commit
    assert len(hub.store.objects) == 2

    hub.moods.cut_above = None
    before = list(hub.requests)
    (said,) = ask(["push", "runs/mine", "ann/tuned"])
    assert said.code == 0, said.err
    sent = [request for request in hub.requests[len(before) :] if request.startswith("PUT")]
    assert len(sent) == 1  # the weights alone
    assert repository.files()[WEIGHTS] == (run / "model" / WEIGHTS).read_bytes()
    assert len(repository.messages) == 1
    assert not list(run.glob(".push-*"))  # what the killed process left is gone


def test_a_new_push_leaves_no_weights_of_an_older_form_behind(run: Path, hub: Hub, ask: Ask) -> None:
    old = {"adapter_config.json": b"{}", "model-00001-of-00002.safetensors": b"old", "notes.txt": b"of the owner"}
    hub.store.repositories["models", "ann/tuned"] = Repository(commits={COMMIT: old})
    (said,) = ask(["push", "runs/mine", "ann/tuned"])
    assert said.code == 0, said.err
    left = hub.repository("ann/tuned").files()
    assert {"notes.txt", WEIGHTS} <= left.keys()
    assert not {"adapter_config.json", "model-00001-of-00002.safetensors"} & left.keys()


def test_a_branch_and_a_private_repository_are_made(run: Path, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    said, dry = ask(
        ["push", "runs/mine", "ann/closed", "--private", "--revision", "second"],
        ["push", "runs/mine", "ann/closed", "--dry-run", "--revision", "second", "--out", "shown"],
    )
    assert dry.code == 0, dry.err
    assert said.code == 0, said.err
    repository = hub.repository("ann/closed")
    assert repository.private
    assert WEIGHTS in repository.files("second")
    assert WEIGHTS not in repository.files("main")
    assert 'revision="second"' in (tmp_path / "shown" / "README.md").read_text()


def renamed_base(run: Path, name: str) -> None:
    """Let the run say that its base has another name."""
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["model"]["name"] = name
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    for path, keys in ((run / "manifest.json", ("model", "name")), (run / "model/adapter_config.json", (BASE,))):
        document: Any = json.loads(path.read_text())
        section = document[keys[0]] if len(keys) > 1 else document
        section[keys[-1]] = name
        path.write_text(json.dumps(document))


def test_an_adapter_is_pushed_and_loaded_with_peft(adapter_run: Path, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    base = {path.name: path.read_bytes() for path in base_model_path().iterdir()}
    base["README.md"] = b"---\nlicense: apache-2.0\n---\n"
    hub.store.repositories["models", "ann/base"] = Repository(commits={COMMIT: base})
    renamed_base(adapter_run, "ann/base")
    (said,) = ask(["push", "runs/adapter", "ann/adapter"])
    assert said.code == 0, said.err
    files = hub.repository("ann/adapter").files()
    assert {ADAPTER, "adapter_config.json", "tokenizer.json", "report.html"} <= files.keys()
    assert not {WEIGHTS, "config.json"} & files.keys()
    data: Any = ModelCard(files["README.md"].decode()).data
    assert (data.base_model, data.base_model_relation, data.library_name) == ("ann/base", "adapter", "peft")
    assert data.license == "apache-2.0"  # what the base says on the Hub
    snippet = files["README.md"].decode().split("```python\n")[1].split("```")[0]
    assert "AutoPeftModelForCausalLM" in snippet
    elsewhere = environment(tmp_path / "elsewhere", hub, token=None)
    assert python("import sys; exec(sys.argv[1])", snippet.replace("128", "8"), cwd=tmp_path, env=elsewhere).strip()


def test_what_the_flags_choose(adapter_run: Path, ask: Ask, tmp_path: Path) -> None:
    push = ["push", "runs/adapter", "ann/a", "--dry-run", "--out"]
    renamed_base(adapter_run, str(base_model_path()))
    plain, alone, merged, both = ask(
        [*push, "plain"],
        [*push, "alone", "--adapter-only"],
        [*push, "merged", "--merge"],
        [*push, "both", "--merge", "--adapter-only"],
        online=False,
    )
    assert (plain.code, alone.code, merged.code) == (0, 0, 0), plain.err + alone.err + merged.err
    assert {path.name for path in (tmp_path / "alone").iterdir()} == {ADAPTER, "adapter_config.json", "README.md"}
    assert both.code == 2
    assert "--merge" in both.err

    # The base lies in a folder of this machine: its path is kept private, and that others lack it is said.
    assert json.loads((tmp_path / "plain" / "adapter_config.json").read_text())[BASE] == "base"
    assert "not on the Hub" in plain.err
    assert "not on the Hub" in (tmp_path / "plain" / "README.md").read_text()

    names = {path.name for path in (tmp_path / "merged").iterdir()}
    assert {WEIGHTS, "config.json", "tokenizer.json", "README.md", "report.html"} <= names
    assert not {ADAPTER, "adapter_config.json"} & names
    assert (tmp_path / "merged" / WEIGHTS).read_bytes() != (base_model_path() / WEIGHTS).read_bytes()
    data: Any = ModelCard((tmp_path / "merged" / "README.md").read_text()).data
    assert data.library_name == "transformers"
