"""From encoded bytes to a square crop: what training and evaluation see of an image."""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path
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
_SPARE = 2.0
"""A JPEG is decoded at reduced scale only while the crop keeps twice the side that is needed.

Measured against decoding in full (`bench/loader.py`), on crops of real figures: median PSNR above 47 dB at 64 px and
52 dB at 224 px.
"""

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]


def random_box(width: int, height: int, size: int, draw: Random) -> Box:
    """A random part of the image: 0.5 to 1 of its area, aspect 3/4 to 4/3; the whole, cut to that aspect, if none fits.

    The rule of torchvision's RandomResizedCrop with the crop scale of the released command. No flips: captions say
    left and right. A part that will be decoded at 1/n scale for `size` pixels lies on multiples of n.
    """
    x, y, w, h = _random_part(width, height, draw)
    step = reduction(w, h, size)
    return (x // step * step, y // step * step, (x // step + w // step) * step, (y // step + h // step) * step)


def _random_part(width: int, height: int, draw: Random) -> Box:
    for _ in range(10):
        area = width * height * draw.uniform(*CROP_SCALE)
        ratio = math.exp(draw.uniform(math.log(CROP_RATIO[0]), math.log(CROP_RATIO[1])))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return draw.randint(0, width - w), draw.randint(0, height - h), w, h
    w, h = min(width, round(height * CROP_RATIO[1])), min(height, round(width / CROP_RATIO[0]))
    return (width - w) // 2, (height - h) // 2, w, h


def reduction(width: int, height: int, size: int) -> int:
    """1, 2, 4 or 8: how far a JPEG may be reduced in decoding when that part of it becomes `size` pixels square."""
    spare = min(width, height) / (size * _SPARE)
    return next((times for times in (8, 4, 2) if spare >= times), 1)


def crop(data: bytes | memoryview, size: int, draw: Random | None) -> Pixels:
    """RGB pixels (size, size, 3), bicubic, of a random part (`draw`), or as an evaluation sees the image (None).

    The evaluation's way is that of torchvision, and so of open_clip and the released code, to the pixel: short side to
    `size`, centre cut. Raises OSError for bytes that cannot be decoded.
    """
    out = np.empty((size, size, 3), np.uint8)
    crop_into(out, data, draw)
    return out


def crop_into(out: Pixels, data: bytes | memoryview, draw: Random | None) -> None:
    """`crop`, written into an array (size, size, 3)."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if draw is None:
                out[:] = _centre(image, len(out))
            else:
                _random_crop(out, image, data, draw)
    except _UNDECODABLE as error:
        raise OSError(f"{type(error).__name__}: {error}") from None


_UNDECODABLE = (SyntaxError, ValueError, KeyError, IndexError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow's readers raise beside OSError for damaged files."""


def _random_crop(out: Pixels, image: Image.Image, data: bytes | memoryview, draw: Random) -> None:
    size = len(out)
    x0, y0, x1, y1 = random_box(*image.size, size, draw)
    times = reduction(x1 - x0, y1 - y0, size)
    pixels = _fast_jpeg(image, data, times)
    if pixels is None:
        _resize_into(out, np.asarray(_rgb(image))[y0:y1, x0:x1])
        return
    import cv2

    _resize_into(out, pixels[y0 // times : y1 // times, x0 // times : x1 // times])
    cv2.cvtColor(out, cv2.COLOR_BGR2RGB, dst=out)


def _centre(image: Image.Image, size: int) -> Pixels:
    width, height = image.size
    short = min(width, height)
    width, height = (size * side // short if side > short else size for side in (width, height))
    x, y = round((width - size) / 2), round((height - size) / 2)
    resized = _rgb(image).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized.crop((x, y, x + size, y + size)))


def _fast_jpeg(image: Image.Image, data: bytes | memoryview, times: int) -> Pixels | None:
    """BGR pixels of a whole grey or colour JPEG at 1/times scale; None for anything else.

    OpenCV decodes with the same library as Pillow, to the same pixels, in two thirds of the time, but does not tell
    when the end of a file is missing.
    """
    import cv2

    if image.format != "JPEG" or image.mode not in ("RGB", "L") or bytes(data[-2:]) != b"\xff\xd9":
        return None
    scales = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
              8: cv2.IMREAD_REDUCED_COLOR_8}
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), scales[times] | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None  # Pillow says why


def _resize_into(out: Pixels, pixels: Pixels) -> None:
    """Bicubic and antialiased, (H, W, 3) to `out`: Pillow's filter, several times as fast in torch.

    The operator behind `interpolate`, because that gives planes, not pixels, and torch copies a part with all threads.
    """
    import torch

    def planes(array: Pixels) -> torch.Tensor:
        return torch.from_numpy(array[None]).permute(0, 3, 1, 2)

    whole = np.require(pixels, requirements=("C", "W"))
    torch.ops.aten._upsample_bicubic2d_aa.out(planes(whole), out.shape[:2], False, None, None, out=planes(out))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        values = np.asarray(image, dtype=np.float64)
        span = max(float(values.max() - values.min()), 1e-9)
        image = Image.fromarray(((values - values.min()) * (255 / span)).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def readable(path: Path) -> bool:
    """Whether the file is there and begins as an image."""
    try:
        with Image.open(path):
            return True
    except (OSError, ValueError, Image.DecompressionBombError):
        return False


def normalise(pixels: Any) -> Any:
    """Torch uint8 (B, S, S, 3) → float32 (B, 3, S, S), by CLIP's mean and deviation, on the device of `pixels`."""
    import torch

    mean = torch.tensor(MEAN, device=pixels.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD, device=pixels.device).view(1, 3, 1, 1) * 255
    return (pixels.permute(0, 3, 1, 2).float() - mean) / std
