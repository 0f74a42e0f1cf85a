"""Near-duplicate images: a 64-bit perceptual hash, a thumbnail that confirms what hashes suggest, and star groups.

The hash is the DCT "pHash" (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", sec.
3.2.1): signs of the 8 x 8 lowest frequencies of a 32 x 32 grey image against their median.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from pmcoa_build.figures.neighbours import Ints, Neighbours

_SIDE, _KEPT = 32, 8
THUMBNAIL = _SIDE * _SIDE * 3
"""Bytes of a thumbnail."""

_TOLERANCE, _FEW = 12, THUMBNAIL // 100
_FIRST = 24
"""One value in so many is looked at first."""


@cache
def _cosines() -> np.ndarray:
    """Rows 0 to 7 of the orthonormal DCT-II of 32 points."""
    k, n = np.arange(_KEPT)[:, None], np.arange(_SIDE)[None, :]
    rows = np.cos(np.pi * (2 * n + 1) * k / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    rows[0] /= np.sqrt(2)
    return np.asarray(rows)


def _small_grey(rgb: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    grey = Image.fromarray(np.ascontiguousarray(rgb)).convert("L")
    return np.asarray(grey.resize((side, side), Image.Resampling.BILINEAR))


def phash(rgb: np.ndarray) -> int:
    """64-bit perceptual hash of a uint8 image (H x W x 3), 0 to 2**64 - 1.

    Coefficients are rounded before they are compared with their median, so that a flat image hashes to one value on
    every machine.
    """
    rows = _cosines()
    low = np.round(rows @ _small_grey(rgb, _SIDE).astype(np.float64) @ rows.T, 3).ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def thumbnail(rgb: np.ndarray) -> bytes:
    """32 x 32 RGB bytes, row by row: small enough to keep for many panels, enough to confirm a hash hit."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(rgb))
    return image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR).tobytes()


def thumbnails_match(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of `others` (n x THUMBNAIL, uint8) are the picture `one` (THUMBNAIL): bool (n).

    That is where all but 1 % of the values differ by at most 12 levels. A picture that was scaled or compressed again
    passes; two scans of one kind differ by more in the one place that their captions are about (a lesion, a colour),
    although their hashes are close. Seen on drawn panels: copies differ by 0 to 10, others from 14 on.
    """
    match = _differing(one[::_FIRST], others[:, ::_FIRST]) <= _FEW
    left = np.flatnonzero(match)
    match[left] = _differing(one, others[left]) <= _FEW
    return match


def _differing(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each of `others` the number of values that are too far from those of `one`."""
    return np.asarray(np.count_nonzero(np.maximum(others, one) - np.minimum(others, one) > _TOLERANCE, axis=1))


def stars(near: Neighbours, count: int, confirm: Callable[[int, np.ndarray], np.ndarray] | None = None) -> Ints:
    """Star-shaped groups of the first `count` hashes: for each the place of its group's centre (its own, for a centre),
    or -1.

    `near` was made of these hashes, in their order of precedence: the first that is free becomes a centre and takes its
    free neighbours, those that `confirm(centre, others)` says are the same picture. So each member is a confirmed
    neighbour of its centre, never linked through another member: a group cannot creep from one image to an unlike one.
    """
    centres = np.full(count, -1)
    free = np.arange(near.count) < count
    for place, value in _in_order(near):
        if not free[place]:
            continue
        free[place] = False
        others = near.places_near(value)
        others = others[free[others]]
        if confirm is not None and len(others):
            others = others[confirm(place, others)]
        if len(others):
            free[others] = False
            centres[others] = centres[place] = place
    return centres


def held(near: Neighbours, count: int) -> Ints:
    """For each of the first `count` hashes that of the others (0 for the one after them) which comes first among those
    near it, or -1."""
    found = np.full(near.count, -1)
    for place, value in reversed(_in_order(near)):
        if place < count:
            break
        found[near.places_near(value)] = place - count
    return found[:count]


def _in_order(near: Neighbours) -> list[tuple[int, int]]:
    """(place in the input, position in `near.values`) of all hashes that may have neighbours."""
    values = np.repeat(np.arange(len(near.values)), np.diff(near.places.starts))
    order = np.argsort(near.places.items)
    return list(zip(near.places.items[order].tolist(), values[order].tolist(), strict=True))
