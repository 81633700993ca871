"""From names to models: all are found before one is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiebreak.errors import InputError
from tiebreak.serve.generation.loading import find_models


def test_names_are_found_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="There is no bundled model"):
        find_models(["bundled:base", "bundled:nothing"])
    with pytest.raises(InputError, match="None of the models is a run"):
        find_models(["bundled:base"], base=True)
    with pytest.raises(InputError, match="No model is named"):
        find_models([])
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "mine"
    (run / "model").mkdir(parents=True)
    (run / "recipe.yaml").write_text("model: {name: bundled:base}\n")
    with pytest.raises(InputError, match="no finished model"):
        find_models(["runs/mine"])
    (run / "model" / "config.json").write_text("{}")
    tuned, base = sorted(find_models(["runs/mine"], base=True), key=lambda one: one.base is None)
    assert (tuned.name, tuned.base, tuned.license) == ("mine", "bundled:base", "MIT")
    assert (base.name, base.run) == ("bundled:base", None)
    assert [one.name for one in find_models(["mine", "bundled:base"])] == ["mine", "bundled:base"]
    assert "/" not in "".join(one.name + one.title for one in find_models([str(run)]))
