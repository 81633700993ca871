"""The host process is as before after an import and a training; only the one call that is made for it changes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TRAIN_TWO_STEPS = """
import ctypes, json, logging, os, signal, sys, warnings
import numpy, random
import accelerate, datasets, huggingface_hub, matplotlib.pyplot, peft, psutil, pydantic, rich, torch, transformers
from transformers.generation import utils
from transformers import trainer

class Malloc(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

def is_mapped(size):
    # Whether the C library maps a block of memory of its own, as it does for large ones unless it is set not to.
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return None
    library.mallinfo2.restype, library.malloc.restype = Malloc, ctypes.c_void_p
    library.malloc.argtypes, library.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    mapped = library.mallinfo2().hblks
    block = library.malloc(size)
    mapped = library.mallinfo2().hblks - mapped
    library.free(block)
    return bool(mapped)

def state(loggers):
    function = torch.nn.functional
    found = {
        "malloc": is_mapped(2**28),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "linear": [id(function.linear), id(torch.nn.Linear.forward), id(torch.addmm), id(function.embedding)],
        "attention": [id(function.scaled_dot_product_attention), id(transformers.PreTrainedModel.forward)],
        "torch": [torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_float32_matmul_precision()],
        "environment": dict(os.environ),
        "signals": {str(number): signal.getsignal(number) for number in signal.valid_signals()},
        "warnings": [list(map(str, warnings.filters)), id(warnings.showwarning)],
        "hooks": [id(sys.excepthook), id(sys.displayhook), os.getcwd()],
        "random": [hash(random.getstate()), numpy.random.get_state()[1].tolist()[:9], torch.get_rng_state().sum()],
        "bars": [transformers.logging.is_progress_bar_enabled(), datasets.utils.are_progress_bars_disabled(),
                 huggingface_hub.utils.are_progress_bars_disabled()],
        "logging": {"disabled": logging.root.manager.disable},
    }
    for name in loggers:
        logger = logging.getLogger(name)
        found["logging"][str(name)] = [logger.level, list(map(str, logger.handlers)), logger.propagate]
    return json.loads(json.dumps(found, default=str))

loggers = [None, "tiebreak", "torch", *(n for n, l in logging.root.manager.loggerDict.items() if hasattr(l, "level"))]
before = state(loggers)
print("--", file=sys.stderr)  # what stands before it was said when this script imported the libraries
import tiebreak
imported = state(loggers)
run = tiebreak.train(settings=json.loads(sys.argv[1]), out=sys.argv[2])
run._repr_html_(), run.answer("Hello"), tiebreak.evaluate_model(run, "bundled:preferences", limit=4)
trained = state(loggers)
tuned = tiebreak.tune_process()
print(json.dumps([before, imported, trained, state(loggers), tuned]))
"""

SETTINGS = {
    "model.name": "bundled:base",
    "data.source": "bundled:preferences",
    "data.limit": 16,
    "data.eval_limit": 4,
    "data.max_length": 96,
    "train.max_steps": 2,
    "train.batch_size": 4,
    "evaluate.samples": 1,
    "evaluate.judge": "none",
    "evaluate.max_new_tokens": 4,
}
GNU_LINUX = sys.platform.startswith("linux") and hasattr(os, "confstr") and "CS_GNU_LIBC_VERSION" in os.confstr_names


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], bool]:
    """What a process is like before, after the import, after a training, after `tune_process`; and what that gave."""
    folder = tmp_path_factory.mktemp("process")
    environment = {**os.environ, "TIEBREAK_CACHE": str(folder / "cache"), "HF_DATASETS_CACHE": str(folder / "datasets")}
    for name in ("THP_MEM_ALLOC_ENABLE", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_TWO_STEPS, json.dumps(SETTINGS), str(folder / "run")],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("--\n"), done.stderr  # nothing but what the script prints itself
    assert len(done.stdout.splitlines()) == 1
    *found, tuned = json.loads(done.stdout.splitlines()[-1])
    return found, tuned


def test_an_import_changes_nothing(states: tuple[list[dict[str, Any]], bool]) -> None:
    before, imported, *_ = states[0]
    assert imported == before


def test_a_training_changes_nothing(states: tuple[list[dict[str, Any]], bool]) -> None:
    before, _, trained, _ = states[0]
    assert trained == before


@pytest.mark.skipif(not GNU_LINUX, reason="the settings are those of the GNU C library on Linux")
def test_the_explicit_call_sets_the_allocator_and_its_variable_and_nothing_else(
    states: tuple[list[dict[str, Any]], bool],
) -> None:
    (before, *_, after), tuned = states
    assert tuned
    assert (before["malloc"], after["malloc"]) == (True, False)
    assert after["environment"] == {
        **before["environment"],
        "THP_MEM_ALLOC_ENABLE": "1",
        "PYTORCH_ALLOC_CONF": "expandable_segments:True",
    }
    assert {k: v for k, v in after.items() if k not in ("malloc", "environment")} == {
        k: v for k, v in before.items() if k not in ("malloc", "environment")
    }


RUN_OUT = """
import ctypes, sys, torch
from tiebreak.process.memory import unless_memory_runs_out
from tiebreak.process.allocator import tune_process

class Library:
    def __init__(self):
        self.asked = []
        self.real = ctypes.CDLL(None)
    def mallopt(self, what, value):
        self.asked.append([what, value])
        return self.real.mallopt(what, value)
    def malloc_trim(self, size):
        return self.real.malloc_trim(size)

library = Library()
import tiebreak.process.allocator as allocator
allocator._library = lambda: library
def runs_out():
    raise MemoryError
if sys.argv[1] == "tuned":
    tune_process()
first = len(library.asked)
unless_memory_runs_out(runs_out)
then = len(library.asked)
unless_memory_runs_out(runs_out)
print(first > 0, then > first, len(library.asked) > then)
"""


@pytest.mark.skipif(not GNU_LINUX, reason="the settings are those of the GNU C library on Linux")
@pytest.mark.parametrize(("how", "expected"), [("tuned", "True True False"), ("plain", "False False False")])
def test_memory_that_runs_out_undoes_the_settings_that_were_made_and_makes_none(how: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_OUT, how], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == expected, done.stderr


def test_the_call_needs_no_torch(tmp_path: Path) -> None:
    code = "import sys, tiebreak; tiebreak.tune_process(); print('torch' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "False False", done.stderr
