"""Models' answers to the same prompts, judged against those of another model: `tiebreak evaluate --against --judge`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tiebreak.data.reading.sources import SourceSpec, evaluated_split
from tiebreak.errors import InputError
from tiebreak.evaluate.changes import changes
from tiebreak.evaluate.judges import Comparison, Judge, PointwiseJudge, open_judge
from tiebreak.evaluate.judges.judge import Cost
from tiebreak.evaluate.judging import judged_alone
from tiebreak.evaluate.perplexity import ReadText, perplexity_change, plain_text
from tiebreak.evaluate.win_rate import agreement, longer_by, win_rate
from tiebreak.generation.generate import Sampling
from tiebreak.process.host import same_host
from tiebreak.recipe import DataSection, JudgeSection, ModelSection, Recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.manifest import JudgeRecord
from tiebreak.workflow.answers import SampledAnswers, sample_answers
from tiebreak.workflow.early import check_against, check_settings, check_votes
from tiebreak.workflow.judged import AnswersEvaluation, ComparedAnswers, Judgement
from tiebreak.workflow.kl import OwnAnswers, measured_kl, own_answers, references
from tiebreak.workflow.model import prepare_model
from tiebreak.workflow.people import NAME as PEOPLE
from tiebreak.workflow.people import Put, open_for_people, people_for
from tiebreak.workflow.plain_text import read_plain_text
from tiebreak.workflow.progress import Progress, progress_of
from tiebreak.workflow.prompts import AskedPrompt, read_prompts

_BYTES = 4  # of text, a token, about


@dataclass(frozen=True)
class AnswersQuestion:
    """What is asked: whose answers, to which prompts, judged by whom.

    Attributes:
        models: run folders, Hub ids, folders, or `bundled:base`.
        prompts: text file with a prompt a line, or a source of rows that have prompts.
        against: model that the others are compared with; None where each is judged alone.
        judges: as `judge_from_flag` gives them.
        votes: store in which people judge, a path or a URL: what they have not answered is put to them, and what they
            have is one more judge; needs `against`.
        config, data_dir, split, revision, schema, columns, transform, skip_bad_rows: of the prompts, as in a recipe's
            data section.
        most: prompts that are answered.
        sampling: how answers are drawn.
        kl: measure how far each model is from its reference, on answers drawn at temperature 1.
        reference: of the KL; None is a run's own base, or for what is no run the model of `against`.
        settings: further keys of the recipe, dotted, such as `data.template`.
    """

    models: tuple[str, ...]
    prompts: str
    against: str | None = None
    judges: tuple[Literal["bundled"] | JudgeSection, ...] = ()
    votes: str | None = None
    config: str | None = None
    data_dir: str | None = None
    split: str | None = None
    revision: str | None = None
    schema: str = "auto"
    columns: Mapping[str, Any] | None = None
    transform: str | None = None
    skip_bad_rows: bool = False
    most: int | None = 400
    sampling: Sampling = field(default_factory=lambda: Sampling(0.7, max_new_tokens=128, seed=0))
    kl: bool = False
    reference: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def evaluate_answers(question: AnswersQuestion, *, progress: Progress | bool | None = None) -> AnswersEvaluation:
    """Sample and judge.

    Args:
        question: what is asked.
        progress: True shows it on stderr; else nothing is shown.
    Raises:
        InputError: a model, the prompts or a judge is wrong.
        RunError: a judge does not answer. Answers and verdicts so far are kept.
    """
    with same_host():
        return _evaluated(question, progress_of(progress))


def _evaluated(question: AnswersQuestion, progress: Progress) -> AnswersEvaluation:
    judges = _judges(question)
    wanted = references(question.models, question.reference, question.against) if question.kl else {}
    prompts = _prompts(question)
    if question.votes is not None:
        open_for_people(question.votes, progress)
    progress.say(f"answers to {len(prompts):,} prompts")
    named = dict.fromkeys((*([question.against] if question.against else []), *question.models))
    asked_of = {name: _asked_of(name, question, prompts, progress, kl=name in wanted) for name in named}
    kl = measured_kl({name: one.own for name, one in asked_of.items() if one.own is not None}, wanted, progress)
    sampled = {name: one.sampled for name, one in asked_of.items()}
    if question.against is None:
        alone = tuple((sampled[name], tuple(_alone(judges, prompts, sampled[name]))) for name in named)
        return AnswersEvaluation(tuple(prompts), None, alone=alone, kl=kl, source=question.prompts)
    against = asked_of[question.against]
    others = [one for name, one in asked_of.items() if name != question.against]
    asked = {one.name: _comparisons(prompts, one.sampled.texts, against.sampled.texts) for one in others}
    for judge in judges:
        if (cost := _total(judge, list(asked.values()))) is not None:
            progress.say(f"{judge.name}: {cost_line(cost)}")
    compared = []
    for one in others:
        people: list[Judge] = []
        if question.votes is not None:
            people = [people_for(question.votes, prompts, one.sampled, against.sampled, question.sampling)]
        compared.append(_compared([*people, *judges], asked[one.name], one, against, progress))
    return AnswersEvaluation(tuple(prompts), against.sampled, compared=tuple(compared), kl=kl, source=question.prompts)


@dataclass(frozen=True)
class _Asked:
    """What a model was asked for: answers, the plain text where it is compared, answers for the KL where wanted."""

    sampled: SampledAnswers
    read: ReadText | None
    own: OwnAnswers | None

    @property
    def name(self) -> str:
        return self.sampled.model


def _asked_of(
    name: str, question: AnswersQuestion, prompts: Sequence[AskedPrompt], progress: Progress, *, kl: bool
) -> _Asked:
    """All that needs a model, which is let go afterwards."""
    recipe = recipe_of(name, question.settings)
    model = prepare_model(recipe)
    sampled = sample_answers(recipe, prompts, question.sampling, progress, model=model)
    if sampled.kept:
        progress.say(f"{name}: {sampled.kept:,} of {len(prompts):,} answers were there from before")
    if sampled.too_long:
        progress.say(f"{name}: {sampled.too_long:,} prompts are as long as the model takes: empty answers")
    read = read_plain_text(recipe.model, model, progress) if question.against is not None else None
    own = own_answers(recipe, model, prompts, (question.sampling, sampled), progress) if kl else None
    return _Asked(sampled, read, own)


def estimate(question: AnswersQuestion) -> list[tuple[str, Cost | Put | None]]:
    """What each judge will be asked, at most; nothing is loaded, sampled or asked, and no store of votes is made.

    Returns:
        The name and the cost of each judge; the answers being as long as they may be, and all of them different.
    """
    judges, prompts = _judges(question), _prompts(question)
    long = "x" * (_BYTES * question.sampling.max_new_tokens)
    others = [name for name in question.models if name != question.against]
    asked = [_comparisons(prompts, [f"{n}{long}"] * len(prompts), [long] * len(prompts)) for n in range(len(others))]
    people = [] if question.votes is None else [(PEOPLE, Put(len(prompts) * len(others)))]
    return [*people, *((judge.name, _total(judge, asked)) for judge in judges)]


def cost_line(cost: Cost | Put) -> str:
    """A cost in a sentence."""
    if isinstance(cost, Put):
        return f"{cost.comparisons:,} comparisons to vote on"
    kept = f", {cost.kept:,} replies are kept" if cost.kept else ""
    return f"{cost.calls:,} calls, about {cost.tokens_in:,} tokens in and at most {cost.tokens_out:,} tokens out{kept}"


def recipe_of(name: str, settings: Mapping[str, Any]) -> Recipe:
    """How a model is loaded and asked: as its run says, where it is that of a run, an adapter being merged.

    Args:
        name: of the model.
        settings: further keys of the recipe, dotted, which win over all else.
    """
    run = RunFolder(Path(name))
    own = run.recipe() if run.recipe_path.is_file() else Recipe()
    model = ModelSection(name=name, trust_remote_code=own.model.trust_remote_code)
    data = DataSection(template=own.data.template, special_tokens=own.data.special_tokens)
    check_settings(settings)
    return own.model_copy(update={"model": model, "data": data}).with_settings(dict(settings))


def _judges(question: AnswersQuestion) -> list[Judge]:
    check_against(question.models, question.against)
    if question.votes is not None:
        check_votes(question.votes, question.against)
    found = [judge for each in question.judges if (judge := open_judge(each, where="--judge")) is not None]
    for judge in found:
        if question.against is None and not isinstance(judge, PointwiseJudge):
            raise InputError(
                f"{judge.name} compares two answers, and there is one model.",
                where="--judge",
                fix="name the model to compare with: --against MODEL",
            )
    return found


def _prompts(question: AnswersQuestion) -> list[AskedPrompt]:
    split = evaluated_split(question.prompts, question.split)
    return read_prompts(
        SourceSpec(question.prompts, question.config, question.data_dir, split, question.revision),
        schema=question.schema,
        columns=question.columns,
        transform=question.transform,
        skip_bad_rows=question.skip_bad_rows,
        most=question.most,
    )


def _comparisons(prompts: Sequence[AskedPrompt], first: Sequence[str], second: Sequence[str]) -> list[Comparison]:
    return [
        Comparison(each.turns, one, other, each.tools) for each, one, other in zip(prompts, first, second, strict=True)
    ]


def _total(judge: Judge, asked: Sequence[Sequence[Comparison]]) -> Cost | None:
    return judge.cost([each for comparisons in asked for each in comparisons])


def _alone(judges: Sequence[Judge], prompts: Sequence[AskedPrompt], answers: SampledAnswers) -> list[JudgeRecord]:
    asked = [(each.turns, text) for each, text in zip(prompts, answers.texts, strict=True)]
    return [judged_alone(judge, judge.scores(asked)[0]) for judge in judges if isinstance(judge, PointwiseJudge)]


def _compared(
    judges: Sequence[Judge],
    asked: Sequence[Comparison],
    one: _Asked,
    other: _Asked,
    progress: Progress,
) -> ComparedAnswers:
    answers, against = one.sampled, other.sampled
    found = []
    for judge in judges:
        with progress.bar(f"judging, {judge.name}", len(asked)) as update:
            verdicts = judge.compare(asked, update)
        wins = win_rate(verdicts.points, longer_by(answers.texts, against.texts))
        found.append(Judgement(judge.name, dict(judge.record), verdicts, wins))
    said = [each.verdicts.points for each in found if each.verdicts.judged]
    both = agreement(said[0], said[1]) if len(said) > 1 else None
    table = changes(
        against.texts,
        answers.texts,
        tokens=(against.tokens, answers.tokens),
        ended=(against.ended, answers.ended),
    )
    assert one.read is not None  # of models that are compared
    assert other.read is not None
    if (line := perplexity_change(other.read, one.read)) is not None:
        table = (*table, line)
    return ComparedAnswers(answers, tuple(found), both, table, plain_text(other.read, one.read))
