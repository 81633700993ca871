"""What the commands share: libraries that print nothing, progress on stderr, results on stdout.

Knows the terminal and the libraries' loggers; knows no command.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from tiebreak.workflow.progress import Progress


def quiet_libraries() -> None:
    """Keep the libraries' own progress bars and advice out of our output. Call it before they are imported."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    import datasets
    import huggingface_hub
    import transformers

    if os.environ.get("WANDB_MODE") == "offline":  # it prints a line on stdout when it is imported
        with contextlib.redirect_stdout(sys.stderr):
            importlib.import_module("transformers.integrations.integration_utils")

    huggingface_hub.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def stderr_progress() -> Progress:
    """Progress, printed on stderr."""
    from rich.console import Console

    from tiebreak.workflow.progress import Progress

    return Progress(Console(stderr=True))


def stdout_console() -> Console:
    """A console for results, on stdout."""
    from rich.console import Console

    return Console()


def own_name() -> str:
    """What to type for this command: `tiebreak`, or its path if `tiebreak` alone would find nothing or another one."""
    called = Path(sys.argv[0])
    if called.name != "tiebreak":
        return "tiebreak"
    found = shutil.which("tiebreak")
    if found is not None and Path(found).resolve() == called.resolve():
        return "tiebreak"
    here = Path.cwd()
    return str(called.relative_to(here)) if called.is_relative_to(here) else str(called)
