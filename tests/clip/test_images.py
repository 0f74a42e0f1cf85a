"""Crops: where they lie, what they hold, and that reduced-scale decoding is not seen."""

from __future__ import annotations

import contextlib
import io
import warnings
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pmcoa_build.clip.images import crop, normalise, random_box, reduction
from pmcoa_build.figures.yolo import mend_torchvision


def encoded(pixels: NDArray[np.uint8], kind: str = "JPEG", **options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    parts = [127 + 120 * np.sin(x / 23 + k) * np.cos(y / 31 - k) for k in range(3)]
    return np.stack(parts, -1).astype(np.uint8)


def plainly(data: bytes, size: int, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """What open_clip's transform makes of that part."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB").crop(box).resize((size, size), Image.Resampling.BICUBIC))


def psnr(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((ours.astype(float) - theirs) ** 2), 1e-9)))


@given(width=st.integers(1, 3000), height=st.integers(1, 3000), size=st.sampled_from([64, 224]), seed=st.integers())
def test_random_boxes_lie_inside_and_are_never_empty(width: int, height: int, size: int, seed: int) -> None:
    x0, y0, x1, y1 = random_box(width, height, size, Random(seed))
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    times = reduction(x1 - x0, y1 - y0, size)
    assert not any(side % times for side in (x0, y0, x1, y1))
    assert min(x1 - x0, y1 - y0) / times >= 2 * size or times == 1


@pytest.mark.parametrize("side", [200, 2000])
def test_random_boxes_cover_half_to_all_of_a_square(side: int) -> None:
    areas, places = [], []
    for seed in range(300):
        x0, y0, x1, y1 = random_box(side, side, 224, Random(seed))
        areas.append((x1 - x0) * (y1 - y0) / side**2)
        places.append((x0 + x1) / 2 / side)
        assert 0.74 < (x1 - x0) / (y1 - y0) < 1.35
    assert 0.49 < min(areas) < 0.55
    assert 0.9 < max(areas) <= 1
    assert abs(np.mean(places) - 0.5) < 0.01


@pytest.mark.parametrize(("width", "height"), [(300, 100), (100, 301), (224, 224), (28, 28), (1, 1), (641, 480)])
def test_an_evaluation_sees_short_side_resized_and_centre_cut(width: int, height: int) -> None:
    data = encoded(smooth(height, width), "PNG")
    short = min(width, height)
    resized = Image.open(io.BytesIO(data)).resize(
        (int(64 * width / short), int(64 * height / short)), Image.Resampling.BICUBIC
    )
    x, y = round((resized.width - 64) / 2), round((resized.height - 64) / 2)
    assert np.array_equal(crop(data, 64, None), np.asarray(resized.crop((x, y, x + 64, y + 64))))


@pytest.mark.parametrize(("width", "height"), [(300, 100), (101, 300), (28, 28), (641, 480), (223, 225), (999, 334)])
def test_an_evaluation_sees_what_torchvision_gives(width: int, height: int) -> None:
    mend_torchvision()
    from torchvision import transforms

    plain = transforms.Compose([
        transforms.Resize(224, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(224)
    ])
    data = encoded(smooth(height, width))
    assert np.array_equal(crop(data, 224, None), np.asarray(plain(Image.open(io.BytesIO(data)))))


@pytest.mark.parametrize("size", [64, 224])
@pytest.mark.parametrize(("height", "width"), [(1200, 1600), (1201, 1603), (500, 450), (200, 260), (60, 40)])
def test_crops_are_the_plain_ones_above_45_db(size: int, height: int, width: int) -> None:
    data = encoded(smooth(height, width), quality=92)  # odd sides: libjpeg rounds the reduced size up
    for seed in range(4):
        box = random_box(width, height, size, Random(seed))
        assert psnr(crop(data, size, Random(seed)), plainly(data, size, box)) > 45


def test_large_jpegs_are_decoded_at_reduced_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    seen = []
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: seen.append(decode(data, flags)) or seen[-1])
    crop(encoded(smooth(1201, 1603)), 64, Random(0))
    assert seen[0].shape == (151, 201, 3)


def test_a_rotation_in_exif_is_not_applied_as_in_the_released_code() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.fromarray(smooth(100, 140)).save(stream, "JPEG", exif=exif)
    box = random_box(140, 100, 32, Random(3))
    assert psnr(crop(stream.getvalue(), 32, Random(3)), plainly(stream.getvalue(), 32, box)) > 45


def coloured(mode: str, kind: str) -> bytes:
    """The smooth picture in another mode, as a file of that kind."""
    image = Image.fromarray(smooth(40, 50)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize(("mode", "kind", "least"), [
    ("L", "JPEG", 45), ("L", "PNG", 45), ("LA", "PNG", 45), ("RGBA", "PNG", 45), ("CMYK", "JPEG", 45), ("P", "PNG", 45),
    ("1", "PNG", 45), ("RGB", "WEBP", 45), ("RGB", "TIFF", 45), ("CMYK", "TIFF", 45), ("RGB", "BMP", 45),
])
def test_other_modes_become_rgb_as_pillow_converts_them(mode: str, kind: str, least: float) -> None:
    data = coloured(mode, kind)
    assert psnr(crop(data, 32, Random(1)), plainly(data, 32, random_box(50, 40, 32, Random(1)))) > least


@pytest.mark.parametrize("values", [np.uint16(200), np.int32(70_000), np.float32(0.01)])
def test_deep_grey_is_spread_over_its_range(values: np.generic) -> None:
    grey = smooth(40, 50)[..., 0]
    stream = io.BytesIO()
    Image.fromarray((grey * values).astype(values.dtype)).save(stream, "TIFF")
    low, high = int(grey.min()), int(grey.max())
    spread = ((grey.astype(float) - low) * 255 / (high - low)).astype(np.uint8)
    expected = crop(encoded(spread, "PNG"), 32, Random(1))
    assert np.abs(crop(stream.getvalue(), 32, Random(1)).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("draw", [None, Random(0)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (3, 5)])
def test_the_smallest_images_are_images(shape: tuple[int, int], draw: Random | None) -> None:
    pixels = np.full((*shape, 3), (10, 200, 90), np.uint8)
    assert np.abs(crop(encoded(pixels, "PNG"), 32, draw).astype(int) - (10, 200, 90)).max() <= 1


@pytest.mark.parametrize("draw", [None, Random(0)])
@pytest.mark.parametrize("cut", [4000, -2, -40])
def test_truncated_images_are_an_error(cut: int, draw: Random | None) -> None:
    data = encoded(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8))[:cut]
    with pytest.raises(OSError, match="truncated"):
        crop(data, 32, draw)


@pytest.mark.parametrize("data", [b"", b"GIF8", b"\xff\xd8\xff\xd9", b"<html>"])
@pytest.mark.parametrize("draw", [None, Random(0)])
def test_what_is_no_image_is_an_error(data: bytes, draw: Random | None) -> None:
    with pytest.raises(OSError):
        crop(data, 32, draw)


PICTURES = {kind: encoded(smooth(90, 70), kind) for kind in ("JPEG", "PNG", "TIFF", "GIF", "WEBP", "BMP")}


@settings(deadline=None, max_examples=200)
@given(kind=st.sampled_from(sorted(PICTURES)), damage=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)),
                                                               min_size=1, max_size=4), whole=st.booleans())
def test_damaged_files_are_pixels_or_an_error(kind: str, damage: list[tuple[float, int]], whole: bool) -> None:
    data = bytearray(PICTURES[kind])
    for at, value in damage:
        data[int(at * len(data))] = value
    with contextlib.suppress(OSError), warnings.catch_warnings(action="ignore"):
        assert crop(bytes(data), 32, None if whole else Random(0)).shape == (32, 32, 3)


def test_damage_that_pillow_bears_gives_the_same_pixels() -> None:
    data = bytearray(encoded(smooth(200, 200)))
    data[2000:2040] = bytes(40)
    box = random_box(200, 200, 64, Random(5))
    assert psnr(crop(bytes(data), 64, Random(5)), plainly(bytes(data), 64, box)) > 45


def test_normalise_is_clip_mean_and_deviation() -> None:
    import torch

    pixels = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
    expected = [(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258, (1 - 0.40821073) / 0.27577711]
    assert torch.allclose(normalise(pixels)[0, :, 0, 0], torch.tensor(expected))
