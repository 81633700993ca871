"""Keys of a recipe: their bounds, the forms they may be written in, and settings that do not go together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tiebreak.recipe import Recipe
from tiebreak.recipe.section import Section
from tiebreak.recipe.sections import (
    AdapterSection,
    DataSection,
    EvaluateSection,
    ModelSection,
    ObjectiveSection,
    TrainSection,
)

# For each key with bounds: values at the edge that are taken, and values past it.
BOUNDS: list[tuple[type[Section], str, tuple[Any, ...], tuple[Any, ...]]] = [
    (AdapterSection, "rank", (1, 512), (0, -1, 1.5)),
    (AdapterSection, "alpha", (1e-6, 64), (0, -1)),
    (DataSection, "max_length", (8, None), (7, 0)),
    (DataSection, "max_prompt_length", (1, None), (0,)),
    (DataSection, "max_completion_length", (1, None), (0,)),
    (DataSection, "min_chars", (0, None), (-1,)),
    (DataSection, "max_chars", (1, None), (0,)),
    (DataSection, "limit", (1, None), (0, -5)),
    (DataSection, "eval_limit", (1, None), (0,)),
    (DataSection, "eval_fraction", (0, 0.999), (1, 1.5, -0.1)),
    (DataSection, "too_long", ("drop", "trim_prompt", "trim_completion"), ("cut", None)),
    (DataSection, "duplicates", ("drop", "keep"), ("all",)),
    (ObjectiveSection, "weight", (1e-3, 5), (0, -1)),
    (ObjectiveSection, "length_alpha", (0, 1), (-0.1, 1.1)),
    (ObjectiveSection, "weighting", ("none", "wpo"), ("dpo",)),
    (TrainSection, "learning_rate", ("auto", 1e-9), (0, -1e-6, "fast", None)),
    (TrainSection, "memory_share", ("auto", 0.01, 0.5, 1), (0, -0.5, 1.01, 90, "half", None, True)),
    (TrainSection, "batch_size", (1,), (0,)),
    (TrainSection, "gradient_accumulation", (1,), (0,)),
    (TrainSection, "epochs", (0.01, 3), (0, -1)),
    (TrainSection, "max_steps", (1, None), (0,)),
    (TrainSection, "warmup_ratio", (0, 0.99), (1, -0.1)),
    (TrainSection, "weight_decay", (0, 0.1), (-0.1,)),
    (TrainSection, "adam_betas", ((0, 0.5), (0.9, 0.95)), ((0.9, 1), (-0.1, 0.9), (0.9,))),
    (TrainSection, "max_grad_norm", (0, 1), (-1,)),
    (TrainSection, "tokens_per_microbatch", ("auto", 1, 4096), (0, -1, "much")),
    (TrainSection, "log_every", (1,), (0,)),
    (TrainSection, "keep_checkpoints", (1,), (0,)),
    (TrainSection, "early_stopping", (1, None), (0,)),
    (TrainSection, "reference_update_every", (1,), (0,)),
    (TrainSection, "reference_mix", (0.01, 1), (0, 1.1)),
    (TrainSection, "seed", (0, 2**32 - 1), (-1, 2**32)),
    (DataSection, "seed", (0, 2**32 - 1), (-1, 2**32)),
    (EvaluateSection, "seed", (0, 2**32 - 1), (-1, 2**32)),
    (EvaluateSection, "samples", (0, 50), (-1,)),
    (EvaluateSection, "max_new_tokens", (1,), (0,)),
    (EvaluateSection, "temperature", (0, 2), (-0.1,)),
    (EvaluateSection, "judge_prompts", (1,), (0,)),
    (EvaluateSection, "judge", ("auto", "none", "bundled"), ("mine",)),
]


def named(*, within: bool) -> list[Any]:
    """A case for each value."""
    return [
        pytest.param(section, key, value, id=f"{section.__name__}.{key}={value}")
        for section, key, taken, refused in BOUNDS
        for value in (taken if within else refused)
    ]


@pytest.mark.parametrize(("section", "key", "value"), named(within=True))
def test_a_value_within_its_bounds_is_taken(section: type[Section], key: str, value: Any) -> None:
    assert getattr(section.model_validate({key: value}), key) == value


@pytest.mark.parametrize(("section", "key", "value"), named(within=False))
def test_a_value_past_its_bounds_is_refused_by_its_key(section: type[Section], key: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        section.model_validate({key: value})
    assert key in str(refused.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [("epoch", "epoch"), (None, None), (0.25, 0.25), ("0.25", 0.25), (1, 1), (50.0, 50), ("50", 50)],
)
def test_every_so_often_is_an_epoch_a_share_or_steps(written: object, value: object) -> None:
    for key in ("eval_every", "save_every"):
        found = getattr(TrainSection.model_validate({key: written}), key)
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize("written", [0, -1, 1.5, "often", True, [1]])
def test_every_so_often_is_nothing_else(written: object) -> None:
    with pytest.raises(ValidationError, match="give 'epoch', a share of the run between 0 and 1, or a number of steps"):
        TrainSection.model_validate({"eval_every": written})


@pytest.mark.parametrize(
    ("section", "document", "says"),
    [
        (ModelSection, {"quantize": "nf4"}, "add an adapter"),
        (TrainSection, {"early_stopping": 2, "keep_best": None}, "early_stopping needs keep_best"),
        (TrainSection, {"reference_update": "soft"}, "set train.reference=live"),
        (TrainSection, {"reference_update": "hard", "reference": "cached"}, "set train.reference=live"),
    ],
)
def test_what_does_not_go_together_is_refused(section: type[Section], document: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        section.model_validate(document)


@pytest.mark.parametrize(
    ("section", "document"),
    [
        (ModelSection, {"quantize": "nf4", "adapter": "lora"}),
        (TrainSection, {"early_stopping": 2}),
        (TrainSection, {"reference_update": "soft", "reference": "live"}),
        (TrainSection, {"keep_best": None}),
    ],
)
def test_what_goes_together_is_taken(section: type[Section], document: dict[str, Any]) -> None:
    section.model_validate(document)


def test_an_adapter_may_be_written_as_its_kind_and_targets_as_one_name() -> None:
    assert ModelSection.model_validate({"adapter": "dora"}).adapter == AdapterSection(kind="dora")
    assert ModelSection.model_validate({"adapter": {"targets": "q_proj"}}).adapter == AdapterSection(
        targets=("q_proj",)
    )
    assert AdapterSection().targets == "auto"
    with pytest.raises(ValidationError):
        ModelSection.model_validate({"adapter": "loar"})


def test_a_revision_of_digits_is_a_name() -> None:
    assert ModelSection.model_validate({"revision": 1}).revision == "1"


@pytest.mark.parametrize("section", [AdapterSection, ModelSection, DataSection, TrainSection, EvaluateSection])
def test_a_section_is_closed_and_frozen(section: type[Section]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        section.model_validate({"no_such_key": 1})
    made = section()
    name = next(iter(section.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(made, name, getattr(made, name))


def test_a_description_of_what_holds_for_every_task_speaks_of_examples() -> None:
    """Demonstrations and unpaired completions have a batch size, a limit and an order, too."""
    of_pairs = {"weighting"}  # unpaired completions have no such weight
    for section in (DataSection, TrainSection, EvaluateSection, ObjectiveSection):
        for key, field in section.model_fields.items():
            words = (field.description or "").lower().split()
            assert key in of_pairs or not {"pair", "pairs"} & set(words), f"{section.__name__}.{key}"


def test_settings_of_objectives_are_described_with_who_takes_them() -> None:
    keys = ObjectiveSection.further_keys()
    assert "sigmoid" in keys["beta"]
    assert all(sentence.endswith(".") for sentence in keys.values())
    assert not set(keys) & set(ObjectiveSection.model_fields)


def test_a_setting_is_checked_by_the_chosen_objective_that_takes_it() -> None:
    assert Recipe(objective={"name": "simpo", "gamma": 1}).objective.settings == {"gamma": 1.0}
    with pytest.raises(ValidationError, match="gama"):
        ObjectiveSection.model_validate({"name": "simpo", "gama": 1})
    with pytest.raises(ValidationError, match="label_smoothing"):
        ObjectiveSection.model_validate({"name": "simpo", "add": {"exo_pair": 0.5}, "label_smoothing": 0})
    added = ObjectiveSection.model_validate({"name": "simpo", "add": {"sigmoid": 0.5}, "label_smoothing": 0})
    assert added.settings == {"label_smoothing": 0.0}
