"""Votes from a file into a store: our own export, or any rows that are two answers with a verdict.

Every vote has an id that follows from what it says, so importing a file again adds nothing. Forms of rows are those of
the data room; here ties are votes as well.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from tiebreak.data.forms.conversation import role_of
from tiebreak.data.forms.fields import Dropped, RowProblem
from tiebreak.data.forms.form import Form, lowered
from tiebreak.data.forms.pairs import Pairs, pairs_of
from tiebreak.data.forms.paths import parse, unpacked
from tiebreak.data.forms.recognise import chosen_form
from tiebreak.data.forms.roles import Columns, Test, as_number
from tiebreak.data.forms.verdict import TIE, Numbers, better, better_by_scores, settle
from tiebreak.data.preference import Message, Preference
from tiebreak.data.reading.rows import PairSource, Row, Source, Values
from tiebreak.data.reading.sources import SourceSpec, open_source
from tiebreak.errors import InputError
from tiebreak.votes.checks import EARLIEST, LATEST, check_vote
from tiebreak.votes.store import VoteStore
from tiebreak.votes.vote import Answer, Turn, Verdict, Vote, now

UNKNOWN = "unknown"
"""The model of answers of which the rows name none."""
_LOOK = 64
_AT_ONCE = 500
_SEVERAL = "more than two answers"
_TOOLS = "a conversation with tools"
_WITHDRAWN = "withdrawn"
_NAMES = (("model_a", "model_b"), ("generator_1", "generator_2"), ("model_1", "model_2"), ("left_model", "right_model"))
_TIMES = ("tstamp", "timestamp", "time", "created_at", "date")
_JUDGES = ("judge", "voter", "voter_id", "annotator", "annotator_id", "worker", "worker_id", "judge_id", "user_id")
_PROMPT = "common_beginning"  # a column that is added to rows of two conversations
_ALWAYS = (Test("any", lambda _value: True),)


@dataclass(frozen=True)
class Imported:
    """What became of the rows of a file.

    Attributes:
        added: votes that are new.
        there: votes that were there already.
        dropped: rows that are no vote, by reason.
    """

    added: int
    there: int
    dropped: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"added": self.added, "there": self.there, "dropped": dict(self.dropped)}


def open_file(source: str) -> Source:
    """Find a file of votes, or another source of rows.

    Raises:
        InputError: there is none, or it is a store.
    """
    found = open_source(SourceSpec(source))
    if isinstance(found, PairSource):
        raise InputError(
            f"'{source}' is a store of votes, not a file.",
            fix="write its votes to a file with `tiebreak votes export`, and import that",
        )
    return found


def import_votes(
    source: Source,
    store: VoteStore,
    *,
    schema: str = "auto",
    columns: Mapping[str, object] | None = None,
    skip_bad_rows: bool = False,
) -> Imported:
    """Add the votes of a source that are not in the store yet.

    The sides of rows that only say what was chosen and rejected are drawn, the same way each time.

    Args:
        source: from `open_file`.
        store: gets the votes, some hundreds in one transaction; what was cut off is completed by importing again.
        schema, columns: as of `load_for`; an export of our own needs none.
        skip_bad_rows: go on at a row that cannot be read.
    Raises:
        InputError: a row is wrong, no form is known, or there is no row.
    """
    dropped: Counter[str] = Counter()

    def on_bad(error: InputError) -> None:
        if not skip_bad_rows:
            raise error
        dropped["rows that cannot be read"] += 1

    rows = source.rows(on_bad, lambda _share: None)
    head = list(itertools.islice(rows, _LOOK))
    if not head:
        raise InputError("The file is empty: it has no votes.", where=source.name)
    read = _reader(head, source.name, schema, columns)
    added = there = 0
    for some in _batches(_read(itertools.chain(head, rows), read, dropped, on_bad)):
        new = store.add_all(some)
        added, there = added + new, there + len(some) - new
    return Imported(added, there, dict(dropped))


def _read(
    rows: Iterable[Row], read: Callable[[Row], Vote], dropped: Counter[str], on_bad: Callable[[InputError], None]
) -> Iterator[Vote]:
    for row in rows:
        try:
            vote = read(row)
            check_vote(vote)
        except Dropped as reason:
            dropped[reason.reason] += 1
        except RowProblem as problem:
            on_bad(problem.at(row.where, row.values))
        except InputError as error:
            on_bad(InputError(error.what, where=f"{row.where}, {error.where}" if error.where else row.where))
        else:
            yield vote


def _batches(votes: Iterator[Vote]) -> Iterator[list[Vote]]:
    while some := list(itertools.islice(votes, _AT_ONCE)):
        yield some


def _reader(
    head: Sequence[Row], where: str, schema: str, columns: Mapping[str, object] | None
) -> Callable[[Row], Vote]:
    first = head[0].values
    if columns is None and schema == "auto":
        if {"left", "right", "verdict", "voter", "prompt"} <= set(first) and isinstance(first["left"], Mapping):
            return _own
        if {"left_text", "left_sampling", "right_text", "verdict"} <= set(first):
            raise InputError(
                "This is an export of votes for spreadsheets, which does not give every text back as it was.",
                where=where,
                fix="export to a .jsonl file, and import that",
            )
    values = [row.values for row in head]
    _, form = chosen_form(values, where, "preference", schema=schema, columns=columns)
    small = not any(form.matches(each) for each in values)
    if small:
        values = [lowered(each) for each in values]
    try:
        fitted = cast(Form[Preference], form.fitted_to(values)[0])
    except RowProblem as problem:
        raise problem.at(head[0].where, values[0]) from None
    try:
        reader = _OfRows(fitted, values)
    except RowProblem as problem:
        raise problem.at(head[0].where, values[0]) from None
    return lambda row: reader.vote(lowered(row.values) if small else row.values)


def _own(row: Row) -> Vote:
    """A vote of our own export."""
    if row.values.get("withdrawn"):
        raise Dropped(_WITHDRAWN)
    try:
        return Vote.from_row(row.values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"it has no '{error.args[0]}'" if isinstance(error, KeyError) else "it was changed"
        raise InputError(f"This is no vote of an export: {what}.") from None


class _OfRows:
    """Makes votes of rows that are two answers with a verdict.

    Args:
        form: of the rows, fitted to them.
        head: the first rows, which say what numbers mean.
    Raises:
        RowProblem: nothing says what the numbers mean.
    """

    def __init__(self, form: Form[Preference], head: Sequence[Values]) -> None:
        self._form = form
        self._seen: Counter[str] = Counter()
        self._two = form.roles if form.roles is not None and "a" in form.roles.roles else None
        if self._two is not None:
            self._first: Pairs = pairs_of(_first_wins(self._two), {})
            said = [values for values in head if form.matches(values)] or head
            self._numbers = settle(said, self._two) if "choice" in self._two.roles else Numbers({}, "")

    def vote(self, values: Values) -> Vote:
        """The vote of a row.

        Raises:
            Dropped: it is none.
            RowProblem: it breaks its form.
        """
        pair, verdict = self._judged(values)
        one, other = _turns(pair.chosen, pair.chosen_turns), _turns(pair.rejected, pair.rejected_turns)
        prompt = tuple(map(_turn, pair.prompt))
        names, judge = self._models(values), _judge(values)
        said = json.dumps([prompt, one, other, names, verdict, pair.id, judge])
        if verdict is None:  # only chosen and rejected: nobody knows on which sides they stood
            verdict = "left"
            if hashlib.sha256(said.encode()).digest()[0] % 2:
                one, other, names, verdict = other, one, names[::-1], "right"
        self._seen[said] += 1  # two rows that say the same are two votes, and are so again in the next import
        id = hashlib.sha256(f"{said}\0{self._seen[said]}".encode()).hexdigest()[:32]
        voter = hashlib.sha256(judge.encode()).hexdigest()[:22] if judge else id[:22]
        return Vote(
            id=id,
            prompt=prompt,
            left=_answer(one, names[0]),
            right=_answer(other, names[1]),
            verdict=verdict,
            reason=None,
            edited=None,
            voter=f"import-{voter}",
            time=_time(values),
        )

    def _judged(self, values: Values) -> tuple[Preference, Verdict | None]:
        """A row's two answers, the first as the chosen one, and its verdict; None where the chosen one is better."""
        columns = self._two
        if columns is None:
            found = self._form.convert(values)
            if len(found) != 1:
                raise Dropped(_SEVERAL)
            return found[0], None
        (pair,) = self._first(_with_prompt(values, columns))
        try:
            best = (
                better(values, columns, self._numbers)
                if "choice" in columns.roles
                else better_by_scores(values, columns)
            )
        except Dropped as dropped:
            if dropped.reason != TIE:
                raise
            return pair, "both_bad" if _is_both_bad(values, columns) else "tie"
        return pair, "right" if best else "left"

    def _models(self, values: Values) -> tuple[str, str]:
        roles = {} if self._form.roles is None else self._form.roles.roles
        found = [roles[name].get(values) if name in roles else None for name in ("name_a", "name_b")]
        if not all(isinstance(name, str) and name.strip() for name in found):
            pairs = ([values.get(name) for name in names] for names in _NAMES)
            found = next(
                (each for each in pairs if all(isinstance(name, str) and name for name in each)), [UNKNOWN] * 2
            )
        return str(found[0]), str(found[1])


def _first_wins(columns: Columns) -> Columns:
    """The same roles, in which every verdict says that the first answer is better: so ties have answers too."""
    roles = dict(columns.roles)
    roles.setdefault("choice", roles.get("score_a", roles["a"]))
    roles.setdefault("prompt", parse(_PROMPT))
    return replace(columns, roles=roles, tests={"first": _ALWAYS}, better=None)


def _with_prompt(values: Values, columns: Columns) -> Values:
    """A row in which two conversations have their common beginning as the prompt, to the user's last turn in it."""
    if "prompt" in columns.roles:
        return values
    one, other = (unpacked(columns.roles[side].get(values)) for side in "ab")
    if not (isinstance(one, list) and isinstance(other, list)):
        return values
    alike = [turn for turn, _ in itertools.takewhile(lambda two: two[0] == two[1], zip(one, other, strict=False))]
    while alike and role_of(alike[-1]) != "user":
        alike.pop()
    return {**values, _PROMPT: alike} if alike else values


def _is_both_bad(values: Values, columns: Columns) -> bool:
    if "choice" not in columns.roles:
        return False
    value = unpacked(columns.roles["choice"].get(values))
    if any(test.holds(value) for test in columns.tests.get("both_bad", ())):
        return True
    return isinstance(value, str) and "bad" in value.lower()


def _turn(message: Message) -> Turn:
    if not message.is_plain or message.role == "tool":
        raise Dropped(_TOOLS)
    return message.role, message.content


def _turns(text: str, turns: Sequence[Message]) -> tuple[Turn, ...]:
    return tuple(map(_turn, turns)) or (("assistant", text),)


def _answer(turns: tuple[Turn, ...], model: str) -> Answer:
    return Answer(turns[-1][1], model, "", {}, None, turns[:-1])


def _judge(values: Values) -> str:
    """Who judged, where the row says it."""
    found = next((values[name] for name in _JUDGES if isinstance(values.get(name), str | int)), "")
    return str(found)


def _time(values: Values) -> datetime:
    """When, where the row says it: seconds since 1970, or a date."""
    for name in _TIMES:
        value = values.get(name)
        seconds = None if isinstance(value, bool) else as_number(value)
        try:
            if seconds is not None:
                found = datetime.fromtimestamp(seconds / (1000 if seconds > 1e11 else 1), UTC)
            elif isinstance(value, datetime):
                found = value
            elif isinstance(value, str):
                found = datetime.fromisoformat(value)
            else:
                continue
        except (ValueError, OverflowError, OSError):
            continue
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        if EARLIEST <= found < LATEST:
            return found
    return now()
