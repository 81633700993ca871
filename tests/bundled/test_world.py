from collections import Counter

from tiebreak.bundled.claims import fact_faults
from tiebreak.bundled.facts import KINDS
from tiebreak.bundled.phrasings import PHRASINGS, REMARK_PHRASINGS
from tiebreak.bundled.questions import questions
from tiebreak.bundled.requests import read_request
from tiebreak.bundled.world import all_items


def test_every_kind_has_many_phrasings_and_subjects() -> None:
    subjects = Counter(item.kind for item in all_items())
    assert min(subjects.values()) >= 20
    assert min(len(set(texts)) for texts in (*PHRASINGS.values(), *REMARK_PHRASINGS.values())) >= 12


def test_no_wrong_value_is_right() -> None:
    for item in all_items():
        if item.value:
            request = read_request(questions("train", item.kind, 0)[item.key][0].text)
            assert request is not None
            assert fact_faults(request, f"{item.value}.") == []
            assert len(item.wrong) >= 4
            assert [wrong for wrong in item.wrong if not fact_faults(request, f"{wrong}.")] == [], item.key


def test_every_question_of_the_world_is_understood() -> None:
    for kind in KINDS:
        for split in ("train", "held_out"):
            for asked in questions(split, kind, 0).values():  # type: ignore[arg-type]
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
            {question.text for asked in questions(split, kind, 0).values() for question in asked}
            for split in ("train", "held_out")
        )
        assert not train & held_out
