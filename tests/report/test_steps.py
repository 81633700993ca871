"""The table of steps on a terminal of any width, and in a card."""

from __future__ import annotations

import pytest
from rich.console import Console

from tests.report.made import made_recipe, manifest_of
from tests.runs.test_steps import TRAINING, evaluated
from tiebreak.report.card import model_card
from tiebreak.report.steps import markdown_blocks, rich_blocks
from tiebreak.runs.steps import steps_table

LOGGED = [*TRAINING, *(evaluated(step) for step in (4, 6))]


@pytest.mark.parametrize(("width", "blocks"), [(40, 10), (80, 3), (200, 1)])
def test_columns_that_do_not_fit_stand_below_with_their_steps(width: int, blocks: int) -> None:
    console = Console(width=width)
    found = rich_blocks(steps_table(LOGGED), width)
    assert len(found) == blocks
    with console.capture() as captured:
        for block in found:
            console.print(block)
    shown = captured.get()
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
    heads = [line.split() for line in shown.splitlines() if "step" in line]
    assert all(head[:2] == ["step", "epoch"] for head in heads)
    assert [word for head in heads for word in head[2:]][-2:] == ["logits/chosen", "logits/rejected"]


def test_a_card_has_the_table_and_one_of_a_run_without_steps_has_none() -> None:
    card = model_card(manifest_of(), made_recipe(), logged=LOGGED)
    assert "| step | epoch | training loss | validation loss |" in card
    assert "| 4 | 0.40 | 0.4250 | 0.6000 |" in card
    assert "## Steps" not in model_card(manifest_of(), made_recipe())


def test_markdown_has_a_block_below_the_other() -> None:
    first, second = markdown_blocks(steps_table(LOGGED)).split("\n\n")
    assert second.splitlines()[0].startswith("| step | epoch |")
    assert len(first.splitlines()) == len(second.splitlines()) == 4
