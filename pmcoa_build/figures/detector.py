"""Panels of a figure: letters, gutters and, where there are weights, a trained network, made into one answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pmcoa_build.figures import gutters, ink, letters, partition
from pmcoa_build.figures.boxes import Box, reading_order
from pmcoa_build.figures.glyphs import WEIGHTS, find_glyphs
from pmcoa_build.figures.kinds import classify_kind

VERSION = 1
"""Bumped when the built-in separation gives other boxes for the same figure."""

WORKING_SIDE = 1800
"""Larger figures are separated at this size (pixels, longest side): letters stay legible, memory bounded."""

_PER_SIDE, _WORST = 10.0, 4.0
"""What crossed ink takes from a set of letters' log-odds: per longest side of the page, and at most."""

_GUESS_COST = 0.02
"""Crossed ink, per longest side, that a guessed letter's panel may cost."""

Candidate = tuple[Box, float]


@dataclass(frozen=True)
class Panel:
    """One panel: box (x0, y0, x1, y1) in whole pixels of the image, x1 and y1 exclusive; scores 0 to 1."""

    box: Box
    score: float
    label: str | None
    label_score: float | None
    kind: str
    kind_score: float


@dataclass(frozen=True)
class Separation:
    """`panels`: the answer, in reading order; `candidates`: every scored box, the answer's among them."""

    panels: list[Panel]
    candidates: list[Candidate]


@dataclass(frozen=True)
class _Found:
    box: Box
    score: float
    label: str | None = None
    label_score: float | None = None


@dataclass
class Detector:
    """Finds panels. `weights`: a trained .onnx or .pt file; empty = letters and gutters alone, no network.

    `confidence` (0 to 1) is the lowest score at which a network's box counts. Raises UsageError for weights that are
    not there or of another kind.
    """

    weights: str = ""
    confidence: float = 0.25
    name: str = field(init=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        seal = hashlib.sha256(f"letters+gutters {VERSION}\0{self.confidence}".encode())
        seal.update(WEIGHTS.read_bytes())
        if self.weights:
            seal.update(Path(self.weights).read_bytes())
        self.fingerprint = seal.hexdigest()[:16]
        self.name = f"letters+gutters-{VERSION}"
        self._network: Callable[[np.ndarray], list[Candidate]] | None = None

    def detect(self, rgb: np.ndarray, *, labels: Sequence[str] = ()) -> Separation:
        """Separate a figure (uint8, H x W x 3). `labels`: those that the caption names, in order; () = not known."""
        small, scale = _working_size(rgb)
        page = ink.read_page(small)
        found = separate(page, labels)
        back = [_Found(_scaled(f.box, scale, rgb), f.score, f.label, f.label_score) for f in found]
        panels = []
        for f in back:
            x0, y0, x1, y1 = f.box
            kind, kind_score = classify_kind(rgb[y0:y1, x0:x1])
            panels.append(Panel(f.box, f.score, f.label, f.label_score, kind, kind_score))
        ordered = [panels[i] for i in reading_order([p.box for p in panels])]
        return Separation(ordered, [(p.box, p.score) for p in ordered])


def _working_size(rgb: np.ndarray) -> tuple[np.ndarray, float]:
    import cv2

    scale = max(rgb.shape[:2]) / WORKING_SIDE
    if scale <= 1:
        return rgb, 1.0
    size = (max(round(rgb.shape[1] / scale), 1), max(round(rgb.shape[0] / scale), 1))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), scale


def _scaled(box: Box, scale: float, rgb: np.ndarray) -> Box:
    if scale == 1:
        return box
    height, width = rgb.shape[:2]
    return (int(box[0] * scale), int(box[1] * scale),
            min(int(np.ceil(box[2] * scale)), width), min(int(np.ceil(box[3] * scale)), height))


def separate(page: ink.Page, labels: Sequence[str]) -> list[_Found]:
    """Panels of a page by its letters, else by its gutters, else the whole page as one."""
    side = max(page.grey.shape)
    best: tuple[float, list[_Found]] | None = None
    for score, found in letters.find_letters(page, find_glyphs(page.grey), labels):
        if len(found) < 2 or (best is not None and score <= best[0]):
            continue  # no cut is better than a free one
        cost, panels = by_letters(page, found)
        while len(found) > 2 and cost > _GUESS_COST * side:
            fewer = letters.without_weakest(found)
            less, others = by_letters(page, fewer)
            if len(fewer) == len(found) or less > 0.5 * cost:
                break
            found, cost, panels = fewer, less, others
        worth = score - min(_PER_SIDE * cost / side, _WORST)
        guesses = letters.guess_missing(found, labels)
        if guesses:
            more, others = by_letters(page, [*found, *guesses])
            if more - cost <= _GUESS_COST * side and len(others) == len(found) + len(guesses):
                worth, panels = worth + len(guesses), others
        if best is None or worth > best[0]:
            best = (worth, panels)
    return best[1] if best is not None else by_gutters(page, labels)


def by_letters(page: ink.Page, found: Sequence[letters.Letter]) -> tuple[float, list[_Found]]:
    """(cost of the cuts in ink pixels, one panel a letter)."""
    anchors, ems = [f.box for f in found], [f.em for f in found]
    cost, parts = partition.divide(page, anchors, ems)
    out = []
    for index, part in parts.items():
        box = page.shrunk(part)
        if box is not None:
            out.append(_Found(box, 0.6 + 0.4 * found[index].score, found[index].label, found[index].score))
    return cost, out


def by_gutters(page: ink.Page, labels: Sequence[str]) -> list[_Found]:
    """Panels without letters; one panel with a low score where there is nothing to go by."""
    printed = [label for label in labels if len(label) < 4]  # not "left", "bottom right"
    boxes = gutters.exactly(page, len(printed)) if len(printed) > 1 else gutters.unlabelled(page)
    if boxes is None and len(labels) > 1:
        boxes = gutters.exactly(page, len(labels))
    if boxes:
        return [_Found(box, 0.5) for box in boxes]
    whole = page.shrunk(page.box) or page.box
    return [_Found(whole, 0.3)]
