"""Panels of a figure: letters, gutters and, where there are weights, a trained network, made into one answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pmcoa_build.figures import gutters, ink, letters, partition
from pmcoa_build.figures.boxes import Box, area, intersection, iou, reading_order, shrink_to_ink, union
from pmcoa_build.figures.glyphs import WEIGHTS, find_glyphs
from pmcoa_build.figures.kinds import classify_kind
from pmcoa_build.figures.network import Candidate, load_network

VERSION = 1
"""Bumped when the built-in separation gives other boxes for the same figure."""

WORKING_SIDE = 1800
"""Larger figures are separated at this size (pixels, longest side): letters stay legible, memory bounded."""

_PER_SIDE, _WORST = 10.0, 4.0
"""What crossed ink takes from a set of letters' log-odds: per longest side of the page, and at most."""

_DOUBT = 0.5
"""Log-odds that cuts may cost where no caption vouches for the letters."""
_FREE = 0.02
"""Crossed ink, per longest side of the page, that makes no doubt."""
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


@dataclass(frozen=True)
class Separation:
    """`panels`: the answer, in reading order; `candidates`: every scored box, the answer's among them."""

    panels: list[Panel]
    candidates: list[Candidate]


@dataclass(frozen=True)
class Found:
    """A panel before its kind is known: box in pixels of the page, scores 0 to 1."""

    box: Box
    score: float
    label: str | None = None
    label_score: float | None = None


@dataclass
class Detector:
    """Finds panels. `weights`: a trained .onnx or .pt file; empty = letters and gutters alone.

    `confidence` (0 to 1) is the lowest score at which a network's box counts. `name` goes into the panels table;
    `fingerprint` changes whenever the same figure could get another answer. Raises UsageError for weights that are
    not there or cannot be read.
    """

    weights: str = ""
    confidence: float = 0.25
    name: str = field(init=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        self._network = load_network(self.weights, self.confidence) if self.weights else None
        seal = hashlib.sha256(f"letters+gutters {VERSION} {self.confidence if self.weights else ''}".encode())
        seal.update(WEIGHTS.read_bytes())
        if self.weights:
            seal.update(Path(self.weights).read_bytes())
        self.fingerprint = seal.hexdigest()[:16]
        self.name = (f"{Path(self.weights).stem}+" if self.weights else "") + f"letters+gutters-{VERSION}"

    def detect(self, rgb: np.ndarray, *, labels: Sequence[str] = ()) -> Separation:
        """Separate a figure (uint8, H x W x 3). `labels`: those that the caption names, in order; () = not known.

        A figure in which nothing is found is one panel with a score of at most 0.5.
        """
        small, scale = _working_size(rgb)
        proposals = self._network(small) if self._network is not None else []
        found = separate(ink.read_page(small), labels, proposals)
        panels = []
        for f in found:
            x0, y0, x1, y1 = box = _scaled(f.box, scale, rgb)
            kind, kind_score = classify_kind(rgb[y0:y1, x0:x1])
            panels.append(Panel(box, f.score, f.label, f.label_score, kind, kind_score))
        ordered = [panels[i] for i in reading_order([p.box for p in panels])]
        rest = [(_scaled(box, scale, rgb), _SECOND * score) for box, score in proposals
                if all(iou(box, f.box) < 0.7 for f in found)]
        return Separation(ordered, [(p.box, p.score) for p in ordered] + rest)


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


def separate(page: ink.Page, labels: Sequence[str], proposals: Sequence[Candidate] = ()) -> list[Found]:
    """Panels of a page by its letters, else by a network's proposals, else by its gutters, else the page as one."""
    best: tuple[float, list[Found]] | None = None
    for score, read in letters.find_letters(page, find_glyphs(page.grey), labels):
        if len(read) >= 2 and (best is None or score > best[0]):  # no cut is better than a free one
            answer = _weighed(page, score, read, labels)
            if not labels and answer[0] < score - _DOUBT:
                continue  # stray letters of a flow chart or a table
            best = answer if best is None or answer[0] > best[0] else best
    if best is not None:
        return [_seconded(f, proposals) for f in best[1]]
    proposed = [(page.shrunk(box) or box, score) for box, score in proposals]
    if len(proposed) >= 2:
        return [Found(box, score) for box, score in proposed]
    return by_gutters(page, labels)


def _seconded(found: Found, proposals: Sequence[Candidate]) -> Found:
    """A panel whose score also counts what the network says about its box; unchanged without a network."""
    if not proposals:
        return found
    seen = max(iou(found.box, box) * score for box, score in proposals)
    return replace(found, score=0.7 * found.score + 0.3 * seen)


def _weighed(page: ink.Page, score: float, read: list[letters.Letter],
             labels: Sequence[str]) -> tuple[float, list[Found]]:
    """(worth in log-odds, panels) of one set of letters: doubtful ones that cut badly go, missing ones are guessed."""
    side = max(page.grey.shape)
    cost, panels = by_letters(page, read)
    while len(read) > 2 and cost > _FREE * side:
        fewer = letters.without_weakest(read)
        less, others = by_letters(page, fewer)
        if len(fewer) == len(read) or less > 0.5 * cost:
            break
        read, cost, panels = fewer, less, others
    worth = score - min(_PER_SIDE * cost / side, _WORST)
    guesses = letters.guess_missing(read, labels)
    if guesses:
        more, others = by_letters(page, [*read, *guesses])
        if more - cost <= _FREE * side and len(others) == len(read) + len(guesses):
            return worth + len(guesses), others
    return worth, panels


def by_letters(page: ink.Page, read: Sequence[letters.Letter]) -> tuple[float, list[Found]]:
    """(cost of the cuts in ink pixels, one panel a letter). Letters stand above or in their panels, else below."""
    ems = [f.em for f in read]
    anchors = [letters.with_bracket(page, f) for f in read]
    cost, parts = partition.divide(page, anchors, ems)
    corners: dict[int, Box] = {}
    if cost > _FREE * max(page.grey.shape):
        upside_down = [_mirrored(box, page) for box in anchors]
        other, turned = partition.divide(ink.flipped(page), upside_down, ems)
        if other < 0.5 * cost:
            cost, parts = other, {index: _mirrored(part, page) for index, part in turned.items()}
        else:
            corners = partition.wrapped(page, anchors, ems, parts)
    if page.dark:
        parts = _without_void(page, parts)
    out = []
    for index, whole in sorted(parts.items()):
        part = whole
        for owner, corner in corners.items():
            if owner != index and intersection(corner, part) == area(corner):
                part = (part[0], corner[3], part[2], part[3])
        box = page.shrunk(part)
        if box is not None:
            box = union([box, corners[index]]) if index in corners else box
            out.append(Found(box, 0.6 + 0.4 * read[index].score, read[index].label, read[index].score))
    return cost, out


def _without_void(page: ink.Page, parts: dict[int, Box]) -> dict[int, Box]:
    """Parts of a dark page without the empty places of an unfinished row: of median size where no ink is lost."""
    width = int(np.median([x1 - x0 for x0, _, x1, _ in parts.values()]))
    height = int(np.median([y1 - y0 for _, y0, _, y1 in parts.values()]))
    out = {}
    for index, (x0, y0, x1, y1) in parts.items():
        content = shrink_to_ink(page.ink, (x0, y0, x1, y1)) or (x0, y0, x1, y1)
        right = max(content[2], x0 + width) if x1 - x0 > 1.4 * width else x1
        bottom = max(content[3], y0 + height) if y1 - y0 > 1.4 * height else y1
        out[index] = (x0, y0, min(x1, right), min(y1, bottom))
    return out


def _mirrored(box: Box, page: ink.Page) -> Box:
    """The box on the page upside down."""
    height = page.grey.shape[0]
    return (box[0], height - box[3], box[2], height - box[1])


def by_gutters(page: ink.Page, labels: Sequence[str]) -> list[Found]:
    """Panels without letters; one panel where there is nothing to go by, least sure where the caption names several."""
    printed = [label for label in labels if len(label) < 4]  # not "left", "bottom right"
    if len(printed) > 1:
        ways = (gutters.seamed, gutters.exactly) if page.dark else (gutters.exactly, gutters.seamed)
        boxes = ways[0](page, len(printed)) or ways[1](page, len(printed))
    else:
        boxes = gutters.unlabelled(page) or (gutters.exactly(page, len(labels)) if len(labels) > 1 else None)
    if boxes:
        return [Found(box, 0.5) for box in boxes]
    return [Found(page.shrunk(page.box) or page.box, 0.2 if len(labels) > 1 else 0.5)]
