"""Numbers of a panel: finite for any crop, and saying what they should."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.figures.measures import SIDE, maps, measure


def test_the_maps_show_texture_lines_even_ground_and_paper() -> None:
    page = np.full((256, 256, 3), 255, np.uint8)
    page[:, 128:] = np.random.default_rng(0).integers(100, 116, (256, 128, 1))
    page[:, 60:64] = 0
    found = maps(page)
    assert found.shape == (7, SIDE, SIDE)
    texture, lines, even, paper = found[3:, 20:-20]
    assert texture[:, 80:120].mean() > 0.7 > 0.1 > texture[:, :50].mean()
    assert lines[:, 30:32].mean() > 0.4 > 0.01 > lines[:, :25].mean()
    assert even[:, :25].min() == 1 > 0.3 > even[:, 80:120].mean()
    assert paper[:, :25].min() == 1 > 0 == paper[:, 80:].max()
    assert found[:3].min() >= 0 and found[:3].max() <= 1


@settings(max_examples=16, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.sampled_from(["noise", "white", "black", "ramp"]))
def test_any_crop_has_finite_numbers(height: int, width: int, kind: str) -> None:
    crop = {
        "noise": np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8),
        "white": np.full((height, width, 3), 255, np.uint8), "black": np.zeros((height, width, 3), np.uint8),
        "ramp": np.linspace(0, 255, height * width * 3).astype(np.uint8).reshape(height, width, 3),
    }[kind]
    numbers = measure(crop)
    assert numbers.dtype == np.float32
    assert numbers.shape == measure(np.zeros((1, 1, 3), np.uint8)).shape
    assert np.isfinite(numbers).all()
    assert np.abs(numbers).max() < 100


def test_numbers_hardly_change_with_the_size_of_the_crop() -> None:
    ramp = np.linspace(0, 255, 300).astype(np.uint8)
    picture = np.repeat(np.add.outer(ramp // 2, ramp // 2)[:, :, None], 3, axis=2)
    larger = picture.repeat(2, axis=0).repeat(2, axis=1)
    assert np.abs(measure(picture) - measure(larger))[:19].max() < 0.02
