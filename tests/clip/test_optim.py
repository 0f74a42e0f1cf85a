"""The released schedule and decay groups, and the moving average."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pmcoa_build.clip import optim


def test_the_schedule_and_decay_groups_are_the_released_ones() -> None:
    rates = [optim.learning_rate(at, 100, 2.0, 10) for at in range(100)]
    assert rates[:3] == pytest.approx([0.2, 0.4, 0.6])
    assert max(rates) == rates[9] == rates[10] == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert rates[99] < 0.001
    assert not any(optim.decays(name, 2) for name in ("visual.bn1.weight", "ln_final.weight", "a.bias", "logit_scale"))
    assert not optim.decays("text_encoder.embeddings.LayerNorm.weight", 1)
    assert optim.decays("text_projection", 2)


def test_adamw_is_fused_and_leaves_out_what_is_not_trained() -> None:
    model = nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    optimiser = optim.adamw(model, 0.1, 0.2)
    assert [(group["params"], group["weight_decay"]) for group in optimiser.param_groups] == [
        ([], 0.0), ([model.weight], 0.2),
    ]
    assert all(group["fused"] and group["betas"] == (0.9, 0.999) for group in optimiser.param_groups)


def test_the_moving_average_follows_numbers_and_copies_counts() -> None:
    model = nn.BatchNorm1d(1)
    average = optim.moving_average(model, 0.75)
    for weight, mean, count in ((4.0, 1.0, 7), (8.0, 2.0, 9)):
        model.weight.data.fill_(weight)
        model.running_mean.fill_(mean)  # type: ignore[union-attr]
        model.num_batches_tracked.fill_(count)  # type: ignore[union-attr]
        average.update_parameters(model)
    state = average.module.state_dict()  # begins as what the first step left
    assert state["weight"] == torch.tensor([5.0])
    assert state["running_mean"] == torch.tensor([1.25])
    assert state["num_batches_tracked"] == 9
