"""`tiebreak evaluate`: held-out preference metrics of a run or a model. Parses, calls, prints."""

from __future__ import annotations

from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tiebreak.workflow.evaluation import Evaluation
    from tiebreak.workflow.judged import AnswersEvaluation

EXAMPLE = "Example: tiebreak evaluate runs/mine"

_ROWS, _ANSWERS, _RESULTS = "Which rows, and how they are read", "Answers and judges", "Results"
_HARNESS = "Benchmarks of lm-evaluation-harness"


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL", help="Run folders, Hub ids, folders, GGUF files, or bundled:base.", show_default=False
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            help="Preferences: Hub dataset id, file, folder of shards, or bundled:preferences; if not given, what "
            "the run held out."
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Reference model, of rewards and of KL; the run's own base if not given.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Model to measure too: how far the others are ahead of it, pair by pair.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="Configuration of a Hub dataset.", rich_help_panel=_ROWS)] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Folder inside the source, such as harmless-base.", rich_help_panel=_ROWS)
    ] = None,
    split: Annotated[str | None, typer.Option(help="Split of the data.", rich_help_panel=_ROWS)] = None,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit of a Hub dataset.", rich_help_panel=_ROWS)
    ] = None,
    schema: Annotated[str, typer.Option(help="Form of the rows.", rich_help_panel=_ROWS)] = "auto",
    columns: Annotated[
        str | None,
        typer.Option(help="Which column is what: prompt=question,chosen=good,rejected=bad.", rich_help_panel=_ROWS),
    ] = None,
    transform: Annotated[
        str | None, typer.Option(help="MODULE:FUNCTION that every row goes through first.", rich_help_panel=_ROWS)
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Longest prompt plus completion, in tokens.", rich_help_panel=_ROWS)
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Use only the first N examples.", rich_help_panel=_ROWS)] = None,
    beta: Annotated[float | None, typer.Option(help="Scale of the rewards; the run's own if not given.")] = None,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Skip rows that cannot be read.", rich_help_panel=_ROWS)
    ] = False,
    pairs_out: Annotated[
        Path | None,
        typer.Option(
            help="Write each pair with its rewards, the most wrong first: .parquet, .jsonl, .csv, .xlsx or .md.",
            rich_help_panel=_RESULTS,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any key of the recipe: --set data.template=transcript", metavar="K=V", rich_help_panel=_ROWS
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            help="Prompts to answer: .txt with one a line, or rows with prompts; else those of --data.",
            rich_help_panel=_ANSWERS,
        ),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="Judge answers by bundled, python:MODULE:FUNCTION, command:PROGRAM, reward_model:NAME, "
            "openai:MODEL@BASE_URL, or a YAML or JSON file. Several may be given.",
            rich_help_panel=_ANSWERS,
        ),
    ] = None,
    votes: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Have people judge: a votes file or URL. Answers wait there to be voted on by `tiebreak serve --votes "
            "URL`; the same command again reads the verdicts. Needs --against.",
            rich_help_panel=_ANSWERS,
        ),
    ] = None,
    judge_prompts: Annotated[
        int, typer.Option(min=1, help="Most prompts that are answered.", rich_help_panel=_ANSWERS)
    ] = 400,
    max_new_tokens: Annotated[
        int, typer.Option(min=1, help="Longest sampled answer, in tokens.", rich_help_panel=_ANSWERS)
    ] = 128,
    temperature: Annotated[
        float, typer.Option(min=0, help="Of the answers; 0 is greedy.", rich_help_panel=_ANSWERS)
    ] = 0.7,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the answers.", rich_help_panel=_ANSWERS)] = 0,
    answers_out: Annotated[
        Path | None,
        typer.Option(
            help="Write the answers and verdicts: .parquet, .csv, .jsonl, .xlsx or .md.", rich_help_panel=_RESULTS
        ),
    ] = None,
    kl: Annotated[
        bool,
        typer.Option(
            "--kl",
            help="How far each model is from its reference: KL in nats, on answers drawn at temperature 1.",
            rich_help_panel=_ANSWERS,
        ),
    ] = False,
    frontier_out: Annotated[
        Path | None,
        typer.Option(
            help="Draw the models as points, win rate against --against by KL: .png or .svg. Implies --kl.",
            rich_help_panel=_RESULTS,
        ),
    ] = None,
    harness: Annotated[
        str | None,
        typer.Option(
            help="Tasks, with commas: hellaswag,arc_easy. A run is shown beside its base, or the model of --against.",
            metavar="TASKS",
            rich_help_panel=_HARNESS,
        ),
    ] = None,
    harness_tasks: Annotated[
        Path | None, typer.Option(help="Folder of task files of your own.", metavar="FOLDER", rich_help_panel=_HARNESS)
    ] = None,
    harness_limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first N documents of each task.", rich_help_panel=_HARNESS)
    ] = None,
    harness_chat: Annotated[
        bool, typer.Option("--harness-chat", help="Put prompts through the chat template.", rich_help_panel=_HARNESS)
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the whole evaluation as one page: a file in .html.", rich_help_panel=_RESULTS),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what judges would be asked, and end: nothing is sampled or asked.",
            rich_help_panel=_ANSWERS,
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace the files that are written.", rich_help_panel=_RESULTS),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the metrics as JSON on stdout.", rich_help_panel=_RESULTS)
    ] = False,
) -> None:
    """Measure models on preferences: how often the chosen completion has the higher reward, and where it has not."""
    import json
    import sys
    from dataclasses import asdict

    from tiebreak.cli.terminal import quiet_libraries, stderr_progress
    from tiebreak.cli.train import parsed_settings
    from tiebreak.data.forms.roles import parse_flag
    from tiebreak.data.reading.sources import SourceSpec
    from tiebreak.errors import InputError
    from tiebreak.evaluate.harness.tasks import check_harness
    from tiebreak.report.page_file import check_page
    from tiebreak.runs.sheet import check_sheet, write_sheet
    from tiebreak.workflow.early import check_against, check_model, check_settings, check_source, check_votes
    from tiebreak.workflow.own_data import held_out_pairs_of

    kl = kl or frontier_out is not None
    answered = bool(prompts or judge or votes or answers_out or dry_run or kl)
    if data is None and prompts is None and (answered or harness is None):
        data = held_out_pairs_of([*models, *([against] if against else [])])
        typer.echo(f"data    the pairs that the run held out: {data}", err=True)
    tasks = tuple(name.strip() for name in harness.split(",")) if harness is not None else ()
    if harness is not None:
        check_harness(tasks, harness_tasks, harness_limit)
    elif harness_tasks is not None or harness_limit is not None or harness_chat:
        raise InputError("No benchmark is named.", where="--harness", fix="name tasks: --harness hellaswag,arc_easy")
    if out is not None:
        check_page(out, force=force)
    if pairs_out is not None and data is None:
        raise InputError("--pairs-out writes pairs, and there are none.", where="--pairs-out", fix="add --data SOURCE")
    if answers_out is not None:
        check_sheet(answers_out, force=force, where="--answers-out")
    if frontier_out is not None:
        from tiebreak.report.frontier import check_picture

        check_picture(frontier_out, force=force, where="--frontier-out")
    if pairs_out is not None:
        if len(models) > 1:
            raise InputError("--pairs-out is for one model.", where="MODEL", fix="name one model")
        check_sheet(pairs_out, force=force, where="--pairs-out")
    check_against(models, against)
    if votes is not None:
        check_votes(votes, against)
    from tiebreak.recipe import judge_from_flag

    flags = {"data.max_length": max_length, "data.limit": limit, "objective.beta": beta}
    changes = parsed_settings(settings or [], flags)
    check_settings(changes)
    columns_read = None if columns is None else parse_flag(columns)
    judges = tuple(map(judge_from_flag, judge or []))
    for name in filter(None, (*models, against, reference)):
        check_model(name)
    if data is not None:
        check_source(SourceSpec(data, config, data_dir, split, revision))
    quiet_libraries()
    from tiebreak.cli.evaluation_view import evaluation_json, evaluation_lines
    from tiebreak.generation.sampling import Sampling
    from tiebreak.workflow.evaluate import Question, evaluate_models
    from tiebreak.workflow.evaluation_report import write_evaluation
    from tiebreak.workflow.judging import AnswersQuestion, estimate, evaluate_answers
    from tiebreak.workflow.lifecycle import command_line

    own = prompts is None  # the prompts are those of --data, which its flags describe
    of_data: dict[str, Any] = {
        "config": config,
        "data_dir": data_dir,
        "split": split,
        "revision": revision,
        "schema": schema,
        "columns": columns_read,
        "transform": transform,
        "skip_bad_rows": skip_bad_rows,
    }
    asked = AnswersQuestion(
        models=tuple(dict.fromkeys(models)),
        prompts=prompts or data or "",
        against=against,
        judges=judges,
        votes=votes,
        most=judge_prompts,
        sampling=Sampling(temperature, max_new_tokens=max_new_tokens, seed=seed),
        kl=kl,
        reference=reference,
        settings=changes,
        **(of_data if own else {}),
    )
    if frontier_out is not None:
        from tiebreak.workflow.frontier import check_frontier

        check_frontier(asked)
    if dry_run:
        from tiebreak.cli.answers_view import estimate_lines

        costs = estimate(asked)
        said = [{"name": name, "cost": None if cost is None else asdict(cost)} for name, cost in costs]
        typer.echo(json.dumps({"judges": said}, indent=2) if as_json else "\n".join(estimate_lines(costs)))
        return
    benchmarks = None
    if harness is not None:
        from tiebreak.workflow.harness import HarnessQuestion, evaluate_harness, open_tasks

        benched = HarnessQuestion(
            models=tuple(dict.fromkeys(models)),
            tasks=tasks,
            against=against,
            folder=harness_tasks,
            limit=harness_limit,
            chat=harness_chat,
            settings=changes,
        )
        with redirect_stdout(sys.stderr):  # the code of a task may print
            loaded = open_tasks(benched)
    answers = evaluate_answers(asked, progress=stderr_progress()) if answered else None
    if answers is not None and answers_out is not None:
        write_sheet(answers.sheet(), answers_out, force=force)
        typer.echo(f"each answer: {answers_out}", err=True)
    if answers is not None and frontier_out is not None:
        _draw(answers, frontier_out, force=force)
    found: list[Evaluation] = []
    if data is not None:
        # Answers that are judged here need no verdicts of the data's own judge besides.
        unjudged = {"evaluate.judge": "none"} if answered else {}
        question = Question(
            model=models[0],
            data=data,
            reference=reference,
            max_length=max_length,
            limit=limit,
            beta=beta,
            settings=unjudged | changes,
            **of_data,
        )
        named = list(dict.fromkeys([*models, *([against] if against else [])]))
        found = evaluate_models(question, named, progress=stderr_progress())
    if pairs_out is not None:
        write_sheet(found[0].sheet(), pairs_out, force=force)
    if harness is not None:
        with redirect_stdout(sys.stderr):
            benchmarks = evaluate_harness(benched, loaded=loaded, progress=stderr_progress())
    if out is not None:
        command = command_line(["tiebreak", *sys.argv[1:]])
        write_evaluation(
            out, pairs=found, answers=answers, harness=benchmarks, against=against, command=command, force=force
        )
    if as_json:
        typer.echo(json.dumps(evaluation_json(found, against, answers, benchmarks), indent=2))
    else:
        typer.echo("\n".join(evaluation_lines(found, against, answers, benchmarks)))
    for what, path in (("each pair", pairs_out), ("the whole evaluation", out)):
        if path is not None:
            typer.echo(f"{what}: {path}", err=True)


def _draw(answers: AnswersEvaluation, path: Path, *, force: bool) -> None:
    from tiebreak.report.frontier import write_frontier
    from tiebreak.workflow.frontier import frontier

    found = frontier(answers)
    write_frontier(found.points, path, reference=found.reference, against=found.against, force=force)
    typer.echo(f"win rate by KL: {path}", err=True)
