"""A server of models: pages for people, and an API that existing clients speak.

The package itself can be called, `tiebreak.serve(["runs/mine"])`, and does what `tiebreak serve` does; see
`tiebreak.serve.run.serve_models` for what it takes. Calling is all that is added to the module.
"""

from __future__ import annotations

import sys
import types
from typing import Any


class _Callable(types.ModuleType):
    """A package as a module that can be called: `tiebreak.serve` is a folder of modules and a function by name."""

    def __call__(self, *arguments: Any, **options: Any) -> None:
        """Serve models until the process is asked to stop; arguments as of `tiebreak.serve.run.serve_models`."""
        from tiebreak.serve.run import serve_models

        serve_models(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
