"""Sections of tissue in the stains of pathology: glands, sheets, fibres, fat, low and high magnification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.figures.synth.imagery import Field, Image, Rng, noise, paint, pick, plain
from pmcoa_build.figures.synth.texture import borders, clouds, grain, specks, step, territories, warp

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Stain:
    """Colours of ground, fibres, nuclei, and of what is marked (None: nothing is)."""

    ground: Colour
    fibre: Colour
    nuclei: Colour
    mark: Colour | None = None


HE = (Stain((232, 176, 205), (214, 120, 170), (92, 60, 140)), Stain((240, 200, 215), (225, 140, 165), (70, 50, 120)),
      Stain((220, 150, 190), (190, 90, 150), (80, 40, 120)), Stain((245, 195, 195), (230, 130, 140), (100, 70, 150)))
IHC = (Stain((228, 230, 240), (205, 212, 230), (120, 135, 185), (120, 70, 30)),
       Stain((240, 236, 230), (222, 214, 205), (130, 145, 190), (150, 90, 40)),
       Stain((235, 235, 240), (215, 220, 230), (90, 110, 170), (180, 40, 40)))
SPECIAL = (Stain((205, 110, 120), (70, 110, 190), (60, 30, 60)), Stain((235, 215, 235), (200, 70, 150), (90, 80, 150)),
           Stain((245, 235, 190), (190, 30, 50), (120, 60, 40)), Stain((200, 210, 240), (150, 165, 215), (50, 60, 150)),
           Stain((240, 235, 240), (225, 215, 225), (110, 110, 160), (200, 30, 30)),
           Stain((235, 240, 240), (215, 225, 230), (150, 160, 180), (40, 90, 190)))


def _architecture(rng: Rng, width: int, height: int, unit: float) -> tuple[Field, Field, Field]:
    """(fibres, empty lumina, chance of nuclei), each 0 to 1, of one sort of tissue."""
    sort = pick(rng, ("glands", "sheet", "fibres", "fat", "islands", "crypts", "layers"))
    broad = clouds(rng, width, height, unit * 9)
    if sort == "glands":
        field = clouds(rng, width, height, unit * 7, 2)
        lumen = step(field - 0.9, 0.15)
        return step(-field - 0.3, 0.8), lumen, np.clip(np.exp(-((field - 0.55) ** 2) * 9) + 0.12, 0, 1) * (1 - lumen)
    if sort in ("fat", "crypts"):
        _, reach = territories(rng, width, height, max(6, round(width * height / (unit * 6) ** 2)))
        wall = 1 - step(reach - 0.62, 0.2) if sort == "crypts" else step(reach - 0.55, 0.3)
        lumen = 1 - step(reach - (0.3 if sort == "crypts" else 0.52), 0.1)
        return wall, lumen if sort == "fat" or rng.random() < 0.7 else lumen * 0, np.clip(reach * 1.6 - 0.4, 0, 1)
    if sort == "fibres":
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        turn = rng.uniform(0, 3.14)
        wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) / (unit * 0.45) + 3 * clouds(rng, width, height, unit * 8))
        return step(wave.astype(np.float32), 0.8), step(broad - 1.9), np.full((height, width), 0.3, np.float32)
    if sort == "layers":
        y = np.linspace(-1.2, 1.2, height, dtype=np.float32)[:, None] + 0.25 * broad
        chance = np.clip(np.exp(-((y + 0.5) ** 2) * 14) + 0.15, 0, 1) * step(y + 1.0)
        return step(np.sin(y * 4) - 0.1, 0.6), step(-y - 1.0, 0.1), chance
    dense = step(broad - (0.2 if sort == "islands" else -0.8), 0.25)
    return 1 - dense, step(clouds(rng, width, height, unit * 5) - 2.1), 0.1 + 0.85 * dense


def section(rng: Rng, width: int, height: int, stain: Stain) -> Image:
    """A stained section that fills the picture, or lies on the white slide at low magnification."""
    side = min(width, height)
    unit = side * float(np.exp(rng.uniform(np.log(0.012), np.log(0.09))))
    fibre, lumen, chance = _architecture(rng, width, height, unit)
    canvas = plain(width, height, stain.ground)
    paint(canvas, np.clip(fibre * 0.8 + 0.1 * clouds(rng, width, height, unit * 2), 0, 1), stain.fibre)
    nuclei = specks(rng, width, height, chance.astype(np.float32), max(0.8, unit * 0.3),
                    round(width * height / (unit**2) * rng.uniform(0.7, 2)))
    paint(canvas, nuclei * 0.9, stain.nuclei)
    if stain.mark:
        _mark(rng, canvas, chance, unit, stain.mark)
    paint(canvas, lumen.astype(np.float32) * 0.93, (247, 245, 247))
    if rng.random() < 0.15:
        outside = step(clouds(rng, width, height, side / 2, 2) - 0.4, 0.05)
        paint(canvas, outside, (246, 246, 248))
    shade = 1 + 0.03 * noise(rng, width, height, side / 2) + 0.05 * clouds(rng, width, height, max(2, unit * 0.5), 2)
    return grain(rng, warp(rng, canvas * shade[:, :, None], 0.02), float(rng.uniform(1, 5)))


def _mark(rng: Rng, canvas: NDArray[np.float32], chance: Field, unit: float, colour: Colour) -> None:
    """The marked antigen: in some nuclei, along membranes, in the cytoplasm of a region, or as deposits."""
    height, width = canvas.shape[:2]
    region = step(clouds(rng, width, height, unit * 12, 2) + rng.uniform(-0.6, 0.8), 0.8)
    sort = pick(rng, ("nuclei", "membrane", "cytoplasm", "deposits"))
    if sort == "nuclei":
        stain = specks(rng, width, height, (chance * region).astype(np.float32), unit * 0.33,
                       round(width * height / unit**2 * 0.6))
    elif sort == "membrane":
        labels, _ = territories(rng, width, height, max(8, round(width * height / unit**2 / 1.5)))
        stain = borders(labels) * region
    elif sort == "cytoplasm":
        stain = np.clip(region * (0.55 + 0.25 * clouds(rng, width, height, unit * 2)), 0, 1)
    else:
        stain = step(clouds(rng, width, height, unit * 4) - 1.3, 0.2)
    paint(canvas, (stain * rng.uniform(0.5, 0.9)).astype(np.float32), colour)


def haematoxylin_eosin(rng: Rng, width: int, height: int) -> Image:
    """Haematoxylin and eosin."""
    return section(rng, width, height, pick(rng, HE))


def immunohistochemistry(rng: Rng, width: int, height: int) -> Image:
    """A marked antigen over pale blue nuclei."""
    return section(rng, width, height, pick(rng, IHC))


def special_stain(rng: Rng, width: int, height: int) -> Image:
    """Masson, PAS, Sirius red, toluidine blue, Oil Red O, Alcian blue."""
    return section(rng, width, height, pick(rng, SPECIAL))


def smear(rng: Rng, width: int, height: int) -> Image:
    """Blood or cells spread thin on a pale slide."""
    side = min(width, height)
    unit = side * rng.uniform(0.04, 0.1)
    canvas = plain(width, height, pick(rng, ((238, 232, 228), (225, 228, 238), (244, 240, 225))))
    flat = np.full((height, width), 1, np.float32)
    cells = round(width * height / unit**2)
    paint(canvas, specks(rng, width, height, flat, unit * 0.45, round(cells * 0.7)) * 0.8,
          pick(rng, ((225, 170, 165), (205, 190, 200))))
    paint(canvas, specks(rng, width, height, flat, unit * 0.6, max(2, cells // 14)), (120, 80, 165))
    return grain(rng, canvas + 3 * noise(rng, width, height, side / 3)[:, :, None], 2.5)
