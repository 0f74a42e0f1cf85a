"""Faults 19 to 21 at the level of whole stages: damaged, huge and odd images, and what calls itself one.

Every other kind of file is decoded to the same RGB in `tests/figures/test_decode.py`.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tests.faults.network import CRAWL, crawling
from tests.faults.tiny import write_article, write_inventory, xml


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _picture(width: int = 300, height: int = 200) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 200, (10, 15, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def _bomb() -> bytes:
    """A PNG of some bytes whose header promises 400 megapixels."""
    head, packed = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0), zlib.compress(bytes(1000))
    chunks = [(b"IHDR", head), (b"IDAT", packed), (b"IEND", b"")]
    told = [struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(told)


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _encoded(_picture(), "JPEG", exif=exif)


GOOD = {
    "cmyk.jpg": _encoded(_picture().convert("CMYK"), "JPEG"),
    "deep.png": _encoded(Image.fromarray(np.asarray(_picture().convert("L")).astype(np.uint16) * 257), "PNG"),
    "palette.png": _encoded(_picture().convert("P"), "PNG", transparency=0),
    "moving.gif": _encoded(_picture(), "GIF", save_all=True, append_images=[Image.new("RGB", (300, 200))]),
    "pages.tif": _encoded(_picture(), "TIFF", save_all=True, append_images=[Image.new("RGB", (300, 200))]),
    "turned.jpg": _turned(),
    "wide.png": _encoded(_picture(10_000, 100), "PNG"),
}
BAD = {
    "page.jpg": (b"<html><body>404 Not Found</body></html>", "media", "image-not-image"),
    "bomb.png": (_bomb(), "media", "image-too-large"),
    "cut.jpg": (_encoded(_picture(), "JPEG")[:-2000], "panels", "image-truncated"),
    "pixel.png": (_encoded(_picture(1, 1), "PNG"), "panels", "panel-too-small"),
    "thumb.png": (_encoded(_picture(20, 20), "PNG"), "panels", "panel-too-small"),
}


def test_19_20_21_an_image_is_decoded_or_lost_with_a_reason(tmp_path: Path) -> None:
    media = {**GOOD, **{name: data for name, (data, _, _) in BAD.items()}}
    write_article(tmp_path / "bucket", "PMC1.1", xml([(f"F-{name}", name) for name in media]), media)
    write_inventory(tmp_path / "bucket")
    with crawling(tmp_path / "build", tmp_path / "bucket") as crawl:
        assert crawl.run(*CRAWL, "panels") == 0
        for stage in ("media", "panels"):
            lost = {name: reason for name, (_, where, reason) in BAD.items() if where == stage}
            assert {unit.split("/")[1]: why for unit, (_, why, _) in crawl.lost(stage).items()} == lost
        rows = crawl.open().table("panels").select(["image_id", "width", "height"]).to_pylist()
        crawl.check_sound()
    assert {row["image_id"].split("/")[1] for row in rows} == set(GOOD)
    [turned] = [row for row in rows if "turned" in row["image_id"]]
    assert turned["width"] < turned["height"], "it lies on its side"
