"""The page of metrics shows the list as it is."""

from __future__ import annotations

import pytest

from scripts.metrics_page import BEGIN, PAGE, page, table
from tiebreak.metrics import METRICS


def test_the_page_is_of_this_list() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(written), "write it again: python -m scripts.metrics_page"
    for metric in METRICS:
        assert metric.meaning in written, metric.name


def test_what_stands_before_the_table_is_kept() -> None:
    assert page(f"# Mine\n\n{BEGIN}\n\nold") == f"# Mine\n\n{BEGIN}\n\n{table()}"
    with pytest.raises(ValueError, match="has no line"):
        page("# Mine\n")
