"""`tiebreak train` and `tiebreak sft`: from a recipe and flags to a run folder. Parses, calls, prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiebreak.trackers.registry import TRACKERS

if TYPE_CHECKING:
    from tiebreak.recipe import Recipe
    from tiebreak.workflow.run import Run

TRAIN_EXAMPLE = "Example: tiebreak train --model gpt2 --data prefs.jsonl --beta 0.1 --out runs/mine"
SFT_EXAMPLE = "Example: tiebreak sft --model gpt2 --data demonstrations.jsonl --epochs 2 --out runs/base"

RecipeFile = Annotated[
    str | None, typer.Argument(help="A recipe file, or the name of a built-in one.", show_default=False)
]
Model = Annotated[str | None, typer.Option(help="Hub id, folder, GGUF file, run folder, or bundled:base.")]
Data = Annotated[
    str | None, typer.Option(help="Hub dataset id, file, folder of shards, votes:URL, or bundled:preferences.")
]
EvalData = Annotated[str | None, typer.Option(help="Held-out data from another source.")]
Out = Annotated[Path | None, typer.Option(help="The run folder; under runs/ if not given.", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in --out, or the newest unfinished run.")]
ResumeOrStart = Annotated[
    bool,
    typer.Option("--resume-or-start", help="Start the run in --out, go on with it, or say that it is finished."),
]
Check = Annotated[
    bool, typer.Option("--check", help="Train nothing: find what is wrong, and estimate memory, time and steps.")
]
LearningRate = Annotated[float | None, typer.Option(help="Peak learning rate.")]
BatchSize = Annotated[int | None, typer.Option(help="Examples per step.")]
Epochs = Annotated[float | None, typer.Option(help="Passes over the data.")]
MaxSteps = Annotated[int | None, typer.Option(help="Stop after this many steps.")]
MaxLength = Annotated[int | None, typer.Option(help="Longest prompt plus completion, in tokens.")]
Limit = Annotated[int | None, typer.Option(help="Use only the first N examples.")]
Schema = Annotated[str | None, typer.Option(help="Form of the rows.")]
Columns = Annotated[
    str | None,
    typer.Option(help="Which column is what: prompt=question,chosen=good,rejected=bad.", metavar="ROLE=COLUMN"),
]
SkipBadRows = Annotated[bool | None, typer.Option("--skip-bad-rows", help="Skip rows that cannot be read.")]
Precision = Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the order of the examples.")]
Adapter = Annotated[str | None, typer.Option(help="Train an adapter only: lora, dora or rslora.")]
Quantize = Annotated[str | None, typer.Option(help="Quantize the frozen model: nf4 or int8.")]
Track = Annotated[
    list[str] | None, typer.Option(help=f"Show the run in a tracker: {', '.join(TRACKERS)}.", metavar="TRACKER")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Any key of the recipe: --set train.warmup_ratio=0.1", metavar="K=V")
]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Begin also where a finding says that nothing can come of the run.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the run's manifest as JSON on stdout.")]


_KEYS = {
    "model": "model.name",
    "adapter": "model.adapter",
    "quantize": "model.quantize",
    "track": "track",
    "data": "data.source",
    "eval_data": "data.eval_source",
    "config": "data.config",
    "data_dir": "data.data_dir",
    "split": "data.split",
    "revision": "data.revision",
    "transform": "data.transform",
    "max_length": "data.max_length",
    "limit": "data.limit",
    "schema": "data.schema",
    "columns": "data.columns",
    "skip_bad_rows": "data.skip_bad_rows",
    "objective": "objective.name",
    "beta": "objective.beta",
    "learning_rate": "train.learning_rate",
    "batch_size": "train.batch_size",
    "epochs": "train.epochs",
    "max_steps": "train.max_steps",
    "precision": "train.precision",
    "seed": "train.seed",
}


def flag_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the recipe that the flags among a command's arguments stand for; None is a flag that was not given.

    Args:
        given: arguments by name.
    """
    flags = {key: given[name] for name, key in _KEYS.items() if name in given}
    if flags.get("data.columns") is not None:
        from tiebreak.data.forms.roles import parse_flag

        flags["data.columns"] = parse_flag(flags["data.columns"])
    return flags


def train(
    recipe: RecipeFile = None,
    model: Model = None,
    data: Data = None,
    eval_data: EvalData = None,
    out: Out = None,
    resume: Resume = False,
    resume_or_start: ResumeOrStart = False,
    check: Check = False,
    anyway: Anyway = False,
    objective: Annotated[str | None, typer.Option(help="The loss; `tiebreak recipes objectives` lists them.")] = None,
    beta: Annotated[float | None, typer.Option(help="Strength of the pull towards the reference.")] = None,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    max_steps: MaxSteps = None,
    max_length: MaxLength = None,
    limit: Limit = None,
    schema: Schema = None,
    columns: Columns = None,
    skip_bad_rows: SkipBadRows = None,
    precision: Precision = None,
    seed: Seed = None,
    adapter: Adapter = None,
    quantize: Quantize = None,
    track: Track = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on preferences."""
    flags = flag_settings(locals())
    _train(Asked("train", recipe, flags, settings or [], out, resume, resume_or_start, check, anyway, as_json))


def sft(
    recipe: RecipeFile = None,
    model: Model = None,
    data: Data = None,
    eval_data: EvalData = None,
    out: Out = None,
    resume: Resume = False,
    resume_or_start: ResumeOrStart = False,
    check: Check = False,
    anyway: Anyway = False,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    max_steps: MaxSteps = None,
    max_length: MaxLength = None,
    limit: Limit = None,
    schema: Schema = None,
    columns: Columns = None,
    skip_bad_rows: SkipBadRows = None,
    precision: Precision = None,
    seed: Seed = None,
    adapter: Adapter = None,
    quantize: Quantize = None,
    track: Track = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Teach a model to give the completions of demonstrations (or the chosen ones of preferences)."""
    flags = flag_settings(locals())
    flags["objective.name"] = "supervised"
    _train(Asked("sft", recipe, flags, settings or [], out, resume, resume_or_start, check, anyway, as_json))


@dataclass(frozen=True)
class Asked:
    """What a command line asks for.

    Attributes:
        command: `train` or `sft`.
        recipe: a file or a name.
        flags, settings: keys of the recipe, by flag and by `--set`.
        out: the run folder.
        resume, resume_or_start, check, anyway, as_json: the flags of these names.
    """

    command: str
    recipe: str | None
    flags: dict[str, Any]
    settings: list[str]
    out: Path | None
    resume: bool
    resume_or_start: bool
    check: bool
    anyway: bool
    as_json: bool


def _train(asked: Asked) -> None:
    from tiebreak.errors import InputError

    changes = {key: value for key, value in asked.flags.items() if value is not None}
    changes |= parsed_settings(asked.settings, changes)
    if asked.resume_or_start and (asked.resume or asked.out is None):
        raise InputError(
            "--resume-or-start needs --out, and not --resume.",
            fix="name the run folder: --out runs/mine --resume-or-start",
        )
    if asked.resume:
        if asked.command == "sft":  # the command sets it, not the user
            changes.pop("objective.name", None)
        run = _resumed(asked, changes)
    else:
        run = _started(asked, _recipe(asked.command, asked.recipe, changes))
    if run is not None:
        show_result(run, as_json=asked.as_json)


def _started(asked: Asked, recipe: Recipe) -> Run | None:
    """Run a recipe, or only check it; what is wrong is found before torch is loaded."""
    from tiebreak.workflow.early import begun, check_early

    again = asked.resume_or_start and asked.out is not None and begun(recipe, asked.out)
    if not again:
        check_early(recipe, asked.out)
    if asked.check:
        _checked(asked, recipe, new=not again)
        return None
    from tiebreak.cli.terminal import quiet_libraries, stderr_progress

    quiet_libraries()
    from tiebreak.workflow.train import train as train_run

    return train_run(
        recipe,
        out=asked.out,
        progress=stderr_progress(),
        resume_or_start=asked.resume_or_start,
        anyway=asked.anyway,
    )


def _checked(asked: Asked, recipe: Recipe, *, new: bool) -> None:
    """Print what is known of a run before it is begun."""
    import json

    from tiebreak.cli.terminal import quiet_libraries, stderr_progress

    quiet_libraries()
    from tiebreak.workflow.check import check_run

    found = check_run(recipe, asked.out, new=new, progress=stderr_progress())
    if asked.as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        for label, value in found.rows():
            typer.echo(f"{label:22} {value}")
    if not asked.anyway and any(finding.severity == "stop" for finding in found.findings):
        raise typer.Exit(2)  # as the run itself would


def _recipe(command: str, recipe: str | None, changes: dict[str, Any]) -> Recipe:
    from tiebreak.recipe.builtin import chosen_recipe

    first = "for a first try: tiebreak quickstart"
    fix = f"tiebreak {command} --model MODEL --data SOURCE, or a recipe; {first}"
    return chosen_recipe(recipe, changes, fix=fix)


def _resumed(asked: Asked, changes: dict[str, Any]) -> Run | None:
    from tiebreak.errors import InputError
    from tiebreak.runs.compare import summarize
    from tiebreak.runs.folder import RunFolder, list_runs
    from tiebreak.workflow.early import check_early

    if asked.recipe is not None or changes:
        raise InputError(
            "A resumed run keeps its own recipe.",
            where=", ".join([asked.recipe] if asked.recipe else []) or ", ".join(sorted(changes)),
            fix="give only --resume and --out; to change settings, start a new run",
        )
    out = asked.out
    if out is None:
        unfinished = [run for run in list_runs() if summarize(run).status not in ("finished", "damaged")]
        if not unfinished:
            raise InputError("There is no unfinished run under runs/.", fix="name the run folder with --out")
        out = unfinished[0].path
    folder = RunFolder.open(out)
    if folder.load_manifest().status != "finished":
        check_early(folder.recipe(), out, new=False)
    if asked.check:
        _checked(asked, folder.recipe(), new=False)
        return None
    from tiebreak.cli.terminal import quiet_libraries, stderr_progress

    quiet_libraries()
    from tiebreak.workflow.train import resume

    return resume(out, progress=stderr_progress())


def parsed_settings(settings: list[str], flags: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `--set KEY=VALUE`, by key; of two for one key the later counts, so that a script can add its own.

    Args:
        settings: as they were typed.
        flags: what other flags say, by the key that they stand for; None is a flag that was not given.
    Raises:
        InputError: one of them is not of that form, or says of a key something else than its flag.
    """
    from tiebreak.errors import InputError
    from tiebreak.recipe import parse_value

    known = {key: value for key, value in flags.items() if value is not None}
    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, written = setting.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InputError(f"'--set {setting}' is not KEY=VALUE.", fix="for example: --set train.warmup_ratio=0.1")
        value = parse_value(written)
        if key in known and known[key] != value:
            said = f"{known[key]} and {value}".replace("None", "null")
            raise InputError(f"{key} is given two values: {said}.", where="--set", fix="give it once")
        found[key] = value
    return found


def show_result(run: Run, *, as_json: bool) -> None:
    """Print what a finished run achieved, and what to type next."""
    import json

    from tiebreak.cli.terminal import own_name, stdout_console
    from tiebreak.report.changed import changed_table
    from tiebreak.report.steps import rich_blocks
    from tiebreak.report.table import result_rows, rich_table
    from tiebreak.runs.steps import steps_table

    manifest = run.folder.load_manifest()
    if as_json:
        typer.echo(json.dumps(manifest.to_json(), indent=2, ensure_ascii=False))
        return
    console = stdout_console()
    if result_rows(manifest):
        console.print(rich_table(manifest))
    if (changed := changed_table(manifest)) is not None:
        console.print()
        console.print(changed)
    for block in rich_blocks(steps_table(run.history), console.width):
        console.print()
        console.print(block)
    typer.echo(f"\nreport  {run.folder.report_path}\nmodel   {run.folder.model}")
    typer.echo(f"next    {own_name()} chat {run.path} --base")
