"""A linear probe: logistic regression on frozen features (arXiv 2103.00020, section 3.2 and appendix A.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.clip.benchmarks.measures import Task

if TYPE_CHECKING:
    from torch import Tensor

DECAYS = tuple(10.0**power for power in range(0, -7, -1))
"""Factors of the squared weights in the mean loss, strongest first: each fit begins where the last one ended."""
_STEPS = 200

Split = tuple[NDArray[Any], NDArray[np.int64]]


@dataclass(frozen=True)
class Probe:
    """A fitted probe: features are shifted and scaled by the training split's, then weighed."""

    mean: Tensor
    deviation: Tensor
    weight: Tensor
    bias: Tensor
    decay: float
    task: Task

    def scores(self, features: NDArray[Any]) -> NDArray[np.floating]:
        """Probabilities (N, C) of features (N, D)."""
        import torch

        points = (torch.from_numpy(features).to(self.mean) - self.mean) / self.deviation
        found: NDArray[np.floating] = to_scores(points @ self.weight + self.bias, self.task).cpu().numpy()
        return found


def fit(train: Split, val: Split, classes: int, task: Task, device: Any) -> Probe:
    """Fit on (features (N, D), labels) of the training split, with the decay of the least loss on `val`."""
    import torch

    features = torch.from_numpy(train[0]).to(device)
    mean, deviation = features.mean(0), features.std(0).clamp(min=1e-6)
    points = ((features - mean) / deviation, torch.from_numpy(train[1]).to(device))
    held = ((torch.from_numpy(val[0]).to(device) - mean) / deviation, torch.from_numpy(val[1]).to(device))
    weight = torch.zeros(features.shape[1], classes, device=device)
    bias = torch.zeros(classes, device=device)
    best: tuple[float, Probe] | None = None
    for decay in DECAYS:
        weight, bias = _minimise(weight, bias, *points, decay, task)
        loss = float(mean_loss(held[0] @ weight + bias, held[1], task))
        if best is None or loss < best[0]:
            best = (loss, Probe(mean, deviation, weight, bias, decay, task))
    assert best is not None
    return best[1]


def _minimise(weight: Tensor, bias: Tensor, points: Tensor, labels: Tensor, decay: float,
              task: Task) -> tuple[Tensor, Tensor]:
    """Weights and bias of the least loss, from a start, by L-BFGS; the loss is convex."""
    import torch

    weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe",
                                  tolerance_grad=1e-6, tolerance_change=1e-9)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = mean_loss(points @ weight + bias, labels, task) + decay * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


def mean_loss(logits: Tensor, labels: Tensor, task: Task) -> Tensor:
    """Cross-entropy of logits (N, C), or of each label alone where an image may have several."""
    import torch.nn.functional as F

    if task == "multi-label, binary-class":
        return F.binary_cross_entropy_with_logits(logits, labels.float())
    return F.cross_entropy(logits, labels)


def to_scores(logits: Tensor, task: Task) -> Tensor:
    """Probabilities (N, C) of logits."""
    return logits.sigmoid() if task == "multi-label, binary-class" else logits.softmax(-1)
