"""Sampled answers as sections of a page: what judges say of them, what else changed, and twenty side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tiebreak.evaluate.changes import Change
from tiebreak.evaluate.judges import Verdicts
from tiebreak.formatting.changes import written_change
from tiebreak.formatting.numbers import percent, plain, with_interval
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
    Tone,
    around_zero,
)
from tiebreak.workflow.answers import SampledAnswers
from tiebreak.workflow.judged import AnswersEvaluation, ComparedAnswers, Judgement
from tiebreak.workflow.pair_sections import conversation, drawn, in_points, shown

_MOST_ANSWERS = 20


def answer_sections(found: AnswersEvaluation) -> Iterator[Section]:
    """The sections of answers that were sampled, and perhaps judged.

    Args:
        found: of all models.
    """
    for one in found.compared:
        yield _compared(one, found)
        yield _side_by_side(one, found)
    if found.alone:
        yield _alone(found)
        yield _answers_alone(found)


def sentences(found: AnswersEvaluation) -> Iterator[str]:
    """What came out, in a sentence each.

    Args:
        found: of all models.
    """
    for one in found.compared:
        assert found.against is not None  # what is compared is compared with something
        for each in one.judgements:
            if each.win_rate is not None:
                yield (
                    f"{one.answers.model} wins {shown(each.win_rate.value)} of {each.win_rate.prompts:,} prompts "
                    f"against {found.against.model}, a tie being half, by {each.judge}."
                )


def most_different(judgements: Sequence[Judgement], prompts: int) -> list[int]:
    """The prompts, those first on which the judges see the largest difference between the two answers.

    Args:
        judgements: of the judges; by verdicts first, and where they are equal by how far scores are apart.
        prompts: how many there are.
    """

    def apart(number: int) -> tuple[float, float]:
        verdicts = [each.verdicts.points[number] for each in judgements]
        sure = sum(abs(point - 0.5) for point in verdicts if point is not None)
        return -sure, -sum(_gap(each.verdicts, number) for each in judgements)

    return sorted(range(prompts), key=apart)


def _gap(verdicts: Verdicts, number: int) -> float:
    """How far the scores of two answers are apart, as a share of the largest such difference of this judge."""
    if verdicts.first is None or verdicts.second is None:
        return 0.0
    gaps = [
        abs(float(one) - float(other)) if one is not None and other is not None else 0.0
        for one, other in zip(verdicts.first, verdicts.second, strict=True)
    ]
    return gaps[number] / max(gaps) if max(gaps) > 0 else 0.0


def _compared(one: ComparedAnswers, found: AnswersEvaluation) -> Section:
    assert found.against is not None  # what is compared is compared with something
    wins = [each for each in one.judgements if each.win_rate is not None]
    tables = []
    if wins:
        tables.append(Table(("judge", "win rate"), tuple(_rates(wins)), scale=SHARES, note="A tie counts one half."))
        headings = ("judge", "wins", "ties", "losses", "no verdict", "sign test", "same in both orders")
        tables.append(Table(headings, tuple(map(_counts, wins)), title="Verdicts"))
    tables.append(_changes(one.changes))
    facts = []
    if one.agreement is not None:
        kappa = "undefined" if one.agreement.kappa is None else f"{one.agreement.kappa:.2f}"
        same = f"{percent(one.agreement.same)} of {one.agreement.comparisons:,} verdicts are the same"
        facts.append(("agreement of the first two judges", f"Cohen's kappa {kappa}; {same}"))
    for each in one.judgements:
        if each.win_rate is None:
            facts.append((each.judge, "no verdict"))
        else:
            more = ", ".join(f"{step} points: {many:,}" for step, many in each.win_rate.more_prompts.items())
            facts.append((f"{each.judge}: more prompts needed to see", more))
        if each.verdicts.waiting:
            facts.append((f"{each.judge}: comparisons that wait for a vote", f"{each.verdicts.waiting:,}"))
        facts += [(f"{each.judge}: {note}", f"{count:,}") for note, count in each.verdicts.notes.items()]
    return Section(
        f"Answers of {one.answers.model} against {found.against.model}", tables=tuple(tables), facts=tuple(facts)
    )


def _rates(wins: Sequence[Judgement]) -> Iterator[Row]:
    for each in wins:
        rate = each.win_rate
        assert rate is not None  # only those are handed in
        yield Row(each.judge, (shown(rate.value),), drawn(rate.value))
        if rate.length_controlled is not None:
            controlled = rate.length_controlled
            yield Row(f"{each.judge}, at equal lengths", (shown(controlled),), drawn(controlled))


def _counts(each: Judgement) -> Row:
    rate = each.win_rate
    assert rate is not None  # only those are handed in
    counts = (f"{many:,}" for many in (rate.wins, rate.ties, rate.losses, rate.not_judged))
    same = "–" if each.verdicts.consistent is None else percent(each.verdicts.consistent)
    return Row(each.judge, (*counts, f"p = {rate.sign_test:.2g}", same))


def _changes(changes: Sequence[Change]) -> Table:
    rows = tuple(
        Row(
            each.name,
            written_change(each),
            drawn(each.difference) if each.share else None,
        )
        for each in changes
    )
    scale = around_zero((row.interval for row in rows), in_points)
    return Table(("trait", "before", "after", "difference"), rows, title="What else changed", scale=scale)


def _side_by_side(one: ComparedAnswers, found: AnswersEvaluation) -> Section:
    against = found.against
    assert against is not None  # what is compared is compared with something
    order = most_different(one.judgements, len(found.prompts))[:_MOST_ANSWERS]
    examples = tuple(
        Example(
            _last_turn(found, number),
            conversation([turn.to_row() for turn in found.prompts[number].turns]),
            (
                _side(against, number, tuple(_marks(one.judgements, number, first=False))),
                _side(one.answers, number, tuple(_marks(one.judgements, number, first=True))),
            ),
        )
        for number in order
    )
    many = f"{len(order):,} of {len(found.prompts):,} prompts"
    how = ", those first whose answers are judged most different" if one.judgements else ""
    return Section(
        f"Side by side: {against.model} and {one.answers.model}",
        note=f"{many}{how}. --answers-out writes all of them.",
        examples=examples,
    )


def _marks(judgements: Sequence[Judgement], number: int, *, first: bool) -> Iterator[tuple[str, Tone]]:
    """What judges say of one of two answers."""
    for each in judgements:
        point = each.verdicts.points[number]
        scores = each.verdicts.first if first else each.verdicts.second
        score = "" if scores is None or scores[number] is None else f" ({_score(scores[number])})"
        if point is None:
            yield f"{each.judge}: no verdict", ""
        elif point == 0.5:
            yield f"{each.judge}: tie{score}", ""
        elif (point > 0.5) == first:
            yield f"✓ {each.judge}: better{score}", "better"
        elif score:
            yield f"{each.judge}: worse{score}", ""


def _score(score: float | bool | None) -> str:
    return ("passes" if score else "fails") if isinstance(score, bool) else plain(score)


def _side(answers: SampledAnswers, number: int, marks: tuple[tuple[str, Tone], ...]) -> Side:
    said = f"{answers.tokens[number]:,} tokens{'' if answers.ended[number] else ', cut off'}"
    return Side(answers.model, shortened(answers.texts[number], TEXT_LIMIT), ((said, ""), *marks))


def _last_turn(found: AnswersEvaluation, number: int) -> str:
    return shortened(found.prompts[number].turns[-1].content, TEXT_LIMIT) or f"prompt {number + 1:,}"


def _alone(found: AnswersEvaluation) -> Section:
    rows = []
    for answers, records in found.alone:
        for record in records:
            rate = record.after
            told = "gives scores, no pass rate" if rate is None else with_interval(rate.pass_rate, rate.interval)
            interval = None if rate is None else Interval(rate.pass_rate, *rate.interval)
            rows.append(Row(answers.model, (record.name, told, f"{record.not_judged or 0:,}"), interval))
    table = Table(("model", "judge", "passes", "without a score"), tuple(rows), scale=SHARES)
    return Section("Answers by themselves", tables=(table,) if rows else ())


def _answers_alone(found: AnswersEvaluation) -> Section:
    many = min(_MOST_ANSWERS, len(found.prompts))
    examples = tuple(
        Example(
            _last_turn(found, number),
            conversation([turn.to_row() for turn in found.prompts[number].turns]),
            tuple(_side(answers, number, ()) for answers, _ in found.alone),
        )
        for number in range(many)
    )
    note = f"The first {many:,} of {len(found.prompts):,} prompts. --answers-out writes all of them."
    return Section("The answers", note=note, examples=examples)
