"""What every converter needs of a row beside its completions: names, weights, scores, tools, tags, the whole prompt.

Knows roles; what the completions make together is in `pairs` and `singles`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tiebreak.data.forms import conversation as talk
from tiebreak.data.forms.completions import Answer, divided
from tiebreak.data.forms.fields import Dropped, RowProblem, identity, score, weight
from tiebreak.data.forms.paths import unpacked
from tiebreak.data.forms.prompts import Asked, missing, preceded
from tiebreak.data.forms.roles import Columns, as_number
from tiebreak.data.forms.tags import TAGS, tag_of
from tiebreak.data.preference import Message, completion_of
from tiebreak.data.reading.rows import Values, shown
from tiebreak.data.tools import tools_text

_A_PICTURE = "a picture, a film or a sound, which is not trained on"
_SCORES = ("chosen_score", "rejected_score", "both_scores")
_NO_TAGS = (None, None)
_TEXT_KINDS = {"text": "text", "transcript": "text", "whole": "a list of messages", "asking": "a list of messages"}


class Rows:
    """What every converter needs of a row beside its completions.

    Args:
        columns: the roles.
        kinds: of a built-in form, what its roles must hold, for the words of complaints.
    """

    def __init__(self, columns: Columns, kinds: Mapping[str, str]) -> None:
        self.columns = columns
        self._roles = columns.roles
        self._kinds = kinds
        images = columns.roles.get("images")
        self._pictures = () if images is None else tuple(p for p in images.paths if p.column not in columns.ignore)
        self._beside = columns.beside
        self._tools = columns.roles.get("tools")
        self._id, self._weight = columns.roles.get("id"), columns.roles.get("weight")

    def check(self, values: Values) -> frozenset[str]:
        """Drop a row with what changes its meaning and cannot be used.

        Returns:
            What it has beside its completions, by role: what the other methods ask for.
        Raises:
            Dropped: it has pictures.
        """
        there = self._beside(values)
        if "images" in there:
            for path in self._pictures:
                if path.get(values):
                    raise Dropped(_A_PICTURE)
        return there

    def tools(self, values: Values, there: frozenset[str]) -> str | None:
        """The tools that the assistant may call, as JSON text of one form."""
        if self._tools is None or "tools" not in there:
            return None
        try:
            return tools_text(self._tools.get(values))
        except ValueError as error:
            raise RowProblem(self._tools.text, "schemas of tools", str(error)) from None

    def reader(self, role: str) -> Callable[[Values], Any]:
        """What reads the value of a role that must be there; looked up once, since it is called for every row."""
        expression = self._roles[role]
        kind, get = self._kinds.get(role, "any"), expression.get
        is_text = kind in ("text", "transcript")

        def read(values: Values) -> Any:
            found = get(values)
            if found is None:
                raise missing(values, self.columns, role, _TEXT_KINDS.get(kind, "text or a list of messages"))
            if is_text and not isinstance(found, str):
                raise RowProblem(expression.text, "text", shown(found))
            return found

        return read

    def value(self, values: Values, role: str) -> Any:
        """The value of a role that must be there."""
        return self.reader(role)(values)

    def divided(
        self, values: Values, asked: Asked, answers: Sequence[Answer], there: frozenset[str]
    ) -> tuple[tuple[Message, ...], list[Answer]]:
        """The whole prompt, with system and history, and what each completion says after it."""
        turns, rest = divided(asked.turns, answers)
        if there:
            turns = preceded(turns, values, self.columns, there)
        return talk.asked(turns, asked.column if asked.turns else "chosen"), rest

    def identity(self, values: Values, there: frozenset[str]) -> str | None:
        """The row's own name: the first of the columns of names that holds one."""
        if self._id is None or "id" not in there:
            return None
        return next((name for path in self._id.paths if (name := identity(path.get(values))) is not None), None)

    def weight(self, values: Values, there: frozenset[str]) -> float:
        """The row's weight."""
        if self._weight is None or "weight" not in there:
            return 1.0
        return weight(self._weight.get(values), self._weight.text)

    def tags(self, values: Values, there: frozenset[str]) -> tuple[str | None, str | None]:
        """Where the row is from, and of what kind it is; None where it does not say."""
        if not there or there.isdisjoint(TAGS):
            return _NO_TAGS
        source, category = (tag_of(self._roles[role], values) if role in there else None for role in TAGS)
        return source, category

    def scores(self, values: Values, there: frozenset[str]) -> tuple[float | None, float | None]:
        """The scores of chosen and rejected, where the row has them."""
        if not there or there.isdisjoint(_SCORES):
            return None, None
        found = [
            score(self._roles[role].get(values), self._roles[role].text) if role in there else None
            for role in ("chosen_score", "rejected_score")
        ]
        if found == [None, None] and "both_scores" in there:
            both = unpacked(self._roles["both_scores"].get(values))
            if isinstance(both, list) and len(both) == 2:
                two = [as_number(each) for each in both]
                order = unpacked(values.get("order"))
                turned = isinstance(order, list) and order[:1] == ["rejected"]
                return (two[1], two[0]) if turned else (two[0], two[1])
        return found[0], found[1]


def text_and_turns(answer: Answer) -> tuple[str, tuple[Message, ...]]:
    """The text of a completion, and its turns where it is more than a plain answer."""
    return (answer, ()) if isinstance(answer, str) else completion_of(answer)
