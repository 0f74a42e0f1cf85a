"""Cells and what is in them: fluorescence by channel, cultures in white light, electron micrographs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.figures.synth.imagery import Field, Image, Rng, grey, noise, paint, pick, plain, to_image
from pmcoa_build.figures.synth.texture import (
    borders,
    clouds,
    false_colour,
    grain,
    light,
    specks,
    step,
    territories,
    tree,
    warp,
)

CHANNELS: tuple[tuple[int, int, int], ...] = ((40, 240, 60), (240, 40, 40), (60, 90, 255), (240, 50, 240),
                                              (60, 230, 240), (250, 240, 60), (255, 255, 255))


def scene(rng: Rng, width: int, height: int) -> list[Field]:
    """Two to four channels (0 to 1) of one field of view; the first shows nuclei."""
    side = min(width, height)
    unit = side * float(np.exp(rng.uniform(np.log(0.03), np.log(0.3))))
    count = max(2, round(width * height / unit**2 / 1.6))
    labels, reach = territories(rng, width, height, count)
    full = np.ones((height, width), np.float32)
    body = step(np.float32(rng.uniform(0.4, 0.75)) - reach - 0.06 * clouds(rng, width, height, unit / 2), 0.25)
    body *= (rng.random(count + 2)[np.clip(labels, 0, count + 1)] < rng.uniform(0.6, 1)).astype(np.float32)
    core = step(np.float32(rng.uniform(0.16, 0.26)) - reach, 0.06) * (body > 0)
    nuclei = core * (0.75 + 0.15 * clouds(rng, width, height, unit / 5))
    if unit <= 9:
        nuclei = specks(rng, width, height, full, unit / 3, count)
    makers: dict[str, Callable[[], Field]] = {
        "cytoplasm": lambda: body * (0.5 + 0.2 * clouds(rng, width, height, unit / 3)) * (1 - 0.5 * core),
        "puncta": lambda: specks(rng, width, height, body * 0.9, max(0.6, unit / 30),
                                 round(count * rng.uniform(6, 40))),
        "membrane": lambda: borders(labels) * 0.9 + body * 0.12,
        "filaments": lambda: step(0.2 - np.abs(clouds(rng, width, height, unit / 2)), 0.3) * body * 0.8,
        "sparse": lambda: specks(rng, width, height, full * 0.3, max(1, unit / 4), max(3, count // 2)),
        "neurons": lambda: _processes(rng, width, height) * 0.8,
        "network": lambda: step(0.16 - np.abs(clouds(rng, width, height, unit)), 0.2),
    }
    names = rng.permutation(list(makers))[: int(rng.integers(1, 4))]
    return [nuclei, *(np.asarray(makers[str(name)](), np.float32) for name in names)]


def _processes(rng: Rng, width: int, height: int) -> Field:
    starts = rng.uniform(0, 1, (3, 2)) * (width, height)
    trees = [tree(rng, width, height, (x, y), rng.uniform(0, 6.28), 2) for x, y in starts]
    return np.maximum(np.maximum(trees[0], trees[1]), trees[2])


def show(rng: Rng, channels: list[Field], colours: list[tuple[int, int, int]]) -> Image:
    """Channels added up in their colours, blurred as a microscope does, with noise."""
    import cv2

    height, width = channels[0].shape
    canvas = np.zeros((height, width, 3), np.float32)
    for field, colour in zip(channels, colours, strict=True):
        canvas += field[:, :, None] * np.asarray(colour, np.float32)
    blurred = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.4, 1.6)))
    haze = cv2.GaussianBlur(canvas, (0, 0), min(width, height) / 14) * 0.18
    return grain(rng, blurred + haze, float(rng.uniform(1, 7)))


def fluorescence(rng: Rng, width: int, height: int) -> Image:
    """One channel, in its colour or grey, or several merged."""
    channels = scene(rng, width, height)
    if rng.random() < 0.35:
        return show(rng, [channels[-1]], [pick(rng, CHANNELS)])
    others = rng.permutation(len(CHANNELS) - 1)[: len(channels) - 1]
    colours = [(60, 90, 255), *(CHANNELS[int(i)] for i in others)]
    return show(rng, channels, colours)


def culture(rng: Rng, width: int, height: int) -> Image:
    """Cells in phase contrast or bright field: grey or faintly tinted, haloed."""
    import cv2

    side = min(width, height)
    unit = side * rng.uniform(0.03, 0.15)
    _, reach = territories(rng, width, height, max(3, round(width * height / unit**2 * rng.uniform(0.2, 0.8))))
    body = step(np.float32(0.3) - reach - 0.09 * clouds(rng, width, height, unit), 0.12)
    halo = np.clip(cv2.GaussianBlur(body, (0, 0), unit / 9) - body * 0.55, 0, 1)
    uneven = 9 * clouds(rng, width, height, unit / 3) + 8 * noise(rng, width, height, side / 2)
    picture = 140 + 110 * halo - 35 * body + uneven
    tint = np.asarray(pick(rng, ((1, 1, 1), (1, 1, 1), (1, 0.98, 0.88), (0.9, 0.97, 1))), np.float32)
    return grain(rng, picture[:, :, None] * tint, 3)


def violet_culture(rng: Rng, width: int, height: int) -> Image:
    """Migrated or invaded cells in crystal violet on a pale membrane, or a scratch between two fronts."""
    side = min(width, height)
    unit = side * rng.uniform(0.02, 0.06)
    canvas = plain(width, height, pick(rng, ((236, 234, 238), (215, 218, 225), (240, 238, 230))))
    chance = np.full((height, width), rng.uniform(0.15, 0.9), np.float32)
    if rng.random() < 0.3:
        x = np.abs(np.linspace(-1, 1, width, dtype=np.float32))[None, :] + 0.06 * noise(rng, width, height, side / 8)
        chance = step(x - rng.uniform(0.15, 0.5), 0.05)
    stain = specks(rng, width, height, chance, unit * 0.7, round(width * height / unit**2))
    paint(canvas, warp(rng, stain, 0.02) * 0.85, pick(rng, ((85, 50, 140), (50, 60, 150), (110, 40, 120))))
    return grain(rng, canvas, 3)


def transmission(rng: Rng, width: int, height: int) -> Image:
    """A transmission electron micrograph: membranes between processes, dark mitochondria, vesicles, grain."""
    import cv2

    side = min(width, height)
    unit = side * float(np.exp(rng.uniform(np.log(0.06), np.log(0.5))))
    labels, _ = territories(rng, width, height, max(3, round(width * height / unit**2)))
    membrane = cv2.GaussianBlur(cv2.dilate(borders(labels), np.ones((2, 2), np.uint8)), (0, 0), 0.9)
    levels = rng.uniform(150, 215, int(labels.max()) + 1).astype(np.float32)
    picture = levels[labels] + 10 * clouds(rng, width, height, 6)
    full = np.ones((height, width), np.float32)
    organelles = specks(rng, width, height, full * 0.5, unit / 5, max(3, round(width * height / unit**2 * 1.2)))
    along = np.arange(width, dtype=np.float32)[None, :] / max(unit / 40, 0.8)
    stripes = 0.75 + 0.25 * np.sin(along + 2 * noise(rng, width, height, unit))
    picture += (step(organelles - 0.3) * stripes) * (85 - picture) * 0.9
    vesicles = specks(rng, width, height, step(clouds(rng, width, height, unit) - 0.9), max(1, unit / 25), 400)
    picture += vesicles * (95 - picture) * 0.6 - membrane * 140
    if rng.random() < 0.12:
        return _segmented(rng, grey(picture), labels)
    return grain(rng, grey(warp(rng, picture.astype(np.float32), 0.06)), float(rng.uniform(5, 14)))


def _segmented(rng: Rng, image: Image, labels: NDArray[np.int32]) -> Image:
    """Every process in a colour of its own over the micrograph."""
    colours = rng.uniform(40, 255, (int(labels.max()) + 2, 3))[labels]
    return to_image((0.45 * image + 0.55 * colours).astype(np.float32))


def scanning(rng: Rng, width: int, height: int) -> Image:
    """A scanning electron micrograph: lit relief of grains, fibres or a rough ground; often a strip of data below."""
    side = min(width, height)
    sort = pick(rng, ("grains", "fibres", "rough", "spheres"))
    if sort == "rough":
        relief = clouds(rng, width, height, side / 4, 5) * side / 18
    elif sort == "fibres":
        relief = np.max([(1 - np.abs(clouds(rng, width, height, side / 3, 2)) * 6).clip(0) for _ in range(4)],
                        axis=0) * side / 14
    else:
        labels, reach = territories(rng, width, height, int(rng.integers(15, 160)))
        round_off = 0.5 if sort == "spheres" else 0.8
        relief = np.sqrt(np.clip(round_off - reach, 0, None)) * side / 7 + labels % 7 * 0.3
    picture = light(relief.astype(np.float32)) * 190 + 25 + 8 * clouds(rng, width, height, 4)
    image = grain(rng, grey(picture.astype(np.float32)), 7)
    if rng.random() < 0.3:
        image[-max(10, height // 12) :] = pick(rng, (0, 20, 235))
    return image


def calcium_map(rng: Rng, width: int, height: int) -> Image:
    """Activity, lifetime or intensity of a field of view in false colours."""
    channel = scene(rng, width, height)[-1]
    return false_colour(np.clip(channel + 0.1 * clouds(rng, width, height, 20), 0, 1),
                        pick(rng, ("JET", "HOT", "VIRIDIS", "INFERNO")))
