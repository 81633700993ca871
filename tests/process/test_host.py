"""Whatever is changed within a block is as before after it, also where the block fails."""

from __future__ import annotations

import logging
import os
import random
import warnings
from typing import Any

import datasets
import huggingface_hub.utils
import numpy as np
import pytest
import torch
import transformers

from tiebreak.process.host import same_host, same_numbers

HUB: Any = huggingface_hub.utils  # which exports not all that it documents


def _draw() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]


def _change_numbers() -> None:
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_float32_matmul_precision("medium")


def _settings() -> list[Any]:
    precision = torch.get_float32_matmul_precision()
    return [torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(), precision]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("block", [same_numbers, same_host])
def test_random_states_and_settings_are_put_back(block: Any, fails: bool) -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    settings, expected = _settings(), _draw()
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    try:
        with block():
            _change_numbers()
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails
    assert _settings() == settings
    assert _draw() == expected


def test_environment_warnings_and_the_talk_of_libraries_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_OF_THE_TEST", "before")
    monkeypatch.setenv("TIEBREAK_GONE", "before")
    logger = logging.getLogger("transformers")
    levels, filters, environment = logger.level, list(warnings.filters), dict(os.environ)
    with same_host():
        os.environ["TIEBREAK_OF_THE_TEST"] = "within"
        os.environ["TIEBREAK_NEW"] = "within"
        del os.environ["TIEBREAK_GONE"]
        warnings.simplefilter("error")
        assert logger.level == logging.ERROR
        assert not transformers.logging.is_progress_bar_enabled()
        assert datasets.utils.are_progress_bars_disabled()
        assert HUB.are_progress_bars_disabled()
    assert dict(os.environ) == environment
    assert list(warnings.filters) == filters
    assert logger.level == levels


@pytest.mark.parametrize("shown", [(True, True, True), (False, True, False), (True, False, False)])
def test_bars_are_as_the_program_had_them(shown: tuple[bool, bool, bool]) -> None:
    of_transformers, of_datasets, of_hub = shown
    (transformers.logging.enable_progress_bar if of_transformers else transformers.logging.disable_progress_bar)()  # type: ignore[no-untyped-call]
    (datasets.enable_progress_bars if of_datasets else datasets.disable_progress_bars)()
    (HUB.enable_progress_bars if of_hub else HUB.disable_progress_bars)()
    with same_host(), same_host():
        pass
    assert transformers.logging.is_progress_bar_enabled() == of_transformers
    assert (not datasets.utils.are_progress_bars_disabled()) == of_datasets
    assert (not HUB.are_progress_bars_disabled()) == of_hub
    transformers.logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    datasets.enable_progress_bars()
