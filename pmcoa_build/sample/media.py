"""Pictures to bytes, in the formats that PMC's figures come in."""

from __future__ import annotations

import io

import numpy as np

from pmcoa_build.figures.synth.imagery import Image

_MODES = {"jpg": "RGB", "png": "RGB", "grey.jpg": "L", "cmyk.jpg": "CMYK", "palette.png": "P"}
"""Everyday JPEG, and the kinds that break careless decoders."""


def encode(image: Image, form: str = "jpg", quality: int = 85) -> bytes:
    """RGB uint8 (height, width, 3) to bytes: jpg, png, grey.jpg, cmyk.jpg or palette.png; KeyError for others."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(image)
    if form == "palette.png":
        picture = picture.quantize(64, method=Pillow.Quantize.MEDIANCUT, dither=Pillow.Dither.NONE)
    mode = _MODES[form]
    out = io.BytesIO()
    if form.endswith("png"):
        picture.save(out, "PNG", compress_level=6)
    else:
        picture.convert(mode).save(out, "JPEG", quality=quality)
    return out.getvalue()


def near_copy(image: Image) -> Image:
    """The same picture as another paper would print it: a little smaller, a little brighter."""
    import cv2

    height, width = image.shape[:2]
    small = cv2.resize(image, (round(width * 0.95), round(height * 0.95)), interpolation=cv2.INTER_AREA)
    brighter: Image = np.clip(small.astype(np.int16) + 4, 0, 255).astype(np.uint8)
    return brighter


def html_error() -> bytes:
    """What a careless client saves under an image's name."""
    return b"<!DOCTYPE html><html><head><title>Preparing to download ...</title></head><body>Please wait</body></html>"


def document(name: str) -> bytes:
    """A small PDF or a stand-in for another supplement, by its name."""
    if name.endswith(".pdf"):
        return (b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
                b"trailer<</Root 1 0 R>>\n% " + name.encode() + b"\n%%EOF\n")
    return b"drawn supplement " + name.encode() + b"\n"
