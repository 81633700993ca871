"""Make the tiny assistant from a seed: `python -m tiebreak.bundled.make OUT --seed 0`.

Knows the order of the steps. The base model is taught by the same supervised training that users have. The same seed
gives the same bytes on the same machine.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from tiebreak.bundled.make.initial_model import write_model, write_tokenizer
from tiebreak.bundled.make.training_data import write_corpus, write_preferences


def make_parts(out: Path, seed: int) -> None:
    """Write `preferences/`, `corpus.jsonl` and `initial/` (tokenizer and random model) under `out`."""
    write_preferences(out / "preferences", seed)
    write_corpus(out / "corpus.jsonl", seed)
    write_tokenizer(out / "initial", seed)
    write_model(out / "initial", seed)


def teach(out: Path) -> None:
    """Train the initial model on the corpus, and put the result in `base/`; goes on where it was cut off."""
    from rich.console import Console

    from tiebreak.recipe.builtin import recipe_named
    from tiebreak.workflow.progress import Progress
    from tiebreak.workflow.train import resume, train

    progress, run = Progress(Console(stderr=True)), out / "run"
    if (run / "recipe.yaml").is_file():
        resume(run, progress=progress)
    else:
        changes = {"model.name": str(out / "initial"), "data.source": str(out / "corpus.jsonl")}
        train(recipe_named("bundled-base").with_settings(changes), out=run, progress=progress)
    shutil.rmtree(out / "base", ignore_errors=True)
    shutil.copytree(run / "model", out / "base", ignore=shutil.ignore_patterns("README.md"))


def main() -> None:
    """Read the arguments and make everything."""
    parser = argparse.ArgumentParser(
        prog="python -m tiebreak.bundled.make", description="Make the bundled preferences, tokenizer and base model."
    )
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything that is drawn (default: 0)")
    parser.add_argument("--parts-only", action="store_true", help="make the data and the untrained model only")
    arguments = parser.parse_args()
    make_parts(arguments.out, arguments.seed)
    if not arguments.parts_only:
        from tiebreak.cli.terminal import quiet_libraries

        quiet_libraries()
        teach(arguments.out)


if __name__ == "__main__":
    main()
