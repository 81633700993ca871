"""The host process as it was found: what libraries change while they work for us is put back afterwards.

Random numbers, threads, types, the environment, warnings and the talk of the libraries. Whoever calls Tiebreak from a
program of their own finds these as they left them.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

_TALKING = ("transformers", "datasets", "huggingface_hub", "accelerate", "peft", "bitsandbytes", "lm_eval")
# What decides about numbers beside random states: how it is read, and how it is set.
_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
)


@contextmanager
def same_numbers() -> Iterator[None]:
    """What decides about numbers is after the block as before: random states, threads, types, gradients.

    A callback of the user's runs in such a block, so that it cannot change what a run computes; and so does a run, so
    that it cannot change what the user's program computes.
    """
    drawn, drawn_by_numpy, drawn_by_torch = random.getstate(), np.random.get_state(), torch.get_rng_state()
    on_cards = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    before = [get() for get, _ in _SETTINGS]
    try:
        yield
    finally:
        random.setstate(drawn)
        np.random.set_state(drawn_by_numpy)
        torch.set_rng_state(drawn_by_torch)
        if on_cards:
            torch.cuda.set_rng_state_all(on_cards)
        for (get, put), value in zip(_SETTINGS, before, strict=True):
            if get() != value:  # setting some of them is not free, even to the same value
                put(value)


@contextmanager
def same_host() -> Iterator[None]:
    """As `same_numbers`; and the libraries print nothing meanwhile, and environment and warnings are put back."""
    environment = dict(os.environ)
    with same_numbers(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", message="IProgress not found")  # in notebooks: of bars that are not shown
        with _quiet_libraries():
            try:
                yield
            finally:
                _put_back(environment)


def _put_back(environment: dict[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """No bars and no advice of `transformers`, `datasets` and `huggingface_hub` within the block."""
    import datasets
    import huggingface_hub.utils  # noqa: F401
    import transformers

    hub_bars: Any = sys.modules["huggingface_hub.utils.tqdm"]
    bars_of_hub: dict[str, bool] = hub_bars.progress_bar_states
    levels = {name: logging.getLogger(name).level for name in _TALKING}
    shown_by_hub = dict(bars_of_hub)
    shown = transformers.logging.is_progress_bar_enabled()
    shown_by_datasets = not datasets.utils.are_progress_bars_disabled()
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    hub_bars.disable_progress_bars()
    for name in _TALKING:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if shown_by_datasets:
            datasets.enable_progress_bars()
        if shown:
            with warnings.catch_warnings(action="ignore"):  # the environment may have settled what the Hub's bars do
                transformers.logging.enable_progress_bar()  # type: ignore[no-untyped-call]
        bars_of_hub.clear()
        bars_of_hub.update(shown_by_hub)
