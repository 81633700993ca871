"""Which judge a recipe or a flag names: the keys of each kind, and the short forms that a flag takes.

Knows nothing of how a judge works; secrets are named by the environment variable that holds them, never written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BeforeValidator, Field, ValidationError, field_validator

from tiebreak.errors import InputError
from tiebreak.recipe.section import Section

KINDS = ("python", "command", "openai", "reward_model")
OPENAI = "https://api.openai.com/v1"
_WORDS = ("auto", "none", "bundled")
_PEOPLE = ("people", "votes")
_NO_PEOPLE = "people are asked by `tiebreak evaluate MODEL --against MODEL --votes URL`; no run waits for them"
_HOW = (
    "write bundled, python:MODULE:FUNCTION, command:PROGRAM, reward_model:NAME, openai:MODEL@BASE_URL, "
    "or a mapping with one of the keys " + ", ".join(KINDS)
)
CRITERION = "Which answer is better: correct, helpful to the person who asked, harmless, and no longer than needed?"


class OpenAISection(Section):
    """A judge behind an endpoint that speaks OpenAI's API."""

    model: str = Field("", description="The judge's model, as its server calls it.")
    base_url: str = Field(OPENAI, description="Address of the server, up to /v1.")
    api_key_env: str | None = Field(
        None,
        description="Environment variable with the key; null is OPENAI_API_KEY at OpenAI's own address, else none.",
    )
    criterion: str = Field(CRITERION, min_length=1, description="What the judge is asked.")
    concurrency: int = Field(8, ge=1, le=256, description="Requests that are under way at once.")
    timeout: float = Field(60.0, gt=0, description="Seconds that one request may take.")
    retries: int = Field(5, ge=0, description="How often a request is repeated that failed or met a rate limit.")
    max_tokens: int = Field(512, ge=16, description="Longest reply of the judge, in tokens.")
    temperature: float = Field(0.0, ge=0, description="Sampling temperature of the judge.")

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address begins with http:// or https:// and names a server")
        if parts.username or parts.password:
            raise ValueError("an address holds no user or password; name the variable of a key with api_key_env")
        return value.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _variable(cls, value: str | None) -> str | None:
        if value is not None and not value.isidentifier():
            # The value is not repeated: it may be the key itself.
            raise ValueError("this is the name of an environment variable, not the key")
        return value


class JudgeSection(Section):
    """A judge of answers: one of its kinds."""

    python: str | None = Field(None, description="Judge by a function, MODULE:FUNCTION, of the prompt and the answer.")
    command: str | None = Field(None, description="Judge by a program that reads and writes JSON lines.")
    openai: OpenAISection | None = Field(None, description="Judge by an endpoint that speaks OpenAI's API.")
    reward_model: str | None = Field(None, description="Judge by a reward model: Hub id or folder.")
    timeout: float = Field(60.0, gt=0, description="Seconds that a program may take for one answer.")
    batch_tokens: int = Field(8192, ge=1, description="Tokens that a reward model reads at once.")

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


def read_judge(value: object) -> object:
    """A judge as it was written becomes a word or a `JudgeSection`.

    Raises:
        ValueError: it is neither, with what is wrong in one sentence.
    """
    if isinstance(value, JudgeSection) or value in _WORDS:
        return value
    if value is None:
        return "none"
    if isinstance(value, str):
        value = _from_text(value)
    if not isinstance(value, dict):
        raise ValueError(_HOW)
    if any(key in _PEOPLE for key in value):
        raise ValueError(_NO_PEOPLE)
    given = [kind for kind in KINDS if value.get(kind) is not None]
    unknown = [str(key) for key in value if key not in JudgeSection.model_fields]
    if unknown:
        raise ValueError(f"a judge has no key '{unknown[0]}'; known: {', '.join(JudgeSection.model_fields)}")
    if len(given) != 1:
        raise ValueError(f"a judge is of one kind ({', '.join(KINDS)}); given: {', '.join(given) or 'none'}")
    try:
        section = JudgeSection.model_validate(value)
    except ValidationError as error:
        raise ValueError("; ".join(map(_said, error.errors(include_input=False)))) from None
    if section.openai is not None and not section.openai.model:
        raise ValueError("openai.model is missing: the judge's model, as its server calls it")
    return section


Judged = Annotated[Literal["auto", "none", "bundled"] | JudgeSection, BeforeValidator(read_judge)]
"""The type of a key that names a judge."""


def judge_from_flag(text: str) -> Literal["bundled"] | JudgeSection:
    """The judge that a flag names, in a short form or as a YAML or JSON file with its mapping.

    Raises:
        InputError: it names none.
    """
    value: object = text
    if Path(text).suffix.lower() in (".yaml", ".yml", ".json") and ":" not in text:
        value = _from_file(Path(text))
    try:
        found = read_judge(value)
    except ValueError as error:
        raise InputError(f"'{text}' is no judge: {error}.", where="--judge") from None
    if found in ("auto", "none"):
        raise InputError(f"'{text}' names no judge.", where="--judge", fix=_HOW)
    return found  # type: ignore[return-value]  # the words that are left


def _said(problem: Any) -> str:
    """One thing that is wrong; its value is not repeated, since it may be a key."""
    dotted = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"a judge has no key '{dotted}'; known of openai: {', '.join(OpenAISection.model_fields)}"
    return f"{dotted}: {problem['msg'].removeprefix('Value error, ')}"


def _from_text(text: str) -> dict[str, Any]:
    kind, _, rest = text.partition(":")
    if kind in _PEOPLE:
        raise ValueError(_NO_PEOPLE)
    if kind not in KINDS or not rest:
        raise ValueError(_HOW)
    if kind != "openai":
        return {kind: rest}
    model, at, address = rest.rpartition("@")
    return {"openai": {"model": model, "base_url": address} if at else {"model": rest}}


def _from_file(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The judge's file cannot be read: {error}.", where=str(path)) from None
    except yaml.YAMLError as error:
        raise InputError(f"The judge's file is not valid YAML: {error}", where=str(path)) from None
