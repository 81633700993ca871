"""`tiebreak.serve` can be called, whatever was imported before it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tiebreak
from tiebreak.errors import InputError


@pytest.mark.parametrize("before", ["", "import tiebreak.serve.settings", "from tiebreak.serve import run"])
def test_it_is_called_by_its_name_in_any_order_of_imports(before: str) -> None:
    script = (
        f"{before}\nimport tiebreak\n"
        "try:\n    tiebreak.serve(engine='openai', runs=None)\n"
        "except tiebreak.InputError as error:\n    print(error.what)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == "The engine 'openai' needs the address of a server.\n", done.stderr


def test_its_modules_are_still_there() -> None:
    from tiebreak.serve.settings import ServeSettings

    assert tiebreak.ServeSettings is ServeSettings
    with pytest.raises(InputError, match="needs the address of a server"):
        tiebreak.serve(engine="openai")
