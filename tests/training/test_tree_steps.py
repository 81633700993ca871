"""Steps: no backward pass where a loss is flat or completions only inform it; the router loss of mixtures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES
from tests.engine.test_router_loss import BY_TREE, MIXTURES, own_loss
from tests.training.small import examples_of, preference_trainer, tokenized_pairs, weights_of, word_tokenizer
from tiebreak.engine.microbatch import BatchPath
from tiebreak.engine.score import Scorer
from tiebreak.objectives import configured
from tiebreak.recipe import TrainSection
from tiebreak.tasks import TASKS
from tiebreak.training.arguments import length_of, training_arguments
from tiebreak.training.examples import Example, Examples, Groups
from tiebreak.training.laid_out import LaidOut
from tiebreak.training.preference import PreferenceTrainer
from tiebreak.training.unpaired import UnpairedTrainer

Gradients = dict[str, torch.Tensor]


def _gradients(model: PreTrainedModel) -> Gradients:
    return {path: p.grad.clone() for path, p in model.named_parameters() if p.grad is not None}


def _alike(found: Gradients, expected: Gradients, tolerance: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    norm = torch.stack([slope.norm() for slope in expected.values()]).norm()
    apart = torch.stack([(found[path] - slope).norm() for path, slope in expected.items()]).norm()
    assert apart <= tolerance * norm


def _moved(model: PreTrainedModel) -> PreTrainedModel:
    """Away from the reference, where many gradients vanish."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def _unskipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiebreak.training.tree_steps.is_flat", lambda slope: False)


def _hinge(folder: Path, budget: int, *, flat: int, steps: int = 1) -> PreferenceTrainer:
    """A trainer of eight pairs a step, of whose first ones the hinge is far beyond its margin."""
    trainer = preference_trainer(
        ARCHITECTURES["llama"](),
        tokenized_pairs(8),
        folder,
        scorer=Scorer(budget=budget),
        objective=configured("hinge", {"beta": 0.5}),
        batch_size=8,
        max_steps=steps,
        epochs=steps,
        learning_rate=1e-3,
        weight_decay=0.1,
        shuffle=False,
    )
    reference = examples_of(trainer).reference
    assert reference is not None
    reference.logp[:flat, 0] -= 1000
    return trainer


@pytest.mark.parametrize(("flat", "budget"), [(0, 1), (3, 1), (3, 60), (7, 1), (8, 1), (8, 60), (8, 10_000)])
def test_a_flat_loss_needs_no_backward_pass_and_the_gradients_are_the_same_to_the_bit(
    flat: int, budget: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for way in ("skipped", "computed"):
        if way == "computed":
            _unskipped(monkeypatch)
        trainer = _hinge(tmp_path / way, budget, flat=flat)
        model: Any = trainer.model
        loss = trainer.training_step(model, {"examples": [examples_of(trainer)[i] for i in range(8)]})
        found.append((loss, _gradients(model), trainer.backward_tokens, trainer.tokens))
    (loss, slopes, few, tokens), (usual_loss, usual, every, same) = found
    assert torch.equal(loss, usual_loss)
    assert slopes.keys() == usual.keys()
    assert all(torch.equal(slopes[path], usual[path]) for path in usual)
    assert tokens == same == every
    if flat == 8:
        assert few == 0
    elif budget == 1:
        alone = [examples_of(trainer)[i].group for i in range(flat, 8)]
        assert few <= sum(group.tokens for group in alone) < every or flat == 0


def _flat_in_the_second_step(trainer: PreferenceTrainer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tokens of the backward passes of each step, once it is trained."""
    backward: list[int] = []
    taken: Any = trainer._step

    def step(model: Any, examples: list[Example], laid_out: LaidOut) -> torch.Tensor:
        if len(backward) == 1:
            examples = [Example(e.group, e.weight, (-10_000.0, e.reference[1])) for e in examples]
        loss: torch.Tensor = taken(model, examples, laid_out)
        backward.append(trainer.backward_tokens)
        return loss

    monkeypatch.setattr(trainer, "_step", step)
    return backward


def test_weights_move_as_before_where_some_steps_are_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Momentum and weight decay move them in a step whose gradient is zero too."""
    found = []
    for way in ("skipped", "computed"):
        if way == "computed":
            _unskipped(monkeypatch)
        trainer = _hinge(tmp_path / way, 60, flat=0, steps=3)
        backward = _flat_in_the_second_step(trainer, monkeypatch)
        trainer.train()
        model: Any = trainer.model
        found.append((weights_of(model), backward))
    (mine, skipped), (usual, computed) = found
    assert all(torch.equal(mine[name], usual[name]) for name in usual)
    assert skipped[1] == 0
    assert skipped[0] == computed[0] == computed[1] > 0


def _kto(folder: Path, budget: int, path: BatchPath = "tree", *, prompt: int = 3) -> UnpairedTrainer:
    draw = torch.Generator().manual_seed(1)

    def ids(n: int) -> list[int]:
        return torch.randint(3, 61, (n,), generator=draw).tolist()

    rows = [
        {
            "prompt_ids": ids(prompt),
            "completion_ids": ids(4 + i),
            "mismatched_ids": ids(9 - i),
            "weight": 1.0,
            "row": i,
            "label": i % 2 == 0,
        }
        for i in range(6)
    ]
    model = ARCHITECTURES["llama"]()
    section = TrainSection(learning_rate=1e-3, batch_size=6)
    trainer = UnpairedTrainer(
        model,
        training_arguments(section, length_of(section, 6), output=folder, device="cpu", held_out=False),
        scorer=Scorer(path, budget=budget),
        train=Examples(Groups(Dataset.from_list(rows), TASKS["unpaired"])),
        held_out=None,
        tokenizer=word_tokenizer(),
        objective=configured("kto", {"beta": 0.5}),
        reference=lambda batch: torch.linspace(-30, -20, batch.sequences),
    )
    _moved(model)
    return trainer


def _kto_step(folder: Path, budget: int, path: BatchPath = "tree", **settings: Any) -> tuple[Any, UnpairedTrainer]:
    trainer = _kto(folder, budget, path, **settings)
    examples: Any = trainer.train_dataset
    step = [Example(examples[i].group, 1.0, (-20.0 - i, -30.0 + i), desirable=examples[i].desirable) for i in range(6)]
    model: Any = trainer.model
    loss = trainer.training_step(model, {"examples": step})
    return (loss.item(), _gradients(model), trainer._means.take()), trainer


def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mismatched completions are trained with all others, as if they had a slope."""
    monkeypatch.setattr(UnpairedTrainer, "informing", ())


@pytest.mark.parametrize("path", ["tree", "padded"])
@pytest.mark.parametrize("budget", [1, 40, 10_000])
def test_mismatched_completions_are_scored_without_gradients(
    budget: int, path: BatchPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (loss, slopes, means), trainer = _kto_step(tmp_path / "apart", budget, path)
    own = [(3, 4 + i) for i in range(6)]
    if path == "tree":
        assert trainer.backward_tokens <= sum(map(sum, own))
    elif budget == 1:
        assert trainer.backward_tokens == sum(map(sum, own))
    assert trainer.tokens > trainer.backward_tokens
    _as_before(monkeypatch)
    (usual_loss, usual, usual_means), together = _kto_step(tmp_path / "together", 10_000, path)
    assert loss == pytest.approx(usual_loss, rel=1e-5)
    assert means == pytest.approx(usual_means, rel=1e-4, abs=1e-5)
    _alike(slopes, usual)
    assert together.backward_tokens > trainer.backward_tokens


def test_mismatched_completions_stay_where_leaving_them_out_is_more_work(tmp_path: Path) -> None:
    """With a long prompt, which would be computed twice."""
    _, trainer = _kto_step(tmp_path, 10_000, prompt=60)
    assert trainer.backward_tokens == trainer.tokens
    _, several = _kto_step(tmp_path / "several", 1, prompt=60)  # scored first in any case
    assert several.backward_tokens < several.tokens / 2


def test_a_whole_step_that_is_flat_has_gradients_all_the_same(tmp_path: Path) -> None:
    trainer = _kto(tmp_path, 1)
    examples: Any = trainer.train_dataset
    far = [
        Example(examples[i].group, 1.0, (-1e6 if i % 2 == 0 else 1e6, -30.0), desirable=i % 2 == 0) for i in range(6)
    ]
    model: Any = trainer.model
    trainer.training_step(model, {"examples": far})
    slopes = _gradients(model)
    assert slopes.keys() == {name for name, _ in model.named_parameters()}
    assert not any(slope.any() for slope in slopes.values())


# The router loss.


def _mixture_step(
    name: str, budget: int, folder: Path, path: BatchPath = "tree", *, added: bool = True, objective: str = "sigmoid"
) -> tuple[float, Gradients, dict[str, float], PreferenceTrainer]:
    make, known = MIXTURES[name]
    trainer = preference_trainer(
        make(),
        tokenized_pairs(6),
        folder,
        scorer=Scorer(path, budget=budget),
        batch_size=6,
        objective=configured(objective, {}),
    )
    trainer.router = known if added else None
    model: Any = trainer.model
    loss = trainer.training_step(_moved(model), {"examples": [examples_of(trainer)[i] for i in range(6)]})
    return loss.item(), _gradients(model), trainer._means.take(), trainer


@pytest.mark.parametrize("name", BY_TREE[:2] + BY_TREE[3:])
def test_the_router_loss_of_a_step_is_that_of_all_its_sequences_however_it_is_cut(name: str, tmp_path: Path) -> None:
    make, known = MIXTURES[name]
    loss, plain, without, trainer = _mixture_step(name, 10_000, tmp_path / "off", added=False)
    assert "aux_loss" not in without
    model = _moved(make())
    expected = own_loss(model, [examples_of(trainer)[i].group for i in range(6)], known.top_k)
    torch.autograd.backward(known.weight * expected)
    of_router = _gradients(model)
    assert of_router
    slopes = {path: slope + of_router.get(path, torch.zeros(())) for path, slope in plain.items()}
    ways: list[tuple[int, BatchPath]] = [
        (10_000, "tree"),
        (60, "tree"),
        (1, "tree"),
        (10_000, "padded"),
        (60, "padded"),
    ]
    for number, (budget, path) in enumerate(ways):
        found, others, means, _ = _mixture_step(name, budget, tmp_path / str(number), path)
        assert found == pytest.approx(loss, rel=1e-5)
        assert means.pop("aux_loss") == pytest.approx(expected.item(), rel=1e-5)
        assert means == pytest.approx(without, rel=1e-4, abs=1e-5)
        _alike(others, slopes, 2e-5)


def test_a_flat_loss_still_trains_the_routers(tmp_path: Path) -> None:
    make, known = MIXTURES["mixtral"]
    trainer = _hinge(tmp_path, 60, flat=8)
    trainer.model = _moved(make())
    trainer.router = known
    trainer.training_step(trainer.model, {"examples": [examples_of(trainer)[i] for i in range(8)]})
    assert any(slope.any() for slope in _gradients(trainer.model).values())


def test_mismatched_completions_are_not_in_the_router_loss(tmp_path: Path) -> None:
    make, known = MIXTURES["olmoe"]
    for budget in (1, 10_000):
        trainer = _kto(tmp_path / str(budget), budget, prompt=60)
        model: Any = _moved(make())
        trainer.model, trainer.router = model, known
        examples: Any = trainer.train_dataset
        step = [Example(examples[i].group, 1.0, (-20.0, -30.0), desirable=examples[i].desirable) for i in range(6)]
        trainer.training_step(model, {"examples": step})
        own = [trainer._trained(example.group) for example in step]
        assert [len(group.completions) for group in own] == [1] * 6
        assert trainer._means.take()["aux_loss"] == pytest.approx(own_loss(model, own, known.top_k).item(), rel=1e-5)


def test_held_out_metrics_have_no_router_loss(tmp_path: Path) -> None:
    make, known = MIXTURES["mixtral"]
    trainer = preference_trainer(make(), tokenized_pairs(6), tmp_path, held_out=tokenized_pairs(4, seed=2), max_steps=1)
    trainer.router = known
    assert "eval_aux_loss" not in trainer.measure()
