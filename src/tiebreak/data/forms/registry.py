"""Which forms serve which task: the forms of the catalogue, and how rows of one task serve another.

Knows tasks; what each form is stands in the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tiebreak.data.forms.catalogue import DEMONSTRATIONS, PAIRS, UNPAIRED
from tiebreak.data.forms.fields import Dropped
from tiebreak.data.forms.form import Form, with_label
from tiebreak.data.preference import CanonicalRow, Demonstration, Preference, UnpairedCompletion
from tiebreak.data.reading.rows import Values
from tiebreak.tasks import TASKS, TaskName, load_part


@dataclass(frozen=True)
class Forms:
    """What can serve one task.

    Attributes:
        known: the forms; the first that matches a row wins, so the narrower form stands before the wider.
        from_pair: the canonical rows of one pair; raises Dropped.
        own: of the forms those whose rows are what the task is about, and need not serve others.
        reads: how a form of each task that can serve is read for this one.
    """

    known: tuple[Form[CanonicalRow], ...]
    from_pair: Callable[[Preference], Sequence[CanonicalRow]]
    own: tuple[Form[CanonicalRow], ...]
    reads: Mapping[TaskName, Callable[[Form[Any]], Form[Any]]]


def forms_of(task: TaskName) -> Forms:
    """What can serve a task."""
    forms: Forms = load_part(TASKS[task].forms)
    return forms


def _chosen(pair: Preference) -> Demonstration:
    """The better completion of a pair, which is what to imitate."""
    beside = (pair.id, pair.weight, pair.tools, pair.chosen_turns, pair.source, pair.category)
    return Demonstration(pair.prompt, pair.chosen, *beside)


def _both(pair: Preference) -> list[UnpairedCompletion]:
    """The chosen completion of a pair as a good one, the rejected one as a bad one."""
    if pair.chosen == pair.rejected:
        raise Dropped("equal completions")
    return [
        UnpairedCompletion(
            pair.prompt, completion, good, pair.id, pair.weight, pair.tools, turns, pair.source, pair.category
        )
        for completion, good, turns in (
            (pair.chosen, True, pair.chosen_turns),
            (pair.rejected, False, pair.rejected_turns),
        )
    ]


Converted = Callable[[Values], Sequence[Any]]


def _read_as(form: Form[Any], reading: Callable[[Converted], Converted]) -> Form[Any]:
    """A form whose rows are made into others."""

    def fit(head: Sequence[Values]) -> tuple[Form[Any], str]:
        fitted, why = form.fitted_to(head)
        return replace(_read_as(fitted, reading), fit=None), why

    extended = form.extended
    return replace(
        form,
        convert=reading(form.convert),
        fit=fit if form.fit is not None else None,
        extended=None if extended is None else lambda more: _read_as(extended(more), reading),
    )


def _imitating_chosen(form: Form[Any]) -> Form[Any]:
    """A form of pairs read for supervised training."""

    def reading(inner: Converted) -> Converted:
        def convert(values: Values) -> list[Demonstration]:
            best: dict[tuple[object, str], Demonstration] = {}
            for pair in inner(values):
                made = _chosen(pair)
                if made.id and ">" in made.id:  # ranked pairs are named "row-3#0>2"; one answer is of the row alone
                    made = replace(made, id=made.id.rpartition("#")[0] or None)
                best.setdefault((made.prompt, made.completion), made)
            return list(best.values())

        return convert

    return _read_as(form, reading)


def _to_imitate(good: UnpairedCompletion) -> Demonstration:
    beside = (good.id, good.weight, good.tools, good.completion_turns, good.source, good.category)
    return Demonstration(good.prompt, good.completion, *beside)


def _imitating_good(form: Form[Any]) -> Form[Any]:
    """A form of unpaired completions read for supervised training: the good ones are what to imitate."""

    def reading(inner: Converted) -> Converted:
        def convert(values: Values) -> list[Demonstration]:
            made = [each for each in inner(values) if each.label]
            if not made:
                raise Dropped("called bad, so not imitated")
            return [_to_imitate(each) for each in made]

        return convert

    # A column named label may as well hold something else, which is no reason to refuse what can be imitated.
    extended = form.extended
    return replace(
        _read_as(form, reading),
        matches=with_label(form),
        extended=None if extended is None else lambda more: _imitating_good(extended(more)),
    )


def _splitting(form: Form[Any]) -> Form[Any]:
    """A form of pairs read as unpaired completions."""

    def reading(inner: Converted) -> Converted:
        return lambda values: [made for pair in inner(values) for made in _both(pair)]

    return _read_as(form, reading)


def _as_it_is(form: Form[Any]) -> Form[Any]:
    return form


FOR_PREFERENCE = Forms(PAIRS, lambda pair: [pair], own=PAIRS, reads={"preference": _as_it_is})
FOR_UNPAIRED = Forms(
    (*map(_splitting, PAIRS), *UNPAIRED),
    _both,
    own=UNPAIRED,
    reads={"preference": _splitting, "unpaired": _as_it_is},
)
FOR_SUPERVISED = Forms(
    (*map(_imitating_chosen, PAIRS), *map(_imitating_good, UNPAIRED), *DEMONSTRATIONS),
    lambda pair: [_chosen(pair)],
    own=DEMONSTRATIONS,
    reads={"preference": _imitating_chosen, "unpaired": _imitating_good, "supervised": _as_it_is},
)
