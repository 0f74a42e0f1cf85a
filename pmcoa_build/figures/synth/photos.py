"""Photographs that papers print: plates and wells, organs on cloth, plants, animals, patients, apparatus."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.imagery import Image, Rng, ellipse, grid, lesion, noise, paint, pick, plain, to_image
from pmcoa_build.figures.synth.texture import clouds, grain, light, specks, step, tree, warp

_GROUNDS = ((238, 238, 236), (20, 20, 22), (60, 105, 180), (55, 135, 95), (150, 150, 150), (205, 190, 165),
            (90, 90, 100))
_FLESH = ((150, 40, 45), (190, 90, 80), (222, 188, 120), (120, 60, 50), (225, 170, 160), (160, 120, 95))
_SKIN = ((232, 190, 165), (205, 155, 125), (125, 82, 60), (240, 205, 190))


def _thing(rng: Rng, canvas: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int], cell: float) -> None:
    """A lit, textured body of the mask on a float RGB canvas, in place."""
    import cv2

    height, width = mask.shape
    relief = cv2.GaussianBlur(mask, (0, 0), max(1.0, cell)) * cell * 3 + clouds(rng, width, height, cell) * 0.6
    shade = 0.55 + 0.6 * light(relief.astype(np.float32))
    canvas += mask[:, :, None] * (np.asarray(colour, np.float32) * shade[:, :, None] - canvas)


def organs(rng: Rng, width: int, height: int) -> Image:
    """Excised organs or tumours in a row or alone on cloth or paper, often with a ruler."""
    x, y = grid(width, height)
    canvas = plain(width, height, pick(rng, _GROUNDS)) + 4 * clouds(rng, width, height, 8)[:, :, None]
    rows, columns = (1, 1) if rng.random() < 0.4 else (int(rng.integers(1, 4)), int(rng.integers(2, 7)))
    wide, tall = width / min(width, height), height / min(width, height)
    colour = pick(rng, _FLESH)
    for row in range(rows):
        for column in range(columns):
            centre = (wide * (2 * (column + 0.5) / columns - 1), tall * (2 * (row + 0.5) / rows - 1))
            radius = min(wide / columns, tall / rows) * rng.uniform(0.4, 0.8)
            body = lesion(rng, x, y, centre, radius, pick(rng, ("round", "oval", "irregular")))
            _thing(rng, canvas, warp(rng, body, 0.03), colour, min(width, height) / 18)
    if rng.random() < 0.4:
        _ruler(canvas)
    return grain(rng, canvas, 3)


def _ruler(canvas: np.ndarray) -> None:
    """A white ruler along the lower edge, in place."""
    height, width = canvas.shape[:2]
    top = height - max(8, height // 9)
    canvas[top:] = 245
    pitch = max(4, width // 50)
    for mark, at in enumerate(range(0, width, pitch)):
        canvas[top : top + (height - top) // (2 if mark % 5 == 0 else 4), at : at + 1] = 20


def wells(rng: Rng, width: int, height: int) -> Image:
    """Rows of round wells or dishes with dark colonies that thin out from one side to the other."""
    canvas = plain(width, height, pick(rng, ((255, 255, 255), (255, 255, 255), (235, 235, 232), (30, 30, 34))))
    columns = int(rng.integers(2, 9))
    rows = max(1, round(columns * height / width))
    pitch = min(width / columns, height / rows)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    plate, colony = pick(rng, ((232, 232, 232), (225, 220, 200),
                               (215, 205, 225))), pick(rng, ((60, 60, 62), (70, 40, 130), (120, 90, 60)))
    for row in range(rows):
        for column in range(columns):
            cx, cy = (column + 0.5) * width / columns, (row + 0.5) * height / rows
            disc = step((pitch * 0.46 - np.hypot(x - cx, y - cy)).astype(np.float32), 1.5)
            paint(canvas, disc, plate)
            dense = rng.uniform(0, 1) * (1 - 0.8 * column / columns)
            colonies = specks(rng, width, height, disc * dense, max(1, pitch / 26), round(rows * columns * 130))
            paint(canvas, colonies * disc, colony)
            rim = step(1.2 - np.abs(np.hypot(x - cx, y - cy) - pitch * 0.46).astype(np.float32), 1)
            paint(canvas, rim * 0.7, (70, 70, 70))
    return grain(rng, canvas, 2)


def dish(rng: Rng, width: int, height: int) -> Image:
    """One agar plate: streaks, spots or zones of inhibition on a coloured ground."""
    x, y = grid(width, height)
    canvas = plain(width, height, pick(rng, _GROUNDS))
    disc = ellipse(x, y, (0, 0), (0.93, 0.93), 0.02)
    paint(canvas, disc, pick(rng, ((205, 190, 140), (150, 30, 30), (225, 225, 200), (190, 205, 180))))
    lawn = specks(rng, width, height, disc * 0.6, min(width, height) / 70, int(rng.integers(30, 900)))
    paint(canvas, lawn * 0.8, pick(rng, ((245, 240, 215), (240, 240, 240), (60, 90, 160))))
    for _ in range(int(rng.integers(0, 6))):
        centre = (rng.uniform(-0.55, 0.55), rng.uniform(-0.55, 0.55))
        paint(canvas, ellipse(x, y, centre, (0.2, 0.2), 0.1) * 0.7, (110, 90, 70))
        paint(canvas, ellipse(x, y, centre, (0.06, 0.06), 0.1), (250, 250, 250))
    paint(canvas, np.clip(ellipse(x, y, (0, 0), (0.95, 0.95), 0.02) - ellipse(x, y, (0, 0), (0.91, 0.91), 0.02), 0,
                          1) * 0.6, (245, 245, 245))
    return grain(rng, canvas, 3)


def plants(rng: Rng, width: int, height: int) -> Image:
    """Seedlings or potted plants side by side on black or soil."""
    canvas = plain(width, height, pick(rng, ((12, 12, 12), (240, 240, 240), (60, 45, 35), (150, 170, 190))))
    count = int(rng.integers(1, 8))
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    for i in range(count):
        root = ((i + 0.5) * width / count, height * rng.uniform(0.75, 0.95))
        stem = tree(rng, width, height, root, -1.57, 2)
        paint(canvas, stem, (120, 150, 70))
        for _ in range(int(rng.integers(5, 16))):
            turn, far = rng.uniform(0, 6.28), min(width / count, height) * 0.45
            cx = root[0] + far * np.cos(turn) * rng.uniform(0.2, 0.8)
            cy = root[1] - height * 0.35 + far * np.sin(turn) * rng.uniform(0.2, 0.9)
            u, v = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
            leaf = step((1 - (u / (far * 0.36)) ** 2 - (v / (far * 0.14)) ** 2).astype(np.float32), 0.2)
            paint(canvas, leaf, (60 + 40 * rng.random(), 120 + 60 * rng.random(), 50))
    return grain(rng, canvas * (1 + 0.06 * clouds(rng, width, height, 10))[:, :, None], 4)


def skin(rng: Rng, width: int, height: int) -> Image:
    """Skin near by: rash, wound, ulcer, scar, spots, between drapes or hair."""
    x, y = grid(width, height)
    tone = pick(rng, _SKIN)
    shade = 1.05 - 0.2 * np.hypot(x - rng.uniform(-0.5, 0.5), y) + 0.03 * clouds(rng, width, height, 5)
    canvas = plain(width, height, tone) * shade[:, :, None]
    red = step(clouds(rng, width, height, min(width, height) / 4) - rng.uniform(0.3, 1.5), 0.6)
    paint(canvas, red * rng.uniform(0.2, 0.6), (185, 60, 60))
    for _ in range(int(rng.integers(0, 6))):
        centre = (rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.7))
        sore = warp(rng, lesion(rng, x, y, centre, rng.uniform(0.06, 0.4), pick(rng, ("round", "irregular", "oval"))),
                    0.03)
        paint(canvas, sore * 0.8, pick(rng, ((130, 25, 30), (90, 50, 45), (225, 200, 150), (60, 40, 40))))
    if rng.random() < 0.35:
        edge = step(x * pick(rng, (1, -1)) - 0.6 + 0.05 * noise(rng, width, height, 60), 0.05)
        paint(canvas, edge, pick(rng, _GROUNDS))
    return grain(rng, canvas, 4)


def animal(rng: Rng, width: int, height: int) -> Image:
    """Mice, fish or insects seen from above, as furry or smooth bodies with tails and limbs."""
    x, y = grid(width, height)
    canvas = plain(width, height, pick(rng, _GROUNDS)) + 5 * noise(rng, width, height, 30)[:, :, None]
    count = int(rng.integers(1, 4))
    wide = width / min(width, height)
    coat = pick(rng, ((45, 40, 38), (235, 228, 220), (150, 110, 75), (90, 95, 100)))
    for i in range(count):
        middle = wide * (2 * (i + 0.5) / count - 1)
        body = np.maximum.reduce([ellipse(x, y, (middle, 0.1), (0.26 * wide / count + 0.08, 0.48), 0.1),
                                  ellipse(x, y, (middle, -0.45), (0.17, 0.24), 0.15),
                                  *(ellipse(x, y, (middle + s * 0.16, -0.62), (0.07, 0.07), 0.2) for s in (-1, 1))])
        tail = tree(rng, width, height, ((middle / wide + 1) * width / 2, height * 0.75), 1.4, 0)
        _thing(rng, canvas, warp(rng, np.maximum(body, tail), 0.06), coat, min(width, height) / 30)
    glow = rng.random() < 0.3
    if glow:
        heat = ellipse(x, y, (rng.uniform(-0.3, 0.3), rng.uniform(-0.2, 0.4)), (0.2, 0.2), 1.2)
        paint(canvas, (heat > 0.15) * heat, pick(rng, ((250, 60, 30), (250, 230, 40), (60, 220, 120))))
    return grain(rng, canvas, 4)


def apparatus(rng: Rng, width: int, height: int) -> Image:
    """A room or bench: lit boxes, cylinders and cables before a wall."""
    import cv2

    canvas = plain(width, height, pick(rng, ((200, 205, 210), (170, 160, 150), (110, 120, 130))))
    floor = round(height * rng.uniform(0.55, 0.8))
    canvas[floor:] = np.asarray(pick(rng, ((140, 110, 80), (90, 90, 95), (215, 215, 210))), np.float32)
    for _ in range(int(rng.integers(4, 14))):
        x0, y0 = int(rng.uniform(0, 0.85) * width), int(rng.uniform(0.1, 0.75) * height)
        x1, y1 = x0 + int(rng.uniform(0.06, 0.4) * width), y0 + int(rng.uniform(0.1, 0.4) * height)
        tone = rng.uniform(20, 245, 3) * 0.6 + rng.uniform(20, 240) * 0.4
        cv2.rectangle(canvas, (x0, y0), (x1, y1), tone.tolist(), -1)
        cv2.rectangle(canvas, (x0, y0), ((x0 * 3 + x1) // 4, y1), (tone * 0.75).tolist(), -1)
    for _ in range(3):
        ends = np.stack([np.linspace(0, width, 9), rng.uniform(0.2, 0.9, 9) * height], axis=1).astype(np.int32)
        cv2.polylines(canvas, [ends], False, rng.uniform(10, 120, 3).tolist(), 2, cv2.LINE_AA)
    canvas = cv2.GaussianBlur(canvas, (0, 0),
                              1.2) * (1 + 0.1 * noise(rng, width, height, min(width, height) / 2))[:, :, None]
    return grain(rng, to_image(canvas), 5)
