"""Several pictures under one letter: channels, slices, time points, with headings, row names, insets, thin gaps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pmcoa_build.figures.synth.cells import CHANNELS, scene, show
from pmcoa_build.figures.synth.charts import GROUPS
from pmcoa_build.figures.synth.imagery import Image, Rng, pick
from pmcoa_build.figures.synth.text import extent, write
from pmcoa_build.figures.synth.texture import warp

Draw = Callable[[Rng, int, int], Image]
_STAINS = ("GFP", "mCherry", "DAPI", "Merge", "Merged", "Ki67", "CD31", "α-SMA", "LC3", "LysoTracker", "Phalloidin",
           "NeuN", "GFAP", "BF", "TUNEL")


def _shape(rng: Rng, width: int, height: int) -> tuple[int, int]:
    """(rows, columns) of nearly square tiles that fill the picture, none below some 36 pixels."""
    tile = float(np.clip(min(width, height) / pick(rng, (1, 2, 2, 3, 4)), 40, 220))
    rows, columns = max(1, round(height / tile)), max(1, round(width / tile * rng.uniform(0.8, 1.1)))
    return (rows, columns) if rows * columns > 1 else (1, 2)


def _inset(rng: Rng, tile: Image) -> None:
    """An enlarged part in a corner and a frame where it comes from, in place."""
    import cv2

    height, width = tile.shape[:2]
    side = min(width, height) // 3
    if side < 14:
        return
    x, y = (int(rng.integers(0, n - side // 2)) for n in (width, height))
    part = cv2.resize(tile[y : y + side // 2, x : x + side // 2], (side, side), interpolation=cv2.INTER_LINEAR)
    left, top = pick(rng, ((0, 0), (width - side, 0), (width - side, height - side), (0, height - side)))
    tile[top : top + side, left : left + side] = part
    white = pick(rng, ((255, 255, 255), (255, 255, 255), (250, 230, 40)))
    cv2.rectangle(tile, (left, top), (left + side - 1, top + side - 1), white, 1)
    cv2.rectangle(tile, (x, y), (x + side // 2, y + side // 2), white, 1)


def _bar(tile: Image, dark: bool) -> None:
    """A scale bar at the lower right, in place."""
    height, width = tile.shape[:2]
    y, thick = height - max(4, height // 14), max(1, height // 60)
    tile[y : y + thick, width - width // 4 - 4 : width - 4] = 0 if dark else 255


def _place(rng: Rng, width: int, height: int, tiles: Callable[[int, int, int, int], Image],
           shape: tuple[int, int]) -> Image:
    """Tiles in rows and columns with thin gaps; headings over the columns and names of rows now and then."""
    rows, columns = shape
    size = int(np.clip(min(width / columns, height / rows) * 0.16, 7, 16))
    top = size + 5 if rng.random() < 0.55 else 0
    left = size + 5 if rng.random() < 0.45 and rows > 1 else 0
    paper = 255 if top or left or rng.random() < 0.6 else 0
    image = np.full((height, width, 3), paper, np.uint8)
    gap = int(pick(rng, (0, 1, 1, 2, 2, 3, 5)))
    xs = np.linspace(left, width + gap, columns + 1).astype(int)
    ys = np.linspace(top, height + gap, rows + 1).astype(int)
    for row in range(rows):
        for column in range(columns):
            wide, tall = max(4, xs[column + 1] - xs[column] - gap), max(4, ys[row + 1] - ys[row] - gap)
            tile = tiles(row, column, int(wide), int(tall))
            cut = image[ys[row] : ys[row] + tall, xs[column] : xs[column] + wide]
            cut[:] = tile[: cut.shape[0], : cut.shape[1]]
        if left:
            name = pick(rng, GROUPS)
            middle = (ys[row] + ys[row + 1] - gap) // 2 - extent(name, "sans", size)[2] // 2
            write(image, name, (1, int(max(top, middle))), size=size, upright=True)
    for column in range(columns if top else 0):
        name = pick(rng, _STAINS if rng.random() < 0.6 else GROUPS)
        colour = (20, 20, 20) if rng.random() < 0.6 else tuple(int(c * 0.75) for c in CHANNELS[column % 4])
        middle = (xs[column] + xs[column + 1] - gap) // 2 - extent(name, "sans", size)[2] // 2
        write(image, name, (int(max(0, middle)), 2), size=size, colour=(colour[0], colour[1], colour[2]))
    return image


def channels(rng: Rng, width: int, height: int) -> Image:
    """Each row one field of view: its channels alone, then merged."""
    rows, columns = _shape(rng, width, height)
    columns = int(np.clip(columns, 2, 5))
    grey, inset, bar = rng.random() < 0.4, rng.random() < 0.35, rng.random() < 0.7
    fields: list[list[np.ndarray]] = []

    def tile(row: int, column: int, wide: int, tall: int) -> Image:
        if column == 0:
            fields[:] = [scene(rng, wide, tall)]
        colours = [CHANNELS[2], CHANNELS[0], CHANNELS[1], CHANNELS[3]]
        views = [np.ascontiguousarray(_to(field, wide, tall)) for field in fields[0]]
        if column == columns - 1:
            image = show(rng, views, colours[: len(views)])
        else:
            own = column % len(views)
            image = show(rng, [views[own]], [(230, 230, 230) if grey else colours[own]])
        if inset:
            _inset(np.random.default_rng(row), image)
        if bar and (column == columns - 1 or row == rows - 1):
            _bar(image, dark=False)
        return image

    return _place(rng, width, height, tile, (rows, columns))


def _to(field: np.ndarray, width: int, height: int) -> np.ndarray:
    import cv2

    return field if field.shape == (height, width) else np.asarray(cv2.resize(field, (width, height)))


def montage(draws: tuple[Draw, ...], *, dark: bool) -> Draw:
    """The draw of a grid of like pictures, all by one of `draws`; `dark`: they are dark, and their bars white."""

    def draw(rng: Rng, width: int, height: int) -> Image:
        one, bar = pick(rng, draws), rng.random() < 0.4
        state = int(rng.integers(0, 2**31))
        alike = rng.random() < 0.5

        def tile(row: int, column: int, wide: int, tall: int) -> Image:
            own = np.random.default_rng(state + (row if alike else row * 100 + column))
            image = np.ascontiguousarray(warp(rng, one(own, wide, tall), 0.04))
            if bar:
                _bar(image, dark=not dark)
            return image

        return _place(rng, width, height, tile, _shape(rng, width, height))

    return draw
