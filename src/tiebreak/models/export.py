"""From a finished run to a plain model that needs nothing of Tiebreak: merged, in safetensors, with its tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

from safetensors import SafetensorError

from tiebreak.errors import InputError, RunError
from tiebreak.files import folder_at_once
from tiebreak.models.adapters import CONFIG, WEIGHTS, is_adapter_folder
from tiebreak.models.load import load_model, locate

_OF_THE_ADAPTER = (CONFIG, WEIGHTS)


def merged_folder(run_folder: Path, to: Path, *, trust_remote_code: bool = False) -> None:
    """Write the model of a run as a whole model, all or nothing.

    Args:
        run_folder: a finished run, or a folder with an adapter.
        to: the folder that is made.
        trust_remote_code: run code that the model brings along.
    Raises:
        InputError: the run is not finished, is none, or has no adapter to merge; or the folder is there already.
        RunError: the disk does not take it.
    """
    source = Path(locate(str(run_folder)).source)
    if not is_adapter_folder(source):
        raise InputError(
            "There is no adapter to merge: the run trained the whole model.",
            where=str(run_folder),
            fix=f"take {source} as it is",
        )
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"'{to}' exists.", fix="name a folder that is not there yet")
    model = load_model(str(run_folder), trust_remote_code=trust_remote_code)
    try:
        with folder_at_once(to) as partial:
            model.save_pretrained(partial)
            for file in sorted(source.iterdir()):
                if file.is_file() and file.name not in _OF_THE_ADAPTER and not (partial / file.name).exists():
                    shutil.copy2(file, partial / file.name)
    except (OSError, SafetensorError) as error:
        raise RunError(f"The merged model cannot be written: {error}.", where=str(to), fix="free some disk") from error
