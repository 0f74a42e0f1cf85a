"""Edges of roughly known boxes, made exact: moved to the nearest gutter or seam, then shrunk to the ink."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.boxes import Box
from pmcoa_build.figures.ink import Page

_REACH, _LEAST = 0.06, 4
"""How far an edge may move: a share of the box's own side, and at least so many pixels."""
_TRIM = 0.1
"""Share of an edge's length left out at each end: corners of neighbours."""
_BETTER = 0.5
"""An edge moves only where it then crosses less than this share of what it crossed: no gutter, no seam, no move."""
_AWAY = 0.02
"""Cost of moving an edge by its whole reach, as a share of the edge crossing ink: the nearest gap is meant."""


def snapped(page: Page, box: Box) -> Box:
    """The box (pixels of the page) with each edge where it crosses least ink within reach, shrunk to its ink."""
    x0, y0, x1, y1 = box
    left, right = (_moved(page, box, 0, at) for at in (x0, x1))
    top, bottom = (_moved(page, box, 1, at) for at in (y0, y1))
    if right - left < 2 or bottom - top < 2:
        return page.shrunk(box) or box
    return page.shrunk((left, top, right, bottom)) or box


def _moved(page: Page, box: Box, axis: int, at: int) -> int:
    """Best position of the edge at `at`: x of a vertical edge (axis 0), y of a horizontal one (axis 1)."""
    end = page.box[axis + 2]
    reach = max(_LEAST, round(_REACH * (box[axis + 2] - box[axis])))
    low, high = max(at - reach, 0), min(at + reach, end)
    if low == 0 and at <= reach // 2:
        return 0
    if high == end and at >= end - reach // 2:
        return end
    other = 1 - axis
    trim = int(_TRIM * (box[other + 2] - box[other]))
    first, last = box[other] + trim, max(box[other + 2] - trim, box[other] + trim + 1)
    if axis == 0:
        crossed = page.vertical_costs((low, first, high, last))
    else:
        crossed = page.horizontal_costs((first, low, last, high))
    away = np.abs(np.arange(low, high) - at) / reach
    best = low + int(np.argmin(crossed / (last - first) + _AWAY * away))
    return best if crossed[best - low] < _BETTER * crossed[min(at, high - 1) - low] else at
