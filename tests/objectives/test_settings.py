"""Settings as a function declares them: what is read from its signature, and what is said of a wrong value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from tiebreak.errors import InputError
from tiebreak.objectives.settings import Beta, Setting, filled, settings_of

if TYPE_CHECKING:
    from somewhere_else import Logps  # type: ignore[import-not-found]


def _loss(
    policy: Logps,
    *,
    beta: Beta = 0.5,
    steps: int = 3,
    hard: bool = False,
    form: Literal["a", "b"] = "a",
    tag: str = "x",
    scale: Annotated[float, Field(gt=1, description="How much.")] = 2.0,
) -> Logps:
    return policy


def test_settings_are_read_from_the_signature_without_the_types_of_the_other_arguments() -> None:
    found = settings_of(_loss)
    assert {name: setting.default for name, setting in found.items()} == {
        "beta": 0.5,
        "steps": 3,
        "hard": False,
        "form": "a",
        "tag": "x",
        "scale": 2.0,
    }
    assert found["scale"].description == "How much."
    assert found["steps"].description == ""


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("beta", "a finite number above 0"),
        ("steps", "a whole number"),
        ("hard", "true or false"),
        ("form", "one of a, b"),
        ("tag", "text"),
        ("scale", "a finite number above 1"),
    ],
)
def test_what_a_setting_may_be_is_said_in_words(name: str, allowed: str) -> None:
    assert settings_of(_loss)[name].allowed == allowed


@pytest.mark.parametrize(("name", "text", "value"), [("beta", "1e-1", 0.1), ("steps", "4", 4), ("hard", "true", True)])
def test_values_written_as_text_get_the_settings_type(name: str, text: str, value: Any) -> None:
    assert settings_of(_loss)[name].check(text) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("beta", 0), ("beta", float("inf")), ("steps", 1.5), ("hard", "perhaps"), ("form", "c"), ("scale", 1.0)],
)
def test_a_value_that_is_not_allowed_is_refused_where_it_stands(name: str, value: Any) -> None:
    setting = settings_of(_loss)[name]
    with pytest.raises(ValidationError):
        setting.check(value)
    with pytest.raises(InputError) as caught:
        filled("mine", settings_of(_loss), {name: value}, where={name: f"objective.{name}"})
    assert caught.value.what == f"The objective 'mine' cannot use {name} = {value!r}."
    assert caught.value.where == f"objective.{name}"
    assert caught.value.fix == f"give {setting.allowed}"


def test_what_is_not_given_is_the_default() -> None:
    found = filled("mine", settings_of(_loss), {"beta": "2"}, where={"beta": "objective.beta"})
    assert found == {"beta": 2.0, "steps": 3, "hard": False, "form": "a", "tag": "x", "scale": 2.0}


def test_a_type_that_is_not_to_be_found_is_said() -> None:
    def lost(policy: Logps, *, beta: Nowhere = 1.0) -> Logps:  # type: ignore[name-defined]  # noqa: F821
        return policy

    with pytest.raises(TypeError, match=r"the type of a setting of 'lost' is not to be found.*Nowhere"):
        settings_of(lost)


def test_a_type_that_no_value_can_be_checked_by_is_said() -> None:
    with pytest.raises(TypeError, match="values of the setting 'model' cannot be checked by its type"):
        Setting("model", None, object()).check(1)
