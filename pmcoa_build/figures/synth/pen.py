"""Strokes, boxes, arrows and words on an RGB picture, in place, as diagrams need them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pmcoa_build.figures.synth.imagery import Image, Rng, pick
from pmcoa_build.figures.synth.text import extent, write

Colour = tuple[int, int, int]
Point = tuple[int, int]

_SETS: tuple[tuple[Colour, ...], ...] = (
    ((189, 215, 238), (248, 203, 173), (197, 224, 180), (255, 230, 153), (217, 210, 233)),
    ((68, 114, 196), (237, 125, 49), (165, 165, 165), (255, 192, 0), (112, 173, 71)),
    ((230, 75, 53), (77, 187, 213), (0, 160, 135), (60, 84, 136), (243, 155, 127)),
    ((235, 235, 235), (200, 200, 200), (160, 160, 160), (120, 120, 120)),
    ((252, 228, 214), (226, 239, 218), (221, 235, 247), (255, 242, 204)),
    ((255, 120, 80), (140, 200, 60), (70, 200, 205), (250, 200, 60), (150, 120, 200)),
)


def palette(rng: Rng, *, bold: bool = False) -> tuple[Colour, ...]:
    """Fill colours that go together; `bold`: strong ones only."""
    return _SETS[int(pick(rng, (1, 2, 5, 3)))] if bold else _SETS[int(rng.integers(len(_SETS)))]


def tint(colour: Colour, share: float) -> Colour:
    """The colour thinned with white; 1 leaves it as it is."""
    red, green, blue = (round(255 - (255 - level) * share) for level in colour)
    return red, green, blue


def fresh(rng: Rng, width: int, height: int) -> Image:
    """Paper: white mostly, faintly tinted now and then."""
    paper = pick(rng, ((255, 255, 255),) * 9 + ((247, 247, 252), (253, 248, 238), (240, 246, 250)))
    return np.full((height, width, 3), paper, np.uint8)


def stroke(image: Image, points: Sequence[Point], colour: Colour, thick: int = 1) -> None:
    """An open line through the points."""
    import cv2

    cv2.polylines(image, [np.asarray(points, np.int32)], False, colour, thick, cv2.LINE_AA)


def polygon(image: Image, points: Sequence[Point], fill: Colour, edge: Colour | None = None) -> None:
    """A filled polygon, with an edge where one is given."""
    import cv2

    cv2.fillPoly(image, [np.asarray(points, np.int32)], fill, cv2.LINE_AA)
    if edge is not None:
        cv2.polylines(image, [np.asarray(points, np.int32)], True, edge, 1, cv2.LINE_AA)


def disc(image: Image, frame: tuple[int, int, int, int], fill: Colour, edge: Colour | None = None) -> None:
    """A filled ellipse in the frame x0, y0, x1, y1."""
    import cv2

    x0, y0, x1, y1 = frame
    centre, axes = ((x0 + x1) // 2, (y0 + y1) // 2), (max(1, (x1 - x0) // 2), max(1, (y1 - y0) // 2))
    cv2.ellipse(image, centre, axes, 0, 0, 360, fill, -1, cv2.LINE_AA)
    if edge is not None:
        cv2.ellipse(image, centre, axes, 0, 0, 360, edge, 1, cv2.LINE_AA)


def box(image: Image, frame: tuple[int, int, int, int], fill: Colour, edge: Colour | None = None, *,
        rounded: bool = False) -> None:
    """A filled rectangle in the frame x0, y0, x1, y1, with round corners or sharp ones."""
    import cv2

    x0, y0, x1, y1 = frame
    if not rounded:
        cv2.rectangle(image, (x0, y0), (x1, y1), fill, -1)
        if edge is not None:
            cv2.rectangle(image, (x0, y0), (x1, y1), edge, 1)
        return
    reach = max(2, min(x1 - x0, y1 - y0) // 5)
    turns = [(x1 - reach, y1 - reach, 0), (x0 + reach, y1 - reach, 1), (x0 + reach, y0 + reach, 2),
             (x1 - reach, y0 + reach, 3)]
    outline = [(round(x + reach * math.cos((q + s / 4) * math.pi / 2)),
                round(y + reach * math.sin((q + s / 4) * math.pi / 2)))
               for x, y, q in turns for s in range(5)]
    polygon(image, outline, fill, edge)


def arrow(image: Image, start: Point, end: Point, colour: Colour = (40, 40, 40), *, thick: int = 1,
          blunt: bool = False) -> None:
    """A line with a filled head at its end, or a cross bar (`blunt`) as blocking is drawn."""
    stroke(image, [start, end], colour, thick)
    length = math.hypot(end[0] - start[0], end[1] - start[1])
    if length < 2:
        return
    dx, dy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    head = 3 + 2 * thick
    if blunt:
        stroke(image, [(round(end[0] - dy * head), round(end[1] + dx * head)),
                       (round(end[0] + dy * head), round(end[1] - dx * head))], colour, thick)
        return
    back = (end[0] - dx * head * 1.6, end[1] - dy * head * 1.6)
    polygon(image, [end, (round(back[0] - dy * head * 0.8), round(back[1] + dx * head * 0.8)),
                    (round(back[0] + dy * head * 0.8), round(back[1] - dx * head * 0.8))], colour)


def say(image: Image, text: str, centre: Point, size: int, colour: Colour = (25, 25, 25), *, face: str = "sans",
        wrap: int = 0) -> None:
    """Words centred at a place, broken into lines of at most `wrap` pixels where that is not 0."""
    lines = [text]
    if wrap:
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and extent(longer, face, size)[2] > wrap:
                lines.append(word)
            else:
                lines[-1] = longer
    top = centre[1] - len(lines) * (size + 2) // 2
    for row, line in enumerate(lines):
        x0, y0, x1, _ = extent(line, face, size)
        left = min(max(0, centre[0] - (x1 - x0) // 2), max(0, image.shape[1] - (x1 - x0)))
        write(image, line, (left, top + row * (size + 2) + max(0, y0 - size // 4)), size=size,
              colour=colour, face=face)
