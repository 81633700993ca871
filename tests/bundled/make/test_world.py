"""The items of the world: the judge takes the true value of each, and none of the wrong ones."""

from tiebreak.bundled.claims import fact_faults
from tiebreak.bundled.make.questions import questions
from tiebreak.bundled.make.world import all_items
from tiebreak.bundled.requests import read_request


def test_no_wrong_value_is_right() -> None:
    for item in all_items():
        if item.value:
            request = read_request(questions("train", item.kind, 0)[item.key][0].text)
            assert request is not None
            assert fact_faults(request, f"{item.value}.") == []
            assert len(item.wrong) >= 4
            assert [wrong for wrong in item.wrong if not fact_faults(request, f"{wrong}.")] == [], item.key
