"""Judged answers on the terminal: win rates, what judges agree on, and what else changed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from tiebreak.evaluate.bootstrap import Estimate
from tiebreak.evaluate.changes import Change
from tiebreak.evaluate.judges.judge import Cost
from tiebreak.evaluate.win_rate import WinRate
from tiebreak.formatting.changes import written_change
from tiebreak.formatting.numbers import hundredths, percent, with_interval
from tiebreak.workflow.judged import AnswersEvaluation, ComparedAnswers, Judgement
from tiebreak.workflow.judging import cost_line
from tiebreak.workflow.kl import MeasuredKl
from tiebreak.workflow.people import Put

_WIDTH = 36


def answer_lines(found: AnswersEvaluation) -> Iterator[str]:
    """The lines for people."""
    for answers, records in found.alone:
        yield f"answers of {answers.model} to {len(found.prompts):,} prompts"
        for record in records:
            rate = record.after
            told = "no pass rate: it gives scores" if rate is None else with_interval(rate.pass_rate, rate.interval)
            yield _row(f"  passes {record.name}", told)
            if record.not_judged:
                yield _row("    without a score", f"{record.not_judged:,}")
    for one in found.compared:
        assert found.against is not None  # what is compared is compared with something
        yield f"answers of {one.answers.model} against {found.against.model}, {len(found.prompts):,} prompts"
        for each in one.judgements:
            yield from _judgement(each)
        if one.agreement is not None:
            kappa = "undefined" if one.agreement.kappa is None else f"{one.agreement.kappa:.2f}"
            same = f"{percent(one.agreement.same)} of {one.agreement.comparisons:,} verdicts are the same"
            yield _row("  agreement of the first two judges", f"kappa {kappa}; {same}")
        yield from _changes(one)
    for measured in found.kl:
        yield from _kl(measured)
    for one in found.compared:
        yield from (_next(one, each) for each in one.judgements if each.verdicts.waiting)


def estimate_lines(costs: list[tuple[str, Cost | Put | None]]) -> Iterator[str]:
    """What a dry run says."""
    for name, cost in costs:
        yield f"{name}: {'nothing but time' if cost is None else 'at most ' + cost_line(cost)}"
    yield "Nothing was sampled or asked."


def _judgement(each: Judgement) -> Iterator[str]:
    wins = each.win_rate
    yield f"  judge: {each.judge}"
    if wins is None:
        yield _row("    win rate", "no verdict")
    else:
        yield _row("    win rate", _share(wins.value))
        if wins.length_controlled is not None:
            yield _row("    win rate at equal lengths", _share(wins.length_controlled))
        yield _row("    wins, ties, losses", f"{wins.wins:,}, {wins.ties:,}, {wins.losses:,}")
        yield _row("    sign test", f"p = {wins.sign_test:.2g}")
        yield _row("    more prompts needed to see", _more(wins))
    if each.verdicts.consistent is not None:
        first = (
            "" if each.verdicts.first_place is None else f"; the first place got {percent(each.verdicts.first_place)}"
        )
        yield _row("    same verdict in both orders", f"{percent(each.verdicts.consistent)}{first}")
    if each.verdicts.waiting:
        yield _row("    no verdict yet", f"{each.verdicts.waiting:,} of {len(each.verdicts.points):,} comparisons")
    for note, count in each.verdicts.notes.items():
        yield _row(f"    {note}", f"{count:,}")


def _next(one: ComparedAnswers, each: Judgement) -> str:
    """What to do where people have not answered all."""
    number, votes = each.verdicts.waiting, str(each.record["votes"])
    noun = "comparison waits" if number == 1 else "comparisons wait"
    command = shlex.join(["tiebreak", "serve", one.answers.model, "--votes", votes])
    return f"{number:,} {noun} in {votes}: {command}; the same evaluation again reads the votes"


def _more(wins: WinRate) -> str:
    return ", ".join(
        f"{points} points: {f'{more:,}' if more else 'none'}" for points, more in wins.more_prompts.items()
    )


def _kl(measured: MeasuredKl) -> Iterator[str]:
    yield f"KL of {measured.model} from {measured.reference}, on answers at temperature 1"
    found = measured.found
    if found is None:
        yield _row("  nats an answer", "no answer: every prompt is too long")
        return
    low, high = hundredths(found.value.low), hundredths(found.value.high)
    error = "" if found.standard_error is None else f"; standard error {hundredths(found.standard_error)}"
    yield _row("  nats an answer", f"{hundredths(found.value.value)} ({low} to {high}){error}")
    cut = f"; {measured.cut:,} were cut and count as far as they go" if measured.cut else ""
    yield _row("  answers", f"{found.answers:,}, of {found.tokens:.1f} tokens on average{cut}")
    if measured.left_out:
        yield _row("  left out: no room for an answer", f"{measured.left_out:,}")


def _changes(one: ComparedAnswers) -> Iterator[str]:
    yield _row("  what else changed", "before → after: difference (95% interval)")
    for change in one.changes:
        yield _row(f"    {change.name}", _changed(change))


def _changed(change: Change) -> str:
    before, after, difference = written_change(change)
    return f"{before} → {after}: {difference}"


def _share(found: Estimate) -> str:
    return with_interval(found.value, (found.low, found.high))


def _row(label: str, value: str) -> str:
    return f"{label:{_WIDTH}} {value}".rstrip()
