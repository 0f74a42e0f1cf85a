"""Drawn figures that cost nothing: grey boxes on white, in place of the generator's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pmcoa_build.figures import kind_training
from pmcoa_build.figures.synth import bank, figure


class NoBank:
    """A bank that holds nothing."""

    def __init__(self, folder: Path) -> None:
        assert json.loads((folder / bank.INDEX).read_text())["count"] >= 0


def draw_no_bank(folder: Path, count: int, seed: int) -> None:
    folder.mkdir(parents=True)
    (folder / bank.INDEX).write_text(json.dumps({"count": count, "seed": seed}))


def draw_boxes(rng: np.random.Generator, _: Any) -> figure.DrawnFigure:
    """One to four boxes in a row on a page of 120 x 60 to 120 x 160 pixels."""
    count, height = int(rng.integers(1, 5)), int(rng.integers(60, 160))
    image = np.full((height, 120, 3), 255, np.uint8)
    wide = 120 // count
    boxes = [(i * wide + 2, 3, (i + 1) * wide - 2, height - 3) for i in range(count)]
    for x0, y0, x1, y1 in boxes:
        image[y0:y1, x0:x1] = rng.integers(0, 200, 3)
    return figure.DrawnFigure(image, tuple(figure.Truth(box, None, None, "photo") for box in boxes))


def stub_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the boxes in the generator's place, in this process."""
    monkeypatch.setattr(bank, "draw_bank", draw_no_bank)
    monkeypatch.setattr(bank, "Bank", NoBank)
    monkeypatch.setattr(figure, "draw_figure", draw_boxes)
    monkeypatch.setattr(kind_training, "Bank", NoBank)
    monkeypatch.setattr(kind_training, "draw_figure", draw_boxes)
