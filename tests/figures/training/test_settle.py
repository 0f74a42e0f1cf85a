"""Settled statistics are those of the figures given, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pmcoa_build.figures.training.settle import settle


def test_statistics_of_the_figures(tmp_path: Path) -> None:
    grey = (40, 90, 200)
    for number, level in enumerate(grey):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((64, 64, 3), level, np.uint8))
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(3, momentum=0.03))
    model[0].running_mean.fill_(7)
    for _ in range(2):  # the second time changes nothing
        settle(model, sorted(tmp_path.glob("*.png")), 64)
        assert model[0].running_mean.numpy() == pytest.approx(np.mean(grey) / 255, abs=1e-3)
        assert model[0].running_var.numpy() == pytest.approx(np.var(grey) / 255**2, rel=1e-2)
    assert model[0].momentum == 0.03 and not model.training
