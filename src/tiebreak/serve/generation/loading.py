"""From the names that a user typed to models that can be served: found first, all of them, then loaded one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tiebreak.data.preparing.templates import Template, choose_template
from tiebreak.engine.reference import fingerprint_weights
from tiebreak.errors import InputError
from tiebreak.formatting.hub_names import last_part, public_name
from tiebreak.generation.decoding import positions
from tiebreak.models.gguf import gguf_note
from tiebreak.models.load import load_model, load_tokenizer, locate
from tiebreak.models.places import BUNDLED
from tiebreak.models.precision import choose_device
from tiebreak.recipe import ModelSection
from tiebreak.runs import RunFolder
from tiebreak.runs.folder import find_run
from tiebreak.runs.loop import LoopFolder
from tiebreak.serve.generation.engine import ServedModel

_BUNDLED_LICENSE = "MIT"


@dataclass(frozen=True)
class Found:
    """A model that will be served, not loaded yet.

    Attributes:
        name: unique, for requests.
        title: for people.
        section: what is loaded.
        template: the recipe's setting of the form of conversations.
        base: name of the one it was trained from, where that is served too.
        license: as far as it is known without loading anything.
        run: folder of the run that made it.
        loop: folder of the loop whose accepted model it is.
    """

    name: str
    title: str
    section: ModelSection
    template: str = "auto"
    base: str | None = None
    license: str | None = None
    run: str | None = None
    loop: str | None = None


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, with what a request needs to know of it."""

    served: ServedModel
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    template: Template


def find_models(names: Sequence[str], *, base: bool = False) -> list[Found]:
    """Find what the user named; nothing is loaded.

    Args:
        names: run folders, names of runs, loop folders, other folders, Hub ids, or `bundled:base`.
        base: serve the model that each run started from as well.
    Raises:
        InputError: one of them cannot be a model, or a base is asked for and none of them is a run.
    """
    if not names:
        raise InputError("No model is named.", fix="for example: tiebreak serve bundled:base")
    found: list[Found] = []
    for name in dict.fromkeys(names):
        run = _run_of(name)
        own = _found(name, run)
        own = _renamed(own, {one.name for one in found})
        if run is not None and base:
            before = _base_of(run, own)
            known = next((one for one in found if one.section == before.section and one.run is None), None)
            if known is None:
                before = _renamed(before, {own.name, *(one.name for one in found)})
                found.append(before)
            found.append(replace(own, base=(known or before).name))
        else:
            found.append(own)
    if base and all(one.base is None for one in found):
        raise InputError(
            "None of the models is a run, so it is not known which model they started from.",
            where="--base",
            fix="name a run folder, or name both models",
        )
    return found


def accepted(found: Found) -> Found:
    """The same name with the model that its loop accepts now.

    Raises:
        InputError: the loop's file is damaged, or the model is not there.
    """
    if found.loop is None:
        return found
    current = LoopFolder(Path(found.loop)).current()
    locate(current)
    run = RunFolder(Path(current)) if (Path(current) / "recipe.yaml").is_file() else None
    return replace(
        found,
        section=found.section.model_copy(update={"name": current}),
        license=_license_of(current, run),
        run=None if run is None else current,
    )


def load_found(found: Found, *, on_message: Callable[[str], None] = lambda _: None) -> LoadedModel:
    """Load one model.

    Raises:
        InputError: it cannot be loaded.
    """
    on_message(f"Loading {found.title} …")
    section, device = found.section, choose_device()
    if (note := gguf_note(section.name)) is not None:
        on_message(f"{found.title}: {note}")
    dtype = torch.float32
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        dtype = torch.bfloat16
    model = load_model(
        section.name, revision=section.revision, dtype=dtype, trust_remote_code=section.trust_remote_code
    )
    model.to(device)  # type: ignore[arg-type]
    tokenizer = load_tokenizer(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)
    served = ServedModel(
        name=found.name,
        title=found.title,
        fingerprint=fingerprint_weights(model),
        license=found.license,
        base=found.base,
        created=_written(section),
        context=positions(model),
        run=found.run,
    )
    return LoadedModel(served, model, tokenizer, choose_template(tokenizer, found.template))


def _run_of(name: str) -> RunFolder | None:
    """The run of a name, by path or under `runs/`; None where it is none."""
    if (Path(name).expanduser() / "recipe.yaml").is_file():
        return find_run(name)
    is_word = name == Path(name).name and not name.startswith((".", "~")) and ":" not in name
    if is_word and not Path(name).exists() and (Path("runs") / name / "recipe.yaml").is_file():
        return find_run(name)
    return None


def _found(name: str, run: RunFolder | None) -> Found:
    if run is None:
        locate(name)  # says what is wrong with a name that can be none
        return Found(public_name(name), public_name(name), ModelSection(name=name), license=_license_of(name, None))
    locate(str(run.path))
    recipe = run.recipe()
    section = ModelSection(name=str(run.path), trust_remote_code=recipe.model.trust_remote_code)
    own = run.title
    loop = str(run.path) if LoopFolder(run.path).exists else None
    return accepted(Found(own, own, section, recipe.data.template, None, _license_of(own, run), str(run.path), loop))


def _license_of(name: str, run: RunFolder | None) -> str | None:
    """As far as it is known: of a run, what its manifest says of the model that it started from."""
    model = run.load_manifest().model if run is not None else None
    known = model.license if model is not None else None
    bundled = BUNDLED in (name, None if run is None else run.recipe().model.name)
    return known or (_BUNDLED_LICENSE if bundled else None)


def _base_of(run: RunFolder, own: Found) -> Found:
    recipe = run.recipe()
    section = ModelSection(
        name=recipe.model.name, revision=recipe.model.revision, trust_remote_code=recipe.model.trust_remote_code
    )
    locate(section.name, section.revision)
    name = public_name(section.name)
    return Found(name, f"{name}, before {own.title}", section, recipe.data.template, license=own.license)


def _renamed(found: Found, taken: Iterable[str]) -> Found:
    """The same under a name that is not taken yet."""
    names, name, number = set(taken), found.name or last_part(found.section.name), 2
    while name in names:
        name, number = f"{found.name}-{number}", number + 1
    title = found.title if name == found.name else f"{found.title} ({number - 1})"
    return replace(found, name=name, title=title)


def _written(section: ModelSection) -> int:
    where = locate(section.name, section.revision)
    times = [int(file.stat().st_mtime) for file in Path(where.source).glob("*.safetensors")] if where.is_local else []
    return max(times, default=0)
