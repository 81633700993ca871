"""The commands of the documents that train, talk, measure, export and take turns run as they stand there.

Each document is followed from its first block to its last in one folder, with small settings added, and with the
bundled model and a small file for what would come from the Hub. `test_blocks.py` runs the quicker commands and parses
all of them.
"""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.docs.blocks import DOCUMENTS, Block, blocks_of, commands_of, write_files_of
from tests.docs.conftest import write_votes
from tests.docs.test_blocks import QUICK, SHELL
from tiebreak.cli.main import app

VOTER = ["python", "-m", "tiebreak.bundled.vote"]
# Of these commands the documents are read, and nothing runs: servers, which do not end, and what writes to the Hub.
NOT_RUN = (["serve"], ["push"], ["push-data"])
_TRAINS = ("train", "sft", "loop", "sweep")
_INSTEAD = {
    "gpt2": "bundled:base",
    "openai-community/gpt2": "bundled:base",
    "Anthropic/hh-rlhf": "prefs.jsonl",
    "jondurbin/truthy-dpo-v0.1": "prefs.jsonl",
}
_FLAGS = {
    "--limit": "data.limit",
    "--max-length": "data.max_length",
    "--max-steps": "train.max_steps",
    "--batch-size": "train.batch_size",
}
_SMALL = {
    "data.limit": 24,
    "data.eval_limit": 4,
    "data.max_length": 128,
    "train.max_steps": 2,
    "train.batch_size": 4,
    "train.eval_every": 1,
    "train.save_every": "null",
    "evaluate.samples": 1,
    "evaluate.judge_prompts": 2,
    "evaluate.max_new_tokens": 4,
}


def shell_blocks(path: Path) -> list[Block]:
    return [block for block in blocks_of(path) if block.language in SHELL and block.not_run is None]


def tiebreak_commands(block: Block) -> list[list[str]]:
    """The commands of Tiebreak in a block, without the name of the program; and those of its voter, whole."""
    found = []
    for words in commands_of(block.text):
        if words[0].removeprefix(".venv/bin/") == "tiebreak":
            found.append(words[1:])
        elif words[:3] == VOTER:
            found.append(words)
    return found


def runs_here(arguments: list[str]) -> bool:
    """Whether a command is run by this test: not quick, no server, and nothing is sent to the Hub."""
    elsewhere = any(arguments[: len(start)] == start for start in (*QUICK, *NOT_RUN))
    return not elsewhere or (arguments[0] == "push" and "--dry-run" in arguments)


def followed(path: Path) -> list[list[str]]:
    """The commands of a document that are run here, in order."""
    return [words for block in shell_blocks(path) for words in tiebreak_commands(block) if runs_here(words)]


FOLLOWED = [path for path in DOCUMENTS if followed(path)]


def small(arguments: list[str]) -> list[str]:
    """A command with small settings, and without a network."""
    command = arguments[0]
    found = [_INSTEAD.get(word, word) for word in arguments]
    if arguments[:3] == VOTER:
        return [*found, "--count", "8"]
    if command == "chat":
        return [*found, "--max-new-tokens", "4"]
    if command == "evaluate":
        return [*found, "--limit", "8", "--judge-prompts", "8"]
    if command == "loop":
        found += ["--accept", "not-worse"]  # two held-out prompts show nothing better
    begins = command != "loop" or not Path("loop", "loop.json").exists()  # a loop that has begun keeps its recipe
    if command not in _TRAINS or not begins or "--worker" in arguments:  # a worker takes all from its search
        return found
    if any(word.startswith("recommended-") for word in found):
        found += [] if "--model" in found else ["--model", "bundled:base"]
        found += [] if "--data" in found else ["--data", "prefs.jsonl"]
        found += ["--set", "data.eval_split=null"]
    varied = {after.partition("=")[0] for flag, after in pairwise(found) if flag == "--over"}
    few = {key: value for key, value in _SMALL.items() if key not in varied}
    return [*_without_small(found), *(word for key, value in few.items() for word in ("--set", f"{key}={value}"))]


def _without_small(arguments: list[str]) -> list[str]:
    """A command without what it says itself of the small settings: a key with two values is refused."""
    found = list(arguments)
    for number in reversed(range(len(arguments) - 1)):
        flag, value = arguments[number : number + 2]
        if _FLAGS.get(flag) in _SMALL or (flag == "--set" and value.partition("=")[0] in _SMALL):
            del found[number : number + 2]
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that documents call `runs/mine` where they do not train it themselves."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["train", "--model", "bundled:base", "--data", "bundled:preferences", "--out", str(folder / "mine")]
    done = CliRunner().invoke(app, small(words))
    assert done.exit_code == 0, done.output
    return folder / "mine"


def prepare(folder: Path, trained: Path) -> None:
    """What a reader has before the first block: a run, votes, data and a recipe of their own, and llama.cpp."""
    shutil.copytree(trained, folder / "runs" / "mine")
    shutil.copy(folder / "prefs.jsonl", folder / "mine.jsonl")
    (folder / "mine.yaml").write_text("model: bundled:base\ndata: prefs.jsonl\n")
    (folder / "llama.cpp").mkdir()
    # Stands for llama.cpp's script, which is not on every machine: it has its arguments.
    (folder / "llama.cpp" / "convert_hf_to_gguf.py").write_text(
        "import pathlib, sys\nmodel, flag, out = sys.argv[1:]\nassert flag == '--outfile'\n"
        "assert (pathlib.Path(model) / 'model.safetensors').is_file()\npathlib.Path(out).write_bytes(b'GGUF')\n"
    )


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command, or the voter, as it is given."""
    if arguments[:3] == VOTER:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", arguments[2:])
            runpy.run_module(arguments[2], run_name="__main__")
        return
    done = CliRunner().invoke(app, arguments, input="Hello!\n")
    assert done.exit_code == 0, f"{arguments}: {done.output} {done.exception!r}"
    if arguments[0] == "chat":
        assert done.stdout.strip(), "no answer"


@pytest.mark.journey
@pytest.mark.parametrize("path", FOLLOWED, ids=lambda path: path.stem)
def test_a_document_can_be_followed(path: Path, reader: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(reader, trained)
    monkeypatch.setenv("LLAMA_CPP", str(reader / "llama.cpp"))
    write_files_of(path, reader)
    for block in shell_blocks(path):
        write_votes(reader, 40)
        shutil.rmtree(reader / "loop", ignore_errors=True)
        for arguments in filter(runs_here, tiebreak_commands(block)):
            if "--quantize" in arguments and find_spec("bitsandbytes") is None:
                pytest.skip("pip install 'tiebreak[quant]'")
            if arguments[0] in ("train", "sft") and "--out" in arguments:  # blocks show one thing in several ways
                shutil.rmtree(reader / arguments[arguments.index("--out") + 1], ignore_errors=True)
            run(small(arguments), monkeypatch)


def test_every_command_of_the_documents_is_run_somewhere_or_known_not_to_be() -> None:
    commands = [words for path in DOCUMENTS for block in shell_blocks(path) for words in tiebreak_commands(block)]
    run_here = {words[0] for words in commands if runs_here(words)}
    assert run_here == {"train", "sft", "chat", "evaluate", "doctor", "export", "loop", "push", "python", "sweep"}
    left = {words[0] for words in commands if not runs_here(words)}
    assert left == {"data", "recipes", "runs", "votes", "serve", "push", "push-data"}


def test_small_settings_leave_the_command_as_it_is_written(reader: Path) -> None:
    written = ["train", "--model", "gpt2", "--data", "prefs.jsonl", "--out", "runs/mine"]
    found = small(written)
    assert found[: len(written)] == ["train", "--model", "bundled:base", *written[3:]]
    assert "train.max_steps=2" in found
    assert small([*written, "--max-length", "512", "--set", "data.limit=9", "--seed", "1"]) == [
        *(*found[: len(written)], "--seed", "1", *found[len(written) :])
    ]
    assert small(["sft", "--data", "Anthropic/hh-rlhf"])[:3] == ["sft", "--data", "prefs.jsonl"]
    assert small(["train", "recommended-gpt2"])[2:6] == ["--model", "bundled:base", "--data", "prefs.jsonl"]
    assert small(["export", "runs/mine", "--merge"]) == ["export", "runs/mine", "--merge"]
    (reader / "loop").mkdir()
    (reader / "loop" / "loop.json").write_text(json.dumps({}))
    assert small(["loop", "--votes", "votes.db"]) == ["loop", "--votes", "votes.db", "--accept", "not-worse"]
