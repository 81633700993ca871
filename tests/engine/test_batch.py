"""What is scored: no group without tokens, and none of which nothing is scored."""

from __future__ import annotations

from typing import Any

import pytest

from tiebreak.engine.batch import group_of


@pytest.mark.parametrize("bad", [([], [[3]]), ([3], [[]]), ([3], [])])
def test_groups_without_tokens_are_refused(bad: tuple[list[int], list[list[int]]]) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        group_of(*bad)


@pytest.mark.parametrize("marks", [((False, False),), ((True,),)])
def test_marks_that_score_nothing_or_do_not_fit_are_refused(marks: Any) -> None:
    with pytest.raises(ValueError, match="at least one token is scored"):
        group_of([1], [[2, 3]], 0, marks)
