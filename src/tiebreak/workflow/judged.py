"""What an evaluation of answers found: the answers, what judges say of them, and what else changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tiebreak.data.preference import conversation_text
from tiebreak.evaluate.changes import Change
from tiebreak.evaluate.judges import Verdicts
from tiebreak.evaluate.perplexity import PlainText
from tiebreak.evaluate.win_rate import Agreement, WinRate, win_rate_json
from tiebreak.runs.manifest import JudgeRecord
from tiebreak.runs.sheet import Cell, Sheet
from tiebreak.workflow.answers import SampledAnswers
from tiebreak.workflow.kl import MeasuredKl
from tiebreak.workflow.prompts import AskedPrompt


@dataclass(frozen=True)
class Judgement:
    """What a judge says of a model's answers against those of another.

    Attributes:
        judge: its name.
        record: what says which judge it was.
        verdicts: on each prompt, the model's answer being the first.
        win_rate: None where no comparison has a verdict.
    """

    judge: str
    record: Mapping[str, Any]
    verdicts: Verdicts
    win_rate: WinRate | None


@dataclass(frozen=True)
class ComparedAnswers:
    """A model's answers beside those of the model that it is compared with.

    Attributes:
        answers: of the model.
        judgements: one a judge, people before the others.
        agreement: of the first two judges that have verdicts, where there are two.
        changes: what else changed.
        text: the plain text that perplexity among it was measured on.
    """

    answers: SampledAnswers
    judgements: tuple[Judgement, ...]
    agreement: Agreement | None
    changes: tuple[Change, ...]
    text: PlainText


@dataclass(frozen=True)
class AnswersEvaluation:
    """The answer.

    Attributes:
        prompts: that were answered.
        against: the answers that the others are compared with; None where each is judged alone.
        compared: one a model; without `against` empty.
        alone: without `against`, each model's answers and what each judge says of them.
        kl: how far each model is from its reference, in the same order; empty where that was not asked for.
        source: of the prompts.
    """

    prompts: tuple[AskedPrompt, ...]
    against: SampledAnswers | None
    compared: tuple[ComparedAnswers, ...] = ()
    alone: tuple[tuple[SampledAnswers, tuple[JudgeRecord, ...]], ...] = ()
    kl: tuple[MeasuredKl, ...] = ()
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "prompts": len(self.prompts),
            "against": None if self.against is None else _plain(self.against),
            "compared": [
                {
                    **_plain(one.answers),
                    "judges": [_judgement(each) for each in one.judgements],
                    "agreement": None if one.agreement is None else asdict(one.agreement),
                    "changes": [asdict(change) for change in one.changes],
                    "plain_text": asdict(one.text),
                }
                for one in self.compared
            ],
            "alone": [
                {**_plain(answers), "judges": [each.model_dump(mode="json", exclude_none=True) for each in records]}
                for answers, records in self.alone
            ],
            "kl": [each.to_json() for each in self.kl],
        }

    def sheet(self) -> Sheet:
        """Each prompt with all answers, how they ended, and what each judge says."""
        columns: dict[str, Sequence[Cell]] = {
            "prompt": [conversation_text([turn.to_row() for turn in each.turns]) for each in self.prompts],
        }
        for answers in (*([self.against] if self.against else []), *(one.answers for one in self.compared)):
            columns |= _of_answers(answers)
        for answers, _ in self.alone:
            columns |= _of_answers(answers)
        for one in self.compared:
            for each in one.judgements:
                name = f"{each.judge}: {one.answers.model}"
                columns[f"{name} verdict"] = each.verdicts.points
                if each.verdicts.first is not None and each.verdicts.second is not None:
                    columns[f"{name} score"] = each.verdicts.first
                    columns[f"{name} score of the other"] = each.verdicts.second
        for measured in self.kl:
            columns |= measured.columns()
        return Sheet(tuple(columns), tuple(zip(*columns.values(), strict=True)), title="answers")


def _plain(answers: SampledAnswers) -> dict[str, Any]:
    return {**answers.record, "too_long": answers.too_long}


def _judgement(each: Judgement) -> dict[str, Any]:
    return {
        "name": each.judge,
        "judge": dict(each.record),
        "win_rate": None if each.win_rate is None else win_rate_json(each.win_rate),
        "consistent": each.verdicts.consistent,
        "first_place": each.verdicts.first_place,
        "waiting": each.verdicts.waiting,
        "notes": dict(each.verdicts.notes),
    }


def _of_answers(answers: SampledAnswers) -> dict[str, Sequence[Cell]]:
    name = answers.model
    return {name: answers.texts, f"{name} tokens": answers.tokens, f"{name} ended": answers.ended}
