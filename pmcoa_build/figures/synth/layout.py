"""Where the panels of a compound figure stand: grids, ragged rows, nested splits, pinwheels, strips, wraps.

Boxes are (x0, y0, x1, y1) in pixels, x1 and y1 exclusive, on an area that starts at (0, 0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pmcoa_build.figures.boxes import Box, reading_order
from pmcoa_build.figures.synth.imagery import Rng, pick

Gaps = tuple[int, int]
Cell = tuple[Box, ...]

LEAST = 36
"""Least side of a panel in pixels."""
_TALLEST, _FLATTEST = 2.1, 0.22
"""Height of a page in widths, at most and at least."""
_PAGE, _SPREAD = 1.4, 0.5
"""Middle width/height of pages, and the deviation of its logarithm."""


@dataclass(frozen=True)
class Arrangement:
    """`cells[i]` are the areas of panel i: one box, or several of a panel that wraps round others or spans columns.

    `rows` and `columns` hold the start and end of each where the panels form a plain grid, else nothing; `vacant` is
    the place that an incomplete last row leaves free.
    """

    cells: tuple[Cell, ...]
    width: int
    height: int
    rows: tuple[tuple[int, int], ...] = ()
    columns: tuple[tuple[int, int], ...] = ()
    vacant: Box | None = None


def arrange(rng: Rng, count: int, width: int, gaps: Gaps, aspect: tuple[float, float]) -> Arrangement:
    """`count` panels (at least 1) on an area `width` pixels wide, `gaps` (across, down) apart.

    Panels are near `aspect` (low, high width/height) where the arrangement leaves the choice. In reading order, now
    and then column by column.
    """
    if count == 1:
        height = _height(width, width / _aspect(rng, aspect))
        return Arrangement((((0, 0, width, height),),), width, height)
    gaps = (min(gaps[0], width // (2 * count)), min(gaps[1], width // count))
    names = [name for name, (least, most, _, _) in _WAYS.items() if least <= count <= most]
    weights = np.array([_WAYS[name][2] for name in names])
    chosen = _WAYS[str(rng.choice(names, p=weights / weights.sum()))][3]
    return _ordered(rng, chosen(rng, count, width, gaps, aspect))


def split_box(rng: Rng, box: Box, count: int, gaps: Gaps) -> list[Box]:
    """Cut a box into `count` by nested straight cuts; fewer where the sides get too short."""
    if count <= 1:
        return [box]
    x0, y0, x1, y1 = box
    wide, tall = x1 - x0, y1 - y0
    few = 1 if count < 6 else count // 4
    first = int(pick(rng, (few, count - few, int(rng.integers(few, count - few + 1)))))
    share = float(np.clip(first / count * rng.uniform(0.75, 1.35), 0.22, 0.78))
    across = wide * rng.uniform(0.6, 1.5) > tall
    gap = gaps[0] if across else gaps[1]
    cut = round((wide if across else tall) * share)
    if min(cut, (wide if across else tall) - cut) < LEAST + gap:
        return [box]
    if across:
        halves = ((x0, y0, x0 + cut, y1), (x0 + cut + gap, y0, x1, y1))
    else:
        halves = ((x0, y0, x1, y0 + cut), (x0, y0 + cut + gap, x1, y1))
    return [*split_box(rng, halves[0], first, gaps), *split_box(rng, halves[1], count - first, gaps)]


def shares(rng: Rng, length: int, parts: int, gap: int, jitter: float) -> list[tuple[int, int]]:
    """Start and end of `parts` pieces of a length, `gap` apart; `jitter` is the deviation of their log sizes."""
    weights = np.exp(np.clip(rng.standard_normal(parts), -1.5, 1.5) * jitter)
    free = max(length - gap * (parts - 1), parts)
    ends = np.round(np.cumsum(weights / weights.sum()) * free).astype(int)
    starts = [0, *ends[:-1]]
    return [(int(a) + i * gap, int(b) + i * gap) for i, (a, b) in enumerate(zip(starts, ends, strict=True))]


def _aspect(rng: Rng, aspect: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(np.log(aspect[0]), np.log(aspect[1]))))


def _height(width: int, height: float) -> int:
    return round(min(max(height, _FLATTEST * width, LEAST), _TALLEST * width))


def _row_count(rng: Rng, count: int, aspect: float) -> int:
    """Rows for `count` panels, so that pages get the usual proportions."""
    rows = np.arange(1, count + 1)
    page = np.log(np.ceil(count / rows) * aspect / rows / _PAGE)
    waste = np.ceil(count / rows) * rows - count
    chance = np.exp(-0.5 * (page / _SPREAD) ** 2 - 0.9 * waste) + 1e-6
    return int(rng.choice(rows, p=chance / chance.sum()))


def _grid(rng: Rng, count: int, width: int, gaps: Gaps, aspect: tuple[float, float]) -> Arrangement:
    """Equal or unequal columns and rows; an incomplete last row stands left, in the middle, or is drawn out."""
    ratio = _aspect(rng, aspect)
    row_count = _row_count(rng, count, ratio)
    column_count = -(-count // row_count)
    row_count = -(-count // column_count)
    uneven = float(pick(rng, (0.0, 0.0, 0.0, 0.25)))
    columns = shares(rng, width, column_count, gaps[0], uneven)
    height = _height(width, row_count * width / column_count / ratio)
    rows = shares(rng, height, row_count, gaps[1], float(pick(rng, (0.0, 0.0, 0.3))))
    boxes = [(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns][:count]
    last = count - column_count * (row_count - 1)
    if last == column_count:
        return Arrangement(_cells(boxes), width, height, tuple(rows), tuple(columns))
    tail = str(pick(rng, ("left", "left", "middle", "wide")))
    y0, y1 = rows[-1]
    if tail == "wide":
        boxes[-last:] = [(x0, y0, x1, y1) for x0, x1 in shares(rng, width, last, gaps[0], 0.0)]
    elif tail == "middle":
        shift = (width - boxes[-1][2]) // 2
        boxes[-last:] = [(x0 + shift, y0, x1 + shift, y1) for x0, y0, x1, y1 in boxes[-last:]]
    vacant = (columns[last][0], y0, width, y1) if tail == "left" else None
    return Arrangement(_cells(boxes), width, height, vacant=vacant)


def _spans(rng: Rng, count: int, width: int, gaps: Gaps, aspect: tuple[float, float]) -> Arrangement:
    """A grid in which a panel or two take several places, with gaps inside as wide as those between panels."""
    more = int(pick(rng, (1, 1, 2)))
    found = _grid(rng, count + more, width, gaps, aspect)
    cells = list(found.cells)
    for _ in range(more):
        beside = [i for i, (a, b) in enumerate(pairwise(cells)) if a[-1][1::2] == b[0][1::2]]
        first = int(pick(rng, beside or range(len(cells) - 1)))
        cells[first : first + 2] = [(*cells[first], *cells[first + 1])]
    return Arrangement(tuple(cells), found.width, found.height)


def _ragged(rng: Rng, count: int, width: int, gaps: Gaps, aspect: tuple[float, float]) -> Arrangement:
    """Rows of different counts and heights, drawn out to both margins or not; now and then turned into columns."""
    row_count = max(_row_count(rng, count, _aspect(rng, aspect)), min(2, count))
    sizes = _sizes(rng, count, row_count)
    justified, boxes, top = rng.random() < 0.65, [], 0
    for size in sizes:
        height = width / max(size, 1.4) / _aspect(rng, aspect)
        wide = width if justified else round(width * rng.uniform(0.6, 1))
        tall = max(LEAST, round(height))
        boxes += [(x0, top, x1, top + tall) for x0, x1 in shares(rng, wide, int(size), gaps[0], 0.3)]
        top += tall + gaps[1]
    return _fitted(boxes, width)


def _sizes(rng: Rng, count: int, parts: int) -> list[int]:
    """How `count` panels spread over rows or columns, none with much more than the others."""
    tries = [np.diff([0, *sorted(rng.choice(np.arange(1, count), parts - 1, replace=False)), count]) for _ in range(3)]
    return [int(size) for size in min(tries, key=max)]


def _nested(rng: Rng, count: int, width: int, gaps: Gaps, aspect: tuple[float, float]) -> Arrangement:
    height = _height(width, width / (_PAGE * np.exp(rng.standard_normal() * _SPREAD * 0.8)))
    return Arrangement(_cells(split_box(rng, (0, 0, width, height), count, gaps)), width, height)


def _columns(rng: Rng, count: int, width: int, gaps: Gaps, aspect: tuple[float, float]) -> Arrangement:
    """Columns that are filled each by itself: edges meet across the page only by chance."""
    column_count = int(rng.integers(2, min(count, 4) + 1))
    sizes = _sizes(rng, count, column_count)
    height = _height(width, max(sizes) * width / column_count / _aspect(rng, aspect))
    boxes = []
    for (x0, x1), size in zip(shares(rng, width, column_count, gaps[0], 0.25), sizes, strict=True):
        tall = height if rng.random() < 0.7 else round(height * rng.uniform(0.7, 1))
        boxes += [(x0, y0, x1, y1) for y0, y1 in shares(rng, tall, size, gaps[1], 0.3)]
    return _fitted(boxes, width)


def _bands(rng: Rng, count: int, width: int, gaps: Gaps, aspect: tuple[float, float]) -> Arrangement:
    """Panels across the whole width below each other, as rows of pictures under one letter are."""
    height = _height(width, count * width / rng.uniform(2.2, 5))
    return Arrangement(tuple(((0, y0, width, y1),) for y0, y1 in shares(rng, height, count, gaps[1], 0.25)), width,
                       height)


def _pinwheel(rng: Rng, count: int, width: int, gaps: Gaps, aspect: tuple[float, float]) -> Arrangement:
    """Five areas that no straight cut divides; more panels divide the largest of them."""
    height = _height(width, width / _PAGE * rng.uniform(0.7, 1.2))
    (a, b), (c, d) = ((round(side * rng.uniform(0.28, 0.4)), round(side * rng.uniform(0.6, 0.72)))
                      for side in (width, height))
    across, down = gaps
    boxes = [(0, 0, b, c), (b + across, 0, width, d), (a + across, d + down, width, height),
             (0, c + down, a, height), (a + across, c + down, b, d)]
    while len(boxes) < count:
        largest = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
        boxes.remove(largest)
        boxes += split_box(rng, largest, 2, gaps)
    if rng.random() < 0.5:
        boxes = [(width - x1, y0, width - x0, y1) for x0, y0, x1, y1 in boxes]
    return Arrangement(_cells(boxes), width, height)


def _wrap(rng: Rng, count: int, width: int, gaps: Gaps, aspect: tuple[float, float]) -> Arrangement:
    """One panel of two areas, along a side and down the other, round a corner where the others stand."""
    height = _height(width, width / _PAGE * rng.uniform(0.7, 1.3))
    x, y = round(width * rng.uniform(0.3, 0.6)), round(height * rng.uniform(0.3, 0.6))
    strip, side, corner = (0, 0, width, y), (0, y + gaps[1], x, height), (x + gaps[0], y + gaps[1], width, height)
    rest = split_box(rng, corner, count - 1, gaps)
    cells: list[Cell] = [(strip, side), *((box,) for box in rest)]
    if rng.random() < 0.5:
        cells = [tuple((width - x1, y0, width - x0, y1) for x0, y0, x1, y1 in cell) for cell in cells]
    if rng.random() < 0.5:
        cells = [tuple((x0, height - y1, x1, height - y0) for x0, y0, x1, y1 in cell) for cell in cells]
    return Arrangement(tuple(cells), width, height)


def _cells(boxes: Sequence[Box]) -> tuple[Cell, ...]:
    return tuple((box,) for box in boxes)


def _fitted(boxes: list[Box], width: int) -> Arrangement:
    """The page round some boxes, pressed together where it is too tall."""
    scale = min(1.0, _TALLEST * width / max(box[3] for box in boxes))
    pressed = [(x0, round(y0 * scale), x1, round(y1 * scale)) for x0, y0, x1, y1 in boxes]
    return Arrangement(_cells(pressed), max(box[2] for box in pressed), max(box[3] for box in pressed))


def _ordered(rng: Rng, found: Arrangement) -> Arrangement:
    whole = [min(cell, key=lambda box: (box[1], box[0])) for cell in found.cells]
    if rng.random() < 0.12:
        order = reading_order([(y0, x0, y1, x1) for x0, y0, x1, y1 in whole])
    else:
        order = reading_order(whole)
    return replace(found, cells=tuple(found.cells[i] for i in order))


_WAYS: dict[str, tuple[int, int, float, Callable[[Rng, int, int, Gaps, tuple[float, float]], Arrangement]]] = {
    "grid": (2, 99, 0.42, _grid), "ragged": (3, 99, 0.19, _ragged), "nested": (3, 99, 0.15, _nested),
    "columns": (3, 99, 0.07, _columns), "bands": (2, 7, 0.05, _bands), "pinwheel": (5, 12, 0.03, _pinwheel),
    "wrap": (2, 8, 0.02, _wrap), "spans": (2, 12, 0.07, _spans),
}
"""Fewest and most panels, weight, and how."""
