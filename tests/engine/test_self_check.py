"""The self-check chooses a path that is right, and no error turns into the slower one unsaid."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest
import torch

from tests.architectures import ARCHITECTURES, GROUPED, made
from tests.engine.groups import BY_TREE, GROUPS, plain_logps
from tiebreak.engine import score
from tiebreak.engine.attention import TreesUnsupported
from tiebreak.engine.batch import ScoredGroup, group_of
from tiebreak.engine.layout import build_padded, build_tree
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.self_check import check_causal, look_back_windows, self_check
from tiebreak.errors import RunError


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_the_self_check_chooses_a_path_that_is_right(name: str) -> None:
    model = ARCHITECTURES[name]()
    pairs = [group for group in GROUPS if len(group.completions) == 2]
    check = self_check(model, pairs, autocast=None, windows=look_back_windows(model.config))
    assert check.path == ("tree" if name in BY_TREE else "padded"), check.reason
    build = build_tree if check.path == "tree" else build_padded
    with torch.no_grad():
        torch.testing.assert_close(
            sequence_logps(model, build(pairs)).logp, plain_logps(model, pairs), rtol=1e-6, atol=2e-5
        )


PAIRS_OF_GROUPS = [group for group in GROUPS if len(group.completions) == 2]


def _failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """From now on no tree is laid out: the error is raised instead."""

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("tiebreak.engine.microbatch.build_tree", fails)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the kernel cannot be compiled\nsecond line"),
        TypeError("forward() got an unexpected keyword argument"),
        IndexError("index 7 is out of bounds"),
        ValueError("not expected at all"),
        AttributeError("'Linear' object has no attribute 'weights'"),
    ],
    ids=repr,
)
def test_an_error_by_trees_is_named_in_a_warning(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _failing(monkeypatch, error)
    check = self_check(ARCHITECTURES["llama"](), PAIRS_OF_GROUPS, autocast=None)
    assert check.path == "padded"
    said = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    assert said in check.reason
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert said in record.getMessage()


def test_a_gpu_that_failed_ends_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(monkeypatch, torch.AcceleratorError("CUDA error: device-side assert triggered"))
    with pytest.raises(torch.AcceleratorError):
        self_check(ARCHITECTURES["llama"](), PAIRS_OF_GROUPS, autocast=None)


def test_a_model_that_says_it_cannot_gets_no_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _failing(monkeypatch, TreesUnsupported("the model needs capped scores"))
    check = self_check(ARCHITECTURES["llama"](), PAIRS_OF_GROUPS, autocast=None)
    assert (check.path, check.reason) == ("padded", "padded batches: the model needs capped scores")
    assert not caplog.records


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2"])
def test_bfloat16_weights_go_by_trees(name: str) -> None:
    model = ARCHITECTURES[name]().to(torch.bfloat16)  # type: ignore[arg-type]
    for autocast in (None, torch.bfloat16):
        assert self_check(model, PAIRS_OF_GROUPS, autocast=autocast).path == "tree"


def _row(length: int) -> ScoredGroup:
    draw = random.Random(length)
    return group_of(
        [draw.randrange(3, 61) for _ in range(length - 8)],
        [[draw.randrange(3, 61) for _ in range(8)] for _ in range(2)],
    )


def test_a_window_that_attention_is_not_told_of_shows_in_the_longest_row() -> None:
    model = made("PhimoeConfig", **GROUPED, num_local_experts=2, num_experts_per_tok=1, sliding_window=48)()
    assert self_check(model, PAIRS_OF_GROUPS, autocast=None, longest=_row(40)).path == "tree"
    check = self_check(model, PAIRS_OF_GROUPS, autocast=None, longest=_row(90))
    assert check.path == "padded"
    assert check.reason.endswith("nats a token in the longest row (90 tokens)")


def test_the_longest_row_is_scored_uncut(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    scored = score.score_microbatch

    def noted(model: Any, groups: Any, scorer: Any) -> Any:
        seen.append(max(group.longest for group in groups))
        return scored(model, groups, scorer)

    monkeypatch.setattr("tiebreak.engine.self_check.score_microbatch", noted)
    check = self_check(ARCHITECTURES["llama"](), PAIRS_OF_GROUPS, autocast=None, longest=_row(100))
    assert check.path == "tree"
    assert seen.count(100) == 2


def test_a_longest_row_too_large_for_a_plain_batch_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scored = score.score_microbatch

    def short_of_memory(model: Any, groups: Any, scorer: Any) -> Any:
        if scorer.path == "padded" and groups[0].longest == 100:
            raise RunError("A single example does not fit into the memory.")
        return scored(model, groups, scorer)

    monkeypatch.setattr("tiebreak.engine.self_check.score_microbatch", short_of_memory)
    assert self_check(ARCHITECTURES["llama"](), PAIRS_OF_GROUPS, autocast=None, longest=_row(100)).path == "tree"
    assert "the longest row (100 tokens) was not compared: A single example does not fit" in caplog.text


def test_a_model_that_looks_up_its_tokens_elsewhere_is_not_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = ARCHITECTURES["llama"]()
    monkeypatch.setattr(model, "get_input_embeddings", lambda: torch.nn.Embedding(2, 2))
    check_causal(model, PAIRS_OF_GROUPS)
    assert "cannot be checked whether this model sees" in caplog.text


@pytest.mark.parametrize("tokens", [200, 1500])
def test_on_a_gpu_gradients_are_compared_over_several_blocks_of_the_kernel(
    tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def noted(model: Any, groups: list[ScoredGroup], autocast: Any) -> float:
        seen.append(max(group.tokens for group in groups))
        return 0.0 if len(groups) > 1 else 9.0

    monkeypatch.setattr("tiebreak.engine.self_check.runs_here", lambda device: True)
    monkeypatch.setattr("tiebreak.engine.self_check.gradient_difference", noted)
    part = tokens // 3
    longest = group_of([3] * part, [[4] * part, [5] * part])
    check = self_check(ARCHITECTURES["llama"](), PAIRS_OF_GROUPS, autocast=None, longest=longest)
    if tokens == 200:
        assert len(seen) == 1
        assert check.path == "tree"
    else:
        assert seen[1] == 4 * 128 + 2 * 2 * 128 - (4 * 128 - min(part, 4 * 128)) - 2 * (2 * 128 - min(part, 256))
        assert check.path == "padded"
        assert "in a row of" in check.reason


WARNED = """
import torch
import tiebreak.engine.microbatch as microbatch
from tests.architectures import ARCHITECTURES
from tests.engine.groups import GROUPS
from tiebreak.cli.terminal import quiet_libraries
from tiebreak.engine.self_check import self_check

quiet_libraries()
def fails(*_, **__):
    raise RuntimeError("the kernel cannot be compiled")
microbatch.build_tree = fails
self_check(ARCHITECTURES["gpt2"](), [group for group in GROUPS if len(group.completions) == 2], autocast=None)
"""


def test_the_console_shows_the_warning() -> None:
    done = subprocess.run([sys.executable, "-c", WARNED], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "RuntimeError: the kernel cannot be compiled" in done.stderr
