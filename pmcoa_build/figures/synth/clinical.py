"""Photographs of the body: dermoscopy, endoscopy, eye grounds, specimens; colour, shape, side and count are said."""

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
    grid,
    lesion,
    noise,
    paint,
    plain,
    spread,
    to_image,
)

SHAPES = ("round", "oval", "irregular")
SIZES = ("small", "large")
_PIGMENT = {"brown": (105, 60, 35), "black": (35, 28, 30), "red": (190, 45, 50), "blue-grey": (90, 105, 140)}


def _dermoscopy(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    x, y = grid(width, height)
    canvas = plain(width, height, (226, 178, 152)) + 6 * noise(rng, width, height, 9)[:, :, None]
    spot = lesion(rng, x, y, (rng.uniform(-0.08, 0.08), rng.uniform(-0.08, 0.08)),
                  0.36 if a["size"] == "small" else 0.66, a["shape"])
    texture = 1 + 0.13 * noise(rng, width, height, min(width, height) / 14)
    paint(canvas, np.clip(spot * texture, 0, 1), _PIGMENT[a["colour"]])
    if a["hair"] == "with":
        for _ in range(9):
            ends = [(int(rng.integers(width)), int(rng.integers(height))) for _ in range(2)]
            cv2.line(canvas, ends[0], ends[1], (45.0, 35.0, 30.0), max(1, min(width, height) // 90), cv2.LINE_AA)
    return to_image(canvas)


def _endoscopy(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    canvas = plain(width, height, (215, 105, 90)) + 10 * noise(rng, width, height, 16)[:, :, None]
    dx, dy = SIDES[a["side"]]
    lumen = (-0.35 * dx, -0.35 * dy)
    distance = np.hypot(x - lumen[0], y - lumen[1])
    canvas *= np.clip(0.35 + 0.75 * distance, 0, 1.05)[:, :, None]
    folds = np.clip(np.sin(13 * distance) * 2 - 1.2, 0, 1) * (distance > 0.3)
    paint(canvas, folds.astype(np.float32) * 0.5, (245, 150, 135))
    tone = {"red": (190, 20, 30), "whitish": (245, 225, 215), "yellowish": (235, 195, 90)}[a["colour"]]
    radius = 0.14 if a["size"] == "small" else 0.22
    for cx, cy in spread(rng, COUNTS[a["count"]], radius, 0.3):
        centre = (0.42 * dx + cx * (1.1 - 0.5 * abs(dx)), 0.42 * dy + cy * (1.1 - 0.5 * abs(dy)))
        paint(canvas, lesion(rng, x, y, centre, radius, "round"), tone)
        paint(canvas, ellipse(x, y, (centre[0] - 0.04, centre[1] - 0.05), (0.03, 0.03), 0.5), (255, 255, 255))
    return to_image(canvas * ellipse(x, y, (0, 0), (0.99, 0.99), 0.03)[:, :, None])


def _fundus(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    x, y = grid(width, height)
    canvas = plain(width, height, (205, 95, 35)) + 8 * noise(rng, width, height, 14)[:, :, None]
    side = -1 if a["side"] == "left" else 1
    scale = min(width, height) / 2
    disc = np.array([width / 2 + side * 0.5 * scale, height / 2])
    for turn in (-1.9, -1.2, -0.55, 0.55, 1.2, 1.9):
        bend = [disc + scale * np.array([-side * (0.2 + 1.1 * t) * np.cos(turn * 0.6), 1.15 * t**0.7 * np.sin(turn)])
                for t in np.linspace(0, 1, 14)]
        cv2.polylines(canvas, [np.array(bend, np.int32)], False, (130.0, 25.0, 20.0), max(1, round(scale / 32)),
                      cv2.LINE_AA)
    paint(canvas, ellipse(x, y, (0.5 * side, 0), (0.17, 0.2), 0.2), (252, 225, 150))
    radius = 0.055 if a["size"] == "small" else 0.105
    tone = (95, 0, 10) if a["finding"] == "haemorrhages" else (255, 245, 120)
    for cx, cy in spread(rng, COUNTS[a["count"]], radius, 0.42):
        paint(canvas, lesion(rng, x, y, (cx - 0.28 * side, cy), radius * 1.2, "round"), tone)
    return to_image(canvas * ellipse(x, y, (0, 0), (0.97, 0.97), 0.03)[:, :, None])


_CLOTH = {"blue": (60, 105, 180), "green": (55, 135, 95), "white": (238, 238, 236)}
_FLESH = {"red": (150, 35, 40), "yellow": (222, 188, 105), "grey": (150, 140, 138)}


def _specimen(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    x, y = grid(width, height)
    canvas = plain(width, height, _CLOTH[a["cloth"]]) + 7 * noise(rng, width, height, 20)[:, :, None]
    radius = 0.38 if a["size"] == "small" else 0.62
    body = lesion(rng, x, y, (0, -0.08), radius, a["shape"])
    light = 1.05 - 0.25 * (x * 0.5 + y * 0.6)
    canvas += body[:, :, None] * (np.asarray(_FLESH[a["colour"]]) * light[:, :, None] - canvas)
    canvas += (body * 10 * noise(rng, width, height, 8))[:, :, None]
    ruler = y > 0.86 * height / min(width, height)
    canvas[ruler] = (250, 250, 250)
    canvas[ruler & (np.mod(x, 0.2) < 0.03)] = (20, 20, 20)
    return to_image(canvas)


def _wound(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    """A limb on a drape with a rash or ulcers."""
    x, y = grid(width, height)
    canvas = plain(width, height, (70, 120, 165))
    limb = np.clip((0.62 - np.abs(y + 0.1 * np.sin(2 * x))) / 0.05, 0, 1).astype(np.float32)
    skin = {"light": (232, 190, 165), "dark": (125, 82, 60)}[a["skin"]]
    canvas += limb[:, :, None] * (np.asarray(skin) * (1.05 - 0.35 * y[:, :, None] ** 2) - canvas)
    dx = {"left": -0.45, "right": 0.45, "central": 0.0}[a["side"]]
    tone = (170, 25, 35) if a["finding"] == "ulcers" else (60, 30, 40)
    for cx, cy in spread(rng, COUNTS[a["count"]], 0.12, 0.38):
        paint(canvas, lesion(rng, x, y, (dx + cx * 0.8, cy * 0.9), 0.13, "irregular") * limb, tone)
    return to_image(canvas + 4 * noise(rng, width, height, 6)[:, :, None])


CLINICAL: tuple[Modality, ...] = (
    Modality("dermoscopy", "photo", ("Dermoscopy of the lesions", "Dermoscopic images"),
             {"colour": tuple(_PIGMENT), "shape": SHAPES, "size": SIZES, "hair": ("with", "without")},
             ("Dermoscopy of a {size} {shape} {colour} lesion {hair} hair",
              "Dermoscopic view of a {size} {shape} {colour} naevus {hair} hair"), _dermoscopy, 1.2),
    Modality("endoscopy", "photo", ("Endoscopy findings", "Colonoscopy images"),
             {"count": tuple(COUNTS)[:3], "colour": ("red", "whitish", "yellowish"), "size": SIZES,
              "side": tuple(SIDES)},
             ("Endoscopy shows {count} {size} {colour} polyps on the {side} wall",
              "Colonoscopy with {count} {size} {colour} polyps of the {side} wall"), _endoscopy, 1.0),
    Modality("fundus", "photo", ("Colour fundus photography", "Fundus photographs (ophthalmoscopy)"),
             {"side": ("left", "right"), "finding": ("haemorrhages", "exudates"), "count": tuple(COUNTS)[:5],
              "size": SIZES},
             ("Fundus photograph with {count} {size} {finding}, disc on the {side}",
              "Fundus photography shows {count} {size} {finding} and the disc on the {side}"), _fundus, 1.0),
    Modality("specimen", "photo", ("Gross pathology of the resected specimens", "Macroscopic appearance at autopsy"),
             {"colour": tuple(_FLESH), "shape": SHAPES, "size": SIZES, "cloth": tuple(_CLOTH)},
             ("Gross pathology of a {size} {shape} {colour} specimen on {cloth} cloth",
              "Macroscopic {size} {shape} {colour} specimen on {cloth} cloth"), _specimen, 1.3),
    Modality("skin-photo", "photo", ("Clinical photographs at physical examination", "Physical examination findings"),
             {"skin": ("light", "dark"), "side": ("left", "right", "central"), "finding": ("ulcers", "papules"),
              "count": tuple(COUNTS)[:4]},
             ("Clinical photograph of {skin} skin with {count} {finding}, {side}",
              "Clinical photograph shows {count} {side} {finding} on {skin} skin"), _wound, 1.4),
)
