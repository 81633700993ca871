"""The token budget: what is measured, and that the result of a step does not depend on it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES, SHAPE, made
from tests.training.small import tokenized_pairs
from tiebreak.engine.batch import Batch, ScoredGroup
from tiebreak.engine.gradient_checkpointing import checkpoint_layers
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.microbatch import BatchPath, build_batch, split
from tiebreak.engine.score import Scorer
from tiebreak.engine.token_budget import Measured, largest_budget, measure, slope_and_fixed, smaller, token_budget
from tiebreak.errors import RunError
from tiebreak.process.failures import NO_PRIMITIVE
from tiebreak.process.memory import unless_memory_runs_out
from tiebreak.tasks import TASKS
from tiebreak.training.examples import Groups

CPU = torch.device("cpu")


def _groups(n: int) -> Groups:
    return Groups(tokenized_pairs(n), TASKS["preference"])


def _line(each: int, fixed: int, tokens: int, *, flat: int = 0) -> Measured:
    """What a micro-batch would take whose memory grows evenly; `flat` is what its peak does not fall below."""
    return Measured(tokens, kept=fixed + each * tokens, peak=max(flat, 7 + fixed + each * tokens))


@pytest.mark.parametrize("each", [1, 300, 561_152])
@pytest.mark.parametrize("fixed", [0, 1, 850_000_000])
@pytest.mark.parametrize("sizes", [(128, 512), (100, 101), (1, 2000)])
def test_what_grows_with_the_tokens_is_told_from_what_does_not(each: int, fixed: int, sizes: tuple[int, int]) -> None:
    small, large = (_line(each, fixed, tokens) for tokens in sizes)
    assert slope_and_fixed(small, large) == (each, fixed + 7)


def test_a_peak_of_gradients_alone_does_not_hide_what_grows() -> None:
    small, large = (_line(1000, 50, tokens, flat=10**6) for tokens in (100, 500))
    assert (small.peak, large.peak) == (10**6, 10**6)
    each, fixed = slope_and_fixed(small, large)
    assert each == 1000
    assert each * 500 + fixed == 10**6


def test_what_is_taken_on_the_way_back_counts_too() -> None:
    small, large = Measured(100, kept=100_000, peak=150_000), Measured(500, kept=500_000, peak=750_000)
    assert slope_and_fixed(small, large) == (1500, 0)


@pytest.mark.parametrize("small", [None, Measured(500, 1, 1), Measured(600, 1, 1)])
def test_with_one_size_everything_is_taken_to_grow(small: Measured | None) -> None:
    assert slope_and_fixed(small, Measured(500, 400_000, 600_000)) == (1200, 0)


@pytest.mark.parametrize(
    ("left", "budget"),
    [
        (10**12, 4096),
        (4096 * 1000, 4096),
        (4096 * 1000 - 1, 2048),
        (2048 * 1000, 2048),
        (512 * 1000, 512),
        (512 * 1000 - 1, 256),
        (256 * 1000 - 1, 256),
        (0, 256),
        (-(10**9), 256),
    ],
)
def test_the_budget_is_the_largest_power_of_two_that_fits(left: int, budget: int) -> None:
    assert largest_budget(left, 1000, most=4096) == budget


def _fixed_measuring(monkeypatch: pytest.MonkeyPatch, *, each: int, fixed: int, free: int) -> None:
    def measuring(model: Any, groups: Sequence[ScoredGroup], scorer: Scorer) -> Measured:
        tokens = sum(group.tokens for group in groups)
        return Measured(tokens, each * tokens, fixed + each * tokens)

    monkeypatch.setattr("tiebreak.engine.token_budget.measure", measuring)
    monkeypatch.setattr("tiebreak.engine.token_budget.free_bytes", lambda device: free)


@pytest.mark.parametrize(("share", "taken"), [(None, 0.5), (0.5, 0.5), (0.25, 0.25), (1.0, 1.0)])
@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_all_that_a_run_takes_is_within_its_share(
    share: float | None, taken: float, spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, groups = ARCHITECTURES["gpt2"](), _groups(20)
    state = 3 * sum(p.numel() * 4 for p in model.parameters())
    needed = state + 10**6 + 1024 * 2000  # for 1,024 tokens
    _fixed_measuring(monkeypatch, each=2000, fixed=10**6, free=math.ceil(needed / taken) + spare * 4)
    found = token_budget(model, groups, Scorer(), share=share)
    assert (found.bytes_per_token, found.fixed_bytes, found.reserved_bytes) == (2000, 10**6, state)
    assert found.memory_share == taken
    assert found.tokens == (1024 if spare >= 0 else 512)


def test_only_what_is_trained_is_reserved_for(monkeypatch: pytest.MonkeyPatch) -> None:
    model, groups = ARCHITECTURES["gpt2"](), _groups(5)
    model.requires_grad_(False)
    layer = next(iter(model.parameters())).requires_grad_()
    assert token_budget(model, groups, Scorer()).reserved_bytes == 3 * 4 * layer.numel()


@pytest.mark.parametrize("path", ["tree", "padded"])
@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
def test_what_was_measured_foretells_a_larger_micro_batch(path: BatchPath, autocast: torch.dtype | None) -> None:
    model, groups = _wide(), _groups(40)
    scorer = Scorer(path, autocast)
    found = token_budget(model, groups[:10], scorer)
    larger = measure(model, groups[:40], scorer)
    assert larger.tokens > 2 * found.measured_tokens
    foretold = found.fixed_bytes + found.bytes_per_token * larger.tokens
    assert foretold == pytest.approx(larger.peak, rel=0.15)


@pytest.mark.parametrize("path", ["tree", "padded"])
def test_copies_of_weights_do_not_count_as_activations(path: BatchPath) -> None:
    """A wide model, of which few tokens take more for copies of weights than for activations."""
    model, groups = _wide(), _groups(10)
    plain = token_budget(model, groups, Scorer(path, None))
    rounded = token_budget(model, groups, Scorer(path, torch.bfloat16))
    copies = sum(p.numel() * 2 for name, p in model.named_parameters() if "proj" in name)
    assert rounded.fixed_bytes >= copies
    assert rounded.bytes_per_token < 0.55 * plain.bytes_per_token


def _wide() -> PreTrainedModel:
    return made("LlamaConfig", **(SHAPE | {"hidden_size": 128, "intermediate_size": 1536, "num_hidden_layers": 1}))()


def test_a_measurement_leaves_no_gradients_behind() -> None:
    model = ARCHITECTURES["qwen2"]()
    token_budget(model, _groups(10), Scorer())
    assert all(p.grad is None for p in model.parameters())
    torch.autograd.backward(sequence_logps(model, build_batch(_groups(2)[:2], "tree", CPU)).logp.sum())
    assert any(p.grad is not None for p in model.parameters())  # and does not take later ones away


def test_checkpointing_layers_keeps_less() -> None:
    model, groups = ARCHITECTURES["llama"](), _groups(10)
    plain = measure(model, groups[:10], Scorer())
    checkpoint_layers(model)
    assert measure(model, groups[:10], Scorer()).kept < plain.kept / 2
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_smaller_sample_is_smaller(count: int) -> None:
    sample = [ScoredGroup(tuple(range(40)), ((1, 2, 3), (4,)), 0)] * count
    less = smaller(sample)
    assert less is not None
    assert 0 < sum(group.tokens for group in less) <= 0.6 * sum(group.tokens for group in sample)
    assert smaller([ScoredGroup((1,), ((2,),), 0)]) is None


@pytest.mark.parametrize("path", ["tree", "padded"])
def test_less_free_memory_gives_a_smaller_budget(path: BatchPath, monkeypatch: pytest.MonkeyPatch) -> None:
    model, groups = ARCHITECTURES["gpt2"](), _groups(20)
    scorer = Scorer(path)
    found = []
    for free in (10**12, 10**8, 10**7, 0):
        monkeypatch.setattr("tiebreak.engine.token_budget.free_bytes", lambda device, free=free: free)
        found.append(token_budget(model, groups, scorer))
    assert [b.tokens for b in found] == sorted((b.tokens for b in found), reverse=True)
    assert found[0].tokens == 4096
    assert found[-1].tokens == 256
    assert all(b.tokens & (b.tokens - 1) == 0 for b in found)


def _refusing(more_than: int, error: Exception, sizes: list[int]) -> Callable[..., Batch]:
    """`build_batch`, which fails for more groups than so many."""

    def build(groups: Sequence[ScoredGroup], *rest: Any) -> Batch:
        sizes.append(len(groups))
        if len(groups) > more_than:
            raise error
        return build_batch(groups, *rest)

    return build


OUT_OF_MEMORY = [
    (MemoryError(), False),
    (torch.OutOfMemoryError("CUDA out of memory."), False),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), False),
    (RuntimeError("could not create a memory object"), True),
    (RuntimeError(NO_PRIMITIVE), True),
]


@pytest.mark.parametrize(("error", "warned"), OUT_OF_MEMORY, ids=repr)
def test_a_group_that_does_not_fit_is_named_and_so_is_an_error_that_may_mean_something_else(
    error: Exception, warned: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, groups, sizes = ARCHITECTURES["gpt2"](), _groups(1), list[int]()
    monkeypatch.setattr("tiebreak.engine.token_budget.build_batch", _refusing(0, error, sizes))

    def measure() -> None:
        with pytest.raises(RunError, match=f"single example of {groups[0].tokens} tokens"):
            token_budget(model, groups, Scorer())

    with ThreadPoolExecutor(1) as thread:  # what a thread remembers would reach other tests
        thread.submit(measure).result()
    assert sizes == [1]
    assert [str(error) in record.getMessage() for record in caplog.records] == [True] * warned


@pytest.mark.parametrize(("error", "warned"), OUT_OF_MEMORY, ids=repr)
def test_fewer_groups_are_measured_where_memory_does_not_suffice_for_the_first(
    error: Exception, warned: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, groups, sizes = ARCHITECTURES["gpt2"](), _groups(6), list[int]()
    monkeypatch.setattr("tiebreak.engine.token_budget.build_batch", _refusing(2, error, sizes))
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(token_budget, model, groups, Scorer()).result()
    assert sizes == [6, 3, 1, 1]  # the last is half of the only group that fits
    assert 0 < found.measured_tokens < sum(group.tokens for group in groups[:6])
    assert len(caplog.records) == 2 * warned


def test_once_code_was_refused_another_thread_measures() -> None:
    """oneDNN refuses every new shape in the thread where memory once ran out while it made code."""
    model, groups, threads = ARCHITECTURES["gpt2"](), _groups(2), list[str]()
    model.register_forward_pre_hook(lambda *_: threads.append(threading.current_thread().name))

    def refused_before() -> str:
        assert unless_memory_runs_out(_refuse) is None
        token_budget(model, groups, Scorer())
        return threading.current_thread().name

    with ThreadPoolExecutor(1) as thread:
        here = thread.submit(refused_before).result()
    assert threads
    assert here not in threads


def _refuse() -> None:
    raise RuntimeError(NO_PRIMITIVE)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("bad")], ids=repr)
def test_other_errors_of_the_measurement_are_raised(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr("tiebreak.engine.token_budget.build_batch", _refusing(0, error, sizes))
    with pytest.raises(type(error)) as caught:
        token_budget(ARCHITECTURES["gpt2"](), _groups(6), Scorer())
    assert caught.value is error
    assert sizes == [6]


def test_a_live_reference_takes_its_share() -> None:
    model, groups = ARCHITECTURES["gpt2"](), _groups(5)
    alone = token_budget(model, groups, Scorer()).reserved_bytes
    size = sum(p.numel() * 4 for p in model.parameters())
    assert token_budget(model, groups, Scorer(), live_reference=True).reserved_bytes == alone + size


@pytest.mark.parametrize("name", ["gpt2", "qwen2", "llama"])
@pytest.mark.parametrize("path", ["tree", "padded"])
def test_the_gradient_does_not_depend_on_the_budget(name: str, path: BatchPath) -> None:
    """Budgets from one pair to all, in float32, within 1e-6 of the gradient's norm."""
    groups = _groups(16)[:16]

    def gradient(tokens: int) -> torch.Tensor:
        model = ARCHITECTURES[name]()
        for part in split(groups, tokens, path):
            batch = build_batch([groups[i] for i in part], path, CPU)
            torch.autograd.backward(sequence_logps(model, batch).logp.sum() / len(groups))
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    torch.manual_seed(0)
    expected = gradient(1)
    for tokens in (16, 40, 100, 300, 10**6):
        torch.manual_seed(0)
        assert torch.norm(gradient(tokens) - expected) <= 1e-6 * torch.norm(expected)
