"""What a panel shows: one of five kinds of image, or one of three kinds of drawing.

A small network tells it by what the pixels are made of (measures.py); it is trained on drawn panels alone
(weights/kinds.md). A zero-shot model of the user's choice may take its place (zero_shot.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.figures.measures import measure
from pmcoa_build.figures.onnx_session import open_session

IMAGES = ("photo", "microscopy", "radiology", "blot", "render")
DRAWINGS = ("plot", "diagram", "table")
KINDS = IMAGES + DRAWINGS
"""One output of the network each, in this order."""

WEIGHTS = Path(__file__).parent / "weights" / "kinds.onnx"
Classifier = Callable[[Sequence[np.ndarray]], list[tuple[str, float]]]
"""Crops (uint8, H x W x 3) to (kind, probability) each."""


_IMAGE = 0.4
"""Probability of the image kinds together from which on a panel is an image. Below a half: drawn plots are made as real
ones are, while real pictures are stranger than drawn ones."""


@cache
def _session() -> Any:
    return open_session(WEIGHTS)


def read_numbers(numbers: np.ndarray) -> np.ndarray:
    """Probability of each of KINDS, (n, 8), for the numbers of n crops (float32); rows sum to 1."""
    return np.asarray(_session().run(None, {"numbers": numbers})[0])


def decide(chances: np.ndarray) -> list[tuple[str, float]]:
    """(kind, probability) of each row (n, 8): first the side, image or drawing, then its likeliest kind."""
    out = []
    for row in chances:
        image = row[: len(IMAGES)].sum() >= _IMAGE
        start, end = (0, len(IMAGES)) if image else (len(IMAGES), len(KINDS))
        best = start + int(row[start:end].argmax())
        out.append((KINDS[best], float(row[best])))
    return out


def classify_kinds(crops: Sequence[np.ndarray]) -> list[tuple[str, float]]:
    """(kind, probability) of each panel crop (uint8, H x W x 3): one of KINDS."""
    return decide(read_numbers(np.stack([measure(rgb) for rgb in crops]))) if len(crops) else []


def load_kinds(model: str) -> Classifier:
    """The classifier of panels: the bundled network, or a zero-shot model where one is named.

    Raises UsageError for a model that cannot be loaded.
    """
    if not model:
        return classify_kinds
    from pmcoa_build.figures.zero_shot import load_zero_shot

    return load_zero_shot(model)
