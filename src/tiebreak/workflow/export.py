"""A run's model for use elsewhere: merged and plain, or as GGUF with a Modelfile beside it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tiebreak.data.preparing.templates import choose_template
from tiebreak.errors import InputError
from tiebreak.files import write_text
from tiebreak.models.adapters import is_adapter_folder
from tiebreak.models.export import find_converter, merged_folder, modelfile, write_gguf
from tiebreak.models.load import load_tokenizer, locate
from tiebreak.process.host import same_host
from tiebreak.runs import RunFolder
from tiebreak.workflow.run import Run


def export_run(
    run: Run | Path | str, to: Path | str | None = None, *, merge: bool = False, gguf: bool = False
) -> list[Path]:
    """Write a finished run's model in another form. As `tiebreak export` does.

    Args:
        run: the run, or its folder.
        to: the folder that is made; None is `merged` or `gguf` inside the run.
        merge: the adapter worked into the weights, as a plain model in safetensors.
        gguf: one GGUF file for llama.cpp and Ollama, with a Modelfile.
    Returns:
        The folder or the files that were written.
    Raises:
        InputError: nothing was asked for, the run is not finished, or the machine cannot convert.
        RunError: writing or converting failed.
    """
    folder = RunFolder.open(Path(run))
    if not merge and not gguf:
        raise InputError(
            "Say what to write.", fix="--merge for a plain model in safetensors, --gguf for llama.cpp and Ollama"
        )
    with same_host():
        return _export(folder, None if to is None else Path(to), gguf=gguf)


def _export(folder: RunFolder, to: Path | None, *, gguf: bool) -> list[Path]:
    source = Path(locate(str(folder.path)).source)  # refuses an unfinished run
    trusted = folder.recipe().model.trust_remote_code
    if not gguf:
        target = to or folder.path / "merged"
        merged_folder(folder.path, target, trust_remote_code=trusted)
        return [target]
    converter = find_converter()
    target = to or folder.path / "gguf"
    if target.exists() and any(target.iterdir()):
        raise InputError(f"'{target}' exists.", fix="name a folder that is not there yet")
    with tempfile.TemporaryDirectory(dir=folder.path) as scratch:
        whole = source
        if is_adapter_folder(source):
            whole = Path(scratch) / "merged"
            merged_folder(folder.path, whole, trust_remote_code=trusted)
        file = Path(scratch) / f"{folder.path.name}.gguf"
        write_gguf(whole, file, converter)
        target.mkdir(parents=True, exist_ok=True)
        made = file.replace(target / file.name)
    tokenizer = load_tokenizer(str(folder.path), trust_remote_code=trusted)
    template = choose_template(tokenizer, folder.recipe().data.template)
    text = modelfile(
        made.name,
        template=template,
        chat_template=str(tokenizer.chat_template or ""),
        stop=tokenizer.eos_token if isinstance(tokenizer.eos_token, str) else None,
    )
    write_text(target / "Modelfile", text)
    return [made, target / "Modelfile"]
