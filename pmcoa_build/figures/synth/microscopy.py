"""Histology, immunohistochemistry, fluorescence and electron microscopy: colour, count, density and place are said."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.imagery import (
    COUNTS,
    SIDES,
    Attributes,
    Image,
    Modality,
    Rng,
    ellipse,
    grey,
    grid,
    lesion,
    noise,
    paint,
    plain,
    spread,
    to_image,
)

SIZES = ("small", "large")


def _dots(canvas: np.ndarray, rng: Rng, count: int, radius: float, colour: tuple[int, int, int]) -> None:
    """Scatter filled ellipses (nuclei) over a float RGB canvas, in place; radius in pixels."""
    import cv2

    height, width = canvas.shape[:2]
    for _ in range(count):
        at = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (max(1, round(radius * rng.uniform(0.8, 1.4))), max(1, round(radius * rng.uniform(0.6, 1.0))))
        shade = tuple(float(c + rng.normal(0, 10)) for c in colour)
        cv2.ellipse(canvas, at, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1, cv2.LINE_AA)


def _histology(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    scale = min(width, height)
    canvas = plain(width, height, (232, 170, 200)) + 14 * noise(rng, width, height, scale / 12)[:, :, None]
    if a["pattern"] == "fibrous bands":
        wave = np.sin(9 * (y + 0.3 * x) + 2.2 * noise(rng, width, height, scale / 3))
        paint(canvas, np.clip(wave * 2 - 0.6, 0, 1), (215, 110, 165))
    nuclei = 260 if a["density"] == "dense" else 60
    _dots(canvas, rng, round(nuclei * width / height), scale / 55, (100, 60, 150))
    if a["pattern"] == "glands":
        for cx, cy in spread(rng, 6, 0.3, 0.75):
            ring = ellipse(x, y, (cx, cy), (0.24, 0.24))
            paint(canvas, ring, (105, 65, 155))
            paint(canvas, ellipse(x, y, (cx, cy), (0.17, 0.17)), (250, 245, 250))
    elif a["pattern"] == "adipose vacuoles":
        for cx, cy in spread(rng, 16, 0.2, 0.9):
            paint(canvas, ellipse(x, y, (cx, cy), (0.17, 0.16)), (252, 248, 252))
    dx, dy = SIDES[a["side"]]
    half = np.clip((dx * x + dy * y - 0.35) / 0.2 + 0.15 * noise(rng, width, height, scale / 5), 0, 1)
    paint(canvas, (half * 0.85).astype(np.float32), (245, 120, 150) if a["finding"] == "necrosis" else (75, 45, 130))
    return to_image(canvas)


def _immunohistochemistry(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    scale = min(width, height)
    canvas = plain(width, height, (225, 228, 240)) + 8 * noise(rng, width, height, scale / 10)[:, :, None]
    _dots(canvas, rng, 130, scale / 40, (120, 135, 190))
    colour = (105, 55, 20) if a["intensity"] == "strong" else (200, 160, 115)
    x, y = grid(width, height)
    dx, dy = SIDES[a["side"]]
    if a["pattern"] == "membranous":
        cells = np.abs(noise(rng, width, height, scale / 9)) < 0.22
        stain = cells.astype(np.float32)
    elif a["pattern"] == "nuclear":
        marked = np.zeros((height, width, 3), np.float32)
        _dots(marked, rng, 170, scale / 32, (1, 1, 1))
        stain = np.clip(marked[:, :, 0], 0, 1)
    else:
        stain = np.clip(noise(rng, width, height, scale / 7) + 0.9, 0, 1).astype(np.float32)
    region = np.clip((dx * x + dy * y + 0.05) / 0.25 + 0.5, 0, 1)
    paint(canvas, (stain * region * 0.92).astype(np.float32), colour)
    return to_image(canvas)


_CHANNELS = {"red": (235, 35, 30), "green": (40, 225, 60), "magenta": (225, 40, 225), "yellow": (235, 225, 40)}


def _fluorescence(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    canvas = plain(width, height, (4, 4, 8))
    colour = np.asarray(_CHANNELS[a["channel"]], np.float32)
    radius = 0.16 if a["size"] == "small" else 0.27
    for cx, cy in spread(rng, COUNTS[a["count"]], radius, 0.66):
        body = lesion(rng, x, y, (cx, cy), radius, "round" if a["shape"] == "round" else "oval")
        canvas += (body * (0.8 + 0.15 * noise(rng, width, height, 6)))[:, :, None] * colour
        if a["nuclei"] == "with":
            paint(canvas, ellipse(x, y, (cx, cy), (radius * 0.42, radius * 0.42), 0.2), (40, 70, 255))
    return to_image(canvas)


def _electron(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    picture = 165 + 18 * noise(rng, width, height, 3) + 14 * noise(rng, width, height, 14)
    long = a["organelle"] == "mitochondria"
    radius = (0.13 if long else 0.11) if a["size"] == "small" else (0.24 if long else 0.22)
    core = 60 if a["core"] == "electron-dense" else 225
    for cx, cy in spread(rng, COUNTS[a["count"]], radius, 0.62):
        outer = lesion(rng, x, y, (cx, cy), radius, "oval" if long else "round")
        inner = lesion(rng, x, y, (cx, cy), radius * 0.84, "round") if not long else np.clip(outer * 2 - 1, 0, 1)
        picture += outer * (35 - picture)
        picture += inner * (core - picture)
        if long:
            picture += inner * np.clip(np.sin(34 * (x - cx)) * 2 - 0.8, 0, 1) * (35 - picture) * 0.9
    return grey(picture)


def _karyotype(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    """FISH of one nucleus: blue nucleus with so many red and green signals."""
    x, y = grid(width, height)
    canvas = plain(width, height, (2, 2, 6))
    paint(canvas, ellipse(x, y, (0, 0), (0.82, 0.74), 0.1), (35, 55, 190))
    red, green = COUNTS[a["red"]], COUNTS[a["green"]]
    for i, (cx, cy) in enumerate(spread(rng, red + green, 0.2, 0.5)):
        paint(canvas, ellipse(x, y, (cx, cy), (0.1, 0.1), 0.5), (255, 40, 40) if i < red else (60, 255, 80))
    return to_image(canvas)


_SIDE_WORDS = {"upper": ("at the upper edge",), "lower": ("at the lower edge",), "left": ("at the left edge",),
               "right": ("at the right edge",)}
_HALF_WORDS = {side: (f"in the {side} half",) for side in SIDES}

MICROSCOPY: tuple[Modality, ...] = (
    Modality("histology", "microscopy", ("Histology (haematoxylin and eosin)", "H&E-stained histopathology sections"),
             {"pattern": ("glands", "fibrous bands", "adipose vacuoles"), "density": ("dense", "sparse"),
              "finding": ("necrosis", "inflammation"), "side": tuple(SIDES)},
             ("H&E histology with {density} nuclei, {pattern} and {finding} {side}",
              "H&E staining shows {pattern}, {density} nuclei and {finding} {side}"), _histology, 1.25,
              words=_SIDE_WORDS),
    Modality("ihc", "microscopy", ("Immunohistochemistry of tumour sections", "Immunohistochemical staining"),
             {"pattern": ("membranous", "nuclear", "cytoplasmic"), "intensity": ("strong", "weak"),
              "side": tuple(SIDES)},
             ("Immunohistochemistry shows {intensity} {pattern} staining {side}",
              "Immunohistochemical section with {intensity} {pattern} signal {side}"), _immunohistochemistry, 1.25,
             words=_HALF_WORDS),
    Modality("fluorescence", "microscopy", ("Immunofluorescence microscopy", "Confocal immunofluorescence images"),
             {"channel": tuple(_CHANNELS), "count": tuple(COUNTS)[:5], "size": SIZES, "shape": ("round", "spindle"),
              "nuclei": ("with", "without")},
             ("Immunofluorescence shows {count} {size} {shape} {channel} cells {nuclei} DAPI",
              "Immunofluorescence image of {count} {size} {shape} cells, {channel} {nuclei} DAPI"), _fluorescence, 1.0,
             words={"round": ("round",), "spindle": ("spindle",)}),
    Modality("electron", "microscopy", ("Transmission electron microscopy", "Electron micrographs"),
             {"organelle": ("mitochondria", "vesicles"), "count": tuple(COUNTS)[:5], "size": SIZES,
              "core": ("electron-dense", "electron-lucent")},
             ("Electron micrograph with {count} {size} {core} {organelle}",
              "Transmission electron microscopy shows {count} {size} {core} {organelle}"), _electron, 1.15),
    Modality("fish", "microscopy", ("Fluorescence in situ hybridization (FISH)", "Interphase FISH"),
             {"red": tuple(COUNTS)[:4], "green": tuple(COUNTS)[:4]},
             ("FISH nucleus with {red} red and {green} green signals",
              "Interphase FISH shows {red} red signals and {green} green"), _karyotype, 1.0),
)
