"""Held-out preference metrics of any model on any preferences, against a reference where there is one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from tiebreak.data.preference import messages_from
from tiebreak.engine.score import SCORING_TOKENS, Scorer, Scores, score_groups
from tiebreak.engine.selfcheck import look_back_windows, self_check
from tiebreak.errors import InputError
from tiebreak.evaluate.generate import Sampling, answer_all
from tiebreak.evaluate.held_out import held_out_metrics
from tiebreak.evaluate.judging import judge_for, judged
from tiebreak.models.load import load_tokenizer
from tiebreak.recipe import DataSection, ModelSection, ObjectiveSection, Recipe
from tiebreak.runs import RunFolder
from tiebreak.workflow.prepare import (
    PreparedData,
    kind_of,
    measures_of,
    objective_of,
    prepare_data,
    prepare_model,
)
from tiebreak.workflow.talk import Talk


@dataclass(frozen=True)
class Question:
    """What is asked: which model, on which data, against which reference.

    Attributes:
        model: run folder, Hub id, folder, or `bundled:base`.
        data: source of preferences; all of its pairs are used.
        reference: model to measure against; None is a run's own base, or no reference.
        max_length: longest prompt plus ending, in tokens; None is a run's own.
        split, schema, limit, skip_bad_rows: as in a recipe's data section.
        beta: scale of the rewards; None is a run's own, or 0.1.
    """

    model: str
    data: str
    reference: str | None = None
    split: str | None = None
    schema: str = "auto"
    max_length: int | None = None
    limit: int | None = None
    beta: float | None = None
    skip_bad_rows: bool = False


@dataclass(frozen=True)
class Evaluation:
    """The answer.

    Attributes:
        pairs: pairs that were scored.
        left_out: pairs that were not, by reason.
        reference: what the rewards are measured against, or None.
        metrics: means over the pairs, with the prefix `eval_`.
        judge: verdicts on sampled answers, where the data has a judge.
    """

    pairs: int
    left_out: dict[str, int]
    reference: str | None
    metrics: dict[str, float]
    judge: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "pairs": self.pairs,
            "left_out": self.left_out,
            "reference": self.reference,
            "metrics": self.metrics,
            "judge": self.judge,
        }

    def rows(self) -> list[tuple[str, str]]:
        """Label and value of each figure, in plain words."""
        found = [("pairs", f"{self.pairs:,}")]
        found += [(f"left out: {reason}", f"{count:,}") for reason, count in sorted(self.left_out.items())]
        names = (
            ("eval_rewards/accuracies", "accuracy (chosen has more reward)", "{:.1%}"),
            ("eval_logps/accuracies", "chosen is likelier (no reference)", "{:.1%}"),
            ("eval_loss", "loss", "{:.4f}"),
            ("eval_rewards/margins", "margin", "{:+.4f}"),
            ("eval_rewards/chosen", "reward of chosen", "{:+.4f}"),
            ("eval_rewards/rejected", "reward of rejected", "{:+.4f}"),
            ("eval_logps/chosen", "log-prob of chosen (nats)", "{:.2f}"),
            ("eval_logps/rejected", "log-prob of rejected (nats)", "{:.2f}"),
        )
        found += [(label, form.format(self.metrics[name])) for name, label, form in names if name in self.metrics]
        if self.judge is not None:
            rate = self.judge["after"]
            low, high = rate["interval"]
            found.append((f"passes {self.judge['name']}", f"{rate['pass_rate']:.1%} ({low:.1%} to {high:.1%})"))
        found.append(("reference", self.reference or "none: no rewards, only log-probs"))
        return found


def evaluate_model(question: Question, *, talk: Talk | None = None) -> Evaluation:
    """Score a model on preferences.

    Raises:
        InputError: the model or the data is wrong.
    """
    talk = talk or Talk()
    recipe, reference = _recipe_for(question)
    loss, measures = objective_of(recipe), measures_of(recipe)
    data = prepare_data(recipe, talk)
    policy = prepare_model(recipe)
    scorer = replace(_scorer(policy.model, data, policy.precision.autocast), measures=measures)
    talk.say(f"model   {question.model} on {policy.device}, {policy.precision.name}")
    scores = _scores(policy.model, data, scorer, talk, "scoring")
    theirs = None
    judge = _judged(recipe, question.data, policy.model, data, talk)
    del policy
    if reference is not None:
        base = prepare_model(Recipe(model=reference, train=recipe.train))
        _same_words(data, reference)
        scorer = replace(_scorer(base.model, data, base.precision.autocast), measures=measures)
        theirs = _scores(base.model, data, scorer, talk, "reference")
    metrics = held_out_metrics(scores, theirs, objective=loss)
    return Evaluation(
        pairs=len(data.train),
        left_out=data.account["left_out"],
        reference=None if reference is None else reference.name,
        metrics=metrics,
        judge=judge,
    )


def _recipe_for(question: Question) -> tuple[Recipe, ModelSection | None]:
    """A recipe that reads all of the data for this model, and the reference."""
    run = RunFolder(Path(question.model))
    own = run.recipe() if run.recipe_path.is_file() else None
    # A run on single endings is measured on pairs by the plain objective.
    of_pairs = own is not None and kind_of(own) == "preference"
    objective = own.objective if own is not None and of_pairs else ObjectiveSection()
    if question.beta is not None:
        objective = ObjectiveSection(**{**objective.model_dump(), "beta": question.beta})
    # The model of a run with an adapter is measured with the adapter merged, against the whole model beside it.
    reference = own.model.model_copy(update={"adapter": None, "quantize": None}) if own is not None else None
    if question.reference is not None:
        reference = ModelSection(name=question.reference)
    base = own.data if own is not None else DataSection()
    trusted = own is not None and own.model.trust_remote_code
    split = question.split or ("held_out" if question.data == "bundled:preferences" else None)
    data = DataSection(
        source=question.data,
        split=split,
        schema_=question.schema,
        template=base.template,
        max_length=question.max_length or base.max_length,
        max_prompt_length=base.max_prompt_length,
        max_completion_length=base.max_completion_length,
        too_long=base.too_long,
        limit=question.limit,
        eval_fraction=0.0,
        duplicates="keep",
        skip_bad_rows=question.skip_bad_rows,
    )
    model = ModelSection(name=question.model, trust_remote_code=trusted)
    rest = own if own is not None else Recipe()
    return Recipe(model=model, data=data, objective=objective, train=rest.train, evaluate=rest.evaluate), reference


def _same_words(data: PreparedData, reference: ModelSection) -> None:
    """Log-probs of two models can be compared only where the same ids mean the same words."""
    other = load_tokenizer(reference.name, revision=reference.revision, trust_remote_code=reference.trust_remote_code)
    if other.get_vocab() != data.tokenizer.get_vocab():
        raise InputError(
            f"The reference '{reference.name}' has another vocabulary, so rewards against it mean nothing.",
            where="--reference",
            fix="name a model with the same tokenizer",
        )


def _scorer(model: PreTrainedModel, data: PreparedData, autocast: Any) -> Scorer:
    windows = look_back_windows(model.config.get_text_config())
    check = self_check(model, data.train, autocast=autocast, windows=windows)
    return Scorer(check.path, autocast, SCORING_TOKENS.get(model.device.type, 2048))


def _scores(model: PreTrainedModel, data: PreparedData, scorer: Scorer, talk: Talk, title: str) -> Scores:
    with talk.progress(title, len(data.train)) as update:
        return score_groups(model, data.train, scorer, progress=update)


def _judged(
    recipe: Recipe, source: str, model: PreTrainedModel, data: PreparedData, talk: Talk
) -> dict[str, Any] | None:
    found = judge_for(source)
    if found is None:
        return None
    name, judge = found
    prompts = [messages_from(turns) for turns in data.train_rows[: recipe.evaluate.judge_prompts]["prompt"]]
    settings = recipe.evaluate
    sampling = Sampling(settings.temperature, max_new_tokens=settings.max_new_tokens, seed=settings.seed)
    with talk.progress("answers", len(prompts)) as update:
        answers = answer_all(model, data.tokenizer, prompts, sampling, template=data.template, progress=update)
    return judged(name, None, [judge(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)])
