"""Models on preference pairs as sections of a page: each alone, all beside each other, and the pairs most wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tiebreak.evaluate.bootstrap import Estimate
from tiebreak.evaluate.compare import Difference
from tiebreak.evaluate.measured_pairs import MeasuredPairs
from tiebreak.formatting.numbers import decimal, hundredths, signed, with_interval
from tiebreak.formatting.text import shortened
from tiebreak.report.evaluation_page import (
    SHARES,
    TEXT_LIMIT,
    Example,
    Interval,
    Row,
    Section,
    Side,
    Table,
    around_zero,
)
from tiebreak.workflow.evaluation import Evaluation, ahead_of

_MOST_PAIRS = 20


def pair_sections(found: Sequence[Evaluation], against: str | None) -> Iterator[Section]:
    """The sections of models that were measured on pairs.

    Args:
        found: of the models, on the same pairs.
        against: the name of the one that the others are compared with.
    """
    several = len(found) > 1
    if several:
        yield _beside(found, against)
    for one in found:
        yield _of_model(one, f"What {one.model} prefers" if several else "What the model prefers")
    for one in found:
        if one.measured is not None and one.texts is not None and one.model != against:
            yield _most_wrong(
                one.measured, one.texts, f"Pairs that {one.model} gets most wrong" if several else "Pairs most wrong"
            )


def sentences(found: Sequence[Evaluation], against: str | None) -> Iterator[str]:
    """What came out, in a sentence each.

    Args:
        found, against: as of `pair_sections`.
    """
    for one in found:
        if one.breakdown is not None:
            accuracy = shown(one.breakdown.accuracy)
            yield f"{one.model} prefers the chosen completion in {accuracy} of {one.pairs:,} pairs."
    for one, lead in ahead_of(found, against):
        if lead is not None:
            yield f"{one.model} against {against}: {points(lead.accuracy)} in accuracy, on {lead.pairs:,} pairs."


def drawn(found: Estimate | None) -> Interval | None:
    """An estimate as it is drawn."""
    return None if found is None else Interval(found.value, found.low, found.high)


def shown(found: Estimate) -> str:
    """A share with its interval."""
    return with_interval(found.value, (found.low, found.high))


def points(found: Estimate) -> str:
    """A difference of two shares with its interval."""
    return f"{in_points(found.value)} points ({in_points(found.low)} to {in_points(found.high)})"


def in_points(share: float) -> str:
    """A difference of two shares, in points."""
    return signed(100 * share, 1)


def _beside(found: Sequence[Evaluation], against: str | None) -> Section:
    rows = [
        Row(
            one.model,
            (shown(one.breakdown.accuracy), decimal(None if one.breakdown.loss is None else one.breakdown.loss.value)),
            drawn(one.breakdown.accuracy),
        )
        for one in found
        if one.breakdown is not None
    ]
    leads = [(one, lead) for one, lead in ahead_of(found, against) if lead is not None]
    tables = [Table(("model", "accuracy", "loss"), tuple(rows), scale=SHARES)]
    if leads:
        tables.append(_leads(leads, against))
    return Section("Models beside each other", tables=tuple(tables))


def _leads(leads: Sequence[tuple[Evaluation, Difference]], against: str | None) -> Table:
    rows = [
        Row(
            one.model,
            (points(lead.accuracy), f"{lead.pairs:,} of {lead.prompts:,} prompts", _loss(lead)),
            drawn(lead.accuracy),
        )
        for one, lead in leads
    ]
    return Table(
        ("model", "accuracy", "pairs", "loss"),
        tuple(rows),
        title=f"Ahead of {against}, pair by pair",
        scale=around_zero((row.interval for row in rows), in_points),
    )


def _loss(lead: Difference) -> str:
    if lead.loss is None:
        return "not of one objective"
    low, high = signed(lead.loss.low, 4), signed(lead.loss.high, 4)
    return f"{signed(lead.loss.value, 4)} ({low} to {high})"


def _of_model(one: Evaluation, title: str) -> Section:
    parts = one.breakdown
    facts = tuple(one.rows())
    if parts is None:
        return Section(title, facts=facts)
    rows = [Row("accuracy", (shown(parts.accuracy),), drawn(parts.accuracy))]
    if parts.length_controlled is not None:
        rows.append(Row("at equal lengths", (shown(parts.length_controlled),), drawn(parts.length_controlled)))
    rows += [Row(f"rule: {rule.name}", (shown(rule.accuracy),), drawn(rule.accuracy)) for rule in parts.rules]
    slices = tuple(
        Row(
            f"{part.by}: {part.name}",
            (shown(part.accuracy), f"{part.pairs:,}"),
            drawn(part.accuracy),
            sort=(part.accuracy.value, part.pairs),
        )
        for part in parts.slices
    )
    tables = [
        Table(
            ("", "chosen completion preferred"),
            tuple(rows),
            note=f"By {parts.measure}. A rule prefers a completion without reading it; a model that is no better than "
            "the best of them has learned little.",
            scale=SHARES,
        )
    ]
    if slices:
        headings = ("slice", "accuracy", "pairs")
        tables.append(Table(headings, slices, title="Accuracy by slices", scale=SHARES, sortable=True))
    return Section(title, tables=tuple(tables), facts=facts)


def _most_wrong(pairs: MeasuredPairs, texts: Sequence[Mapping[str, Any]], title: str) -> Section:
    wrong = int((pairs.right < 1).sum())
    order = np.argsort(pairs.margin, kind="stable")[: min(wrong, _MOST_PAIRS)]
    examples = []
    for number in order.tolist():
        row = texts[number]
        turns = conversation(row["prompt"])
        sides = []
        for column, side in enumerate(("chosen", "rejected")):
            reward = "" if pairs.reward is None else f"reward {signed(float(pairs.reward[number, column]), 2)}, "
            said = f"{reward}log-prob {hundredths(float(pairs.logp[number, column]))}"
            sides.append(Side(side, shortened(str(row[side]), TEXT_LIMIT), ((said, ""),)))
        examples.append(
            Example(
                f"{signed(float(pairs.margin[number]), 2)}  {turns[-1][1] if turns else ''}",
                turns,
                tuple(sides),
                note=f"row {int(pairs.rows[number]):,} of the data",
            )
        )
    if not wrong:
        return Section(title, note=f"The model prefers the chosen completion in each of {len(pairs):,} pairs.")
    return Section(
        title,
        note=f"In {wrong:,} of {len(pairs):,} pairs the model does not prefer the chosen completion. Here are "
        f"{len(order):,} with the lowest margin, which stands before the prompt; wrong labels are among them, if there "
        "are any. --pairs-out writes all pairs.",
        examples=tuple(examples),
    )


def conversation(turns: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """The turns of a prompt as a page shows them; of one that says nothing, the calls that it makes.

    Args:
        turns: as canonical rows have them.
    """
    said = ((turn["role"], turn["content"] or turn.get("tool_calls") or "") for turn in turns)
    return tuple((str(role), shortened(str(text), TEXT_LIMIT)) for role, text in said)
