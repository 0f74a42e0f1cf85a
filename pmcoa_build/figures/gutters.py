"""Panels of a page without letters: recursive cuts along empty bands, then a decision what the pieces are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pmcoa_build.figures.boxes import Box, area, shrink_to_ink, union
from pmcoa_build.figures.ink import Page, all_ink


def _widest_gap(costs: np.ndarray, tolerance: int) -> tuple[int, int]:
    """(width, middle) of the widest run of positions that a cut may pass, ends left out; (0, 0) where there is none."""
    free = np.concatenate(([False], costs <= tolerance, [False]))
    edges = np.flatnonzero(free[1:] != free[:-1]).reshape(-1, 2)
    edges = edges[(edges[:, 0] > 0) & (edges[:, 1] < len(costs))]
    if not len(edges):
        return 0, 0
    widths = edges[:, 1] - edges[:, 0]
    best = int(widths.argmax())
    return int(widths[best]), int(edges[best].sum() // 2)


def cut_tree(page: Page, box: Box, smallest: int) -> list[tuple[int, Box, Box, Box]]:
    """Recursive XY cut (Nagy and Seth 1984): (gap in pixels, box, first part, second part) for each cut, outer first.

    A box is cut at the widest empty band across it, if that is at least `smallest` pixels wide; parts are shrunk.
    """
    shrunk = shrink_to_ink(page.ink, box)
    if shrunk is None:
        return []
    x0, y0, x1, y1 = shrunk
    gap_x, at_x = _widest_gap(_ink_lines(page, shrunk, 0), 0)
    gap_y, at_y = _widest_gap(_ink_lines(page, shrunk, 1), 0)
    if max(gap_x, gap_y) < smallest:
        return []
    if gap_x >= gap_y:
        first, second = (x0, y0, x0 + at_x, y1), (x0 + at_x, y0, x1, y1)
    else:
        first, second = (x0, y0, x1, y0 + at_y), (x0, y0 + at_y, x1, y1)
    one, two = shrink_to_ink(page.ink, first), shrink_to_ink(page.ink, second)
    if one is None or two is None:
        return []
    return [(max(gap_x, gap_y), shrunk, one, two), *cut_tree(page, one, smallest), *cut_tree(page, two, smallest)]


def _ink_lines(page: Page, box: Box, axis: int) -> np.ndarray:
    """Ink pixels in each column (axis 0) or row (axis 1) of a box."""
    x0, y0, x1, y1 = box
    table = page.ink_sum
    if axis == 0:
        return np.diff(table[y1, x0 : x1 + 1] - table[y0, x0 : x1 + 1])
    return np.diff(table[y0 : y1 + 1, x1] - table[y0 : y1 + 1, x0])


def leaves(page: Page, smallest: int) -> list[Box]:
    """The pieces that the recursive cut leaves, shrunk to their ink."""
    whole = shrink_to_ink(page.ink, page.box)
    if whole is None:
        return []
    tree = cut_tree(page, whole, smallest)
    inner = {cut[1] for cut in tree}
    parts = [part for cut in tree for part in cut[2:] if part not in inner]
    return parts or [whole]


def framed(page: Page, box: Box) -> bool:
    """True for a picture (mostly ink) or a plot (a long straight line along its height or width)."""
    x0, y0, x1, y1 = box
    if page.count(box) > 0.75 * area(box):
        return True
    columns, rows = _ink_lines(page, box, 0), _ink_lines(page, box, 1)
    return bool(columns.max() > 0.55 * (y1 - y0) and rows.max() > 0.45 * (x1 - x0))


def _distance(a: Box, b: Box) -> float:
    """Gap between two boxes in pixels, as the crow flies."""
    dx = max(a[0] - b[2], b[0] - a[2], 0)
    dy = max(a[1] - b[3], b[1] - a[3], 0)
    return float(np.hypot(dx, dy))


def _gathered(parts: Sequence[Box], cores: Sequence[int], reach: float) -> list[Box]:
    """Each core with the small parts that lie nearest to it, no farther than `reach` pixels."""
    own: dict[int, list[Box]] = {index: [parts[index]] for index in cores}
    table, centres = np.asarray(parts), np.asarray([parts[index] for index in cores])
    across = np.maximum(table[:, None, 0] - centres[None, :, 2], centres[None, :, 0] - table[:, None, 2])
    down = np.maximum(table[:, None, 1] - centres[None, :, 3], centres[None, :, 1] - table[:, None, 3])
    far = np.hypot(np.maximum(across, 0), np.maximum(down, 0))
    for index, part in enumerate(parts):
        nearest = int(far[index].argmin())
        if index not in own and far[index, nearest] <= reach:
            own[cores[nearest]].append(part)
    return [union(pieces) for pieces in own.values()]


def _connected(page: Page) -> list[Box]:
    """Boxes of the connected pieces of ink."""
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(page.ink.view(np.uint8), connectivity=8)
    return [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h, _ in stats[1:]]


def plot_grid(page: Page) -> list[Box] | None:
    """Four or more connected pieces of one size (axes with their curves), each with the ticks and titles next to it.

    For grids of plots whose titles leave no gutter. None where there is no such grid.
    """
    side = max(page.grey.shape)
    pieces = _connected(page)
    sizes = np.array([(x1 - x0, y1 - y0) for x0, y0, x1, y1 in pieces]).reshape(-1, 2)
    large = np.flatnonzero((sizes.min(axis=1) > 0.07 * side) & (sizes.max(axis=1) < 0.45 * side))
    if len(large) < 4:
        return None
    alike = large[(np.abs(sizes[large] / np.median(sizes[large], axis=0) - 1) < 0.2).all(axis=1)]
    if len(alike) < max(4, 0.8 * len(large)):
        return None
    return _gathered(pieces, [int(i) for i in alike], 0.025 * side)


def unlabelled(page: Page) -> list[Box] | None:
    """Panels by gutters alone; None where the page does not fall into pictures and plots (a flow chart, one image)."""
    if page.dark:
        return None
    grid = plot_grid(page)
    if grid is not None:
        return grid
    side = max(page.grey.shape)
    parts = leaves(page, max(4, side // 120))
    small = 0.1 * side
    cores = [i for i, p in enumerate(parts) if min(p[2] - p[0], p[3] - p[1]) > small]
    if len(cores) < 2:
        return None
    solid = [i for i in cores if framed(page, parts[i])]
    share = sum(area(parts[i]) for i in solid) / sum(area(parts[i]) for i in cores)
    return _gathered(parts, cores, 0.06 * side) if share > 0.7 else None


def exactly(page: Page, count: int) -> list[Box] | None:
    """`count` panels by the widest gutters: too many pieces are merged with their nearest neighbours.

    Text strips don't count as panels and stay with their nearest neighbour. None where the gutters don't give so many.
    """
    side = max(page.grey.shape)
    parts = leaves(page, max(3, side // 250))
    small = 0.07 * side
    cores = [i for i, p in enumerate(parts) if min(p[2] - p[0], p[3] - p[1]) > small]
    if len(cores) < count:
        return None
    boxes = _gathered(parts, cores, 0.1 * side)
    while len(boxes) > count:
        pairs = [(_distance(a, b), i, j) for i, a in enumerate(boxes) for j, b in enumerate(boxes) if i < j]
        _, i, j = min(pairs)
        merged = union([boxes[i], boxes[j]])
        boxes = [b for k, b in enumerate(boxes) if k not in (i, j)] + [merged]
    return boxes


_SEAM = 0.04
"""Share of a cut's length that may cross something without an edge along the cut."""


def _best_seam(page: Page, box: Box, least: int) -> tuple[float, int, int] | None:
    """(badness, axis, position) of the cleanest straight cut that leaves at least `least` pixels on both sides."""
    found = []
    for axis in (0, 1):
        costs = page.vertical_costs(box) if axis == 0 else page.horizontal_costs(box)
        length = box[3] - box[1] if axis == 0 else box[2] - box[0]
        inner = costs[least : len(costs) - least]
        if len(inner) and inner.min() <= _SEAM * length:
            crossed = int(inner.min())
            width, middle = _widest_gap(np.concatenate(([length], inner, [length])), crossed)
            badness = 5 * crossed / length - (min(width, 30) / 1000 if crossed == 0 else 0)
            found.append((badness, axis, box[axis] + least + middle - 1))
    return min(found, default=None)


def seamed(page: Page, count: int) -> list[Box] | None:
    """`count` panels along straight seams: abutting pictures, thin lines between them. None without so many seams.

    Always the cleanest seam of any piece is cut next.
    """
    ground = all_ink(page) if page.dark else page
    least = max(int(0.07 * max(page.grey.shape)), 8)
    pieces = [shrink_to_ink(ground.ink, page.box) or page.box]
    while len(pieces) < count:
        seams = [(seam, index) for index, piece in enumerate(pieces)
                 if (seam := _best_seam(ground, piece, least)) is not None]
        if not seams:
            return None
        (_, axis, at), index = min(seams)
        x0, y0, x1, y1 = pieces.pop(index)
        halves = ((x0, y0, at, y1), (at, y0, x1, y1)) if axis == 0 else ((x0, y0, x1, at), (x0, at, x1, y1))
        pieces += [part for half in halves if (part := shrink_to_ink(ground.ink, half)) is not None]
    return pieces if len(pieces) == count else None
