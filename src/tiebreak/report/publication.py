"""Where and in which form a run is published: what a model card has to know beside the run itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tiebreak.report.hub_ids import HERE

Form = Literal["model", "adapter", "merged"]
"""What the weights are: a whole model, an adapter beside one, or an adapter merged into one."""


@dataclass(frozen=True)
class Publication:
    """Where and in which form a run is published.

    Attributes:
        form: what the weights are.
        repo: the Hub id; None is a folder that has none yet.
        revision: branch of the repository; None is the default one.
        picture: path of a picture of the curves beside the card; None where there is none.
        tokenizer: whether the tokenizer lies beside the weights.
        files: whether recipe, metrics and report lie there too.
        license: of the base model, where the manifest does not know it.
        roots: folders in which the names of a recipe may be paths.
    """

    form: Form = "model"
    repo: str | None = None
    revision: str | None = None
    picture: str | None = None
    tokenizer: bool = True
    files: bool = False
    license: str | None = None
    roots: Sequence[Path] = HERE
