"""What all drawn panels share: soft shapes, noise, colour, and the record that ties a picture to its words.

Coordinates are fractions of the panel: (0, 0) is the upper left corner, (1, 1) the lower right one. All pictures
are uint8 RGB of shape (height, width, 3). Sides are those of the picture, for every modality alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Field = NDArray[np.float32]
Rng = np.random.Generator
Attributes = Mapping[str, str]
Draw = Callable[[Attributes, Rng, int, int], Image]
Colour = tuple[int, int, int]

COUNTS: dict[str, int] = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
SIDES: dict[str, tuple[float, float]] = {
    "left": (-1.0, 0.0), "right": (1.0, 0.0), "upper": (0.0, -1.0), "lower": (0.0, 1.0),
}
COLOURS: dict[str, Colour] = {
    "red": (214, 39, 40), "green": (44, 150, 60), "blue": (31, 100, 190), "orange": (245, 130, 20),
    "purple": (130, 70, 170), "grey": (120, 120, 120), "black": (25, 25, 25), "cyan": (30, 180, 200),
    "magenta": (215, 40, 180), "yellow": (235, 205, 40), "white": (245, 245, 245), "brown": (110, 65, 35),
}


@dataclass(frozen=True)
class Modality:
    """A family of panels: `draw(attributes, rng, width, height)` shows what `sentences` say.

    `kind` is the panel kind of the align and panels tables; `heading` opens a caption of such panels; `sentences`
    are templates over the attributes' names. `aspect` is the width divided by the height that suits it.
    `diagnostic`: its heading names a diagnostic procedure.
    """

    name: str
    kind: str
    heading: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]
    sentences: tuple[str, ...]
    draw: Draw
    aspect: float = 1.0
    diagnostic: bool = True
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def choose(self, rng: Rng) -> dict[str, str]:
        """One value an attribute, uniformly."""
        return {name: values[int(rng.integers(len(values)))] for name, values in self.attributes.items()}

    def describe(self, chosen: Attributes, rng: Rng) -> str:
        """The clause that says what the picture shows, without a full stop."""
        template = pick(rng, self.sentences)
        said = {name: pick(rng, self.words.get(value, SYNONYMS.get(value, (value,)))) for name, value in chosen.items()}
        text: str = template.format(**said)
        text = _ONE.sub(lambda found: found[1] + _SINGULAR[found[2]], text[0].upper() + text[1:])
        return _AN.sub(r"\1n", text)


SYNONYMS: dict[str, tuple[str, ...]] = {
    "small": ("small", "tiny"), "large": ("large", "big"), "round": ("round", "circular"),
    "oval": ("oval", "elongated"),
    "irregular": ("irregular", "spiculated"), "rising": ("rising", "increasing"), "falling": ("falling", "decreasing"),
}


_SINGULAR: dict[str, str] = {
    "lesions": "lesion", "foci": "focus", "cells": "cell", "polyps": "polyp", "glands": "gland", "bars": "bar",
    "curves": "curve", "vesicles": "vesicle", "mitochondria": "mitochondrion", "clusters": "cluster",
    "nodules": "nodule", "haemorrhages": "haemorrhage", "exudates": "exudate", "signals": "signal",
    "groups": "group", "ulcers": "ulcer", "papules": "papule",
}
_ONE = re.compile(rf"\b(one (?:(?!and )[\w-]+ ){{0,4}}?)({'|'.join(_SINGULAR)})\b")
_AN = re.compile(r"\b([Aa])(?= (?:[aio]|elong|em)\w)")


def rng_of(seed: int, *key: object) -> Rng:
    """A generator that depends on the seed and the key alone."""
    digest = hashlib.sha256("\0".join(map(str, (seed, *key))).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def pick(rng: Rng, options: Any) -> Any:
    """One of a sequence, uniformly."""
    return options[int(rng.integers(len(options)))]


def grid(width: int, height: int) -> tuple[Field, Field]:
    """x and y of every pixel, each (height, width), from -1 to 1 on the shorter axis, 0 in the middle."""
    half = min(width, height) / 2
    x = ((np.arange(width, dtype=np.float32) - width / 2 + 0.5) / half)[None, :]
    y = ((np.arange(height, dtype=np.float32) - height / 2 + 0.5) / half)[:, None]
    return np.broadcast_to(x, (height, width)), np.broadcast_to(y, (height, width))


def noise(rng: Rng, width: int, height: int, cell: float) -> Field:
    """Smooth noise, (height, width), mean 0 and deviation near 1, with features of about `cell` pixels."""
    import cv2

    rows, columns = max(2, round(height / cell)), max(2, round(width / cell))
    coarse = rng.standard_normal((rows, columns)).astype(np.float32)
    smooth: Field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return smooth


def ellipse(x: Field, y: Field, centre: tuple[float, float], radii: tuple[float, float], soft: float = 0.06) -> Field:
    """A soft filled ellipse in `grid` coordinates: 1 inside, 0 outside, `soft` wide at the edge."""
    reach = np.sqrt(((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2)
    mask: Field = np.clip((1 - reach) / soft + 0.5, 0, 1).astype(np.float32)
    return mask


def lesion(rng: Rng, x: Field, y: Field, centre: tuple[float, float], radius: float, shape: str) -> Field:
    """A soft mask of a round, oval or irregular (spiky) thing in `grid` coordinates."""
    dx, dy = x - centre[0], y - centre[1]
    if shape == "oval":
        turn = rng.uniform(-0.5, 0.5)
        dx, dy = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        reach = np.sqrt((dx / 1.5) ** 2 + (dy / 0.62) ** 2) / radius
    else:
        reach = np.sqrt(dx**2 + dy**2) / radius
        if shape == "irregular":
            angle, phase = np.arctan2(dy, dx), rng.uniform(0, 6.28)
            wave = 0.24 * np.sin(5 * angle + phase) + 0.14 * np.sin(3 * angle - phase) + 0.12 * np.sin(13 * angle)
            reach = reach / (1 + wave)
    mask: Field = np.clip((1 - reach) / 0.12 + 0.5, 0, 1).astype(np.float32)
    return mask


def spread(rng: Rng, count: int, radius: float, reach: float = 0.62) -> list[tuple[float, float]]:
    """`count` places in `grid` coordinates that keep `radius` apart where that is possible."""
    places: list[tuple[float, float]] = []
    for _ in range(count):
        tries = [(float(a), float(b)) for a, b in rng.uniform(-reach, reach, (12, 2))]
        places.append(max(tries, key=lambda p: min((np.hypot(p[0] - q[0], p[1] - q[1]) for q in places), default=9.0)
                          if np.hypot(*p) < reach + radius / 2 else -1.0))
    return places


def grey(values: Field) -> Image:
    """Brightness 0-255 to RGB."""
    level = np.clip(values, 0, 255).astype(np.uint8)
    return np.repeat(level[:, :, None], 3, axis=2)


def rgb(red: Field, green: Field, blue: Field) -> Image:
    """Three channels 0-255 to RGB."""
    return np.clip(np.stack([red, green, blue], axis=2), 0, 255).astype(np.uint8)


def paint(canvas: NDArray[np.float32], mask: Field, colour: tuple[float, float, float]) -> None:
    """Blend a colour into a float RGB canvas, in place, where the mask is 1."""
    rows, columns = np.flatnonzero(mask.max(axis=1)), np.flatnonzero(mask.max(axis=0))
    if not len(rows):
        return
    part = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    for channel, level in enumerate(colour):
        part[:, :, channel] += cut * (np.float32(level) - part[:, :, channel])


def to_image(canvas: NDArray[np.float32]) -> Image:
    """A float RGB canvas 0-255 to uint8."""
    return np.clip(canvas, 0, 255).astype(np.uint8)


def plain(width: int, height: int, colour: tuple[float, float, float]) -> NDArray[np.float32]:
    """A float RGB canvas of one colour."""
    canvas = np.empty((height, width, 3), np.float32)
    for channel, level in enumerate(colour):
        canvas[:, :, channel] = level
    return canvas
