"""Fine-tuning: the whole image tower and a linear head, as the paper scores MedMNIST.

The paper does not give its settings; these are ours.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.clip.benchmarks.measures import Task, auc_and_accuracy
from pmcoa_build.clip.benchmarks.probe import mean_loss, to_scores
from pmcoa_build.clip.benchmarks.squares import squares
from pmcoa_build.clip.benchmarks.store import Say
from pmcoa_build.clip.images import normalise
from pmcoa_build.clip.optim import adamw, learning_rate

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn
    from torch.optim import Optimizer

BATCH = 64
LEARNING_RATE = 1e-4
WEIGHT_DECAY = 0.05
WARMUP = 0.05
"""Share of the steps over which the rate rises; then it falls as a cosine."""
CROP_AREA = 0.6
"""Training sees a random square of 0.6 to 1 of the picture. No flips: some labels say left and right."""
EPOCHS, LEAST_EPOCHS, IMAGES = 100, 10, 1_000_000
"""Passes over the training split: at most 100, fewer where that is more than a million images, at least 10."""

Split = tuple[NDArray[np.uint8], NDArray[np.int64]]
Predict = Callable[[NDArray[np.uint8]], NDArray[np.floating]]


def fine_tune(net: Any, train: Split, val: Split, classes: int, task: Task, *, seed: int, say: Say) -> Predict:
    """Train a copy of the image tower with a new head; gives scores (N, C) by the epoch of the best validation AUC.

    Equal AUC, or none where a label is missing in `val`: the epoch of the best accuracy, then the earlier one.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    model, size = _with_head(net, classes, generator), net.config.vision_cfg.image_size
    epochs = min(EPOCHS, max(LEAST_EPOCHS, IMAGES // len(train[0])))
    optimiser = adamw(model, LEARNING_RATE, WEIGHT_DECAY)
    best: tuple[tuple[float, float], dict[str, Tensor]] | None = None
    for epoch in range(1, epochs + 1):
        _epoch(model, optimiser, train, task, size=size, generator=generator, epoch=epoch - 1, epochs=epochs)
        auc, accuracy = auc_and_accuracy(val[1], _predict(model, val[0], size, task), task)
        reached = (0.0 if np.isnan(auc) else auc, accuracy)
        if best is None or reached > best[0]:
            best = (reached, copy.deepcopy(model.state_dict()))
        if epoch == 1 or epoch % max(1, epochs // 10) == 0:
            say(f"epoch {epoch} of {epochs}, validation AUC {auc:.3f}, accuracy {accuracy:.3f}")
    assert best is not None
    model.load_state_dict(best[1])
    return lambda images: _predict(model, images, size, task)


def _epoch(model: nn.Sequential, optimiser: Optimizer, split: Split, task: Task, *, size: int,
           generator: Generator, epoch: int, epochs: int) -> None:
    """One pass in batches of about 64, at the learning rates of its place among `epochs`."""
    import torch

    images, labels = split
    device = next(model.parameters()).device
    batches = max(1, len(images) // BATCH)
    steps = batches * epochs
    model.train()
    for at, batch in enumerate(np.array_split(torch.randperm(len(images), generator=generator).numpy(), batches)):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(epoch * batches + at, steps, LEARNING_RATE, max(1, int(steps * WARMUP)))
        pixels = _crops(squares(images[batch], size, device), generator)
        loss = mean_loss(_logits(model, pixels), torch.from_numpy(labels[batch]).to(device), task)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _with_head(net: Any, classes: int, generator: Generator) -> nn.Sequential:
    import torch

    width = net.config.embed_dim
    head = torch.nn.Linear(width, classes)
    torch.nn.init.normal_(head.weight, std=width**-0.5, generator=generator)
    torch.nn.init.zeros_(head.bias)
    return torch.nn.Sequential(copy.deepcopy(net.visual), head).to(net.logit_scale.device).requires_grad_()


def _logits(model: nn.Sequential, pixels: Tensor) -> Tensor:
    """Of squares (B, S, S, 3), 0 to 255; in bfloat16 on a GPU that has it."""
    import torch

    half = pixels.is_cuda and torch.cuda.is_bf16_supported()
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=half):
        logits: Tensor = model(normalise(pixels))
    return logits.float()


def _predict(model: nn.Sequential, images: NDArray[np.uint8], size: int, task: Task) -> NDArray[np.floating]:
    import torch

    device = next(model.parameters()).device
    model.eval()
    parts = []
    with torch.inference_mode():
        for at in range(0, len(images), BATCH):
            logits = _logits(model, squares(images[at : at + BATCH], size, device))
            parts.append(to_scores(logits, task).cpu().numpy())
    return np.concatenate(parts)


def _crops(pixels: Tensor, generator: Generator) -> Tensor:
    """A random square part of each picture (B, S, S, 3), at its size."""
    import torch
    import torch.nn.functional as F

    draws = torch.rand(3, len(pixels), generator=generator).to(pixels.device)
    side = (CROP_AREA + (1 - CROP_AREA) * draws[0]).sqrt()
    theta = torch.zeros(len(pixels), 2, 3, device=pixels.device)
    theta[:, 0, 0] = theta[:, 1, 1] = side
    theta[:, :, 2] = ((2 * draws[1:] - 1) * (1 - side)).T
    planes = pixels.permute(0, 3, 1, 2)
    grid = F.affine_grid(theta, list(planes.shape), align_corners=False)
    return F.grid_sample(planes, grid, align_corners=False, padding_mode="border").permute(0, 2, 3, 1)
