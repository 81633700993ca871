"""`tiebreak sweep`: from a recipe and what is varied to the best of many runs. Parses, calls, prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiebreak.cli.train import Data, Model, Settings, parsed_settings

if TYPE_CHECKING:
    from tiebreak.recipe import Recipe
    from tiebreak.sweep.plan import Plan
    from tiebreak.sweep.search import Search

EXAMPLE = (
    "Example: tiebreak sweep quickstart --over train.learning_rate=1e-5,5e-5 --over objective.beta=0.05,0.1 "
    "--out sweeps/first"
)


def sweep(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe file, or the name of a built-in one.", show_default=False)
    ] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            help="What is varied: train.batch_size=1,2 or 'train.learning_rate={log: [1e-7, 1e-5]}'. Several times.",
            metavar="KEY=A,B",
        ),
    ] = None,
    model: Model = None,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the search; under sweeps/ if not given.")] = None,
    search: Annotated[
        str | None, typer.Option(help="grid, random or tpe; else a grid of lists, tpe of ranges.")
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(help="Metric to rank by: eval_loss, accuracy, win_rate, … Several times for a front."),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Trials at most.")] = None,
    hours: Annotated[float | None, typer.Option(help="Begin no trial after so many hours of this command.")] = None,
    prune: Annotated[str | None, typer.Option(help="End trials early that are behind: median or asha.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each trial, each with a seed of its own.")] = None,
    keep: Annotated[str | None, typer.Option(help="Whose weights stay: best, all or none.")] = None,
    settings: Settings = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Train also trials that the doctor would stop before their first step.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train nothing: print the trials, and how long they will take.")
    ] = False,
    worker: Annotated[
        Path | None,
        typer.Option(help="Work at the search in this folder, beside whoever else does.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the search as JSON on stdout.")] = False,
) -> None:
    """Search over recipes: train many runs, rank them, keep the best.

    The same command goes on with a search that was stopped or killed.
    """
    flags = {
        "model.name": model,
        "data.source": data,
        "sweep.search": search,
        "sweep.objective": objective,
        "sweep.trials": trials,
        "sweep.hours": hours,
        "sweep.prune": prune,
        "sweep.seeds": seeds,
        "sweep.keep": keep,
        "sweep.anyway": anyway or None,
    }
    given = {key: value for key, value in flags.items() if value not in (None, [])}
    if worker is not None:
        _only_worker(recipe, over, settings, out, given, dry_run=dry_run)
    changes = given | parsed_settings(settings or [], given)
    if worker is not None:
        _show(_worked(worker), as_json=as_json)
        return
    from tiebreak.sweep.begin import begin, sweep_recipe

    chosen = sweep_recipe(recipe, _parsed_over(over or []), changes)
    if dry_run:
        _print_plan(chosen, as_json=as_json)
        return
    _show(_worked(begin(chosen, out).path), as_json=as_json)


def _worked(folder: Path) -> Search:
    from tiebreak.cli.terminal import quiet_libraries, stderr_progress
    from tiebreak.sweep.folder import SweepFolder

    SweepFolder.open(folder)
    quiet_libraries()
    from tiebreak.sweep.search import join

    progress = stderr_progress()
    progress.say(f"sweep   {folder}")
    return join(folder, progress=progress)


def _only_worker(
    recipe: str | None,
    over: list[str] | None,
    settings: list[str] | None,
    out: Path | None,
    given: dict[str, Any],
    *,
    dry_run: bool,
) -> None:
    from tiebreak.errors import InputError

    if recipe is not None or over or settings or out is not None or given or dry_run:
        raise InputError(
            "A worker takes all from the search that it works at.",
            where="--worker",
            fix="give --worker FOLDER alone",
        )


def _parsed_over(over: list[str]) -> dict[str, Any]:
    """What is varied, by key: values between commas, or a list or a range as YAML.

    Raises:
        InputError: one is not of that form, or a key is given twice.
    """
    from tiebreak.errors import InputError
    from tiebreak.recipe import parse_value

    found: dict[str, Any] = {}
    for each in over:
        key, equals, written = each.partition("=")
        key, written = key.strip(), written.strip()
        if not equals or not key or not written:
            raise InputError(
                f"'--over {each}' is not KEY=A,B.", fix="for example: --over train.learning_rate=1e-6,5e-6"
            )
        if key in found:
            raise InputError(f"{key} is varied twice.", where="--over", fix=f"give all its values once: {key}=A,B")
        try:
            found[key] = parse_value(written if written[0] in "[{" else f"[{written}]")
        except InputError:
            raise InputError(
                f"'--over {each}' cannot be read.",
                where="--over",
                fix=f"values between commas, text with commas or brackets in quotes: --over {key}='\"a, b\", c'",
            ) from None
    return found


def _print_plan(recipe: Recipe, *, as_json: bool) -> None:
    """Print the trials of a search, and an estimate of its time."""
    import json

    from tiebreak.cli.terminal import quiet_libraries, stderr_progress
    from tiebreak.formatting.numbers import duration
    from tiebreak.sweep.plan import plan_sweep, settings_text
    from tiebreak.sweep.storage import need_optuna

    need_optuna()
    plan = plan_sweep(recipe)
    quiet_libraries()
    from tiebreak.process.host import same_host
    from tiebreak.sweep.estimate import estimate

    with same_host():
        found = estimate(plan, stderr_progress())
    if as_json:
        said = {
            "search": plan.section.method,
            "trials": plan.limit,
            "seeds": plan.section.seeds,
            "listed": None if plan.listed is None else [dict(settings) for settings in plan.listed],
            "step_seconds": found.step_seconds,
            "seconds": found.seconds,
            "estimates": ["step_seconds", "seconds"],
        }
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    for line in _plan_lines(plan):
        typer.echo(line)
    if plan.listed is not None:
        for number, (settings, seconds) in enumerate(zip(plan.listed, found.trial_seconds, strict=True)):
            typer.echo(f"trial {number:<4} {settings_text(settings)}  ({duration(seconds)})")
    typer.echo(
        f"time, estimated  {duration(found.seconds)} of training and evaluation by one worker: a step of the first "
        f"trial takes {duration(found.step_seconds)}. Answers and saving take more; ending trials early takes less."
    )


def _plan_lines(plan: Plan) -> list[str]:
    section = plan.section
    runs = f", each with {section.seeds} seeds" if section.seeds > 1 else ""
    early = f"; ended early: {section.prune}" if section.prune else ""
    goals = " and ".join(f"{goal.name} ({goal.better} is better)" for goal in plan.goals)
    lines = [f"search  {section.method}, {plan.limit} trials{runs}; by {goals}{early}"]
    return [*lines, *(f"over    {key}: {dimension.written()}" for key, dimension in plan.space.items())]


def _show(found: Search, *, as_json: bool) -> None:
    """Print what a search came to, and what to type next."""
    import json
    import shlex

    from tiebreak.cli.terminal import own_name
    from tiebreak.sweep.plan import settings_text

    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
        return
    states = [trial.state for trial in found]
    counted = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    typer.echo(f"trials  {counted}")
    for trial in found.best_trials:
        figures = ", ".join(f"{goal.name} {goal.written(trial.values[goal.name])}" for goal in found.plan.goals)
        typer.echo(f"best    trial {trial.number}: {settings_text(trial.settings)}  ({figures})")
    for finding in found.findings:
        typer.echo(finding.line)
    typer.echo(f"results {found.folder.workbook_path}\n        {found.folder.csv_path}")
    typer.echo(f"report  {found.folder.report_path}")
    if found.front:
        typer.echo(f"recipe  {found.folder.best_recipe_path}")
    if found.folder.best_link.exists():
        typer.echo(f"model   {found.folder.best_link}")
        typer.echo(f"next    {own_name()} chat {shlex.quote(str(found.folder.best_link))}")
