"""Pictures of electron and force microscopes as materials science and cell biology print them, with their data bars."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.imagery import Field, Image, Rng, grey, noise, pick, to_image
from pmcoa_build.figures.synth.text import extent, write
from pmcoa_build.figures.synth.texture import borders, clouds, grain, light, specks, step, territories, tree, warp

_INSTRUMENTS = (
    "SEM HV: 20.0 kV",
    "15.0kV 8.2mm x10.0k SE(M)",
    "EHT = 5.00 kV",
    "Det: SE",
    "SEI 10.0kV X5,000",
    "WD 11.3mm",
    "Mag = 20.00 K X",
    "HV 80.0kV",
    "Signal A = InLens",
    "x50,000",
)


def data_bar(rng: Rng, image: Image, strip: float = 0.45) -> Image:
    """A scale bar, and by the chance `strip` under it the settings that an electron microscope prints; in place."""
    height, width = image.shape[:2]
    size = int(np.clip(height * 0.05, 6, 16))
    words = f"{pick(rng, (1, 2, 5, 10, 20, 50, 100, 200, 500))} {pick(rng, ('µm', 'nm', 'um'))}"
    ink = (255, 255, 255)
    if rng.random() < strip:
        ground = pick(rng, (0, 0, 20, 235))
        ink = (255, 255, 255) if ground < 128 else (0, 0, 0)
        image[height - size * 2 :] = ground
        write(image, pick(rng, _INSTRUMENTS), (4, height - size - size // 2), size=size, colour=ink)
    right, base = width - round(width * rng.uniform(0.02, 0.08)), height - max(3, size // 2)
    long = round(width * rng.uniform(0.1, 0.3))
    image[base - max(1, size // 4) : base, max(0, right - long) : right] = ink
    wide = extent(words, "sans-bold", size)[2]
    write(
        image,
        words,
        (max(0, right - (long + wide) // 2), base - size - size // 2),
        size=size,
        face="sans-bold",
        colour=ink,
    )
    return image


def _lit(rng: Rng, relief: Field, level: Field | float = 1.0) -> Image:
    """A relief (pixels) as secondary electrons show it: lit, its slopes and ridges bright, hollows black."""
    import cv2

    height, width = relief.shape
    side = min(width, height)
    slope = np.hypot(cv2.Sobel(relief, cv2.CV_32F, 1, 0), cv2.Sobel(relief, cv2.CV_32F, 0, 1)) / 8
    hollow = relief - cv2.GaussianBlur(relief, (0, 0), side / 12)
    hollow = hollow / (hollow.std() + 1e-3)
    picture = 60 + 75 * light(relief) + 75 * np.clip(slope, 0, 1.2) + rng.uniform(15, 40) * np.clip(hollow, -2.5, 1.5)
    smooth = cv2.GaussianBlur(
        (picture * level * rng.uniform(0.7, 1.15)).astype(np.float32), (0, 0), rng.uniform(0.4, 1.2)
    )
    return grain(rng, grey(smooth), rng.uniform(3, 11))


def _heap(rng: Rng, width: int, height: int, shape: str) -> tuple[Field, Field]:
    """(relief, level) of bodies of a shape heaped on a dark ground: balls, rods or slabs with flat faces."""
    import cv2

    side = min(width, height)
    unit = side * float(np.exp(rng.uniform(np.log(0.04), np.log(0.28))))
    relief = np.zeros((height, width), np.float32)
    level = np.full((height, width), rng.uniform(0.15, 0.7), np.float32)
    count = int(np.clip(width * height / unit**2 * rng.uniform(0.8, 2.2), 3, 260))
    long = 1.0 if shape == "balls" else rng.uniform(2.5, 7) if shape == "rods" else rng.uniform(0.6, 1)
    clustered = rng.random() < 0.4
    for i in range(count):
        size = unit * rng.uniform(0.35, 0.65)
        spread = side * 0.22 if clustered else width
        at = (
            (rng.normal(width / 2, spread), rng.normal(height / 2, spread))
            if clustered
            else (rng.uniform(0, width), rng.uniform(0, height))
        )
        reach = int(size * long + 2)
        x0, y0 = int(at[0]) - reach, int(at[1]) - reach
        left, top, right, bottom = max(x0, 0), max(y0, 0), min(x0 + 2 * reach, width), min(y0 + 2 * reach, height)
        if right - left < 3 or bottom - top < 3:
            continue
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        turn = rng.uniform(0, 3.14)
        u = ((x - at[0]) * np.cos(turn) + (y - at[1]) * np.sin(turn)) / (size * long)
        v = ((y - at[1]) * np.cos(turn) - (x - at[0]) * np.sin(turn)) / size
        bulk = (
            1 - np.maximum(u, 0) ** 4 - v**2 - np.maximum(-u, 0) ** 4
            if shape != "slabs"
            else (1 - np.maximum(np.abs(u), np.maximum(np.abs(v), np.abs(u + v) * rng.uniform(0.6, 0.8))) ** 1.0)
        )
        body = np.sqrt(np.clip(bulk, 0, 1)) * size * (0.9 if shape != "slabs" else 0.5)
        here = bulk > 0
        base = size * 0.4 * i / count * 3
        relief[top:bottom, left:right] = np.where(here, base + body, relief[top:bottom, left:right])
        level[top:bottom, left:right] = np.where(here, rng.uniform(0.75, 1.15), level[top:bottom, left:right])
    rough = clouds(rng, width, height, max(3, unit / 3)) * unit * rng.uniform(0, 0.06)
    return relief + rough, cv2.GaussianBlur(level, (0, 0), 0.8)


def particles(rng: Rng, width: int, height: int) -> Image:
    """Scanning: heaps of balls, rods or crystals, singly or clustered, on a dark stub."""
    return data_bar(rng, _lit(rng, *_heap(rng, width, height, pick(rng, ("balls", "balls", "rods", "slabs")))))


def rough_ground(rng: Rng, width: int, height: int) -> Image:
    """Scanning: a porous, cracked, flaky or rough surface."""
    side = min(width, height)
    unit = side * float(np.exp(rng.uniform(np.log(0.06), np.log(0.4))))
    ridged = np.max([1.2 - np.abs(clouds(rng, width, height, unit, 4)) for _ in range(int(rng.integers(1, 4)))], axis=0)
    relief = ridged * unit * rng.uniform(0.15, 0.6) + clouds(rng, width, height, unit / 6, 4) * unit * 0.03
    if rng.random() < 0.4:
        pores = specks(
            rng, width, height, np.ones((height, width), np.float32), unit / 4, round(width * height / unit**2 * 3)
        )
        relief -= pores * unit * 0.8
    return data_bar(rng, _lit(rng, np.asarray(relief, np.float32)))


def fibres(rng: Rng, width: int, height: int) -> Image:
    """Scanning: threads, filaments or the processes of a cell, one over the other, on a dark or rough ground."""
    import cv2

    side = min(width, height)
    thick = side * float(np.exp(rng.uniform(np.log(0.008), np.log(0.07))))
    relief = clouds(rng, width, height, side / 5) * thick * rng.uniform(0, 0.3)
    level = np.full((height, width), rng.uniform(0.1, 0.5), np.float32)
    for i in range(int(rng.integers(12, 70))):
        mask = np.zeros((height, width), np.uint8)
        turn = rng.uniform(0, 6.28) + np.cumsum(rng.normal(0, rng.uniform(0.02, 0.3), 24))
        path = (
            rng.uniform(0, 1, 2) * (width, height)
            + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1), axis=0) * side / 12
        )
        wide = max(1, round(thick * rng.uniform(0.5, 1.2)))
        cv2.polylines(mask, [np.round(path).astype(np.int32)], False, 255, wide, cv2.LINE_AA)
        round_off = np.sqrt(cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3) * wide)
        relief = np.where(mask > 127, round_off + i * thick / 30, relief)
        level = np.where(mask > 127, rng.uniform(0.8, 1.2), level)
    return data_bar(rng, _lit(rng, relief.astype(np.float32), level.astype(np.float32)))


def ultrastructure(rng: Rng, width: int, height: int) -> Image:
    """Transmission: cells cut thin, with nuclei, striped mitochondria, double membranes, dark granules, white gaps."""
    import cv2

    side = min(width, height)
    unit = side * float(np.exp(rng.uniform(np.log(0.12), np.log(0.6))))
    labels, reach = territories(rng, width, height, max(2, round(width * height / unit**2)))
    fluid = rng.uniform(140, 235)
    picture = fluid + rng.uniform(5, 16) * clouds(rng, width, height, side / 40, 3)
    gap = step(reach - rng.uniform(0.3, 0.9), 0.05)
    picture += gap * (rng.uniform(215, 255) - picture)
    outline = cv2.GaussianBlur(cv2.dilate(borders(labels), np.ones((2, 2), np.uint8)), (0, 0), 0.8)
    picture -= (outline + borders((gap > 0.5).astype(np.int32))) * rng.uniform(60, 150)
    for _ in range(int(rng.integers(2, 22))):
        _organelle(rng, picture, unit)
    full = np.ones((height, width), np.float32)
    granules = specks(
        rng,
        width,
        height,
        full * rng.uniform(0, 0.4),
        max(1, unit / rng.uniform(12, 50)),
        round(width * height / unit**2 * 25),
    )
    picture += granules * (rng.uniform(10, 90) - picture) * rng.uniform(0.5, 1)
    window = (warp(rng, picture.astype(np.float32), rng.uniform(0.02, 0.1)) - 128) * rng.uniform(
        0.7, 1.4
    ) + rng.uniform(100, 150)
    return data_bar(rng, grain(rng, grey(window), rng.uniform(3, 12)))


def _organelle(rng: Rng, picture: Field, unit: float) -> None:
    """One round or long body with a dark rim, striped, dark, pale or mottled inside, in place."""
    height, width = picture.shape
    radius, long = unit * rng.uniform(0.08, 0.4), rng.uniform(1, 2.6)
    at, turn = rng.uniform(0, 1, 2) * (width, height), rng.uniform(0, 3.14)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u = ((x - at[0]) * np.cos(turn) + (y - at[1]) * np.sin(turn)) / (radius * long)
    v = ((y - at[1]) * np.cos(turn) - (x - at[0]) * np.sin(turn)) / radius
    out = np.hypot(u, v)
    inside, soft = step(1 - out, 2 / radius), max(1.5 / radius, 0.04)
    sort = pick(rng, ("stripes", "dark", "pale", "mottled"))
    if sort == "stripes":
        fill = 105 + 55 * np.sign(np.sin(u * long * rng.uniform(6, 16) + 1.5 * np.sin(v * 3)))
    else:
        fill = np.full_like(picture, {"dark": rng.uniform(15, 70), "pale": rng.uniform(190, 245), "mottled": 140}[sort])
        fill += (38 if sort == "mottled" else 6) * clouds(rng, width, height, max(2, radius / 4))
    picture += inside * (fill - picture) * rng.uniform(0.6, 1)
    rim = np.exp(-(((out - 1) / soft) ** 2))
    picture -= rim * rng.uniform(50, 130)


def nanoparticles(rng: Rng, width: int, height: int) -> Image:
    """Transmission: dark dots, balls or chains on a pale film, bright ones on black, or lattice fringes."""
    import cv2

    side = min(width, height)
    radius = side * float(np.exp(rng.uniform(np.log(0.01), np.log(0.16))))
    place = step(clouds(rng, width, height, side / 3) - rng.uniform(-1.5, 1), 0.4)
    dots = specks(
        rng, width, height, place, radius, int(np.clip(width * height / radius**2 * rng.uniform(0.02, 0.4), 2, 900))
    )
    dots = cv2.GaussianBlur(dots, (0, 0), max(0.6, radius * rng.uniform(0.05, 0.5)))
    film = rng.uniform(4, 16) * clouds(rng, width, height, rng.uniform(2, side / 6), 3)
    if rng.random() < 0.3:
        y, x = np.mgrid[:height, :width].astype(np.float32)
        turn = rng.uniform(0, 3.14, 2)[(dots > 0.4).astype(int)]
        film = film + rng.uniform(15, 40) * np.sin((x * np.cos(turn) + y * np.sin(turn)) * 6.28 / rng.uniform(3, 9))
    if rng.random() < 0.4:
        picture = rng.uniform(5, 60) + dots * rng.uniform(110, 220) + film * rng.uniform(0.2, 1)
    else:
        picture = rng.uniform(140, 225) - dots * rng.uniform(70, 190) + film
    return data_bar(rng, grain(rng, grey(picture.astype(np.float32)), rng.uniform(3, 16)))


def force_map(rng: Rng, width: int, height: int) -> Image:
    """Atomic force or light-sheet pictures in one hue: bumps and grains from black over colour to white."""
    relief, _ = (
        _heap(rng, width, height, "balls")
        if rng.random() < 0.5
        else (clouds(rng, width, height, min(width, height) / rng.uniform(4, 20), 3), 0)
    )
    level = (relief - relief.min()) / (np.ptp(relief) + 1e-3)
    ramp = np.asarray(pick(rng, ((255, 150, 40), (240, 120, 20), (255, 210, 120), (90, 200, 255), (120, 255, 120))))
    heat = np.clip(level * rng.uniform(1, 1.8), 0, 2)[:, :, None]
    picture = np.where(heat < 1, ramp * heat, ramp + (255 - ramp) * (heat - 1))
    return data_bar(rng, grain(rng, picture, rng.uniform(2, 8)), 0)


def metal(rng: Rng, width: int, height: int) -> Image:
    """A polished section of metal or rock in reflected or polarised light: angular grains, dark seams, pores."""
    import cv2

    side = min(width, height)
    labels, _ = territories(rng, width, height, int(np.exp(rng.uniform(np.log(20), np.log(600)))))
    base = np.asarray(pick(rng, ((150, 110, 85), (175, 165, 150), (140, 140, 140), (190, 150, 120), (120, 100, 90))))
    light_of = rng.normal(0, rng.uniform(5, 40), int(labels.max()) + 1).astype(np.float32)[labels]
    picture = base + light_of[:, :, None] + 10 * clouds(rng, width, height, side / 30)[:, :, None]
    picture -= cv2.dilate(borders(labels), np.ones((2, 2), np.uint8))[:, :, None] * rng.uniform(20, 110)
    bits = step(clouds(rng, width, height, side / rng.uniform(8, 30), 3) - rng.uniform(0.5, 1.8), 0.2)[:, :, None]
    picture += bits * (np.asarray(pick(rng, ((40, 30, 30), (235, 230, 225), (90, 60, 40)))) - picture)
    return data_bar(rng, grain(rng, warp(rng, picture.astype(np.float32), 0.04), 6), 0)


def spread_cells(rng: Rng, width: int, height: int) -> Image:
    """Living cells in phase contrast: spindles with bright halos, in a layer, apart, or round a scratch."""
    import cv2

    side = min(width, height)
    chance = np.full((height, width), rng.uniform(0.1, 0.9), np.float32)
    if rng.random() < 0.45:
        across = np.abs(np.linspace(-1, 1, width, dtype=np.float32))[None, :] + 0.05 * noise(
            rng, width, height, side / 9
        )
        chance = chance * step(across - rng.uniform(0.12, 0.5), 0.03)
    unit = side * float(np.exp(rng.uniform(np.log(0.012), np.log(0.06))))
    bodies = specks(rng, width, height, chance, unit, round(width * height / unit**2 / 2))
    if rng.random() < 0.3:
        bodies = np.maximum(bodies, tree(rng, width, height, (width / 2, height / 2), rng.uniform(0, 6.28), 2))
    bodies = warp(rng, bodies, 0.05)
    halo = np.clip(cv2.GaussianBlur(bodies, (0, 0), unit / 3) * 1.6 - bodies, -0.7, 1)
    picture = (
        rng.uniform(85, 165) + rng.uniform(50, 130) * halo + rng.uniform(3, 10) * clouds(rng, width, height, unit / 2)
    )
    tint = np.asarray(pick(rng, ((1, 1, 1), (1, 1, 1), (1, 0.98, 0.9), (0.93, 0.98, 1))), np.float32)
    return data_bar(rng, grain(rng, to_image(picture[:, :, None] * tint), rng.uniform(2, 7)), 0)


def metaphase(rng: Rng, width: int, height: int) -> Image:
    """A spread of chromosomes: short bent rods and crosses in violet or grey on a pale ground, apart or in a heap."""
    import cv2

    side = min(width, height)
    ground = np.asarray(pick(rng, ((238, 236, 242), (250, 250, 252), (225, 225, 228), (235, 238, 225))), np.float32)
    dye = np.asarray(pick(rng, ((95, 60, 150), (60, 45, 120), (40, 40, 45), (130, 60, 140))), np.float32)
    mask = np.zeros((height, width), np.uint8)
    thick = max(2, round(side * rng.uniform(0.012, 0.035)))
    for _ in range(int(rng.integers(16, 70))):
        at = rng.normal(0.5, 0.19, 2) * (width, height)
        turn = rng.uniform(0, 6.28) + np.cumsum(rng.normal(0, 0.35, 5))
        path = at + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1), axis=0) * thick * rng.uniform(0.4, 1.1)
        pair = thick * rng.uniform(0.5, 1)
        for off in (0, pair):
            shifted = np.round(path + np.array((off, off / 2))).astype(np.int32)
            cv2.polylines(mask, [shifted], False, 255, thick, cv2.LINE_AA)
    cover = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), rng.uniform(0.6, 1.6))
    cover = (cover * (0.8 + 0.12 * clouds(rng, width, height, thick * 2)))[:, :, None]
    uneven = 3 * clouds(rng, width, height, side / 3)[:, :, None]
    return grain(rng, ground + uneven + cover * (dye - ground), rng.uniform(1, 4))
