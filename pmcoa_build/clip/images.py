"""From encoded bytes to a square crop: what training and evaluation see of an image."""

from __future__ import annotations

import io
import math
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's (arXiv 2103.00020), of RGB in [0, 1]."""

CROP_SCALE = (0.5, 1.0)
CROP_RATIO = (3 / 4, 4 / 3)
_SPARE = 1.5
"""A JPEG is decoded at reduced scale only while the crop keeps 1.5 times the side that is needed.

Measured against decoding in full, on real and drawn figures: median PSNR 46 to 48 dB, above 39 dB at 224 px always.
"""

Box = tuple[float, float, float, float]


def random_box(width: int, height: int, draw: Random) -> Box:
    """A random part of the image: 0.5 to 1 of its area, aspect 3/4 to 4/3; the whole, cut to that aspect, if none fits.

    The rule of torchvision's RandomResizedCrop with the crop scale of the released command. No flips: captions say
    left and right.
    """
    for _ in range(10):
        area = width * height * draw.uniform(*CROP_SCALE)
        ratio = math.exp(draw.uniform(math.log(CROP_RATIO[0]), math.log(CROP_RATIO[1])))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            x, y = draw.randint(0, width - w), draw.randint(0, height - h)
            return (x, y, x + w, y + h)
    w, h = min(width, round(height * CROP_RATIO[1])), min(height, round(width / CROP_RATIO[0]))
    x, y = (width - w) // 2, (height - h) // 2
    return (x, y, x + w, y + h)


def centre_box(width: int, height: int) -> Box:
    """The largest centred square: what a resize of the short side and a centre crop leave."""
    side = min(width, height)
    x, y = (width - side) / 2, (height - side) / 2
    return (x, y, x + side, y + side)


def crop(data: bytes, size: int, draw: Random | None) -> NDArray[np.uint8]:
    """RGB pixels (size, size, 3) of a random part (`draw`) or of the centred square (None), bicubic.

    Raises OSError, ValueError or Image.DecompressionBombError for bytes that cannot be decoded.
    """
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        box = random_box(width, height, draw) if draw else centre_box(width, height)
        spare = min(box[2] - box[0], box[3] - box[1]) / (size * _SPARE)
        if image.format == "JPEG" and spare > 1:
            image.draft("RGB", (math.ceil(width / spare), math.ceil(height / spare)))
        times = round(width / image.size[0])  # libjpeg reduces by a whole number and rounds the size up
        box = (box[0] / times, box[1] / times, box[2] / times, box[3] / times)
        picture = _rgb(image).resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.asarray(picture)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "I;16", "F"):
        values = np.asarray(image, dtype=np.float64)
        span = max(float(values.max() - values.min()), 1e-9)
        image = Image.fromarray(((values - values.min()) * (255 / span)).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def normalise(pixels: Any) -> Any:
    """Torch uint8 (B, S, S, 3) → float32 (B, 3, S, S), by CLIP's mean and deviation, on the device of `pixels`."""
    import torch

    mean = torch.tensor(MEAN, device=pixels.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD, device=pixels.device).view(1, 3, 1, 1) * 255
    return (pixels.permute(0, 3, 1, 2).float() - mean) / std
