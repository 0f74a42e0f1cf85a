"""Any image file of an article as one kind of array: RGB, 8 bits, upright.

Sizes are read from the header before anything is decoded (a 48 KB PNG can claim 400 megapixels and OpenCV would
decode it). `load()` decides whether a file is whole: `verify()` calls truncated JPEGs sound.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pmcoa_build.errors import UnitLost

PIXEL_BUDGET = 64_000_000
"""Images with more pixels than this are refused by their header (192 MB as RGB)."""

FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP")
"""Formats that articles bring; Pillow's other readers (EPS runs a program, PSD, FITS …) are never asked."""

_MAGIC = {b"GIF8": "image-truncated", b"II*\0": "image-unsupported", b"MM\0*": "image-unsupported"}
"""Beginnings of files that Pillow cannot identify though they are images: a GIF without a frame, odd TIFFs."""

_STRIP = 1 << 20
"""Pixels that are converted at a time: Pillow's own conversions hold several copies of the whole image."""

_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


@dataclass(frozen=True)
class Decoded:
    """`rgb`: uint8 array, height x width x 3, upright; `format` as Pillow names it ("JPEG", "PNG" …)."""

    rgb: np.ndarray
    format: str
    width: int
    height: int


def _open(data: bytes) -> Image.Image:
    """The image behind its header, not decoded. Raises UnitLost."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        reason = next((told for magic, told in _MAGIC.items() if data.startswith(magic)), "image-not-image")
        raise UnitLost(reason, f"starts with {data[:16]!r}") from None
    except Image.DecompressionBombError as error:
        raise UnitLost("image-too-large", str(error)) from None
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, struct.error, zlib.error) as error:
        raise UnitLost("image-truncated", f"{type(error).__name__}: {error}") from None
    width, height = image.size
    if width * height > PIXEL_BUDGET:
        raise UnitLost("image-too-large", f"{width} x {height} pixels")
    if min(width, height) < 1:
        raise UnitLost("image-unsupported", f"{width} x {height} pixels")
    return image


def image_size(data: bytes) -> tuple[int, int, str]:
    """(width, height, format) from the header alone, before any EXIF rotation.

    Raises UnitLost: image-not-image, image-too-large, image-truncated, image-unsupported.
    """
    with _open(data) as image:
        return image.width, image.height, str(image.format)


Levels = tuple[float, float]
"""Values that become 0 and 255."""


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """(first row, part) from top to bottom."""
    rows = max(_STRIP // image.width, 1)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _values(image: Image.Image) -> np.ndarray:
    """Greys of more than 8 bits as float; what is no number is black."""
    return np.nan_to_num(np.asarray(image).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _levels(image: Image.Image) -> Levels | None:
    """How greys of more than 8 bits are stretched, None for other images.

    The high byte of a 12-bit scan alone would be black, so only what uses all of 16 bits, or no more than 8, is not
    stretched to its range.
    """
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return None
    ends = [(float(values.min()), float(values.max())) for _, part in _strips(image) for values in (_values(part),)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if image.mode.startswith("I;16") and high > 4095:
        return 0.0, 65535.0
    return (0.0, 255.0) if low >= 0 and high <= 255 else (low, high)


def _to_rgb(image: Image.Image, levels: Levels | None) -> Image.Image:
    """8-bit RGB of any mode; transparent parts lie on white, the colour of the page."""
    if levels is not None:
        low, high = levels
        scaled = (_values(image) - low) * (255 / max(high - low, 1e-9))
        image = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    if image.mode in _ALPHA or "transparency" in image.info:
        layered = image.convert("RGBA")
        page = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(page, layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _pixels(image: Image.Image) -> np.ndarray:
    levels = _levels(image)
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    for top, part in _strips(image):
        rgb[top : top + part.height] = np.asarray(_to_rgb(part, levels))
    return rgb


def decode_image(data: bytes) -> Decoded:
    """Decode bytes of a JPEG, PNG, GIF (first frame), TIFF (first page), WebP or BMP to upright RGB.

    Grey, CMYK, 16-bit, palette and transparent images come out the same way. Raises UnitLost with image-not-image,
    image-too-large (more than PIXEL_BUDGET by its header), image-truncated or image-unsupported. Holds what Pillow does
    (4 bytes a pixel, 8 while it is turned) and the result (3) at its peak.
    """
    with _open(data) as image:
        name = str(image.format)
        try:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            rgb = _pixels(image)
        except MemoryError:
            raise
        except Exception as error:  # Pillow's decoders raise what they like on bad data
            cut = isinstance(error, (OSError, EOFError, SyntaxError, struct.error, zlib.error))
            raise UnitLost("image-truncated" if cut else "image-unsupported",
                           f"{name}: {type(error).__name__}: {error}") from None
    return Decoded(rgb, name, rgb.shape[1], rgb.shape[0])
