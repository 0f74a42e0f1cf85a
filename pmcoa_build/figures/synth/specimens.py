"""Photographs of single things: insects, blossoms, parts and boards, scenes out of doors and in the laboratory."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.imagery import Field, Image, Rng, ellipse, grid, noise, paint, pick, plain
from pmcoa_build.figures.synth.texture import clouds, grain, light, specks, step, tree, warp

_GROUNDS = (
    (10, 10, 10),
    (16, 18, 14),
    (70, 150, 200),
    (120, 180, 220),
    (235, 235, 235),
    (255, 255, 255),
    (130, 130, 130),
    (200, 190, 175),
    (60, 90, 60),
)


def _ground(rng: Rng, width: int, height: int) -> np.ndarray:
    """One colour, lit unevenly, or a blurred scene."""
    canvas = plain(width, height, pick(rng, _GROUNDS))
    if rng.random() < 0.3:
        for channel in range(3):
            canvas[:, :, channel] *= 0.85 + 0.2 * noise(rng, width, height, min(width, height) / 3)
    return canvas * (1 + 0.06 * noise(rng, width, height, min(width, height)))[:, :, None]


def _laid(rng: Rng, canvas: np.ndarray, mask: Field, colour: tuple[float, ...], relief: Field, gloss: float) -> None:
    """A lit body on the canvas, in place: coloured by its height, shining where it faces the light."""
    shade = light(relief)
    tint = np.asarray(colour, np.float32) * (0.35 + 0.8 * shade)[:, :, None]
    tint += (np.clip(shade - 0.86, 0, 1) * gloss * 1400)[:, :, None]
    canvas += mask[:, :, None] * (np.clip(tint, 0, 255) - canvas)


def insect(rng: Rng, width: int, height: int) -> Image:
    """A beetle, pupa, larva or fly: a segmented shiny body along the picture, legs and hairs, on plain ground."""
    x, y = grid(width, height)
    wide, tall = width / min(width, height), height / min(width, height)
    along, across = (x / wide, y) if width > height else (y / tall, x)
    canvas = _ground(rng, width, height)
    reach, thick = rng.uniform(0.55, 0.9), rng.uniform(0.14, 0.5)
    profile = thick * np.sqrt(np.clip(1 - np.abs(along / reach) ** rng.uniform(2, 5), 0, None))
    bend = rng.uniform(-0.25, 0.25) * along**2 + rng.uniform(-0.2, 0.2) * along
    rings = rng.uniform(6, 24)
    body = step(profile - np.abs(across - bend) + 0.012 * np.sin(along * rings * 3), 0.02)
    side = min(width, height)
    relief = np.sqrt(np.clip(profile**2 - (across - bend) ** 2, 0, None)) * side * 0.5
    relief += np.abs(np.sin(along * rings)) * side * rng.uniform(0, 0.02) + clouds(rng, width, height, side / 30) * 0.3
    colour = np.asarray(
        pick(
            rng,
            ((120, 60, 25), (60, 30, 20), (30, 30, 32), (215, 170, 90), (225, 210, 170), (150, 110, 50), (90, 110, 60)),
        ),
        np.float32,
    ) * rng.uniform(0.8, 1.15)
    for _ in range(int(pick(rng, (0, 6, 6, 10)))):
        start = (width / 2 + rng.uniform(-0.3, 0.3) * width, height / 2 + rng.uniform(-0.2, 0.2) * height)
        limb = tree(rng, width, height, start, rng.uniform(0, 6.28), 0)
        canvas += limb[:, :, None] * (colour * 0.6 - canvas)
    _laid(rng, canvas, warp(rng, body, 0.02), tuple(colour), relief.astype(np.float32), rng.uniform(0, 0.6))
    return grain(rng, canvas, rng.uniform(1, 5))


def blossom(rng: Rng, width: int, height: int) -> Image:
    """Flowers, spikes, fruits or leaves with their stems, sharp on black, sky or blurred green."""
    side = min(width, height)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    canvas = _ground(rng, width, height)
    stem = warp(
        rng,
        tree(rng, width, height, (width * rng.uniform(0.3, 0.7), height * 1.0), -1.57, int(rng.integers(0, 3))),
        0.05,
    )
    canvas += stem[:, :, None] * (np.asarray((95, 125, 60), np.float32) - canvas)
    petal = np.asarray(
        pick(
            rng,
            (
                (215, 190, 230),
                (240, 235, 235),
                (200, 120, 190),
                (240, 200, 60),
                (200, 50, 60),
                (90, 140, 70),
                (150, 110, 200),
            ),
        ),
        np.float32,
    )
    count, size = int(rng.integers(3, 40)), side * float(np.exp(rng.uniform(np.log(0.05), np.log(0.35))))
    spike = rng.random() < 0.5
    for _ in range(count):
        at = (
            width * (0.5 + rng.normal(0, 0.06 if spike else 0.16)),
            height * (rng.uniform(0.1, 0.8) if spike else 0.45 + rng.normal(0, 0.14)),
        )
        turn, long, broad = rng.uniform(0, 6.28), size * rng.uniform(0.6, 1.2), size * rng.uniform(0.2, 0.5)
        u = (x - at[0]) * np.cos(turn) + (y - at[1]) * np.sin(turn)
        v = (y - at[1]) * np.cos(turn) - (x - at[0]) * np.sin(turn)
        bulk = 1 - (u / long) ** 2 - (v / broad * (1 + 0.4 * u / long)) ** 2
        relief = np.sqrt(np.clip(bulk, 0, 1)) * broad * 0.5 + 0.3 * np.sin(v / broad * 9)
        green = rng.random() < 0.3
        colour = np.asarray((80, 120, 50), np.float32) if green else petal * rng.uniform(0.75, 1.1)
        _laid(rng, canvas, step(bulk, 0.15), tuple(colour), relief.astype(np.float32), 0.05)
    return grain(rng, canvas, rng.uniform(2, 6))


def hardware(rng: Rng, width: int, height: int) -> Image:
    """A device or board: parts of metal, glass and plastic, seen from above or aslant, with glints and shadows."""
    import cv2

    side = min(width, height)
    canvas = _ground(rng, width, height)
    for _ in range(int(rng.integers(5, 40))):
        centre, size = rng.uniform(0.05, 0.95, 2) * (width, height), side * np.exp(rng.uniform(-3.5, -0.7, 2))
        turn = float(pick(rng, (0, 0, 90, rng.uniform(0, 180))))
        corners = cv2.boxPoints(((float(centre[0]), float(centre[1])), (float(size[0]), float(size[1])), turn))
        tone = np.asarray(
            pick(
                rng,
                (
                    (25, 25, 28),
                    (190, 190, 195),
                    (60, 120, 70),
                    (230, 230, 225),
                    (170, 130, 60),
                    (40, 60, 130),
                    (170, 40, 40),
                    (120, 120, 125),
                ),
            ),
            np.float32,
        ) * rng.uniform(0.7, 1.15)
        cv2.fillConvexPoly(
            canvas, np.int32(corners + side * 0.015), (canvas.mean(axis=(0, 1)) * 0.4).tolist(), cv2.LINE_AA
        )
        if rng.random() < 0.25:
            cv2.circle(
                canvas, (int(centre[0]), int(centre[1])), max(2, int(size[0] / 2)), tone.tolist(), -1, cv2.LINE_AA
            )
        else:
            cv2.fillConvexPoly(canvas, np.int32(corners), tone.tolist(), cv2.LINE_AA)
        cv2.line(
            canvas,
            (int(corners[0][0]), int(corners[0][1])),
            (int(corners[1][0]), int(corners[1][1])),
            np.clip(tone + 60, 0, 255).tolist(),
            1,
            cv2.LINE_AA,
        )
    return _taken(rng, canvas)


def outdoors(rng: Rng, width: int, height: int) -> Image:
    """Ground, plants, water and sky, or soil and stone near by: colours of nature in rough patches."""
    side = min(width, height)
    canvas = np.zeros((height, width, 3), np.float32)
    tones = np.array(
        ((95, 120, 60), (60, 80, 35), (150, 130, 95), (110, 85, 60), (190, 205, 220), (120, 140, 160), (170, 165, 150)),
        np.float32,
    )
    canvas[:] = pick(rng, tones)
    for _ in range(int(rng.integers(3, 8))):
        where = step(
            clouds(rng, width, height, side / rng.uniform(1, 8), 5) - rng.uniform(-0.2, 1), rng.uniform(0.05, 0.6)
        )
        canvas += where[:, :, None] * (pick(rng, tones) * rng.uniform(0.6, 1.25) - canvas)
    if rng.random() < 0.4:
        sky = step(
            rng.uniform(-0.3, 0.3)
            - np.linspace(-1, 1, height, dtype=np.float32)[:, None]
            + 0.05 * noise(rng, width, height, side / 6),
            0.03,
        )
        canvas += sky[:, :, None] * (np.asarray((185, 210, 235), np.float32) - canvas)
    canvas *= (0.75 + 0.35 * light((clouds(rng, width, height, side / 10, 5) * side / 25).astype(np.float32)))[
        :, :, None
    ]
    full = np.ones((height, width), np.float32)
    canvas *= 1 - 0.4 * specks(rng, width, height, full * rng.uniform(0, 0.5), side / 60, 300)[:, :, None]
    return _taken(rng, canvas)


def _taken(rng: Rng, canvas: np.ndarray) -> Image:
    """As a camera gives it: soft, bent a little, darker to the edges, noisy."""
    import cv2

    height, width = canvas.shape[:2]
    x, y = grid(width, height)
    soft = cv2.GaussianBlur(warp(rng, canvas.astype(np.float32), 0.03), (0, 0), rng.uniform(0.5, 1.8))
    shade = (1.1 - 0.25 * np.hypot(x - rng.uniform(-0.6, 0.6), y - rng.uniform(-0.6, 0.6))) * rng.uniform(0.7, 1.15)
    return grain(rng, soft * shade[:, :, None], rng.uniform(2, 7))


def well(rng: Rng, width: int, height: int) -> Image:
    """One well or dish on white, with stained colonies: few, many, or run together."""
    x, y = grid(width, height)
    canvas = plain(width, height, (255, 255, 255))
    disc = ellipse(x, y, (0, 0), (0.94, 0.94), 0.03)
    paint(canvas, disc, pick(rng, ((236, 236, 236), (250, 250, 250), (225, 222, 230), (205, 205, 205))))
    colonies = specks(
        rng, width, height, disc, min(width, height) * rng.uniform(0.015, 0.07), int(np.exp(rng.uniform(0, 6)))
    )
    paint(canvas, colonies * disc * rng.uniform(0.5, 1), pick(rng, ((50, 50, 52), (70, 40, 130), (40, 60, 120))))
    paint(canvas, np.clip(disc - ellipse(x, y, (0, 0), (0.9, 0.9), 0.03), 0, 1) * rng.uniform(0.1, 0.8), (70, 70, 70))
    return grain(rng, canvas, rng.uniform(0, 4))
