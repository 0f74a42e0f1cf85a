"""Putting pictures and drawings on a page, and knowing what ink they left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.figures.boxes import Box, shrink_to_ink
from pmcoa_build.figures.kinds import IMAGES
from pmcoa_build.figures.synth.imagery import Colour, Image, Rng

FILLING = frozenset(IMAGES) - {"blot"}
"""Kinds of pictures that go to the edges of their boxes: they can be cropped, and printed on."""
_TRIES = 5
"""So often other content is taken where the first is of several parts."""
_PAPER = 244
"""Lowest channel from which a pixel of a drawing is paper."""


@dataclass(frozen=True)
class Truth:
    """One panel: the area that its label designates, shrunk to ink, and the label's own ink; boxes in pixels."""

    box: Box
    label: str | None
    label_box: Box | None
    kind: str


class Source(Protocol):
    """Where panel content comes from."""

    def take(self, rng: Rng, kind: str | None, aspect: float, *, whole: bool = False) -> tuple[Image, str]:
        """A picture or drawing (uint8 RGB) of `kind` (any for None), near `aspect` width/height, and its kind.

        `whole`: no montage of pictures.
        """


@dataclass(frozen=True)
class Sheet:
    """A page that is drawn on in place: uint8 RGB, and the colour it began with."""

    image: Image
    ground: Colour

    @property
    def light(self) -> bool:
        """True where black letters can be read."""
        return is_light(self.ground)


def is_light(ground: Colour) -> bool:
    """True where black letters can be read on a colour."""
    return sum(ground) > 380


def blank(width: int, height: int, ground: Colour) -> Sheet:
    """An empty page, sizes in pixels."""
    import cv2

    return Sheet(np.asarray(cv2.merge([np.full((height, width), level, np.uint8) for level in ground])), ground)


def cover(picture: Image, width: int, height: int) -> Image:
    """The middle of a picture, cut and scaled to a size in pixels."""
    import cv2

    tall, wide = picture.shape[:2]
    scale = max(width / wide, height / tall)
    keep_w, keep_h = min(wide, max(1, round(width / scale))), min(tall, max(1, round(height / scale)))
    x, y = (wide - keep_w) // 2, (tall - keep_h) // 2
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled: Image = cv2.resize(picture[y : y + keep_h, x : x + keep_w], (width, height), interpolation=way)
    return scaled


def contain(drawing: Image, width: int, height: int) -> Image:
    """A whole drawing, scaled to fit into a size in pixels, by at most a fifth out of proportion."""
    import cv2

    tall, wide = drawing.shape[:2]
    scale = min(width / wide, height / tall)
    fit_w, fit_h = min(width, round(wide * scale * 1.2)), min(height, round(tall * scale * 1.2))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled: Image = cv2.resize(drawing, (max(fit_w, 1), max(fit_h, 1)), interpolation=way)
    return scaled


def _ink(content: Image) -> NDArray[np.bool_]:
    """The pixels (H, W) that are not paper."""
    import cv2

    red, green, blue = cv2.split(content)
    return np.asarray(cv2.min(cv2.min(red, green), blue)) < _PAPER


def paste(sheet: Sheet, content: Image, at: tuple[int, int], ground: Colour | None = None) -> Box | None:
    """Put content down with its upper left corner at `at`, in place; returns its ink's box, None without ink.

    On a light ground (the sheet's, or `ground` where that part is tinted) white is paper and takes the ground's colour;
    on a dark one all of the content is ink.
    """
    x, y = at
    tall, wide = content.shape[:2]
    ground = ground or sheet.ground
    box = (x, y, x + wide, y + tall)
    if not is_light(ground):
        sheet.image[y : y + tall, x : x + wide] = content
        return box
    ink = _ink(content)
    if ground != (255, 255, 255):
        content = np.where(ink[:, :, None], content, np.asarray(ground, np.uint8))
    sheet.image[y : y + tall, x : x + wide] = content
    inner = shrink_to_ink(ink, (0, 0, wide, tall))
    return inner and (inner[0] + x, inner[1] + y, inner[2] + x, inner[3] + y)


def fit(content: Image, kind: str, width: int, height: int) -> Image:
    """Content of a kind made to fill a size in pixels, or to stand in it."""
    return cover(content, width, height) if kind in FILLING else contain(content, width, height)


def divided(content: Image) -> bool:
    """True where white runs right across content, away from its edges: several things, not one."""
    ink = _ink(content)
    for axis in (0, 1):
        lines = np.asarray(ink.any(axis=axis))
        if not lines[len(lines) // 4 : len(lines) - len(lines) // 4].all():
            return True
    return False


def put(sheet: Sheet, rng: Rng, source: Source, box: Box, kind: str, ground: Colour | None = None, *,
        whole: bool = False) -> tuple[Box | None, str]:
    """Fill a box with content of a kind: pictures cover it, drawings stand in it. Returns the ink's box and kind.

    `whole`: preferably one thing that nothing divides; blots, diagrams and tables are one with gaps, too.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    content, kind = source.take(rng, kind, width / height, whole=whole)
    for _ in range(_TRIES if whole and kind in FILLING | {"plot"} else 0):
        if not divided(content):
            break
        content, kind = source.take(rng, kind, width / height, whole=whole)
    fitted = fit(content, kind, width, height)
    x = box[0] + (0 if rng.random() < 0.5 else (width - fitted.shape[1]) // 2)
    return paste(sheet, fitted, (x, box[1]), ground), kind
