"""The whole evaluation as one page: `tiebreak evaluate --out report.html`.

Each part of an evaluation makes its own sections; here they are put in order, between what was asked and how it is done
again. A further part is one more line in `evaluation_page`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from tiebreak.errors import InputError
from tiebreak.report.evaluation_page import EvaluationPage, Section, write_page
from tiebreak.report.page_file import check_page
from tiebreak.version import __version__
from tiebreak.workflow import answer_sections, harness_sections, kl_sections, pair_sections
from tiebreak.workflow.evaluation import Evaluation
from tiebreak.workflow.harness import HarnessEvaluation
from tiebreak.workflow.judged import AnswersEvaluation
from tiebreak.workflow.lifecycle import now

_PACKAGES = ("torch", "transformers")


def write_evaluation(
    path: Path | str,
    *,
    pairs: Sequence[Evaluation] | Evaluation = (),
    answers: AnswersEvaluation | None = None,
    harness: HarnessEvaluation | None = None,
    against: str | None = None,
    command: str = "",
    force: bool = False,
) -> Path:
    """Write what was measured as one page that needs no network.

    Args:
        path: ends in .html.
        pairs: what `evaluate_model` gave, of one model or of several on the same data.
        answers: what `evaluate_answers` gave.
        harness: what `evaluate_harness` gave.
        against: of `pairs`, the name of the model that the others are compared with.
        command: how it is done again, as a command line; shown where there is one.
        force: replace a file that exists.
    Returns:
        Where it was written.
    Raises:
        InputError: there is nothing to show, or the file is refused.
        RunError: the disk does not take it.
    """
    path = Path(path)
    check_page(path, force=force, where=os.fspath(path))
    found = (pairs,) if isinstance(pairs, Evaluation) else tuple(pairs)
    if not found and answers is None and harness is None:
        raise InputError(
            "There is nothing to write a page of.", where="write_evaluation", fix="give pairs, answers or harness"
        )
    write_page(evaluation_page(found, answers, harness, against=against, command=command), path, force=force)
    return path


def evaluation_page(
    pairs: Sequence[Evaluation],
    answers: AnswersEvaluation | None = None,
    harness: HarnessEvaluation | None = None,
    *,
    against: str | None = None,
    command: str = "",
) -> EvaluationPage:
    """The page of what was measured.

    Args:
        pairs, answers, harness, against, command: as of `write_evaluation`.
    """
    found: list[str] = [*pair_sections.sentences(pairs, against)]
    sections: list[Section] = [*pair_sections.pair_sections(pairs, against)]
    if answers is not None:
        found += answer_sections.sentences(answers)
        sections += answer_sections.answer_sections(answers)
        sections += kl_sections.kl_sections(answers)
    if harness is not None:
        found += harness_sections.sentences(harness)
        sections += harness_sections.harness_sections(harness)
    sections.append(_settings(pairs, answers, harness, command))
    return EvaluationPage(
        title=_title(pairs, answers, harness, against),
        created=now(),
        asked=" ".join(_asked(pairs, answers, harness, against)),
        found=tuple(found),
        sections=tuple(sections),
    )


def _title(
    pairs: Sequence[Evaluation],
    answers: AnswersEvaluation | None,
    harness: HarnessEvaluation | None,
    against: str | None,
) -> str:
    named = [one.model for one in pairs if one.model != against]
    if answers is not None:
        named += [one.answers.model for one in answers.compared] + [one.model for one, _ in answers.alone]
        against = against or (None if answers.against is None else answers.against.model)
    if harness is not None:
        named += [one.model for one in harness.models]
    said = ", ".join(dict.fromkeys(named))
    return said if against is None else f"{said} against {against}"


def _asked(
    pairs: Sequence[Evaluation],
    answers: AnswersEvaluation | None,
    harness: HarnessEvaluation | None,
    against: str | None,
) -> Iterator[str]:
    """What was asked, in sentences that make one paragraph."""
    if pairs:
        one = pairs[0]
        which = "each model" if len(pairs) > 1 else one.model
        measured = dict.fromkeys(
            f"its reward against {each.reference}" if each.reference else "its log-prob" for each in pairs
        )
        by = f"by {', or else '.join(measured)}"
        yield f"Which completion of each of {one.pairs:,} pairs of {one.data or 'the data'} does {which} prefer, {by}?"
        if against is not None:
            yield f"How far are the others ahead of {against} on the same pairs?"
    if answers is not None:
        judges = [each.judge for one in answers.compared[:1] for each in one.judgements]
        judges += [record.name for _, records in answers.alone[:1] for record in records]
        by = f" by {' and by '.join(judges)}" if judges else " by no judge"
        beside = "one model at a time" if answers.against is None else f"against those of {answers.against.model}"
        yield (
            f"What are answers to {len(answers.prompts):,} prompts of {answers.source or 'the data'} like, {beside}, "
            f"judged{by}?"
        )
    if harness is not None:
        yield f"How do the models do on {', '.join(harness.tasks)} of lm-evaluation-harness?"


def _settings(
    pairs: Sequence[Evaluation], answers: AnswersEvaluation | None, harness: HarnessEvaluation | None, command: str
) -> Section:
    facts = [("tiebreak", __version__), *((name, version(name)) for name in _PACKAGES)]
    whole: dict[str, Any] = {}
    if pairs:
        facts.append(("data", pairs[0].data))
        facts += [(f"reference of {one.model}", one.reference) for one in pairs if one.reference]
        whole["objective"] = {one.model: json.loads(one.objective) for one in pairs if one.objective}
    if answers is not None:
        everybody = [answers.against, *(one.answers for one in answers.compared), *(one for one, _ in answers.alone)]
        whole["answers"] = {one.model: one.record for one in everybody if one is not None}
        judged = answers.compared[0].judgements if answers.compared else ()
        alone = answers.alone[0][1] if answers.alone else ()
        whole["judges"] = {each.judge: dict(each.record) for each in judged} | {
            each.name: each.model_dump(mode="json", exclude_none=True)["judge"] for each in alone if each.judge
        }
    if harness is not None:
        facts.append(("lm-evaluation-harness", harness.version))
        facts += [(f"version of {name}", said) for name, said in harness.task_versions.items()]
        facts.append(("documents of a task", "all" if harness.limit is None else f"the first {harness.limit:,}"))
        facts.append(("chat template of benchmarks", "used" if harness.chat else "not used"))
    code = [("Command", command)] if command else []
    settings = {name: value for name, value in whole.items() if value}
    if settings:
        # Through JSON, so that only plain values are left.
        plain = json.loads(json.dumps(settings, default=str))
        code.append(("In full", yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)))
    return Section(
        "Settings, and how to do it again",
        facts=tuple((name, value) for name, value in facts if value),
        code=tuple(code),
    )
