"""The recipe: the whole run as one validated document. Its sections, its file, its keys, and the built-in ones."""

from tiebreak.recipe.judge import JudgeSection, judge_from_flag
from tiebreak.recipe.keys import described_keys
from tiebreak.recipe.recipe import Recipe, load_recipe, parse_recipe, parse_value, read_recipe
from tiebreak.recipe.sections import (
    AdapterSection,
    DataSection,
    EvaluateSection,
    ModelSection,
    ObjectiveSection,
    TrainSection,
)
from tiebreak.recipe.sweep import SweepSection

__all__ = [
    "AdapterSection",
    "DataSection",
    "EvaluateSection",
    "JudgeSection",
    "ModelSection",
    "ObjectiveSection",
    "Recipe",
    "SweepSection",
    "TrainSection",
    "described_keys",
    "judge_from_flag",
    "load_recipe",
    "parse_recipe",
    "parse_value",
    "read_recipe",
]
