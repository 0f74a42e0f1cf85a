"""Candidates for printed panel letters: single glyphs that stand alone on the page, found and read.

A panel letter is one connected component (two for i and j) of text size with nothing of its size next to it. Those
are cut out, brought to one size and polarity, and read by a small CNN trained on drawn glyphs (weights/glyphs.md).
Which of them are panel letters is decided in letters.py.
"""

from __future__ import annotations

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
_MOST, _MOST_PARTS, _BATCH = 1500, 20_000, 512
"""Bounds for pages of noise: letters kept a level (the most isolated), components looked at round them, and how many
patches are read at once. Figures stay far below."""


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


def glyph_patch(grey: np.ndarray, box: np.ndarray, light: bool) -> np.ndarray:
    """The glyph in `box` as float32 SIDE x SIDE, ink near 1 on paper near 0, its longer side _INNER pixels."""
    import cv2

    x0, y0, x1, y1 = (int(v) for v in box)
    pad = max(1, round(0.1 * max(x1 - x0, y1 - y0)))
    part = grey[max(y0 - pad, 0) : y1 + pad, max(x0 - pad, 0) : x1 + pad].astype(np.float32)
    if light:
        part = 255 - part
    levels = np.sort(part, axis=None)
    ink, paper = levels[int(0.04 * levels.size)], levels[int(0.9 * (levels.size - 1))]
    part = np.clip((paper - part) / max(paper - ink, 24.0), 0, 1)
    scale = _INNER / max(x1 - x0, y1 - y0)
    size = (max(round(part.shape[1] * scale), 1), max(round(part.shape[0] * scale), 1))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)[:SIDE, :SIDE]
    out = np.zeros((SIDE, SIDE), np.float32)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out


def _components(mask: np.ndarray) -> np.ndarray:
    """int64 (n, 5): x0, y0, x1, y1, set pixels of each connected component but the background."""
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    x, y, w, h, count = stats[1:].astype(np.int64).T
    return np.stack((x, y, x + w, y + h, count), axis=1)


def _with_dots(parts: np.ndarray, letters: np.ndarray) -> np.ndarray:
    """`letters` (rows of components) stretched upwards over the dot of an i or j, where there is one."""
    out = letters.copy()
    heights, widths = parts[:, 3] - parts[:, 1], parts[:, 2] - parts[:, 0]
    dots = parts[(heights <= 20) & (widths <= 24) & (widths <= 2 * heights + 1) & (heights <= 2 * widths + 1)]
    for row, (x0, y0, x1, y1, _) in enumerate(letters):
        height, width = y1 - y0, x1 - x0
        if width > 0.6 * height or not len(dots):
            continue
        gap = y0 - dots[:, 3]
        size = dots[:, 3] - dots[:, 1]
        fits = (gap >= 0) & (gap <= 0.4 * height) & (size <= 0.4 * height) & (dots[:, 2] > x0 - 1)
        fits &= (dots[:, 0] < x1 + 1) & (dots[:, 2] - dots[:, 0] <= 0.6 * height) & (size >= 0.1 * height)
        if fits.sum() == 1:
            dot = dots[fits][0]
            out[row, :4] = min(x0, dot[0]), dot[1], max(x1, dot[2]), y1
    return out


def _crowding(letters: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """How many glyph-like components stand right beside each letter, within 0.7 of its height; brackets don't count.

    One right above or below, as in a word written upwards, counts 0.7.
    """
    letters, parts = letters.astype(np.int32), parts.astype(np.int32)
    heights, widths = parts[:, 3] - parts[:, 1], parts[:, 2] - parts[:, 0]
    h = (letters[:, 3] - letters[:, 1])[:, None].astype(np.float32)
    overlap = np.minimum(letters[:, None, 3], parts[None, :, 3]) - np.maximum(letters[:, None, 1], parts[None, :, 1])
    gap = np.maximum(parts[None, :, 0] - letters[:, None, 2], letters[:, None, 0] - parts[None, :, 2])
    beside = (overlap > 0.4 * np.minimum(h, heights)) & (gap >= -1) & (gap < 0.7 * h)
    alike = (heights > 0.45 * h) & (heights < 2.2 * h) & (widths < 3 * h)
    bracket = (widths < 0.4 * heights) & (heights > 1.05 * h)
    overlap = np.minimum(letters[:, None, 2], parts[None, :, 2]) - np.maximum(letters[:, None, 0], parts[None, :, 0])
    gap = np.maximum(parts[None, :, 1] - letters[:, None, 3], letters[:, None, 1] - parts[None, :, 3])
    stacked = (overlap > 0.6 * np.minimum(letters[:, 2] - letters[:, 0], h[:, 0])[:, None])
    stacked &= (gap >= 0) & (gap < 0.3 * h) & (widths > 0.5 * h) & (widths < 1.5 * h) & (heights > 0.4 * h)
    return np.asarray((beside & alike & ~bracket).sum(axis=1) + 0.7 * (stacked & (heights < 1.5 * h)).sum(axis=1))


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
    text = text[np.sort(np.argsort(text[:, 1] - text[:, 3], kind="stable")[:_MOST_PARTS])]
    crowded = np.concatenate([_crowding(letters[n : n + 200], text) for n in range(0, len(letters) or 1, 200)])
    keep = crowded <= 1
    return letters[keep], crowded[keep].astype(float)


def _unlike(boxes: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Indices of boxes that no earlier box of the same polarity nearly equals (thresholds find most glyphs twice)."""
    seen: dict[tuple[int, int, bool], int] = {}
    kept = []
    for index, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        size = max(x1 - x0, y1 - y0)
        step = max(2, size // 4)
        key = ((x0 + x1) // (2 * step), (y0 + y1) // (2 * step), bool(light[index]))
        other = seen.get(key)
        if other is not None and np.abs(boxes[other] - boxes[index]).max() <= max(2, size // 6):
            continue
        seen[key] = index
        kept.append(index)
    return np.array(kept, dtype=np.int64)


def _inside_another(boxes: np.ndarray, light: np.ndarray, legible: np.ndarray) -> np.ndarray:
    """True for a box within a legible one of the other polarity and not much larger: the hole of a letter."""
    if not len(boxes):
        return np.zeros(0, bool)
    x0, y0, x1, y1 = boxes.T.astype(np.int16)
    within = (x0[:, None] >= x0) & (y0[:, None] >= y0) & (x1[:, None] <= x1) & (y1[:, None] <= y1)
    within &= ((y1 - y0) < 3 * (y1 - y0)[:, None]) & (light[:, None] != light) & legible
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
    patches = [glyph_patch(grey, box, bool(flag)) for box, flag in zip(boxes, light, strict=True)]
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
