"""What a panel shows: one of five kinds of image, or one of three kinds of drawing.

A small network tells it by what the pixels are made of (measures.py); it is trained on drawn panels alone
(weights/kinds.md). A zero-shot model of the user's choice may take its place (zero_shot.py). What the caption says of
a panel is added to what either of them sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
Classifier = Callable[[Sequence[np.ndarray]], np.ndarray]
"""n crops (uint8, H x W x 3) to the probability of each of KINDS, (n, 8)."""
Cues = Mapping[str, float]
"""What words say of a panel: kinds to log-odds in their favour; kinds left out have 0."""

_IMAGE = 0.4
"""Probability of the image kinds together from which on a panel is an image. Below a half: drawn plots are made as real
ones are, while real pictures are stranger than drawn ones."""
_LEAST = 1e-4
"""Added to each probability before words count: no picture is so strange that words could not tell it."""


@cache
def _session() -> Any:
    return open_session(WEIGHTS)


def read_numbers(numbers: np.ndarray) -> np.ndarray:
    """Probability of each of KINDS, (n, 8), for the numbers of n crops (float32); rows sum to 1."""
    return np.asarray(_session().run(None, {"numbers": numbers})[0])


def _told(chances: np.ndarray, cues: Sequence[Cues]) -> np.ndarray:
    """Probabilities (n, 8) after hearing the cues of each panel."""
    said = np.array([[cue.get(kind, 0.0) for kind in KINDS] for cue in cues])
    likely = (chances + _LEAST) * np.exp(said)
    return np.asarray(likely / likely.sum(1, keepdims=True))


def decide(chances: np.ndarray, cues: Sequence[Cues] = ()) -> list[tuple[str, float]]:
    """(kind, probability) of each row (n, 8): first the side, image or drawing, then its likeliest kind.

    `cues`: what the caption says of each panel; () = nothing.
    """
    out = []
    for row in _told(chances, cues) if len(cues) else chances:
        image = row[: len(IMAGES)].sum() >= _IMAGE
        start, end = (0, len(IMAGES)) if image else (len(IMAGES), len(KINDS))
        best = start + int(row[start:end].argmax())
        out.append((KINDS[best], float(row[best])))
    return out


def see_kinds(crops: Sequence[np.ndarray]) -> np.ndarray:
    """The bundled network's probability of each of KINDS, (n, 8), for n panel crops (uint8, H x W x 3)."""
    return read_numbers(np.stack([measure(rgb) for rgb in crops])) if len(crops) else np.zeros((0, len(KINDS)))


def load_kinds(model: str) -> Classifier:
    """The classifier of panels: the bundled network, or a zero-shot model where one is named.

    Raises UsageError for a model that cannot be loaded.
    """
    if not model:
        return see_kinds
    from pmcoa_build.figures.zero_shot import load_zero_shot

    return load_zero_shot(model)
