"""Slices as machines of our day give them: the same left and right, hard windows, much black round the patient."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.imagery import Field, Image, Rng, ellipse, grey, grid, pick
from pmcoa_build.figures.synth.texture import clouds, grain, step, warp


def _mirrored(rng: Rng, width: int, height: int, cell: float, octaves: int = 3) -> Field:
    """Clouds that are the same left and right, nearly."""
    field = clouds(rng, width, height, cell, octaves)
    field[:, : width // 2] = field[:, ::-1][:, : width // 2]
    return field + 0.25 * clouds(rng, width, height, cell, octaves)


def _placed(rng: Rng, picture: Field, width: int, height: int) -> Field:
    """The square picture in the middle of a black frame, smaller by chance."""
    import cv2

    side = round(min(width, height) * pick(rng, (1, 1, 0.9, 0.75, 0.6)))
    frame = np.zeros((height, width), np.float32)
    left, top = (width - side) // 2, (height - side) // 2
    frame[top : top + side, left : left + side] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return frame


def skull_base(rng: Rng, width: int, height: int) -> Image:
    """CT of head or neck low down: white jagged bone, black sinuses, flat grey tissue, the table's arc now and then."""
    side = max(min(width, height), 96)
    x, y = grid(side, side)
    outline = ellipse(x, y, (0, 0), (rng.uniform(0.5, 0.8), rng.uniform(0.65, 0.92)), 0.02)
    tissue, bone = rng.uniform(0, 150), rng.uniform(210, 255)
    folds = _mirrored(rng, side, side, side / rng.uniform(5, 14), 4)
    picture = outline * (tissue + 8 * clouds(rng, side, side, side / 20))
    reach = np.hypot(x / 0.7, y / 0.85)
    vault = np.exp(-(((reach - rng.uniform(0.6, 0.85)) / 0.07) ** 2)) * 1.6 * (rng.random() < 0.6)
    picture += step(folds + vault - rng.uniform(0.5, 1.2), 0.25) * outline * (bone - picture)
    gaps = step(_mirrored(rng, side, side, side / rng.uniform(5, 12)) - rng.uniform(0.9, 1.6), 0.2)
    picture -= gaps * picture * 0.95
    if rng.random() < 0.4:
        arc = np.exp(-(((np.hypot(x, y + 0.5) - 1.42) / 0.02) ** 2)) * (np.abs(x - rng.uniform(-0.5, 0.5)) < 0.25)
        picture += arc * 230
    bent = warp(rng, picture.astype(np.float32), 0.03)
    return grain(rng, grey(_placed(rng, bent, width, height)), rng.uniform(0.5, 4))


def weighted(rng: Rng, width: int, height: int) -> Image:
    """MR of the head from above, in front or the side: a bright rim, folds, dark cavities, dim or bright, on black."""
    side = max(min(width, height), 96)
    x, y = grid(side, side)
    rx, ry = rng.uniform(0.55, 0.8), rng.uniform(0.72, 0.95)
    reach = np.hypot(x / rx, y / ry) + 0.03 * clouds(rng, side, side, side / 3, 2)
    mirrored = rng.random() < 0.7
    field = _mirrored if mirrored else clouds
    folds = np.abs(field(rng, side, side, side / rng.uniform(7, 16), 2))
    picture = step(0.98 - reach, 0.02) * rng.uniform(40, 80)
    picture += (step(1 - reach, 0.02) - step(0.93 - reach, 0.03)) * rng.uniform(60, 190)
    brain = step(0.86 - reach, 0.03)
    picture += brain * (rng.uniform(70, 140) + rng.uniform(-50, 50) * step(0.35 - folds, 0.4) - picture)
    picture += 9 * field(rng, side, side, side / 12) * step(1 - reach, 0.03)
    holes = step(field(rng, side, side, side / rng.uniform(4, 8), 3) - rng.uniform(1, 1.7), 0.2)
    picture += holes * step(0.95 - reach, 0.1) * (pick(rng, (8, 20, 200, 240)) - picture)
    if rng.random() < 0.5:  # below the face and neck: muscles and air
        low = step(y - rng.uniform(0.1, 0.6), 0.2) * step(1 - reach, 0.1)
        picture += low * (80 + 60 * field(rng, side, side, side / 14, 4) - picture) * 0.9
    window = warp(rng, np.clip(picture, 0, None).astype(np.float32), 0.05) * rng.uniform(0.35, 1.2)
    return grain(rng, grey(_placed(rng, window, width, height)), rng.uniform(0.5, 5))


def chest(rng: Rng, width: int, height: int) -> Image:
    """A chest film: two dark lungs under ribs, a white heart and belly, letters of the side, from edge to edge."""
    x, y = grid(width, height)
    wide, tall = width / min(width, height), height / min(width, height)
    x, y = x / wide, y / tall
    picture = 165 + 25 * clouds(rng, width, height, width / 2, 2) + rng.uniform(20, 50) * y
    for side in (-1, 1):
        lung = ellipse(
            x + 0.08 * side * y,
            y,
            (0.42 * side, rng.uniform(-0.15, 0)),
            (rng.uniform(0.26, 0.36), rng.uniform(0.5, 0.68)),
            0.35,
        )
        picture -= lung * rng.uniform(70, 130)
        for rib in np.arange(-0.8, 0.6, rng.uniform(0.13, 0.2)):
            curve = y - rib - 0.25 * np.abs(x) ** 2 + 0.12 * np.abs(x)
            picture += np.exp(-((curve / 0.028) ** 2)) * lung * rng.uniform(14, 36)
    marks = np.exp(-np.abs(clouds(rng, width, height, width / 9, 4)) * 6) * np.exp(-(((np.abs(x) - 0.22) / 0.25) ** 2))
    picture += marks * 30 + ellipse(x, y, (0.14, 0.22), (0.3, 0.3), 0.4) * 60
    picture += np.exp(-((x / 0.09) ** 2)) * rng.uniform(20, 60) + step(y - 0.5 - 0.1 * np.abs(x), 0.3) * 40
    picture -= step(np.abs(x) - rng.uniform(0.85, 1.1) + 0.2 * y, 0.2) * 120
    window = np.clip(
        (warp(rng, picture.astype(np.float32), 0.04) - 128) * rng.uniform(0.8, 1.5) + rng.uniform(100, 160), 0, 255
    )
    return grain(rng, grey(window), rng.uniform(1, 5))
