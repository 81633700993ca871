"""Questions: enough of them, understood by the judge, and each in one split alone."""

from collections import Counter

from tiebreak.bundled.facts import KINDS
from tiebreak.bundled.make.questions import PHRASINGS, REMARK_PHRASINGS, Split, questions
from tiebreak.bundled.make.world import all_items
from tiebreak.bundled.requests import read_request

SPLITS: tuple[Split, ...] = ("train", "held_out")


def test_every_kind_has_many_phrasings_and_subjects() -> None:
    subjects = Counter(item.kind for item in all_items())
    assert min(subjects.values()) >= 20
    assert min(len(set(texts)) for texts in (*PHRASINGS.values(), *REMARK_PHRASINGS.values())) >= 12


def test_every_question_of_the_world_is_understood() -> None:
    for kind in KINDS:
        for split in SPLITS:
            for asked in questions(split, kind, 0).values():
                for question in asked:
                    request = read_request(question.text)
                    assert request is not None, question.text
                    assert request.kind == kind, question.text
                    if question.item.value:
                        value = question.item.value.lower()
                        assert (value.replace("-", "") if kind == "spelling" else value) in request.accepted


def test_no_question_is_in_both_splits() -> None:
    for kind in KINDS:
        train, held_out = (
            {question.text for asked in questions(split, kind, 0).values() for question in asked} for split in SPLITS
        )
        assert not train & held_out
