r"""What the columns of a row are: roles with expressions, the language that users and the built-in forms both write.

A form of rows says of each role where in a row it stands (`paths`), and where it must, what values mean:

    prompt=question  chosen=good  rejected=bad           a pair; each is text, messages, a transcript or ChatML
    prompt="{title}\n\n{post}"  system=rules             a prompt of several columns, and what stands before it
    prompt=p  answers=replies[*].text  scores=replies[*].votes  better=higher   a pair of each two that differ
    prompt=p  a=left  b=right  choice=label  first=1  second=0  tie=-1          two answers and which is better
    a=conversation_a  b=conversation_b  choice=winner    two whole conversations
    prompt=p  completion=reply  label=ok  good=yes       an unpaired completion; without a label a demonstration
    conversation=messages                                a demonstration of each answer in it

`first`, `second`, `tie`, `both_bad`, `good` and `bad` list the values that mean so, `yes|ja`, and of numbers also
`<0` or `>=1.5`. `better` is `higher` or `lower` for scores, or `first` or `last` where the order of the answers is all
there is; ranks are `lower` from the start. What nobody names is looked for under its usual names: `id`, `weight`,
`system`, `history`, `tools`, `source`, `category`, scores of chosen and rejected; `system=` with nothing after it turns
that off. `ignore` names columns that do not matter. What messages call their keys and speakers is said by the names of
`spelling`, such as `role_key=speaker` and `user_role=Q`. Knows nothing of how a row is converted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tiebreak.data.forms.paths import Expression, Getter, parse
from tiebreak.data.forms.spelling import SPELLINGS, spelled
from tiebreak.data.reading.rows import Values
from tiebreak.errors import InputError
from tiebreak.tasks import TaskName

ROLES: Mapping[str, str] = {
    "prompt": "what is answered: text, messages, a transcript",
    "system": "the system message before it",
    "history": "earlier turns: messages, or a list of [question, answer]",
    "chosen": "the better completion",
    "rejected": "the worse completion, or a list of worse ones",
    "answers": "several answers",
    "scores": "their scores, the higher the better",
    "ranks": "their ranks, 1 is the best",
    "a": "the first of two answers or conversations",
    "b": "the second",
    "choice": "which of the two is better",
    "name_a": "what the choice may call the first",
    "name_b": "what the choice may call the second",
    "score_a": "score of the first",
    "score_b": "score of the second",
    "turn": "how many exchanges of two conversations were judged",
    "completion": "a single completion",
    "label": "whether it is good",
    "conversation": "a whole conversation whose answers are imitated",
    "id": "the row's own name",
    "weight": "how much the row counts",
    "chosen_score": "score of the better completion",
    "rejected_score": "score of the worse completion",
    "both_scores": "a list of the two scores",
    "tools": "schemas of the tools that the model may call",
    "source": "where the row is from: a short text",
    "category": "of what kind the row is: a short text",
    "images": "pictures, films or sounds: a row that has some is dropped",
}
VALUES: Mapping[str, str] = {
    "first": "values of the choice that mean the first answer",
    "second": "the second",
    "tie": "neither is better",
    "both_bad": "neither is good",
    "good": "values of the label that mean good",
    "bad": "values of the label that mean bad",
}
_BETTER = ("higher", "lower", "first", "last")
SETTINGS = ("better", "ignore", *SPELLINGS)
_BESIDE_ALL = {"system", "history", "tools", "images", "id", "weight", "source", "category", "ignore"}
COMMON: Mapping[str, str] = {
    "system": "system|system_prompt|system_message|system_instruction|system_instructions|sys_prompt",
    "history": "history|chat_history|conversation_history|dialogue_history|dialog_history",
    "tools": "tools|functions|available_tools",
    "images": "images|image|image_path|image_url|picture|pictures|videos|video|audios|audio",
    "id": "id|prompt_id|uuid",
    "weight": "weight",
    "source": "source|data_source|source_dataset|dataset_source|prompt_source|original_dataset|dataset|dataset_name",
    "category": "category|subset|subcategory|domain|prompt_category|task_category|task_type|language|lang",
    "chosen_score": "chosen_score|score_chosen|chosen_rating|rating_chosen|chosen-rating|chosen_reward|reward_chosen",
    "rejected_score": "rejected_score|score_rejected|rejected_rating|rating_rejected|rejected-rating|rejected_reward"
    "|reward_rejected",
    "both_scores": "rating|ratings|scores",
    "name_a": "model_a|name_a",
    "name_b": "model_b|name_b",
}
"""Where roles stand that nobody named."""
USUAL_NAMES = frozenset(name for names in COMMON.values() for name in names.split("|"))
"""All of these names."""
_SETS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("chosen", "rejected"), ("chosen_score", "rejected_score", "both_scores")),
    (("a", "b"), ("choice", "name_a", "name_b", "score_a", "score_b", "turn")),
    (("answers",), ("scores", "ranks")),
    (("completion",), ("label",)),
    (("conversation",), ("label",)),
)
"""Roles that make an example together, and those that say more of it; the others go with every set."""
_KEPT = 256
_OF_MESSAGES = ("prompt", "system", "history", "chosen", "rejected", "answers", "a", "b", "completion", "conversation")
_OF_PAIRS = ("chosen_score", "rejected_score", "both_scores")
_OF_TWO = ("name_a", "name_b")


@dataclass(frozen=True)
class Test:
    """A value, or a bound on numbers, that a verdict or a label is compared with."""

    text: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Columns:
    """Roles, and where in a row they stand.

    Attributes:
        roles: expressions by role; the usual names are in it.
        tests: values that mean something, by what they mean.
        better: which scores or which end of the order is better; None is the usual of the role.
        ignore: columns that do not matter.
        written: the roles that were named, in their order.
    """

    roles: Mapping[str, Expression]
    tests: Mapping[str, tuple[Test, ...]]
    better: str | None
    ignore: frozenset[str]
    written: tuple[str, ...]
    _present: dict[tuple[str, ...], frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    def beside(self, values: Values) -> frozenset[str]:
        """The roles of `COMMON` that a row has a column for; one source has few sets of columns, so each is kept."""
        names = tuple(values)
        found = self._present.get(names)
        if found is None:
            if len(self._present) >= _KEPT:
                self._present.clear()
            found = frozenset(
                role
                for role, expression in self.roles.items()
                if role in COMMON and any(path.column in values or path.text in values for path in expression.paths)
            )
            self._present[names] = found
        return found

    @property
    def family(self) -> TaskName:
        """The task that the rows are for by themselves."""
        if "label" in self.written and "completion" in self.roles:
            return "unpaired"
        if "label" in self.written and "conversation" in self.roles:
            return "unpaired"
        return "supervised" if "completion" in self.roles or "conversation" in self.roles else "preference"

    @property
    def named(self) -> frozenset[str]:
        """The columns that the roles that were named read."""
        return frozenset(column for role in self.written for column in self.roles[role].columns)


def only_beside(written: Mapping[str, object]) -> bool:
    """Whether roles only add to those of a form that is recognised, such as `category=topic` alone."""
    return {str(name).strip() for name in written} <= _BESIDE_ALL


def columns_of(written: Mapping[str, object]) -> Columns:
    """Roles as somebody wrote them.

    Args:
        written: expressions by role, values by meaning (a text, a number, or a list of them), and `better`, `ignore`.
    Raises:
        InputError: a role or an expression is not known, or they make no example together.
    """
    given = {str(name).strip(): _text(value) for name, value in written.items()}
    _check_names(given)
    roles = {name: parse(text) for name, text in given.items() if name in ROLES and text}
    off = {name for name, text in given.items() if name in ROLES and not text}
    tests = {
        name: tuple(parse_test(part) for part in text.split("|")) for name, text in given.items() if name in VALUES
    }
    better = given.get("better")
    if better is not None and better not in _BETTER:
        raise InputError(f"'{better}' is not known.", where="columns, better", fix=f"write {', '.join(_BETTER)}")
    _check_whole(roles)
    _check_values(roles, tests)
    named = {column for expression in roles.values() for column in expression.columns}
    usual = {
        role: parse(text)
        for role, text in ((role, _without(COMMON[role], named)) for role in _usual(roles) if role not in off)
        if text
    }
    ignore = frozenset(part.strip() for part in given.get("ignore", "").split("|") if part.strip())
    return Columns(_in_usual_words({**usual, **roles}, given), tests, better, ignore, tuple(roles))


def _in_usual_words(roles: Mapping[str, Expression], given: Mapping[str, str]) -> Mapping[str, Expression]:
    """Roles whose messages have the usual keys and speakers, whatever the rows call them."""
    of = spelled(given)
    if of is None:
        return roles

    def read(get: Getter) -> Getter:
        return lambda values: of(get(values))

    return {
        role: replace(
            expression,
            get=read(expression.get),
            paths=tuple(replace(path, get=read(path.get)) for path in expression.paths),
        )
        if role in _OF_MESSAGES
        else expression
        for role, expression in roles.items()
    }


def _usual(roles: Mapping[str, Expression]) -> Iterable[str]:
    for role in COMMON:
        if (
            role in roles
            or (role in _OF_PAIRS and "chosen" not in roles)
            or (role in _OF_TWO and "choice" not in roles)
        ):
            continue
        yield role


def _without(text: str, named: set[str]) -> str:
    return "|".join(part for part in text.split("|") if part not in named)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return "|".join(_text(each) for each in value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _check_names(given: Mapping[str, str]) -> None:
    known = (*ROLES, *VALUES, *SETTINGS)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise InputError(f"There is no role '{name}'.", where="columns", fix=f"{hint}roles: {', '.join(ROLES)}")


def _check_whole(roles: Mapping[str, Expression]) -> None:
    """Refuse roles that make nothing together."""
    whole = [(names, more) for names, more in _SETS if all(name in roles for name in names)]
    half = [names for names, _more in _SETS if names[0] in roles or names[-1] in roles]
    if len(whole) != 1:
        missing = [name for names in half for name in names if name not in roles]
        what = f"'{missing[0]}' is missing" if missing and not whole else "they say nothing, or two things at once"
        raise InputError(
            f"The columns make no example: {what}.",
            where="columns",
            fix="name chosen and rejected, or a, b and choice, or answers and scores, or completion, or conversation",
        )
    names, more = whole[0]
    of_sets = {name: each for each, extra in reversed(_SETS) for name in (*each, *extra)}
    strange = [name for name in roles if name in of_sets and name not in (*names, *more)]
    if strange:
        raise InputError(
            f"'{strange[0]}' ({ROLES[strange[0]]}) says nothing beside {' and '.join(names)}.",
            where="columns",
            fix=f"leave {strange[0]} out, or name {' and '.join(of_sets[strange[0]])}",
        )
    if names == ("a", "b") and "choice" not in roles and not {"score_a", "score_b"} <= set(roles):
        raise InputError(
            "Nothing says which of the two answers is better.",
            where="columns",
            fix="name choice, or score_a and score_b",
        )
    if "completion" in roles and "prompt" not in roles:
        raise InputError("The completion has no prompt.", where="columns", fix="name prompt")


def _check_values(roles: Mapping[str, Expression], tests: Mapping[str, object]) -> None:
    """Refuse values of a role that is not there."""
    for name in tests:
        role = "label" if name in ("good", "bad") else "choice"
        if role not in roles:
            raise InputError(
                f"'{name}' ({VALUES[name]}) says nothing without {role}.",
                where="columns",
                fix=f"name {role}, or leave {name} out",
            )


def parse_test(text: str) -> Test:
    """A value, or a bound such as `<0`."""
    said = text.strip()
    bound = re.fullmatch(r"(<=|>=|<|>)\s*([-+]?\d+(?:\.\d+)?)", said)
    if bound:
        limit, sign = float(bound[2]), bound[1]
        compare: dict[str, Callable[[float], bool]] = {
            "<": lambda value: value < limit,
            "<=": lambda value: value <= limit,
            ">": lambda value: value > limit,
            ">=": lambda value: value >= limit,
        }
        check = compare[sign]

        def within(value: Any) -> bool:
            number = as_number(value)
            return number is not None and check(number)

        return Test(said, within)
    wanted, number = said.lower(), as_number(said)

    def equals(value: Any) -> bool:
        if isinstance(value, bool):
            return wanted == str(value).lower()
        found = as_number(value)
        return found == number if found is not None and number is not None else str(value).strip().lower() == wanted

    return Test(said, equals)


def as_number(value: object) -> float | None:
    """A finite number, given as one or as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number == number and abs(number) != float("inf") else None


def parse_flag(text: str) -> dict[str, str]:
    r"""`prompt=frage,chosen=gut` as roles; a comma inside braces separates nothing, and `\n` is a line break.

    Raises:
        InputError: a part is not NAME=COLUMN.
    """
    made: dict[str, str] = {}
    for part in re.findall(r'(?:"[^"]*"|\{[^}]*\}|\\.|[^,\\])+', text):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise InputError(
                f"'{part.strip()}' does not say which column is what.",
                where="--columns",
                fix="write ROLE=COLUMN with commas between, such as prompt=question,chosen=good,rejected=bad",
            )
        value = re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), value)
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        made[name.strip()] = value if "{" in value else value.strip()
    return made
