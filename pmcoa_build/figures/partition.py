"""The ink of a page divided among its panel letters by straight cuts.

Each letter is the anchor of one panel, which lies right of it and below. The page is cut in two, again and again, until
every part has one anchor; a plan of cuts costs the ink that the cuts cross, plus the ink that ends up above or left of
the anchor of its part, where it has no business. The cheapest plan wins (dynamic programming over parts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pmcoa_build.figures.boxes import Box
from pmcoa_build.figures.ink import Page

_PULL = 0.02
"""Cost of a pixel between a cut and the anchor right of it or below: of two clean gaps the nearer is meant."""
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
    seen: dict[tuple[Box, tuple[int, ...]], tuple[float, dict[int, Box]]] = field(default_factory=dict)


def _stray(search: _Search, part: Box, index: int) -> float:
    """Cost of the ink above and left of the anchor in its part."""
    x0, y0, x1, _ = part
    anchor, em = search.anchors[index], search.ems[index]
    above = search.page.count((x0, y0, x1, max(y0, int(anchor[1] - 0.8 * em))))
    beside = search.page.count((x0, anchor[1], max(x0, int(anchor[0] - 4 * em)), part[3]))
    return _ABOVE * above + _LEFT * beside


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
            costs = line[low - part[axis] : high + 1 - part[axis]] + _PULL * np.arange(high - low, -1, -1)
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
    search = _Search(page, anchors, ems)
    return _solve(search, page.box, tuple(range(len(anchors))))
