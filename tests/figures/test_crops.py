"""Crops as JPEG: the right pixels, the right size, the same bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pmcoa_build.figures import crops
from pmcoa_build.figures.crops import encode_crop


def picture(grey: bool = False) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (10, 15, 1 if grey else 3)).astype(np.uint8)
    small = np.broadcast_to(coarse, (10, 15, 3))
    return np.asarray(Image.fromarray(np.ascontiguousarray(small)).resize((300, 200), Image.Resampling.BICUBIC))


def test_the_crop_is_what_the_box_says() -> None:
    rgb = picture()
    data, width, height = encode_crop(rgb, (20, 30, 170, 130), max_side=0, quality=95)
    got = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert (width, height) == (150, 100) == got.shape[1::-1]
    assert np.abs(got - rgb[30:130, 20:170]).mean() < 2


@pytest.mark.parametrize(("max_side", "size"), [(0, (150, 100)), (75, (75, 50)), (150, (150, 100)), (999, (150, 100))])
def test_only_large_crops_are_scaled(max_side: int, size: tuple[int, int]) -> None:
    assert encode_crop(picture(), (0, 0, 150, 100), max_side=max_side, quality=90)[1:] == size


def test_a_sliver_stays_at_least_one_pixel_wide() -> None:
    assert encode_crop(picture(), (0, 0, 300, 1), max_side=20, quality=90)[1:] == (20, 1)


def test_thin_red_lines_keep_their_colour() -> None:
    rgb = np.full((60, 60, 3), 255, np.uint8)
    rgb[:, 30] = (255, 0, 0)
    got = np.asarray(Image.open(io.BytesIO(encode_crop(rgb, (0, 0, 60, 60), max_side=0, quality=92)[0])))
    assert np.abs(got[30, 30].astype(int) - (255, 0, 0)).max() < 40


@pytest.mark.parametrize(("limit", "tables"), [(60_000, "optimised"), (59_999, "standard")])
def test_huge_crops_take_the_standard_tables(limit: int, tables: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those cost nothing to find; the pixels are the same."""
    whole, standard = (0, 0, 300, 200), b"\xff\xc4\x00\x1f\x00"  # the first of JPEG's own tables, of 31 bytes
    first = encode_crop(picture(), whole, max_side=0, quality=92)[0]
    monkeypatch.setattr(crops, "_OPTIMISED", limit)
    data = encode_crop(picture(), whole, max_side=0, quality=92)[0]
    assert (standard in data) == (tables == "standard")
    assert (np.asarray(Image.open(io.BytesIO(data))) == np.asarray(Image.open(io.BytesIO(first)))).all()


def test_grey_stays_grey_and_bytes_repeat() -> None:
    rgb = picture(grey=True)
    data = encode_crop(rgb, (0, 0, 300, 200), max_side=0, quality=92)[0]
    assert Image.open(io.BytesIO(data)).mode == "L"
    assert data == encode_crop(rgb.copy(), (0, 0, 300, 200), max_side=0, quality=92)[0]
