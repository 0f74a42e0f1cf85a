"""Western blots and gels: which lane is strong, how the bands run, how many rows are said."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.imagery import COUNTS, Attributes, Field, Image, Modality, Rng, grey, noise
from pmcoa_build.figures.synth.text import write

_ORDINALS = {"one": ("lane 1",), "two": ("lane 2",), "three": ("lane 3",), "four": ("lane 4",), "five": ("lane 5",)}
_PROTEINS = {"one": ("p53", "β-actin"), "two": ("p53", "AKT", "β-actin"), "three": ("p53", "AKT", "ERK", "β-actin")}


def _levels(pattern: str, lanes: int) -> list[float]:
    """Band strength 0-1 a lane."""
    if pattern == "rising":
        return [0.12 + 0.88 * i / (lanes - 1) for i in range(lanes)]
    if pattern == "falling":
        return [1 - 0.88 * i / (lanes - 1) for i in range(lanes)]
    strong, _, lane = pattern.partition(" ")
    chosen = COUNTS[lane] - 1
    marked, other = (1.0, 0.1) if strong == "strong" else (0.04, 0.9)
    return [marked if i == chosen else other for i in range(lanes)]


def _band(canvas: Field, centre: tuple[float, float], size: tuple[float, float], strength: float) -> None:
    """Darken a float canvas by one band; centre and size in pixels."""
    height, width = canvas.shape
    x = (np.arange(width, dtype=np.float32) - centre[0]) / size[0]
    y = (np.arange(height, dtype=np.float32) - centre[1]) / size[1]
    bow = y[:, None] - 0.35 * (x[None, :] ** 2)
    canvas -= 215 * strength * np.exp(-(np.abs(x[None, :]) ** 4) * 9 - (bow**2) * 4).astype(np.float32)


def _western(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    names = _PROTEINS[a["rows"]]
    margin = min(round(width * 0.26), 70)
    image = np.full((height, width, 3), 255, np.uint8)
    strip, gap = height // len(names), max(2, height // 40)
    lanes = 5
    for row, name in enumerate(names):
        wide, tall = width - margin, strip - gap
        canvas = 226 + 5 * noise(rng, wide, tall, 8)
        levels = [0.85] * lanes if name == "β-actin" else _levels(a["pattern"], lanes)
        for lane, level in enumerate(levels):
            centre = ((lane + 0.5) * wide / lanes, tall * (0.5 + rng.uniform(-0.04, 0.04)))
            _band(canvas, centre, (wide / lanes * 0.72, tall * 0.24), level)
        top = row * strip
        image[top : top + tall, margin:] = grey(canvas)
        image[[top, top + tall - 1], margin:] = 0
        image[top : top + tall, [margin, width - 1]] = 0
        write(image, name, (3, top + tall // 3), size=max(9, min(15, tall // 3)))
    return image


def _gel(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    canvas = 235 + 5 * noise(rng, width, height, 12)
    lanes = 6
    for step in range(8):
        _band(canvas, (0.5 * width / lanes, height * (0.1 + 0.11 * step)), (width / lanes * 0.6, height * 0.022), 0.6)
    row = {"high": 0.25, "middle": 0.5, "low": 0.75}[a["weight"]]
    for lane, level in enumerate(_levels(a["pattern"], 5)):
        _band(canvas, ((lane + 1.5) * width / lanes, height * row), (width / lanes * 0.75, height * 0.04), level)
    return grey(255 - canvas)


_PATTERNS = ("rising", "falling", *(f"strong {n}" for n in _ORDINALS), *(f"absent {n}" for n in _ORDINALS))
_WORDS = {
    "rising": ("rising from lane 1 to 5",), "falling": ("falling from lane 1 to 5",),
    **{f"strong {n}": (f"strong in {lane[0]} only",) for n, lane in _ORDINALS.items()},
    **{f"absent {n}": (f"absent in {lane[0]}",) for n, lane in _ORDINALS.items()},
}

BLOTS: tuple[Modality, ...] = (
    Modality("western", "blot", ("Western blot analysis", "Immunoblotting of lysates"),
             {"rows": ("one", "two", "three"), "pattern": _PATTERNS},
             ("Western blot of {rows} with bands {pattern}", "Immunoblot of {rows} shows bands {pattern}"),
             _western, 1.5, diagnostic=False,
             words={**_WORDS, "one": ("p53",), "two": ("p53 and AKT",), "three": ("p53, AKT and ERK",)}),
    Modality("gel", "blot", ("RT-PCR products on agarose gels", "Agarose gel electrophoresis (PCR)"),
             {"weight": ("high", "middle", "low"), "pattern": _PATTERNS},
             ("Agarose gel with {weight} bands {pattern}", "PCR gel shows {weight} bands {pattern}"),
             _gel, 1.2, diagnostic=False,
             words={**_WORDS, "high": ("high-weight",), "middle": ("middle-weight",), "low": ("low-weight",)}),
)
