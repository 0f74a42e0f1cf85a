"""Crops: where they lie, what they hold, and that reduced-scale decoding is not seen."""

from __future__ import annotations

import io
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pmcoa_build.clip.images import crop, normalise, random_box


def encoded(pixels: NDArray[np.uint8], kind: str = "JPEG", **options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    parts = [127 + 120 * np.sin(x / 23 + k) * np.cos(y / 31 - k) for k in range(3)]
    return np.stack(parts, -1).astype(np.uint8)


@given(width=st.integers(1, 3000), height=st.integers(1, 3000), seed=st.integers())
def test_random_boxes_lie_inside_and_are_never_empty(width: int, height: int, seed: int) -> None:
    x0, y0, x1, y1 = random_box(width, height, Random(seed))
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height


def test_random_boxes_cover_half_to_all_of_a_square() -> None:
    areas = []
    for seed in range(300):
        x0, y0, x1, y1 = random_box(200, 200, Random(seed))
        areas.append((x1 - x0) * (y1 - y0) / 40000)
        assert 0.74 < (x1 - x0) / (y1 - y0) < 1.35
    assert 0.49 < min(areas) < 0.55
    assert 0.9 < max(areas) <= 1


def test_centre_box_is_the_largest_centred_square() -> None:
    assert centre_box(300, 100) == (100, 0, 200, 100)
    assert centre_box(100, 301) == (0, 100.5, 100, 200.5)


@pytest.mark.parametrize("size", [64, 224])
def test_reduced_decoding_stays_above_45_db(size: int) -> None:
    data = encoded(smooth(1200, 1600), quality=92)
    with Image.open(io.BytesIO(data)) as image:
        box = centre_box(1600, 1200)
        plain = np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, box=box))
    error = np.mean((crop(data, size, None).astype(float) - plain) ** 2)
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 45


def test_reduced_decoding_does_not_shift_the_crop() -> None:
    picture = smooth(1201, 1603)  # odd sides: libjpeg rounds the reduced size up
    data = encoded(picture, quality=95)
    for seed in range(5):
        box = random_box(1603, 1201, Random(seed))
        plain = np.asarray(Image.fromarray(picture).resize((64, 64), Image.Resampling.BICUBIC, box=box))
        assert np.abs(crop(data, 64, Random(seed)).astype(int) - plain).mean() < 1


@pytest.mark.parametrize("pixels", [
    smooth(40, 50), smooth(40, 50)[..., 0], (smooth(40, 50)[..., 0].astype(np.uint16) * 200),
])
def test_other_modes_become_rgb(pixels: NDArray[np.uint8]) -> None:
    assert crop(encoded(pixels, "PNG"), 32, Random(1)).shape == (32, 32, 3)


def test_truncated_images_are_an_error() -> None:
    with pytest.raises(OSError, match="truncated"):
        crop(encoded(smooth(300, 300))[:4000], 32, None)


def test_normalise_is_clip_mean_and_deviation() -> None:
    import torch

    pixels = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
    expected = [(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258, (1 - 0.40821073) / 0.27577711]
    assert torch.allclose(normalise(pixels)[0, :, 0, 0], torch.tensor(expected))
