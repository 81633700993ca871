"""The manifest: everything that is recorded of a run, typed, with the version of its form.

Read and written through this module alone. Older forms are read and upgraded; nothing is written back by reading.
Knows no torch: `tiebreak runs list` reads a hundred of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tiebreak.metrics import ACCURACY, HELD_OUT, is_tied
from tiebreak.runs.outcome import AnswersRecord, BreakdownRecord, HarnessRecord, KlRecord, PairsRecord
from tiebreak.runs.outcome import JudgeRecord as JudgeRecord
from tiebreak.runs.outcome import RateRecord as RateRecord
from tiebreak.runs.outcome import WinRateRecord as WinRateRecord
from tiebreak.runs.record import Record, parse_record, read_json, write_record
from tiebreak.tasks import TaskName

VERSION = 2

Status = Literal["running", "finished", "interrupted", "failed"]
Metrics = Mapping[str, float | None]
"""Metrics by their name in metrics.jsonl; None is a value that was not finite."""
Side = Literal["before", "after"]
"""Training: of the model before it, and after it."""


class HardwareRecord(Record):
    """What a run ran on; what the machine does not tell is None."""

    system: str | None = None
    processor: str | None = None
    cores: int | None = None
    memory_gb: float | None = None
    gpus: tuple[str, ...] = ()


class AdapterRecord(Record):
    """The adapter that was trained.

    Attributes:
        kind: lora, dora or rslora.
        rank, alpha, targets: of the adapter.
        parameters: trained numbers.
        base: the model that it belongs to.
        continued: the folder of the adapter that training went on from; None is a new one.
    """

    kind: str
    rank: int
    alpha: float
    targets: tuple[str, ...]
    parameters: int
    base: str | None
    continued: str | None = None


def _as_text(value: object) -> object:
    """A model's configuration may state its licence as a list, or as anything."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return value if value is None else str(value)


class ModelRecord(Record):
    """The model that the run started from.

    `fingerprint` is of its weights, a new adapter aside; `gguf` says what precision a GGUF file has lost.
    """

    name: str
    revision: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    fingerprint: str | None = None
    adapter: AdapterRecord | None = None
    quantize: str | None = None
    gguf: str | None = None
    license: Annotated[str | None, BeforeValidator(_as_text)] = None
    commit: str | None = None


class RowsSeen(Record):
    """How many rows met one fate, and where the first few stand."""

    count: int = 0
    examples: tuple[str, ...] = ()


class LoadRecord(Record):
    """What happened to the rows of the training source when it was read (see `LoadReport`)."""

    source: str
    rows: int
    made: int
    dropped: Mapping[str, RowsSeen] = Field(default_factory=dict)
    bad: RowsSeen = RowsSeen()
    notes: Mapping[str, RowsSeen] = Field(default_factory=dict)
    splits: tuple[str, ...] = ()
    unused: Mapping[str, int] = Field(default_factory=dict)
    passed_over: tuple[str, ...] = ()
    transform: Mapping[str, str] | None = None


class TokensRecord(Record):
    """How long the prompts or one kind of completions are, in tokens: most of them (95%) are at most `p95`."""

    median: int
    p95: int
    longest: int


class SeparatorRecord(Record):
    """The one feature that tells chosen from rejected completions best (see `data.profile.traits.Separator`)."""

    what: str
    side: Literal["chosen", "rejected"]
    pairs: int
    there: int
    elsewhere: int


class TraitsRecord(Record):
    """What pairs could teach beside which answer is better (see `data.profile.traits.Traits`)."""

    pairs: int
    looked_at: int
    chosen_longer: int
    rejected_longer: int
    separator: SeparatorRecord | None
    other_script: int
    scored: int
    scored_lower: int
    sources: int
    main_source: str | None
    of_main_source: int
    emails: int
    secrets: int
    held_out: int = 0
    near_held_out: int = 0


class TemplateRecord(Record):
    """What template and tokenizer made of the rows to train on (see `data.profile.template.TemplateTraits`)."""

    doubled_start: RowsSeen
    without_end: Mapping[str, RowsSeen]
    looked_at: int
    systems: int
    doubled_system: RowsSeen
    lost_completions: RowsSeen
    lost_turns: RowsSeen
    completion_thoughts: int
    turn_thoughts: int


class DataRecord(Record):
    """The data of the run.

    Attributes:
        source: as the recipe names it.
        commit: of the Hub's repository that it was read from; None elsewhere.
        schema_: the form of its rows, and `why` it was taken for that form.
        fingerprint: of the selected rows.
        template: how conversations became text, `chat` or `transcript`.
        special_tokens, score_turns: as the recipe has them.
        notes: examples whose template does not write them as others, by what was done.
        train, held_out: examples that are left to train on and to measure on.
        seen: how many of those to train on the run has seen, each once or more.
        held_out_from: where the held-out ones come from.
        dropped, held_out_dropped, trimmed: examples by reason.
        labels: good and bad examples, where they are unpaired.
        tokens: of prompts and completions to train on, by name.
        contradicting: pairs that another pair has the other way round.
        traits: of the pairs to train on; None where they are no pairs.
        written: what template and tokenizer made of the rows to train on; None where they were not asked.
        report: of the reading.
    """

    source: str
    commit: str | None = None
    schema_: str | None = Field(None, alias="schema")
    why: str | None = None
    fingerprint: str | None = None
    template: str | None = None
    special_tokens: str | None = None
    score_turns: str | None = None
    notes: Mapping[str, int] = Field(default_factory=dict)
    train: int | None = None
    seen: int | None = None
    held_out: int | None = None
    held_out_from: str | None = None
    held_out_dropped: Mapping[str, int] = Field(default_factory=dict)
    dropped: Mapping[str, int] = Field(default_factory=dict)
    trimmed: Mapping[str, int] = Field(default_factory=dict)
    labels: Mapping[str, int] | None = None
    tokens: Mapping[str, TokensRecord] = Field(default_factory=dict)
    contradicting: int | None = None
    traits: TraitsRecord | None = None
    written: TemplateRecord | None = None
    report: LoadRecord | None = None


class PrecisionRecord(Record):
    """The arithmetic, and why this one."""

    name: str
    reason: str


class BudgetRecord(Record):
    """How the token budget of a micro-batch was found (see `engine.token_budget.TokenBudget`)."""

    tokens: int
    bytes_per_token: int
    measured_tokens: int
    free_bytes: int
    reserved_bytes: int
    fixed_bytes: int | None = None
    memory_share: float | None = None


class SelfCheckRecord(Record):
    """What the self-check found: the path, the largest difference in nats a token, why, and how long it took."""

    path: Literal["tree", "padded"]
    difference: float | None
    reason: str
    seconds: float


class LengthRecord(Record):
    """Optimizer steps of the run, and of one pass over its data."""

    steps: int
    steps_an_epoch: int


class BestRecord(Record):
    """The checkpoint whose weights were kept."""

    step: int
    metric: str
    value: float | None


class BeforeRecord(Record):
    """What the model was like before its first step, kept for a run that is resumed.

    Attributes:
        metrics: held-out metrics, or None.
        answers: its answers to the held-out prompts that are shown or judged.
        logps: of each held-out pair the log-probs of both completions, in nats; None where they are no pairs, or an
            earlier version of Tiebreak measured them.
        ended: whether each answer ended by itself; None where an earlier version measured it, or there are none.
        plain_text: log-prob of each paragraph of the plain text, in nats; None where it was not read.
        rewards: of each held-out pair the rewards of both completions; None as for `logps`.
    """

    version: int = 1
    metrics: Metrics | None = None
    answers: tuple[str, ...] = ()
    ended: tuple[bool, ...] | None = None
    plain_text: tuple[float, ...] | None = None
    logps: tuple[tuple[float, float], ...] | None = None
    rewards: tuple[tuple[float, float], ...] | None = None


class Manifest(Record):
    """Everything that is recorded of a run; what is not known yet is None.

    Attributes:
        version: of this form.
        status: how far the run is; None before it began. `error` says what ended it, if something did.
        created, finished: ISO text, UTC.
        commands: the command line of each session, with no password in it.
        resumed: how often it was gone on with.
        versions, hardware, threads: what it runs on; versions are of all packages that took part.
        task: what it learns from (see `tasks`); `RunFolder.load_manifest` asks the recipe where it is not recorded yet.
        objectives: of losses from outside the package, by name, SHA-256 of the file that each is written in.
        model, data, precision, device: what it was put together from.
        self_check, budget, tokens_per_microbatch, length: the plan of its steps.
        said: names of findings over the log that were said while it trained.
        timings: seconds of each part, over all sessions.
        best: the checkpoint that was kept; None is the last step.
        before, after: held-out metrics; None where nothing was measured.
        measured: whether `after` is final, also where nothing was held out.
        judge: verdicts on sampled answers, where there is a judge.
        pairs: what became of the held-out pairs; None where there are none.
        breakdown: what stands behind the accuracy on them after training; None where there are none.
        answers: what the sampled answers are like; None where there are none.
        kl: how far the model has moved; None where that was not asked for.
        harness: benchmarks; None where none was asked for.
        published: the Hub id, in the copy that a published report is made from.
    """

    version: int = VERSION
    status: Status | None = None
    error: str | None = None
    created: str | None = None
    finished: str | None = None
    commands: tuple[str, ...] = ()
    resumed: int = 0
    versions: Mapping[str, str] = Field(default_factory=dict)
    hardware: HardwareRecord = HardwareRecord()
    threads: int | None = None
    task: TaskName = "preference"
    objectives: Mapping[str, str] = Field(default_factory=dict)
    model: ModelRecord | None = None
    data: DataRecord | None = None
    precision: PrecisionRecord | None = None
    device: str | None = None
    self_check: SelfCheckRecord | None = None
    budget: BudgetRecord | None = None
    tokens_per_microbatch: int | None = None
    length: LengthRecord | None = None
    said: tuple[str, ...] = ()
    timings: Mapping[str, float] = Field(default_factory=dict)
    best: BestRecord | None = None
    before: Metrics | None = None
    after: Metrics | None = None
    measured: bool = False
    judge: JudgeRecord | None = None
    pairs: PairsRecord | None = None
    breakdown: BreakdownRecord | None = None
    answers: AnswersRecord | None = None
    kl: KlRecord | None = None
    harness: HarnessRecord | None = None
    published: str | None = None

    @property
    def state(self) -> Status | None:
        """How far the run came, where one whose last metrics are recorded counts as finished.

        The report and the model card are written before the run can call itself finished.
        """
        return "finished" if self.status == "running" and self.measured else self.status

    def final(self, name: str, side: Side = "after") -> float | None:
        """What was measured in the end; None where it was not.

        Args:
            name: of a held-out metric, or `judge.pass_rate`, `judge.win_rate`, `train_seconds`, `total_seconds`.
            side: of training; a win rate and a time have no `before`.
        """
        if name == "judge.pass_rate":
            rate = getattr(self.judge, side) if self.judge is not None else None
            return rate.pass_rate if rate is not None else None
        if name == "judge.win_rate":
            wins = self.judge.win_rate if self.judge is not None and side == "after" else None
            return wins.value if wins is not None else None
        if name == "train_seconds":
            return self.timings.get("train") if side == "after" else None
        if name == "total_seconds":
            return round(sum(self.timings.values()), 2) if self.timings and side == "after" else None
        measured = getattr(self, side) or {}
        if name == ACCURACY.recorded and is_tied(measured, HELD_OUT):
            return None  # a model against itself has no accuracy
        return measured.get(name)


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file; an empty one where there is no file.

    Raises:
        InputError: the file is damaged, or a later version of Tiebreak wrote it.
    """
    try:
        recorded = read_json(path, what="manifest")
    except FileNotFoundError:
        return Manifest()
    return parse_manifest(recorded, where=str(path))


def parse_manifest(recorded: object, *, where: str) -> Manifest:
    """A manifest from plain values of any version.

    Args:
        recorded: as JSON gives it.
        where: named in errors.
    Raises:
        InputError: it is damaged, or a later version of Tiebreak wrote it.
    """
    return parse_record(Manifest, recorded, what="manifest", where=where, version=VERSION, upgrades=(_from_version_1,))


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Replace the manifest in a file at once."""
    write_record(path, manifest)


def _from_version_1(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The first form had no version, was written entry by entry, and had other names for a few things.

    Runs that recorded no task are told apart by what was measured, and by their recipe where nothing was.
    """
    found = {key: value for key, value in recorded.items() if key != "kind"}
    kind = recorded.get("kind", recorded.get("task"))
    if kind is None:
        sides = [recorded.get(side) for side in ("before", "after")]
        measured = [str(name) for side in sides if isinstance(side, Mapping) for name in side]
        if measured:
            kind = "preference" if any("rewards/" in name for name in measured) else "supervised"
            kind = "unpaired" if "eval_kl" in measured else kind  # a divergence is estimated of no others
    if kind is not None:
        found["task"] = "unpaired" if kind == "labelled" else kind
    found["measured"] = "after" in recorded
    if isinstance(data := recorded.get("data"), Mapping):
        found["data"] = _renamed(data, {"left_out": "dropped", "held_out_left_out": "held_out_dropped"})
        if isinstance(report := data.get("report"), Mapping):
            found["data"]["report"] = _renamed(report, {"left_out": "dropped"})
    found["version"] = VERSION
    return found


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in values.items()}
