"""Candidates for printed panel letters: single glyphs that stand alone on the page, found and read.

A panel letter is one connected component (two for i and j) of text size with nothing of its size next to it. Those
are cut out, brought to one size and polarity, and read by a small CNN trained on drawn glyphs (weights/glyphs.md).
Which of them are panel letters is decided in letters.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.figures.onnx_session import open_session

WEIGHTS = Path(__file__).parent / "weights" / "glyphs.onnx"
CLASSES = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
"""One output of the network each; the last output, after these, is "none of them"."""

SIDE = 32
_INNER = 24
_DARK, _LIGHT = (60, 110, 160), (238, 205, 150)
_MIN_HEIGHT = 5
_MOST, _MOST_PARTS = 1500, 20_000
"""Bounds for pages of noise: letters kept a level (the most isolated), and components looked at round them. Figures
stay far below."""
_PAIRS = 1_000_000
"""Pairs of components looked at at once."""
_BATCH = 64
"""Patches read at once: so many stay in the cache between two layers."""


@dataclass(frozen=True)
class Glyphs:
    """n candidates: `boxes` int (n, 4), `light` bool (n,) for light on dark, `probs` float (n, 63), rows sum to 1;
    `crowded` float (n,): number of glyphs of like size right next to it, 0 for one that stands alone."""

    boxes: np.ndarray
    light: np.ndarray
    probs: np.ndarray
    crowded: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


def glyph_patch(grey: np.ndarray, box: Sequence[int], light: bool) -> np.ndarray:
    """The glyph in `box` as float32 SIDE x SIDE, ink near 1 on paper near 0, its longer side _INNER pixels."""
    import cv2

    x0, y0, x1, y1 = box
    longer = max(x1 - x0, y1 - y0)
    pad = max(1, round(0.1 * longer))
    part = grey[max(y0 - pad, 0) : y1 + pad, max(x0 - pad, 0) : x1 + pad].astype(np.float32)
    if light:
        part = 255 - part
    levels = part.flatten()
    levels.sort()
    ink, paper = levels[int(0.04 * levels.size)], levels[int(0.9 * (levels.size - 1))]
    part = np.minimum(np.maximum((paper - part) / max(paper - ink, 24.0), 0), 1)  # np.clip takes thrice as long
    scale = _INNER / longer
    size = (max(round(part.shape[1] * scale), 1), max(round(part.shape[0] * scale), 1))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)[:SIDE, :SIDE]
    out = np.zeros((SIDE, SIDE), np.float32)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out


def _components(mask: np.ndarray) -> np.ndarray:
    """int64 (n, 5): x0, y0, x1, y1, set pixels of each connected component but the background.

    Taken from the runs of set pixels in the rows: OpenCV's statistics, of every pixel, take three times as long.
    """
    import cv2

    count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    height, width = mask.shape
    framed = np.zeros((height, width + 2), bool)
    framed[:, 1:-1] = mask
    flat = framed.ravel()
    starts, ends = np.flatnonzero(flat[1:] != flat[:-1]).reshape(-1, 2).T
    y, x = np.divmod(starts, width + 2)
    length, owner = ends - starts, labels[y, x]
    out = np.zeros((5, count), np.int64)
    out[:2] = max(height, width)
    np.minimum.at(out[0], owner, x)
    np.minimum.at(out[1], owner, y)
    np.maximum.at(out[2], owner, x + length)
    np.maximum.at(out[3], owner, y + 1)
    np.add.at(out[4], owner, length)
    return out.T[1:]


def _pairs(low: np.ndarray, high: np.ndarray, parts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of letters and of parts, pair by pair: all parts with their upper edge within low … high of a letter.

    `parts` are sorted by their upper edge. Letters come in lots of at most _PAIRS pairs (or of one letter).
    """
    first = np.searchsorted(parts[:, 1], low, side="left")
    counts = np.searchsorted(parts[:, 1], high, side="right") - first
    lots = np.flatnonzero(np.diff(np.cumsum(counts) // _PAIRS)) + 1
    for rows in np.split(np.arange(len(first)), lots):
        many = counts[rows]
        begin = np.repeat(first[rows] - np.cumsum(many) + many, many)
        yield np.repeat(rows, many), np.arange(len(begin)) + begin


def _with_dots(parts: np.ndarray, letters: np.ndarray) -> np.ndarray:
    """`letters` (rows of components) stretched upwards over the dot of an i or j, where there is one."""
    heights, widths = parts[:, 3] - parts[:, 1], parts[:, 2] - parts[:, 0]
    dots = parts[(heights <= 20) & (widths <= 24) & (widths <= 2 * heights + 1) & (heights <= 2 * widths + 1)]
    dots = dots[np.argsort(dots[:, 1], kind="stable")]
    tall = letters[:, 3] - letters[:, 1]
    slim = np.flatnonzero(letters[:, 2] - letters[:, 0] <= 0.6 * tall)
    out = letters.copy()
    for rows, dot in _pairs(letters[slim, 1] - tall[slim], letters[slim, 1], dots):
        row = slim[rows]
        x0, y0, x1, y1, _ = letters[row].T
        left, top, right, bottom, _ = dots[dot].T
        height, gap, size = y1 - y0, y0 - bottom, bottom - top
        fits = (gap >= 0) & (gap <= 0.4 * height) & (size <= 0.4 * height) & (right > x0 - 1)
        fits &= (left < x1 + 1) & (right - left <= 0.6 * height) & (size >= 0.1 * height)
        lone = fits & (np.bincount(row[fits], minlength=len(letters))[row] == 1)
        out[row[lone], 0] = np.minimum(x0, left)[lone]
        out[row[lone], 1] = top[lone]
        out[row[lone], 2] = np.maximum(x1, right)[lone]
    return out


def _crowding(letters: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """How many glyph-like components stand right beside each letter, within 0.7 of its height; brackets don't count.

    One right above or below, as in a word written upwards, counts 0.7.
    """
    letters, parts = letters.astype(np.int32), parts[np.argsort(parts[:, 1], kind="stable")].astype(np.int32)
    tall, out = letters[:, 3] - letters[:, 1], np.zeros(len(letters))
    for row, part in _pairs(letters[:, 1] - 2.5 * tall, letters[:, 3] + 0.5 * tall, parts):
        x0, y0, x1, y1, _ = letters[row].T
        left, top, right, bottom, _ = parts[part].T
        h, height, width = (y1 - y0).astype(np.float32), bottom - top, right - left
        overlap, gap = np.minimum(y1, bottom) - np.maximum(y0, top), np.maximum(left - x1, x0 - right)
        beside = (overlap > 0.4 * np.minimum(h, height)) & (gap >= -1) & (gap < 0.7 * h)
        beside &= (height > 0.45 * h) & (height < 2.2 * h) & (width < 3 * h)
        beside &= (width >= 0.4 * height) | (height <= 1.05 * h)  # else a bracket
        overlap, gap = np.minimum(x1, right) - np.maximum(x0, left), np.maximum(top - y1, y0 - bottom)
        stacked = (overlap > 0.6 * np.minimum(x1 - x0, h)) & (gap >= 0) & (gap < 0.3 * h)
        stacked &= (width > 0.5 * h) & (width < 1.5 * h) & (height > 0.4 * h) & (height < 1.5 * h)
        side, stack = (np.bincount(row[flags], minlength=len(letters)) for flags in (beside, stacked))
        out += side + 0.7 * stack
    return out


def _stands_out(mask: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Share of set pixels in a ring around each box, 0 to 1: low where the glyph lies on an even ground."""
    import cv2

    height, width = mask.shape
    table = cv2.integral(mask.view(np.uint8), sdepth=cv2.CV_32S)

    def count(x0: np.ndarray, y0: np.ndarray, x1: np.ndarray, y1: np.ndarray) -> np.ndarray:
        return np.asarray(table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0])

    x0, y0, x1, y1 = boxes[:, :4].T
    pad = np.maximum(2, (0.12 * (y1 - y0)).astype(np.int64))
    a0, b0 = np.maximum(x0 - pad, 0), np.maximum(y0 - pad, 0)
    a1, b1 = np.minimum(x1 + pad, width), np.minimum(y1 + pad, height)
    ring = count(a0, b0, a1, b1) - count(x0, y0, x1, y1)
    return np.asarray(ring / np.maximum((a1 - a0) * (b1 - b0) - (x1 - x0) * (y1 - y0), 1))


def _level(grey: np.ndarray, threshold: int, light: bool, tallest: int) -> tuple[np.ndarray, np.ndarray]:
    """Lone glyph-like components of one threshold: rows (x0, y0, x1, y1, pixels) and their crowding."""
    mask = grey > threshold if light else grey < threshold
    parts = _components(mask)
    w, h = parts[:, 2] - parts[:, 0], parts[:, 3] - parts[:, 1]
    fill = parts[:, 4] / (w * h)
    text = parts[(h >= 4) & (h <= 2 * tallest) & (w <= 3 * tallest)]
    fits = (h >= _MIN_HEIGHT) & (h <= tallest) & (w <= 1.6 * h) & (w >= 0.08 * h) & (w >= 1)
    fits &= (fill > 0.15) & ((fill < 0.9) | (w < 0.4 * h))
    letters = parts[fits]
    if not len(letters):
        return letters, np.empty(0)
    ring = _stands_out(mask, letters)
    best = np.sort(np.argsort(ring, kind="stable")[:_MOST])
    letters = letters[best[ring[best] < 0.4]]
    letters = _with_dots(parts, letters)
    text = text[np.argsort(text[:, 1] - text[:, 3], kind="stable")[:_MOST_PARTS]]
    crowded = _crowding(letters, text)
    keep = crowded <= 1
    return letters[keep], crowded[keep].astype(float)


def _unlike(boxes: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Indices of boxes that no earlier box of the same polarity nearly equals (thresholds find most glyphs twice)."""
    seen: dict[tuple[int, int, bool], list[int]] = {}
    kept = []
    for index, (box, polarity) in enumerate(zip(boxes.tolist(), light.tolist(), strict=True)):
        x0, y0, x1, y1 = box
        size = max(x1 - x0, y1 - y0)
        step = 2 * max(2, size // 4)
        key = ((x0 + x1) // step, (y0 + y1) // step, polarity)
        other = seen.get(key)
        if other and all(abs(a - b) <= max(2, size // 6) for a, b in zip(other, box, strict=True)):
            continue
        seen[key] = box
        kept.append(index)
    return np.array(kept, dtype=np.int64)


def _inside_another(boxes: np.ndarray, light: np.ndarray, legible: np.ndarray) -> np.ndarray:
    """True for a box within a legible one of the other polarity and not much larger: the hole of a letter."""
    x0, y0, x1, y1 = boxes.T.astype(np.int16)[:, :, None]
    a0, b0, a1, b1 = boxes[legible].T.astype(np.int16)
    within = (x0 >= a0) & (y0 >= b0) & (x1 <= a1) & (y1 <= b1)
    within &= ((b1 - b0) < 3 * (y1 - y0)) & (light[:, None] != light[legible])
    return np.asarray(within.any(axis=1))


def find_glyphs(grey: np.ndarray) -> Glyphs:
    """Read every lone glyph of a grey figure (uint8, H x W)."""
    tallest = int(np.clip(0.07 * max(grey.shape), 24, 90))
    levels = [(t, False) for t in _DARK] + [(t, True) for t in _LIGHT]
    found = [(*_level(grey, threshold, light, tallest), light) for threshold, light in levels]
    boxes = np.concatenate([rows[:, :4] for rows, _, _ in found])
    crowded = np.concatenate([crowd for _, crowd, _ in found])
    light = np.concatenate([np.full(len(rows), flag) for rows, _, flag in found])
    kept = _unlike(boxes, light)
    boxes, crowded, light = boxes[kept], crowded[kept], light[kept]
    patches = [glyph_patch(grey, box, flag) for box, flag in zip(boxes.tolist(), light.tolist(), strict=True)]
    probs = read_patches(np.array(patches).reshape(-1, SIDE, SIDE))
    outer = ~_inside_another(boxes, light, probs[:, -1] < 0.5)
    return Glyphs(boxes[outer], light[outer], probs[outer], crowded[outer])


@cache
def _session() -> Any:
    return open_session(WEIGHTS)


def read_patches(patches: np.ndarray) -> np.ndarray:
    """Class probabilities (n, len(CLASSES) + 1) of patches float32 (n, SIDE, SIDE)."""
    if not len(patches):
        return np.zeros((0, len(CLASSES) + 1), np.float32)
    batches = [patches[n : n + _BATCH, None].astype(np.float32) for n in range(0, len(patches), _BATCH)]
    logits = np.concatenate([_session().run(None, {"patches": batch})[0] for batch in batches])
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exp / exp.sum(axis=1, keepdims=True))
