"""An adapter goes to the Hub as it is, alone, or merged; and each form says what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard

from tests.hub.conftest import Ask, environment, python
from tests.hub_server import Hub
from tests.hub_store import COMMIT, Repository
from tiebreak.bundled import base_model_path

WHOLE, ADAPTER = "model.safetensors", "adapter_model.safetensors"


def renamed_base(run: Path, name: str) -> None:
    """Let the run say that its base has another name."""
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["model"]["name"] = name
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    for path, keys in ((run / "manifest.json", ("model", "name")), (run / "model/adapter_config.json", (BASE,))):
        document: Any = json.loads(path.read_text())
        place = document[keys[0]] if len(keys) > 1 else document
        place[keys[-1]] = name
        path.write_text(json.dumps(document))


BASE = "base_model_name_or_path"


def test_an_adapter_is_pushed_and_loaded_with_peft(adapter_run: Path, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    base = {path.name: path.read_bytes() for path in base_model_path().iterdir()}
    base["README.md"] = b"---\nlicense: apache-2.0\n---\n"
    hub.store.repositories["models", "ann/base"] = Repository(commits={COMMIT: base})
    renamed_base(adapter_run, "ann/base")
    (said,) = ask(["push", "runs/adapter", "ann/adapter"])
    assert said.code == 0, said.err
    files = hub.repository("ann/adapter").files()
    assert {ADAPTER, "adapter_config.json", "tokenizer.json", "report.html"} <= files.keys()
    assert not {WHOLE, "config.json"} & files.keys()
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

    # The base lies in a folder of this machine: its place is not told, and that others lack it is.
    assert json.loads((tmp_path / "plain" / "adapter_config.json").read_text())[BASE] == "base"
    assert "not on the Hub" in plain.err
    assert "not on the Hub" in (tmp_path / "plain" / "README.md").read_text()

    names = {path.name for path in (tmp_path / "merged").iterdir()}
    assert {WHOLE, "config.json", "tokenizer.json", "README.md", "report.html"} <= names
    assert not {ADAPTER, "adapter_config.json"} & names
    assert (tmp_path / "merged" / WHOLE).read_bytes() != (base_model_path() / WHOLE).read_bytes()
    data: Any = ModelCard((tmp_path / "merged" / "README.md").read_text()).data
    assert data.library_name == "transformers"
