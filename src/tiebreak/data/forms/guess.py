"""What to say of rows of no known form: the nearest form with what is missing, and a command with columns to run.

Knows how to try columns on the first rows: what is proposed makes examples of them. The columns come from `names`.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence

from tiebreak.data.forms.fields import Dropped, RowProblem
from tiebreak.data.forms.form import Form, form_of, lowered
from tiebreak.data.forms.names import guesses
from tiebreak.data.forms.naming import two_answers
from tiebreak.data.forms.paths import Expression, Path, lacking_key
from tiebreak.data.forms.roles import columns_of, only_beside
from tiebreak.data.preference import CanonicalRow
from tiebreak.data.reading.rows import Values, quoted
from tiebreak.errors import InputError

_SHOWN = 200
_DOCS = "say which column is what with --columns prompt=…,chosen=…,rejected=… (see the docs on preference data)"
_ONE_ANSWER = ", with `tiebreak sft`: there is one answer in each row, and nothing that it is better than"


def check_columns(roles: Mapping[str, Expression], head: Sequence[Values]) -> None:
    """Refuse columns that no row has, so that a slip of the pen is no missing value.

    Args:
        roles: that were named.
        head: the first rows.
    Raises:
        InputError: with the nearest that the rows have.
    """
    there = {str(name) for values in head for name in values}
    for role, expression in roles.items():
        paths = expression.paths
        if any(path.column in there or path.text in there for path in paths):
            _check_keys(role, paths, head)
            continue
        wanted = paths[0].column
        near = difflib.get_close_matches(wanted, sorted(there), n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(
            f"The rows have no column '{wanted}', which is named as {role}.",
            where="columns",
            fix=f"{hint}they have {quoted(', '.join(sorted(there)), _SHOWN)}",
        )


def _check_keys(role: str, paths: Sequence[Path], head: Sequence[Values]) -> None:
    """Refuse a path into objects that have other keys in every row."""
    keys: dict[str, str] = {}
    for values in head:
        for path in paths:
            found = lacking_key(values, path)
            if found is None:
                return
            keys |= found
    if not keys:
        return
    wanted = paths[0].text
    near = difflib.get_close_matches(wanted, sorted(keys), n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise InputError(
        f"The rows have nothing at '{wanted}', which is named as {role}.",
        where="columns",
        fix=f"{hint}there is {quoted(', '.join(sorted(keys)), _SHOWN)}",
    )


def unknown(rows: Sequence[Values], where: str, forms: Sequence[Form[CanonicalRow]]) -> InputError:
    """The error for rows of no known form: the nearest form, what it lacks, and the columns to say by hand."""
    values = rows[0]
    what = f"The form of the rows is not known: they have the columns {quoted(', '.join(map(str, values)), _SHOWN)}."
    lacking = _nearest(lowered(values), forms)
    if lacking:
        name, missing = lacking
        what += f" The nearest form is {name}; what is missing is {missing}."
    return InputError(what, where=where, fix=proposal(rows) or _DOCS)


def advice(rows: Sequence[Values], column: str, *, columns: Mapping[str, object] | None) -> str:
    """What to do where none of the first rows can be read.

    Args:
        rows: the first rows.
        column: what the complaint is about.
        columns: the user's own columns, if they were given.
    """
    every = f"the first {len(rows)} rows are all so" if len(rows) > 1 else "the only row is so"
    if columns and not only_beside(columns):
        return f"{every}; correct what --columns says of '{column}'"
    proposed = proposal(rows, pairs=True)
    return f"{every}; correct them, or {proposed or 'make them over with data.transform'}"


def proposal(rows: Sequence[Values], *, pairs: bool = False) -> str | None:
    """Columns to say by hand, ready to run: guessed, and tried on the first rows; None where nothing fits them.

    Args:
        rows: the first rows.
        pairs: whether only what makes pairs will do.
    """
    for guessed in guesses(rows):
        if pairs and "completion" in guessed:
            continue
        try:
            fits = _fits(guessed, rows)
        except RowProblem as problem:  # all is there but the direction of a verdict in numbers
            if problem.fix is None:
                continue
            return problem.fix
        if fits:
            said = ",".join(f"{role}={column}" for role, column in guessed.items())
            return f"say which column is what: --columns {shlex.quote(said)}" + (
                _ONE_ANSWER if "completion" in guessed and "label" not in guessed else ""
            )
    return None


def _fits(guessed: Mapping[str, str], rows: Sequence[Values]) -> bool:
    """Whether columns make examples of some of the first rows, and fail for no more than half of them.

    Raises:
        RowProblem: the direction of a verdict is not known.
    """
    try:
        form: Form[CanonicalRow] = form_of("columns", "", columns_of(guessed), {}, lambda _values: True, ())
    except InputError:
        return False
    fitted, _why = form.fitted(rows)
    made = failed = 0
    for values in rows:
        try:
            made += len(fitted.convert(values))
        except Dropped:
            continue
        except RowProblem:
            failed += 1
    return made > 0 and failed * 2 <= len(rows)


def _nearest(values: Values, forms: Sequence[Form[CanonicalRow]]) -> tuple[str, str] | None:
    """The form of which most is there and least is not, and what that is."""
    if two_answers(values) is not None:
        return "'labelled' (two answers and which is better)", "a column such as 'choice', 'winner' or 'preference'"
    best: tuple[float, str, str] | None = None
    for form in forms:
        if not form.needs:
            continue
        missing = [need for need in form.needs if need.get(values) is None]
        there = len(form.needs) - len(missing)
        wrong = not missing  # all is there, and something of another type
        names = [_plain_name(need, form.columns) for need in missing]
        near = _near(names[0], values) if len(missing) == 1 else None
        rank = there / len(form.needs) - 0.1 * len(missing) + (0.05 if near else 0)
        if there and not wrong and (best is None or rank > best[0]):
            told = " and ".join(f"'{each}'" for each in names)
            best = (rank, f"'{form.name}' ({form.columns})", told + (f" (is it '{near}'?)" if near else ""))
    return None if best is None else best[1:]


def _plain_name(need: Expression, columns: str) -> str:
    """Of the names of a column the one that the form is described with."""
    words = re.findall(r"[\w.]+", columns)
    return next((path.text for path in need.paths if path.text in words), need.paths[0].text)


def _near(name: str, values: Values) -> str | None:
    found = difflib.get_close_matches(name, [str(each) for each in values], n=1, cutoff=0.7)
    return found[0] if found else None
