"""What a panel shows: one of five kinds of image, or one of three kinds of drawing, by the statistics of its pixels.

Images against drawings is decided by texture: soft grey steps inside solid areas, away from sharp edges, which pictures
are made of, and lines, letters and flat fills are not. The kind within each side is a guess from colour and brightness.
"""

from __future__ import annotations

import numpy as np

IMAGES = ("photo", "microscopy", "radiology", "blot", "render")
DRAWINGS = ("plot", "diagram", "table")

_SIDE = 900
"""Larger crops are looked at in this size (pixels, longest side)."""
_SOFT, _SHARP = 4.0, 60.0
"""Grey steps a pixel of texture, and of edges; Sobel, 0 to 255."""
_HALF = 0.055
"""Texture at which images and drawings are equally likely: between the best thresholds of real and of drawn figures."""


def _extremes(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lowest, highest) channel of each pixel; ten times as fast as min and max along the last axis."""
    import cv2

    red, green, blue = cv2.split(rgb)
    return np.asarray(cv2.min(cv2.min(red, green), blue)), np.asarray(cv2.max(cv2.max(red, green), blue))


def _gradient(grey: np.ndarray) -> np.ndarray:
    import cv2

    across = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 1, 0), alpha=0.25)
    down = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 0, 1), alpha=0.25)
    return np.asarray(cv2.max(across, down))


def texture(rgb: np.ndarray) -> float:
    """How much of a crop (uint8, H x W x 3) is textured solid area, 0 to 1.

    The geometric mean of the textured share of the whole crop and of its solid (not paper) part.
    """
    import cv2

    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    coloured = (_extremes(rgb)[0] < 250).view(np.uint8)
    solid = cv2.morphologyEx(coloured, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8)) > 0
    step = _gradient(grey)
    sharp = cv2.dilate((step > _SHARP).view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    soft = int((solid & (step > _SOFT) & ~sharp).sum())
    return float(soft / np.sqrt(grey.size * max(int(solid.sum()), 1)))


def classify_kind(rgb: np.ndarray) -> tuple[str, float]:
    """(kind, score) of a panel crop (uint8, H x W x 3): one of IMAGES + DRAWINGS.

    The score (0.5 to 1) is how sure the side is, image or drawing; the kind within the side is less sure.
    """
    import cv2

    scale = min(1.0, _SIDE / max(rgb.shape[:2]))
    if scale < 1:
        size = (max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    rgb = np.ascontiguousarray(rgb)
    chance = float(1 / (1 + (_HALF / max(texture(rgb), 1e-4)) ** 1.5))
    return (_image_kind(rgb), chance) if chance >= 0.5 else (_drawing_kind(rgb), 1 - chance)


def _image_kind(rgb: np.ndarray) -> str:
    low, high = _extremes(rgb)
    coloured = float((high - low > 40).mean())
    dark, paper = float((high < 50).mean()), float((low > 240).mean())
    if coloured < 0.01:
        return "blot" if paper > 0.25 else "radiology" if dark > 0.25 else "microscopy"
    if dark > 0.3:
        return "microscopy"
    return "render" if paper > 0.4 else "microscopy" if coloured > 0.3 else "photo"


def _drawing_kind(rgb: np.ndarray) -> str:
    """Tables have rules across their whole width, and several; plots have an axis; diagrams neither."""
    dark = _extremes(rgb)[1] < 160
    rows, columns = dark.mean(axis=1), dark.mean(axis=0)
    rules = int((np.diff((rows > 0.85).astype(np.int8)) == 1).sum())
    if rules >= 3:
        return "table"
    return "plot" if rows.max() > 0.5 or columns.max() > 0.5 else "diagram"
