"""AUC and accuracy as MedMNIST's own `Evaluator` gives them (medmnist 3.0, `getAUC` and `getACC`). Numpy only."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Task = Literal["multi-class", "binary-class", "multi-label, binary-class", "ordinal-regression"]
THRESHOLD = 0.5


def auc_and_accuracy(labels: NDArray[Any], scores: NDArray[np.floating], task: Task) -> tuple[float, float]:
    """Of scores (N, C) and labels (N,), or (N, C) of 0 and 1 for "multi-label, binary-class".

    `auc`: of the last column where the task is binary; else the mean over columns, each against the rest, NaN where a
    column has only positives or only negatives. `accuracy`: of the largest score; binary tasks at 0.5, the mean over
    labels.
    """
    truth = labels if task == "multi-label, binary-class" else labels[:, None] == np.arange(scores.shape[1])
    if task == "binary-class":
        truth, scores = truth[:, -1:], scores[:, -1:]
    auc = float(np.mean([_auc(own, column) for own, column in zip(truth.T, scores.T, strict=True)]))
    if task in ("binary-class", "multi-label, binary-class"):
        return auc, float(np.mean((scores > THRESHOLD) == truth.astype(bool)))
    return auc, float(np.mean(scores.argmax(1) == labels))


def _auc(truth: NDArray[Any], scores: NDArray[np.floating]) -> float:
    """The chance that a positive has the higher score, ties counted half."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2
    return float((rank[place][truth.astype(bool)].sum() - positives * (positives + 1) / 2) / (positives * negatives))
