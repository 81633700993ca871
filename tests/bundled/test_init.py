"""The package that users load: where its files are, and that it never loads the room that makes them."""

from __future__ import annotations

import subprocess
import sys

from tiebreak.bundled import base_model_path, preferences_path


def test_paths_are_inside_the_package() -> None:
    assert base_model_path().name == "base"
    assert (base_model_path() / "model.safetensors").is_file()
    assert preferences_path("train").is_file()
    assert preferences_path("held_out").is_file()


def test_what_users_load_does_not_load_what_makes_it() -> None:
    probe = (
        "import sys, tiebreak.bundled, tiebreak.bundled.judge, tiebreak.bundled.vote;"
        "print([name for name in sys.modules if name.startswith('tiebreak.bundled.make')])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
