from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pmcoa_build.dataset.rehydrate import rehydrate
from pmcoa_build.dataset.rows import image_source, shard_rows
from pmcoa_build.errors import UnitLost
from pmcoa_build.ids import Box

Tables = dict[str, pa.Table]


def crop(image: bytes, box: Box) -> tuple[bytes, int, int]:
    buffer = io.BytesIO()
    cut = Image.open(io.BytesIO(image)).crop(box)
    cut.save(buffer, "PNG")
    return buffer.getvalue(), *cut.size


class Bucket:
    """A source that counts what is asked of it."""

    def __init__(self, tables: Tables) -> None:
        media = tables["media"].select(["image_id", "image"]).to_pylist()
        self.objects = {row["image_id"]: row["image"]["bytes"] for row in media}
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, key: str, md5: str | None) -> bytes:
        self.asked.append((key, md5))
        if key not in self.objects:
            raise UnitLost("http-404", key)
        return self.objects[key]


@pytest.fixture
def bare(tables: Tables) -> pa.Table:
    """Published rows of all kinds without images."""
    return shard_rows(**tables, level="both", snapshot_date="2026-01-31")


def test_images_come_back_whole_and_cut(tables: Tables, bare: pa.Table, tmp_path: Path) -> None:
    bucket = Bucket(tables)
    md5s = dict(zip(tables["media"]["image_id"].to_pylist(), tables["media"]["md5"].to_pylist(), strict=True))
    result = rehydrate(bare, tmp_path / "full.parquet", bucket, crop=crop, md5s=md5s)
    assert (result.rows, result.lost) == (72, [])
    assert bucket.asked == sorted(md5s.items()), "each image once"
    table = pq.read_table(tmp_path / "full.parquet")
    assert table.drop_columns(["image"]) == bare.drop_columns(["split"])
    expected = image_source(tables["panels"], tables["media"])(bare).to_pylist()
    for row, image in zip(table.to_pylist(), expected, strict=True):
        assert Image.open(io.BytesIO(row["image"]["bytes"])).size == (row["width"], row["height"])
        assert (row["image"]["bytes"] == image["bytes"]) == (row["kind"] == "figure")


def test_what_is_gone_changed_or_of_another_size_is_left_out_and_told(
    tables: Tables, bare: pa.Table, tmp_path: Path
) -> None:
    bucket = Bucket(tables)
    first, second, third = tables["media"]["image_id"].to_pylist()[:3]
    del bucket.objects[first]
    bucket.objects[third] = crop(bucket.objects[third], (0, 0, 40, 48))[0]
    result = rehydrate(bare.slice(0, 9), tmp_path / "x.parquet", bucket, crop=crop, md5s={second: "0" * 32})
    assert [(panel.split("#")[0], code) for panel, code, _ in result.lost] == [
        *[(first, "http-404")] * 3, *[(second, "md5-mismatch")] * 3]
    assert result.rows == 3
    assert bucket.asked.count((first, None)) == 1

    def other(image: bytes, box: Box) -> tuple[bytes, int, int]:
        return image, 31, 48

    result = rehydrate(bare.slice(6, 3), tmp_path / "x.parquet", bucket, crop=other)
    told = [("image-unsupported", "31 x 48 pixels, not 32 x 48")] * 2
    assert [(code, detail) for _, code, detail in result.lost] == told


def test_nothing_is_left_at_the_final_name_after_a_crash(tables: Tables, bare: pa.Table, tmp_path: Path) -> None:
    def dies(key: str, md5: str | None) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rehydrate(bare, tmp_path / "x.parquet", dies, crop=crop)
    assert not (tmp_path / "x.parquet").exists()
