"""The ink of a page divided among its panel letters by straight cuts.

Each letter is the anchor of one panel, which lies right of it and below. The page is cut in two, again and again, until
every part has one anchor; a plan of cuts costs the ink that the cuts cross, plus the ink that ends up above or left of
the anchor of its part, where it has no business. The cheapest plan wins (dynamic programming over parts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pmcoa_build.figures.boxes import Box, shrink_to_ink
from pmcoa_build.figures.ink import Page

_PULL = 0.05
"""Cost of a pixel between a cut and where the panel right of it or below should begin: the nearer gap is meant."""
_WIDE, _NEAR = 0.15, 4.0
"""Worth of a pixel of a clean gap's width (counted up to 3 cap heights), within so many cap heights of the anchor."""
_ABOVE, _LEFT = 0.06, 0.03
"""Cost of a pixel of ink above, and left, of the anchor of its part."""
_UPRIGHT = 3.0
"""Extra cost of a vertical cut: of two clean plans, rows before columns is how figures are read."""
_MARGIN = 2
"""Pixels around a letter that still belong to it: its soft edge."""
_FEW = 4
"""Cuts tried per part: the cheapest by themselves."""
_BUDGET = 4000


@dataclass
class _Search:
    page: Page
    anchors: Sequence[Box]
    ems: Sequence[float]
    insets: tuple[float, float]
    seen: dict[tuple[Box, tuple[int, ...]], tuple[float, dict[int, Box]]] = field(default_factory=dict)


def _stray(search: _Search, part: Box, index: int) -> float:
    """Cost of the ink above and left of the anchor in its part."""
    x0, y0, x1, _ = part
    anchor, em = search.anchors[index], search.ems[index]
    above = search.page.count((x0, y0, x1, max(y0, int(anchor[1] - 0.8 * em))))
    beside = search.page.count((x0, anchor[1], max(x0, int(anchor[0] - 4 * em)), part[3]))
    return _ABOVE * above + _LEFT * beside


def _run_lengths(flags: np.ndarray) -> np.ndarray:
    """Length of the run of set flags that each position lies in; 0 where it is not set."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.view(np.int8), [0])))).reshape(-1, 2)
    out = np.zeros(len(flags))
    for start, end in edges:
        out[start:end] = end - start
    return out


def _insets(page: Page, anchors: Sequence[Box], ems: Sequence[float]) -> tuple[float, float]:
    """How far letters stand inside their panels, across and down: the distance of the first ones from the page's edge.

    (0, 0) where letters stand on paper, beside or above their panels.
    """
    inside = 0
    for (x0, y0, x1, y1), em in zip(anchors, ems, strict=True):
        pad = max(2, round(0.4 * em))
        ring = (max(x0 - pad, 0), max(y0 - pad, 0), min(x1 + pad, page.box[2]), min(y1 + pad, page.box[3]))
        inside += page.dark or page.count(ring) > 0.7 * (ring[2] - ring[0]) * (ring[3] - ring[1])
    if inside < 0.6 * len(anchors):
        return 0.0, 0.0
    first = np.min(np.asarray(anchors), axis=0)
    limit = 2.5 * max(ems)
    left, top = float(first[0]) - page.content[0], float(first[1]) - page.content[1]
    return (left if 0 <= left <= limit else 0.0), (top if 0 <= top <= limit else 0.0)


def _cuts(search: _Search, part: Box, rows: tuple[int, ...]) -> list[tuple[float, int, int, int]]:
    """(cost, axis, position, number of anchors before it) of the best cut between each two neighbours, both ways."""
    found = []
    for axis in (0, 1):
        order = sorted(rows, key=lambda i: search.anchors[i][axis])
        line: np.ndarray | None = None
        for k in range(1, len(order)):
            low = max(search.anchors[i][axis + 2] for i in order[:k])
            high = min(search.anchors[i][axis] for i in order[k:])
            low, high = max(low + _MARGIN, part[axis] + 1), min(high - _MARGIN, part[axis + 2] - 1)
            if low > high:
                continue
            if line is None:
                page = search.page
                line = page.vertical_costs(part) if axis == 0 else page.horizontal_costs(part)
            em = max(search.ems)
            away = np.abs(np.arange(low, high + 1) - (high - search.insets[axis]))
            raw = line[low - part[axis] : high + 1 - part[axis]]
            costs = raw + _PULL * away
            if not search.page.dark:  # on black, nothing tells a gap from a picture's ground
                costs -= _WIDE * np.minimum(_run_lengths(raw == 0), 3 * em) * (away < _NEAR * em)
            best = int(costs.argmin())
            found.append((float(costs[best]) + _UPRIGHT * (axis == 0), axis, low + best, k))
    return sorted(found)[: _FEW if len(search.seen) < _BUDGET else 1]


def _solve(search: _Search, part: Box, rows: tuple[int, ...]) -> tuple[float, dict[int, Box]]:
    """Cheapest plan for the anchors `rows` in `part`: its cost and the part of each."""
    if len(rows) == 1:
        return _stray(search, part, rows[0]), {rows[0]: part}
    known = search.seen.get((part, rows))
    if known is not None:
        return known
    best: tuple[float, dict[int, Box]] | None = None
    for cost, axis, at, k in _cuts(search, part, rows):
        if best is not None and cost >= best[0]:
            break
        order = sorted(rows, key=lambda i: search.anchors[i][axis])
        first = (part[0], part[1], at, part[3]) if axis == 0 else (part[0], part[1], part[2], at)
        second = (at, part[1], part[2], part[3]) if axis == 0 else (part[0], at, part[2], part[3])
        one = _solve(search, first, tuple(sorted(order[:k])))
        two = _solve(search, second, tuple(sorted(order[k:])))
        total = cost + one[0] + two[0]
        if best is None or total < best[0]:
            best = (total, one[1] | two[1])
    if best is None:  # anchors overlap: keep the first, drop the others
        best = (1e6, {rows[0]: part})
    search.seen[part, rows] = best
    return best


def divide(page: Page, anchors: Sequence[Box], ems: Sequence[float]) -> tuple[float, dict[int, Box]]:
    """(cost in ink pixels, part of the page of each anchor's index): parts tile the page.

    `anchors` are the letters' boxes, `ems` their cap heights, both in pixels.
    """
    search = _Search(page, anchors, ems, _insets(page, anchors, ems))
    return _solve(search, page.box, tuple(range(len(anchors))))


def wrapped(page: Page, anchors: Sequence[Box], ems: Sequence[float], parts: dict[int, Box]) -> dict[int, Box]:
    """Index of the anchor left of another -> what stands above that other one and belongs to the left: L-shaped panels.

    A straight cut gives the right anchor everything above it; where that is more than a heading, ends in a clean gap,
    and the left neighbour's letter stands as high, it is the left panel's. Boxes are shrunk to their ink.
    """
    found = {}
    for index, (x0, y0, x1, _) in parts.items():
        em, top = ems[index], anchors[index][1]
        bottom = int(top - 0.3 * em)
        above = shrink_to_ink(page.ink, (x0, y0, x1, bottom)) if bottom > y0 else None
        if above is None or above[3] - above[1] < 3 * em or above[3] >= bottom:
            continue
        left = [i for i, part in parts.items() if part[2] == x0 and part[1] <= y0 < part[3] and i != index
                and anchors[i][1] <= above[1] + em]
        if len(left) == 1:
            found[left[0]] = above
    return found
