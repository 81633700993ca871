"""The whole run as one validated document: what a recipe file says and what the flags override.

Knows nothing of models or data: reading a recipe loads neither torch nor a file other than its own, nor the module of
an objective from outside.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WithJsonSchema

from tiebreak.errors import InputError
from tiebreak.objectives import task_of_objective
from tiebreak.recipe.document import DuplicateKeyError, read_document
from tiebreak.recipe.keys import keys_of, section_at, unknown_key
from tiebreak.recipe.section import Section, shorthand
from tiebreak.recipe.sections import DataSection, EvaluateSection, ModelSection, ObjectiveSection, TrainSection
from tiebreak.recipe.sweep import SweepSection
from tiebreak.tasks import Task
from tiebreak.trackers.registry import TRACKERS, known_tracker


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_Tracker = Annotated[str, AfterValidator(known_tracker), WithJsonSchema({"enum": list(TRACKERS)})]
_NAMES = BeforeValidator(_listed, json_schema_input_type=_Tracker | tuple[_Tracker, ...])


class Recipe(Section):
    """A whole run: model, data, objective, training, evaluation and trackers; and perhaps a search over such runs."""

    model: Annotated[ModelSection, shorthand("name", ModelSection)] = Field(default_factory=lambda: ModelSection())
    data: Annotated[DataSection, shorthand("source", DataSection)] = Field(default_factory=lambda: DataSection())
    objective: Annotated[ObjectiveSection, shorthand("name", ObjectiveSection)] = Field(
        default_factory=lambda: ObjectiveSection()
    )
    train: TrainSection = Field(default_factory=lambda: TrainSection())
    evaluate: EvaluateSection = Field(default_factory=lambda: EvaluateSection())
    track: Annotated[tuple[_Tracker, ...], _NAMES] = Field(
        (), description=f"Trackers that the run is shown in: {', '.join(TRACKERS)}."
    )
    sweep: SweepSection | None = Field(
        None, description="A search over recipes, for `tiebreak sweep`; null is one run."
    )

    @property
    def known_task(self) -> Task | None:
        """What a run of it learns from; None where only the module of an objective from outside could say it.

        Raises:
            InputError: there is no such objective.
        """
        return task_of_objective(self.objective.name, load=False)

    def to_yaml(self) -> str:
        """The recipe as YAML, defaults included."""
        return yaml.safe_dump(self.model_dump(by_alias=True, mode="json"), sort_keys=False, allow_unicode=True)

    def with_settings(self, settings: dict[str, Any]) -> Recipe:
        """A copy with dotted keys replaced, such as `{"train.learning_rate": 1e-5}`.

        Raises:
            InputError: a key is unknown or a value is out of range.
        """
        document = self.model_dump(by_alias=True, mode="json")
        for dotted, value in settings.items():
            path = _path_of(dotted)
            for depth, key in enumerate(path):
                kind = section_at(Recipe, path[:depth])
                # Which settings there are depends on the objective, which another of these keys may name.
                if kind is not None and kind is not ObjectiveSection and key not in keys_of(kind):
                    raise InputError(unknown_key(dotted, key, kind, Recipe), where="--set")
            whole = len(path) == 1 and isinstance(document[dotted], dict)
            if whole and not isinstance(value, dict):
                raise InputError(
                    f"'{dotted}' is a section, not a key.",
                    where="--set",
                    fix=f"name a key: {dotted}.KEY=…, or give the whole section as a mapping",
                )
            part = document
            for key in path[:-1]:
                if not isinstance(part.get(key), dict):  # an adapter that is not there yet
                    part[key] = {}
                part = part[key]
            part[path[-1]] = copy.deepcopy(value)  # another of these keys may reach into it
        return parse_recipe(document, where="the settings on the command line")


def parse_recipe(document: object, *, where: str) -> Recipe:
    """Validate a recipe that was read from a file or built from flags.

    Args:
        document: nested mappings, as YAML gives them.
        where: named in errors.
    Raises:
        InputError: with every wrong key, its value, and the nearest known name.
    """
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise InputError("A recipe is a mapping of sections.", where=where, fix="see `tiebreak recipes show default`")
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
        raise InputError("\n".join(problems), where=where) from None


def load_recipe(path: Path | str) -> Recipe:
    """Read a recipe file.

    Args:
        path: of the file.
    Raises:
        InputError: the file is missing, is not YAML, or is not a valid recipe.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            f"There is no recipe file '{path}'.", fix="`tiebreak recipes list` names the built-in ones"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The recipe cannot be read: {error}.", where=str(path)) from None
    return read_recipe(text, where=str(path))


def read_recipe(text: str, *, where: str) -> Recipe:
    """A recipe from the text of its file.

    Args:
        text: YAML.
        where: named in errors.
    Raises:
        InputError: it is not YAML, or not a valid recipe.
    """
    try:
        document = read_document(text)
    except DuplicateKeyError as error:
        raise InputError(f"{error}.", where=where, fix="keep one of them") from None
    except yaml.YAMLError as error:
        raise InputError(f"The recipe is not valid YAML: {error}", where=where) from None
    return parse_recipe(document, where=where)


def parse_value(text: str) -> Any:
    """The value of `--set key=value`, read as YAML so that numbers, lists and null mean what they say."""
    try:
        value = read_document(text) if text else None
    except DuplicateKeyError as error:
        raise InputError(f"{error}: {text}", where="--set", fix="keep one of them") from None
    except yaml.YAMLError:
        raise InputError(
            f"The value '{text}' is not valid YAML.", where="--set", fix=f"put it in quotes: '\"{text}\"'"
        ) from None
    if isinstance(value, str):  # YAML 1.1 reads 1e-6 as text; everyone means the number
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _path_of(dotted: str) -> list[str]:
    """The keys of a dotted one. An added objective from outside is one key: `objective.add.package.module:loss`."""
    prefix = "objective.add."
    if dotted.startswith(prefix) and ":" in dotted:
        module, _, rest = dotted.removeprefix(prefix).partition(":")
        function, *own = rest.split(".")
        return ["objective", "add", f"{module}:{function}", *own]
    return dotted.split(".")


def _explain(problem: Any) -> str:
    """One sentence on one thing that is wrong."""
    names = ("literal['auto']", "literal['epoch']", "int", "float", "constrained-float")  # of types, and not of keys
    path = [str(part) for part in problem["loc"] if part not in names and not str(part).startswith("dict[")]
    dotted = ".".join(path).replace("schema_", "schema")
    if problem["type"] == "extra_forbidden":
        return unknown_key(dotted, path[-1], section_at(Recipe, path[:-1]) or Recipe, Recipe)
    message = str(problem["msg"]).removeprefix("Value error, ")
    if isinstance(problem["input"], dict):
        return f"{dotted or 'recipe'}: {message}"
    if problem["type"].endswith("_type") or problem["type"].endswith("_parsing") or "input" in problem:
        return f"{dotted or 'recipe'}: {message} (got {problem['input']!r:.80})"
    return f"{dotted}: {message}"
