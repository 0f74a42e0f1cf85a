"""One optimiser step's gradients, on one or many processes, in one or many micro-batches.

Accumulation keeps the contrastive batch whole (GradCache, arXiv 2101.06983): features of all micro-batches first,
the loss and its gradient at the features, then each micro-batch again to carry that gradient into the weights.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pmcoa_build.clip import loss
from pmcoa_build.clip.data import Batch
from pmcoa_build.clip.images import normalise
from pmcoa_build.clip.parallel import frozen_statistics, not_averaged, unwrapped

Scale = Callable[[Tensor], Tensor]
"""Multiplies a loss before its backward pass: the fp16 gradient scaler, else identity."""


def backward(model: nn.Module, micros: Sequence[Batch], device: torch.device, precision: torch.dtype,
             scale: Scale) -> dict[str, Tensor]:
    """Add the gradients of 0.5 ITC + 0.5 MLM over all micro-batches of all processes to `.grad` (their mean).

    `model`: a PMCCLIP, or on several processes what `parallel.distributed` made of it; equal micro-batches.
    Returns detached scalars `contrastive` (of this process) and `mlm` (its share: shares average over processes).
    """
    count = _all_sum(sum((micro.labels != loss.IGNORE).sum() for micro in micros).to(device))
    per_label = loss.world_size() / count.clamp(min=1)
    forward = _Forward(model, device, precision)
    if len(micros) > 1:
        return _accumulated(forward, micros, per_label, scale)
    image, text, fused, labels = forward(model, micros[0])
    itc = loss.contrastive(image, text, forward.plain.logit_scale.exp())
    mlm = forward.nll(fused, labels) * per_label
    torch.autograd.backward(scale(loss.WEIGHTS["contrastive"] * itc + loss.WEIGHTS["mlm"] * mlm))
    return {"contrastive": itc.detach(), "mlm": mlm.detach()}


class _Forward:
    """A forward pass under the wanted precision, from pixels and ids on the CPU. `plain`: the PMCCLIP itself."""

    def __init__(self, model: nn.Module, device: torch.device, precision: torch.dtype) -> None:
        self.model, self.plain, self.device, self.precision = model, unwrapped(model), device, precision

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)

    def __call__(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pixels, ids = (part.to(self.device, non_blocking=True) for part in (batch.pixels, batch.ids))
        with self._autocast():
            return (*model(normalise(pixels), ids), batch.labels)

    def nll(self, fused: Tensor, labels: Tensor) -> Tensor:
        with self._autocast():
            return loss.masked_nll_sum(fused, self.plain.mlm_projection, labels)


def _accumulated(forward: _Forward, micros: Sequence[Batch], per_label: Tensor, scale: Scale) -> dict[str, Tensor]:
    states: list[Any] = []
    features: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad(), frozen_statistics(forward.plain):
        for micro in micros:
            states.append(_random_state(forward.device))
            features.append(forward(forward.plain, micro)[:2])
    image, text = (torch.cat(part).float().requires_grad_() for part in zip(*features, strict=True))
    temperature = forward.plain.logit_scale.detach().exp().requires_grad_()
    itc = loss.contrastive(image, text, temperature)
    torch.autograd.backward(scale(loss.WEIGHTS["contrastive"] * itc))
    assert image.grad is not None and text.grad is not None and temperature.grad is not None
    mlm = torch.zeros((), device=forward.device)
    size = len(micros[0].ids)
    for at, (micro, state) in enumerate(zip(micros, states, strict=True)):
        _set_random_state(state)  # the same dropout as in the first pass
        part = slice(at * size, (at + 1) * size)
        last = at == len(micros) - 1
        with contextlib.nullcontext() if last else not_averaged(forward.model):
            image_part, text_part, fused, labels = forward(forward.model, micro)
            share = forward.nll(fused, labels) * per_label
            carried = (image_part.float() * image.grad[part]).sum() + (text_part.float() * text.grad[part]).sum()
            if last:
                carried = carried + forward.plain.logit_scale.exp() * temperature.grad
            torch.autograd.backward(carried + scale(loss.WEIGHTS["mlm"] * share))
        mlm += share.detach()
    return {"contrastive": itc.detach(), "mlm": mlm}


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
