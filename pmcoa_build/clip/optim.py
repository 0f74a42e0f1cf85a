"""AdamW with the released code's decay groups, and its schedule: linear warm-up, then cosine to zero."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CLIP_NORM = 1.0
"""Largest gradient norm of a step."""
BETAS = (0.9, 0.999)
EPS = 1e-8


def decays(name: str, dimensions: int) -> bool:
    """Whether weight decay applies: not to biases, norms, vectors or the temperature (released `training/main.py`)."""
    return dimensions >= 2 and not any(part in name for part in ("bn", "ln", "bias", "logit_scale"))


def decay_groups(parameters: Iterable[tuple[str, Any]], weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups for AdamW, without and with decay; parameters that need no gradient are left out."""
    named = [(name, parameter) for name, parameter in parameters if parameter.requires_grad]
    return [
        {"params": [p for name, p in named if not decays(name, p.ndim)], "weight_decay": 0.0},
        {"params": [p for name, p in named if decays(name, p.ndim)], "weight_decay": weight_decay},
    ]


def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """The rate at a step counted from 0: linear to `peak` over `warmup` steps, then a cosine that ends at 0."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def adamw(model: torch.nn.Module, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the decay groups, fused: one pass over all parameters, on a GPU and on a CPU."""
    import torch

    return torch.optim.AdamW(decay_groups(model.named_parameters(), weight_decay), lr, BETAS, EPS, fused=True)


def moving_average(model: torch.nn.Module, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """A copy of the model that follows it, `decay` of the old a step (EMA); counts are copied, not averaged."""
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    fold: Any = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    def follow(averages: Any, current: Any, count: Any) -> None:
        if averages[0].is_floating_point():
            fold(averages, current, count)
        else:
            for average, value in zip(averages, current, strict=True):
                average.copy_(value)

    return AveragedModel(model, multi_avg_fn=follow, use_buffers=True)
