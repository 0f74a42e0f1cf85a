"""Scans with the disorder of real ones: bodies, heads and joints, ultrasound, nuclear medicine, angiography."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.imagery import (
    Field,
    Image,
    Modality,
    Rng,
    ellipse,
    grey,
    grid,
    lesion,
    noise,
    pick,
    to_image,
)
from pmcoa_build.figures.synth.texture import clouds, false_colour, grain, step, tree, warp


def worn(modality: Modality, rng: Rng, width: int, height: int) -> Image:
    """A picture of the modality as another patient and machine would give it: bent, blurred, grainy, another window."""
    import cv2

    image = modality.draw(modality.choose(rng), rng, width, height)
    image = warp(rng, image, float(rng.uniform(0.02, 0.09)))
    image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 1.5)))
    level = 255 * (np.arange(256) / 255) ** rng.uniform(0.6, 1.5)
    return grain(rng, cv2.LUT(image, level.astype(np.uint8)), float(rng.uniform(2, 10)))


def _finish(rng: Rng, picture: Field, bend: float = 0.04) -> Image:
    import cv2

    smooth = cv2.GaussianBlur(warp(rng, picture.astype(np.float32), bend), (0, 0), float(rng.uniform(0.4, 1.3)))
    window = np.clip((smooth - rng.uniform(-10, 20)) * rng.uniform(0.85, 1.3), 0, 255)
    return grain(rng, grey(window), float(rng.uniform(2, 9)))


def trunk(rng: Rng, width: int, height: int) -> Image:
    """An axial or coronal CT or MR slice of chest, abdomen or pelvis: skin, fat, organs, bowel gas, bones."""
    x, y = grid(width, height)
    wide, tall = width / min(width, height) * rng.uniform(0.8, 1.05), height / min(width, height) * rng.uniform(0.75, 1)
    body = ellipse(x, y, (0, 0), (wide, tall), 0.03)
    inner = ellipse(x, y, (0, -0.02), (wide * 0.87, tall * 0.84), 0.04)
    picture = body * (60 + 5 * clouds(rng, width, height, 8)) + inner * 55
    for _ in range(int(rng.integers(6, 14))):
        centre = (rng.uniform(-0.7, 0.7) * wide, rng.uniform(-0.65, 0.6) * tall)
        organ = lesion(rng, x, y, centre, rng.uniform(0.1, 0.42), pick(rng, ("round", "oval", "irregular"))) * inner
        picture += organ * (rng.uniform(90, 190) + 6 * clouds(rng, width, height, 10) - picture) * 0.9
    for _ in range(int(rng.integers(0, 7))):
        gas = lesion(rng, x, y, (rng.uniform(-0.6, 0.6) * wide, rng.uniform(-0.6, 0.2) * tall), rng.uniform(0.04, 0.2),
                     "irregular")
        picture += gas * inner * (6 - picture)
    if rng.random() < 0.35:
        for side in (-1, 1):
            lung = ellipse(x, y, (0.45 * side * wide, -0.05), (0.36 * wide, 0.6 * tall)) * inner
            vessels = step(clouds(rng, width, height, min(width, height) / 12) - 1.2, 0.3)
            picture += lung * (22 + 130 * vessels - picture)
    _bones(rng, picture, (x, y), (wide, tall))
    return _finish(rng, picture)


def _bones(rng: Rng, picture: Field, place: tuple[Field, Field], size: tuple[float, float]) -> None:
    """Spine and ribs of an axial slice, in place."""
    x, y = place
    wide, tall = size
    bright = rng.uniform(200, 255)
    spine = ellipse(x, y, (0, 0.58 * tall), (0.15, 0.14))
    picture += spine * (bright - 30 - picture) * 0.8
    picture += ellipse(x, y, (0, 0.76 * tall), (0.05, 0.07)) * (120 - picture)
    for turn in np.linspace(0.3, 2.84, 7):
        for side in (-1, 1):
            rib = ellipse(x, y, (side * wide * 0.88 * np.sin(turn), -tall * 0.85 * np.cos(turn)), (0.045, 0.07), 0.3)
            picture += rib * (bright - picture)


def head(rng: Rng, width: int, height: int) -> Image:
    """A slice of the head: folded cortex, ventricles, skull or scalp, perhaps a lesion or a hot overlay."""
    x, y = grid(width, height)
    t2, ct = rng.random() < 0.5, rng.random() < 0.3
    wide, tall = width / min(width, height) * 0.86, height / min(width, height) * 0.94
    tight = min(wide, tall * 0.86)
    rx, ry = (tight, min(tall, tight * 1.25)) if rng.random() < 0.8 else (wide, tall)
    reach = np.sqrt((x / rx) ** 2 + (y / ry) ** 2)
    unit = min(width, height) / 9
    folds = step(0.28 - np.abs(clouds(rng, width, height, unit, 2)), 0.3) * np.clip((reach - 0.35) * 3, 0, 1)
    brain = step(0.86 - reach, 0.04)
    tissue, fluid = (105, 45) if ct else (95, 225) if t2 else (145, 30)
    picture = brain * (tissue + 5 * clouds(rng, width, height, 8) + folds * (fluid - tissue) * (0.25 if ct else 0.75))
    for side in (-1, 1):
        horn = ellipse(x - 0.3 * side * y**2, y, (0.1 * side, rng.uniform(-0.1, 0.1)), (rng.uniform(0.04, 0.13), 0.28),
                       0.3)
        picture += horn * brain * (fluid - picture)
    skull = step(0.99 - reach, 0.03) - step(0.9 - reach, 0.03)
    picture += skull * ((250 if ct else 180 * rng.random()) - picture)
    if rng.random() < 0.5:
        spot = lesion(rng, x, y, (rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4)), rng.uniform(0.08, 0.3),
                      pick(rng, ("round", "irregular")))
        picture += spot * brain * (pick(rng, (235, 20, 170)) - picture) * 0.85
    image = _finish(rng, picture, 0.05)
    return _activated(rng, image, brain) if rng.random() < 0.2 else image


def _activated(rng: Rng, image: Image, where: Field) -> Image:
    """Hot blobs over a grey slice, as statistical maps and PET fusion show."""
    height, width = image.shape[:2]
    heat = np.clip(clouds(rng, width, height, min(width, height) / 5, 2) - rng.uniform(0.2, 1), 0, 1) * where
    colour = false_colour(0.35 + 0.6 * heat, pick(rng, ("HOT", "JET", "PLASMA")))
    cover = (np.clip(heat * 6, 0, 1) * rng.uniform(0.6, 1))[:, :, None]
    return to_image(image * (1 - cover) + colour * cover)


def profile(rng: Rng, width: int, height: int) -> Image:
    """A sagittal MR slice of spine or joint: bright marrow in dark cortex, muscles, fluid."""
    x, y = grid(width, height)
    picture = 70 + 18 * clouds(rng, width, height, min(width, height) / 5)
    wide, tall = width / min(width, height), height / min(width, height)
    if rng.random() < 0.5:
        for side, reach in ((-1, rng.uniform(0.1, 0.25)), (1, rng.uniform(0.1, 0.25))):
            uneven = 0.1 * noise(rng, width, height, 60)
            edge = np.abs(x) - 0.5 * wide * rng.uniform(0.7, 1.1) - 0.16 * y**2 + uneven
            end = side * y - 0.06 - reach * x**2
            bone = step(-edge, 0.05) * step(end, 0.05)
            rim = bone - step(-edge - 0.06, 0.05) * step(end - 0.05, 0.05)
            picture += bone * (185 + 8 * clouds(rng, width, height, 6) - picture) - rim * 150
    else:
        bend = rng.uniform(-0.3, 0.3) * np.cos(1.5 * y / tall) * wide
        pitch = rng.uniform(0.22, 0.4)
        disc = np.mod(y, pitch) / pitch
        column = step(0.2 - np.abs(x + bend), 0.05)
        picture += column * (np.where(disc < 0.76, 160, rng.uniform(30, 230)) - picture)
        canal = step(0.08 - np.abs(x + bend - 0.32), 0.04)
        picture += canal * (rng.choice([225, 60]) - picture) - 80 * step(0.03 - np.abs(x + bend - 0.32), 0.03)
    fade = np.clip(1.15 - 0.35 * np.hypot(x / wide, y / tall), 0, 1)
    return _finish(rng, picture * fade)


def sonogram(rng: Rng, width: int, height: int) -> Image:
    """Ultrasound: a fan or a rectangle of speckle in layers, cysts and solid lesions, perhaps Doppler colours."""
    x, y = grid(width, height)
    tall = height / min(width, height)
    layers = 60 + 45 * np.sin(y * rng.uniform(4, 14) + 1.2 * clouds(rng, width, height, min(width, height) / 2))
    speckle = np.abs(noise(rng, width, height, 2.2) + 1j * noise(rng, width, height, 2.2))
    picture = np.clip(layers, 15, None) * speckle * 0.8
    for _ in range(int(rng.integers(0, 4))):
        spot = lesion(rng, x, y, (rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.6) * tall), rng.uniform(0.12, 0.4),
                      pick(rng, ("oval", "irregular", "round")))
        picture = picture * (1 - spot * pick(rng, (0.95, 0.7, -0.8)))
    if rng.random() < 0.55:
        depth, angle = np.sqrt(x**2 + (y + tall + 0.3) ** 2), np.arctan2(x, y + tall + 0.3)
        picture = picture * ((np.abs(angle) < rng.uniform(0.5, 0.8)) & (depth > 0.4) & (depth < 2 * tall + 0.25))
    image = grain(rng, grey(picture.astype(np.float32)), 3)
    if rng.random() < 0.25:
        flow = clouds(rng, width, height, min(width, height) / 8)
        inside = ellipse(x, y, (rng.uniform(-0.3, 0.3), rng.uniform(-0.2, 0.3)), (0.5, 0.35),
                         0.02) * (np.abs(flow) > 0.7)
        image = np.where(inside[:, :, None] > 0.5, np.where(flow[:, :, None] > 0, (220, 60, 20), (30, 60, 220)),
                         image).astype(np.uint8)
    return image


def vessels(rng: Rng, width: int, height: int) -> Image:
    """Angiography: dark trees on grey, bright ones on black, or a maximum projection."""
    canvas = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        start = (rng.uniform(0.1, 0.9) * width, pick(rng, (0.0, height * 0.95)))
        canvas = np.maximum(canvas, tree(rng, width, height, start, 1.57 if start[1] == 0 else -1.57, 4))
    back = clouds(rng, width, height, min(width, height) / 2, 2)
    if rng.random() < 0.65:
        return _finish(rng, 150 + 22 * back - canvas * rng.uniform(80, 140), 0.03)
    return _finish(rng, 25 + 10 * back + canvas * 200, 0.03)


def skeleton(rng: Rng, width: int, height: int) -> Image:
    """Nuclear medicine: a whole body or an organ as dark on white, or in hot colours on black."""
    x, y = grid(width, height)
    tall = height / min(width, height)
    body = ellipse(x, y, (0, -0.78 * tall), (0.2, 0.16 * tall), 0.3)
    body = body + ellipse(x, y, (0, -0.2 * tall), (0.42, 0.42 * tall), 0.4)
    for side in (-1, 1):
        body = body + ellipse(x, y, (0.2 * side, 0.5 * tall), (0.13, 0.46 * tall),
                              0.4) + ellipse(x, y, (0.6 * side, -0.1 * tall), (0.09, 0.42 * tall), 0.4)
    heat = np.clip(body, 0, 1) * (0.3 + 0.08 * clouds(rng, width, height, 7))
    for _ in range(int(rng.integers(2, 9))):
        heat += ellipse(x, y, (rng.uniform(-0.35, 0.35), rng.uniform(-0.7, 0.5) * tall),
                        (rng.uniform(0.03, 0.12), rng.uniform(0.03, 0.12)), 0.8) * rng.uniform(0.3, 0.8)
    heat = np.clip(warp(rng, heat.astype(np.float32), 0.05) + 0.03 * noise(rng, width, height, 2), 0, 1)
    if rng.random() < 0.35:
        return false_colour(heat, pick(rng, ("HOT", "JET", "INFERNO")))
    return grey(255 - 250 * heat) if rng.random() < 0.8 else grey(heat * 250)


def film(rng: Rng, width: int, height: int) -> Image:
    """A radiograph of limbs, hand, pelvis or teeth: overlapping pale bones in grey flesh, metal now and then."""
    import cv2

    x, y = grid(width, height)
    flesh, bones = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    side, heading = min(width, height), rng.uniform(0, 3.14)
    for _ in range(int(rng.integers(1, 7))):
        turn = heading + rng.normal(0, 0.25)
        centre = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height])
        reach = np.array([np.cos(turn), np.sin(turn)]) * max(width, height) * rng.uniform(0.25, 0.7)
        ends = [tuple(int(v) for v in p) for p in (centre - reach, centre + reach)]
        thick = max(4, round(side * rng.uniform(0.06, 0.22)))
        around, bone = np.zeros((2, height, width), np.float32)
        cv2.line(around, ends[0], ends[1], 1.0, round(thick * 2.4), cv2.LINE_AA)
        cv2.line(bone, ends[0], ends[1], 1.0, thick, cv2.LINE_AA)
        for end in ends:
            cv2.circle(bone, end, round(thick * 0.8), 1.0, -1, cv2.LINE_AA)
        flesh += around * (0.75 + 0.25 * rng.random())
        bones += bone * (0.75 + 0.25 * rng.random())
    soft = cv2.GaussianBlur(flesh, (0, 0), side / 25)
    rim = bones - 0.45 * cv2.GaussianBlur(bones, (0, 0), side / 35)
    picture = 25 + 55 * np.clip(soft, 0, 1.4) + 150 * np.clip(rim, 0, 1.3) + 6 * clouds(rng, width, height, 9)
    if rng.random() < 0.3:
        metal = ellipse(x, y, (rng.uniform(-0.3, 0.3), 0), (rng.uniform(0.03, 0.1), rng.uniform(0.3, 0.8)), 0.05)
        picture += metal * (252 - picture)
    return _finish(rng, picture.astype(np.float32), 0.06)


def retina_layers(rng: Rng, width: int, height: int) -> Image:
    """Optical coherence tomography: speckled layers that dip or bulge on a dark ground."""
    x, y = grid(width, height)
    wide, tall = width / min(width, height), height / min(width, height)
    bend = 0.18 * np.exp(-((x / 0.35) ** 2)) * rng.uniform(-1.4, 1.4) + 0.1 * x / wide
    bend = bend + 0.1 * noise(rng, width, height, width / 3)
    depth = (y / tall + 0.45 - bend) / rng.uniform(0.6, 0.95)
    bands = np.select([(depth > a) & (depth < b) for a,
                       b in ((0, 0.12), (0.12, 0.3), (0.3, 0.42), (0.42, 0.62), (0.62, 0.72), (0.72, 1.2))],
                      [185, 110, 140, 70, 230, 100], 14)
    speckle = np.abs(noise(rng, width, height, 2) + 1j * noise(rng, width, height, 2)) * 0.55 + 0.3
    return grain(rng, grey((bands * np.clip(speckle, 0, 1.5)).astype(np.float32)), 6)
