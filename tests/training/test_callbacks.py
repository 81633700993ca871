"""What watches a run shows the metrics of the list, under the names that people read."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState, TrainingArguments

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, tokenized_pairs
from tiebreak.training.callbacks import MetricsFile, ProgressLine


def test_the_progress_line_has_a_word_for_each_metric_that_was_logged(tmp_path: Path) -> None:
    shown = io.StringIO()
    line = ProgressLine(Console(file=shown, width=40))
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to=[])
    state = TrainerState(global_step=2, max_steps=10)
    logs = {"loss": 0.4321, "rewards/accuracies": 0.75, "rewards/margins": -0.2, "grad_norm": 1.0, "epoch": 0.2}
    line.on_log(arguments, state, TrainerControl(), logs=logs)
    line.on_log(arguments, state, TrainerControl(), logs={"eval_loss": 0.5, "eval_rewards/accuracies": 0.625})
    line.on_log(arguments, state, TrainerControl(), logs={"train_runtime": 3.0})
    assert shown.getvalue().splitlines() == [
        "step 2/10  loss 0.4321  accuracy 75.0%  margin −0.20",
        "step 2/10  held-out loss 0.5000  held-out accuracy 62.5%",
    ]


def test_held_out_accuracy_has_its_interval_and_ties_have_none(tmp_path: Path) -> None:
    shown = io.StringIO()
    line = ProgressLine(Console(file=shown, width=40), held_out=16)
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to=[])
    state = TrainerState(global_step=2, max_steps=10)
    line.on_log(arguments, state, TrainerControl(), logs={"loss": 0.6931, **_rates("", 0.0, 0.0)})
    line.on_log(arguments, state, TrainerControl(), logs={"eval_loss": 0.5, **_rates("eval_", 0.625, 0.1)})
    line.on_log(arguments, state, TrainerControl(), logs={"eval_loss": 0.5, **_rates("eval_", 0.0, 0.0)})
    assert shown.getvalue().splitlines() == [
        "step 2/10  loss 0.6931  accuracy –  margin 0.00",
        "step 2/10  held-out loss 0.5000  held-out accuracy 62.5% (38.6–81.5%)",
        "step 2/10  held-out loss 0.5000  held-out accuracy –",
    ]


def _rates(prefix: str, accuracy: float, margin: float) -> dict[str, float]:
    return {f"{prefix}rewards/accuracies": accuracy, f"{prefix}rewards/margins": margin}


@pytest.mark.parametrize("terminal", [False, True])
def test_a_run_shows_its_header_its_speed_and_the_time_left(terminal: bool, tmp_path: Path) -> None:
    """By a real trainer: ten pairs in steps of four, so that the last step of an epoch has two."""
    shown = io.StringIO()
    console = Console(file=shown, width=250, force_terminal=terminal, color_system=None)
    line = ProgressLine(console, header="train   a line each step", held_out=6, examples="pairs")
    trainer = preference_trainer(
        ARCHITECTURES["gpt2"](),
        tokenized_pairs(10),
        tmp_path,
        held_out=tokenized_pairs(6, seed=1),
        max_steps=4,
        batch_size=4,
        log_every=1,
        eval_every=2,
    )
    line.tokens, trainer.evaluating = (lambda: trainer.tokens), line.evaluating
    drawn: list[int] = []
    end_step = line.pace.end_step

    def counted(step: int, examples: int, tokens: int) -> None:
        drawn.append(examples)
        end_step(step, examples, tokens)

    line.pace.end_step = counted  # type: ignore[method-assign]
    trainer.add_callback(line)
    trainer.train()
    assert drawn == [4, 4, 2, 4]
    assert "train   a line each step" in shown.getvalue()
    assert re.search(r"[\d.]+ pairs/s  [\d,]+ tokens/s  memory [\d.]+ GB", shown.getvalue())
    if terminal:
        assert "held-out " in shown.getvalue()
    else:
        lines = [each for each in shown.getvalue().splitlines() if "tokens/s" in each]
        assert [each.split()[1] for each in lines] == ["1/4", "2/4", "3/4", "4/4"]
        assert all(each.endswith(" left") for each in lines)


def test_an_evaluation_out_of_training_has_the_bar_it_is_given() -> None:
    asked: list[tuple[str, int]] = []
    done: list[int] = []

    @contextmanager
    def bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
        asked.append((title, total))
        yield done.append

    with ProgressLine(Console(file=io.StringIO()), bar=bar).evaluating(6) as update:
        update(3)
    assert (asked, done) == ([("held-out", 6)], [3])


def test_seconds_go_on_from_earlier_sessions(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    file = MetricsFile(rows.append)
    file.spent = 100.0
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to=[])
    file.on_train_begin(arguments, TrainerState(), TrainerControl())
    file.on_log(arguments, TrainerState(global_step=2), TrainerControl(), logs={"loss": 0.5})
    (row,) = rows
    assert isinstance(row["seconds"], float)
    assert 100.0 <= row["seconds"] < 101.0
