"""Words drawn into pictures, in the DejaVu and STIX fonts that matplotlib brings along."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pmcoa_build.figures.synth.imagery import Image

FACES: dict[str, str] = {
    "sans": "DejaVuSans", "sans-bold": "DejaVuSans-Bold", "serif": "DejaVuSerif", "serif-bold": "DejaVuSerif-Bold",
    "sans-italic": "DejaVuSans-Oblique", "times": "STIXGeneral", "times-bold": "STIXGeneralBol",
}


@lru_cache(maxsize=1)
def _folder() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@lru_cache(maxsize=128)
def font(face: str, size: int) -> Any:
    """The PIL font of a face of `FACES`, `size` in pixels."""
    from PIL import ImageFont

    # basic layout: the same glyph positions whether or not libraqm is on the machine
    return ImageFont.truetype(str(_folder() / f"{FACES[face]}.ttf"), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def extent(text: str, face: str, size: int) -> tuple[int, int, int, int]:
    """Ink of the text when drawn at (0, 0): x0, y0, x1, y1 in pixels."""
    box = font(face, size).getbbox(text)
    return int(box[0]), int(box[1]), int(box[2]), int(box[3])


def write(image: Image, text: str, at: tuple[int, int], *, size: int, colour: tuple[int, int, int] = (20, 20, 20),
          face: str = "sans", upright: bool = False) -> tuple[int, int, int, int]:
    """Draw text with its ink's upper left corner at `at`, in place; returns the ink's box in pixels, clipped.

    `upright` turns it by 90 degrees, as titles of y axes are.
    """
    import numpy as np
    from PIL import Image as Pillow
    from PIL import ImageDraw

    x0, y0, x1, y1 = extent(text, face, size)
    plate = Pillow.new("L", (max(1, x1 - x0), max(1, y1 - y0)), 0)
    ImageDraw.Draw(plate).text((-x0, -y0), text, fill=255, font=font(face, size))
    mask = np.asarray(plate, np.float32) / 255
    if upright:
        mask = np.rot90(mask)
    left, top = max(0, at[0]), max(0, at[1])
    right, bottom = min(image.shape[1], at[0] + mask.shape[1]), min(image.shape[0], at[1] + mask.shape[0])
    if right <= left or bottom <= top:
        return left, top, left, top
    part = image[top:bottom, left:right].astype(np.float32)
    cut = mask[top - at[1] : bottom - at[1], left - at[0] : right - at[0], None]
    image[top:bottom, left:right] = (part + cut * (np.asarray(colour, np.float32) - part)).astype(np.uint8)
    return left, top, right, bottom
