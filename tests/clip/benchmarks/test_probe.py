"""The linear probe: at the least loss, with the decay that the validation split asks for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pmcoa_build.clip.benchmarks import probe
from pmcoa_build.clip.benchmarks.measures import Task

TASKS: tuple[Task, ...] = ("multi-class", "multi-label, binary-class")


def drawn(task: Task, noise: float, seed: int = 0, n: int = 150) -> probe.Split:
    """Features whose first three columns say the labels."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 12)).astype(np.float32) * 3 + 5
    says = features[:, :3] - 5 + rng.normal(size=(n, 3)) * noise
    return features, (says > 0).astype(np.int64) if "label" in task else says.argmax(1)


@pytest.mark.parametrize("task", TASKS)
def test_a_fit_is_where_the_loss_has_no_slope(task: Task) -> None:
    train, val = drawn(task, 3.0), drawn(task, 3.0, seed=1)
    fitted = probe.fit(train, val, 3, task, torch.device("cpu"))
    assert fitted.decay in probe.DECAYS
    weight, bias = fitted.weight.clone().requires_grad_(), fitted.bias.clone().requires_grad_()
    points = (torch.from_numpy(train[0]) - fitted.mean) / fitted.deviation
    loss = probe.mean_loss(points @ weight + bias, torch.from_numpy(train[1]), task)
    (loss + fitted.decay * weight.square().sum()).backward()
    assert weight.grad is not None and bias.grad is not None
    assert max(weight.grad.abs().max(), bias.grad.abs().max()) < 1e-3


@pytest.mark.parametrize("task", TASKS)
def test_noise_asks_for_more_decay(task: Task) -> None:
    decays = [probe.fit(drawn(task, noise, n=40), drawn(task, noise, seed=1), 3, task, torch.device("cpu")).decay
              for noise in (0.0, 30.0)]
    assert decays[0] < decays[1]


@pytest.mark.parametrize("task", TASKS)
def test_scores_are_probabilities_of_new_features(task: Task) -> None:
    fitted = probe.fit(drawn(task, 0.1), drawn(task, 0.1, seed=1), 3, task, torch.device("cpu"))
    features, labels = drawn(task, 0.1, seed=2)
    scores = fitted.scores(features)
    guessed = scores > 0.5 if "label" in task else scores.argmax(1)
    assert scores.shape == (150, 3) and scores.min() >= 0 and scores.max() <= 1
    assert (guessed == labels).mean() > 0.9


def test_beside_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    train, val = drawn("multi-class", 3.0), drawn("multi-class", 3.0, seed=1)
    fitted = probe.fit(train, val, 3, "multi-class", torch.device("cpu"))
    mean, deviation = fitted.mean.numpy(), fitted.deviation.numpy()
    theirs = linear.LogisticRegression(C=1 / (2 * fitted.decay * len(train[0])), max_iter=5000, tol=1e-8)
    theirs.fit((train[0] - mean) / deviation, train[1])
    assert fitted.scores(val[0]) == pytest.approx(theirs.predict_proba((val[0] - mean) / deviation), abs=2e-3)
