"""Every mode and format of file comes out as the same upright RGB, or as a named reason."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from pmcoa_build.errors import UnitLost
from pmcoa_build.figures import decode
from pmcoa_build.figures.decode import PIXEL_BUDGET, decode_image, image_size

TOP, BOTTOM = (200, 40, 40), (40, 60, 200)


def picture(width: int = 40, height: int = 30) -> Image.Image:
    """Red above, blue below: shows which way is up."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2], pixels[height // 2 :] = TOP, BOTTOM
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def is_red_over_blue(rgb: np.ndarray, tolerance: int = 12) -> bool:
    quarter = rgb.shape[0] // 4
    return bool((np.abs(rgb[quarter].astype(int) - TOP).max() <= tolerance)
                and (np.abs(rgb[-quarter - 1].astype(int) - BOTTOM).max() <= tolerance))


@pytest.mark.parametrize(("kind", "options"), [
    ("PNG", {}), ("JPEG", {"quality": 95}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}),
    ("WEBP", {"lossless": True}), ("WEBP", {"quality": 95}), ("GIF", {}),
])
def test_every_format(kind: str, options: dict[str, object]) -> None:
    got = decode_image(encoded(picture(), kind, **options))
    assert (got.format, got.width, got.height, got.rgb.shape, got.rgb.dtype) == (kind, 40, 30, (30, 40, 3), np.uint8)
    assert is_red_over_blue(got.rgb)


@pytest.mark.parametrize(("mode", "kind"), [("P", "PNG"), ("P", "GIF"), ("RGBA", "PNG"), ("CMYK", "TIFF")])
def test_every_colour_mode(mode: str, kind: str) -> None:
    stored = picture().convert(mode, palette=Image.Palette.ADAPTIVE) if mode == "P" else picture().convert(mode)
    assert is_red_over_blue(decode_image(encoded(stored, kind)).rgb, 40)


def test_cmyk_jpeg_is_not_inverted() -> None:
    assert is_red_over_blue(decode_image(encoded(picture().convert("CMYK"), "JPEG", quality=95)).rgb, 40)


GREY = np.arange(0, 256, 1, np.uint8).reshape(16, 16)


@pytest.mark.parametrize(("image", "kind"), [
    (Image.fromarray(GREY), "PNG"),
    (Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"),
    (Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF"),
    (Image.fromarray(GREY.astype(np.uint16) * 16), "PNG"),  # 12 bits in 16, as scanners write them
    (Image.fromarray(GREY.astype(np.int32)), "TIFF"),
    (Image.fromarray(GREY.astype(np.float32)), "TIFF"),
    (Image.merge("LA", (Image.fromarray(GREY), Image.new("L", (16, 16), 255))), "PNG"),
], ids=["8", "16", "16-tiff", "12", "32", "float", "alpha"])
def test_greys_of_any_depth_become_the_same_rgb(image: Image.Image, kind: str) -> None:
    rgb = decode_image(encoded(image, kind)).rgb
    assert rgb.shape == (16, 16, 3)
    assert np.abs(rgb.astype(int) - GREY[..., None].astype(int)).max() <= 1


def test_one_bit() -> None:
    rgb = decode_image(encoded(Image.fromarray(GREY).convert("1"), "PNG")).rgb
    assert set(np.unique(rgb)) == {0, 255}


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_transparent_parts_lie_on_white(mode: str) -> None:
    layered = picture().convert("RGBA")
    layered.putalpha(0)
    if mode == "P":
        flat = picture().convert("P", palette=Image.Palette.ADAPTIVE)
        data = encoded(flat, "PNG", transparency=bytes([0] * 256))
    else:
        data = encoded(layered.convert(mode), "PNG")
    assert (decode_image(data).rgb == 255).all()


@pytest.mark.parametrize(("orientation", "turn"), [
    (1, None), (3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270),
    (2, Image.Transpose.FLIP_LEFT_RIGHT), (4, Image.Transpose.FLIP_TOP_BOTTOM), (5, Image.Transpose.TRANSPOSE),
    (7, Image.Transpose.TRANSVERSE),
])
def test_exif_rotation_is_undone(orientation: int, turn: Image.Transpose | None) -> None:
    stored = picture() if turn is None else picture().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    got = decode_image(encoded(stored, "JPEG", quality=95, exif=exif))
    assert (got.width, got.height) == (40, 30)
    assert is_red_over_blue(got.rgb)


def test_first_frame_of_an_animation_and_first_page_of_a_tiff() -> None:
    other = Image.new("RGB", (40, 30), (0, 255, 0))
    for kind in ("GIF", "TIFF", "WEBP"):
        assert is_red_over_blue(decode_image(encoded(picture(), kind, save_all=True, append_images=[other])).rgb, 60)


def test_colour_profiles_are_not_applied() -> None:
    """As Pillow converts: the numbers of the file are the colours."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("PNG", "TIFF"):
        assert (decode_image(encoded(picture(), kind, icc_profile=profile)).rgb == np.asarray(picture())).all()


def _lab() -> Image.Image:
    return ImageCms.profileToProfile(picture(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"),
                                     outputMode="LAB")


@pytest.mark.parametrize(("image", "kind", "options"), [
    (_lab(), "TIFF", {}), (picture().convert("YCbCr"), "TIFF", {}), (picture(), "TIFF", {"compression": "jpeg"}),
    (picture(), "JPEG", {"progressive": True, "quality": 95}),
], ids=["lab", "ycbcr", "jpeg-in-tiff", "progressive"])
def test_other_colour_spaces_and_codings(image: Image.Image, kind: str, options: dict[str, object]) -> None:
    assert is_red_over_blue(decode_image(encoded(image, kind, **options)).rgb)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(pixels: np.ndarray, *, depth: int = 8, interlaced: bool = False) -> bytes:
    """RGB (H, W, 3) as a PNG of 8 or 16 bits, in Adam7's seven passes where it is interlaced: Pillow writes neither."""
    height, width = pixels.shape[:2]
    whole = pixels.astype(np.uint8 if depth == 8 else ">u2")
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in (passes if interlaced else ((0, 0, 1, 1),))
                    for row in whole[y::dy, x::dx])
    head = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows))
            + _chunk(b"IEND", b""))


@pytest.mark.parametrize(("depth", "interlaced"), [(8, False), (8, True), (16, False), (16, True)])
def test_png_of_16_bits_and_interlaced(depth: int, interlaced: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (31, 41, 3))
    data = png(pixels * 257 if depth == 16 else pixels, depth=depth, interlaced=interlaced)
    assert (decode_image(data).rgb == pixels).all()


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (1, 3000), (10_000, 9)])
def test_sizes_that_are_odd(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    for kind in ("PNG", "TIFF", "BMP"):
        assert (decode_image(encoded(Image.fromarray(pixels), kind)).rgb == pixels).all()


MODES = ("RGB", "L", "1", "P", "CMYK", "YCbCr", "LA", "RGBA", "I", "I;16", "F")


@settings(deadline=None)
@given(st.sampled_from(MODES), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_in_strips_as_in_one_piece(mode: str, width: int, height: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4)).astype(np.uint8)
    rgba = Image.fromarray(pixels)
    if mode in ("I", "I;16", "F"):
        kind = {"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode]
        data = encoded(Image.fromarray(pixels[..., 0].astype(kind) * 33), "TIFF")
    else:
        image = rgba.convert(mode) if mode in ("LA", "RGBA") else rgba.convert("RGB").convert(mode)
        data = encoded(image, "TIFF" if mode in ("CMYK", "YCbCr") else "PNG")
    whole = decode_image(data).rgb
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_STRIP", 2 * width + 1)
        assert (decode_image(data).rgb == whole).all()
    if mode in ("RGB", "L", "1", "P", "CMYK", "YCbCr"):
        assert (whole == np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))).all()


@pytest.mark.parametrize("image", [
    Image.new("RGB", (4000, 3000)), Image.new("RGBA", (4000, 3000)), Image.fromarray(np.zeros((3000, 4000), np.uint16)),
], ids=lambda image: image.mode)
def test_memory_beside_pillows_own_is_that_of_the_result(image: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_STRIP", 1 << 14)
    data = encoded(image, "PNG", compress_level=1)
    tracemalloc.start()
    rgb = decode_image(data).rgb
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rgb.nbytes == 36_000_000 and peak < 39_000_000


def png_claiming(width: int, height: int) -> bytes:
    """A PNG header without the pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = _chunk(b"IDAT", zlib.compress(b"\0" * 100)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + body


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(20_000, 20_000), (12_000, 12_000), (8_001, 8_000), (60_000, 60_000)])
def test_bombs_are_refused_by_their_header(size: tuple[int, int]) -> None:
    assert size[0] * size[1] > PIXEL_BUDGET
    for read in (image_size, decode_image):
        with pytest.raises(UnitLost) as lost:
            read(png_claiming(*size))
        assert lost.value.reason.code == "image-too-large"


def test_the_budget_itself_is_allowed() -> None:
    assert image_size(png_claiming(8_000, 8_000)) == (8_000, 8_000, "PNG")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.995])
def test_truncated_files(kind: str, share: float) -> None:
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8))
    data = encoded(noisy, kind)
    with pytest.raises(UnitLost) as lost:
        decode_image(data[: int(len(data) * share)])
    assert lost.value.reason.code in {"image-truncated", "image-not-image"}
    assert lost.value.reason.code == "image-truncated" or kind in {"WEBP", "TIFF"}


def test_two_bytes_short_jpeg() -> None:
    data = encoded(picture(300, 200), "JPEG")
    with pytest.raises(UnitLost) as lost:
        decode_image(data[:-200])
    assert lost.value.reason.code == "image-truncated"
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("data", [b"", b"<html><body>404 Not Found</body></html>", b"%PDF-1.4 ...",
                                  b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0" * 100, b"\xff\xd8"])
def test_what_is_no_image(data: bytes) -> None:
    with pytest.raises(UnitLost) as lost:
        decode_image(data)
    assert lost.value.reason.code in {"image-not-image", "image-truncated"}
    assert lost.value.reason.code == "image-not-image" or data == b"\xff\xd8"


@pytest.mark.parametrize(("data", "reason"), [
    (b"GIF89a" + bytes(20), "image-truncated"),
    (b"II*\0\x08\0\0\0" + bytes(20), "image-unsupported"),  # a TIFF without a size
], ids=["gif without a frame", "odd tiff"])
def test_what_is_an_image_but_of_no_use_is_not_called_something_else(data: bytes, reason: str) -> None:
    for read in (image_size, decode_image):
        with pytest.raises(UnitLost) as lost:
            read(data)
        assert lost.value.reason.code == reason
