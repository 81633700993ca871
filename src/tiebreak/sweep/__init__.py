"""A search over recipes: trials that are runs, kept where it can be gone on with, and what they say together.

Knows how a recipe is varied, who runs which trial, and how trials are ranked; a trial itself is a run of `workflow`.
The package can be called, `tiebreak.sweep("mine.yaml", over={"objective.beta": [0.05, 0.1]})`, and does what
`tiebreak sweep` does; see `tiebreak.sweep.search.search` for what it takes.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from tiebreak.process.imports import quiet_imports


class _Callable(types.ModuleType):
    """A package as a module that can be called: `tiebreak.sweep` is a folder of modules and a function by name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Search over recipes; arguments and what is returned as of `tiebreak.sweep.search.search`."""
        with quiet_imports():
            from tiebreak.sweep.search import search

        return search(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
