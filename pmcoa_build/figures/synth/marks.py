"""What authors lay over pictures: arrows, stars, scale bars, words, frames, calipers, colour bars, rulers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pmcoa_build.figures.synth.charts import GENES
from pmcoa_build.figures.synth.imagery import Image, Rng, pick
from pmcoa_build.figures.synth.pen import Colour, arrow, polygon, say, stroke
from pmcoa_build.figures.synth.text import write
from pmcoa_build.figures.synth.texture import false_colour

Mark = Callable[[Rng, Image, Colour, int], None]
_SCALES = ("50 µm", "100 µm", "20 µm", "10 µm", "1 cm", "200 nm", "5 mm", "500 nm")
_WORDS = ("R", "L", "T1", "T2", "FLAIR", "Pre", "Post", "Tumor", "N", "LV", "RV", "40x", "CTRL", "Merge", "DAPI", "HE",
          "Day 7", "#1", "M",
          "AO", "PA", "WL: 40", "Se: 4", "STIR", "DWI")


def _somewhere(rng: Rng, image: Image) -> tuple[int, int]:
    height, width = image.shape[:2]
    return int(rng.uniform(0.15, 0.85) * width), int(rng.uniform(0.15, 0.85) * height)


def _arrows(rng: Rng, image: Image, colour: Colour, size: int) -> None:
    turn = rng.uniform(0, 6.28)
    solid = rng.random() < 0.4
    for _ in range(int(rng.integers(1, 5))):
        x, y = _somewhere(rng, image)
        ahead = np.array([np.cos(turn), np.sin(turn)]) * size
        aside = np.array([-ahead[1], ahead[0]]) * 0.45
        tip = np.array([x, y])
        if solid:
            polygon(image, [(int(p[0]), int(p[1])) for p in (tip, tip - ahead + aside, tip - ahead - aside)], colour)
        else:
            back = tip - ahead * rng.uniform(1.5, 2.5)
            arrow(image, (int(back[0]), int(back[1])), (x, y), colour, thick=max(1, size // 8))


def _stars(rng: Rng, image: Image, colour: Colour, size: int) -> None:
    for _ in range(int(rng.integers(1, 4))):
        say(image, pick(rng, ("*", "*", "**", "#", "+", "†")), _somewhere(rng, image), round(size * 1.5), colour)


def _scale_bar(rng: Rng, image: Image, colour: Colour, size: int) -> None:
    height, width = image.shape[:2]
    long, margin = round(width * rng.uniform(0.1, 0.3)), max(3, size // 2)
    x, y = (width - margin - long if rng.random() < 0.8 else margin), height - margin
    image[y - max(1, size // 5) : y, x : x + long] = colour
    if rng.random() < 0.45:
        say(image, pick(rng, _SCALES), (x + long // 2, y - size), max(7, round(size * 0.8)), colour)


def _words(rng: Rng, image: Image, colour: Colour, size: int) -> None:
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        at = pick(rng, ((3, 3), (width // 2, 3), (width - size * 4, 3), (3, height - size - 4),
                        (width - size * 4, height - size - 4)))
        write(image, pick(rng, (*_WORDS, *GENES)), (max(0, at[0]), max(0, at[1])), size=size, colour=colour,
              face=pick(rng, ("sans", "sans-bold")))


def _frame(rng: Rng, image: Image, colour: Colour, size: int) -> None:
    import cv2

    x, y = _somewhere(rng, image)
    reach = round(min(image.shape[:2]) * rng.uniform(0.08, 0.2))
    if rng.random() < 0.6:
        cv2.rectangle(image, (x - reach, y - reach), (x + reach, y + reach), colour, max(1, size // 10))
    else:
        cv2.ellipse(image, (x, y), (reach, round(reach * 0.7)), 0, 0, 360, colour, max(1, size // 10), cv2.LINE_AA)


def _calipers(rng: Rng, image: Image, colour: Colour, size: int) -> None:
    for _ in range(int(rng.integers(1, 3))):
        ends = (_somewhere(rng, image), _somewhere(rng, image))
        for t in np.linspace(0, 1, 14):
            x, y = (round(a + (b - a) * t) for a, b in zip(*ends, strict=True))
            image[max(0, y - 1) : y + 1, max(0, x - 1) : x + 1] = colour
        for end in ends:
            say(image, "+", end, size, colour)


def _ticks(rng: Rng, image: Image, colour: Colour, size: int) -> None:
    """A depth scale of strokes along one side, as scanners print."""
    height, width = image.shape[:2]
    side = pick(rng, (2, width - 6))
    for at in range(6, height - 4, max(6, height // 22)):
        stroke(image, [(side, at), (side + 4, at)], colour)


def _colour_bar(rng: Rng, image: Image, colour: Colour, size: int) -> None:
    height, width = image.shape[:2]
    tall, wide = round(height * rng.uniform(0.3, 0.7)), max(4, width // 30)
    ramp = np.tile(np.linspace(1, 0, tall, dtype=np.float32)[:, None], (1, wide))
    top, left = (height - tall) // 2, width - wide - 4
    image[top : top + tall, left : left + wide] = false_colour(ramp, pick(rng, ("JET", "HOT", "BONE", "VIRIDIS")))
    stroke(image, [(left, top), (left + wide, top)], colour)


_MARKS: dict[str, tuple[tuple[Mark, float], ...]] = {
    "microscopy": ((_scale_bar, 0.6), (_arrows, 0.18), (_stars, 0.08), (_words, 0.2), (_frame, 0.1)),
    "radiology": ((_arrows, 0.3), (_stars, 0.06), (_words, 0.3), (_calipers, 0.08), (_ticks, 0.08),
                  (_colour_bar, 0.06), (_frame, 0.06)),
    "photo": ((_scale_bar, 0.15), (_arrows, 0.12), (_words, 0.12), (_frame, 0.05)),
}


def mark(rng: Rng, image: Image, kind: str) -> None:
    """Lay some marks over a picture (uint8 RGB, in place), those that its kind (microscopy, radiology, photo) has."""
    bright = float(image[::5, ::5].mean()) > 130
    plain: Colour = (15, 15, 15) if bright else (250, 250, 250)
    colours: tuple[Colour, ...] = (plain, plain, plain, (250, 235, 40), (235, 40, 40))
    size = int(np.clip(min(image.shape[:2]) * rng.uniform(0.045, 0.09), 7, 26))
    for draw, chance in _MARKS[kind]:
        if rng.random() < chance:
            draw(rng, image, pick(rng, colours) if kind != "microscopy" or rng.random() < 0.3 else plain, size)
