"""Panels cut out and encoded as JPEG, the same bytes every time."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pmcoa_build.figures.boxes import Box

_OPTIMISED = 16_000_000
"""Larger crops (pixels) keep the standard Huffman tables: libjpeg holds 6 more bytes a pixel to find better ones."""


def encode_crop(rgb: np.ndarray, box: Box, *, max_side: int, quality: int) -> tuple[bytes, int, int]:
    """(JPEG bytes, width, height) of `box` in `rgb` (uint8, H x W x 3), scaled down to `max_side` pixels (0 = never).

    Colour is kept at full resolution (4:4:4): panels are full of thin coloured lines and text, which 4:2:0 smears, and
    the crop of a JPEG is compressed a second time. Crops without colour are stored as one channel. Huffman tables are
    optimised but for huge crops; no metadata, so equal input gives equal bytes (for one version of libjpeg).
    """
    x0, y0, x1, y1 = box
    crop = np.ascontiguousarray(rgb[y0:y1, x0:x1])
    grey = bool((crop[..., 0] == crop[..., 1]).all() and (crop[..., 1] == crop[..., 2]).all())
    image = Image.fromarray(crop[..., 0] if grey else crop)
    scale = max_side / max(image.size) if max_side else 1.0
    if scale < 1:
        size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
        image = image.resize(size, Image.Resampling.LANCZOS)
    out, optimize = io.BytesIO(), image.width * image.height <= _OPTIMISED
    if grey:
        image.save(out, "JPEG", quality=quality, optimize=optimize)
    else:
        image.save(out, "JPEG", quality=quality, optimize=optimize, subsampling="4:4:4")
    return out.getvalue(), image.width, image.height
