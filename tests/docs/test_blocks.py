"""Every block of code in the documents: run where that is cheap and needs no network, and read as it would be else.

Python runs, with small settings. Of shell scripts, each `tiebreak` command is parsed by the command line itself, and
run if it is one of `QUICK` (`test_commands_run.py` runs the others); `python -m` and `python FILE` are parsed by their
parsers. YAML is read as recipes. A block that cannot run here says why in a comment before it; its commands are parsed
all the same.
"""

from __future__ import annotations

import argparse
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

import tiebreak
from scripts.imports import modules
from tests.conftest import REPOSITORY
from tests.docs.blocks import DOCUMENTS, WRITTEN, Block, blocks_of, commands_of, inline_commands, write_files_of
from tests.end_to_end.conftest import environment
from tests.report.made import make_run, manifest_of, metric_rows
from tiebreak.cli.main import app

BLOCKS = [block for path in DOCUMENTS for block in blocks_of(path)]
SHELL = ("", "bash", "sh")
_SHOWN = ("text", "json")
# Commands that take little time and no network, with every option that the documents give them.
QUICK = (["data", "inspect"], ["data", "convert"], ["recipes"], ["runs"], ["votes"])
_INSTEAD = {"gpt2": "bundled:base"}
# Whole words of the shell, and what is not of Tiebreak but surely there.
_PLAIN = (".", "cd", "test", "[", "export", "git", "pre-commit")

_SMALL = """
import tiebreak
_train = tiebreak.train
def _small(recipe=None, *, settings=None, **given):
    few = {"train.max_steps": 2, "train.batch_size": 4, "data.limit": 40, "data.eval_limit": 8,
        "evaluate.judge_prompts": 2, "evaluate.samples": 1}
    return _train(recipe, settings={**(settings or {}), **few}, **given)
tiebreak.train = _small
"""


def _named(blocks: list[Block]) -> list[Any]:
    return [pytest.param(block, id=block.where) for block in blocks]


def test_there_are_blocks_of_each_kind_and_each_is_of_a_known_kind() -> None:
    languages = {block.language for block in BLOCKS}
    assert {"python", "", "bash", "yaml"} <= languages
    assert languages <= {"python", "yaml", *SHELL, *_SHOWN}


@pytest.mark.journey
@pytest.mark.parametrize("block", _named([b for b in BLOCKS if b.language == "python" and b.not_run is None]))
def test_python_runs(block: Block, tmp_path: Path) -> None:
    write_files_of(block.path, tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _SMALL + block.text],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "print(" not in block.text or done.stdout.strip()


@pytest.mark.parametrize("block", _named([b for b in BLOCKS if b.language == "python" and b.not_run is not None]))
def test_python_that_is_not_run_is_python(block: Block) -> None:
    compile(block.text, block.where, "exec")


@pytest.mark.parametrize("block", _named([b for b in BLOCKS if b.language == "yaml"]))
def test_yaml_is_a_recipe(block: Block, tmp_path: Path) -> None:
    for number, text in enumerate(_documents(block.text)):
        assert isinstance(yaml.safe_load(text), dict)
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        tiebreak.load_recipe(path)


def _documents(text: str) -> list[str]:
    """A block that gives a key twice shows two recipes."""
    documents: list[list[str]] = [[]]
    keys: set[str] = set()
    for line in text.splitlines():
        key = re.match(r"\w+(?=:)", line)
        if key is not None and key[0] in keys:
            documents.append([])
            keys = set()
        if key is not None:
            keys.add(key[0])
        documents[-1].append(line)
    return ["\n".join(lines) + "\n" for lines in documents]


@pytest.mark.parametrize("block", _named([b for b in BLOCKS if b.language in SHELL]))
def test_commands_are_commands(block: Block, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files_of(block.path, reader)
    for name in ("mine", "other"):  # what a reader trained before
        make_run(reader / "runs" / name, manifest=manifest_of(), rows=metric_rows())
    commands = commands_of(block.text)
    assert commands, "a block without a command: is it ```text?"
    for words in commands:
        _check(words, block, monkeypatch)


def _check(words: list[str], block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    program, arguments = words[0].removeprefix(".venv/bin/"), [_INSTEAD.get(word, word) for word in words[1:]]
    if program == "tiebreak":
        _parse(arguments)
        if block.not_run is None and any(arguments[: len(start)] == start for start in QUICK):
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, f"{words}: {done.output} {done.exception}"
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), flags=re.M)
        assert set(arguments) <= set(targets), words
    elif program == "pip":
        _check_extras(arguments)
    elif program == "python" and arguments[:2] == ["-m", "pytest"]:
        assert all((REPOSITORY / name).exists() for name in arguments[2:]), words
    elif program == "python" and (arguments[0] != "-m" or arguments[1].startswith(("tiebreak.", "scripts."))):
        _parse_script(arguments, monkeypatch)
    else:
        known = program in _PLAIN or block.not_run is not None
        assert known, f"nothing here knows '{program}': say before the block why it is not run"


def _parse(arguments: list[str]) -> None:
    """Parse as the command line does, without running: each command and option exists, each value is of its type."""
    command: Any = get_command(app)
    context, rest = None, arguments
    while True:
        name = "tiebreak" if context is None else command.name
        context = command.make_context(name, list(rest), parent=context)
        if not hasattr(command, "resolve_command"):
            return
        _, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])


def _check_extras(arguments: list[str]) -> None:
    assert arguments[0] == "install"
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extras in re.findall(r"\[([\w,]+)\]", " ".join(arguments)):
        assert set(extras.split(",")) <= set(project["optional-dependencies"]), extras


@pytest.mark.parametrize(
    "block", _named([b for b in BLOCKS if b.path.name == "CONTRIBUTING.md" and b.language == "text"])
)
def test_code_that_is_shown_as_an_example_is_in_the_source(block: Block) -> None:
    wanted = [line.strip() for line in block.text.splitlines() if line.strip()]
    sources = ([line.strip() for line in path.read_text("utf-8").splitlines()] for path in modules().values())
    assert any(set(wanted) <= set(lines) for lines in sources), "the example is not what the code says now"


class _Parsed(Exception):
    """The arguments were understood."""


def _parse_script(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(self: argparse.ArgumentParser, *given: Any) -> None:
        parse(self, *given)
        raise _Parsed

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
        module = arguments[0] == "-m"
        name, *rest = arguments[1:] if module else arguments
        patch.setattr(sys, "argv", [name, *rest])
        patch.syspath_prepend(str(REPOSITORY))
        if module:
            with pytest.raises(_Parsed):
                runpy.run_module(name, run_name="__main__", alter_sys=False)
        else:
            patch.syspath_prepend(str((REPOSITORY / name).parent))
            with pytest.raises(_Parsed):
                runpy.run_path(str(REPOSITORY / name), run_name="__main__")


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_in_a_sentence_exist(path: Path) -> None:
    """In sentences and tables: the command and its options exist; values may be words such as MODEL."""
    for text in inline_commands(path):
        command: Any = get_command(app)
        options: set[str] = set()
        for word in text.split()[1:]:
            if hasattr(command, "get_command"):
                named = command.get_command(None, word)
                assert named is not None or word.startswith("--"), f"`{text}`: there is no {word}"
                command = named or command
                options |= {option for each in command.params for option in each.opts}
            elif word.startswith("--"):
                assert word.partition("=")[0] in options, f"`{text}`: there is no {word}"


def test_a_command_that_is_none_is_found(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def block(text: str, not_run: str | None = None) -> Block:
        return Block(REPOSITORY / "README.md", 1, "bash", text, not_run)

    for text in ("tiebreak trane --out x", "tiebreak train --outt x", "tiebreak chat", "tiebreak train --limit many"):
        for words in commands_of(text):
            with pytest.raises(Exception, match=r"No such|Missing|valid integer"):
                _check(words, block(text), monkeypatch)
    for text in ("frobnicate", "make everything", "pip install 'tiebreak[all]'"):
        with pytest.raises(AssertionError):
            _check(commands_of(text)[0], block(text), monkeypatch)
    with pytest.raises(SystemExit):
        _check(["python", "-m", "scripts.draw_map", "--chek"], block(""), monkeypatch)
    _check(["frobnicate"], block("frobnicate", "it needs a network"), monkeypatch)


def test_scripts_are_taken_apart() -> None:
    script = (
        "for turn in 1 2; do\n  model=base; test -e x && model=loop   # a comment\n"
        "  tiebreak chat $model --seed $turn \\\n    --prompt 'two words' > out\ndone\nKEY=a tiebreak serve"
    )
    assert commands_of(script) == [
        ["test", "-e", "x"],
        ["tiebreak", "chat", "base", "--seed", "1", "--prompt", "two words"],
        ["tiebreak", "serve"],
    ]


def test_a_block_may_be_a_file_or_say_why_it_is_not_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Put this in `mine.py`:\n\n```python\nA = 1\n```\n\n<!-- not run: reasons -->\n```\nx\n```\n\n```\ny\n```\n"
    )
    first, second, third = blocks_of(page)
    assert (first.file, first.not_run, first.language, first.text) == ("mine.py", None, "python", "A = 1")
    assert (second.file, second.not_run, second.line) == (None, "reasons", 8)
    assert (third.not_run, third.text) == (None, "y")
    write_files_of(page, tmp_path)
    assert (tmp_path / "mine.py").read_text() == "A = 1\n"
    page.write_text("```python\nA = 1\n")
    with pytest.raises(ValueError, match="not closed"):
        blocks_of(page)
