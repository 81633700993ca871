"""Which metric a column is, as trainers, trackers and notebooks spell them.

The metrics and their names stand in `tiebreak.metrics`; here is only how others write them: other case and separators,
`train/`, `eval/`, `Validation` before them, a run's name, a few synonyms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tiebreak.metrics import COORDINATES, HELD_OUT, METRICS

STEP, EPOCH = COORDINATES[0], COORDINATES[1]
_HELD_OUT = ("eval", "evaluation", "val", "valid", "validation", "test", "dev", "held out")
_TRAINING = ("train", "training")
_SYNONYMS = {
    "global step": STEP,
    "steps": STEP,
    "iteration": STEP,
    "trainer global step": STEP,
    "epochs": EPOCH,
    "lr": "learning_rate",
    "gradient norm": "grad_norm",
    "final loss": "loss",
    "final training loss": "loss",
    "accuracy": "rewards/accuracies",
    "accuracies": "rewards/accuracies",
    "reward accuracy": "rewards/accuracies",
    "reward accuracies": "rewards/accuracies",
    "rewards accuracy": "rewards/accuracies",
    "margin": "rewards/margins",
    "margins": "rewards/margins",
    "reward margin": "rewards/margins",
    "reward margins": "rewards/margins",
    "chosen reward": "rewards/chosen",
    "chosen rewards": "rewards/chosen",
    "rejected reward": "rewards/rejected",
    "rejected rewards": "rewards/rejected",
}
_READ = {metric.name for metric in METRICS if metric.source in ("logged", "speed") and metric.of is None}
_PLAIN = {re.sub(r"[^a-z0-9]+", " ", name): name for name in _READ} | {STEP: STEP, EPOCH: EPOCH} | _SYNONYMS
_SIDED = re.compile(r"^(rewards|logps|logits|loss)[_ /](train|eval)(?:[ /_](.+))?$")


def canonical(column: str) -> str | None:
    """The metric that a column is, or `step` or `epoch`; None where it is none that is known here.

    Args:
        column: as it is written: `Training Loss`, `eval/rewards/chosen`, `Rewards/margins`, `_step`.
    """
    name = re.sub(r"\s+", " ", column.strip().lower())
    sided = _SIDED.match(name)
    if sided is not None:  # of the first code of DPO: rewards_train/chosen, loss/eval
        kind, side, rest = sided.groups()
        name = f"{side} {kind} {rest or ''}"
    words = re.sub(r"[^a-z0-9]+", " ", name).strip()
    if words in _PLAIN:
        return _PLAIN[words]
    for prefixes, before in ((_HELD_OUT, HELD_OUT), (_TRAINING, "")):
        for prefix in prefixes:
            rest = words.removeprefix(f"{prefix} ")
            if rest != words and rest in _PLAIN:
                found = _PLAIN[rest]
                return found if found in (STEP, EPOCH) else before + found
    return None


def named_columns(columns: Iterable[str]) -> dict[str, str]:
    """The columns of a table that are known, each with its metric.

    A notebook shows held-out rewards under their bare names beside `Validation Loss`: there they are held-out metrics.
    Of two columns that are the same metric the first counts, the plain name before a prefixed one.
    """
    columns = list(columns)
    found = {column: name for column in columns if (name := canonical(column)) is not None}
    of_held_out = [column for column, name in found.items() if name.startswith(HELD_OUT)]
    worded = [column for column in columns if re.fullmatch(r"(training|validation) loss", column.strip().lower())]
    if worded and [found[column] for column in of_held_out] == [f"{HELD_OUT}loss"]:
        found = {column: HELD_OUT + name if name.partition("/")[1] else name for column, name in found.items()}
    kept: dict[str, str] = {}
    for column in sorted(found, key=lambda column: (found[column] != column, columns.index(column))):
        if found[column] not in kept.values():
            kept[column] = found[column]
    return kept
