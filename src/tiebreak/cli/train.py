"""`tiebreak train` and `tiebreak sft`: from a recipe and flags to a run folder. Parses, calls, prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tiebreak.recipe import Recipe
    from tiebreak.workflow.run import Run

TRAIN_EXAMPLE = "Example: tiebreak train --model gpt2 --data prefs.jsonl --beta 0.1 --out runs/mine"
SFT_EXAMPLE = "Example: tiebreak sft --model gpt2 --data demonstrations.jsonl --epochs 2 --out runs/base"
# The first step towards a model that answers is larger than the correction that preferences are.
_SFT_RATE = 2e-5
# An adapter has few weights, which have far to go.
_ADAPTER_RATES = {"train": 1e-5, "sft": 2e-4}

RecipeFile = Annotated[
    str | None, typer.Argument(help="A recipe file, or the name of a built-in one.", show_default=False)
]
Model = Annotated[str | None, typer.Option(help="Hub id, folder, run folder, or bundled:base.")]
Data = Annotated[
    str | None, typer.Option(help="Hub dataset id, file, folder of shards, votes:URL, or bundled:preferences.")
]
EvalData = Annotated[str | None, typer.Option(help="Held-out data from another source.")]
Out = Annotated[Path | None, typer.Option(help="The run folder; made under runs/ if not given.", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or with the newest unfinished.")]
LearningRate = Annotated[float | None, typer.Option(help="Peak learning rate.")]
BatchSize = Annotated[int | None, typer.Option(help="Pairs a step.")]
Epochs = Annotated[float | None, typer.Option(help="Passes over the data.")]
MaxSteps = Annotated[int | None, typer.Option(help="Stop after so many steps.")]
MaxLength = Annotated[int | None, typer.Option(help="Longest prompt plus ending, in tokens.")]
Limit = Annotated[int | None, typer.Option(help="Use only the first N pairs.")]
Schema = Annotated[str | None, typer.Option(help="Format of the rows.")]
SkipBadRows = Annotated[bool | None, typer.Option("--skip-bad-rows", help="Leave out rows that cannot be read.")]
Precision = Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the order of the pairs.")]
Adapter = Annotated[str | None, typer.Option(help="Train an adapter only: lora, dora or rslora.")]
Quantize = Annotated[str | None, typer.Option(help="Hold the frozen model in few bits: nf4 or int8.")]
Track = Annotated[
    list[str] | None, typer.Option(help="Show the run in wandb, trackio, tensorboard or mlflow.", metavar="TRACKER")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Any key of the recipe: --set train.warmup_ratio=0.1", metavar="K=V")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the run's manifest as JSON on stdout.")]


_KEYS = {
    "model": "model.name",
    "adapter": "model.adapter",
    "quantize": "model.quantize",
    "track": "track",
    "data": "data.source",
    "eval_data": "data.eval_source",
    "max_length": "data.max_length",
    "limit": "data.limit",
    "schema": "data.schema",
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


def _flags(given: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the recipe that the flags among a command's arguments stand for."""
    return {key: given[name] for name, key in _KEYS.items() if name in given}


def train(
    recipe: RecipeFile = None,
    model: Model = None,
    data: Data = None,
    eval_data: EvalData = None,
    out: Out = None,
    resume: Resume = False,
    objective: Annotated[str | None, typer.Option(help="The loss.")] = None,
    beta: Annotated[float | None, typer.Option(help="Strength of the pull towards the reference.")] = None,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    max_steps: MaxSteps = None,
    max_length: MaxLength = None,
    limit: Limit = None,
    schema: Schema = None,
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
    flags = _flags(locals())
    _train("train", recipe, flags, settings or [], out, resume, as_json)


def sft(
    recipe: RecipeFile = None,
    model: Model = None,
    data: Data = None,
    eval_data: EvalData = None,
    out: Out = None,
    resume: Resume = False,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    max_steps: MaxSteps = None,
    max_length: MaxLength = None,
    limit: Limit = None,
    schema: Schema = None,
    skip_bad_rows: SkipBadRows = None,
    precision: Precision = None,
    seed: Seed = None,
    adapter: Adapter = None,
    quantize: Quantize = None,
    track: Track = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Teach a model to give the endings of demonstrations (or the chosen endings of preferences)."""
    flags = _flags(locals())
    flags["objective.name"] = "supervised"
    _train("sft", recipe, flags, settings or [], out, resume, as_json)


def _train(
    command: str,
    recipe: str | None,
    flags: dict[str, Any],
    settings: list[str],
    out: Path | None,
    resume: bool,
    as_json: bool,
) -> None:
    changes = {key: value for key, value in flags.items() if value is not None} | parsed_settings(settings)
    if resume:
        if command == "sft":  # the command sets it, not the user
            changes.pop("objective.name", None)
        run = _resumed(out, recipe, changes)
    else:
        chosen = _recipe(command, recipe, changes)
        from tiebreak.cli.terminal import quiet_libraries, stderr_talk

        quiet_libraries()
        from tiebreak.workflow.train import train as train_run

        run = train_run(chosen, out=out, talk=stderr_talk())
    show_result(run, as_json=as_json)


def _recipe(command: str, recipe: str | None, changes: dict[str, Any]) -> Recipe:
    from tiebreak.builtin import recipe_named
    from tiebreak.errors import InputError
    from tiebreak.recipe import Recipe

    if recipe is None and not {"model.name", "data.source"} <= changes.keys():
        raise InputError(
            "Say what to train on what.",
            fix=f"tiebreak {command} --model MODEL --data SOURCE, or a recipe; to see it work: tiebreak quickstart",
        )
    start = Recipe() if recipe is None else recipe_named(recipe)
    own_rate = "learning_rate" in start.train.model_fields_set or "train.learning_rate" in changes
    chosen = start.with_settings(changes)
    if own_rate:
        return chosen
    if chosen.model.adapter is not None:
        return chosen.with_settings({"train.learning_rate": _ADAPTER_RATES[command]})
    return chosen.with_settings({"train.learning_rate": _SFT_RATE}) if command == "sft" else chosen


def _resumed(out: Path | None, recipe: str | None, changes: dict[str, Any]) -> Run:
    from tiebreak.errors import InputError
    from tiebreak.runs.folder import list_runs

    if recipe is not None or changes:
        raise InputError(
            "A resumed run keeps its own recipe.",
            where=", ".join([recipe] if recipe else []) or ", ".join(sorted(changes)),
            fix="leave out everything but --out and --resume; to change settings, start a new run",
        )
    if out is None:
        unfinished = [run for run in list_runs() if run.manifest().get("status") != "finished"]
        if not unfinished:
            raise InputError("There is no unfinished run under runs/.", fix="name the run folder with --out")
        out = unfinished[0].path
    from tiebreak.cli.terminal import quiet_libraries, stderr_talk

    quiet_libraries()
    from tiebreak.workflow.train import resume

    return resume(out, talk=stderr_talk())


def parsed_settings(settings: list[str]) -> dict[str, Any]:
    """The settings of `--set KEY=VALUE`, by key.

    Raises:
        InputError: one of them is not of that form.
    """
    from tiebreak.errors import InputError
    from tiebreak.recipe import parse_value

    found = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise InputError(f"'--set {setting}' is not KEY=VALUE.", fix="for example: --set train.warmup_ratio=0.1")
        found[key.strip()] = parse_value(value)
    return found


def show_result(run: Run, *, as_json: bool) -> None:
    """Print what a finished run achieved, and what to type next."""
    import json

    from tiebreak.cli.terminal import own_name, stdout_console
    from tiebreak.report.table import result_rows, rich_table

    manifest = run.folder.manifest()
    if as_json:
        typer.echo(json.dumps(manifest, indent=2, ensure_ascii=False))
        return
    console = stdout_console()
    if result_rows(manifest):
        console.print(rich_table(manifest))
    typer.echo(f"\nreport  {run.folder.report_path}\nmodel   {run.folder.model}")
    typer.echo(f"next    {own_name()} chat {run.path} --base")
