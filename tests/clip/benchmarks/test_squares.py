"""Pictures in memory at the size of a model, as Pillow would scale them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from pmcoa_build.clip.benchmarks.squares import squares


@pytest.mark.parametrize(("side", "size"), [(28, 224), (64, 32), (224, 64), (32, 32)])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_as_pillow_scales_them(side: int, size: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(side)
    images = rng.integers(60, 190, (2, side // 4, side // 4, *shape), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
    found = squares(images, size, torch.device("cpu")).numpy()
    for image, square in zip(images, found, strict=True):
        picture = Image.fromarray(image).convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
        assert np.abs(np.asarray(picture, float) - square).max() <= 2  # Pillow rounds between its two passes
    assert found.dtype == np.float32 and found.shape == (2, size, size, 3) and (found == found.round()).all()
