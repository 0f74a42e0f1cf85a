"""A figure with its panels drawn in, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from pmcoa_build.figures.detector import Panel

COLOURS = ("#d81b60", "#1e88e5", "#2e7d32", "#f57c00", "#6a1b9a", "#00838f", "#5d4037", "#827717")


def draw_separation(rgb: np.ndarray, panels: Sequence[Panel]) -> np.ndarray:
    """A copy of `rgb` (uint8, H x W x 3) with a box round each panel and its label, kind and score at the top right."""
    image = Image.fromarray(rgb.copy())
    draw = ImageDraw.Draw(image)
    width = max(2, max(image.size) // 400)
    font = ImageFont.load_default(max(11, max(image.size) // 70))
    for index, panel in enumerate(panels):
        colour = COLOURS[index % len(COLOURS)]
        x0, y0, x1, y1 = panel.box
        draw.rectangle((x0, y0, max(x1 - 1, x0), max(y1 - 1, y0)), outline=colour, width=width)
        text = f"{panel.label or '–'} {panel.kind} {panel.score:.2f}"
        left, _, right, bottom = draw.textbbox((0, 0), text, font=font)
        at = (max(x1 - (right - left) - 2 * width, x0), y0 + width)
        draw.rectangle((at[0] - 2, at[1], at[0] + right + 2, at[1] + bottom + 2), fill="white")
        draw.text(at, text, fill=colour, font=font)
    return np.asarray(image)
