"""Images against drawings, on drawn panels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pmcoa_build.figures.kinds import DRAWINGS, IMAGES, classify_kind, texture


def micrograph(dark: bool) -> np.ndarray:
    rng = np.random.default_rng(2)
    low, high = (0, 120) if dark else (60, 250)
    coarse = rng.integers(low, high, (50, 60, 3)).astype(np.uint8)
    page = np.asarray(Image.fromarray(coarse).resize((360, 300), Image.Resampling.BICUBIC)).astype(float)
    return np.clip(page + rng.normal(0, 6, page.shape), 0, 255).astype(np.uint8)


def drawing(fill: str | None) -> np.ndarray:
    page = Image.new("RGB", (360, 300), "white")
    draw = ImageDraw.Draw(page)
    for k in range(4):
        draw.rectangle((30 + 80 * k, 250 - 50 * k, 80 + 80 * k, 270), fill=fill, outline="black", width=2)
        draw.text((30 + 80 * k, 20), f"group {k}", fill="black", font=ImageFont.load_default(14))
    draw.line((20, 10, 20, 275, 350, 275), fill="black", width=2)
    return np.asarray(page)


@pytest.mark.parametrize("dark", [True, False])
def test_pictures_are_images(dark: bool) -> None:
    kind, score = classify_kind(micrograph(dark))
    assert kind in IMAGES
    assert 0.5 <= score <= 1


@pytest.mark.parametrize("fill", [None, "#d04040", "#888888"])
def test_bars_and_boxes_are_drawings(fill: str | None) -> None:
    kind, score = classify_kind(drawing(fill))
    assert kind in DRAWINGS
    assert 0.5 <= score <= 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 500), (500, 2)])
def test_any_size_gets_a_kind(shape: tuple[int, int]) -> None:
    assert classify_kind(np.full((*shape, 3), 200, np.uint8))[0] in DRAWINGS


def test_texture_is_a_share() -> None:
    assert texture(np.full((40, 40, 3), 255, np.uint8)) == 0
    assert 0.2 < texture(micrograph(dark=False)) <= 1
