"""Logs for tests: curves by hand, tables as others published them, sound trainings by chance with a seed."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tiebreak.doctor.facts import Facts
from tiebreak.doctor.log import Axis, Curve, TrainingLog

FIXTURES = Path(__file__).parent / "fixtures"
QUICKSTART = FIXTURES / "quickstart.jsonl"
"""The log of `tiebreak quickstart`, whole."""
SMALL_BETA = FIXTURES / "small-beta.jsonl"
"""The same with --beta 0.03: chosen log-probs fall from -7 to -23."""

Table = tuple[tuple[str, ...], tuple[tuple[float, ...], ...]]

_STEPS = ("Step", "Training Loss", "Validation Loss", "Rewards/chosen", "Rewards/rejected", "Rewards/accuracies")
TABLES: dict[str, Table] = {
    "one pair a step at 5e-5": (
        (*_STEPS, "Rewards/margins"),
        (
            (500, 0.000400, 1.571434, -4.965383, -6.498878, 0.640, 1.533495),
            (1000, 0.000000, 1.847854, -6.444730, -8.412083, 0.630, 1.967352),
        ),
    ),
    "sixteen tokens": (
        (
            *("Epoch", *_STEPS[1:], "Rewards/margins"),
            *("Logps/chosen", "Logps/rejected", "Logits/chosen", "Logits/rejected"),
        ),
        (
            (1, 0.8603, 1.56959, -7.679708, -9.407799, 0.6052, 1.728091, -258.907, -264.433, -3.329, -3.418),
            (2, 0.0045, 1.794171, -10.204892, -11.895986, 0.5972, 1.691094, -284.159, -289.315, -3.410, -3.446),
            (3, 0.0013, 1.879734, -10.987583, -12.683572, 0.5940, 1.695989, -291.986, -297.190, -3.384, -3.411),
        ),
    ),
    "hot": (
        (*_STEPS, "Rewards/margins", "Logps/rejected", "Logps/chosen", "Logits/rejected", "Logits/chosen"),
        (
            (500, 2.0416, 3.1629, -11.313297, -14.325815, 0.597, 3.012520, -283.884, -230.699, -9.235, -9.627),
            (1000, 0.1006, 4.51219, -23.955256, -28.742985, 0.597, 4.787728, -428.056, -357.118, -40.360, -40.775),
        ),
    ),
    "adapter at 5e-7": (("Learning Rate", "Batch Size", "Epochs", "Final Loss"), ((5e-7, 1, 3, 0.6760),)),
    "adapter at 1e-6": (("Learning Rate", "Batch Size", "Epochs", "Final Loss"), ((1e-6, 2, 3, 0.6984),)),
}
"""Results as five student projects published them; of the last only the loss at the end."""


def as_csv(table: Table) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([table[0], *table[1]])
    return text.getvalue()


def as_markdown(table: Table) -> str:
    lines = [table[0], ("---",) * len(table[0]), *(tuple(map(str, row)) for row in table[1])]
    shown = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# A model\n\nTrained on | pairs.\n\n{shown}\n\nMore text.\n"


def as_html(table: Table) -> str:
    """As the progress table of a notebook is written."""
    head = "".join(f"      <th>{html.escape(name)}</th>\n" for name in table[0])
    body = "".join(
        "    <tr>\n" + "".join(f"      <td>{cell}</td>\n" for cell in row) + "    </tr>\n" for row in table[1]
    )
    return (
        "<div>\n  <progress value='2' max='2'></progress>\n</div>\n"
        '<table border="1" class="dataframe">\n  <thead>\n <tr style="text-align: left;">\n'
        f"{head}    </tr>\n  </thead>\n"
        f"  <tbody>\n{body}  </tbody>\n</table><p>"
    )


def as_state(table: Table) -> str:
    """As `transformers` writes it: training rows and evaluations apart, or the mean loss of the run alone."""
    history: list[dict[str, Any]] = []
    for cells in table[1]:
        row = dict(zip(table[0], cells, strict=True))
        place = {"epoch": row.get("Epoch", row.get("Epochs", row.get("Step", 0) / 1000)), "step": row.get("Step", 1000)}
        if "Epoch" in row:
            place["step"] = int(4700 * row["Epoch"])
        if "Final Loss" in row:
            history.append({**place, "train_loss": row["Final Loss"], "train_runtime": 100.0})
            continue
        history.append({"loss": row["Training Loss"], **place})
        named = {name.lower(): value for name, value in row.items() if "/" in name}
        history.append({"eval_loss": row["Validation Loss"], **{f"eval_{k}": v for k, v in named.items()}, **place})
    return json.dumps({"log_history": history, "max_steps": history[-1]["step"], "global_step": history[-1]["step"]})


FORMS = {
    "table.csv": as_csv,
    "README.md": as_markdown,
    "notebook.html": as_html,
    "trainer_state.json": as_state,
}
"""How a table is written, by the name of its file."""


def log_of(
    curves: Mapping[str, Any],
    *,
    axis: Axis = "step",
    epochs: Sequence[tuple[float, float]] = (),
    planned: float | None = None,
    held_out: int | None = None,
) -> TrainingLog:
    """A log of points."""
    made = {name: Curve(*map(tuple, zip(*points, strict=True))) for name, points in curves.items()}
    return TrainingLog("made", "made", made, axis=axis, epochs=tuple(epochs), planned=planned, held_out=held_out)


def facts_of(curves: Mapping[str, Any], *, objective: str | None = "sigmoid", **log: Any) -> Facts:
    """Facts of a log of points; `held_out` is that of the log."""
    return Facts(log=log_of(curves, **log), objective=objective)


def noisy(seed: int, values: Iterable[float], spread: float, every: int = 10) -> list[tuple[float, float]]:
    """Points at every tenth step, with noise."""
    chance = random.Random(seed)
    return [(every * i, value + chance.gauss(0, spread)) for i, value in enumerate(values, 1)]


def sound_rows(seed: int) -> tuple[list[dict[str, float]], int]:
    """The log of a training with nothing wrong, as metrics.jsonl has it, and how many pairs are held out.

    The margin of pair i is g (a + z_i): z_i is a normal draw, most of which stays a held-out pair's own and some of
    which is drawn again each time it is measured; g grows to at most what is best for the loss. In a second epoch
    training pairs are told apart a little better. Batch, number of held-out pairs, noise, pace, tail of the gradient
    and how far chosen completions move are drawn, too.
    """
    chance = random.Random(seed)
    steps, every, epochs = chance.choice((120, 300, 600)), chance.choice((1, 5, 10)), chance.choice((1, 1, 2))
    batch, examples = chance.choice((4, 16, 32, 64)), chance.choice((60, 120, 400, 1000))
    strength, own = chance.uniform(0.5, 1.1), chance.uniform(0.8, 1.0)
    most = chance.uniform(0.3, 0.8) * 2 * strength
    drift, pace, rate = chance.uniform(-0.35, 0.4), chance.uniform(2, 5), 10 ** chance.uniform(-6.3, -6)
    tail = chance.uniform(0.2, 0.7)
    held = [chance.gauss(0, 1) for _ in range(examples)]

    def measured(grown: float, draws: Sequence[float], before: str, better: float = 1) -> dict[str, float]:
        margins = [grown * (better * strength + draw) for draw in draws]
        mean = math.fsum(margins) / len(margins)
        return {
            f"{before}loss": math.fsum(math.log1p(math.exp(-m)) for m in margins) / len(margins),
            f"{before}rewards/accuracies": sum(m > 0 for m in margins) / len(margins),
            f"{before}rewards/margins": mean,
            f"{before}rewards/chosen": drift * mean + chance.gauss(0, 0.02) * grown,
            f"{before}rewards/rejected": (drift - 1) * mean,
            f"{before}logps/chosen": -150 + 10 * drift * mean + chance.gauss(0, 0.1 if before else 6),
        }

    rows: list[dict[str, float]] = []
    for step in range(1, steps + 1):
        grown = most * (1 - math.exp(-pace * (step - 1) / steps))
        place = {"step": step, "epoch": epochs * step / steps}
        if step == 1 or step % every == 0:
            draws = [chance.gauss(0, 1) for _ in range(batch * (1 if step == 1 else every))]
            share = min(1.0, step / (0.1 * steps))
            made = {
                "grad_norm": chance.lognormvariate(1, tail),
                "learning_rate": rate * share * (1 - step / (steps + 1)),
            }
            rows.append({**place, **measured(grown, draws, "", 1 if place["epoch"] <= 1 else 1.15), **made})
        if step % (steps // 10) == 0:
            now = [own * z + math.sqrt(1 - own**2) * chance.gauss(0, 1) for z in held]
            rows.append({**place, **measured(grown, now, "eval_")})
    return rows, examples
