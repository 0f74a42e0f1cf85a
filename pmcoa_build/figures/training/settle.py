"""Batch normalisation's means and variances, measured anew when training is over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.figures.network import fitted, padded

BATCH = 16


def settle(model: Any, images: Sequence[Path], side: int) -> None:
    """Set the running statistics of a float32 network to those of `images`, fitted to `side` pixels; in place.

    What training leaves follows its last few batches, each of figures of one shape: with it, F1 at IoU 0.75 on drawn
    figures was 0.50, with settled statistics 0.75.
    """
    import torch

    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over all batches
    figures = sorted((_read(path, side) for path in images), key=lambda figure: figure.shape[0] / figure.shape[1])
    model.train()
    for start in range(0, len(figures), BATCH):
        part = figures[start : start + BATCH]
        height, width = (-(-max(figure.shape[axis] for figure in part) // 32) * 32 for axis in (0, 1))
        batch = np.concatenate([padded(figure, height, width)[0] for figure in part])
        with torch.no_grad():
            model(torch.from_numpy(batch))
    model.eval()
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _read(path: Path, side: int) -> np.ndarray:
    import cv2

    return fitted(np.asarray(cv2.imread(str(path)))[..., ::-1], side)
