"""Boxes (x0, y0, x1, y1), x1 and y1 exclusive: overlap, suppression, shrinking, reading order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Box = tuple[int, int, int, int]


def area(box: Sequence[float]) -> float:
    """Pixels of a box; 0 where it is empty or turned inside out."""
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def intersection(a: Sequence[float], b: Sequence[float]) -> float:
    """Pixels that two boxes share."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union, 0 to 1."""
    shared = intersection(a, b)
    return shared / (area(a) + area(b) - shared) if shared > 0 else 0.0


def union(boxes: Sequence[Sequence[int]]) -> Box:
    """The smallest box around at least one box."""
    table = np.asarray(boxes)
    return (int(table[:, 0].min()), int(table[:, 1].min()), int(table[:, 2].max()), int(table[:, 3].max()))


def nms(boxes: Sequence[Sequence[float]], scores: Sequence[float], threshold: float = 0.5) -> list[int]:
    """Indices kept by greedy non-maximum suppression, best score first (ties: the earlier box).

    A box goes when its IoU with a kept one exceeds `threshold` (0 to 1).
    """
    table = np.asarray(boxes, float).reshape(-1, 4)
    rest = np.array(sorted(range(len(boxes)), key=lambda i: (-scores[i], i)), int)
    kept = []
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(int(best))
        rest = rest[_overlaps(table[best], table[rest]) <= threshold]
    return kept


def _overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU of a box (4,) with each of others (n, 4)."""
    sides = np.maximum(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0)
    shared, areas = sides.prod(axis=1), np.maximum(others[:, 2:] - others[:, :2], 0).prod(axis=1)
    return np.asarray(shared / np.maximum(area(box.tolist()) + areas - shared, shared + 1e-300))


def shrink_to_ink(ink: np.ndarray, box: Box) -> Box | None:
    """The smallest box around the set pixels of `ink` (bool, H x W) inside `box`; None where there are none."""
    x0, y0, x1, y1 = box
    part = ink[y0:y1, x0:x1]
    columns, rows = np.asarray(part.any(axis=0)), np.asarray(part.any(axis=1))
    if not columns.any():
        return None
    left, top = int(columns.argmax()), int(rows.argmax())
    right, bottom = int(columns[::-1].argmax()), int(rows[::-1].argmax())
    return (x0 + left, y0 + top, x1 - right, y1 - bottom)


def reading_order(boxes: Sequence[Sequence[float]]) -> list[int]:
    """Indices of the boxes row by row, left to right in a row.

    A row is seeded by the highest box left and takes every box whose upper half overlaps the upper half of the seed:
    panels of a row share their top edge, hardly ever their bottom edge, and ragged rows share neither exactly.
    """
    left = sorted(range(len(boxes)), key=lambda i: (boxes[i][1], boxes[i][0], i))
    order: list[int] = []
    while left:
        seed = boxes[left[0]]
        middle = (seed[1] + seed[3]) / 2
        row = [i for i in left if boxes[i][1] < middle and _above_middle(boxes[i], seed)]
        row = row or left[:1]
        order += sorted(row, key=lambda i: (boxes[i][0], boxes[i][1], i))
        left = [i for i in left if i not in row]
    return order


def _above_middle(box: Sequence[float], seed: Sequence[float]) -> bool:
    """True where `box` starts beside the seed, not below another box of its row."""
    return box[1] < seed[1] + 0.5 * min(seed[3] - seed[1], box[3] - box[1]) or box is seed
