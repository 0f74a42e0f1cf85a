"""Edges of roughly known boxes, made exact: moved to the nearest gutter or seam, then shrunk to the ink."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pmcoa_build.figures.boxes import Box, area, intersection
from pmcoa_build.figures.ink import Page

_REACH, _LEAST = 0.06, 4
"""How far an edge may move: a share of the box's own side, and at least so many pixels."""
_TRIM = 0.1
"""Share of an edge's length left out at each end: corners of neighbours."""
_BETTER = 0.5
"""An edge moves only where it then crosses less than this share of what it crossed: no gutter, no seam, no move."""
_AWAY = 0.02
"""Cost of moving an edge by its whole reach, as a share of the edge crossing ink: the nearest gap is meant."""
_STRIP, _SHARE = 0.1, 0.12
"""What is cut off beside a panel is at least so much of its side, and all together so much of its area: else it is an
axis title."""
_SPARSE = 0.4
"""Most of the panel's ink that such a strip holds: with more it is a picture that the network has missed."""


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


def trimmed(page: Page, box: Box, seen: Box, kept: Sequence[Box]) -> Box:
    """The box without strips that `seen`, a smaller view of the same panel, leaves out: shared legends, headings.

    An edge moves to the clean cut nearest to that of `seen`; a strip with half of any of the `kept` boxes in it stays,
    and one with much of the ink.
    """
    out = box
    for edge in range(4):
        axis, first = edge % 2, edge < 2
        depth = (seen[edge] - box[edge]) * (1 if first else -1)
        if depth < _STRIP * (box[axis + 2] - box[axis]):
            continue
        at = _clean_cut(page, out, edge, seen[edge])
        if at is None:
            continue
        strip = _with_edge(_with_edge(out, (edge + 2) % 4, at), edge, out[edge])
        sparse = page.count(strip) <= _SPARSE * page.count(box)
        if sparse and all(intersection(strip, other) <= 0.5 * area(other) for other in kept):
            out = _with_edge(out, edge, at)
    out = page.shrunk(out) or box
    return out if area(out) < (1 - _SHARE) * area(box) else box


def _with_edge(box: Box, edge: int, at: int) -> Box:
    x0, y0, x1, y1 = box
    return ((at, y0, x1, y1), (x0, at, x1, y1), (x0, y0, at, y1), (x0, y0, x1, at))[edge]


def _clean_cut(page: Page, box: Box, edge: int, at: int) -> int | None:
    """Position nearest to `at`, from there out to the box's edge, at which a cut crosses nothing; None far from it."""
    axis = edge % 2
    low, high = (box[edge] + 1, at + 1) if edge < 2 else (at, box[edge])
    part = (low, box[1], high, box[3]) if axis == 0 else (box[0], low, box[2], high)
    clean = low + np.flatnonzero((page.vertical_costs(part) if axis == 0 else page.horizontal_costs(part)) == 0)
    reach = max(_LEAST, round(_REACH * (box[axis + 2] - box[axis])))
    clean = clean[np.abs(clean - at) <= reach]
    return int(clean[np.abs(clean - at).argmin()]) if len(clean) else None
