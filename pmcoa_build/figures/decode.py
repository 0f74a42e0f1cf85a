"""Any image file of an article as one kind of array: RGB, 8 bits, upright.

Sizes are read from the header before anything is decoded (a 48 KB PNG can claim 400 megapixels and OpenCV would
decode it). `load()` decides whether a file is whole: `verify()` calls truncated JPEGs sound.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pmcoa_build.errors import UnitLost

PIXEL_BUDGET = 64_000_000
"""Images with more pixels than this are refused by their header (192 MB as RGB)."""

FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP")
"""Formats that articles bring; Pillow's other readers (EPS runs a program, PSD, FITS …) are never asked."""

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
        raise UnitLost("image-not-image", f"starts with {data[:16]!r}") from None
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


def _sixteen_bits_to_eight(image: Image.Image) -> Image.Image:
    """Greys of more than 8 bits, stretched to 0-255: the high byte of a 12-bit scan alone would be black."""
    values = np.asarray(image).astype(np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if image.mode.startswith("I;16") and values.max(initial=0) > 4095:
        scaled = values / 257
    else:
        low, high = float(values.min()), float(values.max())
        scaled = values if low >= 0 and high <= 255 else (values - low) * (255 / max(high - low, 1e-9))
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8), "L")


def _to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of any mode; transparent parts lie on white, the colour of the page."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _sixteen_bits_to_eight(image)
    if image.mode in _ALPHA or "transparency" in image.info:
        layered = image.convert("RGBA")
        page = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(page, layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def decode_image(data: bytes) -> Decoded:
    """Decode bytes of a JPEG, PNG, GIF (first frame), TIFF (first page), WebP or BMP to upright RGB.

    Grey, CMYK, 16-bit, palette and transparent images come out the same way. Raises UnitLost with image-not-image,
    image-too-large (more than PIXEL_BUDGET by its header), image-truncated or image-unsupported.
    """
    with _open(data) as image:
        name = str(image.format)
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
            rgb = np.asarray(_to_rgb(upright))
        except MemoryError:
            raise
        except Exception as error:  # Pillow's decoders raise what they like on bad data
            cut = isinstance(error, (OSError, EOFError, SyntaxError, struct.error, zlib.error))
            raise UnitLost("image-truncated" if cut else "image-unsupported",
                           f"{name}: {type(error).__name__}: {error}") from None
    return Decoded(rgb, name, rgb.shape[1], rgb.shape[0])
