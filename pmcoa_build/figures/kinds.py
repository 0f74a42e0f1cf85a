"""What a panel shows: one of five kinds of image, or one of three kinds of drawing, by the statistics of its pixels."""

from __future__ import annotations

import numpy as np

IMAGES = ("photo", "microscopy", "radiology", "blot", "render")
DRAWINGS = ("plot", "diagram", "table")


def features(rgb: np.ndarray) -> dict[str, float]:
    """Numbers that tell kinds apart, of a uint8 crop (H x W x 3), each 0 to 1."""
    import cv2

    scale = min(1.0, 400 / max(rgb.shape[:2]))
    if scale < 1:
        size = (max(int(rgb.shape[1] * scale), 1), max(int(rgb.shape[0] * scale), 1))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    spread = rgb.max(axis=2).astype(np.int16) - rgb.min(axis=2)
    codes = np.bincount(((rgb // 32).astype(np.int64) @ np.array([64, 8, 1])).ravel(), minlength=512) / grey.size
    ordered = np.sort(codes)[::-1]
    texture = cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), 1.2))
    flat = cv2.blur(texture.astype(np.float32), (7, 7)) < 1.0
    return {
        "white": float((grey > 240).mean()),
        "dark": float((grey < 60).mean()),
        "middle": float(((grey > 70) & (grey < 225)).mean()),
        "colour": float((spread > 40).mean()),
        "two_colours": float(ordered[:2].sum()),
        "flat": float(flat.mean()),
    }


def classify_kind(rgb: np.ndarray) -> tuple[str, float]:
    """(kind, score 0 to 1) of a panel crop; kind is one of IMAGES + DRAWINGS."""
    f = features(rgb)
    image = 1.6 * f["middle"] + 1.4 * f["dark"] - 1.2 * f["white"] - 1.0 * f["flat"] + 0.2
    chance = float(1 / (1 + np.exp(-4 * image)))
    if chance >= 0.5:
        return _image_kind(f), chance
    return ("plot" if f["two_colours"] > 0.75 else "diagram"), 1 - chance


def _image_kind(f: dict[str, float]) -> str:
    if f["colour"] > 0.3:
        return "photo" if f["dark"] < 0.2 else "render"
    if f["colour"] > 0.02:
        return "microscopy"
    return "blot" if f["white"] > 0.3 else "radiology" if f["dark"] > 0.4 else "microscopy"
