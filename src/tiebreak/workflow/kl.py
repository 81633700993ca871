"""The KL divergence of models from their references: answers at temperature 1, scored by both.

Model after model is loaded, asked and let go; then each reference once, for all models that are measured from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tiebreak.engine.batch import ScoredGroup
from tiebreak.engine.score import score_groups
from tiebreak.errors import InputError
from tiebreak.evaluate.kl import Kl, kl_estimate
from tiebreak.generation.generate import Sampling
from tiebreak.models.embeddings import rows_of
from tiebreak.models.load import load_tokenizer
from tiebreak.models.places import place_of
from tiebreak.recipe import ModelSection, Recipe
from tiebreak.runs.sheet import Cell
from tiebreak.workflow.answers import SampledAnswers, sample_answers
from tiebreak.workflow.measured_from import check_same_vocabulary, reference_of
from tiebreak.workflow.model import RunModel, prepare_model
from tiebreak.workflow.plan import scoring_only
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.prompts import AskedPrompt


@dataclass(frozen=True)
class OwnAnswers:
    """Draws from a model, with what the model itself says of them.

    Attributes:
        recipe: how it is loaded.
        answers: at temperature 1, with nothing cut off from the distribution.
        prompts: numbers of the prompts that have an answer; the others leave no room for one.
        groups: their tokens.
        logp: log-prob of each answer of `groups`, in nats.
        of_the_evaluation: whether these are the answers of the evaluation, which were drawn in this way.
    """

    recipe: Recipe
    answers: SampledAnswers
    prompts: tuple[int, ...]
    groups: tuple[ScoredGroup, ...]
    logp: tuple[float, ...]
    of_the_evaluation: bool


@dataclass(frozen=True)
class MeasuredKl:
    """How far a model is from its reference.

    Attributes:
        model: its name.
        reference: the name of its reference.
        fingerprint: of the reference's weights.
        found: None where every prompt is too long for an answer.
        answers: that it was measured on, drawn at temperature 1.
        log_ratios: of the answer to each prompt, in nats; None where the prompt leaves no room for one.
        of_the_evaluation: whether the answers are those of the evaluation.
    """

    model: str
    reference: str
    fingerprint: str
    found: Kl | None
    answers: SampledAnswers
    log_ratios: tuple[float | None, ...]
    of_the_evaluation: bool

    @property
    def left_out(self) -> int:
        """Prompts that leave no room for an answer."""
        return sum(each is None for each in self.log_ratios)

    @property
    def cut(self) -> int:
        """Answers that the length limit cut; they count as far as they go."""
        both = zip(self.log_ratios, self.answers.ended, strict=True)
        return sum(ratio is not None and not ended for ratio, ended in both)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "model": self.model,
            "reference": self.reference,
            "reference_fingerprint": self.fingerprint,
            "sampling": self.answers.record["sampling"],
            "answers_of_the_evaluation": self.of_the_evaluation,
            "kl": None if self.found is None else asdict(self.found),
            "cut": self.cut,
            "left_out": self.left_out,
        }

    def columns(self) -> dict[str, Sequence[Cell]]:
        """Columns of the sheet: the log-ratio of each answer, and the answers where they are not those of the model."""
        found: dict[str, Sequence[Cell]] = {f"{self.model} kl": self.log_ratios}
        if not self.of_the_evaluation:
            found[f"{self.model} kl answer"] = self.answers.texts
        return found


def references(models: Sequence[str], reference: str | None, against: str | None) -> dict[str, ModelSection]:
    """The model that the KL of each is measured from.

    It is the one of `--reference`; else the one that the run started from; else, for what is no run, the one of
    `--against`.

    Args:
        models: that are measured; the one of `against` among them is not.
        reference, against: as the user named them.
    Raises:
        InputError: a model has none.
    """
    found = {}
    for name in models:
        if name == against:
            continue
        section = reference_of(name, reference) or (None if against is None else ModelSection(name=against))
        if section is None:
            raise InputError(
                f"'{name}' is no run, so there is nothing to measure its KL from.",
                where="--kl",
                fix="name a reference: --reference MODEL",
            )
        found[name] = section
    return found


def check_one_reference(sections: Mapping[str, ModelSection]) -> None:
    """Refuse to draw models into one picture that are measured from different references.

    Args:
        sections: the reference of each model, as `references` gives it.
    Raises:
        InputError: they differ.
    """
    places: dict[tuple[str, str | None], tuple[str, str]] = {}
    for name, section in sections.items():
        places.setdefault(_place(section), (name, section.name))
    if len(places) > 1:
        (one, its), (other, theirs) = list(places.values())[:2]
        raise InputError(
            f"'{one}' is measured from '{its}' and '{other}' from '{theirs}'; one picture needs one reference.",
            where="--frontier-out",
            fix="name it for all: --reference MODEL",
        )


def kl_sampling(asked: Sampling) -> Sampling:
    """How answers are drawn that the KL can be measured on: from the model's own distribution, whatever is asked."""
    return Sampling(1.0, max_new_tokens=asked.max_new_tokens, seed=asked.seed)


def own_answers(
    recipe: Recipe,
    model: RunModel,
    prompts: Sequence[AskedPrompt],
    asked: tuple[Sampling, SampledAnswers],
    progress: Progress,
) -> OwnAnswers:
    """Draw answers from a model and score them by it.

    Args:
        recipe: of the model.
        model: the same, loaded.
        prompts: conversations.
        asked: answers that there are already, and how they were drawn; they are used where they are fit for it.
        progress: where progress is shown.
    """
    sampling, answers = asked
    fit = kl_sampling(sampling) == sampling
    if not fit:
        progress.say(f"{recipe.model.name}: answers at temperature 1, for the KL")
        answers = sample_answers(recipe, prompts, kl_sampling(sampling), progress, model=model)
    there = tuple(i for i, ids in enumerate(answers.ids) if ids)
    groups = tuple(ScoredGroup(answers.prompt_ids[i], (answers.ids[i],), i) for i in there)
    return OwnAnswers(recipe, answers, there, groups, answer_logps(model, groups, recipe.model.name, progress), fit)


def measured_kl(
    drawn: Mapping[str, OwnAnswers], sections: Mapping[str, ModelSection], progress: Progress
) -> tuple[MeasuredKl, ...]:
    """Score the answers by the references, each of which is loaded once.

    Args:
        drawn: of each model.
        sections: the reference of each.
        progress: where progress is shown.
    Raises:
        InputError: a reference cannot be loaded, or has another vocabulary.
    """
    together: dict[Any, list[str]] = {}
    for name in drawn:
        together.setdefault((*_place(sections[name]), drawn[name].recipe.train.precision), []).append(name)
    found = {}
    for names in together.values():
        section = sections[names[0]]
        for name in names:
            own = drawn[name].recipe.model
            tokenizer = load_tokenizer(own.name, revision=own.revision, trust_remote_code=own.trust_remote_code)
            check_same_vocabulary(tokenizer, section)
        base = prepare_model(Recipe(model=section, train=drawn[names[0]].recipe.train))
        for name in names:
            found[name] = _measured(drawn[name], section.name, base, progress)
        del base  # before the next one is loaded
    return tuple(found[name] for name in drawn)


def answer_logps(model: RunModel, groups: Sequence[ScoredGroup], title: str, progress: Progress) -> tuple[float, ...]:
    """Log-prob of each answer, in nats.

    Args:
        model: that scores.
        groups: one answer each.
        title: of the progress.
        progress: where progress is shown.
    """
    if not groups:
        return ()
    scorer = scoring_only(model.model, groups, model.precision)
    with progress.bar(f"scoring, {title}", len(groups)) as update:
        return tuple(score_groups(model.model, groups, scorer, on_progress=update).logp[:, 0].tolist())


def _measured(own: OwnAnswers, reference: str, base: RunModel, progress: Progress) -> MeasuredKl:
    name = own.recipe.model.name
    largest = max((max(ids) for group in own.groups for ids in (group.prompt, *group.completions)), default=0)
    if largest >= rows_of(base.model):
        raise InputError(
            f"'{name}' writes tokens that the reference '{reference}' does not have.",
            where="--reference",
            fix="name the model that it was trained from",
        )
    logp = answer_logps(base, own.groups, f"{reference}, on {name}", progress)
    ratios = {i: mine - its for i, mine, its in zip(own.prompts, own.logp, logp, strict=True)}
    return MeasuredKl(
        model=name,
        reference=reference,
        fingerprint=base.fingerprint,
        found=kl_estimate(own.logp, logp, [len(group.completions[0]) for group in own.groups]),
        answers=own.answers,
        log_ratios=tuple(ratios.get(i) for i in range(len(own.answers.texts))),
        of_the_evaluation=own.of_the_evaluation,
    )


def _place(section: ModelSection) -> tuple[str, str | None]:
    """What is the same for two names of one model: its folder, or its id with the revision."""
    place = place_of(section.name)
    return (section.name, section.revision) if place is None else (str(place.resolve()), None)
