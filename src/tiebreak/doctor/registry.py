"""The rules, in one table: what each needs of a log, and which others it makes superfluous. Adding a rule is one entry.

Of findings of one severity, that of the rule which stands first comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tiebreak.doctor import answers, data, settings, template
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Finding, ordered
from tiebreak.doctor.log import TrainingLog, said
from tiebreak.doctor.training.epochs import epoch_cliffs
from tiebreak.doctor.training.held_out import accuracy_stuck, nothing_held_out, over_optimisation
from tiebreak.doctor.training.likelihood import likelihood_displacement
from tiebreak.doctor.training.loss import first_loss_not_ln2, worse_than_chance_loss
from tiebreak.doctor.training.memorising import memorising
from tiebreak.doctor.training.nothing import nothing_learned
from tiebreak.doctor.training.pairs import reversed_columns, trivial_pairs
from tiebreak.doctor.training.stability import gradient_spikes, not_finite, warmup_longer_than_run

_LOSS, _ACCURACY = ("loss", "eval_loss"), ("rewards/accuracies", "eval_rewards/accuracies")


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        names: of the findings that it can make.
        find: the rule itself.
        over: what it looks at.
        needs: what a log must have for it: groups of metrics, of each of which one is enough. `epoch` is a known epoch.
        covers: findings that say nothing new where this one speaks.
    """

    names: tuple[str, ...]
    find: Callable[[Facts], Finding | None]
    over: Literal["log", "settings", "data", "answers"] = "log"
    needs: tuple[tuple[str, ...], ...] = ()
    covers: frozenset[str] = frozenset()


RULES: tuple[Rule, ...] = (
    Rule(("not-finite",), not_finite, needs=((*_LOSS, *_ACCURACY),)),
    Rule(
        ("memorising",),
        memorising,
        needs=(("loss", "rewards/accuracies"), ("eval_loss", "eval_rewards/accuracies")),
        covers=frozenset({"worse-than-chance-loss", "accuracy-stuck", "over-optimisation"}),
    ),
    Rule(("nothing-learned",), nothing_learned, needs=((*_LOSS, "eval_rewards/accuracies", "grad_norm"),)),
    Rule(("over-optimisation",), over_optimisation, needs=(("eval_loss",), ("epoch",))),
    Rule(("worse-than-chance-loss",), worse_than_chance_loss, needs=(_LOSS,)),
    Rule(
        ("likelihood-displacement",),
        likelihood_displacement,
        needs=(
            ("rewards/chosen", "eval_rewards/chosen", "logps/chosen", "eval_logps/chosen"),
            ("rewards/margins", "eval_rewards/margins"),
        ),
    ),
    Rule(
        ("reversed-columns",),
        reversed_columns,
        needs=(("eval_rewards/accuracies", "eval_logps/accuracies", "logps/accuracies"),),
    ),
    Rule(("trivial-pairs",), trivial_pairs, needs=(_ACCURACY,)),
    Rule(("accuracy-stuck",), accuracy_stuck, needs=(("rewards/accuracies",), ("eval_rewards/accuracies",))),
    Rule(("first-loss-not-ln2",), first_loss_not_ln2, needs=(_LOSS,)),
    Rule(("gradient-spikes",), gradient_spikes, needs=(("grad_norm",),)),
    Rule(("epoch-cliffs",), epoch_cliffs, needs=(("loss",), ("epoch",))),
    Rule(("warmup-longer-than-run",), warmup_longer_than_run, needs=(("learning_rate",),)),
    Rule(("no-evaluation",), nothing_held_out, needs=(("loss",),)),
    Rule(("answers-run-on",), answers.run_on, over="answers"),
    Rule(("answers-repeat",), answers.repeating, over="answers"),
    Rule(("language-lost",), answers.language_lost, over="answers"),
    Rule(("answers-longer",), answers.longer, over="answers"),
    Rule(("reversed-columns",), data.reversed_scores, over="data"),
    Rule(("cut-by-length",), data.cut_by_length, over="data", covers=frozenset({"length-limit-short"})),
    Rule(("no-end-token",), template.no_end_token, over="data"),
    Rule(("doubled-start-token",), template.doubled_start_token, over="data"),
    Rule(("system-turn-twice",), template.system_turn_twice, over="data"),
    Rule(("dropped-turn",), template.dropped_turn, over="data"),
    Rule(("few-pairs",), data.few_pairs, over="data"),
    Rule(("equal-completions",), data.equal_completions, over="data"),
    Rule(("contradicting-pairs",), data.contradicting_pairs, over="data"),
    Rule(("repeated-pairs",), data.repeated_pairs, over="data"),
    Rule(("near-held-out",), data.near_held_out, over="data"),
    Rule(("length-bias",), data.length_bias, over="data"),
    Rule(("style-bias",), data.style_bias, over="data"),
    Rule(("mixed-scripts",), data.mixed_scripts, over="data"),
    Rule(("one-source",), data.one_source, over="data"),
    Rule(("private-text",), data.private_text, over="data"),
    Rule(("rate-too-high", "rate-too-low"), settings.learning_rate, over="settings"),
    Rule(("no-evaluation", "few-held-out"), settings.held_out_size, over="settings"),
    Rule(("length-limit-short",), settings.short_lengths, over="settings"),
    Rule(("beta-scale",), settings.beta_scale, over="settings"),
    Rule(("many-epochs",), settings.many_epochs, over="settings"),
    Rule(("warmup-longer-than-run",), settings.warmup_share, over="settings"),
    Rule(("small-batch",), settings.small_batch, over="settings"),
    Rule(("rounded-weights",), settings.rounded_weights, over="settings"),
)

NAMES: tuple[str, ...] = tuple(dict.fromkeys(name for rule in RULES for name in rule.names))
"""The names that a finding can have."""


@dataclass(frozen=True)
class Unseen:
    """What was not looked at, since the log does not have what it takes.

    Attributes:
        names: of findings.
        missing: metrics, in words.
    """

    names: tuple[str, ...]
    missing: str


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """All findings over what is known of a run, the most severe first; each name once."""
    found: dict[str, Finding] = {}
    covered: set[str] = set()
    for rule in RULES:
        finding = rule.find(facts)
        if finding is None:
            continue
        found.setdefault(finding.name, finding)
        covered |= rule.covers
    return ordered(finding for name, finding in found.items() if name not in covered)


def unseen(log: TrainingLog) -> tuple[Unseen, ...]:
    """What a log has too little for, by what is missing."""
    by_missing: dict[str, list[str]] = {}
    for rule in RULES:
        lacking = [group for group in rule.needs if not any(map(log.has, group))]
        if lacking:
            by_missing.setdefault(" and ".join(map(_words, lacking)), []).extend(rule.names)
    return tuple(Unseen(tuple(names), missing) for missing, names in by_missing.items())


def _words(group: tuple[str, ...]) -> str:
    words = [name if name == "epoch" else said(name) for name in group]
    plain = {word.removeprefix("held-out ").removeprefix("training ") for word in words}
    return " or ".join(sorted(plain) if len(plain) < len(words) else words)
