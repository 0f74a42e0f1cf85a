"""Pictures computed from shapes: molecules as ribbons, spheres and sticks, organs as meshes, neurons in space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.figures.synth.imagery import Field, Image, Rng, pick, plain, to_image
from pmcoa_build.figures.synth.pen import say
from pmcoa_build.figures.synth.texture import clouds, false_colour, light, step, tree, warp

_COLOURS = ((220, 60, 50), (60, 170, 80), (60, 100, 210), (240, 200, 60), (60, 200, 210), (200, 90, 200),
            (245, 150, 50), (170, 170, 175),
            (140, 210, 120), (110, 90, 180))


def _ground(rng: Rng, width: int, height: int) -> NDArray[np.float32]:
    return plain(width, height,
                 pick(rng, ((255, 255, 255), (255, 255, 255), (255, 255, 255), (0, 0, 0), (235, 240, 248))))


def _curve(rng: Rng, steps: int, width: int, height: int) -> NDArray[np.float64]:
    """A wandering chain in space that fills the picture: steps x (x, y, depth 0 to 1)."""
    walk = np.cumsum(rng.normal(0, 1, (steps // 8, 3)), axis=0)
    walk -= np.linspace(0, 1, len(walk))[:, None] * (walk[-1] - walk[0]) * 0.8
    smooth = [np.convolve(np.pad(axis, 1, "edge"), [0.25, 0.5, 0.25], "valid") for axis in walk.T]
    at = np.linspace(0, len(walk) - 1, steps)
    fine = np.stack([np.interp(at, np.arange(len(walk)), axis) for axis in smooth], axis=1)
    low, high = fine.min(axis=0), fine.max(axis=0)
    room, rim = np.array([width * 0.84, height * 0.84, 1]), np.array([width * 0.08, height * 0.08, 0])
    chain: NDArray[np.float64] = (fine - low) / np.maximum(high - low, 1e-6) * room + rim
    return chain


def ribbon(rng: Rng, width: int, height: int) -> Image:
    """A protein's chain: coils as tubes, helices as wound bands, strands as broad ones, one colour or several."""
    import cv2

    canvas = _ground(rng, width, height)
    side = min(width, height)
    for chain in range(int(rng.integers(1, 4))):
        path = _curve(rng, 240, width, height)
        rainbow, own = rng.random() < 0.35, pick(rng, _COLOURS)
        for start in np.argsort(path[::12, 2])[:-1] * 12:
            sort = pick(np.random.default_rng(int(start) + chain), ("coil", "helix", "helix", "strand"))
            piece = path[start : start + 14]
            colour = np.asarray(_COLOURS[int(start // 24) % 7] if rainbow else own, np.float64)
            thick = max(2, round(side * {"coil": 0.008, "helix": 0.035, "strand": 0.025}[sort]))
            for i in range(len(piece) - 1):
                sway = np.sin(i * 1.9) * side * 0.028 if sort == "helix" else 0.0
                ends = [(round(float(p[0] + sway * s)), round(float(p[1] - sway * s))) for p,
                        s in ((piece[i], 1), (piece[i + 1], -1 if sort == "helix" else 1))]
                shade = (0.45 + 0.55 * piece[i, 2]) * (0.75 + 0.25 * np.cos(i * 1.9))
                cv2.line(canvas, ends[0], ends[1], (colour * shade * 0.6).tolist(), thick + 2, cv2.LINE_AA)
                cv2.line(canvas, ends[0], ends[1], (colour * shade).tolist(), thick, cv2.LINE_AA)
    return to_image(canvas)


def _balls(width: int, height: int, centres: NDArray[np.float64],
           radii: NDArray[np.float64]) -> tuple[Field, NDArray[np.int32]]:
    """(height of the nearest ball, or -1; which ball it is) of each pixel, for balls given as x, y, depth in pixels."""
    relief = np.full((height, width), -1, np.float32)
    which = np.full((height, width), -1, np.int32)
    for i, ((cx, cy, cz), radius) in enumerate(zip(centres, radii, strict=True)):
        x0, x1, y0, y1 = (int(v) for v in (max(0, cx - radius), min(width, cx + radius + 1), max(0, cy - radius),
                                           min(height, cy + radius + 1)))
        if x1 <= x0 or y1 <= y0:
            continue
        y, x = np.mgrid[y0:y1, x0:x1]
        bulge = radius**2 - (x - cx) ** 2 - (y - cy) ** 2
        top = np.where(bulge > 0, cz + np.sqrt(np.clip(bulge, 0, None)), -1).astype(np.float32)
        nearer = top > relief[y0:y1, x0:x1]
        relief[y0:y1, x0:x1][nearer] = top[nearer]
        which[y0:y1, x0:x1][nearer] = i
    return relief, which


def spheres(rng: Rng, width: int, height: int) -> Image:
    """A molecular surface or a space-filling model: many lit balls, coloured by patch, charge or part."""
    side = min(width, height)
    count = int(rng.integers(60, 260))
    path = _curve(rng, max(count, 64), width, height)[:count]
    centres = np.stack([path[:, 0] + rng.normal(0, side * 0.05, len(path)),
                        path[:, 1] + rng.normal(0, side * 0.05, len(path)), side * (0.3 + 0.4 * path[:, 2])], axis=1)
    relief, which = _balls(width, height, centres, rng.uniform(0.03, 0.07, len(path)) * side * rng.uniform(0.8, 1.5))
    picked = np.array([_COLOURS[int(i)] for i in rng.integers(0, pick(rng, (1, 2, 3, 5)), len(path))], np.float32)
    charge = clouds(rng, width, height, side / 4)
    tint = picked[which] if rng.random() < 0.6 else np.stack([245 - 180 * np.clip(-charge, 0, 1),
                                                              245 - 190 * np.clip(np.abs(charge), 0, 1),
                                                              245 - 180 * np.clip(charge, 0, 1)], axis=2)
    canvas = _ground(rng, width, height)
    lit = (0.35 + 0.75 * light(relief))[:, :, None]
    return to_image(np.where(which[:, :, None] >= 0, tint * lit, canvas).astype(np.float32))


def sticks(rng: Rng, width: int, height: int) -> Image:
    """A binding site: sticks and balls of residues and a ligand, dashed bonds, names."""
    import cv2

    canvas = _ground(rng, width, height)
    side = min(width, height)
    light_ground = canvas[0, 0].sum() > 300
    for _ in range(int(rng.integers(4, 12))):
        point, carbon = rng.uniform(0.1, 0.9, 2) * (width, height), np.asarray(pick(rng, _COLOURS), np.float64)
        turn = rng.uniform(0, 6.28)
        for bond in range(int(rng.integers(3, 9))):
            turn += pick(rng, (-1.05, 1.05))
            end = point + side * 0.075 * np.array([np.cos(turn), np.sin(turn)])
            a, b = tuple(int(v) for v in point), tuple(int(v) for v in end)
            for thick, shade in ((0.028, 0.55), (0.018, 1.0)):
                cv2.line(canvas, a, b, (carbon * shade).tolist(), max(1, round(side * thick)), cv2.LINE_AA)
            if bond % 3 == 2:
                cv2.circle(canvas, b, max(2, round(side * 0.02)),
                           pick(rng, ((220, 40, 40), (50, 70, 220), (230, 200, 40))), -1, cv2.LINE_AA)
            point = end
    image = to_image(canvas)
    for _ in range(int(rng.integers(2, 8))):
        at = (int(rng.uniform(0.15, 0.85) * width), int(rng.uniform(0.1, 0.9) * height))
        say(image,
            f"{pick(rng, ('Arg', 'Lys', 'Asp', 'Tyr', 'Phe', 'Ser', 'His', 'Leu'))}{int(rng.integers(10, 700))}", at,
            max(7, side // 22),
            (20, 20, 20) if light_ground else (240, 240, 240))
    return image


def mesh(rng: Rng, width: int, height: int) -> Image:
    """A brain, organ or bone as a lit closed surface, folded or smooth, with coloured regions; one or several views."""
    canvas = _ground(rng, width, height)
    views = max(1, min(3, round(width / height * rng.uniform(0.6, 1.2))))
    base, folds = pick(rng, ((190, 190, 190), (225, 205, 190), (235, 225, 200), (200, 120, 110),
                             (150, 180, 210))), rng.random() < 0.6
    for view in range(views):
        left, right = view * width // views, (view + 1) * width // views
        canvas[:, left:right] = _solid(rng, canvas[:, left:right], base, folds)
    return to_image(canvas)


def _solid(rng: Rng, ground: NDArray[np.float32], base: tuple[int, int, int], folds: bool) -> NDArray[np.float32]:
    import cv2

    height, width = ground.shape[:2]
    side = min(width, height)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = (x - width / 2) / (width * 0.44), (y - height / 2) / (height * 0.44)
    bulge = 1 - u**2 - v**2 + 0.22 * clouds(rng, width, height, side / 2.2, 2)
    relief = np.sqrt(np.clip(bulge, 0, None)) * side * 0.4
    if folds:
        relief += np.clip(np.abs(clouds(rng, width, height, side / 7, 2)), 0, 0.8) * side * 0.05
    inside = step(bulge.astype(np.float32), 0.03)[:, :, None]
    tint = np.empty((height, width, 3), np.float32)
    tint[:] = base
    for _ in range(int(rng.integers(0, 6))):
        where = step(clouds(rng, width, height, side / 2.5, 2) - rng.uniform(0.7, 1.6), 0.1)[:, :, None]
        tint += where * (np.asarray(pick(rng, _COLOURS), np.float32) - tint) * 0.85
    lit = (0.3 + 0.8 * light(cv2.GaussianBlur(relief.astype(np.float32), (0, 0), 1.2)))[:, :, None]
    solid: NDArray[np.float32] = (ground + inside * (tint * lit - ground)).astype(np.float32)
    return solid


def neurons(rng: Rng, width: int, height: int) -> Image:
    """Reconstructed cells or vessels as coloured trees in faint volumes on white or black."""
    canvas = _ground(rng, width, height)
    side = min(width, height)
    for _ in range(int(rng.integers(0, 4))):
        volume = step(clouds(rng, width, height, side / 1.5, 2) - 0.7, 0.05)[:, :, None]
        canvas += volume * 0.35 * (np.asarray(pick(rng, _COLOURS), np.float32) - canvas)
    for _ in range(int(rng.integers(1, 8))):
        start = (rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height)
        cell = warp(rng, tree(rng, width, height, start, rng.uniform(0, 6.28), int(rng.integers(2, 5))), 0.05)
        canvas += cell[:, :, None] * (np.asarray(pick(rng, _COLOURS), np.float32) - canvas)
    return to_image(canvas)


def simulation(rng: Rng, width: int, height: int) -> Image:
    """A computed field on a body (stress, flow, dose) in rainbow colours, a colour bar beside it."""
    canvas = _ground(rng, width, height)
    side = min(width, height)
    bar = max(6, width // 22)
    body = _solid(rng, canvas[:, : width - 2 * bar].copy(), (255, 255, 255), False)
    inside = np.abs(body - canvas[:, : width - 2 * bar]).max(axis=2) > 6
    heat = false_colour(np.clip(0.5 + 0.3 * clouds(rng, width - 2 * bar, height, side / 2), 0, 1), "JET")
    canvas[:, : width - 2 * bar] = np.where(inside[:, :, None], heat * 0.9, canvas[:, : width - 2 * bar])
    ramp = np.tile(np.linspace(1, 0, max(2, height // 2), dtype=np.float32)[:, None], (1, bar))
    canvas[height // 4 : height // 4 + len(ramp), width - bar - 2 : width - 2] = false_colour(ramp, "JET")
    return to_image(canvas)


def bundles(rng: Rng, width: int, height: int) -> Image:
    """Many reconstructed neurites: coloured clouds of fine wandering lines in or without a faint volume, with names."""
    import cv2

    canvas = _ground(rng, width, height)
    dark = canvas[0, 0].sum() < 300
    side = min(width, height)
    if rng.random() < 0.6:
        x, y = _from_middle(width, height)
        wide, tall = rng.uniform(0.6, 0.95, 2)
        uneven = 0.1 * clouds(rng, width, height, side / 3)
        volume = step(1 - np.hypot(x / wide, y / tall) + uneven, 0.02)[:, :, None]
        canvas += volume * 0.5 * (np.asarray((70, 70, 70) if dark else (205, 205, 205), np.float32) - canvas)
    for _ in range(int(rng.integers(1, 8))):
        colour = np.asarray(pick(rng, _COLOURS), np.float64) * rng.uniform(0.7, 1.2)
        middle, spread = rng.uniform(0.25, 0.75, 2) * (width, height), side * rng.uniform(0.04, 0.2)
        drift = rng.uniform(0, 6.28)
        for _ in range(int(rng.integers(15, 120))):
            turns = drift + np.cumsum(rng.normal(0, 0.35, 16))
            steps = np.stack([np.cos(turns), np.sin(turns)], axis=1) * side / 22
            path = middle + rng.normal(0, spread, 2) + np.cumsum(steps, axis=0)
            cv2.polylines(canvas, [np.round(path).astype(np.int32)], False,
                          np.clip(colour * rng.uniform(0.7, 1.2), 0, 255).tolist(), 1, cv2.LINE_AA)
    image = to_image(canvas)
    for _ in range(int(rng.integers(0, 7))):
        at = (int(rng.uniform(0.05, 0.8) * width), int(rng.uniform(0.05, 0.9) * height))
        name = f"{pick(rng, ('LC', 'FB', 'MB', 'AL', 'PB', 'EB', 'LO'))}{int(rng.integers(1, 30))}"
        say(image, name, at, max(7, side // 20), (240, 240, 240) if dark else (20, 20, 20))
    return image


def _from_middle(width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    return x, y
