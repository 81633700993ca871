"""What the commands share: quiet libraries, where talk goes, and how answers stand side by side."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from tiebreak.workflow.talk import Talk


def quiet_libraries() -> None:
    """Keep the libraries' own bars and advice out of our output; call it before they are imported."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    import datasets
    import huggingface_hub
    import transformers

    if os.environ.get("WANDB_MODE") == "offline":  # it says so on stdout when it is imported
        with contextlib.redirect_stdout(sys.stderr):
            importlib.import_module("transformers.integrations.integration_utils")

    huggingface_hub.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def stderr_talk() -> Talk:
    """Talk on stderr."""
    from rich.console import Console

    from tiebreak.workflow.talk import Talk

    return Talk(Console(stderr=True))


def stdout_console() -> Console:
    """Results on stdout."""
    from rich.console import Console

    return Console()


def own_name() -> str:
    """What to type to get this very command: its path where `tiebreak` alone would find none, or another."""
    import shutil
    import sys
    from pathlib import Path

    called = Path(sys.argv[0])
    if called.name != "tiebreak":
        return "tiebreak"
    found = shutil.which("tiebreak")
    if found is not None and Path(found).resolve() == called.resolve():
        return "tiebreak"
    here = Path.cwd()
    return str(called.relative_to(here)) if called.is_relative_to(here) else str(called)
