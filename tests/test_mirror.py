"""Tests mirror the sources by name, so that whoever opens one finds the other; what does not is in two short lists.

`tests/ROOM/test_FILE.py` tests `src/tiebreak/ROOM/FILE.py`, and `test_init.py` a package's own `__init__.py`; folders
`benchmarks` and `scripts` mirror those of the repository; `browser` holds tests of the pages in a real browser.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

TESTS, SOURCES = REPOSITORY / "tests", REPOSITORY / "src" / "tiebreak"

# Tests of a behaviour that no single source has, and which behaviour that is.
WHOLE = {
    "data/test_fuzz.py": "rows of every kind, from a file to exact pairs or a refusal",
    "docs": "the documents: their commands, code and links",
    "end_to_end": "the command line as a user meets it, kills and limits on memory",
    "engine/test_every_architecture.py": "every causal language model of `transformers`, by the path that it takes",
    "engine/test_lm_head_apart.py": "the head outside the model's forward pass, by `lm_head` and `logprobs` together",
    "objectives/test_against_papers.py": "every loss against the formula of its paper",
    "objectives/test_against_trl.py": "every loss against TRL's",
    "objectives/test_gradients.py": "which way every loss pushes",
    "objectives/test_limits.py": "where losses must agree with one another",
    "recipe/test_builtin_runs.py": "the built-in recipes from the Hub to a trained model",
    "serve/pages/browser/test_attacks.py": "every page against texts that want to be more than text",
    "serve/pages/browser/test_looks.py": "contrast, names and roles of every page, at both widths, light and dark",
    "serve/pages/browser/test_bundled.py": "from a question to a model that was trained on the votes",
    "test_architecture.py": "what may import what",
    "test_mirror.py": "this",
    "training/test_parity.py": "steps beside those of TRL's trainer",
    "training/test_without_waiting.py": "a step in which nothing is read that a GPU would have to finish for",
    "training/test_whole_step.py": "losses over a whole step, however it is cut, for every objective",
    "workflow/test_adapters.py": "runs with an adapter from recipe to answers",
    "workflow/test_every_objective.py": "runs with each objective from recipe to report",
    "workflow/test_tools_and_turns.py": "tools and several turns from rows to a trained model",
}

# Sources without a test file of their own, and the tests that fail when they are wrong.
ELSEWHERE = {
    "bundled/claims.py": "bundled/test_judge.py",
    "bundled/make/answers.py": "bundled/make/test_training_data.py",
    "bundled/make/replies.py": "bundled/make/test_training_data.py",
    "bundled/manners.py": "bundled/test_judge.py",
    "bundled/requests.py": "bundled/test_judge.py",
    "cli/answers_view.py": "workflow/test_judging.py",
    "cli/evaluation_view.py": "cli/test_evaluate.py",
    "cli/harness_view.py": "cli/test_evaluate.py",
    "cli/chat.py": "end_to_end/test_journey.py",
    "cli/export.py": "docs/test_commands_run.py",
    "cli/loop.py": "docs/test_commands_run.py",
    "data/forms/form.py": "data/forms/test_catalogue.py",
    "data/forms/naming.py": "data/forms/test_catalogue.py",
    "data/forms/pairs.py": "data/forms/test_catalogue.py",
    "data/forms/parts.py": "data/forms/test_catalogue.py",
    "data/forms/prompts.py": "data/forms/test_completions.py",
    "data/forms/singles.py": "data/forms/test_labels.py",
    "data/forms/unused.py": "data/forms/test_catalogue.py",
    "cli/profile_view.py": "cli/test_data.py",
    "doctor/reading/points.py": "doctor/reading/test_mlflow.py",
    "cli/push.py": "hub/test_models.py",
    "cli/quickstart.py": "end_to_end/test_quickstart.py",
    "cli/serve.py": "serve/test_run.py",
    "cli/votes_view.py": "cli/test_votes.py",
    "hub/space_app.py": "hub/test_space.py",
    "metrics/lookup.py": "metrics/test_registry.py",
    "metrics/metric.py": "metrics/test_registry.py",
    "objectives/aot.py": "objectives/test_against_trl.py",
    "objectives/divergences.py": "objectives/test_against_trl.py",
    "objectives/functional.py": "objectives/test_against_trl.py",
    "models/places.py": "models/test_load.py",
    "models/refusals.py": "models/test_load.py",
    "objectives/kto.py": "objectives/test_against_papers.py",
    "objectives/pointwise.py": "objectives/test_against_trl.py",
    "objectives/reference_free.py": "objectives/test_against_papers.py",
    "recipe/objective_section.py": "recipe/test_sections.py",
    "report/axes.py": "report/test_drawing.py",
    "report/environment.py": "report/test_page.py",
    "report/inline_svg.py": "report/test_drawing.py",
    "report/looks.py": "report/test_drawing.py",
    "report/page_file.py": "report/test_page.py",
    "report/sweep_page.py": "sweep/test_report.py",
    "report/usage.py": "report/test_card.py",
    "serve/api/answering.py": "serve/api/test_routes.py",
    "serve/api/asked.py": "serve/api/test_routes.py",
    "serve/api/writing.py": "serve/api/test_routes.py",
    "serve/generation/engine.py": "serve/generation/test_local.py",
    "serve/generation/worker.py": "serve/generation/test_local.py",
    "serve/pages/ballot.py": "serve/pages/test_compare.py",
    "serve/pages/compare_view.py": "serve/pages/browser/test_compare.py",
    "serve/pages/context.py": "serve/pages/browser/test_chat.py",
    "serve/pages/data_view.py": "serve/pages/browser/test_data.py",
    "serve/pages/theme.py": "serve/pages/test_mount.py",
    "sweep/__init__.py": "sweep/test_search.py",
    "sweep/begin.py": "sweep/test_search.py",
    "sweep/estimate.py": "cli/test_sweep.py",
    "sweep/folder.py": "sweep/test_drive.py",
    "sweep/goals.py": "sweep/test_plan.py",
    "sweep/trial.py": "sweep/test_drive.py",
    "trackers/tensorboard.py": "trackers/test_tracking.py",
    "votes/migrations/versions/0001_votes.py": "votes/test_migrate.py",
    "votes/checks.py": "votes/test_vote.py",
    "votes/migrations/versions/0002_corrections.py": "votes/test_migrate.py",
    "votes/migrations/versions/0003_teams.py": "votes/test_migrate.py",
    "votes/migrations/versions/0004_open_comparisons.py": "votes/test_migrate.py",
    "votes/opened.py": "votes/test_store.py",
    "votes/rows.py": "votes/test_store.py",
    "votes/strengths.py": "votes/test_tally.py",
    "workflow/answer_sections.py": "workflow/test_evaluation_report.py",
    "workflow/evaluate.py": "workflow/test_adapters.py",
    "workflow/harness_sections.py": "workflow/test_evaluation_report.py",
    "workflow/judged.py": "workflow/test_judging.py",
    "workflow/kl_sections.py": "workflow/test_evaluation_report.py",
    "workflow/pair_sections.py": "workflow/test_evaluation_report.py",
    "workflow/chat.py": "end_to_end/test_journey.py",
}


def has_functions(source: Path) -> bool:
    """Whether a module does something: a file of names and types alone has nothing to test."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))


def named_for(test: str) -> str:
    """The source that a test file is named for, from its folder: `a/browser/test_b.py` is for `a/b.py`."""
    folder, _, name = test.rpartition("/")
    name = name.removeprefix("test_")
    folder = folder.removesuffix("/browser")
    plain, special = (f"{folder}/{each}".removeprefix("/") for each in (name, f"__{Path(name).stem}__.py"))
    return special if is_there(special) and not is_there(plain) else plain


def is_whole(test: str) -> bool:
    return test in WHOLE or test.split("/")[0] in WHOLE


def is_there(source: str) -> bool:
    """In the package, or beside it in `benchmarks` and `scripts`."""
    beside = source.startswith(("benchmarks/", "scripts/"))
    return (SOURCES / source).is_file() or (beside and (REPOSITORY / source).is_file())


FILES = sorted(path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py"))
WORKING = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.py") if has_functions(path))


def test_a_test_file_is_named_for_its_source_or_for_a_whole_behaviour() -> None:
    wrong = [test for test in FILES if not is_whole(test) and not is_there(named_for(test))]
    assert not wrong, "name these for the source that they test, or say in WHOLE which behaviour they are of"


def test_a_source_that_does_something_has_its_test_file() -> None:
    tested = {named_for(test) for test in FILES if not is_whole(test)}
    wrong = [source for source in WORKING if source not in tested and source not in ELSEWHERE]
    assert not wrong, (
        "write tests/ROOM/test_FILE.py for these, or name the tests that fail when they are wrong in ELSEWHERE"
    )


def test_the_lists_name_only_what_there_is_and_what_needs_them() -> None:
    assert not [name for name in WHOLE if not (TESTS / name).exists()]
    assert not [name for name in WHOLE if name.endswith(".py") and is_there(named_for(name))]
    tested = {named_for(test) for test in FILES}
    assert not [source for source in ELSEWHERE if source not in WORKING or source in tested]
    assert not [test for test in ELSEWHERE.values() if test not in FILES]


@pytest.mark.parametrize(
    ("test", "source"),
    [
        ("test_files.py", "files.py"),
        ("test_init.py", "__init__.py"),
        ("bundled/test_init.py", "bundled/__init__.py"),
        ("bundled/make/test_main.py", "bundled/make/__main__.py"),
        ("cli/test_main.py", "cli/main.py"),
        ("data/preparing/test_select.py", "data/preparing/select.py"),
        ("serve/pages/browser/test_chat.py", "serve/pages/chat.py"),
        ("benchmarks/test_train_speed.py", "benchmarks/train_speed.py"),
    ],
)
def test_names_are_read_so(test: str, source: str) -> None:
    assert named_for(test) == source
    assert is_there(source)
