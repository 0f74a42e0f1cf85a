"""The ink of a page divided among its panel letters by straight cuts.

Each letter is the anchor of one panel, which lies right of it and below. The page is cut in two, again and again, until
every part has one anchor; a plan of cuts costs the ink that the cuts cross, plus the ink that ends up above or left of
the anchor of its part, where it has no business. The cheapest plan wins (dynamic programming over parts).

Where that costs much, letters may stand at another corner of their panels, or in the middle of the upper or lower edge:
the same is tried on the page mirrored, and the place is taken in which the cuts are cheap and the letters regular.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pmcoa_build.figures.boxes import Box, shrink_to_ink
from pmcoa_build.figures.ink import Page

_PULL = 0.05
"""Cost of a pixel between a cut and where the panel right of it or below should begin: the nearer gap is meant."""
_WIDE, _NEAR = 0.15, 9.0
"""Worth of a pixel of a clean gap's width (counted up to 3 cap heights), within so many cap heights of the anchor."""
_ABOVE, _LEFT = 0.06, 0.03
"""Cost of a pixel of ink above, and left, of the anchor of its part."""
_UPRIGHT = 3.0
"""Extra cost of a vertical cut: of two clean plans, rows before columns is how figures are read."""
_FREE = 0.02
"""Cost, per longest side of the page, at which letters are taken to stand at the upper left without another look."""
_HOPELESS = 1.0
"""Cost, per longest side, above which a place of the letters is no longer considered if there is a better one."""
_RARE, _CENTRED = 0.05, 0.2
"""Extra cost of letters not at the upper left, and of letters in the middle, per longest side."""
_EARNED = 0.7
"""What counts of the cost of letters at the upper left: two thirds of all figures have them there."""
_RAGGED, _SPREAD = 0.08, 4.0
"""Cost of letters that stand a cap height off their usual place in a panel, per longest side; counted up to so many."""
_LEAST = 1.5
"""Cap heights that every panel measures at least, both ways."""
_MARGIN = 2
"""Pixels around a letter that still belong to it: its soft edge."""
_ELSEWHERE = ((False, True, False), (True, False, False), (True, True, False), (False, False, True),
              (False, True, True))
"""(right, below, centred) of the other places of letters."""
_FEW = 4
"""Cuts tried per part: the cheapest by themselves."""
_BUDGET = 4000


@dataclass(frozen=True)
class _Sheet:
    """A page, mirrored so that its letters come to stand at the upper left of their panels, or `centred` at the top."""

    page: Page
    right: bool = False
    below: bool = False
    centred: bool = False

    def turned(self, box: Box) -> Box:
        """A box of the page on the sheet, and back."""
        x0, y0, x1, y1 = box
        _, _, width, height = self.page.box
        if self.right:
            x0, x1 = width - x1, width - x0
        if self.below:
            y0, y1 = height - y1, height - y0
        return (x0, y0, x1, y1)

    def count(self, box: Box) -> int:
        """Ink pixels in a box of the sheet."""
        return self.page.count(self.turned(box))

    def crossed(self, axis: int, part: Box, low: int, high: int) -> np.ndarray:
        """Ink crossed by a cut of `part` at each of low … high, upright (axis 0: x) or level (axis 1: y)."""
        x0, y0, x1, y1 = self.turned(part)
        mirrored = self.below if axis else self.right
        if mirrored:
            low, high = self.page.box[axis + 2] - high, self.page.box[axis + 2] - low
        if axis == 0:
            costs = self.page.vertical_costs((low, y0, high + 1, y1))
        else:
            costs = self.page.horizontal_costs((x0, low, x1, high + 1))
        return costs[::-1] if mirrored else costs


@dataclass(frozen=True)
class Plan:
    """A way to cut a page: what the cuts cost in ink pixels; the part of each anchor, by its index; and `corners`, what
    stands outside it and belongs to it (see `wrapped`)."""

    cost: float
    parts: dict[int, Box]
    corners: dict[int, Box]


@dataclass
class _Search:
    sheet: _Sheet
    anchors: Sequence[Box]
    ems: Sequence[float]
    insets: tuple[float, float]
    seen: dict[tuple[Box, tuple[int, ...]], tuple[float, dict[int, Box]]] = field(default_factory=dict)


def _stray(search: _Search, part: Box, index: int) -> float:
    """Cost of the ink above and left of the anchor in its part; left of one in the middle, ink is at home."""
    x0, y0, x1, _ = part
    anchor, em = search.anchors[index], search.ems[index]
    above = search.sheet.count((x0, y0, x1, max(y0, int(anchor[1] - 0.8 * em))))
    if search.sheet.centred:
        return _ABOVE * above
    beside = search.sheet.count((x0, anchor[1], max(x0, int(anchor[0] - 4 * em)), part[3]))
    return _ABOVE * above + _LEFT * beside


def _run_lengths(flags: np.ndarray) -> np.ndarray:
    """Length of the run of set flags that each position lies in; 0 where it is not set."""
    starts = np.concatenate(([0], np.flatnonzero(flags[1:] != flags[:-1]) + 1))
    lengths = np.diff(np.concatenate((starts, [len(flags)])))
    return np.repeat(np.where(flags[starts], lengths, 0.0), lengths)


def _insets(sheet: _Sheet, anchors: Sequence[Box], ems: Sequence[float]) -> tuple[float, float]:
    """How far letters stand inside their panels, across and down: the distance of the first ones from the page's edge.

    (0, 0) where letters stand on paper, beside or above their panels; 0 across for letters in the middle.
    """
    inside, page = 0, sheet.page
    for (x0, y0, x1, y1), em in zip(anchors, ems, strict=True):
        pad = max(2, round(0.4 * em))
        ring = (max(x0 - pad, 0), max(y0 - pad, 0), min(x1 + pad, page.box[2]), min(y1 + pad, page.box[3]))
        inside += page.dark or sheet.count(ring) > 0.7 * (ring[2] - ring[0]) * (ring[3] - ring[1])
    if inside < 0.6 * len(anchors):
        return 0.0, 0.0
    first, content = np.min(np.asarray(anchors), axis=0), sheet.turned(page.content)
    limit = 2.5 * max(ems)
    left, top = float(first[0]) - content[0], float(first[1]) - content[1]
    return (left if 0 <= left <= limit and not sheet.centred else 0.0), (top if 0 <= top <= limit else 0.0)


def _cuts(search: _Search, part: Box, rows: tuple[int, ...]) -> list[tuple[float, int, int, int]]:
    """(cost, axis, position, number of anchors before it) of the best cut between each two neighbours, both ways."""
    found = []
    em = max(search.ems)
    for axis in (0, 1):
        order = sorted(rows, key=lambda i: search.anchors[i][axis])
        for k in range(1, len(order)):
            low = max(search.anchors[i][axis + 2] for i in order[:k])
            high = min(search.anchors[i][axis] for i in order[k:])
            low, high = max(low + _MARGIN, part[axis] + 1), min(high - _MARGIN, part[axis + 2] - 1)
            if low > high:
                continue
            raw = search.sheet.crossed(axis, part, low, high)
            away, near = _away(search, axis, low, high)
            costs = raw + _PULL * away
            if not search.sheet.page.dark:  # on black, nothing tells a gap from a picture's ground
                costs -= _WIDE * np.minimum(_run_lengths(raw == 0), 3 * em) * (away < near)
            best = int(costs.argmin())
            found.append((float(costs[best]) + _UPRIGHT * (axis == 0), axis, low + best, k))
    return sorted(found)[: _FEW if len(search.seen) < _BUDGET else 1]


def _away(search: _Search, axis: int, low: int, high: int) -> tuple[np.ndarray, float]:
    """Distance of each cut low … high from where the next panel should begin, and below which a gap is near."""
    positions, near = np.arange(low, high + 1), _NEAR * max(search.ems)
    if axis == 0 and search.sheet.centred:
        return np.abs(positions - (low + high) / 2), max(near, 0.35 * (high - low))
    return np.abs(positions - (high - search.insets[axis])), near


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


def divide(page: Page, anchors: Sequence[Box], ems: Sequence[float], *, right: bool = False, below: bool = False,
           centred: bool = False) -> tuple[float, dict[int, Box]]:
    """(cost in ink pixels, part of the page of each anchor's index): parts tile the page.

    `anchors` are the letters' boxes, `ems` their cap heights, both in pixels. Letters stand at the left or `right` or
    `centred`, and at the top or `below`.
    """
    sheet = _Sheet(page, right, below, centred)
    turned = [sheet.turned(box) for box in anchors]
    search = _Search(sheet, turned, ems, _insets(sheet, turned, ems))
    cost, parts = _solve(search, page.box, tuple(range(len(anchors))))
    return cost, {index: sheet.turned(part) for index, part in parts.items()}


def arrange(page: Page, anchors: Sequence[Box], ems: Sequence[float]) -> list[Plan]:
    """Ways to cut the page around the anchors, the likeliest first.

    One with the letters at the upper left where that is cheap, else one for each place where they may stand.
    """
    cost, parts = divide(page, anchors, ems)
    side = max(page.grey.shape)
    if cost <= _FREE * side or len(anchors) < 2:
        return [Plan(cost, parts, {})]
    usual = Plan(cost, parts, wrapped(page, anchors, ems, parts))
    plans = [(_EARNED * cost + _ragged(page, anchors, ems, parts), usual)]
    for right, below, centred in _ELSEWHERE:
        cost, parts = divide(page, anchors, ems, right=right, below=below, centred=centred)
        if cost > max(_HOPELESS * side, min(total for total, _ in plans)):
            continue
        ragged = _ragged(page, anchors, ems, parts, right=right, below=below, centred=centred)
        plans.append((cost + (_RARE + _CENTRED * centred) * side + ragged, Plan(cost, parts, {})))
    plans.sort(key=lambda pair: pair[0])
    return [plan for total, plan in plans if np.isfinite(total)] or [usual]


def _ragged(page: Page, anchors: Sequence[Box], ems: Sequence[float], parts: dict[int, Box], *, right: bool = False,
            below: bool = False, centred: bool = False) -> float:
    """Cost of letters that stand at different distances from the edges of their panels; none may be but a letter."""
    if len(parts) < len(anchors):
        return float("inf")
    letters = np.asarray(anchors, float)
    boxes = np.array([page.shrunk(parts[i]) or parts[i] for i in range(len(anchors))], float)
    if (np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) < _LEAST * max(ems)).any():
        return float("inf")
    across = boxes[:, 2] - letters[:, 2] if right else letters[:, 0] - boxes[:, 0]
    down = boxes[:, 3] - letters[:, 3] if below else letters[:, 1] - boxes[:, 1]
    off = [across - np.median(across), down - np.median(down)]
    if centred:
        off[0] = (letters[:, 0] + letters[:, 2] - boxes[:, 0] - boxes[:, 2]) / 2
        if np.median(np.abs(off[0])) > _SPREAD * max(ems):
            return float("inf")
    ragged = sum(np.minimum(np.abs(d) / max(ems), _SPREAD).mean() for d in off)
    return float(_RAGGED * max(page.grey.shape) * ragged)


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
