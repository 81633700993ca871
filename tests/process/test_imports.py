"""Libraries that are imported for us say nothing and change nothing."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import warnings

import pytest

from tiebreak.process.imports import quiet_imports


def test_what_a_library_says_and_draws_is_not_seen(capsys: pytest.CaptureFixture[str]) -> None:
    logger, state = logging.getLogger("bitsandbytes"), random.getstate()
    level = logger.level
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with quiet_imports():
            logger.warning("no kernels")
            warnings.warn("IProgress not found. Please update", stacklevel=1)
            random.random()
        with pytest.raises(ImportError), quiet_imports():
            raise ImportError
    assert (logger.level, random.getstate(), warned) == (level, state, [])
    assert capsys.readouterr().err == ""


def test_other_warnings_are_seen() -> None:
    with pytest.warns(UserWarning, match="of something else"), quiet_imports():
        warnings.warn("of something else", stacklevel=1)


def test_the_api_is_imported_in_silence() -> None:
    words = "import tiebreak; [getattr(tiebreak, name) for name in tiebreak.__all__]"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
