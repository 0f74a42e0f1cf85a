"""AUC and accuracy: by hand, by counting pairs, and beside MedMNIST's own package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.clip.benchmarks.measures import Task, auc_and_accuracy

TASKS: tuple[Task, ...] = ("multi-class", "binary-class", "multi-label, binary-class", "ordinal-regression")


@pytest.mark.parametrize(("labels", "scores", "task", "auc", "accuracy"), [
    ([0, 0, 1, 1], [[.9, .1], [.6, .4], [.65, .35], [.2, .8]], "binary-class", 3 / 4, 3 / 4),
    ([0, 1], [[.5, .5], [.5, .5]], "binary-class", 1 / 2, 1 / 2),  # 0.5 is not above the threshold
    ([0, 1, 2], [[.8, .1, .1], [.1, .8, .1], [.5, .3, .2]], "multi-class", 1, 2 / 3),
    ([0, 1, 1], [[.4, .6], [.3, .7], [.6, .4]], "ordinal-regression", 1 / 2, 1 / 3),
    ([[1, 0], [0, 1], [0, 0]], [[.9, .8], [.2, .9], [.6, .1]], "multi-label, binary-class", 1, 4 / 6),
])
def test_by_hand(labels: Any, scores: Any, task: Task, auc: float, accuracy: float) -> None:
    assert auc_and_accuracy(np.array(labels), np.array(scores), task) == pytest.approx((auc, accuracy))


TIED = st.lists(st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9]), min_size=4, max_size=30)


@given(scores=TIED, positives=st.sampled_from([1, 2, 3]))
def test_auc_counts_the_pairs_in_order_and_ties_half(scores: list[float], positives: int) -> None:
    labels = np.arange(len(scores)) < positives
    pairs = [(a > b) + (a == b) / 2 for a in scores[:positives] for b in scores[positives:]]
    table = np.stack([1 - np.array(scores), scores], 1)
    assert auc_and_accuracy(labels.astype(int), table, "binary-class")[0] == pytest.approx(np.mean(pairs))


def drawn(task: Task, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels as MedMNIST stores them and scores, some of them tied."""
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(30, 200)), 2 if task == "binary-class" else int(rng.integers(2, 14))
    scores = rng.random((n, classes)).astype(np.float32).round(2 if seed % 2 else 7)
    if task == "multi-label, binary-class":
        return rng.integers(0, 2, (n, classes)), scores
    return rng.integers(0, classes, (n, 1)), (scores + 0.01) / (scores + 0.01).sum(1, keepdims=True)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("task", TASKS)
def test_beside_the_package_medmnist(
    task: Task, seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # it makes a folder there when it is imported
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: medmnist's evaluator needs it")
    evaluator = pytest.importorskip("medmnist.evaluator", reason="the package medmnist is not installed")
    labels, scores = drawn(task, seed)
    ours = auc_and_accuracy(labels if "label" in task else labels[:, 0], scores, task)
    assert ours == pytest.approx((evaluator.getAUC(labels, scores, task), evaluator.getACC(labels, scores, task)))


def test_a_label_that_is_never_seen_has_no_auc() -> None:
    auc, accuracy = auc_and_accuracy(np.array([0, 1, 1]), np.eye(3)[[0, 1, 1]], "multi-class")
    assert np.isnan(auc) and accuracy == 1
