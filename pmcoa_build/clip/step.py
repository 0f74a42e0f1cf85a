"""One optimiser step's gradients, on one or many processes, in one or many micro-batches.

Accumulation keeps the contrastive batch whole (GradCache, arXiv 2101.06983): features of all micro-batches first,
the loss and its gradient at the features, then each micro-batch again to carry that gradient into the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pmcoa_build.clip import loss
from pmcoa_build.clip.data import Batch
from pmcoa_build.clip.images import normalise
from pmcoa_build.clip.model import PMCCLIP

Scale = Callable[[Tensor], Tensor]
"""Multiplies a loss before its backward pass: the fp16 gradient scaler, else identity."""


def backward(model: PMCCLIP, micros: Sequence[Batch], device: torch.device, precision: torch.dtype,
             scale: Scale) -> dict[str, Tensor]:
    """Add the gradients of 0.5 ITC + 0.5 MLM over all micro-batches of all processes to `.grad` (their mean).

    Returns detached scalars `contrastive` (of this process) and `mlm` (its share: shares average over processes).
    """
    count = _all_sum(sum((micro.labels != loss.IGNORE).sum() for micro in micros).to(device))
    per_label = loss.world_size() / count.clamp(min=1)
    forward = _Forward(model, device, precision)
    if len(micros) == 1:
        image, text, fused, labels = forward(micros[0])
        itc = loss.contrastive(image, text, model.logit_scale.exp())
        mlm = forward.nll(fused, labels) * per_label
        torch.autograd.backward(scale(loss.WEIGHTS["contrastive"] * itc + loss.WEIGHTS["mlm"] * mlm))
        itc, mlm = itc.detach(), mlm.detach()
    else:
        itc, mlm = _accumulated(model, micros, forward, per_label, scale)
    average_gradients(model)
    return {"contrastive": itc, "mlm": mlm}


class _Forward:
    """A forward pass under the wanted precision, from pixels and ids on the CPU."""

    def __init__(self, model: PMCCLIP, device: torch.device, precision: torch.dtype) -> None:
        self.model, self.device, self.precision = model, device, precision

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        parts = (batch.pixels, batch.ids, batch.labels)
        pixels, ids, labels = (part.to(self.device, non_blocking=True) for part in parts)
        with self._autocast():
            return (*self.model(normalise(pixels), ids), labels)

    def nll(self, fused: Tensor, labels: Tensor) -> Tensor:
        with self._autocast():
            return loss.masked_nll_sum(fused, self.model.mlm_projection, labels)


def _accumulated(model: PMCCLIP, micros: Sequence[Batch], forward: _Forward, per_label: Tensor,
                 scale: Scale) -> tuple[Tensor, Tensor]:
    states: list[Any] = []
    features: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad(), _frozen_statistics(model):
        for micro in micros:
            states.append(_random_state(forward.device))
            features.append(forward(micro)[:2])
    image, text = (torch.cat(part).float().requires_grad_() for part in zip(*features, strict=True))
    itc = loss.contrastive(image, text, model.logit_scale.exp())
    torch.autograd.backward(scale(loss.WEIGHTS["contrastive"] * itc))
    assert image.grad is not None and text.grad is not None
    mlm = torch.zeros((), device=forward.device)
    size = len(micros[0].ids)
    for at, (micro, state) in enumerate(zip(micros, states, strict=True)):
        _set_random_state(state)  # the same dropout as in the first pass
        part = slice(at * size, (at + 1) * size)
        image_part, text_part, fused, labels = forward(micro)
        share = forward.nll(fused, labels) * per_label
        carried = (image_part.float() * image.grad[part]).sum() + (text_part.float() * text.grad[part]).sum()
        torch.autograd.backward(carried + scale(loss.WEIGHTS["mlm"] * share))
        mlm += share.detach()
    return itc.detach(), mlm


class _frozen_statistics:
    """Batch-norm's running statistics stay as they are inside: the first of two passes must not count."""

    def __init__(self, model: nn.Module) -> None:
        self.norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        self.momenta = [norm.momentum for norm in self.norms]

    def __enter__(self) -> None:
        for norm in self.norms:
            norm.momentum = 0.0

    def __exit__(self, *_: object) -> None:
        for norm, momentum in zip(self.norms, self.momenta, strict=True):
            norm.momentum = momentum


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(state: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1])


def _all_sum(value: Tensor) -> Tensor:
    if loss.world_size() > 1:
        torch.distributed.all_reduce(value)
    return value


def average_gradients(model: nn.Module) -> None:
    """Mean of `.grad` over the processes, in one message; parameters that no loss reaches are left out."""
    if loss.world_size() == 1:
        return
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= loss.world_size()
    means = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view_as(gradient))
