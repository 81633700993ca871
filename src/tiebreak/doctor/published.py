"""The settings with which others published preference-tuned models: the table that findings over settings read.

Data only. Each entry is of one recipe with its source. Adding one is a line here; the ranges follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["pairs with a reference", "length-normalised"]
"""Objectives of one scale: rewards are sums of log-ratios over a completion, or means over its tokens."""
Trained = Literal["whole", "adapter"]


@dataclass(frozen=True)
class Published:
    """A published recipe.

    Attributes:
        name: of the model.
        billions: parameters of the smallest and the largest model that it was used for.
        family: of its objective.
        trained: whole weights or an adapter.
        rates: lowest and highest learning rate.
        betas: lowest and highest beta; None where the source that was read does not say.
        source: where it stands.
    """

    name: str
    billions: tuple[float, float]
    family: Family
    trained: Trained
    rates: tuple[float, float]
    betas: tuple[float, float] | None
    source: str


_SUM: Family = "pairs with a reference"
_MEAN: Family = "length-normalised"
_HANDBOOK = "github.com/huggingface/alignment-handbook, recipes/"

PUBLISHED: tuple[Published, ...] = (
    Published("DPO", (2.8, 6.9), _SUM, "whole", (1e-6, 1e-6), (0.1, 0.5), "arXiv 2305.18290, appendix B"),
    Published("Zephyr", (7, 7), _SUM, "whole", (5e-7, 5e-7), (0.01, 0.1), _HANDBOOK + "zephyr-7b-beta/dpo"),
    Published("Zephyr QLoRA", (7, 7), _SUM, "adapter", (5e-6, 5e-6), (0.01, 0.01), _HANDBOOK + "zephyr-7b-beta/dpo"),
    Published("SmolLM2", (0.135, 1.7), _SUM, "whole", (1e-6, 1e-6), (0.5, 0.5), _HANDBOOK + "smollm2/dpo"),
    Published("SmolLM3", (3, 3), _SUM, "whole", (1e-6, 1e-6), (0.05, 0.05), _HANDBOOK + "smollm3/dpo"),
    Published("DPO beside SimPO", (7, 8), _SUM, "whole", (3e-7, 7e-7), (0.01, 0.01), "github.com/princeton-nlp/SimPO"),
    Published("OLMo 2", (7, 13), _SUM, "whole", (1e-6, 1e-6), None, "arXiv 2501.00656"),
    Published("TRL's example", (0.5, 0.5), _SUM, "whole", (5e-7, 5e-7), None, "trl/scripts/dpo.py"),
    Published("TRL's example, LoRA", (0.5, 0.5), _SUM, "adapter", (5e-6, 5e-6), None, "trl/scripts/dpo.py"),
    Published("Tülu 3", (8, 8), _MEAN, "whole", (5e-7, 5e-7), (5, 5), "arXiv 2411.15124"),
    Published("SimPO", (7, 8), _MEAN, "whole", (3e-7, 1e-6), (2, 10), "arXiv 2405.14734 and its repository"),
)


def published_for(family: Family, trained: Trained) -> tuple[Published, ...]:
    """The recipes of one family of objectives in which the same was trained."""
    return tuple(each for each in PUBLISHED if each.family == family and each.trained == trained)
