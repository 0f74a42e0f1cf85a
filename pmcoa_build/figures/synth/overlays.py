"""Scans in colours: segmentations, statistical maps, fused PET, tinted films, vessel maps of the retina."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pmcoa_build.figures.synth import scans
from pmcoa_build.figures.synth.imagery import Field, Image, Rng, ellipse, grid, pick, to_image
from pmcoa_build.figures.synth.texture import borders, clouds, false_colour, grain, step, territories

_SLICES = (scans.head, scans.head, scans.trunk, scans.trunk, scans.profile, scans.film)
Draw = Callable[[Rng, int, int], Image]
_VIVID = np.array(
    (
        (220, 40, 40),
        (60, 190, 70),
        (60, 90, 230),
        (240, 210, 60),
        (60, 210, 220),
        (220, 70, 210),
        (245, 150, 40),
        (150, 90, 200),
        (250, 160, 180),
        (130, 220, 160),
        (250, 250, 250),
        (120, 70, 40),
    ),
    np.float32,
)


def _body(image: Image) -> Field:
    """Where the patient is: what is not black, closed and softened."""
    import cv2

    side = min(image.shape[:2])
    solid = cv2.GaussianBlur(image[:, :, 0].astype(np.float32), (0, 0), side / 40)
    return step(solid - 28, 12)


def _near(rng: Rng, draw: Draw, width: int, height: int) -> Image:
    """A slice, or the middle of a larger one, as those that only show the organ."""
    if rng.random() < 0.5:
        return draw(rng, width, height)
    share = rng.uniform(0.15, 0.6)
    more, higher = round(width * share), round(height * share)
    whole = draw(rng, width + more, height + higher)
    return np.ascontiguousarray(whole[higher // 2 :][:height, more // 2 :][:, :width])


def segmented(rng: Rng, width: int, height: int) -> Image:
    """A slice with its parts in flat colours, all over or here and there, opaque or clear, or only outlined."""
    import cv2

    image = _near(rng, pick(rng, _SLICES), width, height)
    side = min(width, height)
    labels, _ = territories(rng, width, height, int(np.exp(rng.uniform(np.log(4), np.log(70)))))
    if rng.random() < 0.6:  # by tissue: levels of the slice itself
        smooth = cv2.GaussianBlur(image[:, :, 0].astype(np.float32), (0, 0), rng.uniform(0.8, 2.5))
        labels = labels % 3 * 8 + np.digitize(smooth, np.sort(rng.uniform(30, 235, 3)))
    palette = _VIVID[rng.permutation(len(_VIVID))]
    shown = rng.random(64) < rng.uniform(0.25, 1)
    where = _body(image) * shown[labels % 64] * step(clouds(rng, width, height, side / 2) + rng.uniform(-0.3, 2), 0.05)
    if rng.random() < 0.15:
        where = where * cv2.dilate(borders(labels), np.ones((2, 2), np.uint8))
    cover = (where * pick(rng, (1.0, 1.0, 0.75, 0.5, 0.3)))[:, :, None]
    return to_image((image * (1 - cover) + palette[labels % len(palette)] * cover).astype(np.float32))


def mapped(rng: Rng, width: int, height: int) -> Image:
    """A statistical, perfusion or uptake map in false colours: all over the body, or its hottest parts on grey."""
    image = _near(rng, pick(rng, _SLICES[:4]), width, height)
    heat = 0.25 * clouds(rng, width, height, min(width, height) / rng.uniform(2, 9), 3)
    heat = heat + image[:, :, 0] / 255 * rng.uniform(0, 0.6)
    heat = np.clip(heat + rng.uniform(0, 0.5), 0, 1).astype(np.float32)
    body = _body(image)
    if rng.random() < 0.5:
        body = body * step(heat - rng.uniform(0.3, 0.75), 0.05)
    cover = (body * rng.uniform(0.6, 1))[:, :, None]
    colours = false_colour(heat, pick(rng, ("JET", "HOT", "INFERNO", "PLASMA", "RAINBOW", "BONE", "VIRIDIS")))
    return to_image((image * (1 - cover) + colours * cover).astype(np.float32))


def tinted(rng: Rng, width: int, height: int) -> Image:
    """A film photographed on its light box, or a scan printed in one hue."""
    image = pick(rng, (scans.film, scans.film, scans.trunk, scans.sonogram, scans.vessels, scans.head))(
        rng, width, height
    )
    level = image[:, :, :1].astype(np.float32) / 255
    dark, pale = pick(
        rng,
        (
            ((10, 25, 60), (225, 245, 255)),
            ((45, 25, 10), (255, 235, 205)),
            ((0, 30, 35), (220, 255, 250)),
            ((25, 0, 0), (255, 140, 110)),
            ((70, 5, 5), (255, 250, 245)),
            ((25, 30, 45), (200, 215, 240)),
        ),
    )
    film = grain(rng, np.asarray(dark, np.float32) * (1 - level) + np.asarray(pale, np.float32) * level, 3)
    if rng.random() < 0.3:  # on its box of white light
        rim = max(2, round(min(width, height) * rng.uniform(0.02, 0.1)))
        film[:rim], film[-rim:], film[:, :rim], film[:, -rim:] = (rng.integers(225, 256),) * 4
    return film


def retina_vessels(rng: Rng, width: int, height: int) -> Image:
    """Angiography by coherence tomography: a mesh of fine vessels, grey or in one hue, about a dark spot."""
    x, y = grid(width, height)
    side = min(width, height)
    mesh = np.max(
        [
            step(0.12 - np.abs(clouds(rng, width, height, side / scale, 2)), 0.2) * level
            for scale, level in ((4, 1.0), (10, 0.8), (22, 0.7), (22, 0.6))
        ],
        axis=0,
    )
    mesh = mesh * (1 - ellipse(x, y, (rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2)), (0.22, 0.2), 0.4))
    if rng.random() < 0.35:
        mesh = mesh * ellipse(x, y, (0, 0), (0.98, 0.98), 0.03)
    hue = np.asarray(
        pick(rng, ((255, 255, 255), (255, 255, 255), (255, 130, 80), (240, 60, 50), (150, 220, 255))), np.float32
    )
    return grain(rng, (12 + mesh * rng.uniform(150, 235))[:, :, None] * hue / 255, 6)
