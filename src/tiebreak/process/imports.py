"""Imports of large libraries, without what they say and change while they are imported."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# On processors with bfloat16 products it warns of a package that would make 4-bit weights faster.
_TALKING = ("bitsandbytes",)


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Within the block libraries are imported in silence; random numbers and loggers are afterwards as before."""
    drawn = random.getstate()  # some library draws a number as it is imported
    loggers = [logging.getLogger(name) for name in _TALKING]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # In a notebook without widgets, libraries warn of bars as they are imported; none is shown.
            warnings.filterwarnings("ignore", message="IProgress not found")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        random.setstate(drawn)
