"""Panels of a figure: a trained network, printed letters and gutters made into one answer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from pmcoa_build.figures import ink
from pmcoa_build.figures.answers import separate
from pmcoa_build.figures.boxes import Box, iou, reading_order
from pmcoa_build.figures.glyphs import WEIGHTS, find_glyphs
from pmcoa_build.figures.kinds import WEIGHTS as KIND_WEIGHTS
from pmcoa_build.figures.kinds import Cues, decide, load_kinds
from pmcoa_build.figures.network import Candidate, load_network
from pmcoa_build.figures.zero_shot import seal_of

VERSION = 3
"""Bumped when the built-in separation gives other boxes for the same figure."""

BUNDLED = WEIGHTS.parent / "panels.onnx"
"""Trained by `make detector`; its card lies beside it."""

WORKING_SIDE = 1800
"""Larger figures are separated at this size (pixels, longest side): letters stay legible, memory bounded."""

_SECOND = 0.5
"""What is left of a proposal's score when the answer does without it."""


@dataclass(frozen=True)
class Panel:
    """One panel: box (x0, y0, x1, y1) in whole pixels of the image, x1 and y1 exclusive; scores 0 to 1."""

    box: Box
    score: float
    label: str | None
    label_score: float | None
    kind: str
    kind_score: float
    source: str
    """What found it: "letters", "network", "gutters", "person", or "whole" for a figure in which nothing was found."""


@dataclass(frozen=True)
class Separation:
    """`panels`: the answer, in reading order; `candidates`: every scored box, the answer's among them;
    `proposals`: the network's boxes; `seconds`: time spent by part (network, page, letters, boxes, kinds)."""

    panels: list[Panel]
    candidates: list[Candidate]
    proposals: list[Candidate] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict, compare=False)


def fingerprint(weights: str, confidence: float, kind_model: str) -> str:
    """What a Detector of these would answer by, without loading any of it; weights that are not there count as none."""
    seal = hashlib.sha256(f"{VERSION} {confidence}".encode())
    seal.update(WEIGHTS.read_bytes())
    seal.update(seal_of(kind_model) if kind_model else KIND_WEIGHTS.read_bytes())
    if _path(weights).is_file():
        seal.update(_path(weights).read_bytes())
    return seal.hexdigest()[:16]


def _path(weights: str) -> Path:
    return Path(weights) if weights else BUNDLED


@dataclass
class Detector:
    """Finds panels. `weights`: a trained .onnx or .pt file; empty = the bundled one.

    `confidence` (0 to 1) is the lowest score at which the network's box counts. `kind_model`: an open_clip model that
    tells kinds (see zero_shot.py); empty = the bundled one. `name` goes into the panels table; `fingerprint` changes
    whenever the same figure could get another answer. Raises UsageError for weights or a model that are not there or
    cannot be read.
    """

    weights: str = ""
    confidence: float = 0.1
    kind_model: str = ""
    name: str = field(init=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        self._network = load_network(str(_path(self.weights)), self.confidence)
        self._classify = load_kinds(self.kind_model)
        self.fingerprint = fingerprint(self.weights, self.confidence, self.kind_model)
        self.name = f"{_path(self.weights).stem}+letters+gutters-{VERSION}"

    def detect(self, rgb: np.ndarray, *, labels: Sequence[str] = (),
               cues: Mapping[str, Cues] = MappingProxyType({})) -> Separation:
        """Separate a figure (uint8, H x W x 3). `labels`: those that the caption names, in order; () = not known.

        `cues`: what the caption says of the kinds of panels, by label; "" = of panels that show none of these labels.

        A figure in which nothing is found is one panel with a score of at most 0.5.
        """
        clock = _Clock()
        small, scale = _working_size(rgb)
        proposals = self._network(small)
        clock.tick("network")
        page = ink.read_page(small)
        clock.tick("page")
        glyphs = find_glyphs(page.grey)
        clock.tick("letters")
        answer = separate(page, glyphs, labels, proposals)
        clock.tick("boxes")
        boxes = [_scaled(f.box, scale, rgb) for f in answer.panels]
        kinds = self.kinds(rgb, boxes, [f.label for f in answer.panels], cues)
        panels = [Panel(box, f.score, f.label, f.label_score, *kind, answer.source)
                  for box, f, kind in zip(boxes, answer.panels, kinds, strict=True)]
        clock.tick("kinds")
        ordered = [panels[i] for i in reading_order([p.box for p in panels])]
        proposed = [(_scaled(box, scale, rgb), score) for box, score in proposals]
        rest = [(box, _SECOND * score) for box, score in proposed if all(iou(box, p.box) < 0.7 for p in panels)]
        return Separation(ordered, [(p.box, p.score) for p in ordered] + rest, proposed, clock.seconds)

    def kinds(self, rgb: np.ndarray, boxes: Sequence[Box], labels: Sequence[str | None],
              cues: Mapping[str, Cues] = MappingProxyType({})) -> list[tuple[str, float]]:
        """(kind, score 0 to 1) of boxes (whole pixels, within the image) of a figure (uint8, H x W x 3).

        `labels`: of each box; `cues`: see `detect`.
        """
        said = [cues.get(label or "", cues.get("", {})) for label in labels]
        return decide(self._classify([rgb[y0:y1, x0:x1] for x0, y0, x1, y1 in boxes]), said)


class _Clock:
    """Seconds between ticks, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def tick(self, part: str) -> None:
        """Count the time since the last tick for `part`."""
        now = time.perf_counter()
        self.seconds[part] = now - self._last
        self._last = now


def _working_size(rgb: np.ndarray) -> tuple[np.ndarray, float]:
    import cv2

    scale = max(rgb.shape[:2]) / WORKING_SIDE
    if scale <= 1:
        return np.ascontiguousarray(rgb), 1.0
    size = (max(round(rgb.shape[1] / scale), 1), max(round(rgb.shape[0] / scale), 1))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), scale


def _scaled(box: Box, scale: float, rgb: np.ndarray) -> Box:
    """A box of the working size in pixels of the figure, never empty."""
    height, width = rgb.shape[:2]
    x0, y0 = min(int(box[0] * scale), width - 1), min(int(box[1] * scale), height - 1)
    return (x0, y0, max(min(int(np.ceil(box[2] * scale)), width), x0 + 1),
            max(min(int(np.ceil(box[3] * scale)), height), y0 + 1))
