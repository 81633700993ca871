"""What strangers may read of a run names nothing of this machine."""

from __future__ import annotations

from pathlib import Path

from tests.report.made import made_recipe, make_run, manifest_of, recorded
from tiebreak.runs.public import private_names, public_manifest, public_recipe


def test_a_local_name_cannot_be_taken_for_a_hub_id(tmp_path: Path) -> None:
    (tmp_path / "data" / "votes").mkdir(parents=True)
    recipe = made_recipe({"model": "/somewhere/base", "data": "data/votes"})
    public = public_recipe(recipe, (tmp_path,))
    assert (public.model.name, public.data.source) == ("./base", "./votes")
    assert public_recipe(recipe, ()).data.source == "data/votes"


def test_a_public_manifest_names_no_folder_and_no_row() -> None:
    report = {"source": "/secret/votes.jsonl", "rows": 3, "made": 3}
    private = manifest_of(
        model={**recorded()["model"], "name": "/secret/base"},
        data={**recorded()["data"], "source": "/secret/votes.jsonl", "report": report},
    )
    public = public_manifest(private)
    assert public.model is not None
    assert public.data is not None
    assert (public.model.name, public.data.source, public.data.report) == ("base", "votes.jsonl", None)
    assert public.replace(model=private.model, data=private.data) == private


def test_the_longest_private_path_is_replaced_first(tmp_path: Path) -> None:
    model = str(tmp_path / "models" / "base & co")
    run = make_run(tmp_path / "run", recipe={"model": model})
    names = private_names(run, run.recipe(), ())
    assert (names[model], names[str(run.path)]) == ("base & co", "run")
    assert names[model.replace("&", "&amp;")] == "base &amp; co"
    assert [len(path) for path in names] == sorted(map(len, names), reverse=True)
