"""Blots and gels as papers print them: framed strips with names and weights, lane headings, dot blots, dark gels."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.charts import GENES, GROUPS
from pmcoa_build.figures.synth.imagery import Field, Image, Rng, grey, noise, pick
from pmcoa_build.figures.synth.text import extent, write
from pmcoa_build.figures.synth.texture import clouds, grain

_WEIGHTS = ("250", "150", "130", "100", "75", "70", "55", "50", "37", "35", "25", "20", "15", "10")
_STAINS = (((225, 235, 250), (40, 60, 150)), ((205, 220, 245), (70, 90, 190)), ((90, 15, 5), (255, 150, 60)),
           ((60, 0, 0), (255, 90, 70)), ((8, 20, 10), (120, 255, 130)), ((240, 225, 225), (130, 40, 50)),
           ((14, 14, 14), (240, 240, 240)), ((235, 225, 200), (90, 60, 40)), ((70, 70, 110), (230, 230, 255)))
"""Ground and bands of gels in colour."""
_PROTEINS = (*GENES, "β-actin", "α-tubulin", "GAPDH", "p-AKT", "p-ERK1/2", "LC3-II", "HSP90", "Lamin B1",
             "Cleaved caspase-3", "Flag", "HA")


def _bands(rng: Rng, width: int, height: int, lanes: int, rows: int) -> Field:
    """Darkness 0 to 1 of a membrane with so many lanes and rows of bands."""
    x, y = np.meshgrid((np.arange(width, dtype=np.float32) + 0.5) / width * lanes,
                       np.arange(height, dtype=np.float32) / height)
    dark = np.zeros((height, width), np.float32)
    for place in np.sort(rng.uniform(0.2, 0.85, rows)) if rows > 1 else (0.5,):
        tall = rng.uniform(0.12, 0.26) if rows == 1 else rng.uniform(0.015, 0.05)
        smile, same = rng.uniform(-0.3, 0.5), rng.random() < 0.35
        for lane in range(lanes):
            level = rng.uniform(0.75, 1) if same else rng.uniform(0, 1.1) ** 1.5
            across = (x - lane - 0.5) / rng.uniform(0.36, 0.46)
            down = (y - place - rng.normal(0, 0.04) * tall) / tall + smile * across**2 * 0.4
            dark = np.maximum(dark, level * np.exp(-np.abs(across) ** 5 * 0.9 - np.abs(down) ** pick(rng, (2, 3))))
    return dark


def _membrane(rng: Rng, width: int, height: int, lanes: int, rows: int) -> Image:
    dark = _bands(rng, width, height, lanes, rows)
    ground = rng.uniform(190, 252)
    picture = ground + rng.uniform(1, 8) * clouds(rng, width, height, max(6, height / 3),
                                                  2) - dark * (ground - rng.uniform(0, 50))
    return grain(rng, grey(picture.astype(np.float32)), float(rng.uniform(1, 4)))


def _headings(rng: Rng, image: Image, frame: tuple[int, int, int], lanes: int, size: int, face: str) -> None:
    """Lane names above the strips: plus and minus in rows, numbers, or names turned upright."""
    left, right, top = frame
    centres = [round(left + (lane + 0.5) * (right - left) / lanes) for lane in range(lanes)]
    upright = rng.random() < 0.3
    for row in range(1 if upright else max(1, (top - 3) // (size + 3))):
        names = [pick(rng, GROUPS if upright else ("+", "-", "0", "6", "24", "C", "N", "1", "2")) for _ in centres]
        for centre, name in zip(centres, names, strict=True):
            x0, y0, x1, y1 = extent(name, face, size)
            wide, tall = (y1 - y0, x1 - x0) if upright else (x1 - x0, y1 - y0)
            at = (centre - wide // 2,
                  max(1, top - 3 - tall) if upright else top - 4 - (row + 1) * (size + 2) + size - tall)
            write(image, name, at, size=size, face=face, upright=upright)
        if not upright and left > 30:
            write(image, pick(rng, GROUPS), (2, top - 4 - (row + 1) * (size + 2)), size=size, face=face)


def western(rng: Rng, width: int, height: int) -> Image:
    """Several framed strips of a western blot, names beside them, weights and lane headings mostly."""
    image = np.full((height, width, 3), 255, np.uint8)
    face = pick(rng, ("sans", "sans", "serif", "sans-bold"))
    size = int(np.clip(min(width, height) * rng.uniform(0.035, 0.07), 7, 18))
    blocks = int(pick(rng, (1, 1, 1, 2)))
    rows = int(np.clip(rng.integers(1, 8), 1, max(1, height // (size * 2 + 6))))
    name_side, weights = pick(rng, ("right", "right", "left")), rng.random() < 0.5
    beside, other = min(size * 5, width // 3), size * 2 + 6 if weights else 3
    left, right = (beside, width - other) if name_side == "left" else (other, width - beside)
    top = min(height // 3, size * int(rng.integers(1, 5)) + 6) if rng.random() < 0.8 else 3
    pitch = (height - top - 2) / rows
    lanes = int(rng.integers(2, 13))
    spans = np.linspace(left, right + 4, blocks + 1).astype(int)
    for start, stop in zip(spans[:-1], spans[1:] - 4, strict=True):
        _headings(rng, image, (int(start), int(stop), top), lanes, size, face)
        for row in range(rows):
            y0, y1 = round(top + row * pitch), round(top + (row + 1) * pitch - max(3, pitch * 0.12))
            strip = _membrane(rng, max(8, stop - start), max(6, y1 - y0), lanes, int(pick(rng, (1, 1, 1, 2))))
            image[y0 : y0 + strip.shape[0], start : start + strip.shape[1]] = strip
            if rng.random() < 0.8:
                image[[y0, y1 - 1], start:stop] = 0
                image[y0:y1, [start, stop - 1]] = 0
    _beside(rng, image, (left, right, top), (pitch, rows), (size, face, name_side, weights))
    return image


def _beside(rng: Rng, image: Image, frame: tuple[int, int, int], rows: tuple[float, int],
            style: tuple[int, str, str, bool]) -> None:
    """Names of proteins on one side of the strips, weights on the other."""
    left, right, top = frame
    size, face, name_side, weights = style
    for row in range(rows[1]):
        middle = round(top + (row + 0.45) * rows[0])
        name, weight = pick(rng, _PROTEINS), pick(rng, _WEIGHTS) + "-"
        while extent(name, face,
                     size)[2] > (image.shape[1] - right if name_side == "right" else left) - 4 and len(name) > 3:
            name = name[:-1]
        at = right + 4 if name_side == "right" else left - 4 - extent(name, face, size)[2]
        write(image, name, (max(1, at), middle - size // 2), size=size, face=face)
        if weights:
            write(image, weight, (max(0, left - 2 - extent(weight, face,
                                                           size)[2]) if name_side == "right" else right + 3,
                                  middle - size // 2),
                  size=max(6, size - 1), face=face)


def whole_membrane(rng: Rng, width: int, height: int) -> Image:
    """One tall membrane or gel with many bands, weights at the left, an arrow or names at the right."""
    image = np.full((height, width, 3), 255, np.uint8)
    size = int(np.clip(min(width, height) * rng.uniform(0.035, 0.06), 7, 16))
    left, right, top = size * 3 + 4, width - int(pick(rng, (3, size * 4))), size * 2 + 8
    lanes, bottom = int(rng.integers(2, 12)), height - 3
    body = _membrane(rng, max(8, right - left), bottom - top, lanes, int(rng.integers(2, 7)))
    image[top : top + body.shape[0], left : left + body.shape[1]] = 255 - body if rng.random() < 0.3 else body
    if rng.random() < 0.7:
        image[[top, bottom - 1], left:right] = 0
        image[top:bottom, [left, min(right, width) - 1]] = 0
    start = int(rng.integers(0, 5))
    count = int(rng.integers(3, 8))
    for i, weight in enumerate(_WEIGHTS[start : start + count]):
        y = round(top + (i + 0.5) * (bottom - top) / count)
        write(image, weight, (max(1, left - 8 - extent(weight, "sans", size)[2]), y - size // 2), size=size)
        image[y : y + 1, left - 6 : left] = 0
    _headings(rng, image, (left, right, top), lanes, size, "sans")
    return image


def dark_gel(rng: Rng, width: int, height: int) -> Image:
    """An agarose gel: pale bands on black or grey, a ladder in the first lane, to the very edge."""
    lanes = int(rng.integers(3, 16))
    dark = np.clip(_bands(rng, width, height, lanes, int(rng.integers(1, 4))), 0, 1)
    wide = max(3, width // lanes)
    ladder = _bands(rng, wide, height, 1, 9)
    dark[:, :wide] = ladder
    picture = rng.uniform(10, 90) + 6 * noise(rng, width, height, 30) + dark * rng.uniform(130, 190)
    return grain(rng, grey(picture.astype(np.float32)), 4)


def dot_blot(rng: Rng, width: int, height: int) -> Image:
    """Rows of round spots, dark on a pale ground or pale on black: dot blots, arrays, spot assays on agar."""
    columns = int(rng.integers(3, 13))
    rows = max(1, round(columns * height / width * rng.uniform(0.8, 1.1)))
    x, y = (np.arange(width) + 0.5) / width * columns, (np.arange(height) + 0.5) / height * rows
    reach = np.hypot(np.mod(x, 1)[None, :] - 0.5, np.mod(y, 1)[:, None] - 0.5)
    level = rng.uniform(0, 1,
                        (rows, columns))[np.minimum(y.astype(int), rows - 1)][:, np.minimum(x.astype(int), columns - 1)]
    spots = np.clip((rng.uniform(0.25, 0.4) - reach) * 12, 0, 1) * level
    picture = (240 - spots * 225 if rng.random() < 0.6 else 25 + spots * 220) + 5 * clouds(rng, width, height, 12)
    return grain(rng, grey(picture.astype(np.float32)), 3)


def tinted_gel(rng: Rng, width: int, height: int) -> Image:
    """A gel as it was stained or lit: blue on pale, orange, red or green on black; weights beside it now and then."""
    lanes = int(rng.integers(2, 18))
    size = int(np.clip(min(width, height) * 0.05, 7, 14))
    left, top = (size * 3 + 4, size * 2) if rng.random() < 0.5 else (0, 0)
    dark = np.clip(_bands(rng, width - left, height - top, lanes, int(rng.integers(1, 9))), 0, 1)
    wide = max(3, (width - left) // lanes)
    dark[:, :wide] = _bands(rng, wide, height - top, 1, 9)
    dark = np.clip(dark + 0.04 * clouds(rng, width - left, height - top, 14), 0, 1)[:, :, None]
    ground, band = pick(rng, _STAINS)
    shade = 1 + 0.15 * noise(rng, width - left, height - top, width / 2)[:, :, None]
    image = np.full((height, width, 3), 255, np.uint8)
    image[top:, left:] = grain(rng, (np.asarray(ground) * (1 - dark) + np.asarray(band) * dark) * shade, 3)
    if left:
        _headings(rng, image, (left, width, top), lanes, size, "sans")
        for i, weight in enumerate(_WEIGHTS[3:9]):
            write(image, weight, (2, round(top + (i + 0.4) * (height - top) / 6)), size=size)
    return image
