"""The metrics of pairs and of unpaired completions."""

from __future__ import annotations

import torch

from tests.objectives.logps import drawn_pairs, drawn_unpaired, pairs_of
from tiebreak.objectives import pair_metrics, unpaired_metrics


def test_metrics_have_the_names_that_the_ecosystem_knows() -> None:
    policy, reference = drawn_pairs(5), drawn_pairs(6)
    found = pair_metrics(policy, reference, beta=2.0)
    torch.testing.assert_close(found["rewards/margins"], found["rewards/chosen"] - found["rewards/rejected"])
    torch.testing.assert_close(found["rewards/chosen"], 2 * (policy.chosen - reference.chosen))
    assert set(found) == {
        *("rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins"),
        *("logps/chosen", "logps/rejected", "logps/accuracies"),
    }


def test_an_equal_margin_is_no_right_answer() -> None:
    pairs = drawn_pairs(7)
    assert pair_metrics(pairs, pairs, beta=0.1)["rewards/accuracies"].sum() == 0


def test_without_a_reference_a_reward_is_the_policys_own_log_prob() -> None:
    policy = drawn_pairs(8)
    found = pair_metrics(policy, None, beta=0.5)
    torch.testing.assert_close(found["rewards/chosen"], 0.5 * policy.chosen)
    torch.testing.assert_close(found["rewards/rejected"], 0.5 * policy.rejected)


def test_rewards_may_be_means_over_tokens_and_log_probs_stay_sums() -> None:
    policy, reference = drawn_pairs(9), drawn_pairs(10)
    found = pair_metrics(policy, None, beta=2.0, reward="mean")
    torch.testing.assert_close(found["rewards/chosen"], 2 * policy.mean_chosen)
    torch.testing.assert_close(found["rewards/rejected"], 2 * policy.mean_rejected)
    torch.testing.assert_close(found["logps/chosen"], policy.chosen)
    against = pair_metrics(policy, reference, beta=2.0, reward="mean")
    torch.testing.assert_close(against["rewards/chosen"], 2 * (policy.mean_chosen - reference.mean_chosen))


def test_accuracy_follows_the_reward_that_is_meant() -> None:
    long_and_fluent = pairs_of([-10.0], [-5.0])
    policy = type(long_and_fluent)(
        long_and_fluent.chosen, long_and_fluent.rejected, torch.tensor([20.0]), torch.tensor([2.0])
    )
    assert pair_metrics(policy, None, beta=1.0)["rewards/accuracies"] == 0
    assert pair_metrics(policy, None, beta=1.0, reward="mean")["rewards/accuracies"] == 1


def test_metrics_of_unpaired_completions_apply_to_their_own_label_only() -> None:
    policy, reference = drawn_unpaired(1), drawn_unpaired(2)
    found, good = unpaired_metrics(policy, reference, beta=0.5), policy.desirable
    assert set(found) == {"rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected", "kl"}
    for side, mask in (("chosen", good), ("rejected", ~good)):
        assert found[f"rewards/{side}"][~mask].isnan().all()
        assert found[f"logps/{side}"][~mask].isnan().all()
        torch.testing.assert_close(found[f"rewards/{side}"][mask], 0.5 * (policy.logp - reference.logp)[mask])
        torch.testing.assert_close(found[f"logps/{side}"][mask], policy.logp[mask])


def test_the_divergence_estimate_is_free_of_beta_and_not_clamped() -> None:
    policy, reference = drawn_unpaired(1), drawn_unpaired(2)
    found = unpaired_metrics(policy, reference, beta=7.0)["kl"]
    torch.testing.assert_close(found, policy.mismatched - reference.mismatched)
    assert (found < 0).any()


def test_metrics_keep_no_graph() -> None:
    pairs, unpaired = drawn_pairs(11, grad=True), drawn_unpaired(3, grad=True)
    for found in (pair_metrics(pairs, pairs, beta=1.0), unpaired_metrics(unpaired, unpaired, beta=1.0)):
        assert not any(value.requires_grad for value in found.values())
