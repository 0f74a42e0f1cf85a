"""What the pixels of a panel are made of, in numbers: `measure`. Kinds of panels are told by them (kinds.py).

The panel is shrunk to a square; beside its brightness and saturation stand four maps of what shrinking would hide:
where the full-size panel has soft texture, sharp lines, even ground and paper. Numbers are taken of each map
(distribution, blocks, evenness), and of what they say together: how much of the solid area is textured, how rows and
columns of ink lie, how mirror-like, centred and rough the picture is, how few colours it has.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

SIDE = 128
_FULL, _LEAST = 640, 16
"""Longest side at which texture and lines are looked at, and shortest; pixels."""
_SOFT, _SHARP = 2, 40
"""Grey steps a pixel of texture, and of lines; Sobel, 0 to 255."""
_SOLID, _PAPER = 250, 245
"""Lowest channel below which a pixel is not paper, and from which on it is."""

_POINTS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
_COLOURED = 0.12
"""Saturation from which on a pixel has a hue."""
_RINGS = ((0.94, 1.01), (0.8, 0.94), (0.6, 0.8), (0.35, 0.6), (0.0, 0.35))
"""Square rings from the edge (1) to the middle (0)."""


def _at_full_size(rgb: np.ndarray) -> np.ndarray:
    import cv2

    height, width = rgb.shape[:2]
    scale = min(1.0, _FULL / max(height, width))
    size = (max(round(width * scale), _LEAST), max(round(height * scale), _LEAST))
    return rgb if size == (width, height) else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def maps(rgb: np.ndarray) -> Map:
    """Seven maps of a crop (uint8, H x W x 3), float32 (7, SIDE, SIDE), 0 to 1.

    Red, green, blue; the shares of soft texture in solid areas, of lines, of even ground and of paper.
    """
    import cv2

    rgb = np.ascontiguousarray(_at_full_size(rgb))
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    red, green, blue = cv2.split(rgb)
    lowest = cv2.min(cv2.min(red, green), blue)
    across = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 1, 0), alpha=0.25)
    down = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 0, 1), alpha=0.25)
    step = cv2.max(across, down)
    lines = (step > _SHARP).view(np.uint8)
    near_lines = cv2.dilate(lines, np.ones((5, 5), np.uint8))
    solid = cv2.morphologyEx((lowest < _SOLID).view(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    texture = ((solid > 0) & (step > _SOFT) & (near_lines == 0)).view(np.uint8)
    even, paper = (step == 0).view(np.uint8), (lowest >= _PAPER).view(np.uint8)
    way = cv2.INTER_AREA if min(grey.shape) >= SIDE else cv2.INTER_LINEAR
    small = [cv2.resize(image, (SIDE, SIDE), interpolation=way)
             for image in (rgb, cv2.merge((texture, lines, even, paper)) * np.uint8(255))]
    planes = np.stack([plane for image in small for plane in cv2.split(image)])  # each by itself: three times as fast
    return np.asarray(planes / np.float32(255), np.float32)


def _blocks(values: Map, count: int) -> Map:
    """Means of count x count blocks of a square map."""
    import cv2

    means: Map = cv2.resize(values, (count, count), interpolation=cv2.INTER_AREA)
    return means


def _quantiles(values: Map, points: tuple[float, ...]) -> list[float]:
    """Quantiles of numbers from 0 to 1, to 1/255."""
    counts = np.bincount((values * 255 + 0.5).astype(np.uint8).ravel(), minlength=256).cumsum()
    found: list[float] = (np.searchsorted(counts, np.array(points) * values.size) / 255).tolist()
    return found


def _distribution(values: Map) -> list[float]:
    """Of one map: mean, spread, quantiles of cells and of blocks, spread and steps of its rows and columns."""
    return [float(values.mean()), float(values.std()), *_quantiles(values, _POINTS),
            *_quantiles(_blocks(values, 16), (0, 0.1, 0.5, 0.9, 0.97, 1)),
            float(values.mean(0).std()), float(values.mean(1).std()),
            float(np.abs(np.diff(values, axis=0)).mean()), float(np.abs(np.diff(values, axis=1)).mean())]


def _solidity(texture: Map, lines: Map, even: Map, paper: Map) -> list[float]:
    """How much of what is not paper is textured, lined and even, over all and in the blocks where most is."""
    solid = 1 - paper
    t, k, e, s = (float(m.mean()) for m in (texture, lines, even, solid))
    s += 0.01
    full, soft = _blocks(solid, 16), _blocks(texture, 16)
    inner = full > 0.8
    return [t / s, t / s**0.5, k / s, np.log(t + 1e-3), np.log(k + 1e-3), np.log(s), np.log(e + 1e-2),
            (e + s - 1) / s, *_quantiles(np.minimum(soft / (full + 0.05), 1), (0.5, 0.75, 0.9, 0.97, 1)),
            float((soft > 0.3).mean()), float((soft > 0.1).mean()),
            float((soft[inner] > 0.3).sum() / (inner.sum() + 3))]


def _colours(rgb: Map, grey: Map, saturation: Map) -> list[float]:
    """Histograms of brightness and hue, casts, and how few colours there are."""
    coloured = saturation > _COLOURED
    red, green, blue = rgb
    hue = np.arctan2(3**0.5 * (green - blue)[coloured], (2 * red - green - blue)[coloured])
    levels = np.histogram(grey, bins=12, range=(0, 1.001))[0] / grey.size
    hues = np.histogram(hue, bins=8, range=(-np.pi, np.pi))[0] / grey.size
    high, middle, low = (rgb * 7.99).astype(np.int64)
    shares = np.sort(np.bincount((64 * high + 8 * middle + low).ravel(), minlength=512))[::-1] / grey.size
    used = shares[shares > 0]
    return [*np.sqrt(levels), *np.sqrt(hues), *((channel - grey).mean() * 5 for channel in rgb),
            coloured.mean(), (grey < 0.15).mean(), (grey > 0.97).mean(),
            -(used * np.log(used)).sum(), *shares[:4], (shares > 1e-3).sum() / 50]


def _profile(values: Map) -> list[float]:
    """Of the means of rows or columns: where the most ink lies, how much, and how regularly."""
    waves = np.abs(np.fft.rfft(values - np.median(values)))[1:33]
    waves = waves / (np.sqrt((waves**2).sum()) + 1e-6)
    crossed = (values[1:] > 0.45) & (values[:-1] <= 0.45)
    return [*_quantiles(values, (0.5, 0.9, 0.97, 1)), values.argmax() / SIDE, waves.max(), waves.argmax() / 32,
            (values > 0.5).mean(), crossed.sum() / 5]


def _likeness(a: Map, b: Map) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-3))


@cache
def _places() -> tuple[np.ndarray, ...]:
    """Cells of each ring, the outermost first, and of the corners."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    reach = np.maximum(abs(x), abs(y))
    return (*(np.flatnonzero((reach > low) & (reach <= high)) for low, high in _RINGS),
            np.flatnonzero(np.hypot(x, y) > 1.15))


def _composition(grey: Map) -> list[float]:
    """Likeness to the mirror image and to itself upside down; brightness from the edge to the middle and of corners."""
    small, flat = _blocks(grey, 32), grey.ravel()
    return [_likeness(small, small[:, ::-1]), _likeness(small, small[::-1]),
            *(float(flat[cells].mean()) for cells in _places()), float(flat[_places()[0]].std())]


def _roughness(grey: Map) -> list[float]:
    """Detail in five bands from fine to coarse: how much, how evenly it is spread, and in the middling block."""
    import cv2

    out: list[float] = []
    for _ in range(5):
        coarse = cv2.pyrDown(grey)
        detail = (grey - cv2.pyrUp(coarse, dstsize=grey.shape[::-1])) ** 2
        blocks = np.sqrt(_blocks(detail, 8))
        out += [np.log(detail.mean() + 1e-6), blocks.std() / (blocks.mean() + 1e-3), np.log(np.median(blocks) + 1e-3)]
        grey = coarse
    return out


def measure(rgb: np.ndarray) -> np.ndarray:
    """The numbers of one crop (uint8, H x W x 3): float32 (222,)."""
    found = maps(rgb)
    colours, (texture, lines, even, paper) = found[:3], found[3:]
    grey, saturation = colours.mean(0), colours.max(0) - colours.min(0)
    numbers = [n for values in (grey, saturation, texture, lines, even, paper) for n in _distribution(values)]
    numbers += _solidity(texture, lines, even, paper) + _colours(colours, grey, saturation)
    for values in (1 - grey, lines):
        numbers += _profile(values.mean(1)) + _profile(values.mean(0))
    return np.array([*numbers, *_composition(grey), *_roughness(grey)], np.float32)
