"""The page of an evaluation has what was measured, in order, and survives whatever texts there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from tests.evaluate.tables import measured
from tests.report.test_evaluation_page import RTL
from tests.report.test_page import Page
from tiebreak.data.preference import Message
from tiebreak.errors import InputError
from tiebreak.evaluate.bootstrap import Estimate
from tiebreak.evaluate.breakdown import broken_down
from tiebreak.evaluate.changes import Change, changes
from tiebreak.evaluate.harness.scores import HarnessRow, Score
from tiebreak.evaluate.judges import Verdicts
from tiebreak.evaluate.kl import Kl
from tiebreak.evaluate.perplexity import PlainText
from tiebreak.evaluate.win_rate import agreement, win_rate
from tiebreak.report.evaluation_page import EvaluationPage, Interval, Section, render
from tiebreak.runs.manifest import JudgeRecord, RateRecord
from tiebreak.workflow.answer_sections import most_different
from tiebreak.workflow.answers import SampledAnswers
from tiebreak.workflow.evaluation import Evaluation
from tiebreak.workflow.evaluation_report import evaluation_page, write_evaluation
from tiebreak.workflow.harness import HarnessComparison, HarnessEvaluation
from tiebreak.workflow.judged import AnswersEvaluation, ComparedAnswers, Judgement
from tiebreak.workflow.kl import MeasuredKl
from tiebreak.workflow.prompts import AskedPrompt

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'\x00\x1b[31m{{ 7 * 7 }}" + RTL


def evaluation(model: str, margins: list[float], words: str = "text") -> Evaluation:
    pairs = measured(margins, longer=list(range(-1, len(margins) - 1)))
    texts = [
        {"prompt": [{"role": "user", "content": f"{words} {i}"}], "chosen": f"good {words}", "rejected": f"bad {words}"}
        for i in range(len(margins))
    ]
    return Evaluation(
        pairs=len(margins),
        dropped={words: 2},
        reference=words,
        metrics={"eval_loss": 0.5},
        judge=None,
        model=model,
        breakdown=broken_down(pairs),
        measured=pairs,
        texts=Dataset.from_list(texts),
        objective='{"name": "sigmoid", "beta": 0.25}',
        data=words,
    )


def sampled(model: str, texts: list[str]) -> SampledAnswers:
    return SampledAnswers(
        model=model,
        texts=tuple(texts),
        ended=(True,) * (len(texts) - 1) + (False,),
        tokens=tuple(map(len, texts)),
        prompt_ids=((1,),) * len(texts),
        ids=((2,),) * len(texts),
        too_long=0,
        sampled=len(texts),
        kept=0,
        record={"model": model, "fingerprint": "f00", "template": "chat", "sampling": {"temperature": 0.7}},
    )


def judgement(name: str, verdicts: Verdicts) -> Judgement:
    return Judgement(name, {"python": name}, verdicts, win_rate(verdicts.points, [0] * len(verdicts.points)))


def answered(words: str = "text") -> AnswersEvaluation:
    """Four prompts that two judges looked at."""
    before = sampled(f"before {words}", [f"{words} b{i}" for i in range(4)])
    after = sampled(f"after {words}", [f"{words} a{i}" for i in range(3)] + [""])
    judges = (
        judgement(f"scores {words}", Verdicts((1.0, 0.5, 0.0, None), (3.0, 1.0, 0.0, None), (1.0, 1.0, 9.0, 1.0))),
        judgement(f"says {words}", Verdicts((1.0, 0.5, 1.0, None), consistent=0.75, notes={words: 1})),
    )
    compared = ComparedAnswers(
        after,
        judges,
        agreement(judges[0].verdicts.points, judges[1].verdicts.points),
        (
            *changes(
                before.texts, after.texts, tokens=(before.tokens, after.tokens), ended=(before.ended, after.ended)
            ),
            Change("perplexity", 9.5, 10.25, Estimate(0.076, 0.05, 0.1), share=False, unit="nats a token"),
        ),
        PlainText("5a", 20, 2_139),
    )
    prompts = tuple(AskedPrompt((Message("user", f"{words} question {i}"),)) for i in range(4))
    return AnswersEvaluation(prompts, before, (compared,), kl=(moved(after, 1.5),), source=words)


def moved(answers: SampledAnswers, nats: float) -> MeasuredKl:
    """How far a model has moved from `words`, as its first answer's does."""
    found = Kl(3, Estimate(nats, nats - 0.5, nats + 0.5), 0.25, 12.0)
    words = answers.model.removeprefix("after ")
    return MeasuredKl(answers.model, words, "f11", found, answers, (nats, nats, nats, None), of_the_evaluation=True)


def benchmarks(words: str = "text") -> HarnessEvaluation:
    row = HarnessRow(words, "acc", "none", 0, 20, True, group=False, part=False, after=Score(0.75, 0.1))
    rows = (
        replace(row, before=Score(0.25, 0.1), difference=Score(0.5, 0.1)),
        replace(row, metric="acc_norm", before=Score(0.7, 0.1), difference=Score(0.05, 0.1)),
        replace(row, metric="ppl", higher_is_better=False, before=Score(9), after=Score(12), difference=Score(3, 1)),
    )
    compared = HarnessComparison(f"after {words}", f"before {words}", rows, 3)
    return HarnessEvaluation("0.4.13", (words,), {words: "1.0"}, 20, chat=False, models=(compared,))


def whole(words: str = "text") -> EvaluationPage:
    name = f"before {words}"
    found = [
        evaluation(f"after {words}", [1.0, -2.0, 0.0, -1.0], words),
        evaluation(name, [1.0, -1.0, -1.0, 1.0], words),
    ]
    command = f"tiebreak evaluate {words}"
    return evaluation_page(found, answered(words), benchmarks(words), against=name, command=command)


def section(page: EvaluationPage, beginning: str) -> Section:
    (found,) = [each for each in page.sections if each.title.startswith(beginning)]
    return found


def test_the_parts_stand_in_order() -> None:
    page = whole()
    assert page.title == "after text against before text"
    assert [each.title for each in page.sections] == [
        "Models beside each other",
        "What after text prefers",
        "What before text prefers",
        "Pairs that after text gets most wrong",
        "Answers of after text against before text",
        "Side by side: before text and after text",
        "How far the models have moved",
        "Benchmarks: after text against before text",
        "Settings, and how to do it again",
    ]
    assert page.asked == (
        "Which completion of each of 4 pairs of text does each model prefer, by its reward against text? "
        "How far are the others ahead of before text on the same pairs? "
        "What are answers to 4 prompts of text like, against those of before text, judged by scores text and by says "
        "text? How do the models do on text of lm-evaluation-harness?"
    )
    assert page.found[0].startswith("after text prefers the chosen completion in 37.5% (")
    assert page.found[2].startswith("after text against before text: −12.5 points (")
    assert page.found[3].startswith("after text wins 50.0% (")
    assert page.found[5] == (
        "after text against before text on benchmarks: 1 of 3 metrics better and 1 worse by more than the 95% interval "
        "of the difference."
    )


def test_the_pairs_most_wrong_come_first_and_right_ones_not_at_all() -> None:
    examples = section(whole(), "Pairs that").examples
    assert [each.title for each in examples] == ["−2.00  text 1", "−1.00  text 3", "0.00  text 2"]
    assert [side.title for side in examples[0].sides] == ["chosen", "rejected"]
    assert examples[0].sides[0].text == "good text"
    assert examples[0].sides[0].marks == (("reward −2.00, log-prob −22.00", ""),)
    assert examples[0].note == "row 1 of the data"


def test_a_model_that_gets_nothing_wrong_has_no_such_pairs() -> None:
    found = section(evaluation_page([evaluation("m", [1.0, 2.0])]), "Pairs most wrong")
    assert found.note == "The model prefers the chosen completion in each of 2 pairs."
    assert found.examples == ()


def test_only_so_many_pairs_are_shown() -> None:
    found = section(evaluation_page([evaluation("m", [-1.0] * 30)]), "Pairs most wrong")
    assert len(found.examples) == 20
    assert found.note.startswith("In 30 of 30 pairs")


def test_accuracy_stands_with_its_interval_rules_and_slices() -> None:
    page = evaluation_page([evaluation("m", [1.0, -2.0, 0.0, -1.0])])
    first, slices = section(page, "What the model prefers").tables
    assert [row.label for row in first.rows] == [
        *("accuracy", "at equal lengths", "rule: the longer completion", "rule: the shorter completion"),
        "rule: the likelier under the reference",
    ]
    accuracy = first.rows[0].interval
    assert accuracy is not None
    assert accuracy.value == 0.375
    assert slices.sortable
    assert [row.label for row in slices.rows] == [
        f"longer completion: {side}" for side in ("chosen", "rejected", "neither")
    ]
    assert [row.sort for row in slices.rows] == [(0.25, 2), (1.0, 1), (0.0, 1)]


def test_judges_have_their_rates_their_counts_and_their_agreement() -> None:
    page = whole()
    found = section(page, "Answers of")
    rates, counts, traits = found.tables
    assert [row.label for row in rates.rows] == [
        *("scores text", "scores text, at equal lengths", "says text", "says text, at equal lengths")
    ]
    assert rates.rows[2].interval is not None
    assert rates.rows[2].interval.value == pytest.approx(5 / 6)
    assert [row.cells for row in counts.rows] == [
        ("1", "1", "1", "1", "p = 1", "–"),
        ("2", "1", "0", "1", "p = 0.5", "75.0%"),
    ]
    assert traits.rows[0].label == "tokens of an answer"
    assert traits.rows[0].interval is None  # no share
    assert traits.rows[-1].cells == ("9.5", "10.25", "+0.076 nats a token (+0.050 to +0.100)")
    assert dict(found.facts)["agreement of the first two judges"].startswith("Cohen's kappa")
    assert ("says text: text", "1") in found.facts
    assert dict(found.facts)["says text: more prompts needed to see"].startswith("2 points: ")


def test_answers_that_are_judged_most_different_come_first() -> None:
    page = whole()
    examples = section(page, "Side by side").examples
    # Two sure verdicts on prompts 0 and 2, whose scores are apart by 2 and by 9; a tie; no verdict.
    assert [each.title for each in examples] == [f"text question {i}" for i in (2, 0, 1, 3)]
    before, after = examples[0].sides
    assert (before.title, after.title) == ("before text", "after text")
    assert before.marks == (("7 tokens", ""), ("✓ scores text: better (9)", "better"))
    assert after.marks == (("7 tokens", ""), ("scores text: worse (0)", ""), ("✓ says text: better", "better"))
    assert examples[3].sides[1].text == ""
    assert examples[3].sides[1].marks[0] == ("0 tokens, cut off", "")
    assert ("scores text: no verdict (1)", "") not in examples[3].sides[0].marks
    assert most_different((), 3) == [0, 1, 2]


def test_answers_by_themselves_have_pass_rates() -> None:
    record = JudgeRecord(name="j", prompts=2, after=RateRecord(pass_rate=0.5, interval=(0.1, 0.9)), judge={"a": 1})
    scored = JudgeRecord(name="k", prompts=2, judge={}, not_judged=1)
    prompts = (AskedPrompt((Message("user", "one"),)), AskedPrompt((Message("user", "two"),)))
    page = evaluation_page((), AnswersEvaluation(prompts, None, alone=((sampled("m", ["a", "b"]), (record, scored)),)))
    assert page.title == "m"
    (table,) = section(page, "Answers by themselves").tables
    assert [row.cells for row in table.rows] == [
        ("j", "50.0% (10.0–90.0%)", "0"),
        ("k", "gives scores, no pass rate", "1"),
    ]
    assert [row.interval for row in table.rows] == [Interval(0.5, 0.1, 0.9), None]
    assert [each.title for each in section(page, "The answers").examples] == ["one", "two"]


def test_kl_has_a_table_and_of_several_models_a_picture() -> None:
    one = answered()
    found = section(evaluation_page((), one), "How far")
    (table,) = found.tables
    assert [(row.label, row.cells) for row in table.rows] == [
        ("after text", ("text", "1.50 (1.00 to 2.00)", "0.25", "3", "0", "1"))
    ]
    assert found.pictures == ()  # a single point is no picture
    other = replace(one.compared[0], answers=sampled("other <b>", ["a", "b", "c", "d"]))
    two = replace(
        one, compared=(*one.compared, other), kl=(*one.kl, replace(moved(other.answers, 3.0), reference="text"))
    )
    (picture,) = section(evaluation_page((), two), "How far").pictures
    assert "other &lt;b&gt;" in picture.svg
    elsewhere = replace(two, kl=(two.kl[0], replace(two.kl[1], fingerprint="f22")))
    found = section(evaluation_page((), elsewhere), "How far")
    assert found.pictures == ()
    assert "No picture: The KL of these models is measured from different references" in found.note


def test_kl_that_could_not_be_measured_is_said() -> None:
    one = answered()
    none = replace(one.kl[0], found=None, log_ratios=(None,) * 4)
    (table,) = section(evaluation_page((), replace(one, kl=(none,))), "How far").tables
    assert table.rows[0].cells == ("text", "no answer", "–", "0", "–", "4")
    assert not [each for each in evaluation_page((), replace(one, kl=())).sections if each.title.startswith("How far")]


def test_comparisons_that_wait_for_people_are_counted() -> None:
    one = answered()
    people = judgement("people", Verdicts((None, None, 1.0, 0.5), waiting=2))
    page = evaluation_page((), replace(one, compared=(replace(one.compared[0], judgements=(people,)),)))
    assert ("people: comparisons that wait for a vote", "2") in section(page, "Answers of").facts


def test_benchmarks_say_what_is_better_and_draw_shares_alone() -> None:
    found = section(whole(), "Benchmarks")
    (table,) = found.tables
    assert [row.label for row in table.rows] == ["text: acc", "text: acc_norm", "text: ppl, lower is better"]
    assert table.rows[0].cells == ("20", "0", "0.2500 ± 0.1000", "0.7500 ± 0.1000", "+0.5000 ± 0.1000")
    assert [row.tone for row in table.rows] == ["better", "", "worse"]
    drawn = table.rows[0].interval
    assert drawn is not None
    assert (drawn.value, drawn.low, drawn.high) == pytest.approx((0.5, 0.5 - 0.1959964, 0.5 + 0.1959964))
    assert table.rows[2].interval is None
    assert "first 20 documents" in found.note
    assert "3 texts were longer" in found.note


def test_it_says_how_it_is_done_again() -> None:
    found = section(whole(), "Settings")
    assert found.code[0] == ("Command", "tiebreak evaluate text")
    assert "beta: 0.25" in found.code[1][1]
    assert "fingerprint: f00" in found.code[1][1]
    facts = dict(found.facts)
    assert facts["data"] == "text"
    assert facts["version of text"] == "1.0"
    assert facts["documents of a task"] == "the first 20"
    alone = section(evaluation_page((), None, benchmarks()), "Settings")
    assert alone.code == ()


@pytest.mark.parametrize("words", [HOSTILE, "x" * 100_000])
def test_no_element_comes_from_a_model_a_judge_a_prompt_an_answer_or_a_task(words: str) -> None:
    hostile, tame = render(whole(words)), render(whole())
    assert Page(hostile).elements == Page(tame).elements
    assert [name for name, _ in Page(hostile).attributes] == [name for name, _ in Page(tame).attributes]
    assert "\x1b" not in hostile
    assert "\u202e" not in hostile
    assert len(hostile) < 500_000


def test_from_python_what_was_measured_becomes_a_file(tmp_path: Path) -> None:
    path = write_evaluation(tmp_path / "page.html", pairs=evaluation("m", [1.0, -1.0]))
    assert "Pairs most wrong" in path.read_text()
    with pytest.raises(InputError, match="exists"):
        write_evaluation(str(path), answers=answered())
    write_evaluation(str(path), answers=answered(), force=True)
    assert "Side by side" in path.read_text()
    with pytest.raises(InputError, match="nothing to write"):
        write_evaluation(tmp_path / "other.html")


@pytest.mark.parametrize("missing", [{"breakdown": None}, {"measured": None}, {"texts": None, "objective": ""}])
def test_an_evaluation_of_which_parts_are_missing_still_has_a_page(missing: dict[str, Any]) -> None:
    page = Page(render(evaluation_page([replace(evaluation("m", [1.0, -1.0]), **missing)])))
    assert "Settings, and how to do it again" in page.words
    assert "None" not in page.words
